// One error type for the whole connector, returned as a value.
// In: nothing. Out: Error, Result<T>. Refuses: exceptions as control flow; they mean "cannot start".
// Any thread; values only.
#pragma once

#include <boost/system/result.hpp>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace connector {

// What went wrong, as a closed set: the disposition table (request/machine) decides on it alone.
enum class ErrorKind {
    invalid,        // their input is wrong
    refused,        // a considered no
    unauthorized,   // a credential was refused
    misconfigured,  // the operator has to change something
    throttled,      // asked to slow down, or a limit of ours is reached
    unavailable,    // cannot be reached now
    timed_out,      // no answer in time, and nothing can have happened
    unknown,        // a submission that may have arrived
    cancelled,      // we are stopping
    integrity,      // stored data is not what we stored
    conflict,       // somebody else changed it first
    internal        // our fault
};

[[nodiscard]] std::string_view to_string(ErrorKind kind) noexcept;

// `code` is a result code of the management API where one fits (`policyRefused`), else a stable
// camelCase word of ours. `message` is for people: printable, at most 512 octets, never a secret or a body.
struct Error {
    ErrorKind kind = ErrorKind::internal;
    std::string code;
    std::string message;
    std::optional<std::chrono::seconds> retry_after;
    bool by_the_clock = false;  // another time of day would have given another answer

    Error() = default;  // boost::system::result<>::error() of 1.81 wants it
    Error(ErrorKind error_kind, std::string error_code, std::string error_message)
        : kind(error_kind), code(std::move(error_code)), message(std::move(error_message)) {}

    // The same error, its message led by where it happened.
    [[nodiscard]] Error in(std::string_view where) const;
};

[[noreturn]] void throw_exception_from_error(const Error& error, const boost::source_location& where);

template <class T>
using Result = boost::system::result<T, Error>;

}  // namespace connector
