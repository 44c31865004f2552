// Port: a certification authority. One instance each [authority.NAME]; the protocol does not show through.
// No retry inside. kind unknown: a submission that may have arrived. refused, code authorityRejected: a no. refused,
// code certificateMismatch: it says that it issued, and what came is no certificate: one may be there, and it is never
// asked for anew. unauthorized or misconfigured: its credential or configuration (authorityMisconfigured). unavailable,
// timed_out: not reached.
#pragma once

#include "core/bytes.hpp"
#include "core/ports/async.hpp"
#include "core/time.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace connector::ports {

// The alias of the template where a profile names none.
inline constexpr std::string_view k_default_template = "default";

struct Submission {
    Bytes csr;    // DER; every claim about the person stands in here and nowhere else
    Bytes nonce;  // 16 octets, durable before the call: the same nonce and CSR never give two certificates where
                  // avoidable
    std::optional<std::string> template_alias;
    unsigned validity_days = 0;  // 0 = the authority's own
};
struct IssuedAnswer {
    Bytes certificate;         // DER
    std::vector<Bytes> chain;  // DER candidates, in any order; what is missing is for issuers() to give
};
struct PendingAnswer {
    std::string authority_request_id;
    std::chrono::seconds retry_after{60};
};
using AuthorityAnswer = std::variant<IssuedAnswer, PendingAnswer>;

struct Revocation {
    std::string issuer;         // RFC 4514
    std::string serial_number;  // hex
    Bytes certificate;          // DER where known, else empty
    std::string reason;         // the management API's word
};

struct AuthorityTraits {
    bool finds = false;  // find() can look for an earlier submission
    bool revokes = false;
    bool polls_by_repeating = false;  // poll() sends the order again, so that a second certificate may come of it
    std::vector<Bytes> anchors;       // DER: what its certificates must chain to
    std::vector<Bytes> issuing;  // DER: the certificates that may be the leaf's issuer; empty = any under the anchors
};

// What an authority publishes by itself and has to keep fresh: its revocation list.
struct RevocationList {
    std::uint64_t number = 0;  // of the one that lies there, as the next two
    std::size_t entries = 0;
    std::optional<UtcTime> next_update;  // nullopt: there is none that can be used
    bool renewed = false;                // by this call
    std::optional<Error> fault;          // it was time for a new one, or its copy is an old one, and that failed
};
struct Upkeep {
    std::optional<RevocationList> revocation_list;  // nullopt: not this authority's business
};

class Authority {
public:
    virtual ~Authority() = default;
    [[nodiscard]] virtual const std::string& name() const noexcept = 0;
    [[nodiscard]] virtual AuthorityTraits traits() const = 0;
    // False: no such alias is configured for it (authorityMisconfigured). nullopt asks for the default template.
    [[nodiscard]] virtual bool has_template(const std::optional<std::string>& alias) const = 0;
    [[nodiscard]] virtual Async<AuthorityAnswer> submit(Submission submission) = 0;
    // kind unknown only where it polls by repeating: the order may have been fulfilled, and the answer is lost.
    [[nodiscard]] virtual Async<AuthorityAnswer> poll(std::string authority_request_id) = 0;
    // nullopt: it never arrived.
    [[nodiscard]] virtual Async<std::optional<AuthorityAnswer>> find(Submission submission) = 0;
    // Asked of it now: candidates for the chain of a certificate whose issuer did not come with it. Empty where an
    // answer always has all that there is. The certificate is durable before this is called.
    [[nodiscard]] virtual Async<std::vector<Bytes>> issuers(std::optional<std::string> /*template_alias*/) {
        co_return std::vector<Bytes>();
    }
    // Reaches it and changes nothing there: whether it answers, and to us.
    [[nodiscard]] virtual Async<void> probe() = 0;
    // Already revoked is success.
    [[nodiscard]] virtual Async<void> revoke(Revocation revocation) = 0;
    // What it has to do apart from requests; asked for at start and from time to time. Most have nothing to do.
    [[nodiscard]] virtual Async<Upkeep> upkeep() { co_return Upkeep{}; }
};

}  // namespace connector::ports
