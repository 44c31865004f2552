#include "config/checks.hpp"

#include "core/events.hpp"
#include "core/printable.hpp"
#include "core/request/mailbox.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace connector::config::check {
namespace {

bool digit(char c) {
    return c >= '0' && c <= '9';
}
bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<std::uint16_t> port_of(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size() || port == 0) return std::nullopt;
    return port;
}

bool ip_literal(const std::string& text, int family) {
    std::array<unsigned char, 16> octets{};
    return ::inet_pton(family, text.c_str(), octets.data()) == 1;
}

// RFC 1123 names as A-labels, or addresses; underscores are met in the wild and harm nobody.
bool host_fit(std::string_view host) {
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']')
        return ip_literal(std::string(host.substr(1, host.size() - 2)), AF_INET6);
    if (host.empty() || host.size() > 253 || host.front() == '.' || host.front() == '-' || host.back() == '-')
        return false;
    return host.find("..") == std::string_view::npos && std::all_of(host.begin(), host.end(), [](char c) {
               return letter(c) || digit(c) || c == '-' || c == '.' || c == '_';
           });
}

// host, host:port, [v6], [v6]:port
struct Authority {
    std::string_view host;
    std::string_view port;
    bool has_port = false;
};
Authority split(std::string_view text) {
    const std::size_t bracket = text.rfind(']');
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket))
        return {text, {}, false};
    return {text.substr(0, colon), text.substr(colon + 1), true};
}

bool url_fit(std::string_view rest, bool port_needed, bool path_allowed) {
    const std::size_t slash = rest.find('/');
    const Authority where = split(rest.substr(0, slash));
    if (!host_fit(where.host) || (where.has_port ? !port_of(where.port) : port_needed)) return false;
    if (slash == std::string_view::npos) return true;
    const std::string_view path = rest.substr(slash);
    if (!path_allowed && path != "/") return false;
    return path.find("/../") == std::string_view::npos && !path.ends_with("/..") &&
           std::all_of(path.begin(), path.end(), [](char c) {
               return letter(c) || digit(c) ||
                      std::string_view("-._~!$&'()*+,;=:@%/").find(c) != std::string_view::npos;
           });
}

Complaint unless(bool fit, std::string_view complaint) {
    return fit ? std::nullopt : Complaint(std::string(complaint));
}

}  // namespace

Complaint service_url(std::string_view text) {
    return unless(text.starts_with("https://") && url_fit(text.substr(8), false, true),
                  "an https address: https://host[:port]/path, without user, query or fragment");
}

Complaint proxy_url(std::string_view text) {
    if (text.find('@') != std::string_view::npos)
        return "http://host:port without a user; proxy_user and proxy_password are keys of their own";
    return unless(text.starts_with("http://") && url_fit(text.substr(7), true, false),
                  "http://host:port (the proxy itself is spoken to in clear; what goes through it is TLS end to end)");
}

Complaint published_url(std::string_view text) {
    const std::size_t scheme = text.starts_with("http://") ? 7 : text.starts_with("https://") ? 8 : 0;
    return unless(scheme != 0 && url_fit(text.substr(scheme), false, true),
                  "an http address that devices can reach: http://host[:port]/path");
}

Complaint plain_url(std::string_view text) {
    constexpr std::string_view k_scheme = "http://";
    return unless(text.starts_with(k_scheme) && url_fit(text.substr(k_scheme.size()), false, true),
                  "http://host[:port]/path (a list is signed: https would add nothing)");
}

std::optional<ListenAddress> parse_listen(std::string_view text) {
    const Authority where = split(text);
    const auto port = where.has_port ? port_of(where.port) : std::nullopt;
    if (!port) return std::nullopt;
    if (where.host.starts_with('[') && where.host.ends_with(']')) {
        std::string address(where.host.substr(1, where.host.size() - 2));
        if (!ip_literal(address, AF_INET6)) return std::nullopt;
        const bool loopback = address == "::1";
        return ListenAddress{std::move(address), *port, loopback};
    }
    std::string address(where.host);
    if (!ip_literal(address, AF_INET)) return std::nullopt;
    const bool loopback = address.starts_with("127.");
    return ListenAddress{std::move(address), *port, loopback};
}

Complaint listen_address(std::string_view text) {
    return unless(text.empty() || parse_listen(text),
                  "an address and a port, 127.0.0.1:9464 or [::1]:9464, or \"\" for no endpoint");
}

Complaint oid(std::string_view text) {
    // X.660: the first arc is 0 to 2, and the second below 40 under 0 and 1.
    bool fit = text.size() >= 3 && text[0] >= '0' && text[0] <= '2' && text[1] == '.' && text.size() <= 128;
    std::size_t arcs = 1;
    std::size_t at = 2;
    while (fit && at <= text.size()) {
        const std::size_t end = std::min(text.find('.', at), text.size());
        const std::string_view arc = text.substr(at, end - at);
        fit = !arc.empty() && std::all_of(arc.begin(), arc.end(), digit) && (arc.size() == 1 || arc[0] != '0');
        if (fit && arcs == 1 && text[0] != '2') fit = arc.size() == 1 || (arc.size() == 2 && arc[0] < '4');
        ++arcs;
        at = end + 1;
    }
    return unless(fit, "an object identifier in dots and digits, such as 1.3.6.1.5.5.7.3.2");
}

Complaint mail_domain(std::string_view text) {
    const bool fit = text.find('@') == std::string_view::npos && text.find('*') == std::string_view::npos &&
                     text.find('.') != std::string_view::npos && request::to_a_labels(text).has_value();
    return unless(fit, "whole mail domains such as corp.example (no @, no *; a domain covers only itself)");
}

