// The red button and the limits: freeze, thaw, limits show, limits raise.
#include "core/printable.hpp"
#include "daemon/control/arguments.hpp"
#include "daemon/control/operations.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace connector::control {

namespace json = boost::json;

namespace {

constexpr std::size_t k_longest_reason = 300;

Result<std::vector<request::Kind>> kinds_of(const json::object& arguments) {
    std::vector<request::Kind> kinds;
    const auto* given = arguments.if_contains("kinds");
    if (given == nullptr || !given->is_array() || given->get_array().empty()) return request::all_kinds();
    for (const auto& one : given->get_array()) {
        const auto word = one.is_string() ? std::string(one.get_string()) : std::string();
        const auto kind = request::parse_kind(word);
        if (!kind) {
            std::string known;
            for (const auto each : request::all_kinds()) known += " " + std::string(to_string(each));
            return usage("no such kind: " + printable(word, 64) + "; there are" + known);
        }
        if (std::ranges::find(kinds, *kind) == kinds.end()) kinds.push_back(*kind);
    }
    return kinds;
}

std::string words(const std::vector<request::Kind>& kinds) {
    std::string text;
    for (const auto kind : kinds) text += (text.empty() ? "" : ", ") + std::string(to_string(kind));
    return text;
}

json::array kinds_json(const std::vector<request::Kind>& kinds) {
    json::array list;
    for (const auto kind : kinds) list.push_back(json::value(std::string(to_string(kind))));
    return list;
}

// 90m, 48h, 7d.
std::optional<std::chrono::seconds> duration_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc() || number <= 0 || number > 100000 || end + 1 != text.data() + text.size())
        return std::nullopt;
    switch (*end) {
        case 'm': return std::chrono::minutes{number};
        case 'h': return std::chrono::hours{number};
        case 'd': return std::chrono::days{number};
        default: return std::nullopt;
    }
}

}  // namespace

json::value stops_json(const std::vector<request::Stop>& stops) {
    json::array rows;
    for (const auto& stop : stops) {
        json::object row;
        row["kind"] = view(to_string(stop.kind));
        row["cause"] = view(to_string(stop.cause));
        row["limit"] = stop.limit.empty() ? json::value(nullptr) : json::value(stop.limit);
        row["since"] = to_rfc3339(stop.since);
        row["by"] = stop.by.empty() ? json::value(nullptr) : json::value(stop.by);
        row["reason"] = stop.reason;
        rows.push_back(std::move(row));
    }
    return json::value(std::move(rows));
}

