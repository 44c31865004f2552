// The real clocks. utc() and tick() from any thread; wait_until() on the executor's.
#pragma once

#include "core/ports/clock.hpp"

#include <boost/asio/any_io_executor.hpp>

namespace connector::daemon {

class SystemClock final : public ports::Clock {
public:
    explicit SystemClock(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

    [[nodiscard]] UtcTime utc() const override;
    [[nodiscard]] Tick tick() const override;
    [[nodiscard]] boost::asio::awaitable<void> wait_until(Tick when) override;

private:
    boost::asio::any_io_executor executor_;
};

}  // namespace connector::daemon
