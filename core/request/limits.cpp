#include "core/request/limits.hpp"

namespace connector::request {
namespace {

constexpr std::chrono::seconds k_hour = std::chrono::hours{1};
constexpr std::chrono::seconds k_day = std::chrono::hours{24};

}  // namespace

std::uint32_t limit_of(const Limits& limits, std::string_view name) noexcept {
    if (name == "unwrap_users_per_hour") return limits.unwrap_users_per_hour;
    if (name == "unwrap_users_per_day") return limits.unwrap_users_per_day;
    if (name == "deliveries_per_user_per_day") return limits.deliveries_per_user_per_day;
    if (name == "new_recipients_per_day") return limits.new_recipients_per_day;
    if (name == "issue_per_hour") return limits.issue_per_hour;
    if (name == "issue_per_day") return limits.issue_per_day;
    if (name == "issue_per_user_per_day") return limits.issue_per_user_per_day;
    if (name == "revoke_per_hour") return limits.revoke_per_hour;
    if (name == "revoke_per_day") return limits.revoke_per_day;
    if (name == "unwrap_failures_per_hour") return limits.unwrap_failures_per_hour;
    if (name == "refusals_per_hour") return limits.refusals_per_hour;
    return 0;
}

std::vector<Charge> issue_charges(const Limits& limits, const std::string& person, const std::string& request) {
    return {{"issue_per_hour", "", request, k_hour, limits.issue_per_hour, false},
            {"issue_per_day", "", request, k_day, limits.issue_per_day, false},
            {"issue_per_user_per_day", person, request, k_day, limits.issue_per_user_per_day, false}};
}

std::vector<Charge> unwrap_charges(const Limits& limits, const std::string& person, const std::string& request) {
    // People, not openings: one theft of everybody's keys is what these two are to stop.
    return {{"unwrap_users_per_hour", "", person, k_hour, limits.unwrap_users_per_hour, true},
            {"unwrap_users_per_day", "", person, k_day, limits.unwrap_users_per_day, true},
            {"deliveries_per_user_per_day", person, request, k_day, limits.deliveries_per_user_per_day, false}};
}

Charge new_recipient_charge(const Limits& limits, const std::string& device_key) {
    return {"new_recipients_per_day", "", device_key, k_day, limits.new_recipients_per_day, true};
}

std::vector<Charge> revoke_charges(const Limits& limits, const std::string& request) {
    // Certificates, not tries: one that an authority cannot revoke yet must not use up the others' places.
    return {{"revoke_per_hour", "", request, k_hour, limits.revoke_per_hour, true},
            {"revoke_per_day", "", request, k_day, limits.revoke_per_day, true}};
}

Charge unwrap_failure_charge(const Limits& limits, const std::string& request) {
    return {"unwrap_failures_per_hour", "", request, k_hour, limits.unwrap_failures_per_hour, false};
}

Charge unwrap_failure_room(const Limits& limits, const std::string& request) {
    Charge room = unwrap_failure_charge(limits, request);
    room.takes = false;
    return room;
}

Charge refusal_charge(const Limits& limits, const std::string& request) {
    return {"refusals_per_hour", "", request, k_hour, limits.refusals_per_hour, false};
}

}  // namespace connector::request
