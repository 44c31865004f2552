// One breaker and one concurrency limit for each authority: a dead one never slows the others, and costs one probe at
// a time. cc-io only.
#pragma once

#include "core/time.hpp"

#include <chrono>
#include <cstdint>
#include <optional>

namespace connector::engine {

struct AuthorityRules {
    std::size_t concurrency = 4;
    std::uint32_t failures = 5;     // in a row, then the breaker opens
    std::chrono::seconds open{30};  // how long before one probe may pass
};

class Breaker {
public:
    explicit Breaker(AuthorityRules rules) : rules_(rules) {}

    // What a reload has brought; who is inside stays.
    void use(AuthorityRules rules) noexcept { rules_ = rules; }
    // nullopt: go, and tell succeeded() or failed() afterwards. Else: how long to wait before asking again.
    [[nodiscard]] std::optional<std::chrono::seconds> enter(Tick now);
    // The authority answered, whatever it said. True where it was down before.
    bool succeeded(UtcTime now);
    // It did not answer, or refused our credential. True where it is down from now on. `asked`: it wants to be left
    // alone for so long (Retry-After), obeyed up to an hour once it is down.
    bool failed(Tick now, UtcTime utc, std::optional<std::chrono::seconds> asked = std::nullopt);
    // Neither: the call was cancelled.
    void left() noexcept;
    // It refused our credential: down for `pause`, whatever the count; asking again and again would lock the account.
    bool park(Tick now, UtcTime utc, std::chrono::seconds pause);
    // A person has mended it: the next call may pass at once.
    void resume(Tick now) noexcept;
    // How many more requests may be given to workers for it: none while it is down, one for the probe.
    // nullopt: as many as the caller thinks right.
    [[nodiscard]] std::optional<std::size_t> room(Tick now) const noexcept;
    [[nodiscard]] std::size_t concurrency() const noexcept { return rules_.concurrency; }

    enum class State { unknown, up, down };
    [[nodiscard]] State state() const noexcept { return state_; }
    [[nodiscard]] UtcTime since() const noexcept { return since_; }
    // Down because it refused our credential.
    [[nodiscard]] bool parked() const noexcept { return state_ == State::down && parked_; }
    // Until it is asked again; nothing where that may be now.
    [[nodiscard]] std::optional<Tick> left_alone_until(Tick now) const noexcept;
    [[nodiscard]] std::size_t inside() const noexcept { return inside_; }
    [[nodiscard]] std::optional<UtcTime> last_success() const noexcept { return last_success_; }

private:
    AuthorityRules rules_;
    State state_ = State::unknown;
    UtcTime since_;
    std::size_t inside_ = 0;
    std::uint32_t failures_ = 0;
    Tick open_until_;
    bool parked_ = false;
    std::optional<UtcTime> last_success_;
};

}  // namespace connector::engine
