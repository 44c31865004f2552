#include "core/engine/context.hpp"

#include "core/request/orphan.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace connector::engine {

AuthorityRules Context::rules_of(std::string_view authority) const {
    const auto found = rules.authorities.find(authority);
    return found == rules.authorities.end() ? AuthorityRules{} : found->second;
}

Breaker& Context::breaker(std::string_view authority) {
    if (const auto found = breakers.find(authority); found != breakers.end()) return found->second;
    return left_breakers.try_emplace(std::string(authority), rules_of(authority)).first->second;
}

void Context::use(Rules the_rules, std::map<std::string, ports::Authority*, std::less<>> authorities) {
    rules = std::move(the_rules);
    ports.authorities = std::move(authorities);
    // Moved as they are, never copied: a worker inside holds a reference.
    for (auto at = breakers.begin(); at != breakers.end();) {
        const auto next = std::next(at);
        if (!ports.authorities.contains(at->first)) left_breakers.insert(breakers.extract(at));
        at = next;
    }
    for (const auto& [name, authority] : ports.authorities) {
        if (const auto left = left_breakers.find(name); left != left_breakers.end())
            breakers.insert(left_breakers.extract(left));
        auto& breaker = breakers.try_emplace(name, rules_of(name)).first->second;
        breaker.use(rules_of(name));
        if (breaker.state() == Breaker::State::down) breaker.resume(ports.clock.tick());
    }
    work_arrived.call();
    state_changed.call();
}

double Context::jitter() const {
    const Bytes octets = ports.crypto.random(4);
    std::uint32_t number = 0;
    for (const auto octet : octets) number = (number << 8U) | octet;
    return static_cast<double>(number) / 4294967296.0;
}

void Context::set(Check& check, Check::State state, std::string detail) {
    if (check.state != state) {
        check.since = now();
        state_changed.call();
    }
    check.state = state;
    check.detail = std::move(detail);
}

void Context::answered(Check& check) {
    const bool was_down = check.state == Check::State::down;
    set(check, Check::State::up, "");
    if (was_down && status.service.state == Check::State::up && status.lease_calls.state != Check::State::down)
        ports.events.raise(Event(event::k_service_back));
}

bool Context::leasing_allowed() const {
    return !status.draining && status.service.state != Check::State::unknown && !status.credential_refused &&
           status.ledger.state != Check::State::down && !stopping.going(rules.kinds).empty();
}

bool Context::ledger_failed(const Error& error, std::string_view doing) {
    switch (error.kind) {
        case ErrorKind::unavailable:
        case ErrorKind::integrity:
        case ErrorKind::internal: break;
        case ErrorKind::invalid:
        case ErrorKind::refused:
        case ErrorKind::unauthorized:
        case ErrorKind::misconfigured:
        case ErrorKind::throttled:
        case ErrorKind::timed_out:
        case ErrorKind::unknown:
        case ErrorKind::cancelled:
        case ErrorKind::conflict: return false;
    }
    if (status.ledger_barred) return true;
    // Other pages can be written as before, and that says nothing of this one.
    if (error.kind == ErrorKind::integrity && error.code == "storageCorrupt") {
        ports.events.raise(Event(event::k_storage_corrupt).with("doing", doing).with("reason", error.message));
        bar_ledger(error.code);
        return true;
    }
    if (status.ledger.state != Check::State::down) {
        const bool full = error.code == "storageFull";
        ports.events.raise(Event(full ? event::k_disk_full : event::k_storage_failed)
                               .with("doing", doing)
                               .with("reason", error.message));
    }
    set(status.ledger, Check::State::down, error.code);
    return true;
}

void Context::bar_ledger(std::string_view code) {
    status.ledger_barred = true;
    set(status.ledger, Check::State::down, std::string(code));
}

void Context::ledger_works() {
    if (status.ledger_barred) return;
    if (status.ledger.state == Check::State::up) return;
    if (status.ledger.state == Check::State::down) ports.events.raise(Event(event::k_storage_recovered));
    set(status.ledger, Check::State::up, "");
}

ports::State Context::state() const {
    if (status.draining) return ports::State::draining;
    if (status.service.state != Check::State::up || status.ledger.state == Check::State::down ||
        status.lease_calls.state == Check::State::down || lease_watch.stalled())
        return ports::State::not_ready;
    const bool stopped = !stopping.stops.empty();
    if (stopping.tripped() || stopping.by_clock() || (stopped && stopping.going(rules.kinds).empty()))
        return ports::State::not_ready;
    std::size_t down = 0;
    for (const auto& [name, breaker] : breakers) down += breaker.state() == Breaker::State::down ? 1U : 0U;
    if (down != 0 && down == breakers.size()) return ports::State::not_ready;
    const bool directory_down = status.directory.state == Check::State::down;
    const bool behind = clock_floor.told != ClockFloor::State::good;
    const bool lists_down = status.revocation.state == Check::State::down;
    const bool degraded = down != 0 || behind || directory_down || lists_down || stopped || status.leasing_paused;
    return degraded ? ports::State::degraded : ports::State::ready;
}

Event about(std::string_view event_id, const request::RequestRecord& record) {
    return Event(event_id)
        .with("request", request::order_of(record).text())
        .with("kind", to_string(record.request.kind()))
        .with("user", record.request.user.user_principal_name)
        .with("device", record.request.device.id.text());
}

}  // namespace connector::engine
