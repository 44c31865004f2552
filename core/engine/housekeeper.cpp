#include "core/engine/housekeeper.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t k_page = 500;

}  // namespace

asio::awaitable<void> Housekeeper::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& clock = context_.ports.clock;
    for (;;) {
        auto looking = look_around();
        co_await std::move(looking);
        auto waiting = clock.wait_until(clock.tick() + 1s);
        co_await std::move(waiting);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

asio::awaitable<void> Housekeeper::look_around() {
    auto watching = watch_clock();
    co_await std::move(watching);
    auto flooring = context_.look_at_clock_floor();
    co_await std::move(flooring);
    auto counting = count();
    co_await std::move(counting);
    const auto tick = context_.ports.clock.tick();
    if (context_.status.ledger.state == Check::State::down && !context_.status.ledger_barred && tick >= next_probe_) {
        next_probe_ = tick + 5s;
        auto probing = probe();
        co_await std::move(probing);
    }
    if (tick >= next_window_look_) {
        next_window_look_ = tick + 10s;
        auto looking = look_at_window();
        co_await std::move(looking);
    }
    if (!context_.status.ledger_barred) {
        auto ending = end_old_holds();
        co_await std::move(ending);
        auto dropping = drop_uncollected();
        co_await std::move(dropping);
    }
    // Of one moment: the clock may have jumped while the ledger was asked.
    const auto now = context_.now();
    const bool confirmed = context_.clock_watch.confirmed(now, context_.ports.clock.tick());
    if (confirmed && !context_.status.ledger_barred && tick >= next_purge_) {
        next_purge_ = tick + 1h;
        auto purging = purge(now);
        co_await std::move(purging);
    }
    // Hourly, and soon after something was delivered.
    const bool delivered = context_.status.counts.delivered != delivered_at_look_;
    if (ages_count(context_.now()) &&
        (tick >= next_expiry_look_ || (delivered && tick >= next_expiry_look_ - 1h + 5s))) {
        next_expiry_look_ = tick + 1h;
        delivered_at_look_ = context_.status.counts.delivered;
        auto looking = look_at_expiring_imports();
        co_await std::move(looking);
    }
}

asio::awaitable<void> Housekeeper::pulse() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& clock = context_.ports.clock;
    for (;;) {
        watch_ledger();
        watch_leasing();
        auto waiting = context_.state_changed.wait(clock, clock.tick() + 1s);
        const bool called = co_await std::move(waiting);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        const bool changed = context_.state() != told_state_;
        tell_state();
        // The service hears of a change at once, or after the quiet that it has asked for.
        const auto tick = clock.tick();
        if (tick >= next_beat_ || ((called || changed) && tick >= no_beat_before_)) {
            auto beating = beat();
            co_await std::move(beating);
        }
    }
}

// A disk that hangs fails nothing; it is down until a write has succeeded.
void Housekeeper::watch_ledger() {
    constexpr auto k_hangs = 15s;
    const auto& asked_at = context_.asked_at;
    if (asked_at.empty() || context_.ports.clock.tick() - *asked_at.begin() < k_hangs) return;
    context_.ledger_failed({ErrorKind::unavailable, "storageHangs", "the database has not answered for 15 seconds"},
                           "counting");
}

void Housekeeper::watch_leasing() {
    const auto& status = context_.status;
    const bool wanted = context_.leasing_allowed() && !status.leasing_paused;
    if (!context_.lease_watch.look(wanted, context_.ports.clock.tick(), context_.rules.poll_wait)) return;
    Event event(event::k_leasing_stalled);
    if (status.last_lease_at) event.with("last", to_rfc3339(*status.last_lease_at));
    if (status.lease_calls.state == Check::State::down) event.with("code", status.lease_calls.detail);
    context_.ports.events.raise(event);
}

