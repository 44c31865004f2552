#include "daemon/health/server.hpp"

#include "core/async/deadline.hpp"
#include "core/printable.hpp"
#include "daemon/health/answers.hpp"
#include "daemon/health/page.hpp"
#include "daemon/net/accepted.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
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
        case 401: return "Unauthorized";
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
    // RFC 9110 11.6.1. Basic, since a browser asks for it; the user's name does not matter.
    if (answer.status == 401) text += "WWW-Authenticate: Basic realm=\"pfx-connector\", charset=\"UTF-8\"\r\n";
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
    NamesView names;
    HealthOptions options;
    HealthAccess access;
    tcp::acceptor acceptor;
    std::set<net::Accepted*> open;  // each lives in the frame that serves it
    std::size_t taken = 0;          // places of the 32
    bool stopped = false;
    bool remote = false;        // listens where others can connect
    bool asking_names = false;  // of the ledger

    // A connection's place, given back however its frame ends.
    struct Place {
        Impl& owner;
        net::Accepted* peer;
        Place(Impl& given_owner, net::Accepted* given_peer) : owner(given_owner), peer(given_peer) {
            owner.open.insert(peer);
        }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        ~Place() {
            owner.open.erase(peer);
            --owner.taken;
        }
    };

    // While it lives somebody asks; however his frame ends.
    struct Asking {
        bool& flag;
        explicit Asking(bool& given) : flag(given) { flag = true; }
        Asking(const Asking&) = delete;
        Asking& operator=(const Asking&) = delete;
        ~Asking() { flag = false; }
    };

    Impl(asio::any_io_executor given_executor, ports::Clock& given_clock, const Metrics& given_metrics,
         HealthView given_view, NamesView given_names, HealthOptions given_options)
        : executor(std::move(given_executor)),
          clock(given_clock),
          metrics(given_metrics),
          view(std::move(given_view)),
          names(std::move(given_names)),
          options(std::move(given_options)),
          acceptor(executor) {}

    // For the full page; `authorization` as it came, "" where there is none.
    ports::Async<Answer> full_page(std::string authorization) {
        if (!holds_token(authorization, *access.token)) co_return plain(401);
        // One at a time: a disk that hangs must not take the places of those who ask whether it does.
        if (asking_names) co_return plain(503);
        const Asking one(asking_names);
        auto asking = names();
        auto known = co_await std::move(asking);
        if (!known) co_return known.error();
        co_return page(full_html(view(), *known));
    }
    [[nodiscard]] bool has_full_page() const noexcept { return options.page && options.full_page && access.token; }
    static Answer page(std::string html) {
        Answer answer;
        answer.type = "text/html; charset=utf-8";
        answer.policy = page_policy();
        answer.body = std::move(html);
        return answer;
    }

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
        if (path == "/" && options.page) return page(summary_html(view(), has_full_page()));
        return plain(404);
    }

    // The rules, in the order in which they protect: who is asked, from where, what for. nullopt: the full page.
    [[nodiscard]] std::optional<Answer> judge(const http::request<http::empty_body>& request, bool secure) const {
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
        if (origin != request.end() &&
            view_of(origin->value()) != (secure ? "https://" : "http://") + std::string(host))
            return plain(403);
        if (request.method() != http::verb::get && request.method() != http::verb::head) return plain(405);
        const auto path = target.substr(0, target.find('?'));
        // Who signs in at the first page means the other one.
        const bool signs_in = request.count(http::field::authorization) != 0;
        if (has_full_page() && (path == "/full" || (path == "/" && signs_in))) return std::nullopt;
        return route(path);
    }

    static ports::Async<void> serve(std::shared_ptr<Impl> self, net::Accepted& peer) {
        auto beginning = peer.begin();
        if (const auto begun = co_await std::move(beginning); !begun) co_return Result<void>();
        http::request_parser<http::empty_body> parser;
        parser.header_limit(k_head_limit);
        std::string received;
        std::optional<Answer> answer;
        std::array<char, 1024> incoming{};
        bool whole = false;
        while (!whole && !answer) {
            auto reading = peer.read_some(incoming);
            const auto count = co_await std::move(reading);
            if (!count) co_return Result<void>();
            received.append(incoming.data(), *count);
            error_code wrong;
            const std::size_t used = parser.put(asio::buffer(received), wrong);
            received.erase(0, used);
            whole = parser.is_header_done();
            if (whole) break;
            if (wrong == http::error::header_limit || received.size() > k_head_limit)
                answer = plain(431);
            else if (wrong && wrong != http::error::need_more)
                answer = plain(400);
        }
        if (whole) answer = self->judge(parser.get(), peer.secure());
        if (!answer) {
            auto asking = self->full_page(std::string(view_of(parser.get()[http::field::authorization])));
            auto asked = co_await std::move(asking);
            answer = asked ? std::move(*asked) : plain(503);
        }
        auto writing = peer.write(write_answer(*answer, parser.get().method() != http::verb::head));
        if (const auto written = co_await std::move(writing); !written) co_return Result<void>();
        auto ending = peer.end();
        co_return co_await std::move(ending);
    }

    static asio::awaitable<void> connection(std::shared_ptr<Impl> self, tcp::socket given) {
        net::Accepted peer(std::move(given), self->access.tls);
        const Place place(*self, &peer);
        if (self->stopped) co_return;
        auto work = serve(self, peer);
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
                           NamesView names, HealthOptions options)
    : impl_(std::make_shared<Impl>(std::move(executor), clock, metrics, std::move(view), std::move(names),
                                   std::move(options))) {}

HealthServer::~HealthServer() {
    stop();
}

void HealthServer::use(HealthAccess access) {
    if (impl_->remote) access = fit_for_others(std::move(access), impl_->access, impl_->options.allow_remote);
    impl_->access = std::move(access);
}

Result<void> HealthServer::start() {
    const auto endpoint = parse_listen(impl_->options.listen);
    if (!endpoint) return endpoint.error();
    if (!endpoint->address().is_loopback() && !impl_->access.tls && !impl_->options.allow_remote)
        return not_listening(impl_->options.listen,
                             "is not a loopback address, and neither TLS nor allow_remote is set");
    impl_->remote = !endpoint->address().is_loopback();
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
    for (net::Accepted* peer : impl_->open) peer->close();
}

std::uint16_t HealthServer::port() const noexcept {
    error_code code;
    const auto endpoint = impl_->acceptor.local_endpoint(code);
    return code ? std::uint16_t{0} : endpoint.port();
}

}  // namespace connector::health
