// Why a recipient or a person is not believed: errors of kind refused that name the field, as management-api.md's
// result codes have them. Any thread.
#pragma once

#include "core/error.hpp"

#include <cstddef>
#include <string>

namespace connector::trust {

// Of a value that somebody else wrote, in characters.
inline constexpr std::size_t k_longest_shown = 100;

[[nodiscard]] inline Error untrusted(const std::string& why) {
    return Error(ErrorKind::refused, "recipientUntrusted", "/device/recipientCertificate: " + why);
}
// The same, for being out of its time.
[[nodiscard]] inline Error untrusted_now(const std::string& why) {
    auto error = untrusted(why);
    error.by_the_clock = true;
    return error;
}
[[nodiscard]] inline Error unbound(const std::string& why) {
    return Error(ErrorKind::refused, "recipientUnbound", "/user/userPrincipalName: " + why);
}

}  // namespace connector::trust
