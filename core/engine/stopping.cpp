#include "core/engine/stopping.hpp"

#include "core/engine/context.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace connector::engine {

bool Stopping::tripped() const noexcept {
    return std::ranges::any_of(stops, [](const auto& stop) { return stop.cause == request::StopCause::tripped; });
}

bool Stopping::by_clock() const noexcept {
    return std::ranges::any_of(stops, [](const auto& stop) { return stop.cause == request::StopCause::clock; });
}

std::vector<request::Kind> Stopping::going(const std::vector<request::Kind>& kinds) const {
    std::vector<request::Kind> rest;
    std::ranges::copy_if(kinds, std::back_inserter(rest), [this](request::Kind kind) { return !stopped(kind); });
    return rest;
}

std::vector<request::Kind> Stopping::stopped_kinds() const {
    std::vector<request::Kind> kinds;
    std::ranges::copy_if(request::all_kinds(), std::back_inserter(kinds),
                         [this](request::Kind kind) { return stopped(kind); });
    return kinds;
}

void Stopping::are_written(const std::vector<request::Stop>& taken) {
    std::erase_if(unwritten, [&taken](const auto& stop) { return std::ranges::find(taken, stop) != taken.end(); });
}

void Context::stops_are(std::vector<request::Stop> stops) {
    const auto has = [](const std::vector<request::Stop>& list, const request::Stop& stop) {
        return std::ranges::find(list, stop) != list.end();
    };
    for (const auto& stop : stopping.unwritten)
        if (!has(stops, stop)) stops.push_back(stop);
    // Said again after a start: the process may have ended between the commit that tripped and the telling.
    std::map<std::string, std::pair<std::string, std::string>> tripped;
    for (const auto& stop : stops) {
        if (stop.cause != request::StopCause::tripped || has(stopping.stops, stop)) continue;
        auto& [kinds, figures] = tripped[stop.limit];
        kinds += (kinds.empty() ? "" : ", ") + std::string(to_string(stop.kind));
        figures = stop.reason;
    }
    const bool changed = stops != stopping.stops;
    stopping.stops = std::move(stops);
    for (const auto kind : request::all_kinds())
        stopping.flags->set(
            kind, std::ranges::any_of(stopping.stops, [kind](const auto& stop) { return stop.kind == kind; }));
    for (const auto& [limit, what] : tripped)
        ports.events.raise(Event(event::k_limit_tripped)
                               .with("limit", limit)
                               .with("kinds", what.first)
                               .with("reason", limit + ": " + what.second));
    if (!changed) return;
    state_changed.call();
    work_arrived.call();
    report_waiting.call();
}

boost::asio::awaitable<void> Context::look_at_stops() {
    if (!stopping.unwritten.empty()) {
        const auto taken = stopping.unwritten;
        auto writing = ask(ports.ledger.freeze(taken));
        const auto written = co_await std::move(writing);
        if (written) stopping.are_written(taken);
    }
    auto asking = ask(ports.ledger.stops());
    auto stops = co_await std::move(asking);
    // What cannot be read stays as it was.
    if (stops) stops_are(std::move(*stops));
}

}  // namespace connector::engine
