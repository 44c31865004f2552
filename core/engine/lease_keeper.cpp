#include "core/engine/lease_keeper.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t k_most_renewed = 500;
constexpr auto k_between_listings = 30s;

}  // namespace

asio::awaitable<void> LeaseKeeper::renew() {
    return each_second(&LeaseKeeper::renew_due);
}

asio::awaitable<void> LeaseKeeper::keep_book() {
    return each_second(&LeaseKeeper::compare_book);
}

asio::awaitable<void> LeaseKeeper::each_second(Step step) {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& clock = context_.ports.clock;
    for (;;) {
        auto doing = (this->*step)();
        co_await std::move(doing);
        auto waiting = clock.wait_until(clock.tick() + 1s);
        co_await std::move(waiting);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

bool LeaseKeeper::may_ask() const {
    const auto& status = context_.status;
    return status.service.state != Check::State::unknown && !status.credential_refused && !status.ledger_barred;
}

asio::awaitable<void> LeaseKeeper::compare_book() {
    auto writing = write_lost();
    co_await std::move(writing);
    const auto asked = context_.ports.clock.tick();
    if (!may_ask() || asked < next_listing_) co_return;
    auto listing = context_.ports.ledger.open_leases();
    const auto open = co_await std::move(listing);
    if (!open) {
        context_.ledger_failed(open.error(), "looking for leases to renew");
        co_return;
    }
    leases_.compare(*open, asked);
    next_listing_ = asked + k_between_listings;
}

asio::awaitable<void> LeaseKeeper::renew_due() {
    auto& clock = context_.ports.clock;
    const auto tick = clock.tick();
    if (!may_ask() || tick < next_renewal_) co_return;
    // Quiet that is asked for is kept, but no lease is lost for it: each is asked for once more in time.
    if (tick < quiet_until_) {
        const auto moment = leases_.last_moment(asked_at_);
        if (!moment || tick < *moment) co_return;
    }
    const auto due = leases_.due(tick, k_most_renewed);
    if (due.empty()) co_return;
    // A full call is followed by the next at once; what an answer left out is asked for again a little later.
    next_renewal_ = due.size() == k_most_renewed ? tick : tick + 2s;
    std::map<LeaseId, RequestId> requests(due.begin(), due.end());
    std::vector<LeaseId> ids;
    for (const auto& [lease, request] : due) ids.push_back(lease);
    auto renewing = context_.ports.management.renew_leases(std::move(ids));
    const auto answer = co_await std::move(renewing);
    if (!answer) {
        asked_at_ = clock.tick();
        next_renewal_ = asked_at_ + 2s;
        quiet_until_ = asked_at_ + answer.error().retry_after.value_or(0s);
        co_return;
    }
    quiet_until_ = {};
    context_.clock_watch.compare(answer->date, context_.now());
    for (const auto& renewed : answer->renewed) {
        const auto found = requests.find(renewed.id);
        if (found == requests.end()) continue;
        leases_.note(renewed.id, found->second, lease_end(renewed.expires_at, answer->date, context_.now(), tick),
                     tick);
    }
    for (const auto& lease : answer->lost) {
        const auto found = requests.find(lease);
        if (found == requests.end()) continue;
        leases_.lost(lease);
        context_.status.lease_lost.insert_or_assign(found->second, lease);
    }
}

asio::awaitable<void> LeaseKeeper::write_lost() {
    const auto told = context_.status.lease_lost;
    for (const auto& [request, lease] : told) {
        auto losing = lost(request, lease);
        const bool written = co_await std::move(losing);
        // Another lease of the same request may have been lost meanwhile.
        const auto found = context_.status.lease_lost.find(request);
        if (written && found != context_.status.lease_lost.end() && found->second == lease)
            context_.status.lease_lost.erase(found);
    }
}

// False: it could not be written, and has to be.
asio::awaitable<bool> LeaseKeeper::lost(const RequestId& id, const LeaseId& lease) {
    auto reading = context_.ports.ledger.get(id);
    auto found = co_await std::move(reading);
    if (!found) co_return found.error().kind == ErrorKind::integrity;
    if (!*found) co_return true;
    auto& record = **found;
    if (record.lease.id != lease) co_return true;  // leased anew meanwhile
    ports::Commit commit;
    commit.record =
        request::after(record, request::Outcome(request::LeaseLost{}), context_.rules.retry, context_.now(), 0.0);
    // Its worker may find it lost just before it sends, and then it was never submitted.
    if (commit.record.stage == record.stage) co_return !context_.status.in_flight.contains(id);
    auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
    const auto saved = co_await std::move(saving);
    if (saved) context_.ports.events.raise(about(event::k_lease_lost, record));
    co_return saved.has_value();
}

}  // namespace connector::engine
