#include "core/engine/lease_watch.hpp"

#include <utility>

namespace connector::engine {

using namespace std::chrono_literals;

bool LeaseWatch::look(bool wanted, Tick now, std::chrono::seconds poll_wait) noexcept {
    constexpr auto k_patience = 3min;  // a handful of calls, each with its pause
    constexpr auto k_slept = 2min;     // between two looks: longer than a heartbeat's call takes
    if (!wanted) {
        answered();
        return false;
    }
    // A process that was stopped for a while has not been left waiting: the answer lies in its socket.
    const bool slept = now - std::exchange(looked_, now) >= k_slept;
    if (!waiting_since_ || slept) waiting_since_ = now;
    if (stalled_ || now - *waiting_since_ < k_patience + poll_wait) return false;
    stalled_ = true;
    return true;
}

}  // namespace connector::engine
