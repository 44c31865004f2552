// Port: runs a job that computes on another thread and comes back on the caller's executor.
// The job takes values and gives values; it is never cancelled half-way.
#pragma once

#include <boost/asio/awaitable.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace connector::ports {

class Offload {
public:
    virtual ~Offload() = default;
    // Jobs that wait for a thread, for the metrics.
    [[nodiscard]] virtual std::size_t waiting() const = 0;

    template <class Job>
    [[nodiscard]] boost::asio::awaitable<std::invoke_result_t<Job&>> run(Job job) {
        using Value = std::invoke_result_t<Job&>;
        struct Errand {
            Job job;
            std::optional<Value> value;
            explicit Errand(Job given) : job(std::move(given)) {}
        };
        auto errand = std::make_shared<Errand>(std::move(job));
        std::function<void()> work = [errand] { errand->value.emplace(errand->job()); };
        co_await post(std::move(work));
        co_return std::move(*errand->value);
    }

protected:
    // Runs `work` elsewhere; an exception out of it ends the process (jobs return Result).
    [[nodiscard]] virtual boost::asio::awaitable<void> post(std::function<void()> work) = 0;
};

}  // namespace connector::ports
