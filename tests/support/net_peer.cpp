#include "support/net_peer.hpp"

#include "core/certificate.hpp"

#include <openssl/ssl.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <set>
#include <stdexcept>

namespace connector::net_test {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
namespace {

constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);
const UtcTime k_start = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + std::chrono::hours(12);

Name common_name(const std::string& value) {
    Name name;
    name.rdns.push_back({Attribute{std::string(oid::k_common_name), value}});
    return name;
}

crypto::PrivateKey new_key() {
    auto key = crypto::PrivateKey::generate(KeyType::ec_p256);
    if (!key) throw std::runtime_error(key.error().message);
    return std::move(*key);
}

Bytes value_of(Result<Bytes> result) {
    if (!result) throw std::runtime_error(result.error().message);
    return std::move(*result);
}

crypto::CertificateOrder order_for(const std::string& name) {
    crypto::CertificateOrder order;
    order.serial = crypto::random_serial();
    order.subject = common_name(name);
    order.not_before = k_start - std::chrono::days(1);
    order.not_after = k_start + std::chrono::days(1);
    return order;
}

X509* parse(const Bytes& der) {
    const unsigned char* at = der.data();
    X509* certificate = ::d2i_X509(nullptr, &at, static_cast<long>(der.size()));
    if (certificate == nullptr) throw std::runtime_error("not a certificate");
    return certificate;
}

tcp::endpoint loopback(std::uint16_t port) {
    return {asio::ip::address_v4::loopback(), port};
}

}  // namespace

struct StillClock::Waiter {
    asio::steady_timer timer;
    std::shared_ptr<Queue> queue;
    Queue::iterator at;
    bool due = false;
    Waiter(asio::io_context& io, std::shared_ptr<Queue> given, Tick when)
        : timer(io, asio::steady_timer::time_point::max()), queue(std::move(given)), at(queue->emplace(when, this)) {}
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() {
        if (!due) queue->erase(at);
    }
};

UtcTime StillClock::utc() const {
    return k_start + std::chrono::floor<std::chrono::seconds>(now_ - Tick(std::chrono::hours(1)));
}

asio::awaitable<void> StillClock::wait_until(Tick when) {
    if (when <= now_) co_return;
    Waiter waiter(io_, queue_, when);
    co_await waiter.timer.async_wait(k_tuple);
}

void StillClock::advance(std::chrono::nanoseconds by) {
    now_ += std::chrono::duration_cast<Tick::duration>(by);
    while (!queue_->empty() && queue_->begin()->first <= now_) {
        Waiter* waiter = queue_->begin()->second;
        queue_->erase(queue_->begin());
        waiter->due = true;
        waiter->timer.cancel();
    }
}

Holder make_root(const std::string& name) {
    Holder holder{{}, new_key()};
    auto order = order_for(name);
    order.is_ca = true;
    order.key_usage = KeyUsage(KeyUsage::k_key_cert_sign | KeyUsage::k_crl_sign);
    holder.certificate = value_of(crypto::issue_self_signed(order, holder.key));
    return holder;
}

Holder make_server(const Holder& root, const std::vector<GeneralName>& names, bool expired) {
    Holder holder{{}, new_key()};
    auto order = order_for("server");
    order.spki = holder.key.spki_der();
    order.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    order.extended_key_usage = {"1.3.6.1.5.5.7.3.1"};
    order.alternative_names = names;
    if (expired) order.not_after = k_start - std::chrono::hours(1);
    holder.certificate = value_of(crypto::issue(order, root.certificate, root.key));
    return holder;
}

Holder make_client(const Holder& root, const std::string& name) {
    Holder holder{{}, new_key()};
    auto order = order_for(name);
    order.spki = holder.key.spki_der();
    order.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    order.extended_key_usage = {"1.3.6.1.5.5.7.3.2"};
    holder.certificate = value_of(crypto::issue(order, root.certificate, root.key));
    return holder;
}

net::TlsIdentity identity_of(const Holder& holder) {
    net::TlsIdentity identity;
    identity.certificates.push_back(holder.certificate);
    auto pkcs8 = holder.key.to_pkcs8();
    if (!pkcs8) throw std::runtime_error(pkcs8.error().message);
    identity.key = std::move(*pkcs8);
    return identity;
}

struct Peer::Impl {
    using Stream = asio::ssl::stream<tcp::socket>;
    asio::io_context& io;
    asio::ssl::context context{asio::ssl::context::tls_server};
    tcp::acceptor acceptor;
    PeerOptions options;
    Script script;
    std::vector<Seen> seen;
    std::set<tcp::socket*> open;
    int connections = 0;

