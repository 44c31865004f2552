#include "core/error.hpp"

#include <stdexcept>

namespace connector {

std::string_view to_string(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::invalid: return "invalid";
        case ErrorKind::refused: return "refused";
        case ErrorKind::unauthorized: return "unauthorized";
        case ErrorKind::misconfigured: return "misconfigured";
        case ErrorKind::throttled: return "throttled";
        case ErrorKind::unavailable: return "unavailable";
        case ErrorKind::timed_out: return "timedOut";
        case ErrorKind::unknown: return "unknown";
        case ErrorKind::cancelled: return "cancelled";
        case ErrorKind::integrity: return "integrity";
        case ErrorKind::conflict: return "conflict";
        case ErrorKind::internal: return "internal";
    }
    return "internal";
}

Error Error::in(std::string_view where) const {
    Error led = *this;
    led.message = std::string(where) + ": " + message;
    return led;
}

void throw_exception_from_error(const Error& error, const boost::source_location&) {
    throw std::runtime_error(error.code + ": " + error.message);
}

}  // namespace connector