asio::awaitable<void> Housekeeper::watch_clock() {
    auto& clock = context_.ports.clock;
    auto& watch = context_.clock_watch;
    const auto jump = watch.look(context_.now(), clock.tick());
    if (watch.skew_to_tell())
        context_.ports.events.raise(Event(event::k_clock_skew).with("seconds", std::to_string(watch.skew()->count())));
    if (jump) {
        context_.ports.events.raise(Event(event::k_clock_moved).with("seconds", std::to_string(jump->count())));
        jumped_ += *jump;
    }
    // Two jumps between two looks, or a disk that was away meanwhile: what waits for the wrong time then waits an hour.
    if (clock.tick() >= next_pull_) {
        next_pull_ = clock.tick() + 1h;
        pull_to_ = request::k_longest_wait;
    }
    if ((!pull_to_ && jumped_ == 0s) || context_.status.ledger.state == Check::State::down) co_return;
    if (jumped_ != 0s) {
        const auto jumped = std::exchange(jumped_, 0s);
        auto moving = context_.ask(context_.ports.ledger.move_waits(context_.now(), jumped));
        const auto moved = co_await std::move(moving);
        if (!moved) {
            context_.ledger_failed(moved.error(), "moving what waits along with the clock");
            pull_to_ = context_.rules.retry.backoff.longest;
            co_return;
        }
    }
    if (pull_to_) {
        auto pulling = context_.ask(context_.ports.ledger.pull_back(context_.now(), *pull_to_));
        const auto pulled = co_await std::move(pulling);
        if (!pulled) {
            context_.ledger_failed(pulled.error(), "looking for what waits too long");
            co_return;
        }
        pull_to_.reset();
    }
    context_.work_arrived.call();
    context_.report_waiting.call();
}

asio::awaitable<void> Housekeeper::beat() {
    const auto& status = context_.status;
    tell_state();
    next_beat_ = context_.ports.clock.tick() + 60s;
    ports::Heartbeat beat;
    beat.version = context_.rules.version;
    beat.started_at = status.started_at;
    // What keeps us from leasing is not the service's own state; it learns ours as if it were reached.
    beat.state = context_.state();
    beat.in_flight = status.in_flight.size();
    for (const auto& [stage, number] : status.counts.by_stage)
        if (stage != request::Stage::held) beat.pending += number;
    for (const auto& [reason, number] : status.counts.held) beat.held += number;
    for (const auto kind : context_.stopping.stopped_kinds()) beat.frozen.emplace_back(to_string(kind));
    beat.delivered = status.counts.delivered;
    beat.failed = status.counts.failed;
    if (status.counts.oldest_pending)
        beat.oldest_pending_seconds = static_cast<std::uint64_t>(
            std::max<std::int64_t>(0, (context_.now() - *status.counts.oldest_pending).count()));
    for (const auto& [name, breaker] : context_.breakers) {
        std::string word = "unknown";
        if (breaker.state() == Breaker::State::up) word = "up";
        if (breaker.state() == Breaker::State::down) word = "down";
        beat.authorities.push_back({name, std::move(word)});
    }
    beat.certificate_expires_at = status.certificate_expires_at;
    auto sending = context_.ports.management.heartbeat(std::move(beat));
    const auto heard = co_await std::move(sending);
    if (heard) {
        context_.ports.events.raise(Event(event::k_heartbeat_sent));
        context_.status.credential_refused = false;
        context_.answered(context_.status.service);
        co_return;
    }
    const Error& error = heard.error();
    if (error.kind == ErrorKind::cancelled) co_return;
    if (error.kind == ErrorKind::throttled) {
        // It is there and speaks to us. The next one tells what has changed meanwhile.
        next_beat_ = no_beat_before_ = context_.ports.clock.tick() + std::max(5s, error.retry_after.value_or(60s));
        if (status.service.state == Check::State::unknown) context_.set(context_.status.service, Check::State::up, "");
        co_return;
    }
    const bool refused = error.kind == ErrorKind::unauthorized;
    if (refused) context_.status.credential_refused = true;
    auto id = refused ? event::k_heartbeat_refused : event::k_heartbeat_will_retry;
    if (error.code == "notApproved") id = event::k_not_approved;
    if (status.service.state != Check::State::down)
        context_.ports.events.raise(Event(id).with("code", error.code).with("reason", error.message));
    context_.status.service.detail = error.code;
    if (status.service.state != Check::State::down) {
        context_.status.service.state = Check::State::down;
        context_.status.service.since = context_.now();
    }
    // A refused credential is knocked at once a minute; a service that cannot be reached a little sooner.
    next_beat_ = context_.ports.clock.tick() + (refused ? 60s : 5s);
}

