#include "core/async/wake.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <utility>

namespace connector::async {

namespace asio = boost::asio;

Wake::Wake(const asio::any_io_executor& executor) : bell_(executor, asio::steady_timer::time_point::max()) {}

void Wake::call() {
    called_ = true;
    bell_.cancel();
}

asio::awaitable<void> Wake::parked() {
    co_await bell_.async_wait(asio::as_tuple(asio::use_awaitable));
}

asio::awaitable<bool> Wake::wait(ports::Clock& clock, Tick latest) {
    using asio::experimental::awaitable_operators::operator||;
    if (!called_) {
        auto bell = parked();
        auto time = clock.wait_until(latest);
        auto either = std::move(bell) || std::move(time);
        co_await std::move(either);
    }
    co_return std::exchange(called_, false);
}

}  // namespace connector::async
