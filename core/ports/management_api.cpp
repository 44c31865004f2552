#include "core/ports/management_api.hpp"

namespace connector::ports {

std::string_view to_string(State state) noexcept {
    switch (state) {
        case State::ready: return "ready";
        case State::degraded: return "degraded";
        case State::draining: return "draining";
        case State::not_ready: return "notReady";
    }
    return "notReady";
}

}  // namespace connector::ports
