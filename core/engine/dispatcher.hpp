// The dispatcher gives due records to workers, at most `in_flight` at once, and never one record to two. No authority
// gets so many that a slow one could stand in the others' way; one that is down gets a single probe at a time.
// A record that two deaths have met is worked alone. cc-io.
#pragma once

#include "core/async/task_group.hpp"
#include "core/engine/worker.hpp"

#include <map>
#include <string>

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
    [[nodiscard]] std::size_t share() const noexcept;
    [[nodiscard]] ports::TakeOrder order() const;
    // True where more may be had at once.
    [[nodiscard]] boost::asio::awaitable<bool> fill();
    [[nodiscard]] boost::asio::awaitable<void> work(request::RequestRecord record);

    Context& context_;
    HistoryCache& cache_;
    async::TaskGroup workers_;
    std::map<std::string, std::size_t, std::less<>> at_work_;  // workers by authority
    bool alone_waits_ = false;                                 // nothing new is begun until the others have ended
    bool alone_ = false;                                       // the one that is in work now
};

}  // namespace connector::engine
