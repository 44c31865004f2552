#include "core/engine/engine.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

Engine::Engine(const asio::any_io_executor& executor, Ports ports, Rules rules)
    : context_(executor, std::move(ports), std::move(rules)),
      pollers_(executor),
      rooms_(executor),
      farewell_(executor),
      poller_(context_, leases_),
      dispatcher_(context_, cache_, executor),
      reporter_(context_),
      housekeeper_(context_),
      lease_keeper_(context_, leases_),
      drain_asked_(executor) {
    context_.status.started_at = context_.now();
}

void Engine::drain(std::chrono::seconds most) {
    if (context_.status.draining) return;
    drain_most_ = most;
    context_.status.draining = true;
    context_.ports.events.raise(Event(event::k_draining));
    drain_asked_.call();
}

ports::Async<void> Engine::recover_once() {
    auto recovering = context_.ports.ledger.recover(context_.now());
    const auto recovered = co_await std::move(recovering);
    if (!recovered) co_return recovered.error();
    for (const auto& record : *recovered) {
        if (record.stage == request::Stage::abandoned)
            context_.ports.events.raise(about(event::k_request_quarantined, record));
        if (record.stage == request::Stage::submitting)
            context_.ports.events.raise(about(event::k_submission_unknown, record)
                                            .with("reason", "the connector ended while it was being sent"));
    }
    co_return Result<void>();
}

asio::awaitable<void> Engine::recover() {
    auto& clock = context_.ports.clock;
    while (!context_.status.draining && !context_.status.ledger_barred) {
        auto recovering = recover_once();
        const auto recovered = co_await std::move(recovering);
        if (recovered) break;
        context_.ledger_failed(recovered.error(), "recovering");
        if (context_.status.ledger_barred) break;
        co_await clock.wait_until(clock.tick() + 5s);
    }
}

ports::Async<void> Engine::lift_bar() {
    auto recovering = recover_once();
    const auto recovered = co_await std::move(recovering);
    if (!recovered) co_return recovered.error();
    // Before anything is leased or worked, as at a start.
    auto looking = context_.look_at_clock_floor(true);
    co_await std::move(looking);
    context_.status.ledger_barred = false;
    context_.ledger_works();
    context_.work_arrived.call();
    context_.report_waiting.call();
    co_return Result<void>();
}

asio::awaitable<void> Engine::run() {
    auto& clock = context_.ports.clock;
    if (!context_.status.ledger_barred) {
        auto recovering = recover();
        co_await std::move(recovering);
    }
    // Before anything is leased or worked.
    auto looking = context_.look_at_stops();
    co_await std::move(looking);
    auto timing = context_.look_at_clock_floor();
    co_await std::move(timing);
    auto first_beat = housekeeper_.beat();
    co_await std::move(first_beat);
    pollers_.spawn(poller_.run());
    rooms_.spawn(dispatcher_.run());
    rooms_.spawn(reporter_.run());
    rooms_.spawn(housekeeper_.run());
    rooms_.spawn(housekeeper_.pulse());
    rooms_.spawn(lease_keeper_.renew());
    rooms_.spawn(lease_keeper_.keep_book());
    while (!context_.status.draining) {
        auto waiting = drain_asked_.wait(clock, clock.tick() + 1h);
        co_await std::move(waiting);
    }
    const Tick latest = clock.tick() + drain_most_;
    farewell_.spawn(expect_end());
    farewell_.spawn(beat_last());
    pollers_.cancel();
    auto polled = pollers_.join();
    co_await std::move(polled);
    context_.work_arrived.call();
    while (dispatcher_.busy() != 0 && clock.tick() < latest) co_await clock.wait_until(clock.tick() + 50ms);
    if (dispatcher_.busy() != 0) {
        context_.ports.events.raise(
            Event(event::k_drain_incomplete).with("requests", std::to_string(dispatcher_.busy())));
        dispatcher_.cancel();
    }
    auto worked = dispatcher_.join();
    co_await std::move(worked);
    rooms_.cancel();
    auto ended = rooms_.join();
    co_await std::move(ended);
    // A taking that was under way has brought its requests meanwhile.
    auto put_back = dispatcher_.join();
    co_await std::move(put_back);
    farewell_.spawn(tell_last());
    auto leaving = join_farewell(latest);
    co_await std::move(leaving);
}

// Durable before anything that may hang; where the disk hangs it is not, and this end counts as any other.
asio::awaitable<void> Engine::expect_end() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto expecting = context_.ports.ledger.expect_end();
    const auto expected = co_await std::move(expecting);
    if (!expected) context_.ledger_failed(expected.error(), "noting that the end was asked for");
}

asio::awaitable<void> Engine::beat_last() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto beating = housekeeper_.beat();
    co_await std::move(beating);
}

asio::awaitable<void> Engine::tell_last() {
    co_await asio::this_coro::throw_if_cancelled(false);
    if (context_.status.ledger_barred || context_.status.service.state != Check::State::up) co_return;
    auto last = reporter_.flush();
    co_await std::move(last);
}

asio::awaitable<void> Engine::join_farewell(Tick latest) {
    auto& clock = context_.ports.clock;
    while (farewell_.size() != 0 && clock.tick() < latest) co_await clock.wait_until(clock.tick() + 50ms);
    farewell_.cancel();
    auto said = farewell_.join();
    co_await std::move(said);
}

}  // namespace connector::engine
