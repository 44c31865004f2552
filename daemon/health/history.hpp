// What the page tells of the past: how requests ended in the last hours, by the ledger, and which warnings and errors
// were told last. No person, device or request stands in either. And, for the full page, who waits or went without.
#pragma once

#include "core/ports/event_sink.hpp"
#include "daemon/health/server.hpp"
#include "storage/async_ledger.hpp"

#include <map>
#include <mutex>
#include <string_view>
#include <vector>

namespace connector::health {

// Warnings and errors of the catalogue, each id once. Any thread.
class RecentEvents {
public:
    void note(const Event& event, UtcTime now);
    // The newest first; a handful.
    [[nodiscard]] std::vector<Told> newest() const;

private:
    mutable std::mutex mutex_;
    std::map<std::string_view, Told> told_;  // by the catalogue's own id
};

// The last twelve hours in half hours, read anew each minute, until `ending`. On the clock's executor.
[[nodiscard]] boost::asio::awaitable<void> keep_throughput(storage::AsyncLedger& ledger, ports::Clock& clock,
                                                           std::vector<Ended>& throughput, const bool& ending);

// The newest of each kind that the ledger knows, a few dozen at most. Never fails: what is not known is said.
[[nodiscard]] ports::Async<Names> names_of(storage::AsyncLedger& ledger, UtcTime now);

}  // namespace connector::health
