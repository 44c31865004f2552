// Whether the wall clock can be believed: it is held against the monotonic clock (jumps) and against the service's Date
// (skew). What ends by age (holds, packages, old rows) is ended only while the wall clock is believed; nobody is
// refused for a validity while it is doubtful; and between a jump and the next answer that agrees nothing is judged by
// it. The service's Date decides nothing else: it may lie, and then delays what it could as well not have ordered.
// cc-io.
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
    // Within an hour of the service's, and not jumped since the last look. Not before it has answered: a machine may
    // start in the wrong century. A service that gives no Date leaves us with our own.
    [[nodiscard]] bool believed(UtcTime utc, Tick tick) const noexcept;
    // The same by a Date, and by nothing less: for what cannot be undone. Whoever starts in the wrong century and gets
    // an answer without one knows nothing.
    [[nodiscard]] bool confirmed(UtcTime utc, Tick tick) const noexcept;
    // It has jumped by ten minutes or more, looked at or not yet, and is neither within an hour of the service's nor as
    // far from it as before the jump, by what was known of that or by an answer since.
    [[nodiscard]] bool astray(UtcTime utc, Tick tick) const noexcept;
    // Astray, or a minute and more from the service's, or moved within the last ten minutes, or the service has not
    // answered yet: what is not valid now may be.
    [[nodiscard]] bool doubtful(UtcTime utc, Tick tick) const noexcept;
    // True once each time the skew passes a minute; false again until it was below half of that.
    [[nodiscard]] bool skew_to_tell() noexcept;

private:
    UtcTime utc_;
    Tick tick_;
    [[nodiscard]] bool agrees(std::chrono::seconds skew) const noexcept;
    [[nodiscard]] std::chrono::seconds jump_until(UtcTime utc, Tick tick) const noexcept;

    std::optional<std::chrono::seconds> skew_;
    std::optional<std::chrono::seconds> usual_skew_;  // when the clock was last not astray
    std::chrono::seconds astray_{0};                  // the jumps since then
    std::optional<Tick> last_jump_;
    bool answered_ = false;
    bool told_ = false;
};

}  // namespace connector::engine
