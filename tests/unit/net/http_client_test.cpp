#include "support/net_peer.hpp"

#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace connector::net {
namespace {

using namespace net_test;
using namespace std::chrono_literals;

class HttpClientTest : public testing::Test {
protected:
    boost::asio::io_context io{1};
    StillClock clock{io};
    TableResolver resolver;
    Holder root = make_root("Test Root");

    HttpClientTest() { resolver.table["server.test"] = {"127.0.0.1"}; }

    Holder server_for(const std::string& name) const {
        GeneralName dns;
        dns.form = NameForm::dns;
        dns.value = name;
        return make_server(root, {dns}, false);
    }
    std::shared_ptr<const TlsContext> trusting(const Holder& anchor) const {
        const auto made = TlsContext::make(std::vector<Bytes>(1, anchor.certificate), std::nullopt);
        EXPECT_TRUE(made);
        return *made;
    }
    TlsHttpClient client() { return TlsHttpClient(clock, resolver, trusting(root), std::nullopt, "test/1"); }
    Request get(std::uint16_t port) const {
        Url url;
        url.host = "server.test";
        url.port = port;
        url.path = "/x";
        return Request("GET", url, clock.tick() + 30s);
    }
    Result<Response> send(TlsHttpClient& http, Request request) {
        auto call = http.send(std::move(request));
        return run<Response>(io, std::move(call));
    }
    static Peer::Script always(std::string text) {
        return [text = std::move(text)](const Seen&) {
            Reply reply;
            reply.text = text;
            return reply;
        };
    }
    void expect(const Result<Response>& result, ErrorKind kind, std::string_view code, std::string_view in_message) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().kind, kind) << result.error().message;
        EXPECT_EQ(result.error().code, code) << result.error().message;
        EXPECT_NE(result.error().message.find(in_message), std::string::npos) << result.error().message;
    }
};

TEST_F(HttpClientTest, PostsWithLengthAndReadsTheAnswer) {
    Peer peer(io, server_for("server.test"), PeerOptions(),
              always(answer(200, "{}",
                            "Date: Mon, 23 Nov 2026 12:00:00 GMT\r\nETag: \"a\"\r\nContent-Type: "
                            "application/JSON; charset=utf-8\r\nRetry-After: 90000\r\n")));
    auto http = client();
    Request request = get(peer.port());
    request.method = "POST";
    request.body = "hello";
    request.content_type = "application/json";
    request.headers.emplace_back("Idempotency-Key", "k1");
    request.bearer = std::make_shared<const SecretBytes>(SecretBytes::copy_of("t0ken"));
    const auto response = send(http, std::move(request));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 200U);
    EXPECT_EQ(response->body, "{}");
    EXPECT_EQ(response->header("etag"), "\"a\"");
    EXPECT_EQ(response->media_type(), "application/json");
    EXPECT_EQ(response->retry_after(), std::chrono::seconds(3600));
    EXPECT_EQ(to_rfc3339(response->date().value()), "2026-11-23T12:00:00Z");
    ASSERT_EQ(peer.seen().size(), 1U);
    EXPECT_EQ(peer.seen()[0].head,
              "POST /x HTTP/1.1\r\nHost: server.test:" + std::to_string(peer.port()) +
                  "\r\nUser-Agent: test/1\r\nIdempotency-Key: k1\r\nAuthorization: Bearer t0ken\r\nContent-Type: "
                  "application/json\r\nContent-Length: 5\r\n\r\n");
    EXPECT_EQ(peer.seen()[0].body, "hello");
}

TEST_F(HttpClientTest, KeepsTheConnection) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(204, "", "")));
    auto http = client();
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(send(http, get(peer.port())));
    EXPECT_EQ(peer.connections(), 1);
    http.close_idle();
    ASSERT_TRUE(send(http, get(peer.port())));
    EXPECT_EQ(peer.connections(), 2);
    Request fresh = get(peer.port());
    fresh.fresh_connection = true;
    ASSERT_TRUE(send(http, std::move(fresh)));
    EXPECT_EQ(peer.connections(), 3);
    clock.advance(2min);
    ASSERT_TRUE(send(http, get(peer.port())));
    EXPECT_EQ(peer.connections(), 4) << "a connection is not kept for ever";
    http.use(trusting(root));
    ASSERT_TRUE(send(http, get(peer.port())));
    EXPECT_EQ(peer.connections(), 5) << "a new context starts anew";
}