asio::awaitable<void> Housekeeper::count() {
    auto counting = context_.ask(context_.ports.ledger.counts());
    auto counts = co_await std::move(counting);
    if (counts) {
        context_.status.counts = std::move(*counts);
    } else {
        context_.ledger_failed(counts.error(), "counting");
        co_return;
    }
    auto metering = context_.ask(context_.ports.ledger.meters(context_.now()));
    auto meters = co_await std::move(metering);
    if (meters) context_.status.meters = std::move(*meters);
    auto looking = context_.look_at_stops();
    co_await std::move(looking);
}

// Nobody works while the ledger cannot be written: the smallest write there is shows when it can be again.
asio::awaitable<void> Housekeeper::probe() {
    auto writing = context_.ask(context_.ports.ledger.next_sequence(context_.now()));
    const auto written = co_await std::move(writing);
    if (!written) {
        context_.ledger_failed(written.error(), "looking whether the database can be written again");
        co_return;
    }
    context_.ledger_works();
    context_.work_arrived.call();
    context_.report_waiting.call();
}

asio::awaitable<void> Housekeeper::end(const request::RequestRecord& record, request::Failure failure,
                                       std::string_view event_id) {
    request::Dropped dropped{std::move(failure)};
    request::Outcome outcome(std::move(dropped));
    ports::Commit commit;
    commit.record = request::after(record, outcome, context_.rules.retry, context_.now(), 0.0);
    auto saving = context_.ask(context_.ports.ledger.save(std::move(commit), context_.now()));
    const auto saved = co_await std::move(saving);
    if (saved) context_.ports.events.raise(about(event_id, record));
    context_.report_waiting.call();
}

ports::Async<std::vector<request::RequestRecord>> Housekeeper::next_of(Round& round) {
    const auto tick = context_.ports.clock.tick();
    if (tick < round.next) co_return std::vector<request::RequestRecord>{};
    ports::PageFilter filter;
    filter.stage = round.stage;
    filter.after = round.after;
    filter.limit = k_page;
    auto asking = context_.ask(context_.ports.ledger.page(std::move(filter)));
    auto some = co_await std::move(asking);
    const bool more = some && some->size() == k_page;
    round.after = more ? some->back().request.id.text() : "";
    round.next = tick + (more ? 5s : 60s);
    co_return some;
}

asio::awaitable<void> Housekeeper::end_old_holds() {
    auto asking = next_of(held_);
    const auto held = co_await std::move(asking);
    if (!held) co_return;
    for (const auto& record : *held) {
        const auto now = context_.now();
        if (!ages_count(now) || !record.waiting_since || now - *record.waiting_since < context_.rules.hold) continue;
        auto ending = end(record, request::end_of_hold(record.held_reason.value_or(request::HeldReason::approval)),
                          event::k_hold_expired);
        co_await std::move(ending);
    }
}

// A package that nobody takes for so long holds keys that nobody waits for; its certificate is an orphan. What is done
// and holds no key is reported for as long as it takes.
asio::awaitable<void> Housekeeper::drop_uncollected() {
    auto asking = next_of(packaged_);
    const auto packaged = co_await std::move(asking);
    if (!packaged) co_return;
    for (const auto& record : *packaged) {
        const auto now = context_.now();
        if (!ages_count(now) || record.sealed_package.empty()) continue;
        // A row of before it was written down when a package was made.
        const auto since = record.waiting_since.value_or(record.accepted_at);
        if (now - since < context_.rules.keep_undelivered) continue;
        request::Failure failure{"abandoned", "not taken by the service within keep_undelivered_days", false,
                                 std::nullopt};
        auto ending = end(record, std::move(failure), event::k_package_dropped);
        co_await std::move(ending);
    }
}

