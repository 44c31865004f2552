// The meters: [limits] as data. A charge is counted durably with the record's commit, before the unwrap or the
// submission. Pure; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace connector::request {

// One thing counted against one limit. `subject`: what is counted as one (a person for unwrap_users_*). A repeated
// subject of a "distinct" meter costs nothing more within the window.
struct Charge {
    std::string meter;    // the limit's name in [limits]
    std::string scope;    // "" or the person for per-user limits
    std::string subject;  // the request id, or the person for distinct meters
    std::chrono::seconds window{3600};
    std::uint32_t limit = 0;  // 0 = no limit, counted all the same
    bool distinct = false;
    bool takes = true;    // false: asks whether there is room and takes none
    bool waived = false;  // a person let it go on: counted, not enforced
};

struct Limits {
    std::uint32_t unwrap_users_per_hour = 25;
    std::uint32_t unwrap_users_per_day = 100;
    std::uint32_t deliveries_per_user_per_day = 10;
    std::uint32_t new_recipients_per_day = 50;
    std::uint32_t issue_per_hour = 200;
    std::uint32_t issue_per_day = 1000;
    std::uint32_t issue_per_user_per_day = 10;
    std::uint32_t revoke_per_hour = 10;
    std::uint32_t revoke_per_day = 50;
    std::uint32_t unwrap_failures_per_hour = 20;
    std::uint32_t refusals_per_hour = 100;
};

// A meter's use, for status and metrics.
struct MeterUse {
    std::string meter;
    std::uint32_t used = 0;
    std::uint32_t limit = 0;
    std::uint32_t above = 0;  // asked for beyond it, in the same time: held
};

// The number in [limits] of that name; 0 where there is none.
[[nodiscard]] std::uint32_t limit_of(const Limits& limits, std::string_view name) noexcept;

// `person`: the proved name in one spelling (trust/register). The user id is the service's word, and would be a new one
// for each order.
[[nodiscard]] std::vector<Charge> issue_charges(const Limits& limits, const std::string& person,
                                                const std::string& request);
[[nodiscard]] std::vector<Charge> unwrap_charges(const Limits& limits, const std::string& person,
                                                 const std::string& request);
[[nodiscard]] Charge new_recipient_charge(const Limits& limits, const std::string& device_key);
[[nodiscard]] std::vector<Charge> revoke_charges(const Limits& limits, const std::string& request);
// importUndecryptable; recipientUntrusted, recipientUnbound, policyRefused and orderChanged: counted after the fact.
[[nodiscard]] Charge unwrap_failure_charge(const Limits& limits, const std::string& request);
// Before an unwrap: whether so many have failed already that no more is tried.
[[nodiscard]] Charge unwrap_failure_room(const Limits& limits, const std::string& request);
[[nodiscard]] Charge refusal_charge(const Limits& limits, const std::string& request);

}  // namespace connector::request
