// What is wrong with a profile of an order, by RFC 6901 pointer. Any thread.
#pragma once

#include "core/error.hpp"
#include "core/printable.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace connector::request {

inline constexpr std::string_view k_subject = "/profile/subject";
inline constexpr std::size_t k_longest_message = 400;

// kind: invalid, code invalidRequest.
[[nodiscard]] inline Error invalid(std::string_view pointer, const std::string& message) {
    return Error(ErrorKind::invalid, "invalidRequest",
                 std::string(pointer) + ": " + printable(message, k_longest_message));
}

}  // namespace connector::request
