#include "daemon/health/server.hpp"

#include "core/async/deadline.hpp"
#include "core/printable.hpp"
#include "daemon/health/answers.hpp"
#include "daemon/health/page.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <array>
#include <charconv>
#include <set>
#include <utility>

namespace connector::health {
namespace asio = boost::asio;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;
namespace {

constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t k_most_connections = 32;
constexpr std::chrono::seconds k_connection_time{5};
constexpr std::size_t k_head_limit = 4096;

struct Answer {
    unsigned status = 200;
    std::string type = "text/plain; charset=utf-8";
    std::string body;
    std::string policy = "default-src 'none'; frame-ancestors 'none'";
};

std::string_view reason_of(unsigned status) noexcept {
    switch (status) {
        case 200: return "OK";
        case 400: return "Bad Request";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 421: return "Misdirected Request";
        case 431: return "Request Header Fields Too Large";
        default: return "Service Unavailable";
    }
}

Answer plain(unsigned status) {
    Answer answer;
    answer.status = status;
    answer.body = std::string(reason_of(status)) + "\n";
    return answer;
}

std::string write_answer(const Answer& answer, bool with_body) {
    std::string text =
        "HTTP/1.1 " + std::to_string(answer.status) + " " + std::string(reason_of(answer.status)) + "\r\n";
    text += "Content-Type: " + answer.type + "\r\nContent-Length: " + std::to_string(answer.body.size()) + "\r\n";
    text += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n";
    text += "Cross-Origin-Resource-Policy: same-origin\r\nX-Frame-Options: DENY\r\n";
    text += "Content-Security-Policy: " + answer.policy + "\r\n";
    if (answer.status == 405) text += "Allow: GET, HEAD\r\n";
    text += "Connection: close\r\n\r\n";
    if (with_body) text += answer.body;
    return text;
}

std::string_view view_of(boost::beast::string_view text) noexcept {
    return {text.data(), text.size()};
}

Error not_listening(const std::string& listen, std::string_view why) {
    return Error(ErrorKind::misconfigured, "healthListen", "health.listen " + listen + ": " + printable(why));
}

// "127.0.0.1:9464", "[::1]:9464". An address, not a name.
Result<tcp::endpoint> parse_listen(const std::string& text) {
    const auto colon = text.rfind(':');
    if (colon == std::string::npos) return not_listening(text, "not of the form address:port");
    std::string host = text.substr(0, colon);
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto read = std::from_chars(text.data() + colon + 1, end, port);
    error_code code;
    const auto address = asio::ip::make_address(host, code);
    if (code || read.ec != std::errc() || read.ptr != end) return not_listening(text, "not of the form address:port");
    return tcp::endpoint(address, port);
}

}  // namespace

struct HealthServer::Impl {
    asio::any_io_executor executor;
    ports::Clock& clock;
    const Metrics& metrics;
    HealthView view;
    HealthOptions options;
    tcp::acceptor acceptor;
    std::set<tcp::socket*> open;  // each lives in the frame that serves it
    std::size_t taken = 0;        // places of the 32
    bool stopped = false;

    // A connection's place, given back however its frame ends.
    struct Place {
        Impl& owner;
        tcp::socket* socket;
        Place(Impl& given_owner, tcp::socket* given_socket) : owner(given_owner), socket(given_socket) {
            owner.open.insert(socket);
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() {
            owner.open.erase(socket);
            --owner.taken;
        }
    };

    Impl(asio::any_io_executor given_executor, ports::Clock& given_clock, const Metrics& given_metrics,
         HealthView given_view, HealthOptions given_options)
        : executor(std::move(given_executor)),
          clock(given_clock),
          metrics(given_metrics),
          view(std::move(given_view)),
          options(std::move(given_options)),
          acceptor(executor) {}

    [[nodiscard]] Answer route(std::string_view path) const {
        Answer answer;
        if (path == "/livez") {
            answer.body = "ok\n";
            return answer;
        }
        if (path == "/metrics") {
            answer.type = "text/plain; version=0.0.4; charset=utf-8";
            answer.body = metrics.render();
            return answer;
        }
        if (path == "/readyz" || path == "/healthz") {
            const HealthSnapshot snapshot = view();
            answer.type = "application/json";
            answer.body = path == "/readyz" ? readiness_json(snapshot) : to_json(snapshot);
            if (path == "/readyz" && !is_ready(snapshot)) answer.status = 503;
            return answer;
        }
        if (path == "/" && options.page) {
            answer.type = "text/html; charset=utf-8";
            answer.policy = page_policy();
            answer.body = page_html(view());
            return answer;
        }
        return plain(404);
    }

