// A pool of threads: jobs go there and come back to the caller's executor. cc-crypto-N for what computes; another one,
// of another name, for what waits. A job is never cancelled half-way: nothing is bound to the coroutine's cancellation
// slot, which would race between the two threads.
#pragma once

#include "core/ports/offload.hpp"

#include <atomic>
#include <memory>
#include <string>

namespace connector::daemon {

class PoolOffload final : public ports::Offload {
public:
    // `name`: of the threads, with a number behind it.
    explicit PoolOffload(std::size_t threads, std::string name = "cc-crypto");
    ~PoolOffload() override;
    PoolOffload(const PoolOffload&) = delete;
    PoolOffload& operator=(const PoolOffload&) = delete;

    [[nodiscard]] std::size_t waiting() const override { return waiting_.load(std::memory_order_relaxed); }

protected:
    [[nodiscard]] boost::asio::awaitable<void> post(std::function<void()> work) override;

private:
    struct Pool;
    std::unique_ptr<Pool> pool_;
    std::atomic<std::size_t> waiting_{0};
    std::atomic<int> next_number_{1};
    std::string name_;
};

}  // namespace connector::daemon
