// What is stopped here, by a person or by a limit exceeded twofold, and which limits a person has raised for a time.
// Stopped: none of the kind is leased, worked or sent, across restarts, until a person says `thaw`. certificate.revoke
// stands for every revocation, orphans included. Pure; any thread.
#pragma once

#include "core/request/request.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace connector::request {

// clock: behind the newest time seen; ends when it is right again, or by `clock accept`.
enum class StopCause { frozen, tripped, clock };
[[nodiscard]] std::string_view to_string(StopCause cause) noexcept;

struct Stop {
    Kind kind = Kind::pkcs_issue;
    StopCause cause = StopCause::frozen;
    std::string limit;   // tripped: the limit's name in [limits]
    std::string by;      // frozen: the local account
    std::string reason;  // figures, or what the person said
    UtcTime since;
    bool operator==(const Stop&) const = default;
};

// A limit that is higher for a time. Ends by itself.
struct Raise {
    std::string limit;
    std::uint32_t to = 0;
    std::string by;
    std::string reason;
    UtcTime given;
    UtcTime until;
    [[nodiscard]] bool holds_at(UtcTime now) const noexcept { return given <= now && now < until; }
};

// All names of [limits], in the order of the manual.
[[nodiscard]] const std::vector<std::string_view>& limit_names() noexcept;
[[nodiscard]] bool is_limit(std::string_view name) noexcept;
// What a limit stops at twice its number. Empty for the limits of one person: one who asks too often is held, and must
// not stop the work for everybody.
[[nodiscard]] std::vector<Kind> stopped_by(std::string_view limit);
// What a charge on this limit is about to do, and may not while that is stopped: `kind` is the request's own.
// nullopt: it counts what has happened.
[[nodiscard]] std::optional<Kind> act_of(std::string_view limit, Kind kind) noexcept;
// Everything there is, for `freeze` without kinds.
[[nodiscard]] const std::vector<Kind>& all_kinds() noexcept;
// What hangs on validities and meters.
[[nodiscard]] const std::vector<Kind>& kinds_by_time() noexcept;

}  // namespace connector::request
