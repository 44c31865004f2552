// A TLS peer for tests: certificates made at run time, a server that plays a script, a proxy, and a clock that stands
// still. Everything on the test's own io_context, so that nothing sleeps.
#pragma once

#include "core/async/deadline.hpp"
#include "core/crypto/issue.hpp"
#include "core/crypto/key.hpp"
#include "core/ports/clock.hpp"
#include "daemon/net/http_client.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::net_test {

// Time passes by advance() alone.
class StillClock final : public ports::Clock {
public:
    explicit StillClock(boost::asio::io_context& io) : io_(io) {}
    [[nodiscard]] UtcTime utc() const override;
    [[nodiscard]] Tick tick() const override { return now_; }
    [[nodiscard]] boost::asio::awaitable<void> wait_until(Tick when) override;
    void advance(std::chrono::nanoseconds by);

private:
    struct Waiter;
    using Queue = std::multimap<Tick, Waiter*>;
    boost::asio::io_context& io_;
    Tick now_{std::chrono::hours(1)};
    std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

// A certificate with its key.
struct Holder {
    Bytes certificate;  // DER
    crypto::PrivateKey key;
};
// P-256; valid from a day before the clock's start to a day after, unless `expired`.
[[nodiscard]] Holder make_root(const std::string& name);
[[nodiscard]] Holder make_server(const Holder& root, const std::vector<GeneralName>& names, bool expired);
[[nodiscard]] Holder make_client(const Holder& root, const std::string& name);
[[nodiscard]] net::TlsIdentity identity_of(const Holder& holder);

struct Reply {
    std::string text;            // the whole answer, or a part of it
    bool close = false;          // close afterwards
    bool hang = false;           // never another octet
    std::function<void()> then;  // called after the text is sent (or, hanging, at once)
};
struct Seen {
    int connection = 0;  // counted from 1
    std::string head;
    std::string body;
};

struct PeerOptions {
    std::optional<Bytes> client_root;  // DER: a client certificate of it is required
    bool tls_1_1_only = false;
    bool tls_1_2_only = false;
    bool hang_in_handshake = false;
    std::function<void()> on_accept;
    PeerOptions() = default;
};

// Listens on 127.0.0.1.
class Peer {
public:
    using Script = std::function<Reply(const Seen&)>;
    Peer(boost::asio::io_context& io, const Holder& holder, PeerOptions options, Script script);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const std::vector<Seen>& seen() const;
    [[nodiscard]] int connections() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// A CONNECT proxy that goes to one port of 127.0.0.1 whatever is asked for; answers `refusal` instead if it is not "".
class ProxyPeer {
public:
    ProxyPeer(boost::asio::io_context& io, std::uint16_t target, std::string refusal);
    ~ProxyPeer();
    ProxyPeer(const ProxyPeer&) = delete;
    ProxyPeer& operator=(const ProxyPeer&) = delete;
    [[nodiscard]] std::uint16_t port() const;
    [[nodiscard]] const std::vector<std::string>& heads() const;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// Names as the test says; every other name fails.
class TableResolver final : public net::Resolver {
public:
    std::map<std::string, std::vector<std::string>> table;
    int asked = 0;
    [[nodiscard]] ports::Async<std::vector<boost::asio::ip::address>> resolve(std::string host) override;
};

// An answer with Content-Length.
[[nodiscard]] std::string answer(unsigned status, const std::string& body, const std::string& more_headers);

// Runs the io_context until the operation is done.
template <class T>
Result<T> run(boost::asio::io_context& io, ports::Async<T> operation) {
    std::optional<Result<T>> result;
    std::exception_ptr thrown;
    auto body = [](ports::Async<T> inner, std::optional<Result<T>>& out) -> boost::asio::awaitable<void> {
        out.emplace(co_await std::move(inner));
    };
    auto task = body(std::move(operation), result);
    boost::asio::co_spawn(io, std::move(task), [&thrown, &io](std::exception_ptr error) {
        thrown = error;
        io.stop();
    });
    io.restart();
    io.run();
    if (thrown) std::rethrow_exception(thrown);
    return std::move(*result);
}

}  // namespace connector::net_test
