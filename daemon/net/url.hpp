// https URLs as far as the connector needs them (RFC 3986): an origin and a path; http where what is fetched is signed.
// Refuses: every other scheme, user information, fragments, dot segments. Any thread; values only.
#pragma once

#include "core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace connector::net {

struct Url {
    std::string host;  // lower case; an IPv6 address without brackets
    std::uint16_t port = 443;
    std::string path;   // as written, "" or beginning with "/", no trailing "/"
    std::string query;  // without "?"
    bool tls = true;    // false: http, by parse_plain_url() alone

    // Host and port as a Host header has them: the port only where it is not the scheme's.
    [[nodiscard]] std::string authority() const;
    [[nodiscard]] std::string target() const;  // path and query, at least "/"
    [[nodiscard]] std::string text() const;    // without the query: fit for logs
    [[nodiscard]] bool same_origin(const Url& other) const noexcept {
        return host == other.host && port == other.port && tls == other.tls;
    }
    // The same origin and, in whole segments, below this URL's path.
    [[nodiscard]] bool contains(const Url& other) const noexcept;
    // This URL with "/segment…" added to the path; the text is taken as it is (see encode_segment).
    [[nodiscard]] Url below(std::string_view path_text) const;
};

// kind: misconfigured, code urlInvalid (it is the operator's, or a peer's, text).
[[nodiscard]] Result<Url> parse_url(std::string_view text);
// The same for http, which PlainHttpClient alone takes.
[[nodiscard]] Result<Url> parse_plain_url(std::string_view text);
// RFC 3986 3.3: everything but the unreserved characters as %XX.
[[nodiscard]] std::string encode_segment(std::string_view text);

}  // namespace connector::net
