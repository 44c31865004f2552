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

namespace {

constexpr std::size_t k_most_named = 20;

Named named(const request::RequestRecord& record) {
    const bool held = record.stage == request::Stage::held && record.held_reason;
    Named one;
    one.request = record.request.id.text();
    one.kind = std::string(to_string(record.request.kind()));
    one.user = record.request.user.user_principal_name;
    one.device = record.request.device.id.text();
    one.why = held             ? std::string(to_string(*record.held_reason))
              : record.failure ? record.failure->code
                               : std::string(to_string(record.stage));
    one.since = held ? record.waiting_since.value_or(record.updated_at) : record.updated_at;
    return one;
}

std::vector<Named> newest(const std::vector<request::RequestRecord>& records) {
    std::vector<Named> all;
    for (const auto& record : records) all.push_back(named(record));
    std::stable_sort(all.begin(), all.end(), [](const Named& a, const Named& b) { return a.since > b.since; });
    if (all.size() > k_most_named) all.resize(k_most_named);
    return all;
}

}  // namespace

ports::Async<Names> names_of(storage::AsyncLedger& ledger, UtcTime now) {
    constexpr std::size_t k_read = 1000;  // of each stage; a longer queue is told by its length
    Names names;
    for (const auto stage : {request::Stage::held, request::Stage::abandoned}) {
        ports::PageFilter filter;
        filter.stage = stage;
        filter.limit = k_read;
        auto paging = ledger.page(std::move(filter));
        const auto page = co_await std::move(paging);
        if (!page) {
            names.unknown = page.error().message;
            co_return names;
        }
        (stage == request::Stage::held ? names.held : names.abandoned) = newest(*page);
    }
    auto asking = ledger.failed_since(now - 24h, k_most_named);
    const auto failed = co_await std::move(asking);
    if (failed)
        names.failed = newest(*failed);
    else
        names.unknown = failed.error().message;
    co_return names;
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
