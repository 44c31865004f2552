// The clock against the newest time seen here: shown, and accepted as it is by a person.
#include "core/printable.hpp"
#include "daemon/control/arguments.hpp"
#include "daemon/control/operations.hpp"

namespace connector::control {

namespace json = boost::json;

namespace {

std::string_view word(engine::ClockFloor::State state) {
    switch (state) {
        case engine::ClockFloor::State::good: return "good";
        case engine::ClockFloor::State::behind: return "behind";
        case engine::ClockFloor::State::held: return "held";
    }
    return "";
}

}  // namespace

Operations::Answer Operations::clock() {
    auto asking = parts_.ledger.newest_time();
    const auto newest = co_await std::move(asking);
    if (!newest) co_return newest.error();
    const auto now = parts_.clock.utc();
    engine::ClockFloor floor;
    floor.noted(*newest);
    json::object answer;
    answer["now"] = to_rfc3339(now);
    answer["newest"] = to_rfc3339(*newest);
    answer["state"] = view(word(floor.judge(now)));
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::accept_clock(json::object arguments, Caller caller) {
    constexpr std::size_t k_longest_reason = 300;
    const auto reason = printable(text(arguments, "reason").value_or(""), k_longest_reason);
    if (reason.empty()) co_return usage("--reason is needed: whoever reads the audit log has to understand it");
    auto asking = parts_.ledger.newest_time();
    const auto before = co_await std::move(asking);
    if (!before) co_return before.error();
    const auto now = parts_.clock.utc();
    auto accepting = parts_.ledger.accept_time(now);
    const auto done = co_await std::move(accepting);
    if (!done) co_return done.error();
    parts_.events.raise(Event(event::k_clock_accepted)
                            .with("newest", to_rfc3339(*before))
                            .with("accepted", to_rfc3339(now))
                            .with("reason", reason)
                            .with("by", caller.account));
    if (auto* engine = parts_.engine; engine != nullptr) {
        engine->clock_floor.noted(now);
        auto looking = engine->look_at_clock_floor();
        co_await std::move(looking);
        auto stopping = engine->look_at_stops();
        co_await std::move(stopping);
    }
    json::object answer;
    answer["newest"] = to_rfc3339(*before);
    answer["accepted"] = to_rfc3339(now);
    co_return json::value(std::move(answer));
}

}  // namespace connector::control
