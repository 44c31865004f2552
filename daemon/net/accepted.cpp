#include "daemon/net/accepted.hpp"

#include "core/printable.hpp"
#include "daemon/net/tls_state.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <utility>
#include <variant>

namespace connector::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);

Error gone(const error_code& code) {
    return Error(ErrorKind::unavailable, "connectionLost", printable(code.message()));
}

}  // namespace

struct Accepted::Impl {
    using Secure = asio::ssl::stream<tcp::socket>;
    std::shared_ptr<const TlsContext> tls;  // its context outlives the stream
    std::variant<tcp::socket, Secure> stream;

    explicit Impl(tcp::socket socket) : stream(std::move(socket)) {}
    Impl(tcp::socket socket, std::shared_ptr<const TlsContext> context)
        : tls(std::move(context)), stream(std::in_place_type<Secure>, std::move(socket), tls->state().context) {}

    [[nodiscard]] Secure* secure() noexcept { return std::get_if<Secure>(&stream); }
    [[nodiscard]] tcp::socket& socket() noexcept {
        auto* over = secure();
        return over == nullptr ? std::get<tcp::socket>(stream) : over->next_layer();
    }
};

Accepted::Accepted(tcp::socket socket, std::shared_ptr<const TlsContext> tls)
    : impl_(tls ? std::make_unique<Impl>(std::move(socket), std::move(tls))
                : std::make_unique<Impl>(std::move(socket))) {}

Accepted::~Accepted() = default;

bool Accepted::secure() const noexcept {
    return impl_->secure() != nullptr;
}

ports::Async<void> Accepted::begin() {
    auto* over = impl_->secure();
    if (over == nullptr) co_return Result<void>();
    const auto [code] = co_await over->async_handshake(asio::ssl::stream_base::server, k_tuple);
    if (code) co_return gone(code);
    co_return Result<void>();
}

ports::Async<std::size_t> Accepted::read_some(std::span<char> into) {
    const auto place = asio::buffer(into.data(), into.size());
    auto* over = impl_->secure();
    if (over == nullptr) {
        const auto [code, count] = co_await std::get<tcp::socket>(impl_->stream).async_read_some(place, k_tuple);
        if (code) co_return gone(code);
        co_return count;
    }
    const auto [code, count] = co_await over->async_read_some(place, k_tuple);
    if (code) co_return gone(code);
    co_return count;
}

ports::Async<void> Accepted::write(std::string text) {
    auto* over = impl_->secure();
    error_code failed;
    if (over == nullptr) {
        const auto [code, count] =
            co_await asio::async_write(std::get<tcp::socket>(impl_->stream), asio::buffer(text), k_tuple);
        failed = code;
    } else {
        const auto [code, count] = co_await asio::async_write(*over, asio::buffer(text), k_tuple);
        failed = code;
    }
    if (failed) co_return gone(failed);
    co_return Result<void>();
}

ports::Async<void> Accepted::end() {
    if (auto* over = impl_->secure()) {
        const auto [code] = co_await over->async_shutdown(k_tuple);
        (void)code;
    }
    error_code ignored;
    impl_->socket().shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 1024> incoming{};
    for (;;) {
        const auto [code, count] = co_await impl_->socket().async_read_some(asio::buffer(incoming), k_tuple);
        if (code) co_return Result<void>();
    }
}

void Accepted::close() noexcept {
    error_code ignored;
    impl_->socket().close(ignored);
}

}  // namespace connector::net
