// EST on the wire (RFC 7030, as RFC 8951 put it right): paths, bodies, and what an answer means. Pure; any thread.
// Bodies are taken however a server writes them: base64 with or without line ends, DER, in PEM armour; the
// Content-Transfer-Encoding field is not looked at (RFC 8951 3.1).
#pragma once

#include "core/ports/authority.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/net/url.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::authority::est {

inline constexpr std::string_view k_well_known = "/.well-known/est";
// Of an answer's body: a chain has a few kilobytes.
inline constexpr std::size_t k_body_limit = 512UL * 1024;
// What a 202 may make us wait (RFC 7030 4.2.3 wants it obeyed); the engine looks once a day all the same.
inline constexpr std::chrono::seconds k_longest_wait = std::chrono::days{1};
inline constexpr std::chrono::seconds k_usual_wait{60};  // where it names no time, or 0

enum class Operation { cacerts, simpleenroll };

// `base` without a path is taken to end in /.well-known/est; `label` may be empty (RFC 7030 3.2.2).
[[nodiscard]] net::Url address(const net::Url& base, std::string_view label, Operation operation);
// The body of simpleenroll: base64 in lines of 64 (what OpenSSL's own decoder reads), for application/pkcs10.
[[nodiscard]] std::string enrolment_body(ByteView csr);

// The certificates of a 200. kind: invalid, code answerInvalid, with what came instead.
[[nodiscard]] Result<std::vector<Bytes>> certificates_of(const net::Response& answer);
// How long a 202 makes us wait.
[[nodiscard]] std::chrono::seconds wait_of(const net::Response& answer);

// What any other answer means. `sent`: a signing request went with it, and a fault on the server's side (500, 502, 504)
// may have come after the certificate was made: kind unknown.
//   400, 409, 422 …   refused, authorityRejected, with the server's words made printable
//   401, 403          unauthorized
//   404, 405, 406, 415, 501, 3xx   misconfigured: this is not the place
//   429               throttled;  408, 503 and other 5xx  unavailable; with Retry-After
[[nodiscard]] Error failure_of(Operation operation, const net::Response& answer, const std::string& where);
// What an exchange without an answer means: kind unknown where a signing request may have arrived.
[[nodiscard]] Error failure_of(Operation operation, Error transport);

// EST gives a pending request no name: it is continued by sending the same request again (RFC 7030 4.2.3). So its name
// is where it went and the request itself.
struct Pending {
    std::string label;
    Bytes csr;
};
[[nodiscard]] std::string name_of(const Pending& pending);
[[nodiscard]] std::optional<Pending> parse_pending(std::string_view name);

// Which of the certificates is the one for this key, and the others. Where none has the key, the first that issued none
// of the others is taken: the caller will find it does not match, and can say so. kind: invalid, code answerInvalid,
// for no certificate.
[[nodiscard]] Result<ports::IssuedAnswer> issued_from(std::vector<Bytes> certificates, ByteView spki);

}  // namespace connector::authority::est
