// The reporter tells the service what came of requests, in batches, until each has been heard. cc-io.
#pragma once

#include "core/engine/context.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace connector::engine {

class Reporter {
public:
    explicit Reporter(Context& context) : context_(context) {}

    // Until cancelled.
    [[nodiscard]] boost::asio::awaitable<void> run();
    // One pass over what waits now; true where something was told and more may wait.
    [[nodiscard]] boost::asio::awaitable<bool> flush();

private:
    // Told twice is harmless, but what cannot be noted would be told without end; and whoever asked for quiet gets it.
    [[nodiscard]] bool may_tell() const;
    void keep_quiet(std::optional<std::chrono::seconds> asked);
    [[nodiscard]] boost::asio::awaitable<void> tell(std::vector<request::RequestRecord> records);
    [[nodiscard]] boost::asio::awaitable<void> heard(request::RequestRecord record, ports::ResultOutcome outcome,
                                                     std::optional<ports::DeliveredImport> delivered);
    [[nodiscard]] boost::asio::awaitable<void> postpone(request::RequestRecord record, std::chrono::seconds delay);

    Context& context_;
    std::uint32_t failures_ = 0;  // of whole calls, one after another
};

}  // namespace connector::engine
