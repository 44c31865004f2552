#include "core/engine/clock_floor.hpp"

#include "core/engine/context.hpp"

#include <algorithm>
#include <string>

namespace connector::engine {

ClockFloor::State ClockFloor::judge(UtcTime now) const noexcept {
    const auto behind = newest_ - now;
    if (behind <= k_clock_tolerance) return State::good;
    return behind <= k_clock_bound ? State::behind : State::held;
}

UtcTime ClockFloor::at_least(UtcTime now) const noexcept {
    return std::max(now, newest_ - k_clock_tolerance);
}

boost::asio::awaitable<void> Context::look_at_clock_floor(bool lifting) {
    using State = ClockFloor::State;
    if (status.ledger_barred && !lifting) co_return;
    if (!clock_floor.known()) {
        auto asking = ask(ports.ledger.newest_time());
        const auto newest = co_await std::move(asking);
        if (!newest) {
            ledger_failed(newest.error(), "looking for the newest time that was seen");
            co_return;
        }
        clock_floor.noted(*newest);
    }
    const auto time = now();
    const auto state = clock_floor.judge(time);
    if (state != clock_floor.told) {
        const auto behind = std::to_string((clock_floor.newest() - time).count());
        const auto newest = to_rfc3339(clock_floor.newest());
        if (state == State::good)
            ports.events.raise(Event(event::k_clock_right).with("newest", newest));
        else
            ports.events.raise(Event(state == State::held ? event::k_clock_held : event::k_clock_behind)
                                   .with("seconds", behind)
                                   .with("newest", newest));
        clock_floor.told = state;
        state_changed.call();
    }
    if (status.ledger.state == Check::State::down && !lifting) co_return;
    if (state == State::held && !stopping.by_clock()) {
        auto stopping_it = ask(ports.ledger.stop_for_clock(
            "the clock is behind " + to_rfc3339(clock_floor.newest()) + ", the newest time seen here", time));
        const auto done = co_await std::move(stopping_it);
        if (!done) ledger_failed(done.error(), "stopping what hangs on the clock");
        auto looking = look_at_stops();
        co_await std::move(looking);
    } else if (state == State::good && (stopping.by_clock() || (clock_floor.to_note(time) &&
                                                                !clock_watch.doubtful(time, ports.clock.tick())))) {
        auto noting = ask(ports.ledger.note_time(time));
        const auto done = co_await std::move(noting);
        if (!done) {
            ledger_failed(done.error(), "noting the newest time");
            co_return;
        }
        clock_floor.noted(std::max(time, clock_floor.newest()));
        auto looking = look_at_stops();
        co_await std::move(looking);
    }
}

}  // namespace connector::engine
