// The leases we hold, and when each has to be renewed. The ledger has the same list without the monotonic times; the
// two are compared now and then, since whoever closes a request does not tell this book. cc-io.
#pragma once

#include "core/ids.hpp"
#include "core/request/request.hpp"
#include "core/time.hpp"

#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace connector::engine {

// Time left = expiry − the answer's Date, counted from the sending, at most a day.
[[nodiscard]] Tick lease_end(UtcTime expires_at, std::optional<UtcTime> date, UtcTime now, Tick sent);

class LeaseBook {
public:
    using Listed = std::vector<std::pair<RequestId, request::Lease>>;

    // Given or renewed: ends at `end`.
    void note(const LeaseId& lease, const RequestId& request, Tick end, Tick now);
    // The ledger's list, asked for at `asked`. A lease of an earlier life, whose end is not known, is due at once.
    void compare(const Listed& open, Tick asked);
    // The service has taken it back.
    void lost(const LeaseId& lease) noexcept { leases_.erase(lease); }

    // Those with a third of their time left, or ten seconds; the first to end first, at most `limit`.
    [[nodiscard]] std::vector<std::pair<LeaseId, RequestId>> due(Tick now, std::size_t limit) const;
    // When renewing has to be tried again, whatever the service asks: five seconds before the first end of a lease.
    // What had less left at `tried` was tried then. nullopt: there is none.
    [[nodiscard]] std::optional<Tick> last_moment(Tick tried) const;
    [[nodiscard]] std::size_t size() const noexcept { return leases_.size(); }

private:
    struct Held {
        RequestId request;
        Tick end;
        Tick::duration length{};
        Tick noted;
    };
    std::map<LeaseId, Held> leases_;
};

}  // namespace connector::engine
