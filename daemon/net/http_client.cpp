#include "daemon/net/http_client.hpp"

#include "core/async/deadline.hpp"
#include "core/printable.hpp"
#include "daemon/net/http_message.hpp"
#include "daemon/net/tls_state.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <map>
#include <utility>

namespace connector::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t k_most_kept = 4;          // for each origin
constexpr std::chrono::seconds k_kept_for{50};  // common servers close at 60 s and more

Error gone(ErrorKind kind, std::string code, const std::string& where, const error_code& why) {
    if (why == asio::error::operation_aborted) return Error(ErrorKind::cancelled, "cancelled", where + ": given up");
    return Error(kind, std::move(code), where + ": " + printable(why.message()));
}

}  // namespace

struct TlsHttpClient::Impl {
    // One TLS connection; it keeps its context alive, and knows of which generation it is.
    struct Connection {
        std::shared_ptr<const TlsContext> tls;
        asio::ssl::stream<tcp::socket> stream;
        std::uint64_t generation;
        Tick idle_since{};
        std::array<char, k_read_size> incoming{};

        Connection(tcp::socket socket, std::shared_ptr<const TlsContext> context, std::uint64_t of)
            : tls(std::move(context)), stream(std::move(socket), tls->state().context), generation(of) {}

        // Quiet is alive. Octets that nobody asked for, a close, an alert: dead.
        [[nodiscard]] bool alive() {
            error_code code;
            auto& socket = stream.next_layer();
            socket.non_blocking(true, code);
            char octet = 0;
            socket.receive(asio::buffer(&octet, 1), tcp::socket::message_peek, code);
            return code == asio::error::would_block || code == asio::error::try_again;
        }
    };
    using ConnectionPtr = std::unique_ptr<Connection>;
    // What one exchange has come to, for those who ask after it failed.
    struct Progress {
        bool sent = false;      // octets of the request may have left
        bool received = false;  // octets of the answer came
    };

    ports::Clock& clock;
    Resolver& resolver;
    std::shared_ptr<const TlsContext> tls;
    std::shared_ptr<const Proxy> proxy;  // null: none
    std::string user_agent;
    std::uint64_t generation = 0;
    std::map<std::string, std::vector<ConnectionPtr>> kept;

    Impl(ports::Clock& given_clock, Resolver& given_resolver, std::shared_ptr<const TlsContext> context,
         std::optional<Proxy> given_proxy, std::string agent)
        : clock(given_clock),
          resolver(given_resolver),
          tls(std::move(context)),
          proxy(shared(std::move(given_proxy))),
          user_agent(std::move(agent)) {}

    [[nodiscard]] static std::shared_ptr<const Proxy> shared(std::optional<Proxy> given) {
        return given ? std::make_shared<const Proxy>(std::move(*given)) : nullptr;
    }

    [[nodiscard]] ConnectionPtr take_kept(const std::string& origin) {
        auto& connections = kept[origin];
        while (!connections.empty()) {
            ConnectionPtr connection = std::move(connections.back());
            connections.pop_back();
            if (connection->generation == generation && clock.tick() - connection->idle_since < k_kept_for &&
                connection->alive())
                return connection;
        }
        return nullptr;
    }

    void keep(const std::string& origin, ConnectionPtr connection) {
        if (connection->generation != generation) return;
        auto& connections = kept[origin];
        if (connections.size() >= k_most_kept) return;
        connection->idle_since = clock.tick();
        connections.push_back(std::move(connection));
    }

    static ports::Async<void> connect_one(tcp::socket& socket, tcp::endpoint endpoint, std::string where) {
        auto [code] = co_await socket.async_connect(endpoint, k_tuple);
        if (code) co_return gone(ErrorKind::unavailable, "connectFailed", where, code);
        co_return Result<void>();
    }

