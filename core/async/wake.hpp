// Wake: lets one waiting coroutine be called before its time. A call that comes while nobody waits is kept.
// One thread (cc-io).
#pragma once

#include "core/ports/clock.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>

namespace connector::async {

class Wake {
public:
    explicit Wake(const boost::asio::any_io_executor& executor);
    void call();
    // Comes back when called, at `latest`, or when cancelled; whether it was called. Never throws.
    [[nodiscard]] boost::asio::awaitable<bool> wait(ports::Clock& clock, Tick latest);

private:
    [[nodiscard]] boost::asio::awaitable<void> parked();

    boost::asio::steady_timer bell_;
    bool called_ = false;
};

}  // namespace connector::async
