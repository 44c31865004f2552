#include "core/printable.hpp"
#include "daemon/net/http_client.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <charconv>

namespace connector::net {
bool Proxy::covers(std::string_view origin_host) const {
    const std::string wanted = ascii_lower(origin_host);
    return std::any_of(no_proxy.begin(), no_proxy.end(), [&wanted](const std::string& entry) {
        std::string name = ascii_lower(entry);
        if (name == "*") return true;
        if (name.size() > 2 && name.front() == '[' && name.back() == ']') name = name.substr(1, name.size() - 2);
        if (!name.empty() && name.front() == '.') name.erase(0, 1);
        if (name.empty()) return false;
        if (wanted == name) return true;
        return wanted.size() > name.size() && wanted.ends_with(name) && wanted[wanted.size() - name.size() - 1] == '.';
    });
}

Result<Proxy> parse_proxy(std::string_view text) {
    const Error wrong(ErrorKind::misconfigured, "urlInvalid", "proxy: not of the form http://host:port");
    std::string_view rest = text;
    if (rest.starts_with("http://")) rest.remove_prefix(7);
    // A proxy that is itself reached by TLS is not built; the user has a key of his own, so that no password is in a
    // URL.
    if (rest.find("://") != std::string_view::npos || rest.find('@') != std::string_view::npos) return wrong;
    if (!rest.empty() && rest.back() == '/') rest.remove_suffix(1);
    Proxy proxy;
    std::string_view port;
    if (!rest.empty() && rest.front() == '[') {
        const auto end = rest.find(']');
        if (end == std::string_view::npos) return wrong;
        proxy.host = ascii_lower(rest.substr(1, end - 1));
        rest.remove_prefix(end + 1);
        if (!rest.empty() && rest.front() != ':') return wrong;
        if (!rest.empty()) port = rest.substr(1);
    } else {
        const auto colon = rest.find(':');
        proxy.host = ascii_lower(rest.substr(0, colon));
        if (colon != std::string_view::npos) port = rest.substr(colon + 1);
    }
    const bool fit = !proxy.host.empty() && std::all_of(proxy.host.begin(), proxy.host.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_' || c == ':';
    });
    if (!fit) return wrong;
    if (!port.empty()) {
        const auto read = std::from_chars(port.data(), port.data() + port.size(), proxy.port);
        if (read.ec != std::errc() || read.ptr != port.data() + port.size() || proxy.port == 0) return wrong;
    }
    return proxy;
}

}  // namespace connector::net