    Impl(asio::io_context& given, PeerOptions given_options, Script given_script)
        : io(given), acceptor(given, loopback(0)), options(std::move(given_options)), script(std::move(given_script)) {}

    void set_up(const Holder& holder) {
        SSL_CTX* native = context.native_handle();
        X509* certificate = parse(holder.certificate);
        ::SSL_CTX_use_certificate(native, certificate);
        ::X509_free(certificate);
        ::SSL_CTX_use_PrivateKey(native, holder.key.native());
        if (options.tls_1_1_only) {
            ::SSL_CTX_set_security_level(native, 0);
            ::SSL_CTX_ctrl(native, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_1_VERSION, nullptr);
            ::SSL_CTX_ctrl(native, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_1_VERSION, nullptr);
        }
        if (options.tls_1_2_only) ::SSL_CTX_ctrl(native, SSL_CTRL_SET_MAX_PROTO_VERSION, TLS1_2_VERSION, nullptr);
        if (options.client_root) {
            X509* root = parse(*options.client_root);
            ::X509_STORE_add_cert(::SSL_CTX_get_cert_store(native), root);
            ::X509_free(root);
            ::X509_VERIFY_PARAM_set_time(::SSL_CTX_get0_param(native), std::chrono::system_clock::to_time_t(k_start));
            ::SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        }
    }

    struct Open {
        Impl& owner;
        tcp::socket* socket;
        Open(Impl& given, tcp::socket* which) : owner(given), socket(which) { owner.open.insert(which); }
        Open(const Open&) = delete;
        Open& operator=(const Open&) = delete;
        ~Open() { owner.open.erase(socket); }
    };

    static asio::awaitable<void> hang(tcp::socket& socket) {
        std::array<char, 64> sink{};
        for (;;) {
            auto [code, count] = co_await socket.async_read_some(asio::buffer(sink), k_tuple);
            if (code) co_return;
        }
    }

    static asio::awaitable<void> serve(std::shared_ptr<Impl> self, tcp::socket socket, int number) {
        Stream stream(std::move(socket), self->context);
        const Open place(*self, &stream.next_layer());
        if (self->options.hang_in_handshake) {
            auto waiting = hang(stream.next_layer());
            co_await std::move(waiting);
            co_return;
        }
        auto [failed] = co_await stream.async_handshake(asio::ssl::stream_base::server, k_tuple);
        if (failed) {
            // The alert is on its way; the client closes.
            auto waiting = hang(stream.next_layer());
            co_await std::move(waiting);
            co_return;
        }
        std::string buffer;
        for (;;) {
            auto [code, head_size] =
                co_await asio::async_read_until(stream, asio::dynamic_buffer(buffer), "\r\n\r\n", k_tuple);
            if (code) co_return;
            Seen seen;
            seen.connection = number;
            seen.head = buffer.substr(0, head_size);
            buffer.erase(0, head_size);
            std::size_t length = 0;
            if (const auto at = seen.head.find("Content-Length: "); at != std::string::npos)
                length = std::stoul(seen.head.substr(at + 16));
            if (buffer.size() < length) {
                auto [short_read, count] = co_await asio::async_read(
                    stream, asio::dynamic_buffer(buffer), asio::transfer_exactly(length - buffer.size()), k_tuple);
                if (short_read) co_return;
            }
            seen.body = buffer.substr(0, length);
            buffer.erase(0, length);
            self->seen.push_back(seen);
            const Reply reply = self->script(seen);
            if (!reply.text.empty()) {
                auto [broken, written] = co_await asio::async_write(stream, asio::buffer(reply.text), k_tuple);
                if (broken) co_return;
            }
            if (reply.then) reply.then();
            if (reply.hang) {
                auto waiting = hang(stream.next_layer());
                co_await std::move(waiting);
                co_return;
            }
            if (reply.close) {
                auto [ended] = co_await stream.async_shutdown(k_tuple);
                (void)ended;
                co_return;
            }
        }
    }

    static asio::awaitable<void> accept(std::shared_ptr<Impl> self) {
        for (;;) {
            auto [code, socket] = co_await self->acceptor.async_accept(k_tuple);
            if (code) co_return;
            ++self->connections;
            if (self->options.on_accept) self->options.on_accept();
            auto task = serve(self, std::move(socket), self->connections);
            asio::co_spawn(self->io, std::move(task), asio::detached);
        }
    }
};

