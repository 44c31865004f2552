// For daemon/net's own .cpp files: what TlsContext holds, and the few OpenSSL calls on one connection.
// Kept apart so that nobody else includes Asio's TLS. On cc-io.
#pragma once

#include "core/error.hpp"
#include "core/time.hpp"
#include "daemon/net/tls_context.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>

#include <string>

namespace connector::net {

struct TlsContext::State {
    explicit State(boost::asio::ssl::context::method side) : context(side) {}
    boost::asio::ssl::context context;
    bool identity = false;
};

// Before the handshake: SNI (RFC 6066 3), the name or address the certificate must have, and the time it must be valid
// at. kind: internal.
[[nodiscard]] Result<void> expect_peer(SSL* connection, const std::string& host, UtcTime now);
// Why a handshake, or the first octets after it, failed.
[[nodiscard]] Error tls_error(SSL* connection, const boost::system::error_code& code, const std::string& peer);
// Whether it is the peer's alert about our certificate: with TLS 1.3 it comes after the handshake.
[[nodiscard]] bool is_client_refusal(const boost::system::error_code& code) noexcept;

}  // namespace connector::net