// First in memory: nothing new begins while the disk is written. What cannot be written is in force all the same, and
// is written as soon as that can be done.
Operations::Answer Operations::freeze(json::object arguments, Caller caller) {
    const auto kinds = kinds_of(arguments);
    if (!kinds) co_return kinds.error();
    const auto reason = printable(text(arguments, "reason").value_or(""), k_longest_reason);
    std::vector<request::Stop> stops;
    for (const auto kind : *kinds) {
        request::Stop stop;
        stop.kind = kind;
        stop.by = caller.account;
        stop.reason = reason;
        stop.since = parts_.clock.utc();
        stops.push_back(std::move(stop));
    }
    auto* engine = parts_.engine;
    if (engine != nullptr) {
        auto& stopping = engine->stopping;
        stopping.unwritten.insert(stopping.unwritten.end(), stops.begin(), stops.end());
        engine->stops_are(stopping.stops);
    }
    parts_.events.raise(
        Event(event::k_kind_frozen).with("kinds", words(*kinds)).with("reason", reason).with("by", caller.account));
    auto freezing = parts_.ledger.freeze(stops);
    const auto done = co_await std::move(freezing);
    if (!done && engine == nullptr) co_return done.error();
    if (!done)
        co_return Error(done.error().kind, done.error().code,
                        "frozen as long as this process lives, but not written down yet: " + done.error().message +
                            "; it is tried again every second");
    if (engine != nullptr) {
        engine->stopping.are_written(stops);
        auto looking = engine->look_at_stops();
        co_await std::move(looking);
    }
    auto asking = parts_.ledger.stops();
    const auto now = co_await std::move(asking);
    if (!now) co_return now.error();
    json::object answer;
    answer["frozen"] = kinds_json(*kinds);
    answer["stops"] = stops_json(*now);
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::thaw(json::object arguments, Caller caller) {
    const auto kinds = kinds_of(arguments);
    if (!kinds) co_return kinds.error();
    auto thawing = parts_.ledger.thaw(*kinds, parts_.clock.utc());
    auto ended = co_await std::move(thawing);
    if (!ended) co_return ended.error();
    if (auto* engine = parts_.engine; engine != nullptr) {
        std::erase_if(engine->stopping.unwritten, [&kinds](const request::Stop& stop) {
            return std::ranges::find(*kinds, stop.kind) != kinds->end();
        });
        auto looking = engine->look_at_stops();
        co_await std::move(looking);
    }
    std::set<std::string> limits;
    std::vector<request::Kind> thawed;
    for (const auto& stop : *ended) {
        if (!stop.limit.empty()) limits.insert(stop.limit);
        if (std::ranges::find(thawed, stop.kind) == thawed.end()) thawed.push_back(stop.kind);
    }
    if (!ended->empty()) {
        Event event(event::k_kind_thawed);
        event.with("kinds", words(thawed));
        for (const auto& limit : limits) event.with("limit", limit);
        parts_.events.raise(event.with("by", caller.account));
    }
    auto asking = parts_.ledger.stops();
    const auto left = co_await std::move(asking);
    if (!left) co_return left.error();
    json::object answer;
    answer["thawed"] = kinds_json(thawed);
    answer["stops"] = stops_json(*left);
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::raise(json::object arguments, Caller caller) {
    constexpr auto k_longest = std::chrono::days{31};
    constexpr std::uint32_t k_most = 1000000;
    request::Raise raise;
    raise.limit = text(arguments, "limit").value_or("");
    if (!request::is_limit(raise.limit)) {
        std::string known;
        for (const auto name : request::limit_names()) known += " " + std::string(name);
        co_return usage("no such limit: " + printable(raise.limit, 64) + "; there are" + known);
    }
    const auto* number = arguments.if_contains("to");
    const auto to = number != nullptr && number->is_number() ? number->to_number<std::int64_t>() : 0;
    const auto configured = request::limit_of(limits_in_force(), raise.limit);
    if (configured == 0) co_return usage(raise.limit + " is 0, no limit: there is nothing to raise");
    if (to <= configured || to > k_most)
        co_return usage(raise.limit + ": must be more than the configured " + std::to_string(configured) +
                        " and at most " + std::to_string(k_most));
    const auto lasts = duration_of(text(arguments, "for").value_or(""));
    if (!lasts || *lasts > k_longest) co_return usage("--for: 90m, 48h or 7d; at most 31d");
    raise.reason = printable(text(arguments, "reason").value_or(""), k_longest_reason);
    if (raise.reason.empty()) co_return usage("--reason is needed: whoever reads the audit log has to understand it");
    raise.to = static_cast<std::uint32_t>(to);
    raise.by = caller.account;
    raise.given = parts_.clock.utc();
    raise.until = raise.given + *lasts;
    const auto said = raise;
    auto raising = parts_.ledger.raise(std::move(raise));
    const auto done = co_await std::move(raising);
    if (!done) co_return done.error();
    parts_.events.raise(Event(event::k_limit_raised)
                            .with("limit", said.limit)
                            .with("from", std::to_string(configured))
                            .with("to", std::to_string(said.to))
                            .with("until", to_rfc3339(said.until))
                            .with("reason", said.reason)
                            .with("by", caller.account));
    auto releasing = release_over(said.limit);
    const auto released = co_await std::move(releasing);
    if (!released) co_return released.error();
    json::object answer;
    answer["limit"] = said.limit;
    answer["to"] = said.to;
    answer["until"] = to_rfc3339(said.until);
    answer["released"] = *released;
    auto asking = parts_.ledger.stops();
    const auto stops = co_await std::move(asking);
    if (stops) answer["stops"] = stops_json(*stops);
    co_return json::value(std::move(answer));
}

// What this limit holds is tried once more against its new number; what is beyond that is held again.
ports::Async<std::uint64_t> Operations::release_over(std::string limit) {
    constexpr std::size_t k_page = 500;
    std::uint64_t released = 0;
    // An orphan is not held: it stands in its own stage, and waits for its next try.
    const bool orphans = limit.starts_with("revoke_");
    ports::PageFilter filter;
    filter.stage = orphans ? request::Stage::revoking : request::Stage::held;
    filter.limit = k_page;
    for (;;) {
        auto paging = parts_.ledger.page(filter);
        const auto page = co_await std::move(paging);
        if (!page) co_return page.error();
        for (const auto& record : *page) {
            if (!orphans &&
                (record.held_reason != request::HeldReason::limit || !record.held_detail.starts_with(limit + ":")))
                continue;
            request::Outcome outcome(request::Released{false});
            if (orphans) outcome = request::Postponed{std::chrono::seconds{0}};
            auto changing = change(record, std::move(outcome));
            const auto changed = co_await std::move(changing);
            if (changed) ++released;
        }
        if (page->size() < k_page) co_return released;
        filter.after = page->back().request.id.text();
    }
}

Operations::Answer Operations::limits() {
    const auto now = parts_.clock.utc();
    auto metering = parts_.ledger.meters(now);
    const auto meters = co_await std::move(metering);
    if (!meters) co_return meters.error();
    auto raising = parts_.ledger.raises();
    const auto raises = co_await std::move(raising);
    if (!raises) co_return raises.error();
    auto asking = parts_.ledger.stops();
    const auto stops = co_await std::move(asking);
    if (!stops) co_return stops.error();
    json::array rows;
    for (const auto name : request::limit_names()) {
        const auto used = std::ranges::find(*meters, name, &request::MeterUse::meter);
        const auto raised = std::ranges::find_if(
            *raises, [&](const auto& raise) { return raise.limit == name && raise.holds_at(now); });
        const auto configured = request::limit_of(limits_in_force(), name);
        const bool tripped = std::ranges::any_of(*stops, [&](const auto& stop) { return stop.limit == name; });
        json::object row;
        row["limit"] = name;
        row["used"] = used == meters->end() ? 0 : used->used;
        row["max"] = raised == raises->end() ? configured : raised->to;
        row["above"] = used == meters->end() ? 0 : used->above;
        row["configured"] = configured;
        row["raisedUntil"] = raised == raises->end() ? json::value(nullptr) : json::value(to_rfc3339(raised->until));
        row["tripped"] = tripped;
        rows.push_back(std::move(row));
    }
    json::object answer;
    answer["limits"] = std::move(rows);
    answer["stops"] = stops_json(*stops);
    co_return json::value(std::move(answer));
}

}  // namespace connector::control
