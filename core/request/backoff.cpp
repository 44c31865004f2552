#include "core/request/backoff.hpp"

#include <algorithm>

namespace connector::request {

std::chrono::seconds delay_after(const Backoff& backoff, std::uint32_t tries, double jitter,
                                 std::optional<std::chrono::seconds> asked) {
    using std::chrono::seconds;
    constexpr seconds k_longest_asked{3600};
    constexpr std::uint32_t k_most_doublings = 20;
    const std::uint32_t doublings = std::min(tries == 0 ? 0U : tries - 1, k_most_doublings);
    const auto ceiling = std::min<std::int64_t>(backoff.first.count() << doublings, backoff.longest.count());
    const auto jittered = static_cast<std::int64_t>(static_cast<double>(ceiling) * std::clamp(jitter, 0.0, 1.0));
    const seconds floor = asked ? std::clamp(*asked, seconds{1}, k_longest_asked) : seconds{1};
    return std::max(seconds{jittered}, floor);
}

}  // namespace connector::request
