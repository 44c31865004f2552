// Simulated time: nobody waits. Ready handlers run first, then the clock goes to whatever comes next.
// Three queues: what the engine looks at every second (poll), what really happens (event), and plain calls at a time.
// jump() lets the engine's polls come late, as on a machine that was asleep; events are never passed over.
// After reference/samples/sim_clock.cpp: a waiter parks on a timer that never ends and is woken by cancel().
#pragma once

#include "core/time.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>

namespace connector::sim {

class Timeline {
public:
    enum class Weight { poll, event };

    explicit Timeline(boost::asio::io_context& io);
    Timeline(const Timeline&) = delete;
    Timeline& operator=(const Timeline&) = delete;
    ~Timeline();

    [[nodiscard]] Tick now() const noexcept { return now_; }
    // Never throws; comes back early when cancelled or when its owner is woken.
    [[nodiscard]] boost::asio::awaitable<void> sleep_until(Tick when, Weight weight, const void* owner);
    void at(Tick when, std::function<void()> call);
    // Wakes the next sleeper or makes the next call; false where there is none.
    bool advance();
    void wake(const void* owner);
    // Only the clock moves; whoever is late comes with the next advance().
    void jump(Tick to) noexcept;
    [[nodiscard]] std::optional<Tick> next_poll() const;
    [[nodiscard]] std::optional<Tick> next_event() const;

private:
    struct Waiter;
    struct Queues;
    boost::asio::io_context& io_;
    Tick now_{};
    std::shared_ptr<Queues> queues_;  // frames that die with the io_context take themselves out
    std::multimap<Tick, std::function<void()>> calls_;
};

}  // namespace connector::sim
