#include "core/engine/clock_watch.hpp"

namespace connector::engine {

using std::chrono::seconds;

namespace {

constexpr seconds k_jump{60};
constexpr seconds k_told{60};
constexpr seconds k_astray{600};
constexpr seconds k_verdict{600};  // longer than any step takes to come to one
constexpr seconds k_believed{3600};

seconds size_of(seconds value) noexcept {
    return value < seconds{0} ? -value : value;
}

}  // namespace

std::optional<seconds> ClockWatch::look(UtcTime utc, Tick tick) {
    const auto jump = jump_until(utc, tick);
    utc_ = utc;
    tick_ = tick;
    if (size_of(jump) < k_jump) return std::nullopt;
    last_jump_ = tick;
    // What was known of the skew moves with the clock, until the next answer says more.
    if (skew_)
        *skew_ += jump;
    else
        answered_ = false;
    astray_ += jump;
    return jump;
}

seconds ClockWatch::jump_until(UtcTime utc, Tick tick) const noexcept {
    return (utc - utc_) - std::chrono::floor<seconds>(tick - tick_);
}

void ClockWatch::compare(std::optional<UtcTime> service, UtcTime utc) noexcept {
    answered_ = true;
    if (service) skew_ = utc - *service;
    if (service && size_of(astray_) >= k_astray && !agrees(*skew_)) return;
    astray_ = seconds{0};
    usual_skew_ = skew_;
}

bool ClockWatch::agrees(seconds skew) const noexcept {
    return size_of(skew) < k_believed || (usual_skew_ && size_of(skew - *usual_skew_) < k_believed);
}

bool ClockWatch::astray(UtcTime utc, Tick tick) const noexcept {
    auto unseen = jump_until(utc, tick);
    if (size_of(unseen) < k_jump) unseen = seconds{0};
    return size_of(astray_ + unseen) >= k_astray && !(skew_ && agrees(*skew_ + unseen));
}

bool ClockWatch::doubtful(UtcTime utc, Tick tick) const noexcept {
    const bool moved_lately =
        size_of(jump_until(utc, tick)) >= k_jump || (last_jump_ && tick - *last_jump_ < k_verdict);
    return !answered_ || moved_lately || astray(utc, tick) || (skew_ && size_of(*skew_) >= k_told);
}

bool ClockWatch::believed(UtcTime utc, Tick tick) const noexcept {
    return answered_ && size_of(jump_until(utc, tick)) < k_jump && (!skew_ || size_of(*skew_) < k_believed);
}

bool ClockWatch::confirmed(UtcTime utc, Tick tick) const noexcept {
    return skew_ && believed(utc, tick);
}

bool ClockWatch::skew_to_tell() noexcept {
    if (!skew_) return false;
    if (size_of(*skew_) < k_told / 2) told_ = false;
    if (told_ || size_of(*skew_) < k_told) return false;
    told_ = true;
    return true;
}

}  // namespace connector::engine
