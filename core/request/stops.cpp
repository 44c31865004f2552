#include "core/request/stops.hpp"

#include <algorithm>

namespace connector::request {

std::string_view to_string(StopCause cause) noexcept {
    switch (cause) {
        case StopCause::frozen: return "frozen";
        case StopCause::tripped: return "tripped";
        case StopCause::clock: return "clock";
    }
    return "";
}

const std::vector<std::string_view>& limit_names() noexcept {
    static const std::vector<std::string_view> k_names{
        "unwrap_users_per_hour",    "unwrap_users_per_day", "deliveries_per_user_per_day",
        "new_recipients_per_day",   "issue_per_hour",       "issue_per_day",
        "issue_per_user_per_day",   "revoke_per_hour",      "revoke_per_day",
        "unwrap_failures_per_hour", "refusals_per_hour"};
    return k_names;
}

bool is_limit(std::string_view name) noexcept {
    return std::ranges::find(limit_names(), name) != limit_names().end();
}

std::vector<Kind> stopped_by(std::string_view limit) {
    if (limit == "unwrap_users_per_hour" || limit == "unwrap_users_per_day" || limit == "unwrap_failures_per_hour")
        return {Kind::pfx_deliver};
    if (limit == "issue_per_hour" || limit == "issue_per_day") return {Kind::pkcs_issue, Kind::pkcs_renew};
    if (limit == "revoke_per_hour" || limit == "revoke_per_day") return {Kind::certificate_revoke};
    // Neither says what the attacker is after.
    if (limit == "new_recipients_per_day" || limit == "refusals_per_hour")
        return {Kind::pkcs_issue, Kind::pkcs_renew, Kind::pfx_deliver};
    return {};
}

std::optional<Kind> act_of(std::string_view limit, Kind kind) noexcept {
    if (limit.starts_with("revoke_")) return Kind::certificate_revoke;
    if (limit.starts_with("issue_") || limit.starts_with("unwrap_users_") || limit.starts_with("deliveries_"))
        return kind;
    return std::nullopt;
}

const std::vector<Kind>& all_kinds() noexcept {
    static const std::vector<Kind> k_kinds{Kind::pkcs_issue, Kind::pkcs_renew, Kind::pfx_deliver, Kind::pfx_withdraw,
                                           Kind::certificate_revoke};
    return k_kinds;
}

const std::vector<Kind>& kinds_by_time() noexcept {
    static const std::vector<Kind> k_kinds{Kind::pkcs_issue, Kind::pkcs_renew, Kind::pfx_deliver};
    return k_kinds;
}

}  // namespace connector::request
