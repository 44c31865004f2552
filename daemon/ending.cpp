#include "daemon/ending.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>

#include <csignal>
#include <cstdlib>
#include <utility>

namespace connector::daemon {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr int k_done = 0;
constexpr int k_failed = 1;
// Beyond the drain, for closing what is open in order.
constexpr std::chrono::seconds k_to_close{2};
// A disk that hangs takes no farewell.
constexpr std::chrono::seconds k_to_say_it{2};

}  // namespace

Ending::~Ending() {
    io_.stop();
}

void Ending::listen(asio::any_io_executor loop, Asked asked, std::chrono::seconds most,
                    std::function<void()> farewell) {
    loop_ = std::move(loop);
    asked_ = std::move(asked);
    most_ = most;
    farewell_ = std::move(farewell);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) signals_.add(number);
    wait_for_signal();
    thread_ = std::jthread([this] {
        (void)::pthread_setname_np(::pthread_self(), "cc-end");
        io_.run();
    });
}

void Ending::wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& failure, int number) {
        if (failure) return;
        heard(number);
        wait_for_signal();
    });
}

void Ending::heard(int number) {
    if (number == SIGHUP) {
        const std::lock_guard lock(mutex_);
        if (!begun_) asio::post(loop_, asked_.reload);
        return;
    }
    // The second one is meant: everything durable is in the ledger, whatever is under way is found again there.
    if (std::exchange(signalled_, true)) std::_Exit(k_failed);
    const std::lock_guard lock(mutex_);
    if (begun_) return;
    asio::post(loop_, asked_.end);
    run_deadline();  // also where the loop hangs
}

void Ending::begin() {
    const std::lock_guard lock(mutex_);
    if (std::exchange(begun_, true)) return;
    asio::post(io_, [this] { run_deadline(); });
}

void Ending::run_deadline() {
    deadline_.expires_after(most_ + k_to_close);
    deadline_.async_wait([this](const boost::system::error_code& failure) {
        if (!failure) end_late();
    });
}

void Ending::end_late() {
    std::thread([this] {
        const std::lock_guard lock(farewell_mutex_);
        if (farewell_) farewell_();
        std::_Exit(k_done);
    }).detach();
    deadline_.expires_after(k_to_say_it);
    deadline_.async_wait([](const boost::system::error_code& failure) {
        if (!failure) std::_Exit(k_done);
    });
}

void Ending::forget_farewell() {
    const std::lock_guard lock(farewell_mutex_);
    farewell_ = nullptr;
}

}  // namespace connector::daemon
