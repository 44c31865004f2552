// The wall clock against the newest time that was ever seen here, which is durable: a clock set back makes what has
// expired or was revoked valid again and opens the meters' windows anew, and a restart forgets what ClockWatch knew.
// Behind by more than ten minutes: told, degraded, and validity goes by the newest time. By more than a day: what hangs
// on time (certificates and deliveries) is stopped until the clock is right or a person says `clock accept`.
// Follows the operator contract (clock floor, `clock accept`). Pure; cc-io.
#pragma once

#include "core/time.hpp"

#include <chrono>

namespace connector::engine {

inline constexpr std::chrono::minutes k_clock_tolerance{10};
inline constexpr std::chrono::hours k_clock_bound{24};

class ClockFloor {
public:
    enum class State { good, behind, held };

    // What the ledger has noted.
    void noted(UtcTime newest) noexcept {
        newest_ = newest;
        known_ = true;
    }
    [[nodiscard]] bool known() const noexcept { return known_; }
    [[nodiscard]] UtcTime newest() const noexcept { return newest_; }
    [[nodiscard]] State judge(UtcTime now) const noexcept;
    // For validities: never more than the tolerance before the newest time.
    [[nodiscard]] UtcTime at_least(UtcTime now) const noexcept;
    // Worth writing down: ten minutes further than what is.
    [[nodiscard]] bool to_note(UtcTime now) const noexcept { return now - newest_ >= k_clock_tolerance; }

    // As it was last told.
    State told = State::good;

private:
    UtcTime newest_{};
    bool known_ = false;
};

}  // namespace connector::engine
