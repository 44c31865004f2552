// HTTP/1.1 in clear, as a client: for what is signed by itself (revocation lists), and nothing else. No proxy, no kept
// connections, no credentials: whoever is on the way can read and withhold it. Answers are bounded, redirects refused;
// errors as http_client.hpp has them. cc-io.
#pragma once

#include "daemon/net/http_client.hpp"

namespace connector::net {

// Borrows clock and resolver. kind: misconfigured, code urlInvalid, for a URL that is not of parse_plain_url();
// internal for a request with a credential.
class PlainHttpClient final : public HttpClient {
public:
    PlainHttpClient(ports::Clock& clock, Resolver& resolver, std::string user_agent);
    [[nodiscard]] ports::Async<Response> send(Request request) override;

private:
    ports::Clock& clock_;
    Resolver& resolver_;
    std::string user_agent_;
};

}  // namespace connector::net