TEST_F(HttpClientTest, HonoursConnectionClose) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(200, "a", "Connection: close\r\n")));
    auto http = client();
    ASSERT_TRUE(send(http, get(peer.port())));
    ASSERT_TRUE(send(http, get(peer.port())));
    EXPECT_EQ(peer.connections(), 2);
}

TEST_F(HttpClientTest, ReplacesADeadConnectionOnce) {
    // The second request of a connection is swallowed and the connection closed.
    std::map<int, int> count;
    Peer peer(io, server_for("server.test"), PeerOptions(), [&count](const Seen& seen) {
        Reply reply;
        if (++count[seen.connection] == 1) {
            reply.text = answer(200, "ok", "");
        } else {
            reply.close = true;
        }
        return reply;
    });
    auto http = client();
    ASSERT_TRUE(send(http, get(peer.port())));
    const auto second = send(http, get(peer.port()));
    ASSERT_TRUE(second) << second.error().message;
    EXPECT_EQ(peer.connections(), 2);

    Request once = get(peer.port());
    once.idempotent = false;
    expect(send(http, std::move(once)), ErrorKind::unavailable, "connectionLost", "server.test");
}

TEST_F(HttpClientTest, DoesNotRepeatOnceSomethingCame) {
    int calls = 0;
    Peer peer(io, server_for("server.test"), PeerOptions(), [&calls](const Seen&) {
        Reply reply;
        ++calls;
        reply.text = calls == 1 ? answer(200, "ok", "") : "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf";
        reply.close = calls != 1;
        return reply;
    });
    auto http = client();
    ASSERT_TRUE(send(http, get(peer.port())));
    const auto cut = send(http, get(peer.port()));
    expect(cut, ErrorKind::unavailable, "connectionLost", "server.test");
    EXPECT_TRUE(may_have_arrived(cut.error()));
    EXPECT_EQ(calls, 2);
}

TEST_F(HttpClientTest, RefusesAWrongName) {
    Peer peer(io, server_for("other.test"), PeerOptions(), always(answer(200, "", "")));
    auto http = client();
    const auto result = send(http, get(peer.port()));
    expect(result, ErrorKind::misconfigured, "tlsUntrusted", "hostname mismatch");
    EXPECT_FALSE(may_have_arrived(result.error()));
    EXPECT_TRUE(peer.seen().empty());
}

TEST_F(HttpClientTest, DoesNotReadTheCommonName) {
    // The subject's common name is "server"; there is no SAN.
    resolver.table["server"] = {"127.0.0.1"};
    Peer peer(io, make_server(root, {}, false), PeerOptions(), always(answer(200, "", "")));
    auto http = client();
    Request request = get(peer.port());
    request.url.host = "server";
    expect(send(http, std::move(request)), ErrorKind::misconfigured, "tlsUntrusted", "hostname mismatch");
}

TEST_F(HttpClientTest, VerifiesAddressesToo) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(200, "", "")));
    auto http = client();
    Request request = get(peer.port());
    request.url.host = "127.0.0.1";
    expect(send(http, std::move(request)), ErrorKind::misconfigured, "tlsUntrusted", "IP address mismatch");
}

TEST_F(HttpClientTest, RefusesAnExpiredCertificate) {
    GeneralName dns;
    dns.form = NameForm::dns;
    dns.value = "server.test";
    Peer peer(io, make_server(root, {dns}, true), PeerOptions(), always(answer(200, "", "")));
    auto http = client();
    expect(send(http, get(peer.port())), ErrorKind::misconfigured, "tlsUntrusted", "expired");
}

TEST_F(HttpClientTest, RefusesAForeignAuthority) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(200, "", "")));
    TlsHttpClient http(clock, resolver, trusting(make_root("Test Root")), std::nullopt, "test/1");
    expect(send(http, get(peer.port())), ErrorKind::misconfigured, "tlsUntrusted", "not accepted");
}

TEST_F(HttpClientTest, RefusesOldTls) {
    PeerOptions options;
    options.tls_1_1_only = true;
    Peer peer(io, server_for("server.test"), std::move(options), always(answer(200, "", "")));
    auto http = client();
    expect(send(http, get(peer.port())), ErrorKind::misconfigured, "tlsFailed", "server.test");
}

