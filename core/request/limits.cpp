#include "core/request/limits.hpp"

namespace connector::request {
namespace {

constexpr std::chrono::seconds k_hour = std::chrono::hours{1};
constexpr std::chrono::seconds k_day = std::chrono::hours{24};

}  // namespace

std::vector<Charge> issue_charges(const Limits& limits, const std::string& user, const std::string& request) {
    return {{"issue_per_hour", "", request, k_hour, limits.issue_per_hour, false},
            {"issue_per_day", "", request, k_day, limits.issue_per_day, false},
            {"issue_per_user_per_day", user, request, k_day, limits.issue_per_user_per_day, false}};
}

std::vector<Charge> unwrap_charges(const Limits& limits, const std::string& user, const std::string& request) {
    // People, not openings: one theft of everybody's keys is what these two are to stop.
    return {{"unwrap_users_per_hour", "", user, k_hour, limits.unwrap_users_per_hour, true},
            {"unwrap_users_per_day", "", user, k_day, limits.unwrap_users_per_day, true},
            {"deliveries_per_user_per_day", user, request, k_day, limits.deliveries_per_user_per_day, false}};
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

Charge refusal_charge(const Limits& limits, const std::string& request) {
    return {"refusals_per_hour", "", request, k_hour, limits.refusals_per_hour, false};
}

}  // namespace connector::request
