#include "core/engine/dispatcher.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> Dispatcher::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& status = context_.status;
    auto& clock = context_.ports.clock;
    while (!status.draining) {
        auto filling = fill();
        const bool more = co_await std::move(filling);
        // A worker that ends calls; so does the poller. The second is for what becomes due by time alone.
        auto waiting = context_.work_arrived.wait(clock, clock.tick() + (more ? 0s : 1s));
        co_await std::move(waiting);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

// Of the places, what one authority may have: something is left for each of the others and for what needs none.
std::size_t Dispatcher::share() const noexcept {
    return std::max<std::size_t>(1, context_.rules.in_flight / (context_.breakers.size() + 1));
}

ports::TakeOrder Dispatcher::order() const {
    const auto& in_flight = context_.status.in_flight;
    const auto most = context_.rules.in_flight;
    ports::TakeOrder order;
    order.limit = most - std::min(most, in_flight.size());
    order.busy.assign(in_flight.begin(), in_flight.end());
    order.alone = alone_waits_;
    if (alone_waits_) order.limit = in_flight.empty() ? 1 : 0;
    const auto tick = context_.ports.clock.tick();
    for (const auto& [name, breaker] : context_.breakers) {
        const auto found = at_work_.find(name);
        const auto used = found == at_work_.end() ? 0 : found->second;
        if (const auto allowed = breaker.room(tick)) {
            order.room.emplace(name, used == 0 ? *allowed : 0);
        } else {
            const auto room = std::max(share(), breaker.concurrency());
            order.room.emplace(name, room - std::min(room, used));
        }
    }
    return order;
}

asio::awaitable<bool> Dispatcher::fill() {
    auto& status = context_.status;
    // A freeze that is not written yet: the ledger would give what no worker may do.
    const bool unwritten = !context_.stopping.unwritten.empty();
    if (alone_ || unwritten || status.ledger.state == Check::State::down) co_return false;
    // A taking is a commit: a few places are left to gather, so that it serves several at once.
    const auto gathered = std::max<std::size_t>(1, share() / 2);
    if (!alone_waits_ && status.in_flight.size() + gathered > context_.rules.in_flight) co_return false;
    auto wanted = order();
    const bool alone = wanted.alone && wanted.limit != 0;
    auto taking = context_.ports.ledger.take(std::move(wanted), context_.now());
    auto taken = co_await std::move(taking);
    if (!taken) {
        context_.ledger_failed(taken.error(), "taking due requests");
        co_return false;
    }
    const bool waited = std::exchange(alone_waits_, taken->alone_waits && !alone);
    alone_ = alone && !taken->records.empty();
    for (auto& record : taken->records) {
        status.in_flight.insert(record.request.id);
        auto job = work(std::move(record));
        workers_.spawn(std::move(job));
    }
    co_return (taken->passed_over && !taken->records.empty()) || (alone_waits_ && !waited && status.in_flight.empty());
}

asio::awaitable<void> Dispatcher::work(request::RequestRecord record) {
    const RequestId id = record.request.id;
    const auto* profile = record.request.profile();
    const std::string authority = profile == nullptr ? std::string() : profile->authority;
    ++at_work_[authority];
    Worker worker(context_, cache_, std::move(record));
    if (!context_.status.draining) {
        auto running = worker.run();
        co_await std::move(running);
    }
    if (worker.record().in_work) {
        auto putting = context_.ports.ledger.put_back(id);
        const auto put = co_await std::move(putting);
        if (!put) context_.ledger_failed(put.error(), "putting a request back");
    }
    if (--at_work_[authority] == 0) at_work_.erase(authority);
    context_.status.in_flight.erase(id);
    if (context_.status.in_flight.empty()) alone_ = false;
    context_.work_arrived.call();
}

}  // namespace connector::engine