TEST_F(HttpClientTest, ShowsItsCertificateAndSaysWhenItIsRefused) {
    for (const bool old : {false, true}) {
        PeerOptions options;
        options.client_root = root.certificate;
        options.tls_1_2_only = old;
        Peer peer(io, server_for("server.test"), options, always(answer(200, "", "")));
        const auto ours =
            TlsContext::make(std::vector<Bytes>(1, root.certificate), identity_of(make_client(root, "c")));
        ASSERT_TRUE(ours) << ours.error().message;
        TlsHttpClient good(clock, resolver, *ours, std::nullopt, "test/1");
        const auto answered = send(good, get(peer.port()));
        ASSERT_TRUE(answered) << answered.error().message;

        const Holder foreign = make_root("Foreign");
        const auto theirs =
            TlsContext::make(std::vector<Bytes>(1, root.certificate), identity_of(make_client(foreign, "c")));
        TlsHttpClient bad(clock, resolver, *theirs, std::nullopt, "test/1");
        expect(send(bad, get(peer.port())), ErrorKind::unauthorized, "tlsClientRefused", "refuses our certificate");
    }
}

TEST_F(HttpClientTest, RefusesRedirects) {
    Peer peer(io, server_for("server.test"), PeerOptions(),
              always(answer(307, "", "Location: https://evil.test/\r\n")));
    auto http = client();
    expect(send(http, get(peer.port())), ErrorKind::invalid, "redirectRefused", "307");
    EXPECT_EQ(resolver.asked, 1);
}

TEST_F(HttpClientTest, GivesNotModifiedBack) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"));
    auto http = client();
    const auto response = send(http, get(peer.port()));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->status, 304U);
    ASSERT_TRUE(send(http, get(peer.port())));
    EXPECT_EQ(peer.connections(), 1);
}

TEST_F(HttpClientTest, CutsOffALongAnswer) {
    for (const std::string& head :
         {std::string("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"),
          std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n") + std::string(70000, 'x'),
          std::string("HTTP/1.1 200 OK\r\n\r\n") + std::string(70000, 'x')}) {
        Peer peer(io, server_for("server.test"), PeerOptions(), [&head](const Seen&) {
            Reply reply;
            reply.text = head;
            reply.hang = true;
            return reply;
        });
        auto http = client();
        Request request = get(peer.port());
        request.body_limit = 65536;
        expect(send(http, std::move(request)), ErrorKind::invalid, "answerTooLarge", "65536");
    }
}

TEST_F(HttpClientTest, CutsOffALongHead) {
    Peer peer(io, server_for("server.test"), PeerOptions(),
              always("HTTP/1.1 200 OK\r\nX: " + std::string(200000, 'x') + "\r\n\r\n"));
    auto http = client();
    expect(send(http, get(peer.port())), ErrorKind::invalid, "answerInvalid", "not HTTP");
}

TEST_F(HttpClientTest, RefusesWhatIsNotHttp) {
    for (const char* text :
         {"SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"}) {
        Peer peer(io, server_for("server.test"), PeerOptions(), always(text));
        auto http = client();
        expect(send(http, get(peer.port())), ErrorKind::invalid, "answerInvalid", "not HTTP");
    }
}

TEST_F(HttpClientTest, PassesInterimAnswersBy) {
    Peer peer(
        io, server_for("server.test"), PeerOptions(),
        always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer(200, "real", "")));
    auto http = client();
    const auto response = send(http, get(peer.port()));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "real");
}

TEST_F(HttpClientTest, DoesNotReuseAConnectionWithSomethingBehindTheAnswer) {
    Peer peer(io, server_for("server.test"), PeerOptions(),
              always(answer(200, "mine", "") + answer(200, "smuggled", "")));
    auto http = client();
    EXPECT_EQ(send(http, get(peer.port()))->body, "mine");
    EXPECT_EQ(send(http, get(peer.port()))->body, "mine");
    EXPECT_EQ(peer.connections(), 2);
}

