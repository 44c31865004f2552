// TaskGroup: every child coroutine is awaited; nothing is detached. cancel() reaches each child once, join() returns
// when the last has gone. One executor, one thread (cc-io).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <exception>
#include <list>

namespace connector::async {

class TaskGroup {
public:
    explicit TaskGroup(boost::asio::any_io_executor executor);
    TaskGroup(const TaskGroup&) = delete;
    TaskGroup& operator=(const TaskGroup&) = delete;
    // Children left behind would use what dies with us: that is a fault of ours, and ends the process.
    ~TaskGroup();

    void spawn(boost::asio::awaitable<void> child);
    void cancel();
    // Rethrows the first exception a child ended with.
    [[nodiscard]] boost::asio::awaitable<void> join();
    [[nodiscard]] std::size_t size() const noexcept { return children_.size(); }

private:
    struct Child {
        boost::asio::cancellation_signal stop;
    };
    boost::asio::any_io_executor executor_;
    std::list<Child> children_;
    boost::asio::steady_timer idle_;
    std::exception_ptr first_failure_;
};

}  // namespace connector::async
