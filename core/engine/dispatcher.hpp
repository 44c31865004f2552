// The dispatcher gives due records to workers, at most `in_flight` at once, and never one record to two. cc-io.
#pragma once

#include "core/async/task_group.hpp"
#include "core/engine/worker.hpp"

namespace connector::engine {

class Dispatcher {
public:
    Dispatcher(Context& context, HistoryCache& cache, boost::asio::any_io_executor executor)
        : context_(context), cache_(cache), workers_(std::move(executor)) {}

    // Until cancelled or draining.
    [[nodiscard]] boost::asio::awaitable<void> run();
    // Waits for the workers; what they do is saved.
    [[nodiscard]] boost::asio::awaitable<void> join() { return workers_.join(); }
    // Workers end at their next step.
    void cancel() { workers_.cancel(); }
    [[nodiscard]] std::size_t busy() const noexcept { return workers_.size(); }

private:
    [[nodiscard]] boost::asio::awaitable<void> work(request::RequestRecord record);

    Context& context_;
    HistoryCache& cache_;
    async::TaskGroup workers_;
};

}  // namespace connector::engine