    // One address after the other; each but the last has its share of the time that is left.
    static ports::Async<tcp::socket> connect(std::shared_ptr<Impl> self, std::string host, std::uint16_t port,
                                             Tick deadline) {
        const auto executor = co_await asio::this_coro::executor;
        const std::string where = host + ":" + std::to_string(port);
        auto addresses = co_await self->resolver.resolve(host);
        if (!addresses) co_return addresses.error();
        Error last(ErrorKind::unavailable, "connectFailed", where + ": has no address");
        for (std::size_t i = 0; i < addresses->size(); ++i) {
            tcp::socket socket(executor);
            const tcp::endpoint endpoint((*addresses)[i], port);
            const auto now = self->clock.tick();
            const auto parts = static_cast<Tick::rep>(addresses->size() - i);
            const Tick share = now + (deadline - now) / parts;
            Error late(ErrorKind::unavailable, "connectFailed", where + ": no connection in time");
            auto attempt = connect_one(socket, endpoint, where);
            auto bounded = async::with_deadline<void>(self->clock, share, std::move(attempt), std::move(late));
            const auto connected = co_await std::move(bounded);
            if (connected) {
                error_code ignored;
                socket.set_option(tcp::no_delay(true), ignored);
                co_return std::move(socket);
            }
            last = connected.error();
            if (last.kind == ErrorKind::cancelled) break;
        }
        co_return last;
    }

    // CONNECT through the proxy; afterwards the socket is the origin's.
    static ports::Async<void> open_tunnel(std::shared_ptr<Impl> self, std::shared_ptr<const Proxy> proxy,
                                          tcp::socket& socket, Url origin) {
        const std::string where = "proxy " + proxy->host + ":" + std::to_string(proxy->port);
        const auto head = write_connect(origin, *proxy, self->user_agent);
        if (!head) co_return head.error();
        const auto [write_code, written] =
            co_await asio::async_write(socket, asio::buffer(head->data(), head->size()), k_tuple);
        if (write_code) co_return gone(ErrorKind::unavailable, "proxyFailed", where, write_code);
        AnswerReader reader(AnswerReader::Kind::connect, 0);
        std::array<char, 1024> incoming{};
        for (bool whole = false; !whole;) {
            const auto [code, count] = co_await socket.async_read_some(asio::buffer(incoming), k_tuple);
            if (code) co_return gone(ErrorKind::unavailable, "proxyFailed", where, code);
            const auto fed = reader.feed(std::string_view(incoming.data(), count));
            if (!fed) co_return fed.error().in(where);
            whole = *fed;
        }
        const bool clean = reader.reusable();
        const unsigned status = reader.take().status;
        const std::string said = where + ": answers " + std::to_string(status);
        if (status == 407) co_return Error(ErrorKind::unauthorized, "proxyUnauthorized", said);
        if (status / 100 == 4) co_return Error(ErrorKind::misconfigured, "proxyRefused", said);
        // Octets behind the answer would be the origin's, which speaks second in TLS: not a tunnel.
        if (status / 100 != 2 || !clean) co_return Error(ErrorKind::unavailable, "proxyFailed", said);
        co_return Result<void>();
    }

    static ports::Async<ConnectionPtr> open(std::shared_ptr<Impl> self, Url origin, Tick deadline) {
        const auto tls = self->tls;
        const auto generation = self->generation;
        const auto proxy = self->proxy;
        const bool through_proxy = proxy && !proxy->covers(origin.host);
        const std::string& host = through_proxy ? proxy->host : origin.host;
        const std::uint16_t port = through_proxy ? proxy->port : origin.port;
        auto socket = co_await connect(self, host, port, deadline);
        if (!socket) co_return through_proxy ? socket.error().in("proxy") : socket.error();
        if (through_proxy) {
            const auto tunnel = co_await open_tunnel(self, proxy, *socket, origin);
            if (!tunnel) co_return tunnel.error();
        }
        auto connection = std::make_unique<Connection>(std::move(*socket), tls, generation);
        SSL* native = connection->stream.native_handle();
        if (const auto set = expect_peer(native, origin.host, self->clock.utc()); !set) co_return set.error();
        const auto [code] = co_await connection->stream.async_handshake(asio::ssl::stream_base::client, k_tuple);
        if (code) co_return tls_error(native, code, origin.authority());
        co_return std::move(connection);
    }

