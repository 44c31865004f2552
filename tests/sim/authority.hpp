// Simulated certification authorities: shared by all connectors of a world, never crashing, with a memory of their own.
// What one can do (find, revoke, know a repeated submission) is the scenario's; what it decides about a CSR is drawn
// once. The judge reads `entries` at the end: every certificate that was ever issued stands there.
#pragma once

#include "core/ports/authority.hpp"
#include "tests/sim/labels.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/scenario.hpp"

#include <cstddef>
#include <string>
#include <vector>

namespace connector::sim {

class SimAuthority {
public:
    enum class State { pending, issued, refused };
    struct Entry {
        Bytes csr;
        Bytes nonce;
        std::size_t connector = 0;
        RequestId request;
        unsigned validity_days = 0;
        State state = State::pending;
        Tick ready;
        State verdict = State::issued;
        bool wrong = false;
        bool pended = false;
        Bytes certificate;
        std::string serial_number;
        std::string issuer;
        bool revoked = false;
        bool durably_known = false;  // it stood in a commit of its connector
        bool named = false;          // while it was pending, its name did
        bool handed = false;         // its certificate has left, whether it arrived or not
    };
    struct Options {
        std::string name;
        bool finds = true;
        bool revokes = true;
        bool idempotent = true;
        bool repeats =
            false;  // a pending order is asked for by being sent again, as with EST; only where it cannot search
        bool bare = false;           // its certificates come alone, and its own has to be asked for
        std::uint64_t verdicts = 0;  // permille
        std::chrono::seconds lease{900};
        std::chrono::seconds pending{0};  // over each order
    };

    SimAuthority(Labels& labels, Random random, Options options, UtcTime now);

    [[nodiscard]] const Options& options() const noexcept { return options_; }
    [[nodiscard]] const Bytes& certificate() const noexcept { return ca_; }
    // `connector` and `request`: whose CSR it is, for the judge.
    [[nodiscard]] Result<ports::AuthorityAnswer> take(const ports::Submission& submission, std::size_t connector,
                                                      const RequestId& request, Tick now, UtcTime utc, bool troubled);
    [[nodiscard]] Result<ports::AuthorityAnswer> poll(const std::string& id, Tick now, UtcTime utc, bool troubled);
    [[nodiscard]] Result<std::optional<ports::AuthorityAnswer>> find(const ports::Submission& submission, Tick now,
                                                                     UtcTime utc);
    [[nodiscard]] Entry* named(const std::string& id);
    // The entry that was revoked, or nothing where no certificate of ours has that serial number.
    [[nodiscard]] Entry* revoke(const ports::Revocation& revocation);

    std::vector<Entry> entries;

private:
    [[nodiscard]] Result<ports::AuthorityAnswer> answer(std::size_t index, Tick now, UtcTime utc);
    void issue(Entry& entry, UtcTime utc);

    Labels& labels_;
    Random random_;
    Options options_;
    Bytes ca_;
    CertificateFacts ca_facts_;
    std::uint64_t last_serial_ = 0;
};

}  // namespace connector::sim
