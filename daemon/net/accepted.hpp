// Accepted: a connection that somebody has opened to us, in clear or under TLS (RFC 8446).
// On cc-io; one call at a time, but for close(), after which every call ends. Times are the caller's business.
#pragma once

#include "core/error.hpp"
#include "core/ports/async.hpp"
#include "daemon/net/tls_context.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <string>

namespace connector::net {

class Accepted {
public:
    // `tls`: TlsContext::serve(); nullptr: in clear.
    Accepted(boost::asio::ip::tcp::socket socket, std::shared_ptr<const TlsContext> tls);
    ~Accepted();
    Accepted(const Accepted&) = delete;
    Accepted& operator=(const Accepted&) = delete;

    [[nodiscard]] bool secure() const noexcept;
    // The handshake; nothing to be done in clear. kind unavailable: the peer speaks no such TLS, or has gone.
    [[nodiscard]] ports::Async<void> begin();
    // At least one octet. kind unavailable: the peer has ended.
    [[nodiscard]] ports::Async<std::size_t> read_some(std::span<char> into);
    [[nodiscard]] ports::Async<void> write(std::string text);
    // Nothing more is written; waits until the peer ends too, since a reset could eat what was written last.
    [[nodiscard]] ports::Async<void> end();
    void close() noexcept;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace connector::net
