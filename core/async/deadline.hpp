// One deadline over one operation, from the injected clock: the one place that wraps Asio's awaitable operators
// (experimental in 1.81).
// The operation returns a Result; what it throws becomes an Error, since `a || b` would wait for the loser otherwise.
// When the deadline passes, the operation is cancelled and awaited to its end before this returns, so it may borrow
// from the caller's frame; an operation that cannot be cancelled (a name look-up) must be detached by its owner.
// On the caller's executor.
#pragma once

#include "core/ports/async.hpp"
#include "core/ports/clock.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/system_error.hpp>

#include <exception>
#include <string>
#include <utility>

namespace connector::async {

namespace detail {

// An exception out of an adapter's coroutine as a value: a cancellation is one, all else is our fault.
[[nodiscard]] inline Error error_of(const std::exception& thrown) {
    const auto* system = dynamic_cast<const boost::system::system_error*>(&thrown);
    if (system != nullptr && system->code() == boost::asio::error::operation_aborted)
        return Error(ErrorKind::cancelled, "cancelled", "we are stopping");
    return Error(ErrorKind::internal, "internal", thrown.what());
}

template <class T>
[[nodiscard]] ports::Async<T> guarded(ports::Async<T> operation) {
    try {
        co_return co_await std::move(operation);
    } catch (const std::exception& thrown) {
        co_return error_of(thrown);
    }
}

template <class T>
[[nodiscard]] ports::Async<T> raced(const ports::Clock& clock, boost::asio::awaitable<void> timer, Tick deadline,
                                    ports::Async<T> operation, Error late) {
    using namespace boost::asio::experimental::awaitable_operators;
    auto first = co_await (guarded<T>(std::move(operation)) || std::move(timer));
    if (first.index() == 0) co_return std::move(std::get<0>(first));
    // The clock also comes back early when we are being cancelled; that is not a timeout.
    if (clock.tick() < deadline) co_return Error(ErrorKind::cancelled, "cancelled", "we are stopping");
    co_return late;
}

}  // namespace detail

// The operation's result, or `late` once the clock reaches `deadline`; kind cancelled where the caller is cancelled
// first.
template <class T>
[[nodiscard]] ports::Async<T> with_deadline(ports::Clock& clock, Tick deadline, ports::Async<T> operation, Error late) {
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none)
        co_return Error(ErrorKind::cancelled, "cancelled", "we are stopping");
    auto timer = clock.wait_until(deadline);
    auto race = detail::raced<T>(clock, std::move(timer), deadline, std::move(operation), std::move(late));
    co_return co_await detail::guarded<T>(std::move(race));
}

}  // namespace connector::async
