// HTTP/1.1 over verified TLS, as a client: one exchange, one deadline, one Result (RFC 9110, RFC 9112).
// Requests carry Content-Length, never chunked. Redirects are refused, answers are bounded, connections are kept and
// shared. No retry but one: a kept connection that turns out to be dead before an octet of the answer came is replaced.
//
// Errors, mapped here once for everybody:
//   unavailable    dnsFailed, connectFailed, connectionLost, proxyFailed (5xx, not reached)
//   timed_out      timedOut (the request had left), connectTimedOut (it had not)
//   unauthorized   tlsClientRefused (the peer's alert about our certificate), proxyUnauthorized (407)
//   misconfigured  tlsUntrusted (chain, name, dates: OpenSSL's reason in the message), tlsFailed (no common protocol),
//                  proxyRefused (another 4xx of the proxy)
//   invalid        answerInvalid (not HTTP), answerTooLarge, redirectRefused
//   cancelled      cancelled
//   internal       a header that cannot be written
// Every other answer, 4xx and 5xx included, is a Response. All on cc-io.
#pragma once

#include "core/ports/async.hpp"
#include "core/ports/clock.hpp"
#include "core/secret.hpp"
#include "daemon/net/resolver.hpp"
#include "daemon/net/tls_context.hpp"
#include "daemon/net/url.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::net {

inline constexpr std::size_t k_body_limit = 16U * 1024U * 1024U;
// What a peer asks us to wait is obeyed up to here (management API, "Ground rules").
inline constexpr std::chrono::seconds k_retry_after_limit{3600};

// What is sent. Not an aggregate on purpose: GCC 12 destroys aggregate temporaries twice next to a co_await.
struct Request {
    std::string method;
    Url url;
    std::vector<std::pair<std::string, std::string>> headers;  // besides Host, Content-Length, Connection, User-Agent
    std::string content_type;                                  // with a body
    std::string body;
    std::shared_ptr<const SecretBytes> bearer;         // Authorization: Bearer, never in ordinary memory
    std::shared_ptr<const SecretBytes> authorization;  // the whole Authorization value instead (Basic, Negotiate)
    Tick deadline;                                     // for all of it: name, connection, TLS, request and answer
    std::size_t body_limit = k_body_limit;             // octets of the answer's body
    bool idempotent = true;                            // may be repeated where a kept connection was dead
    bool fresh_connection = false;                     // do not use a kept one (a probe)

    Request(std::string request_method, Url request_url, Tick request_deadline)
        : method(std::move(request_method)), url(std::move(request_url)), deadline(request_deadline) {}
};

struct Response {
    unsigned status = 0;
    std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
    std::string body;
    Tick sent;  // when the call began

    // The first of that name (given in lower case), or "".
    [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
    [[nodiscard]] std::optional<UtcTime> date() const;
    // Seconds or HTTP date (RFC 9110 10.2.3), between 0 and `most`; a date is counted from the answer's own Date.
    [[nodiscard]] std::optional<std::chrono::seconds> retry_after(
        std::chrono::seconds most = k_retry_after_limit) const;
    // Without parameters, in lower case.
    [[nodiscard]] std::string media_type() const;
};

class HttpClient {
public:
    virtual ~HttpClient() = default;
    [[nodiscard]] virtual ports::Async<Response> send(Request request) = 0;
};

// Whether a failed exchange may have reached the peer: authorities make kind unknown of it.
[[nodiscard]] bool may_have_arrived(const Error& error) noexcept;

// A CONNECT proxy. TLS to the origin goes through it end to end.
struct Proxy {
    std::string host;
    std::uint16_t port = 3128;
    std::string user;                             // "" = no authentication
    std::shared_ptr<const SecretBytes> password;  // Basic (RFC 7617)
    // Host names that are reached directly: equal, or whole labels below (".corp.example" and "corp.example" both cover
    // a.corp.example); "*" = all; addresses as literals.
    std::vector<std::string> no_proxy;

    [[nodiscard]] bool covers(std::string_view origin_host) const;
};
// "http://host:port", or "host:port". kind: misconfigured, code urlInvalid.
[[nodiscard]] Result<Proxy> parse_proxy(std::string_view text);

// The real client: a few kept connections for each origin. Borrows clock and resolver.
class TlsHttpClient final : public HttpClient {
public:
    // `user_agent`: "pfx-connector/1.0.0".
    TlsHttpClient(ports::Clock& clock, Resolver& resolver, std::shared_ptr<const TlsContext> tls,
                  std::optional<Proxy> proxy, std::string user_agent);
    ~TlsHttpClient() override;
    TlsHttpClient(const TlsHttpClient&) = delete;
    TlsHttpClient& operator=(const TlsHttpClient&) = delete;

    [[nodiscard]] ports::Async<Response> send(Request request) override;

    // New anchors or a new certificate from now on: kept connections are closed, exchanges under way end as they began.
    void use(std::shared_ptr<const TlsContext> tls);
    // And another proxy.
    void use(std::shared_ptr<const TlsContext> tls, std::optional<Proxy> proxy);
    void close_idle() noexcept;

    struct Impl;

private:
    std::shared_ptr<Impl> impl_;
};

}  // namespace connector::net
