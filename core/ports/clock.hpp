// Port: time. Monotonic for waiting, UTC for certificates and records.
#pragma once

#include "core/time.hpp"

#include <boost/asio/awaitable.hpp>

namespace connector::ports {

class Clock {
public:
    virtual ~Clock() = default;
    [[nodiscard]] virtual UtcTime utc() const = 0;  // any thread
    [[nodiscard]] virtual Tick tick() const = 0;    // any thread
    // Comes back at `when`, or earlier when the coroutine is cancelled; never throws.
    [[nodiscard]] virtual boost::asio::awaitable<void> wait_until(Tick when) = 0;
};

}  // namespace connector::ports
