#include "daemon/health/telemetry.hpp"

#include <algorithm>
#include <array>
#include <set>

namespace connector::health {
namespace {

std::string_view word(engine::Check::State state) {
    switch (state) {
        case engine::Check::State::up: return "ok";
        case engine::Check::State::unknown:
        case engine::Check::State::down: return "failed";
    }
    return "failed";
}

std::string_view word(engine::Breaker::State state) {
    switch (state) {
        case engine::Breaker::State::up: return "up";
        case engine::Breaker::State::down: return "down";
        case engine::Breaker::State::unknown: return "unknown";
    }
    return "unknown";
}

constexpr std::array k_open_stages{request::Stage::accepted,     request::Stage::keyed,  request::Stage::submitting,
                                   request::Stage::at_authority, request::Stage::issued, request::Stage::packaged,
                                   request::Stage::refused,      request::Stage::held,   request::Stage::abandoned,
                                   request::Stage::revoking};

std::uint64_t oldest_seconds(const engine::Context& context) {
    const auto& oldest = context.status.counts.oldest_pending;
    if (!oldest) return 0;
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, (context.now() - *oldest).count()));
}

// A limit that tripped is a fault until a person has looked; what a person froze is only one where nothing is left.
void add_stops(HealthSnapshot& snapshot, const engine::Context& context) {
    const auto& stopping = context.stopping;
    for (const auto kind : stopping.stopped_kinds()) snapshot.frozen.emplace_back(to_string(kind));
    HealthCheck limits{"limits", "ok", snapshot.started_at, ""};
    HealthCheck frozen{"frozen", "ok", snapshot.started_at, "", false};
    std::set<std::string> tripped;
    std::set<std::string> kinds;
    for (const auto& stop : stopping.stops) {
        if (stop.cause == request::StopCause::clock) continue;  // has a check of its own
        auto& check = stop.cause == request::StopCause::tripped ? limits : frozen;
        check.since = check.status == "ok" ? stop.since : std::min(check.since, stop.since);
        check.status = "failed";
        if (stop.cause == request::StopCause::tripped)
            tripped.insert(stop.limit);
        else
            kinds.insert(std::string(to_string(stop.kind)));
    }
    const auto join = [](const std::set<std::string>& words) {
        std::string text;
        for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
        return text;
    };
    if (!tripped.empty()) limits.detail = join(tripped) + ": exceeded twofold, stopped until `thaw`";
    if (!kinds.empty()) {
        const bool all = stopping.going(context.rules.kinds).empty();
        frozen.status = all ? "failed" : "degraded";
        frozen.gates_readiness = all;
        frozen.detail = join(kinds) + ": frozen until `thaw`";
    }
    snapshot.checks.push_back(std::move(limits));
    if (!kinds.empty()) snapshot.checks.push_back(std::move(frozen));
}

// Only where it is behind: the check says what a restart forgets.
void add_clock(HealthSnapshot& snapshot, const engine::Context& context) {
    using State = engine::ClockFloor::State;
    const auto state = context.clock_floor.told;
    if (state == State::good && !context.stopping.by_clock()) return;
    const bool held = state == State::held || context.stopping.by_clock();
    snapshot.checks.push_back(
        {"clock", held ? "failed" : "degraded", context.now(),
         "behind " + to_rfc3339(context.clock_floor.newest()) + ", the newest time seen here" +
             (held ? ": certificates and deliveries are stopped until it is right, or `clock accept`" : ""),
         held});
}

}  // namespace

MetricsTelemetry::MetricsTelemetry(Metrics& metrics) : metrics_(metrics) {
    for (const auto kind : request::all_kinds())
        for (const std::string_view result :
             {"delivered", "completed", "failed", "superseded", "cancelled", "rejected"})
            metrics_.add(Counter::requests_total, {to_string(kind), result}, 0);
}

void MetricsTelemetry::request_ended(request::Kind kind, std::string_view result, std::chrono::duration<double> took) {
    metrics_.add(Counter::requests_total, {to_string(kind), result});
    metrics_.observe(Histogram::request_duration_seconds, {to_string(kind)}, took.count());
}
void MetricsTelemetry::stage_took(request::Stage stage, std::chrono::duration<double> took) {
    metrics_.observe(Histogram::stage_duration_seconds, {to_string(stage)}, took.count());
}
void MetricsTelemetry::refused(std::string_view code) {
    metrics_.add(Counter::refused_total, {code});
}
void MetricsTelemetry::authority_request(std::string_view authority, std::string_view result) {
    metrics_.add(Counter::authority_requests_total, {authority, result});
}
void MetricsTelemetry::management_request(std::string_view call, std::string_view code) {
    metrics_.add(Counter::management_requests_total, {call, code});
}