    // Writes the request and reads the answer. A failed write is not the end: an early answer or an alert may be
    // waiting.
    static ports::Async<Response> round_trip(Connection& connection, const SecretBytes& head, const Request& request,
                                             Progress& progress, bool& reusable) {
        const std::string where = request.url.authority();
        const std::array<asio::const_buffer, 2> outgoing{asio::buffer(head.data(), head.size()),
                                                         asio::buffer(request.body)};
        progress.sent = true;
        const auto [write_code, written] = co_await asio::async_write(connection.stream, outgoing, k_tuple);
        if (write_code == asio::error::operation_aborted)
            co_return gone(ErrorKind::unavailable, "connectionLost", where, write_code);
        AnswerReader reader(request.method == "HEAD" ? AnswerReader::Kind::head : AnswerReader::Kind::plain,
                            request.body_limit);
        for (bool whole = false; !whole;) {
            const auto [code, count] =
                co_await connection.stream.async_read_some(asio::buffer(connection.incoming), k_tuple);
            if (count != 0) {
                progress.received = true;
                const auto fed = reader.feed(std::string_view(connection.incoming.data(), count));
                if (!fed) co_return fed.error().in(where);
                whole = *fed;
            }
            if (code && !whole) {
                if (code == asio::error::eof && reader.end()) break;
                if (is_client_refusal(code)) co_return tls_error(connection.stream.native_handle(), code, where);
                co_return gone(ErrorKind::unavailable, "connectionLost", where, code);
            }
        }
        reusable = !write_code && reader.reusable();
        co_return reader.take();
    }

    static ports::Async<Response> exchange(std::shared_ptr<Impl> self, std::shared_ptr<const Request> request,
                                           std::shared_ptr<Progress> progress) {
        const Tick sent = self->clock.tick();
        const std::string origin = request->url.authority();
        const auto head = write_head(*request, self->user_agent);
        if (!head) co_return head.error();
        ConnectionPtr connection;
        if (!request->fresh_connection) connection = self->take_kept(origin);
        bool was_kept = connection != nullptr;
        for (;;) {
            if (!connection) {
                auto opened = co_await open(self, request->url, request->deadline);
                if (!opened) co_return opened.error();
                connection = std::move(*opened);
            }
            bool reusable = false;
            auto answer = co_await round_trip(*connection, *head, *request, *progress, reusable);
            if (answer) {
                if (reusable) self->keep(origin, std::move(connection));
                answer->sent = sent;
                if (answer->status / 100 == 3 && answer->status != 304)
                    co_return Error(ErrorKind::invalid, "redirectRefused",
                                    origin + ": answers " + std::to_string(answer->status) + ", redirects are refused");
                co_return std::move(*answer);
            }
            const bool stale =
                was_kept && !progress->received && request->idempotent && answer.error().kind == ErrorKind::unavailable;
            if (!stale) co_return answer.error();
            // Its siblings are as old as it was.
            self->kept.erase(origin);
            connection.reset();
            was_kept = false;
        }
    }
};

TlsHttpClient::TlsHttpClient(ports::Clock& clock, Resolver& resolver, std::shared_ptr<const TlsContext> tls,
                             std::optional<Proxy> proxy, std::string user_agent)
    : impl_(std::make_shared<Impl>(clock, resolver, std::move(tls), std::move(proxy), std::move(user_agent))) {}

// Sockets go now, not when the last exchange lets go of the Impl: the io_context may be gone by then.
TlsHttpClient::~TlsHttpClient() {
    impl_->kept.clear();
}

ports::Async<Response> TlsHttpClient::send(Request request) {
    const auto impl = impl_;
    const auto progress = std::make_shared<Impl::Progress>();
    const Tick deadline = request.deadline;
    Error late(ErrorKind::timed_out, "timedOut", request.url.authority() + ": no answer in time");
    const auto shared = std::make_shared<const Request>(std::move(request));
    auto exchange = Impl::exchange(impl, shared, progress);
    auto bounded = async::with_deadline<Response>(impl->clock, deadline, std::move(exchange), std::move(late));
    auto answer = co_await std::move(bounded);
    if (!answer && answer.error().kind == ErrorKind::timed_out && !progress->sent)
        co_return Error(ErrorKind::timed_out, "connectTimedOut", shared->url.authority() + ": no connection in time");
    co_return std::move(answer);
}

void TlsHttpClient::use(std::shared_ptr<const TlsContext> tls) {
    impl_->tls = std::move(tls);
    ++impl_->generation;
    impl_->kept.clear();
}

void TlsHttpClient::use(std::shared_ptr<const TlsContext> tls, std::optional<Proxy> proxy) {
    impl_->proxy = Impl::shared(std::move(proxy));
    use(std::move(tls));
}

void TlsHttpClient::close_idle() noexcept {
    impl_->kept.clear();
}

bool may_have_arrived(const Error& error) noexcept {
    return error.code == "timedOut" || error.code == "connectionLost" || error.code == "answerInvalid" ||
           error.code == "answerTooLarge" || error.code == "redirectRefused" || error.kind == ErrorKind::cancelled;
}

}  // namespace connector::net
