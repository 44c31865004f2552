#include "daemon/net/plain_http_client.hpp"
#include "support/net_peer.hpp"

#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace connector::net {
namespace {

using namespace net_test;
using namespace std::chrono_literals;
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

// One connection is answered with that text; `hang`: and then nothing more, for which the deadline is there.
asio::awaitable<void> answer_once(tcp::acceptor& acceptor, std::string text, std::string& seen, StillClock* hang) {
    constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);
    auto [unaccepted, socket] = co_await acceptor.async_accept(k_tuple);
    if (unaccepted) co_return;
    const auto [unread, count] =
        co_await asio::async_read_until(socket, asio::dynamic_buffer(seen), "\r\n\r\n", k_tuple);
    if (unread) co_return;
    const auto [unsent, sent] = co_await asio::async_write(socket, asio::buffer(text), k_tuple);
    if (unsent || hang == nullptr) co_return;
    hang->advance(31s);
    char octet = 0;
    while (true) {
        const auto [over, more] = co_await socket.async_read_some(asio::buffer(&octet, 1), k_tuple);
        if (over) co_return;
    }
}

class PlainHttpClientTest : public testing::Test {
protected:
    asio::io_context io{1};
    StillClock clock{io};
    TableResolver resolver;
    tcp::acceptor acceptor{io, tcp::endpoint(asio::ip::make_address("127.0.0.1"), 0)};
    std::string seen;

    PlainHttpClientTest() { resolver.table["pki.test"] = {"127.0.0.1"}; }

    [[nodiscard]] Request get() {
        const auto port = std::to_string(acceptor.local_endpoint().port());
        return Request("GET", *parse_plain_url("http://pki.test:" + port + "/device.crl?x=1"), clock.tick() + 30s);
    }
    Result<Response> send(Request request) {
        PlainHttpClient http(clock, resolver, "test/1");
        auto call = http.send(std::move(request));
        return run<Response>(io, std::move(call));
    }
    Result<Response> answered(std::string text, bool hang = false) {
        auto serving = answer_once(acceptor, std::move(text), seen, hang ? &clock : nullptr);
        asio::co_spawn(io, std::move(serving), asio::detached);
        return send(get());
    }
};

TEST_F(PlainHttpClientTest, FetchesOverAConnectionInClear) {
    const auto answer = answered("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlist");
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 200U);
    EXPECT_EQ(answer->body, "list");
    EXPECT_EQ(seen.find("GET /device.crl?x=1 HTTP/1.1\r\nHost: pki.test:"), 0U) << seen;
}

TEST_F(PlainHttpClientTest, GoesNowhereElseAndTakesNoMoreThanItsLimit) {
    const auto elsewhere = answered("HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(elsewhere.error().code, "redirectRefused");
    auto serving = answer_once(acceptor, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", seen, nullptr);
    asio::co_spawn(io, std::move(serving), asio::detached);
    auto request = get();
    request.body_limit = 99999;
    EXPECT_EQ(send(std::move(request)).error().code, "answerTooLarge");
}

TEST_F(PlainHttpClientTest, AnAnswerThatNeverEndsIsGivenUp) {
    const auto late = answered("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nli", true);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, "timedOut");
    EXPECT_EQ(answered("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nli").error().code, "connectionLost");
}

TEST_F(PlainHttpClientTest, NothingOfOursGoesOutInClear) {
    auto request = get();
    request.bearer = std::make_shared<const SecretBytes>(SecretBytes::copy_of(bytes_of("token")));
    EXPECT_EQ(send(std::move(request)).error().kind, ErrorKind::internal);
    Request https("GET", *parse_url("https://pki.test/"), clock.tick() + 30s);
    EXPECT_EQ(send(std::move(https)).error().code, "urlInvalid");
    EXPECT_TRUE(seen.empty());
}

TEST(PlainUrl, IsHttpAndNothingElse) {
    EXPECT_EQ(parse_plain_url("http://pki.corp.example/a/b.crl")->text(), "http://pki.corp.example/a/b.crl");
    EXPECT_EQ(parse_plain_url("http://pki.corp.example:8080/")->authority(), "pki.corp.example:8080");
    EXPECT_EQ(parse_plain_url("http://pki.corp.example/")->port, 80);
    for (const auto* text : {"https://pki.corp.example/", "ldap://x/", "http://", "http://u:p@x/", "http://x/#f", "x"})
        EXPECT_FALSE(parse_plain_url(text)) << text;
    EXPECT_FALSE(parse_url("http://pki.corp.example/"));
}

}  // namespace
}  // namespace connector::net
