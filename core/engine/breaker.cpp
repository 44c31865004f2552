#include "core/engine/breaker.hpp"

#include <algorithm>

namespace connector::engine {

std::optional<std::chrono::seconds> Breaker::enter(Tick now) {
    using std::chrono::seconds;
    if (state_ == State::down) {
        if (now < open_until_) return std::max(seconds{1}, std::chrono::ceil<seconds>(open_until_ - now));
        if (inside_ != 0) return rules_.open;  // the probe is under way
    } else if (inside_ >= rules_.concurrency) {
        return seconds{1};
    }
    ++inside_;
    return std::nullopt;
}

bool Breaker::succeeded(UtcTime now) {
    left();
    failures_ = 0;
    parked_ = false;
    last_success_ = now;
    if (state_ == State::up) return false;
    const bool was_down = state_ == State::down;
    state_ = State::up;
    since_ = now;
    return was_down;
}

bool Breaker::failed(Tick now, UtcTime utc, std::optional<std::chrono::seconds> asked) {
    constexpr std::chrono::seconds k_longest_asked{3600};
    const Tick until = now + std::max(rules_.open, std::min(asked.value_or(rules_.open), k_longest_asked));
    left();
    ++failures_;
    if (state_ == State::down) {
        parked_ = parked_ && now < open_until_;  // before its end it was no probe, but on its way already
        open_until_ = std::max(open_until_, until);
        return false;
    }
    if (failures_ < rules_.failures) return false;
    state_ = State::down;
    since_ = utc;
    open_until_ = until;
    return true;
}

void Breaker::left() noexcept {
    if (inside_ != 0) --inside_;
}

bool Breaker::park(Tick now, UtcTime utc, std::chrono::seconds pause) {
    left();
    const bool was_down = state_ == State::down;
    if (!was_down) since_ = utc;
    state_ = State::down;
    parked_ = true;
    open_until_ = now + pause;
    return !was_down;
}

void Breaker::resume(Tick now) noexcept {
    open_until_ = now;
    parked_ = false;
}

std::optional<Tick> Breaker::left_alone_until(Tick now) const noexcept {
    if (state_ != State::down || open_until_ <= now) return std::nullopt;
    return open_until_;
}

std::optional<std::size_t> Breaker::room(Tick now) const noexcept {
    if (state_ != State::down) return std::nullopt;
    return now < open_until_ || inside_ != 0 ? 0U : 1U;
}

}  // namespace connector::engine
