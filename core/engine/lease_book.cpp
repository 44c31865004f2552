#include "core/engine/lease_book.hpp"

#include <algorithm>
#include <chrono>
#include <set>

namespace connector::engine {

Tick lease_end(UtcTime expires_at, std::optional<UtcTime> date, UtcTime now, Tick sent) {
    const auto left = std::clamp<std::chrono::seconds>(expires_at - date.value_or(now), std::chrono::seconds{0},
                                                       std::chrono::hours{24});
    return sent + left;
}

void LeaseBook::note(const LeaseId& lease, const RequestId& request, Tick end, Tick now) {
    leases_[lease] = Held{request, end, end - now, now};
}

void LeaseBook::compare(const Listed& open, Tick asked) {
    std::set<LeaseId> known;
    for (const auto& [request, lease] : open) {
        if (lease.id.empty()) continue;
        known.insert(lease.id);
        leases_.try_emplace(lease.id, Held{request, asked, {}, asked});
    }
    // What came after the question is not in the answer.
    std::erase_if(leases_,
                  [&](const auto& entry) { return entry.second.noted < asked && !known.contains(entry.first); });
}

std::vector<std::pair<LeaseId, RequestId>> LeaseBook::due(Tick now, std::size_t limit) const {
    constexpr Tick::duration k_shortest_look_ahead = std::chrono::seconds{10};
    std::vector<std::pair<Tick, const std::pair<const LeaseId, Held>*>> soon;
    for (const auto& entry : leases_) {
        const auto& held = entry.second;
        if (held.end - now <= std::max(held.length / 3, k_shortest_look_ahead)) soon.emplace_back(held.end, &entry);
    }
    std::sort(soon.begin(), soon.end(), [](const auto& left, const auto& right) { return left.first < right.first; });
    if (soon.size() > limit) soon.resize(limit);
    std::vector<std::pair<LeaseId, RequestId>> due;
    due.reserve(soon.size());
    for (const auto& [end, entry] : soon) due.emplace_back(entry->first, entry->second.request);
    return due;
}

std::optional<Tick> LeaseBook::last_moment(Tick tried) const {
    constexpr Tick::duration k_in_time = std::chrono::seconds{5};
    // Of an earlier life: it may end at any time.
    constexpr Tick::duration k_end_unknown = std::chrono::seconds{10};
    std::optional<Tick> first;
    for (const auto& [id, held] : leases_) {
        const auto moment = held.length > Tick::duration{} ? held.end - k_in_time : tried + k_end_unknown;
        if (moment > tried && (!first || moment < *first)) first = moment;
    }
    return first;
}

}  // namespace connector::engine