TEST_F(HttpClientTest, GivesUpAtTheDeadline) {
    Peer peer(io, server_for("server.test"), PeerOptions(), [this](const Seen&) {
        Reply reply;
        reply.hang = true;
        reply.then = [this] { clock.advance(31s); };
        return reply;
    });
    auto http = client();
    const auto result = send(http, get(peer.port()));
    expect(result, ErrorKind::timed_out, "timedOut", "no answer in time");
    EXPECT_TRUE(may_have_arrived(result.error()));
}

TEST_F(HttpClientTest, GivesUpInAHandshakeThatHangs) {
    PeerOptions options;
    options.hang_in_handshake = true;
    options.on_accept = [this] { clock.advance(31s); };
    Peer peer(io, server_for("server.test"), options, always(""));
    auto http = client();
    const auto result = send(http, get(peer.port()));
    expect(result, ErrorKind::timed_out, "connectTimedOut", "no connection in time");
    EXPECT_FALSE(may_have_arrived(result.error()));
}

TEST_F(HttpClientTest, TriesTheNextAddress) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(204, "", "")));
    resolver.table["server.test"] = {"127.0.0.2", "::1", "127.0.0.1"};
    auto http = client();
    const auto response = send(http, get(peer.port()));
    ASSERT_TRUE(response) << response.error().message;
}

TEST_F(HttpClientTest, SaysWhatItCouldNotReach) {
    std::uint16_t port = 0;
    {
        Peer peer(io, server_for("server.test"), PeerOptions(), always(""));
        port = peer.port();
    }
    auto http = client();
    expect(send(http, get(port)), ErrorKind::unavailable, "connectFailed", "refused");
    Request nowhere = get(port);
    nowhere.url.host = "nowhere.test";
    expect(send(http, std::move(nowhere)), ErrorKind::unavailable, "dnsFailed", "nowhere.test");
}

TEST_F(HttpClientTest, GoesThroughAProxyEndToEnd) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(200, "ok", "")));
    ProxyPeer proxy_peer(io, peer.port(), "");
    Proxy proxy;
    proxy.host = "127.0.0.1";
    proxy.port = proxy_peer.port();
    proxy.user = "user";
    proxy.password = std::make_shared<const SecretBytes>(SecretBytes::copy_of("pass"));
    resolver.table.clear();
    TlsHttpClient http(clock, resolver, trusting(root), proxy, "test/1");
    const auto response = send(http, get(443));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "ok");
    ASSERT_EQ(proxy_peer.heads().size(), 1U);
    EXPECT_EQ(proxy_peer.heads()[0],
              "CONNECT server.test:443 HTTP/1.1\r\nHost: server.test:443\r\nUser-Agent: test/1\r\n"
              "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n");
    ASSERT_EQ(peer.seen().size(), 1U);
    EXPECT_EQ(peer.seen()[0].head.find("Proxy-Authorization"), std::string::npos);
    ASSERT_TRUE(send(http, get(443)));
    EXPECT_EQ(proxy_peer.heads().size(), 1U) << "the tunnel is kept";
}

TEST_F(HttpClientTest, TellsTheProxysRefusalApart) {
    const std::vector<std::pair<std::string, Error>> cases{
        {"HTTP/1.1 407 Auth\r\nContent-Length: 3\r\n\r\nabc",
         Error(ErrorKind::unauthorized, "proxyUnauthorized", "407")},
        {"HTTP/1.1 403 No\r\n\r\n", Error(ErrorKind::misconfigured, "proxyRefused", "403")},
        {"HTTP/1.1 502 Bad\r\n\r\n", Error(ErrorKind::unavailable, "proxyFailed", "502")},
        {"HTTP/1.1 200 OK\r\n\r\nearly", Error(ErrorKind::unavailable, "proxyFailed", "200")}};
    for (const auto& [text, wanted] : cases) {
        ProxyPeer proxy_peer(io, 1, text);
        Proxy proxy;
        proxy.host = "127.0.0.1";
        proxy.port = proxy_peer.port();
        TlsHttpClient http(clock, resolver, trusting(root), proxy, "test/1");
        expect(send(http, get(443)), wanted.kind, wanted.code, wanted.message);
    }
}