Peer::Peer(asio::io_context& io, const Holder& holder, PeerOptions options, Script script)
    : impl_(std::make_shared<Impl>(io, std::move(options), std::move(script))) {
    impl_->set_up(holder);
    auto task = Impl::accept(impl_);
    asio::co_spawn(io, std::move(task), asio::detached);
}
Peer::~Peer() {
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
    for (tcp::socket* socket : impl_->open) socket->close(ignored);
}
std::uint16_t Peer::port() const {
    return impl_->acceptor.local_endpoint().port();
}
const std::vector<Seen>& Peer::seen() const {
    return impl_->seen;
}
int Peer::connections() const {
    return impl_->connections;
}

struct ProxyPeer::Impl {
    asio::io_context& io;
    tcp::acceptor acceptor;
    std::uint16_t target;
    std::string refusal;
    std::vector<std::string> heads;

    Impl(asio::io_context& given, std::uint16_t given_target, std::string given_refusal)
        : io(given), acceptor(given, loopback(0)), target(given_target), refusal(std::move(given_refusal)) {}

    static asio::awaitable<void> pump(std::shared_ptr<tcp::socket> from, std::shared_ptr<tcp::socket> to) {
        std::array<char, 4096> buffer{};
        for (;;) {
            auto [code, count] = co_await from->async_read_some(asio::buffer(buffer), k_tuple);
            if (code) break;
            auto [broken, written] = co_await asio::async_write(*to, asio::buffer(buffer.data(), count), k_tuple);
            if (broken) break;
        }
        boost::system::error_code ignored;
        to->shutdown(tcp::socket::shutdown_send, ignored);
    }

    static asio::awaitable<void> serve(std::shared_ptr<Impl> self, tcp::socket given) {
        const auto client = std::make_shared<tcp::socket>(std::move(given));
        std::string head;
        auto [code, size] = co_await asio::async_read_until(*client, asio::dynamic_buffer(head), "\r\n\r\n", k_tuple);
        if (code) co_return;
        self->heads.push_back(head);
        const std::string said =
            self->refusal.empty() ? std::string("HTTP/1.1 200 Connection established\r\n\r\n") : self->refusal;
        co_await asio::async_write(*client, asio::buffer(said), k_tuple);
        if (!self->refusal.empty()) co_return;
        const auto server = std::make_shared<tcp::socket>(self->io);
        const auto there = loopback(self->target);
        auto [failed] = co_await server->async_connect(there, k_tuple);
        if (failed) co_return;
        auto up = pump(client, server);
        asio::co_spawn(self->io, std::move(up), asio::detached);
        auto down = pump(server, client);
        co_await std::move(down);
    }

    static asio::awaitable<void> accept(std::shared_ptr<Impl> self) {
        for (;;) {
            auto [code, socket] = co_await self->acceptor.async_accept(k_tuple);
            if (code) co_return;
            auto task = serve(self, std::move(socket));
            asio::co_spawn(self->io, std::move(task), asio::detached);
        }
    }
};

ProxyPeer::ProxyPeer(asio::io_context& io, std::uint16_t target, std::string refusal)
    : impl_(std::make_shared<Impl>(io, target, std::move(refusal))) {
    auto task = Impl::accept(impl_);
    asio::co_spawn(io, std::move(task), asio::detached);
}
ProxyPeer::~ProxyPeer() {
    boost::system::error_code ignored;
    impl_->acceptor.close(ignored);
}
std::uint16_t ProxyPeer::port() const {
    return impl_->acceptor.local_endpoint().port();
}
const std::vector<std::string>& ProxyPeer::heads() const {
    return impl_->heads;
}

ports::Async<std::vector<asio::ip::address>> TableResolver::resolve(std::string host) {
    ++asked;
    boost::system::error_code not_literal;
    const auto literal = asio::ip::make_address(host, not_literal);
    std::vector<asio::ip::address> addresses;
    if (!not_literal) addresses.push_back(literal);
    if (const auto found = table.find(host); found != table.end())
        for (const std::string& text : found->second) addresses.push_back(asio::ip::make_address(text));
    if (addresses.empty()) co_return Error(ErrorKind::unavailable, "dnsFailed", host + ": no such name");
    co_return std::move(addresses);
}

std::string answer(unsigned status, const std::string& body, const std::string& more_headers) {
    return "HTTP/1.1 " + std::to_string(status) + " Word\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           more_headers + "\r\n" + body;
}

}  // namespace connector::net_test
