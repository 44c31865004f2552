#include "daemon/health/history.hpp"

#include <algorithm>
#include <utility>

namespace connector::health {

using namespace std::chrono_literals;

void RecentEvents::note(const Event& event, UtcTime now) {
    const auto* definition = find_event(event.id);
    if (definition == nullptr || (definition->severity != Severity::warning && definition->severity != Severity::error))
        return;
    const std::lock_guard lock(mutex_);
    auto& told = told_[definition->id];
    told.event = definition;
    told.last = now;
    ++told.times;
}

std::vector<Told> RecentEvents::newest() const {
    constexpr std::size_t k_most = 6;
    std::vector<Told> found;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& [id, told] : told_) found.push_back(told);
    }
    std::stable_sort(found.begin(), found.end(), [](const Told& a, const Told& b) { return a.last > b.last; });
    if (found.size() > k_most) found.resize(k_most);
    return found;
}

boost::asio::awaitable<void> keep_throughput(storage::AsyncLedger& ledger, ports::Clock& clock,
                                             std::vector<Ended>& throughput, const bool& ending) {
    constexpr auto k_stretch = std::chrono::seconds{30min};
    constexpr std::int64_t k_stretches = 24;
    Tick next{};
    while (!ending) {
        if (clock.tick() >= next) {
            next = clock.tick() + 1min;
            const UtcTime newest(clock.utc().time_since_epoch() / k_stretch * k_stretch);
            std::vector<Ended> found;
            for (std::int64_t i = k_stretches - 1; i >= 0; --i) found.push_back({newest - i * k_stretch});
            auto asking = ledger.ended_since(found.front().begin, k_stretch);
            const auto ended = co_await std::move(asking);
            if (ended) {
                for (const auto& one : *ended) {
                    const auto place = (one.begin - found.front().begin) / k_stretch;
                    if (place < k_stretches) found[static_cast<std::size_t>(place)] = {one.begin, one.done, one.failed};
                }
                throughput = std::move(found);
            }
        }
        co_await clock.wait_until(clock.tick() + 1s);
    }
}

}  // namespace connector::health
