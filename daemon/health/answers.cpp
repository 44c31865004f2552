#include "daemon/health/answers.hpp"

#include "core/crypto/encoding.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace connector::health {
namespace {

std::string json_time(const std::optional<UtcTime>& time) {
    return time ? "\"" + to_rfc3339(*time) + "\"" : "null";
}

std::string check_json(const HealthCheck& check) {
    return "{\"name\":" + printable_json(check.name) + ",\"status\":" + printable_json(check.status) +
           ",\"since\":" + json_time(check.since) + ",\"detail\":" + printable_json(check.detail, 512) + "}";
}

}  // namespace

bool is_ready(const HealthSnapshot& snapshot) noexcept {
    if (snapshot.status != "ready" && snapshot.status != "degraded") return false;
    return std::none_of(snapshot.checks.begin(), snapshot.checks.end(),
                        [](const HealthCheck& check) { return check.gates_readiness && check.status == "failed"; });
}

std::string to_json(const HealthSnapshot& snapshot) {
    std::string out = "{\"status\":" + printable_json(snapshot.status) +
                      ",\"version\":" + printable_json(snapshot.version) +
                      ",\"startedAt\":" + json_time(snapshot.started_at) + ",\"checks\":[";
    std::string_view comma;
    for (const HealthCheck& check : snapshot.checks) {
        out.append(comma).append(check_json(check));
        comma = ",";
    }
    out += "],\"queue\":{";
    comma = "";
    for (const auto& [stage, count] : snapshot.queue) {
        out.append(comma).append(printable_json(stage)).append(":").append(std::to_string(count));
        comma = ",";
    }
    out += "},\"held\":" + std::to_string(snapshot.held) + ",\"frozen\":[";
    comma = "";
    for (const auto& kind : snapshot.frozen) {
        out.append(comma).append(printable_json(kind));
        comma = ",";
    }
    out += "],\"lastLeaseAt\":" + json_time(snapshot.last_lease_at) +
           ",\"lastDeliveryAt\":" + json_time(snapshot.last_delivery_at) +
           ",\"oldestPendingSeconds\":" + std::to_string(snapshot.oldest_pending_seconds) +
           ",\"clockSkewSeconds\":" + (snapshot.clock_skew ? std::to_string(snapshot.clock_skew->count()) : "null") +
           ",\"authorities\":[";
    comma = "";
    for (const AuthorityHealth& authority : snapshot.authorities) {
        out.append(comma).append("{\"name\":").append(printable_json(authority.name));
        out.append(",\"state\":").append(printable_json(authority.state));
        out.append(",\"lastSuccessAt\":").append(json_time(authority.last_success_at)).append("}");
        comma = ",";
    }
    return out + "],\"certificateExpiresAt\":" + json_time(snapshot.certificate_expires_at) + "}\n";
}

std::string readiness_json(const HealthSnapshot& snapshot) {
    std::string out = "{\"ready\":" + std::string(is_ready(snapshot) ? "true" : "false") +
                      ",\"status\":" + printable_json(snapshot.status) + ",\"failing\":[";
    std::string_view comma;
    for (const HealthCheck& check : snapshot.checks) {
        if (check.status != "failed") continue;
        out.append(comma).append(check_json(check));
        comma = ",";
    }
    return out + "]}\n";
}

bool holds_token(std::string_view authorization, const SecretBytes& token) {
    const auto space = authorization.find(' ');
    if (space == std::string_view::npos) return false;
    const auto scheme = authorization.substr(0, space);
    const auto given =
        authorization.substr(std::min(authorization.find_first_not_of(' ', space), authorization.size()));
    if (ascii_equal(scheme, "Bearer")) return token.equals(bytes_of(given));
    if (!ascii_equal(scheme, "Basic")) return false;
    const auto pair = crypto::secret_from_base64(given);
    if (!pair) return false;
    // RFC 7617 2: a user's name has no colon.
    const auto colon = pair->reveal_text().find(':');
    return colon != std::string_view::npos && token.equals(pair->view().subspan(colon + 1));
}

HealthAccess fit_for_others(HealthAccess fresh, const HealthAccess& old, bool allow_remote) {
    if (!fresh.tls && !allow_remote) fresh.tls = old.tls;
    if (!fresh.tls) fresh.token.reset();
    return fresh;
}

bool is_our_host(std::string_view host_header, const std::vector<std::string>& hosts) {
    std::string_view host = host_header;
    std::string_view port;
    if (!host.empty() && host.front() == '[') {
        const auto end = host.find(']');
        if (end == std::string_view::npos) return false;
        port = host.substr(end + 1);
        host = host.substr(1, end - 1);
    } else if (const auto colon = host.find(':'); colon != std::string_view::npos) {
        port = host.substr(colon);
        host = host.substr(0, colon);
    }
    const bool port_fits =
        port.empty() ||
        (port.front() == ':' && std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; }));
    if (host.empty() || !port_fits) return false;
    if (ascii_equal(host, "localhost")) return true;
    if (std::any_of(hosts.begin(), hosts.end(), [host](const std::string& one) { return ascii_equal(one, host); }))
        return true;
    boost::system::error_code not_literal;
    const auto address = boost::asio::ip::make_address(host, not_literal);
    return !not_literal && address.is_loopback();
}

}  // namespace connector::health
