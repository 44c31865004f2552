// The invariants, held against what the world does while it does it and against what is left at the end.
// A broken one is noted with its name; the world stops at the first.
#pragma once

#include "core/ports/management_api.hpp"
#include "core/ports/packager.hpp"
#include "tests/sim/authority.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/service.hpp"

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace connector::sim {

class World;
class Process;
struct Connector;

struct Violation {
    std::string invariant;
    std::string detail;
};

class Judge {
public:
    explicit Judge(World& world) : world_(world) {}

    void broken(std::string_view invariant, std::string detail);
    [[nodiscard]] const std::vector<Violation>& violations() const noexcept { return violations_; }

    // While it runs.
    // That it is told now.
    void disk_hangs(const SimLedger& ledger, Tick now);
    void no_secret(std::string_view where, std::string_view text);
    void committed(Process& process, const ports::Commit& commit, const Shadow* before);
    // Nothing that was frozen, or has tripped, is done; `what` is about to happen.
    void acts(Process& process, request::Kind kind, const std::string& what);
    // A count of our own beside the ledger's: no limit is passed.
    void counted(Process& process, const ports::Commit& commit);
    void approved(Process& process, const RequestId& id, const Sha256& device_key, const std::string& what);
    void asked_in_the_name_of(Process& process, const RequestId& id, const ports::CsrContent& asked);
    void looked_up(Process& process, const DeviceId& device, const UserId& user, const Sha256& spki, bool blocked);
    void submitted(Process& process, const ports::Submission& submission, std::string_view authority);
    // An order, or its repetition, leaves for an authority that cannot be searched; it may have arrived, or was
    // answered with anything but a certificate.
    void sends(Process& process, const Bytes& csr);
    void may_have_arrived(const Bytes& csr);
    void answered(const Bytes& csr, const Result<ports::AuthorityAnswer>& answer);
    void announced(Process& process, const std::string& request);
    // Whoever acts for a request has its mark in the ledger, so that a death in the middle is known.
    void acts(Process& process, const Bytes& csr, std::string_view what);
    void asks_for_issuers(Process& process, std::string_view authority);
    void parses(Process& process, ByteView pfx);
    void told(const std::string& request, std::string_view event);
    void revokes(Process& process, SimAuthority::Entry* entry, const ports::Revocation& revocation);
    void wrapped(Process& process, const trust::Recipient& recipient, const ports::PackageContent& content);
    void reports(Process& process, const ports::ResultMessage& message);
    void result_arrives(const ports::ResultMessage& message);
    void accepted(const SimService::Order& order, std::size_t connector, const ports::ResultMessage& message);
    void lease_ran_out(const SimService::Order& order);
    void opened_again(Connector& connector, storage::SqliteLedger& file);
    void scan(const Connector& connector);
    // When everything rests.
    void at_the_end();

private:
    struct Proof {  // the last look at the register that found no block
        const Process* process = nullptr;
        Tick when;
    };
    using Claim = std::tuple<std::size_t, DeviceId, Sha256>;  // the connector, the device and its key
    struct Sent {
        unsigned unanswered = 0;
        unsigned announced = 0;
    };
    void check_package(const SimService::Order& order, const request::Package& package);
    [[nodiscard]] bool may_fail(const SimService::Order& order, std::string_view end) const;
    void check_honest_orders();
    void check_certificates();
    void check_registers();
    void check_ledgers();

    World& world_;
    std::vector<Violation> violations_;
    std::map<Claim, Proof> proofs_;
    std::map<Bytes, Sent> sent_;
    std::map<RequestId, std::set<std::string>> told_;  // which events named it
    std::set<Bytes> to_revoke_;                        // certificates that a record of stage revoking has named
};

}  // namespace connector::sim
