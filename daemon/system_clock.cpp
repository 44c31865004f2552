#include "daemon/system_clock.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace connector::daemon {

namespace asio = boost::asio;

UtcTime SystemClock::utc() const {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Tick SystemClock::tick() const {
    return std::chrono::steady_clock::now();
}

asio::awaitable<void> SystemClock::wait_until(Tick when) {
    asio::steady_timer timer(executor_, when);
    co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
}

}  // namespace connector::daemon
