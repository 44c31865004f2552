#include "daemon/net/plain_http_client.hpp"

#include "core/async/deadline.hpp"
#include "core/printable.hpp"
#include "daemon/net/http_message.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <memory>
#include <utility>

namespace connector::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
namespace {

constexpr auto k_awaited = asio::as_tuple(asio::use_awaitable);

Error lost(std::string code, const std::string& where, const boost::system::error_code& why) {
    if (why == asio::error::operation_aborted) return {ErrorKind::cancelled, "cancelled", where + ": given up"};
    return {ErrorKind::unavailable, std::move(code), where + ": " + printable(why.message())};
}

// Both outlive it: send() waits for its end.
ports::Async<Response> exchange(Resolver& resolver, std::shared_ptr<const Request> request,
                                std::shared_ptr<const SecretBytes> head) {
    const auto executor = co_await asio::this_coro::executor;
    const std::string where = request->url.authority();
    auto resolving = resolver.resolve(request->url.host);
    const auto addresses = co_await std::move(resolving);
    if (!addresses) co_return addresses.error();
    std::vector<tcp::endpoint> endpoints;
    endpoints.reserve(addresses->size());
    for (const auto& address : *addresses) endpoints.emplace_back(address, request->url.port);
    tcp::socket socket(executor);
    const auto [unconnected, peer] = co_await asio::async_connect(socket, endpoints, k_awaited);
    if (unconnected) co_return lost("connectFailed", where, unconnected);
    const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(head->data(), head->size()), k_awaited);
    if (unsent) co_return lost("connectionLost", where, unsent);
    AnswerReader reader(AnswerReader::Kind::plain, request->body_limit);
    auto incoming = std::make_unique<std::array<char, k_read_size>>();
    for (bool whole = false; !whole;) {
        const auto [code, count] = co_await socket.async_read_some(asio::buffer(*incoming), k_awaited);
        if (count != 0) {
            const auto fed = reader.feed(std::string_view(incoming->data(), count));
            if (!fed) co_return fed.error().in(where);
            whole = *fed;
        }
        if (code && !whole) {
            if (code == asio::error::eof && reader.end()) break;
            co_return lost("connectionLost", where, code);
        }
    }
    auto answer = reader.take();
    if (answer.status / 100 == 3 && answer.status != 304)
        co_return Error(ErrorKind::invalid, "redirectRefused",
                        where + ": answers " + std::to_string(answer.status) + ", redirects are refused");
    co_return answer;
}

}  // namespace

PlainHttpClient::PlainHttpClient(ports::Clock& clock, Resolver& resolver, std::string user_agent)
    : clock_(clock), resolver_(resolver), user_agent_(std::move(user_agent)) {}

ports::Async<Response> PlainHttpClient::send(Request request) {
    if (request.url.tls) co_return Error(ErrorKind::misconfigured, "urlInvalid", "not an http URL");
    if (request.bearer || request.authorization || !request.body.empty())
        co_return Error(ErrorKind::internal, "internal", "nothing of ours is sent in clear");
    auto written = write_head(request, user_agent_);
    if (!written) co_return written.error();
    const Tick began = clock_.tick();
    const Tick deadline = request.deadline;
    Error late(ErrorKind::timed_out, "timedOut", request.url.authority() + ": no answer in time");
    auto head = std::make_shared<const SecretBytes>(std::move(*written));
    auto asked = std::make_shared<const Request>(std::move(request));
    auto running = exchange(resolver_, std::move(asked), std::move(head));
    auto bounded = async::with_deadline<Response>(clock_, deadline, std::move(running), std::move(late));
    auto answer = co_await std::move(bounded);
    if (answer) answer->sent = began;
    co_return answer;
}

}  // namespace connector::net
