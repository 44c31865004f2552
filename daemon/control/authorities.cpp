// authority.list, authority.test, authority.resume: what an operator sees and does of the authorities.
#include "daemon/control/operations.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

namespace connector::control {

namespace json = boost::json;
using request::RequestRecord;
using request::Stage;

namespace {

Error no_daemon() {
    return Error(
        ErrorKind::refused, "notRunning",
        "no daemon runs: whether an authority works is known to a running one alone, and each start asks anew");
}

std::string_view word(const engine::Breaker& breaker) {
    if (breaker.parked()) return "parked";
    switch (breaker.state()) {
        case engine::Breaker::State::up: return "up";
        case engine::Breaker::State::down: return "down";
        case engine::Breaker::State::unknown: return "unknown";
    }
    return "unknown";
}

Error unknown_authority(const std::string& name, const AuthorityTables& configured) {
    std::string known;
    for (const auto& [each, table] : configured) known += (known.empty() ? "" : ", ") + each;
    return Error(ErrorKind::invalid, "usage",
                 "no [authority." + name + "] is configured; there " + (known.empty() ? "is none" : "are: " + known));
}

}  // namespace

Operations::Answer Operations::authorities() {
    if (parts_.engine == nullptr || parts_.authorities == nullptr) co_return no_daemon();
    const Tick tick = parts_.clock.tick();
    const UtcTime now = parts_.clock.utc();
    json::array rows;
    for (const auto& [name, breaker] : parts_.engine->breakers) {
        const auto table = parts_.authorities->find(name);
        json::object row;
        row["name"] = name;
        row["type"] = table == parts_.authorities->end()
                          ? json::value(nullptr)
                          : json::value(json::string(config::to_string(table->second.type)));
        row["state"] = json::string(word(breaker));
        row["since"] = breaker.state() == engine::Breaker::State::unknown ? json::value(nullptr)
                                                                          : json::value(to_rfc3339(breaker.since()));
        row["inFlight"] = breaker.inside();
        row["concurrency"] = breaker.concurrency();
        const auto success = breaker.last_success();
        row["lastSuccessAt"] = success ? json::value(to_rfc3339(*success)) : json::value(nullptr);
        const auto until = breaker.left_alone_until(tick);
        row["parkedUntil"] = until
                                 ? json::value(to_rfc3339(now + std::chrono::ceil<std::chrono::seconds>(*until - tick)))
                                 : json::value(nullptr);
        rows.push_back(std::move(row));
    }
    json::object answer;
    answer["authorities"] = std::move(rows);
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::test_authority(std::string name) {
    if (parts_.authorities == nullptr || !parts_.doctor) co_return no_daemon();
    if (!parts_.authorities->contains(name)) co_return unknown_authority(name, *parts_.authorities);
    auto looking = parts_.doctor(std::move(name));
    co_return co_await std::move(looking);
}

Operations::Answer Operations::resume_authority(std::string name, Caller caller) {
    if (parts_.engine == nullptr || parts_.authorities == nullptr) co_return no_daemon();
    const auto found = parts_.engine->breakers.find(name);
    if (found == parts_.engine->breakers.end()) co_return unknown_authority(name, *parts_.authorities);
    auto& breaker = found->second;
    const std::string was(word(breaker));
    if (breaker.state() != engine::Breaker::State::down)
        co_return Error(ErrorKind::refused, "notParked",
                        "authority " + name + " is not parked (" + was + "): there is nothing to resume");
    breaker.resume(parts_.clock.tick());
    parts_.events.raise(
        Event(event::k_authority_resumed).with("authority", name).with("was", was).with("by", caller.account));
    auto hurrying = hurry(name);
    const auto due = co_await std::move(hurrying);
    parts_.engine->work_arrived.call();
    parts_.engine->state_changed.call();
    json::object answer;
    answer["name"] = name;
    answer["was"] = was;
    answer["dueNow"] = due ? json::value(*due) : json::value(nullptr);
    co_return json::value(std::move(answer));
}

// Those that had tried wait for their next try; the others are due already, and none was given to it. What is there
// already and waits long waits for an approval. More than a few pages are not looked through: the rest comes by itself.
ports::Async<std::size_t> Operations::hurry(std::string authority) {
    constexpr std::size_t k_page = 500;
    constexpr std::size_t k_most_pages = 10;
    std::size_t hurried = 0;
    for (const Stage stage : {Stage::keyed, Stage::submitting, Stage::at_authority, Stage::revoking}) {
        std::string after;
        for (std::size_t pages = 0; pages < k_most_pages; ++pages) {
            ports::PageFilter filter;
            filter.stage = stage;
            filter.after = after;
            filter.limit = k_page;
            auto paging = parts_.ledger.page(std::move(filter));
            auto page = co_await std::move(paging);
            if (!page) co_return page.error();
            const bool last = page->size() < k_page;
            if (!last) after = page->back().request.id.text();
            const UtcTime now = parts_.clock.utc();
            const UtcTime latest = now + parts_.engine->rules.retry.credential_probe;
            for (RequestRecord& record : *page) {
                const auto* profile = record.request.profile();
                if (profile == nullptr || profile->authority != authority || record.in_work) continue;
                if (record.due_at <= now || (stage == Stage::at_authority && record.due_at > latest)) continue;
                request::Outcome outcome(request::Postponed{std::chrono::seconds{0}});
                auto changing = change(std::move(record), std::move(outcome));
                const auto changed = co_await std::move(changing);
                if (changed) ++hurried;
            }
            if (last) break;
        }
    }
    co_return hurried;
}

}  // namespace connector::control
