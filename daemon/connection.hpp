// How the management service is reached, as [management] says: where, by which proxy, with which trust anchors and as
// whom. Reads files and asks no peer. Any thread; blocking.
#pragma once

#include "config/settings.hpp"
#include "daemon/net/http_client.hpp"

#include <memory>
#include <optional>

namespace connector::daemon {

struct Connection {
    net::Url service;
    std::shared_ptr<const net::TlsContext> tls;
    std::optional<net::Proxy> proxy;
};

// `identity`: the connector's certificate for mutual TLS. kind: misconfigured, naming the key.
[[nodiscard]] Result<Connection> connection_of(const config::Management& management,
                                               std::optional<net::TlsIdentity> identity);

}  // namespace connector::daemon