TEST_F(HttpClientTest, LetsNoHeaderBreakOut) {
    Peer peer(io, server_for("server.test"), PeerOptions(), always(answer(200, "", "")));
    auto http = client();
    Request request = get(peer.port());
    request.headers.emplace_back("If-None-Match", "\"a\"\r\nX-Evil: 1");
    expect(send(http, std::move(request)), ErrorKind::internal, "internal", "If-None-Match");
    Request token = get(peer.port());
    token.bearer = std::make_shared<const SecretBytes>(SecretBytes::copy_of("a\r\nb"));
    expect(send(http, std::move(token)), ErrorKind::internal, "internal", "token");
    Request target = get(peer.port());
    target.url.path = "/a b";
    expect(send(http, std::move(target)), ErrorKind::internal, "internal", "target");
    EXPECT_EQ(peer.connections(), 0);
}

TEST_F(HttpClientTest, MayDieInTheMiddle) {
    auto own = std::make_unique<boost::asio::io_context>(1);
    StillClock own_clock(*own);
    Peer peer(*own, server_for("server.test"), PeerOptions(), [&own](const Seen&) {
        Reply reply;
        reply.hang = true;
        reply.then = [&own] { own->stop(); };
        return reply;
    });
    TlsHttpClient http(own_clock, resolver, trusting(root), std::nullopt, "test/1");
    Request request = get(peer.port());
    auto call = http.send(std::move(request));
    boost::asio::co_spawn(*own, std::move(call), [](std::exception_ptr, const Result<Response>&) { ADD_FAILURE(); });
    own->run();
    EXPECT_EQ(peer.seen().size(), 1U);
}

TEST(TlsContext, SaysWhatIsWrongWithItsInputs) {
    const auto missing = TlsContext::make(std::string("/nonexistent/ca.pem"), std::nullopt);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, "tlsMisconfigured");
    EXPECT_FALSE(TlsContext::make(std::vector<Bytes>(), std::nullopt));
    EXPECT_FALSE(TlsContext::make(std::vector<Bytes>(1, Bytes{1, 2, 3}), std::nullopt));
    const Holder root = make_root("R");
    const Holder one = make_client(root, "one");
    TlsIdentity mixed = identity_of(make_client(root, "two"));
    mixed.certificates[0] = one.certificate;
    const auto wrong = TlsContext::make(std::vector<Bytes>(1, root.certificate), std::move(mixed));
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message.find("not that of the client certificate"), std::string::npos);
}

TEST(Deadline, GivesTheResultOrTheError) {
    boost::asio::io_context io(1);
    StillClock clock(io);
    const auto quick = []() -> ports::Async<int> { co_return 7; };
    const auto thrower = []() -> ports::Async<int> {
        throw std::runtime_error("boom");
        co_return 1;
    };
    const Error late(ErrorKind::timed_out, "late", "late");
    auto one = async::with_deadline<int>(clock, clock.tick() + 1s, quick(), late);
    EXPECT_EQ(*run<int>(io, std::move(one)), 7);
    auto two = async::with_deadline<int>(clock, clock.tick() + 1s, thrower(), late);
    EXPECT_EQ(run<int>(io, std::move(two)).error().kind, ErrorKind::internal);
    const auto forever = [&io, &clock]() -> ports::Async<int> {
        boost::asio::steady_timer timer(io, boost::asio::steady_timer::time_point::max());
        boost::asio::post(io, [&clock] { clock.advance(2s); });
        co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        co_return 1;
    };
    auto three = async::with_deadline<int>(clock, clock.tick() + 1s, forever(), late);
    EXPECT_EQ(run<int>(io, std::move(three)).error().code, "late");
}

TEST(SystemResolver, ResolvesOffTheThreadAndLiterals) {
    boost::asio::io_context io(1);
    SystemResolver resolver;
    auto literal = resolver.resolve("::1");
    EXPECT_EQ(run<std::vector<boost::asio::ip::address>>(io, std::move(literal))->front().to_string(), "::1");
    auto local = resolver.resolve("localhost");
    const auto found = run<std::vector<boost::asio::ip::address>>(io, std::move(local));
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_TRUE(found->front().is_loopback());
    auto nowhere = resolver.resolve("does-not-exist.invalid");
    const auto missing = run<std::vector<boost::asio::ip::address>>(io, std::move(nowhere));
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, "dnsFailed");
}

}  // namespace
}  // namespace connector::net