    // The rules, in the order in which they protect: who is asked, from where, what for.
    [[nodiscard]] Answer judge(const http::request<http::empty_body>& request) const {
        const std::string_view target = view_of(request.target());
        if (request.version() != 11 && request.version() != 10) return plain(400);
        // RFC 9112 3.2: HTTP/1.1 names one host. HTTP/1.0 may name none, which is none of ours.
        const auto hosts = request.count(http::field::host);
        if (hosts > 1 || (hosts == 0 && request.version() == 11)) return plain(400);
        if (target.empty() || target.front() != '/') return plain(400);
        const std::string_view host = view_of(request[http::field::host]);
        if (!is_our_host(host, options.hosts)) return plain(421);
        const auto site = request.find("Sec-Fetch-Site");
        if (site != request.end() && view_of(site->value()) != "same-origin" && view_of(site->value()) != "none")
            return plain(403);
        const auto origin = request.find(http::field::origin);
        if (origin != request.end() && view_of(origin->value()) != "http://" + std::string(host)) return plain(403);
        if (request.method() != http::verb::get && request.method() != http::verb::head) return plain(405);
        return route(target.substr(0, target.find('?')));
    }

    static ports::Async<void> serve(std::shared_ptr<Impl> self, tcp::socket& socket) {
        http::request_parser<http::empty_body> parser;
        parser.header_limit(k_head_limit);
        std::string received;
        Answer answer;
        std::array<char, 1024> incoming{};
        for (;;) {
            const auto [code, count] = co_await socket.async_read_some(asio::buffer(incoming), k_tuple);
            if (code) co_return Result<void>();
            received.append(incoming.data(), count);
            error_code wrong;
            const std::size_t used = parser.put(asio::buffer(received), wrong);
            received.erase(0, used);
            if (parser.is_header_done()) {
                answer = self->judge(parser.get());
                break;
            }
            if (wrong == http::error::header_limit || received.size() > k_head_limit) {
                answer = plain(431);
                break;
            }
            if (wrong && wrong != http::error::need_more) {
                answer = plain(400);
                break;
            }
        }
        const std::string text = write_answer(answer, parser.get().method() != http::verb::head);
        co_await asio::async_write(socket, asio::buffer(text), k_tuple);
        error_code ignored;
        socket.shutdown(tcp::socket::shutdown_send, ignored);
        // Until the peer closes too, within its five seconds: a reset could eat the answer.
        for (;;) {
            const auto [code, count] = co_await socket.async_read_some(asio::buffer(incoming), k_tuple);
            if (code) co_return Result<void>();
        }
    }

    static asio::awaitable<void> connection(std::shared_ptr<Impl> self, tcp::socket given) {
        tcp::socket socket = std::move(given);
        const Place place(*self, &socket);
        if (self->stopped) co_return;
        auto work = serve(self, socket);
        const Tick deadline = self->clock.tick() + k_connection_time;
        Error late(ErrorKind::timed_out, "timedOut", "a health connection took too long");
        auto bounded = async::with_deadline<void>(self->clock, deadline, std::move(work), std::move(late));
        co_await std::move(bounded);
    }

    static asio::awaitable<void> accept(std::shared_ptr<Impl> self) {
        while (!self->stopped) {
            auto [code, socket] = co_await self->acceptor.async_accept(k_tuple);
            if (self->stopped) break;
            if (code) {
                // Out of descriptors, most likely: not a reason to spin.
                auto pause = self->clock.wait_until(self->clock.tick() + std::chrono::milliseconds(200));
                co_await std::move(pause);
                continue;
            }
            if (self->taken >= k_most_connections) continue;
            ++self->taken;
            auto task = connection(self, std::move(socket));
            asio::co_spawn(self->executor, std::move(task), asio::detached);
        }
    }
};

HealthServer::HealthServer(asio::any_io_executor executor, ports::Clock& clock, const Metrics& metrics, HealthView view,
                           HealthOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), clock, metrics, std::move(view), std::move(options))) {}

HealthServer::~HealthServer() {
    stop();
}

Result<void> HealthServer::start() {
    const auto endpoint = parse_listen(impl_->options.listen);
    if (!endpoint) return endpoint.error();
    if (!endpoint->address().is_loopback() && !impl_->options.allow_remote)
        return not_listening(impl_->options.listen, "is not a loopback address, and allow_remote is not set");
    error_code code;
    impl_->acceptor.open(endpoint->protocol(), code);
    if (!code) impl_->acceptor.set_option(tcp::acceptor::reuse_address(true), code);
    if (!code) impl_->acceptor.bind(*endpoint, code);
    if (!code) impl_->acceptor.listen(asio::socket_base::max_listen_connections, code);
    if (code) return not_listening(impl_->options.listen, code.message());
    auto task = Impl::accept(impl_);
    asio::co_spawn(impl_->executor, std::move(task), asio::detached);
    return {};
}

void HealthServer::stop() noexcept {
    impl_->stopped = true;
    error_code ignored;
    impl_->acceptor.close(ignored);
    for (tcp::socket* socket : impl_->open) socket->close(ignored);
}

std::uint16_t HealthServer::port() const noexcept {
    error_code code;
    const auto endpoint = impl_->acceptor.local_endpoint(code);
    return code ? std::uint16_t{0} : endpoint.port();
}

}  // namespace connector::health
