// When to try again: exponential with full jitter, bounded. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

namespace connector::request {

struct Backoff {
    std::chrono::seconds first{2};
    std::chrono::seconds longest{900};
};

// `tries` failed tries so far (at least 1), `jitter` in [0,1). Never below one second; `asked` (Retry-After) is a
// floor, obeyed up to an hour.
[[nodiscard]] std::chrono::seconds delay_after(const Backoff& backoff, std::uint32_t tries, double jitter,
                                               std::optional<std::chrono::seconds> asked);

}  // namespace connector::request
