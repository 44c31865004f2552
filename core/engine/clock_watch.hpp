// Whether the wall clock can be believed: it is held against the monotonic clock (jumps) and against the service's Date
// (skew). Waiting goes by the monotonic clock alone; what ends by age (holds, packages, old rows) is ended only while
// the wall clock is believed. The service's Date decides nothing else: it may lie. cc-io.
#pragma once

#include "core/time.hpp"

#include <chrono>
#include <optional>

namespace connector::engine {

class ClockWatch {
public:
    ClockWatch(UtcTime utc, Tick tick) noexcept : utc_(utc), tick_(tick) {}

    // To be called every second or so. How far the wall clock has jumped since the last look; nullopt below a minute.
    [[nodiscard]] std::optional<std::chrono::seconds> look(UtcTime utc, Tick tick);
    // An answer's Date, received at `utc`; nullopt: it had none.
    void compare(std::optional<UtcTime> service, UtcTime utc) noexcept;

    // Ours minus the service's; nullopt: not known yet.
    [[nodiscard]] std::optional<std::chrono::seconds> skew() const noexcept { return skew_; }
    // Within an hour of the service's. Not before it has answered: a machine may start in the wrong century. A service
    // that gives no Date leaves us with our own.
    [[nodiscard]] bool believed() const noexcept;
    // True once each time the skew passes a minute; false again until it was below half of that.
    [[nodiscard]] bool skew_to_tell() noexcept;

private:
    UtcTime utc_;
    Tick tick_;
    std::optional<std::chrono::seconds> skew_;
    bool answered_ = false;
    bool told_ = false;
};

}  // namespace connector::engine
