#include "daemon/pool_offload.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <pthread.h>

#include <string>
#include <utility>

namespace connector::daemon {

namespace asio = boost::asio;

struct PoolOffload::Pool {
    asio::thread_pool threads;
    explicit Pool(std::size_t count) : threads(count) {}
};

PoolOffload::PoolOffload(std::size_t threads, std::string name)
    : pool_(std::make_unique<Pool>(threads)), name_(std::move(name)) {}

PoolOffload::~PoolOffload() {
    pool_->threads.join();
}

asio::awaitable<void> PoolOffload::post(std::function<void()> work) {
    ++waiting_;
    auto initiate = [this, work = std::move(work)](auto handler) mutable {
        auto home = asio::get_associated_executor(handler);
        auto guard = asio::make_work_guard(home);
        auto errand = [this, work = std::move(work), handler = std::move(handler), guard = std::move(guard)]() mutable {
            thread_local const bool named = [this] {
                const std::string name = name_ + "-" + std::to_string(next_number_++);
                return ::pthread_setname_np(::pthread_self(), name.c_str()) == 0;
            }();
            (void)named;
            --waiting_;
            work();
            // What the job held must be gone before the coroutine goes on and its locals with it.
            work = nullptr;
            auto back = guard.get_executor();
            asio::post(back,
                       [handler = std::move(handler), guard = std::move(guard)]() mutable { std::move(handler)(); });
        };
        asio::post(pool_->threads, std::move(errand));
    };
    auto hop = asio::async_initiate<decltype(asio::use_awaitable), void()>(std::move(initiate), asio::use_awaitable);
    co_await std::move(hop);
}

}  // namespace connector::daemon
