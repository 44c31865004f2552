#include "daemon/net/url.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <algorithm>
#include <charconv>
#include <utility>

namespace connector::net {
namespace {

Error not_fit(std::string_view text, std::string_view why) {
    return Error(ErrorKind::misconfigured, "urlInvalid",
                 printable(text.substr(0, text.find('?'))) + ": " + std::string(why));
}

bool is_host(std::string_view text) noexcept {
    return !text.empty() && text.size() <= 255 && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
    });
}

}  // namespace

std::string Url::authority() const {
    std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
    return text;
}

std::string Url::target() const {
    std::string text = path.empty() ? "/" : path;
    if (!query.empty()) text += "?" + query;
    return text;
}

std::string Url::text() const {
    return (tls ? "https://" : "http://") + authority() + path;
}

bool Url::contains(const Url& other) const noexcept {
    if (!same_origin(other)) return false;
    if (other.path.size() < path.size() || other.path.compare(0, path.size(), path) != 0) return false;
    return other.path.size() == path.size() || other.path[path.size()] == '/';
}

Url Url::below(std::string_view path_text) const {
    Url longer = *this;
    longer.query.clear();
    longer.path += path_text;
    return longer;
}

namespace {

Result<Url> parse(std::string_view text, bool tls) {
    if (text.size() > 4096) return not_fit(text.substr(0, 100), "too long");
    const auto parsed = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
    if (!parsed) return not_fit(text, "not a URL");
    const boost::urls::url_view& view = *parsed;
    if (view.scheme_id() != (tls ? boost::urls::scheme::https : boost::urls::scheme::http))
        return not_fit(text, tls ? "not an https URL" : "not an http URL");
    if (view.has_userinfo()) return not_fit(text, "holds user information");
    if (view.has_fragment()) return not_fit(text, "holds a fragment");
    Url url;
    url.tls = tls;
    url.port = tls ? 443 : 80;
    url.host = ascii_lower(view.host_address());
    if (!is_host(url.host)) return not_fit(text, "has no usable host");
    if (view.has_port() && !view.port().empty()) {
        const std::string digits(view.port());
        const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
        if (read.ec != std::errc() || url.port == 0) return not_fit(text, "has no usable port");
    }
    for (const std::string& segment : view.segments())
        if (segment == "." || segment == "..") return not_fit(text, "holds dot segments");
    url.path = std::string(view.encoded_path());
    while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
    url.query = std::string(view.encoded_query());
    return url;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
    return parse(text, true);
}

Result<Url> parse_plain_url(std::string_view text) {
    return parse(text, false);
}

std::string encode_segment(std::string_view text) {
    static constexpr std::string_view k_digits = "0123456789ABCDEF";
    std::string encoded;
    encoded.reserve(text.size());
    for (const char c : text) {
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                                c == '-' || c == '.' || c == '_' || c == '~';
        if (unreserved) {
            encoded += c;
            continue;
        }
        const auto octet = static_cast<unsigned char>(c);
        encoded += '%';
        encoded += k_digits[octet >> 4U];
        encoded += k_digits[octet & 15U];
    }
    return encoded;
}

}  // namespace connector::net