HealthSnapshot snapshot_of(const engine::Context& context) {
    const auto& status = context.status;
    HealthSnapshot snapshot;
    snapshot.status = std::string(to_string(context.state()));
    snapshot.version = context.rules.version;
    snapshot.started_at = status.started_at;

    const auto since = [&status](const engine::Check& check) {
        return check.state == engine::Check::State::unknown ? status.started_at : check.since;
    };
    // Heartbeats and lease calls ask the same service; the one that fails is shown.
    const bool by_lease =
        status.service.state == engine::Check::State::up && status.lease_calls.state == engine::Check::State::down;
    const auto& reached = by_lease ? status.lease_calls : status.service;
    HealthCheck service{"service", std::string(word(reached.state)), since(reached), reached.detail};
    if (status.service.state == engine::Check::State::unknown) service.detail = "not reached yet";
    snapshot.checks.push_back(std::move(service));
    if (context.lease_watch.stalled())
        snapshot.checks.push_back({"leasing", "failed", status.last_lease_at.value_or(status.started_at),
                                   "no lease call has been answered for minutes"});
    // A database that has not been asked yet has been opened and read: only a failure speaks against it.
    const bool ledger_down = status.ledger.state == engine::Check::State::down;
    snapshot.checks.push_back({"ledger", ledger_down ? "failed" : "ok", since(status.ledger), status.ledger.detail});
    snapshot.checks.push_back({"keys", "ok", status.started_at, ""});

    std::size_t down = 0;
    UtcTime down_since = status.started_at;
    for (const auto& [name, breaker] : context.breakers) {
        snapshot.authorities.push_back({name, std::string(word(breaker.state())), breaker.last_success()});
        if (breaker.state() == engine::Breaker::State::down) {
            ++down;
            down_since = std::max(down_since, breaker.since());
        }
    }
    const bool all_down = down != 0 && down == context.breakers.size();
    snapshot.checks.push_back(
        {"authorities", all_down ? "failed" : (down != 0 ? "degraded" : "ok"), down_since,
         down == 0 ? "" : std::to_string(down) + " of " + std::to_string(context.breakers.size()) + " down"});
    add_stops(snapshot, context);
    add_clock(snapshot, context);
    if (context.ports.directory != nullptr) {
        // What it has to prove waits; what it has not goes on.
        const bool away = status.directory.state == engine::Check::State::down;
        snapshot.checks.push_back(
            {"directory", away ? "degraded" : "ok", status.directory.since, status.directory.detail, false});
    }
    if (context.ports.revocation != nullptr) {
        const bool away = status.revocation.state == engine::Check::State::down;
        snapshot.checks.push_back(
            {"revocation", away ? "degraded" : "ok", status.revocation.since, status.revocation.detail, false});
    }
    if (status.leasing_paused)
        snapshot.checks.push_back(
            {"backlog", "degraded", status.started_at, "leasing is paused above max_pending", false});
    if (status.counts.quarantined != 0)
        snapshot.checks.push_back({"integrity", "degraded", status.started_at,
                                   std::to_string(status.counts.quarantined) + " rows in quarantine", false});

    for (const auto& [stage, number] : status.counts.by_stage) snapshot.queue[std::string(to_string(stage))] = number;
    for (const auto& [reason, number] : status.counts.held) {
        snapshot.held += number;
        snapshot.held_by[std::string(to_string(reason))] = number;
    }
    snapshot.now = context.now();
    snapshot.last_lease_at = status.last_lease_at;
    snapshot.last_delivery_at = status.last_delivery_at;
    snapshot.oldest_pending_seconds = oldest_seconds(context);
    snapshot.clock_skew = context.clock_watch.skew();
    snapshot.certificate_expires_at = status.certificate_expires_at;
    return snapshot;
}

void set_gauges(Metrics& metrics, const engine::Context& context) {
    const auto& status = context.status;
    for (const auto stage : k_open_stages) {
        const auto found = status.counts.by_stage.find(stage);
        metrics.set(Gauge::requests_pending, {to_string(stage)},
                    found == status.counts.by_stage.end() ? 0.0 : static_cast<double>(found->second));
    }
    metrics.clear(Gauge::held);
    for (const auto& [reason, number] : status.counts.held)
        metrics.set(Gauge::held, {to_string(reason)}, static_cast<double>(number));
    metrics.clear(Gauge::recipients);
    for (const auto& [state, number] : status.counts.pins_by_state)
        metrics.set(Gauge::recipients, {state}, static_cast<double>(number));
    metrics.clear(Gauge::limit_used_ratio);
    for (const auto& meter : status.meters)
        if (meter.limit != 0)
            metrics.set(Gauge::limit_used_ratio, {meter.meter},
                        static_cast<double>(meter.used) / static_cast<double>(meter.limit));
    for (const auto kind : request::all_kinds())
        metrics.set(Gauge::frozen, {to_string(kind)}, context.stopping.stopped(kind) ? 1.0 : 0.0);
    metrics.clear(Gauge::authority_up);
    for (const auto& [name, breaker] : context.breakers)
        metrics.set(Gauge::authority_up, {name}, breaker.state() == engine::Breaker::State::down ? 0.0 : 1.0);
    if (context.ports.directory != nullptr)
        metrics.set(Gauge::directory_up, {}, status.directory.state == engine::Check::State::down ? 0.0 : 1.0);
    if (status.last_lease_at)
        metrics.set(Gauge::last_lease_timestamp_seconds, {},
                    static_cast<double>(status.last_lease_at->time_since_epoch().count()));
    metrics.set(Gauge::oldest_pending_seconds, {}, static_cast<double>(oldest_seconds(context)));
    if (const auto skew = context.clock_watch.skew())
        metrics.set(Gauge::clock_skew_seconds, {}, static_cast<double>(skew->count()));
    if (status.certificate_expires_at)
        metrics.set(Gauge::certificate_expiry_timestamp_seconds, {"connector"},
                    static_cast<double>(status.certificate_expires_at->time_since_epoch().count()));
    metrics.set(Gauge::imported_certificates_expiring, {}, static_cast<double>(status.imports_expiring));
    metrics.set(Gauge::crypto_queue_length, {}, static_cast<double>(context.ports.offload.waiting()));
}

}  // namespace connector::health