Complaint host_name(std::string_view text) {
    return unless(host_fit(text), "host names or addresses, without a port");
}

Complaint no_proxy_entry(std::string_view text) {
    const std::string_view host = text.starts_with('.') ? text.substr(1) : text;
    return unless(host_fit(host), "host names, addresses, or .domain for all hosts of a domain");
}

Complaint plain_text(std::string_view text) {
    return unless(!text.empty() && text.size() <= 128 && printable(text) == text, "1 to 128 printable characters");
}

Complaint est_label(std::string_view text) {
    static constexpr std::array<std::string_view, 8> k_operations{
        "cacerts", "simpleenroll", "simplereenroll", "fullcmc", "serverkeygen", "csrattrs", "crls", "eecerts"};
    if (std::find(k_operations.begin(), k_operations.end(), text) != k_operations.end())
        return "the server's name for a CA or a profile; this is the name of an operation";
    return unless(!plain_text(text) && text.find('/') == std::string_view::npos && text != "." && text != "..",
                  "one path segment, without /");
}

Complaint http_user(std::string_view text) {
    return unless(!text.empty() && text.size() <= 128 &&
                      std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~' && c != ':'; }),
                  "1 to 128 ASCII characters without a colon");
}

Complaint account_name(std::string_view text) {
    const bool fit = !text.empty() && text.size() <= 32 && !digit(text[0]) && text[0] != '-' &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return letter(c) || digit(c) || c == '_' || c == '-' || c == '.'; });
    return unless(fit, "the name of a group");
}

Complaint mail_server(std::string_view text) {
    auto rest = text;
    if (rest.starts_with("smtps://"))
        rest.remove_prefix(8);
    else if (rest.starts_with("smtp://"))
        rest.remove_prefix(7);
    else
        return "smtp://host[:port] or smtps://host[:port]";
    const auto colon = rest.find(':');
    const auto host = rest.substr(0, colon);
    const auto port = colon == std::string_view::npos ? std::string_view("25") : rest.substr(colon + 1);
    const bool fit = !host_name(host) && !port.empty() && port.size() <= 5 &&
                     std::all_of(port.begin(), port.end(), [](char c) { return digit(c); });
    return unless(fit, "smtp://host[:port] or smtps://host[:port], and no path, user or password");
}

// RFC 5321 4.1.2 without quoted local parts and SMTPUTF8: what stands in headers and commands unchanged.
Complaint mail_address(std::string_view text) {
    const auto at = text.find('@');
    const bool fit =
        text.size() <= 254 && at != 0 && at != std::string_view::npos && at + 1 < text.size() && text.front() != '-' &&
        text.find('@', at + 1) == std::string_view::npos && std::all_of(text.begin(), text.end(), [](char c) {
            return letter(c) || digit(c) || std::string_view("@.!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
        });
    return unless(fit, "one plain mail address, like connector@corp.example");
}

Complaint notify_event(std::string_view text) {
    return unless(text == "newRecipient" || text == "held" || text == "limit" || find_event(text) != nullptr,
                  "newRecipient, held, limit, or the id of an event (pfx-connector explain events)");
}

Complaint element_name(std::string_view text) {
    const bool fit = !text.empty() && text.size() <= 64 && text[0] != '-' &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return letter(c) || digit(c) || c == '_' || c == '-' || c == '.'; });
    return unless(fit, "1 to 64 of A-Z a-z 0-9 . _ -");
}

std::vector<std::string> split_words(std::string_view text) {
    std::vector<std::string> words;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        if (end != 0) words.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return words;
}

Complaint directory_urls(std::string_view text) {
    const auto urls = split_words(text);
    const bool in_clear =
        std::any_of(urls.begin(), urls.end(), [](const std::string& url) { return url.starts_with("ldap://"); });
    if (in_clear) return "ldaps://host[:port]: over ldap:// anybody on the way could name another owner";
    const bool fit = !urls.empty() && urls.size() <= 8 && std::all_of(urls.begin(), urls.end(), [](const auto& url) {
        return url.starts_with("ldaps://") && url_fit(std::string_view(url).substr(8), false, false);
    });
    return unless(fit, "ldaps://host[:port], or several of these with spaces between, the preferred one first");
}

Complaint directory_name(std::string_view text) {
    constexpr std::size_t k_longest = 1024;
    return unless(!text.empty() && text.size() <= k_longest && printable(text) == text &&
                      text.find('=') != std::string_view::npos && text.front() != '=',
                  "a distinguished name such as OU=People,DC=corp,DC=example");
}

namespace {
Complaint filter(std::string_view text, std::string_view place) {
    constexpr std::size_t k_longest = 1024;
    int depth = 0;
    bool whole = text.size() <= k_longest && printable(text) == text && text.starts_with('(') && text.ends_with(')');
    for (std::size_t i = 0; whole && i < text.size(); ++i) {
        if (text[i] == '(') ++depth;
        if (text[i] == ')') --depth;
        whole = depth > 0 || i + 1 == text.size();
    }
    return unless(whole && depth == 0 && text.find(place) != std::string_view::npos,
                  "a whole filter (RFC 4515) in which " + std::string(place) + " stands for what is looked for");
}
}  // namespace

Complaint user_filter(std::string_view text) {
    return filter(text, "{upn}");
}

Complaint device_filter(std::string_view text) {
    return filter(text, "{device}");
}

Complaint attribute_name(std::string_view text) {
    const bool fit = !text.empty() && text.size() <= 128 && (letter(text[0]) || digit(text[0])) &&
                     std::all_of(text.begin(), text.end(),
                                 [](char c) { return letter(c) || digit(c) || c == '-' || c == '.' || c == ';'; });
    return unless(fit, "the name of an attribute, such as mail");
}

}  // namespace connector::config::check
