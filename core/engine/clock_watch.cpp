#include "core/engine/clock_watch.hpp"

namespace connector::engine {

using std::chrono::seconds;

namespace {

constexpr seconds k_jump{60};
constexpr seconds k_told{60};
constexpr seconds k_believed{3600};

seconds size_of(seconds value) noexcept {
    return value < seconds{0} ? -value : value;
}

}  // namespace

std::optional<seconds> ClockWatch::look(UtcTime utc, Tick tick) {
    const auto jump = (utc - utc_) - std::chrono::floor<seconds>(tick - tick_);
    utc_ = utc;
    tick_ = tick;
    if (size_of(jump) < k_jump) return std::nullopt;
    // What was known of the skew moves with the clock, until the next answer says more.
    if (skew_) *skew_ += jump;
    return jump;
}

void ClockWatch::compare(std::optional<UtcTime> service, UtcTime utc) noexcept {
    answered_ = true;
    if (service) skew_ = utc - *service;
}

bool ClockWatch::believed() const noexcept {
    return answered_ && (!skew_ || size_of(*skew_) < k_believed);
}

bool ClockWatch::skew_to_tell() noexcept {
    if (!skew_) return false;
    if (size_of(*skew_) < k_told / 2) told_ = false;
    if (told_ || size_of(*skew_) < k_told) return false;
    told_ = true;
    return true;
}

}  // namespace connector::engine
