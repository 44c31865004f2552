#include "core/async/task_group.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <cstdlib>
#include <iterator>
#include <utility>

namespace connector::async {

namespace asio = boost::asio;

TaskGroup::TaskGroup(asio::any_io_executor executor)
    : executor_(std::move(executor)), idle_(executor_, asio::steady_timer::time_point::max()) {}

TaskGroup::~TaskGroup() {
    if (!children_.empty()) std::abort();
}

void TaskGroup::spawn(asio::awaitable<void> child) {
    children_.emplace_back();
    const auto place = std::prev(children_.end());
    auto ended = [this, place](const std::exception_ptr& failure) {
        if (failure && !first_failure_) first_failure_ = failure;
        children_.erase(place);
        if (children_.empty()) idle_.cancel();
    };
    asio::co_spawn(executor_, std::move(child), asio::bind_cancellation_slot(place->stop.slot(), std::move(ended)));
}

void TaskGroup::cancel() {
    // A child may end, and leave the list, while it is told.
    for (auto child = children_.begin(); child != children_.end();) {
        const auto current = child++;
        current->stop.emit(asio::cancellation_type::terminal);
    }
}

asio::awaitable<void> TaskGroup::join() {
    while (!children_.empty()) {
        idle_.expires_at(asio::steady_timer::time_point::max());
        co_await idle_.async_wait(asio::as_tuple(asio::use_awaitable));
    }
    if (first_failure_) std::rethrow_exception(std::exchange(first_failure_, nullptr));
}

}  // namespace connector::async
