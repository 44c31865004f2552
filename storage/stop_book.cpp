#include "storage/stop_book.hpp"

#include "storage/row_reader.hpp"

#include <algorithm>
#include <utility>

namespace connector::storage {

namespace {

// Longer than every limit's window.
constexpr std::chrono::hours k_past_use{48};

}  // namespace

Result<void> StopBook::load() {
    std::vector<request::Stop> stops;
    const auto stop_rows = rows_->list(tables::k_stop, "ORDER BY kind, cause, limit_name", {});
    if (!stop_rows) return stop_rows.error();
    for (const auto& row : *stop_rows) {
        auto stop = stop_from(row);
        if (!stop) return stop.error();
        stops.push_back(std::move(*stop));
    }
    std::map<std::string, request::Raise, std::less<>> raises;
    const auto raise_rows = rows_->list(tables::k_raise, "", {});
    if (!raise_rows) return raise_rows.error();
    for (const auto& row : *raise_rows) {
        auto raise = raise_from(row);
        if (!raise) return raise.error();
        auto limit = raise->limit;
        raises.emplace(std::move(limit), std::move(*raise));
    }
    std::map<std::string, UtcTime, std::less<>> thaws;
    const auto thaw_rows = rows_->list(tables::k_thaw, "", {});
    if (!thaw_rows) return thaw_rows.error();
    for (const auto& row : *thaw_rows) {
        detail::Reader reader(row);
        auto limit = reader.text();
        const auto at = reader.time();
        if (!reader.good()) return detail::unreadable("thawed_limit");
        thaws.emplace(std::move(limit), at);
    }
    memory_.stops = std::move(stops);
    memory_.raises.clear();
    memory_.thaws.clear();
    if (rows_->whole(tables::k_raise)) memory_.raises = std::move(raises);
    if (rows_->whole(tables::k_thaw)) memory_.thaws = std::move(thaws);
    return {};
}

std::vector<request::Stop> StopBook::stops() const {
    if (memory_.complete) return memory_.stops;
    auto all = memory_.stops;
    for (const auto kind : request::all_kinds()) {
        request::Stop stop;
        stop.kind = kind;
        stop.reason = "stops are missing from the database: someone has edited it";
        all.push_back(std::move(stop));
    }
    return all;
}

bool StopBook::is_stopped(request::Kind kind) const noexcept {
    return !memory_.complete ||
           std::ranges::any_of(memory_.stops, [kind](const auto& stop) { return stop.kind == kind; });
}

Result<void> StopBook::freeze(const std::vector<request::Stop>& stops) {
    for (const auto& stop : stops) {
        const auto same = [&stop](const request::Stop& known) {
            return known.kind == stop.kind && known.cause == stop.cause && known.limit == stop.limit;
        };
        if (std::ranges::any_of(memory_.stops, same)) continue;
        if (auto done = rows_->put(tables::k_stop, to_row(stop)); !done) return done;
        memory_.stops.push_back(stop);
    }
    return {};
}

Result<void> StopBook::put_thaw(const std::string& limit, UtcTime at) {
    if (auto done = rows_->put(tables::k_thaw, {limit, seconds_of(at)}); !done) return done;
    memory_.thaws[limit] = at;
    return {};
}

Result<std::vector<request::Stop>> StopBook::thaw(const std::vector<request::Kind>& kinds, UtcTime now) {
    auto ended = stops();
    const auto stays = [&kinds](const request::Stop& stop) {
        return stop.cause == request::StopCause::clock || std::ranges::find(kinds, stop.kind) == kinds.end();
    };
    std::erase_if(ended, stays);
    for (const auto& stop : ended) {
        const auto row = to_row(stop);
        if (auto done = rows_->remove(tables::k_stop, {row[0], row[1], row[2]}); !done) return done.error();
        if (stop.cause != request::StopCause::tripped) continue;
        if (auto done = put_thaw(stop.limit, now); !done) return done.error();
    }
    std::erase_if(memory_.stops, [&](const request::Stop& stop) { return !stays(stop); });
    // A person has decided what is stopped from now on.
    if (kinds.size() == request::all_kinds().size() && !memory_.complete) {
        if (auto taken = rows_->take_as_found(tables::k_stop); !taken) return taken.error();
        memory_.complete = true;
    }
    return ended;
}

bool StopBook::stopped_for_clock() const noexcept {
    return std::ranges::any_of(memory_.stops, [](const auto& stop) { return stop.cause == request::StopCause::clock; });
}

Result<void> StopBook::end_clock_stops() {
    for (const auto& stop : memory_.stops) {
        if (stop.cause != request::StopCause::clock) continue;
        const auto row = to_row(stop);
        if (auto done = rows_->remove(tables::k_stop, {row[0], row[1], row[2]}); !done) return done.error();
    }
    std::erase_if(memory_.stops, [](const auto& stop) { return stop.cause == request::StopCause::clock; });
    return {};
}

Result<void> StopBook::raise(const request::Raise& raise) {
    if (auto done = rows_->put(tables::k_raise, to_row(raise)); !done) return done;
    memory_.raises[raise.limit] = raise;
    return {};
}

request::Charge StopBook::as_raised(request::Charge charge, UtcTime now) const {
    const auto found = memory_.raises.find(charge.meter);
    if (charge.limit != 0 && found != memory_.raises.end() && found->second.holds_at(now))
        charge.limit = std::max(charge.limit, found->second.to);
    return charge;
}

UtcTime StopBook::counts_since(const std::string& limit, UtcTime now) const {
    UtcTime since{};
    if (const auto thawed = memory_.thaws.find(limit); thawed != memory_.thaws.end()) since = thawed->second;
    if (const auto raised = memory_.raises.find(limit); raised != memory_.raises.end() && raised->second.until <= now)
        since = std::max(since, raised->second.until);
    return since;
}

Result<void> StopBook::purge(UtcTime now) {
    std::vector<std::string> raised;
    for (const auto& [limit, raise] : memory_.raises)
        if (raise.until < now - k_past_use) raised.push_back(limit);
    std::vector<std::string> thawed;
    for (const auto& [limit, at] : memory_.thaws)
        if (at < now - k_past_use) thawed.push_back(limit);
    for (const auto& limit : raised) {
        if (auto done = rows_->remove(tables::k_raise, {limit}); !done) return done;
        memory_.raises.erase(limit);
    }
    for (const auto& limit : thawed) {
        if (auto done = rows_->remove(tables::k_thaw, {limit}); !done) return done;
        memory_.thaws.erase(limit);
    }
    return rows_->remove_where(tables::k_vote, "WHERE expires<?", {seconds_of(now)});
}

}  // namespace connector::storage
