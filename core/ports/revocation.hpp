// Port: the revocation lists of the device authorities, as the operator named them. Nothing that a certificate names is
// ever fetched.
#pragma once

#include "core/bytes.hpp"
#include "core/ports/async.hpp"
#include "core/time.hpp"
#include "core/trust/revocation.hpp"

#include <memory>
#include <vector>

namespace connector::ports {

// The lists as they were at one moment. Any thread.
class RevocationLists {
public:
    virtual ~RevocationLists() = default;
    // Of a certificate (DER) that one of the device authorities has issued. A list that says "revoked" counts also when
    // it is stale; one that says nothing does not.
    [[nodiscard]] virtual trust::Revocation look_up(ByteView certificate, UtcTime now) const = 0;
};

// cc-io.
class RevocationSource {
public:
    virtual ~RevocationSource() = default;
    // Never null.
    [[nodiscard]] virtual std::shared_ptr<const RevocationLists> current() const = 0;
    // Reads and fetches what is due; tells of what failed by events.
    [[nodiscard]] virtual Async<void> refresh() = 0;
    // Each authority that has no current list at `now`, with the reason; code crlMissing, crlStale or crlUnfit.
    [[nodiscard]] virtual std::vector<Error> faults(UtcTime now) const = 0;
};

}  // namespace connector::ports
