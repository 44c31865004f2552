#include "daemon/authority/caretaker.hpp"

#include "core/event_ids.hpp"

#include <algorithm>
#include <utility>

namespace connector::authority {
namespace {

using namespace std::chrono_literals;

constexpr auto k_between_looks = 1h;
constexpr auto k_after_failure = 5min;
constexpr auto k_between_complaints = 1h;

Caretaker::List::State state_of(const ports::RevocationList& list, UtcTime now) {
    if (!list.next_update || *list.next_update <= now) return Caretaker::List::State::ended;
    return list.fault ? Caretaker::List::State::stale : Caretaker::List::State::good;
}

}  // namespace

boost::asio::awaitable<void> Caretaker::run(const bool& ending) {
    Tick next = clock_.tick();
    while (!ending) {
        if (clock_.tick() >= next) {
            auto looking = look();
            next = co_await std::move(looking);
        }
        co_await clock_.wait_until(clock_.tick() + 1s);
    }
}

boost::asio::awaitable<Tick> Caretaker::look() {
    Tick::duration wait = k_between_looks;
    for (const auto& [name, authority] : authorities_) {
        auto keeping = authority->upkeep();
        const auto answer = co_await std::move(keeping);
        if (!answer && answer.error().kind == ErrorKind::cancelled) break;
        heard(name, answer);
        const auto list = lists_.find(name);
        if (list != lists_.end() && list->second.state != List::State::good) wait = k_after_failure;
    }
    co_return clock_.tick() + wait;
}

void Caretaker::heard(const std::string& name, const Result<ports::Upkeep>& answer) {
    if (answer && !answer->revocation_list) {
        lists_.erase(name);
        said_.erase(name);
        return;
    }
    const UtcTime now = clock_.utc();
    const auto before = lists_.find(name);
    const bool known = before != lists_.end();
    List list;
    if (known) list = before->second;
    if (answer) {
        list.last = *answer->revocation_list;
    } else {
        list.last.renewed = false;
        list.last.fault = answer.error();
    }
    const auto old_state = list.state;
    list.state = state_of(list.last, now);
    if (!known || list.state != old_state) list.since = now;
    const bool worse = list.state != List::State::good && (!known || list.state != old_state);
    lists_.insert_or_assign(name, list);
    if (list.last.renewed)
        events_.raise(Event(event::k_crl_written)
                          .with("authority", name)
                          .with("number", std::to_string(list.last.number))
                          .with("revoked", std::to_string(list.last.entries))
                          .with("next_update", to_rfc3339(*list.last.next_update)));
    if (list.state == List::State::good) {
        said_.erase(name);
        return;
    }
    const Tick tick = clock_.tick();
    const auto said = said_.find(name);
    if (!worse && said != said_.end() && tick - said->second < k_between_complaints) return;
    said_.insert_or_assign(name, tick);
    tell_failed(name, list);
}

void Caretaker::tell_failed(const std::string& name, const List& list) {
    Event event(event::k_crl_failed);
    event.with("authority", name);
    event.with("reason", list.last.fault ? list.last.fault->message : std::string("its time is over"));
    event.with("next_update", list.last.next_update ? to_rfc3339(*list.last.next_update) : std::string("none"));
    event.with("state", list.state == List::State::ended ? "ended" : "valid");
    events_.raise(event);
}

}  // namespace connector::authority