// Once a day for each certificate; after a restart once more.
asio::awaitable<void> Housekeeper::look_at_expiring_imports() {
    constexpr auto k_soon = std::chrono::days{30};
    constexpr std::size_t k_most_said = 1000;  // a day; the metric has the number
    auto asking = context_.ask(context_.ports.ledger.expiring_imports(context_.now(), context_.now() + k_soon));
    const auto expiring = co_await std::move(asking);
    if (!expiring) {
        context_.ledger_failed(expiring.error(), "looking for imported certificates that end soon");
        co_return;
    }
    context_.status.imports_expiring = expiring->size();
    const auto tick = context_.ports.clock.tick();
    std::erase_if(expiry_said_, [&](const auto& said) { return tick - said.second >= 24h; });
    for (const auto& one : *expiring) {
        if (expiry_said_.size() >= k_most_said) break;
        if (!expiry_said_.emplace(std::pair(one.user, one.sha256), tick).second) continue;
        context_.ports.events.raise(Event(event::k_import_expiring)
                                        .with("user", one.user.text())
                                        .with("thumbprint", one.thumbprint.hex())
                                        .with("not_after", to_rfc3339(one.not_after)));
    }
}

asio::awaitable<void> Housekeeper::purge(UtcTime now) {
    auto purging = context_.ask(context_.ports.ledger.purge(now, now - context_.rules.keep_closed));
    const auto purged = co_await std::move(purging);
    if (purged) {
        context_.ports.events.raise(Event(event::k_purged));
    } else {
        context_.ledger_failed(purged.error(), "purging");
    }
}

// A window closes by time or by its last place; nobody does it.
asio::awaitable<void> Housekeeper::look_at_window() {
    auto asking = context_.ask(context_.ports.ledger.window());
    const auto window = co_await std::move(asking);
    if (!window) {
        context_.ledger_failed(window.error(), "looking at the enrolment window");
        co_return;
    }
    const auto& there = *window;
    const auto now = context_.now();
    const bool first_look = !std::exchange(window_seen_, true);
    if (!there || there->open_at(now) || closed_window_ == there->opened) co_return;
    closed_window_ = there->opened;
    if (first_look) co_return;  // it ended in an earlier life
    context_.ports.events.raise(
        Event(event::k_window_closed)
            .with("used", std::to_string(there->used))
            .with("max", std::to_string(there->max))
            .with("reason", now < there->until ? "all its places are taken" : "its time is over"));
}

void Housekeeper::tell_state() {
    const auto state = context_.state();
    if (state == told_state_) return;
    told_state_ = state;
    const auto& status = context_.status;
    std::string reason;
    const auto add = [&reason](const std::string& what) { reason += (reason.empty() ? "" : "; ") + what; };
    if (status.service.state == Check::State::down)
        add("service: " + status.service.detail);
    else if (status.lease_calls.state == Check::State::down)
        add("service: " + status.lease_calls.detail);
    if (context_.lease_watch.stalled()) add("no lease call is answered");
    if (status.ledger.state == Check::State::down) add("database: " + status.ledger.detail);
    for (const auto& [name, breaker] : context_.breakers)
        if (breaker.state() == Breaker::State::down) add("authority " + name);
    if (status.directory.state == Check::State::down) add("directory: " + status.directory.detail);
    if (context_.clock_floor.told != ClockFloor::State::good) add("the clock is behind the newest time seen");
    if (status.revocation.state == Check::State::down) add("revocation: " + status.revocation.detail);
    for (const auto kind : context_.stopping.stopped_kinds()) add(std::string(to_string(kind)) + " is stopped");
    if (status.leasing_paused) add("no new requests are taken");
    Event event(event::k_state_changed);
    event.with("state", ports::to_string(state));
    if (!reason.empty()) event.with("reason", reason);
    context_.ports.events.raise(event);
}

}  // namespace connector::engine
