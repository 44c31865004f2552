#include "tests/sim/timeline.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>
#include <vector>

namespace connector::sim {

namespace asio = boost::asio;

struct Timeline::Queues {
    std::multimap<Tick, Waiter*> poll;
    std::multimap<Tick, Waiter*> event;
};

struct Timeline::Waiter {
    using Queue = std::multimap<Tick, Waiter*>;
    asio::steady_timer timer;
    std::shared_ptr<Queues> queues;
    Queue& queue;
    Queue::iterator place;
    const void* owner;
    bool due = false;

    Waiter(asio::io_context& io, std::shared_ptr<Queues> all, Weight weight, Tick when, const void* whose)
        : timer(io, asio::steady_timer::time_point::max()),
          queues(std::move(all)),
          queue(weight == Weight::poll ? queues->poll : queues->event),
          place(queue.emplace(when, this)),
          owner(whose) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        if (!due) queue.erase(place);
    }
    void ring() {
        due = true;
        queue.erase(place);
        timer.cancel();
    }
};

Timeline::Timeline(asio::io_context& io) : io_(io), queues_(std::make_shared<Queues>()) {}
Timeline::~Timeline() = default;

asio::awaitable<void> Timeline::sleep_until(Tick when, Weight weight, const void* owner) {
    Waiter waiter(io_, queues_, weight, when, owner);
    co_await waiter.timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

void Timeline::at(Tick when, std::function<void()> call) {
    calls_.emplace(std::max(when, now_), std::move(call));
}

bool Timeline::advance() {
    const auto event = next_event();
    const auto poll = next_poll();
    if (!event && !poll) return false;
    if (poll && (!event || *poll < *event)) {
        now_ = std::max(now_, *poll);
        queues_->poll.begin()->second->ring();
        return true;
    }
    now_ = std::max(now_, *event);
    if (!calls_.empty() && calls_.begin()->first == *event) {
        const auto call = std::move(calls_.begin()->second);
        calls_.erase(calls_.begin());
        call();
        return true;
    }
    queues_->event.begin()->second->ring();
    return true;
}

void Timeline::wake(const void* owner) {
    for (auto* queue : {&queues_->event, &queues_->poll}) {
        std::vector<Waiter*> theirs;
        for (const auto& [when, waiter] : *queue)
            if (waiter->owner == owner) theirs.push_back(waiter);
        for (auto* waiter : theirs) waiter->ring();
    }
}

void Timeline::jump(Tick to) noexcept {
    now_ = std::max(now_, to);
}

std::optional<Tick> Timeline::next_poll() const {
    if (queues_->poll.empty()) return std::nullopt;
    return queues_->poll.begin()->first;
}

std::optional<Tick> Timeline::next_event() const {
    std::optional<Tick> next;
    if (!queues_->event.empty()) next = queues_->event.begin()->first;
    if (!calls_.empty() && (!next || calls_.begin()->first <= *next)) next = calls_.begin()->first;
    return next;
}

}  // namespace connector::sim
