#include "daemon/health/pages.hpp"

#include "core/crypto/encoding.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/printable.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>

namespace connector::health {
namespace {

constexpr std::string_view k_style =
    "body{font:16px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem;color:#1d1d1f}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd}"
    ".ok{color:#176b2c}.degraded{color:#8a5a00}.failed{color:#a4161a}";

std::string html(std::string_view text) {
    std::string safe;
    for (const char c : printable(text, 512)) {
        switch (c) {
            case '&': safe += "&amp;"; break;
            case '<': safe += "&lt;"; break;
            case '>': safe += "&gt;"; break;
            case '"': safe += "&quot;"; break;
            case '\'': safe += "&#39;"; break;
            default: safe += c;
        }
    }
    return safe;
}

std::string_view style_of(std::string_view status) noexcept {
    if (status == "ok" || status == "ready" || status == "up") return "ok";
    if (status == "failed" || status == "notReady" || status == "down") return "failed";
    return "degraded";
}

std::string time_or(const std::optional<UtcTime>& time, std::string_view otherwise) {
    return time ? to_rfc3339(*time) : std::string(otherwise);
}

std::string json_time(const std::optional<UtcTime>& time) {
    return time ? "\"" + to_rfc3339(*time) + "\"" : "null";
}

std::string check_json(const HealthCheck& check) {
    return "{\"name\":" + printable_json(check.name) + ",\"status\":" + printable_json(check.status) +
           ",\"since\":" + json_time(check.since) + ",\"detail\":" + printable_json(check.detail, 512) + "}";
}

void row(std::string& out, std::string_view name, std::string_view value, std::string_view style) {
    out.append("<tr><th scope=\"row\">").append(html(name)).append("</th><td class=\"").append(style);
    out.append("\">").append(html(value)).append("</td></tr>");
}

bool same_text(std::string_view left, std::string_view right) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return left.size() == right.size() && std::equal(left.begin(), left.end(), right.begin(),
                                                     [&lower](char a, char b) { return lower(a) == lower(b); });
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
           ",\"oldestPendingSeconds\":" + std::to_string(snapshot.oldest_pending_seconds) + ",\"authorities\":[";
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

std::string page_html(const HealthSnapshot& snapshot, Page page) {
    std::string out = "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>pfx-connector</title>";
    out += "<meta name=\"viewport\" content=\"width=device-width\"><meta http-equiv=\"refresh\" content=\"15\">";
    out.append("<style>").append(k_style).append(
        "</style></head><body><h1>pfx-connector</h1><p>Status: <strong class=\"");
    out.append(style_of(snapshot.status)).append("\">").append(html(snapshot.status)).append("</strong>, version ");
    out.append(html(snapshot.version)).append(", since ").append(to_rfc3339(snapshot.started_at)).append("</p><table>");
    for (const HealthCheck& check : snapshot.checks) {
        const bool tell = page == Page::full && !check.detail.empty();
        row(out, check.name, tell ? check.status + ": " + check.detail : check.status, style_of(check.status));
    }
    for (const Choice& choice : snapshot.choices)
        row(out, choice.name, (choice.good ? "✓ " : "✗ ") + choice.note, choice.good ? "ok" : "failed");
    out += "</table><h2>Work</h2><table>";
    for (const auto& [stage, count] : snapshot.queue) row(out, stage, std::to_string(count), "");
    row(out, "held, waiting for a person", std::to_string(snapshot.held), snapshot.held == 0 ? "" : "degraded");
    for (const auto& kind : snapshot.frozen) row(out, kind, "stopped until `thaw`", "failed");
    row(out, "oldest pending", std::to_string(snapshot.oldest_pending_seconds) + " s", "");
    row(out, "last lease", time_or(snapshot.last_lease_at, "never"), "");
    row(out, "last delivery", time_or(snapshot.last_delivery_at, "never"), "");
    row(out, "connector certificate expires", time_or(snapshot.certificate_expires_at, "not enrolled"), "");
    out += "</table>";
    if (page == Page::full && !snapshot.authorities.empty()) {
        out += "<h2>Authorities</h2><table>";
        for (const AuthorityHealth& authority : snapshot.authorities)
            row(out, authority.name, authority.state, style_of(authority.state));
        out += "</table>";
    }
    return out + "</body></html>\n";
}

const std::string& page_policy() {
    static const std::string k_policy = [] {
        const Sha256 digest = crypto::OpenSslCrypto().sha256(bytes_of(k_style));
        return "default-src 'none'; style-src 'sha256-" + crypto::to_base64(digest.view()) +
               "'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
    }();
    return k_policy;
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
    if (same_text(host, "localhost")) return true;
    if (std::any_of(hosts.begin(), hosts.end(), [host](const std::string& one) { return same_text(one, host); }))
        return true;
    boost::system::error_code not_literal;
    const auto address = boost::asio::ip::make_address(host, not_literal);
    return !not_literal && address.is_loopback();
}

}  // namespace connector::health
