#include "daemon/health/answers.hpp"
#include "daemon/health/server.hpp"
#include "support/net_peer.hpp"

#include <gtest/gtest.h>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/json/parse.hpp>

namespace connector::health {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
constexpr auto k_tuple = asio::as_tuple(asio::use_awaitable);

class HealthServerTest : public testing::Test {
protected:
    asio::io_context io{1};
    net_test::StillClock clock{io};
    Metrics metrics{"1.0.0", clock.utc()};
    HealthSnapshot snapshot;

    HealthServerTest() {
        snapshot.status = "ready";
        snapshot.version = "1.0.0";
        snapshot.started_at = clock.utc();
        HealthCheck service;
        service.name = "service";
        service.status = "ok";
        service.since = clock.utc();
        snapshot.checks.push_back(service);
        snapshot.queue["accepted"] = 3;
        snapshot.authorities.push_back(AuthorityHealth());
        snapshot.authorities[0].name = "<b>corp</b>";
        snapshot.authorities[0].state = "up";
    }
    Names names;
    std::chrono::seconds names_take{0};
    static ports::Async<Names> told(Names given, ports::Clock& clock, std::chrono::seconds take) {
        if (take.count() != 0) co_await clock.wait_until(clock.tick() + take);
        co_return given;
    }
    NamesView names_view() {
        return [this] { return told(names, clock, names_take); };
    }
    std::unique_ptr<HealthServer> serve(HealthOptions options, HealthAccess access = {}) {
        options.listen = "127.0.0.1:0";
        auto server = std::make_unique<HealthServer>(
            io.get_executor(), clock, metrics, [this] { return snapshot; }, names_view(), std::move(options));
        server->use(std::move(access));
        EXPECT_TRUE(server->start());
        return server;
    }
    static ports::Async<std::string> exchange(asio::io_context& io, std::uint16_t port, std::string text) {
        asio::ip::tcp::socket socket(io);
        const asio::ip::tcp::endpoint there(asio::ip::address_v4::loopback(), port);
        const auto [failed] = co_await socket.async_connect(there, k_tuple);
        if (failed) co_return Error(ErrorKind::unavailable, "connectFailed", failed.message());
        co_await asio::async_write(socket, asio::buffer(text), k_tuple);
        std::string answer;
        co_await asio::async_read(socket, asio::dynamic_buffer(answer), k_tuple);
        co_return answer;
    }
    std::string send(const HealthServer& server, const std::string& text) {
        auto call = exchange(io, server.port(), text);
        auto answer = net_test::run<std::string>(io, std::move(call));
        return answer ? *answer : answer.error().message;
    }
    std::string get(const HealthServer& server, const std::string& path) {
        return send(server, "GET " + path + " HTTP/1.1\r\nHost: localhost:9464\r\n\r\n");
    }
    static std::string body(const std::string& answer) {
        const auto at = answer.find("\r\n\r\n");
        return at == std::string::npos ? "" : answer.substr(at + 4);
    }
    static std::string status(const std::string& answer) { return answer.substr(0, 12); }
};

TEST_F(HealthServerTest, IsAlwaysAlive) {
    const auto server = serve(HealthOptions());
    const std::string answer = get(*server, "/livez");
    EXPECT_EQ(status(answer), "HTTP/1.1 200");
    EXPECT_EQ(body(answer), "ok\n");
    for (const char* header :
         {"Cache-Control: no-store\r\n", "Cross-Origin-Resource-Policy: same-origin\r\n", "frame-ancestors 'none'",
          "X-Content-Type-Options: nosniff\r\n", "Connection: close\r\n"})
        EXPECT_NE(answer.find(header), std::string::npos) << header;
    EXPECT_EQ(answer.find("Access-Control"), std::string::npos);
}

TEST_F(HealthServerTest, SaysWhetherItIsReadyAndWhyNot) {
    const auto server = serve(HealthOptions());
    EXPECT_EQ(status(get(*server, "/readyz")), "HTTP/1.1 200");
    snapshot.status = "degraded";
    EXPECT_EQ(status(get(*server, "/readyz?x=1")), "HTTP/1.1 200");
    snapshot.checks[0].status = "failed";
    snapshot.checks[0].detail = "no answer";
    const std::string failing = get(*server, "/readyz");
    EXPECT_EQ(status(failing), "HTTP/1.1 503");
    EXPECT_EQ(boost::json::parse(body(failing)).at("failing").at(0).at("name"), "service");
    EXPECT_EQ(status(get(*server, "/healthz")), "HTTP/1.1 200");
    EXPECT_EQ(status(get(*server, "/livez")), "HTTP/1.1 200");
    snapshot.checks[0].gates_readiness = false;
    EXPECT_EQ(status(get(*server, "/readyz")), "HTTP/1.1 200");
    snapshot.status = "draining";
    EXPECT_EQ(status(get(*server, "/readyz")), "HTTP/1.1 503");
}

TEST_F(HealthServerTest, TellsItsHealthAsJson) {
    const auto server = serve(HealthOptions());
    const auto health = boost::json::parse(body(get(*server, "/healthz")));
    for (const char* key :
         {"status", "version", "startedAt", "checks", "queue", "held", "lastLeaseAt", "lastDeliveryAt",
          "oldestPendingSeconds", "clockSkewSeconds", "authorities", "certificateExpiresAt"})
        EXPECT_TRUE(health.as_object().contains(key)) << key;
    EXPECT_TRUE(health.at("clockSkewSeconds").is_null()) << "not known";
    EXPECT_EQ(health.at("queue").at("accepted"), 3);
    EXPECT_TRUE(health.at("lastLeaseAt").is_null());
    EXPECT_TRUE(health.at("authorities").at(0).at("lastSuccessAt").is_null());
}

TEST_F(HealthServerTest, ServesAPageWithoutScript) {
    HealthOptions options;
    const auto server = serve(options);
    const std::string answer = get(*server, "/");
    EXPECT_EQ(status(answer), "HTTP/1.1 200");
    EXPECT_NE(answer.find("default-src 'none'; style-src 'sha256-"), std::string::npos);
    EXPECT_NE(body(answer).find("&lt;b&gt;corp&lt;/b&gt;"), std::string::npos);
    EXPECT_EQ(body(answer).find("<script"), std::string::npos);
    options.page = false;
    const auto without = serve(options);
    EXPECT_EQ(status(get(*without, "/")), "HTTP/1.1 404");
}

TEST_F(HealthServerTest, NamesNobodyWithoutTheToken) {
    names.held = {{"r-held", "pfx.deliver", "alice@corp.example", "phone-1", "keyChange", clock.utc()}};
    names.failed = {{"r-failed", "pkcs.issue", "bob@corp.example", "phone-2", "policyRefused", clock.utc()}};
    HealthOptions options;
    options.full_page = true;
    HealthAccess access;
    access.token = std::make_shared<const SecretBytes>(SecretBytes::copy_of("a token of twenty characters"));
    const auto server = serve(options, access);
    const auto ask = [&](const std::string& path, const std::string& authorization) {
        return send(*server, "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
                                 (authorization.empty() ? "" : "Authorization: " + authorization + "\r\n") + "\r\n");
    };
    const std::string summary = ask("/", "");
    EXPECT_EQ(status(summary), "HTTP/1.1 200");
    EXPECT_NE(summary.find("href=\"/full\""), std::string::npos);
    for (const char* wrong :
         {"", "Bearer", "Bearer ", "Bearer a token of twenty character", "Bearer a token of twenty characters!",
          "Basic", "Basic !", "Basic YSB0b2tlbiBvZiB0d2VudHkgY2hhcmFjdGVycw==", "Basic YWRtaW46",
          "Digest a token of twenty characters", "a token of twenty characters"}) {
        const std::string answer = ask("/full", wrong);
        EXPECT_EQ(status(answer), "HTTP/1.1 401") << wrong;
        EXPECT_NE(answer.find("WWW-Authenticate: Basic realm="), std::string::npos);
        EXPECT_EQ(answer.find("alice"), std::string::npos) << wrong;
    }
    // The second: "admin:a token of twenty characters".
    for (const char* right : {"Bearer a token of twenty characters", "bearer a token of twenty characters",
                              "Basic YWRtaW46YSB0b2tlbiBvZiB0d2VudHkgY2hhcmFjdGVycw=="})
        for (const char* path : {"/full", "/"}) {
            const std::string answer = ask(path, right);
            EXPECT_EQ(status(answer), "HTTP/1.1 200") << right;
            for (const char* named :
                 {"r-held", "alice@corp.example", "phone-1", "keyChange", "r-failed", "policyRefused"})
                EXPECT_NE(body(answer).find(named), std::string::npos) << named;
        }
    for (const char* path : {"/healthz", "/metrics", "/readyz"})
        EXPECT_EQ(ask(path, "Bearer a token of twenty characters").find("alice"), std::string::npos) << path;
    EXPECT_EQ(status(send(*server,
                          "GET /full HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n"
                          "Authorization: Bearer a token of twenty characters\r\n\r\n")),
              "HTTP/1.1 403");
    server->use({});
    EXPECT_EQ(status(ask("/full", "Bearer a token of twenty characters")), "HTTP/1.1 404");
    options.full_page = false;
    const auto without = serve(options, access);
    EXPECT_EQ(status(get(*without, "/full")), "HTTP/1.1 404");
    EXPECT_EQ(get(*without, "/").find("/full"), std::string::npos);
}

TEST_F(HealthServerTest, NamesThatAreLongInComingKeepNobodyOutAndAreAskedForAgain) {
    HealthOptions options;
    options.full_page = true;
    HealthAccess access;
    access.token = std::make_shared<const SecretBytes>(SecretBytes::copy_of("a token of twenty characters"));
    const auto server = serve(options, access);
    const std::string ask =
        "GET /full HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a token of twenty characters\r\n\r\n";
    names_take = 1h;
    std::string first = "none yet";
    auto slow = [](asio::io_context& context, std::uint16_t port, std::string text,
                   std::string& into) -> asio::awaitable<void> {
        auto call = exchange(context, port, std::move(text));
        auto answer = co_await std::move(call);
        into = answer ? *answer : answer.error().message;
    }(io, server->port(), ask, first);
    asio::co_spawn(io, std::move(slow), asio::detached);
    // Until the first is being worked the second would be the first.
    for (int i = 0; i < 1000; ++i) io.poll_one();
    EXPECT_EQ(status(send(*server, ask)), "HTTP/1.1 503");
    EXPECT_EQ(status(get(*server, "/livez")), "HTTP/1.1 200");
    clock.advance(6s);
    io.restart();
    for (int i = 0; i < 1000 && first == "none yet"; ++i) io.poll_one();
    EXPECT_EQ(first, "") << "closed after its five seconds";
    names_take = 0s;
    EXPECT_EQ(status(send(*server, ask)), "HTTP/1.1 200");
}

TEST(HealthAccessTest, AReloadOpensNothingWhereOthersCanConnect) {
    HealthAccess old;
    const auto holder = net_test::make_server(net_test::make_root("Root"), {{NameForm::dns, "localhost"}}, false);
    const auto tls = net::TlsContext::serve(net_test::identity_of(holder));
    ASSERT_TRUE(tls);
    old.tls = *tls;
    HealthAccess fresh;
    fresh.token = std::make_shared<const SecretBytes>(SecretBytes::copy_of("a token of twenty characters"));
    EXPECT_EQ(fit_for_others(fresh, old, false).tls, old.tls);
    EXPECT_TRUE(fit_for_others(fresh, old, false).token);
    EXPECT_FALSE(fit_for_others(fresh, old, true).tls) << "clear text was allowed";
    EXPECT_FALSE(fit_for_others(fresh, old, true).token) << "but no token in it";
    fresh.tls = *tls;
    EXPECT_TRUE(fit_for_others(fresh, {}, true).token);
}

TEST_F(HealthServerTest, AnswersAHeadWithoutABody) {
    const auto server = serve(HealthOptions());
    const std::string answer = send(*server, "HEAD /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n");
    EXPECT_EQ(status(answer), "HTTP/1.1 200");
    EXPECT_EQ(body(answer), "");
    EXPECT_NE(answer.find("Content-Length: 3\r\n"), std::string::npos);
}

TEST_F(HealthServerTest, RefusesByItsRules) {
    HealthOptions options;
    options.hosts = {"health.example"};
    const auto server = serve(options);
    const std::vector<std::pair<std::string, std::string>> cases{
        {"GET /livez HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n", "200"},
        {"GET /livez HTTP/1.1\r\nHost: 127.8.9.1\r\n\r\n", "200"},
        {"GET /livez HTTP/1.1\r\nHost: HEALTH.example:80\r\n\r\n", "200"},
        {"GET /livez HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "421"},
        {"GET /livez HTTP/1.1\r\nHost: 10.0.0.1\r\n\r\n", "421"},
        {"GET /livez HTTP/1.1\r\nHost: localhost.evil\r\n\r\n", "421"},
        {"GET /livez HTTP/1.1\r\nHost: localhost:x\r\n\r\n", "421"},
        {"GET /livez HTTP/1.1\r\nHost:\r\n\r\n", "421"},
        {"GET /livez HTTP/1.1\r\n\r\n", "400"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\r\n", "403"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nOrigin: null\r\n\r\n", "403"},
        {"GET /livez HTTP/1.1\r\nHost: localhost:1\r\nOrigin: http://localhost:1\r\n\r\n", "200"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: cross-site\r\n\r\n", "403"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: same-site\r\n\r\n", "403"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n\r\n", "200"},
        {"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc", "405"},
        {"OPTIONS /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"},
        {"DELETE / HTTP/1.1\r\nHost: localhost\r\n\r\n", "405"},
        {"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
        {"GET /livez/../metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"},
        {"GET http://evil.example/livez HTTP/1.1\r\nHost: localhost\r\n\r\n", "400"},
        {"nonsense\r\n\r\n", "400"},
        {"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(5000, 'x') + "\r\n\r\n", "431"}};
    for (const auto& [text, wanted] : cases)
        EXPECT_EQ(status(send(*server, text)), "HTTP/1.1 " + wanted) << text.substr(0, 100);
}

TEST_F(HealthServerTest, GivesEachConnectionFiveSeconds) {
    const auto server = serve(HealthOptions());
    auto call = exchange(io, server->port(), "GET /livez HTTP/1.1\r\n");
    // Once the server waits for the rest of the head, time passes.
    const auto pass = [](net_test::StillClock& still) -> asio::awaitable<void> {
        for (;;) {
            co_await asio::post(asio::use_awaitable);
            still.advance(1ms);
        }
    };
    auto passing = pass(clock);
    asio::co_spawn(io, std::move(passing), asio::detached);
    const auto answer = net_test::run<std::string>(io, std::move(call));
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, "");
}

TEST_F(HealthServerTest, TakesThirtyTwoConnectionsAndFreesThem) {
    const auto server = serve(HealthOptions());
    std::vector<asio::ip::tcp::socket> idle;
    for (int i = 0; i < 32; ++i) {
        idle.emplace_back(io);
        idle.back().connect({asio::ip::address_v4::loopback(), server->port()});
    }
    EXPECT_EQ(get(*server, "/livez").substr(0, 4), "");
    idle.clear();
    std::string answer;
    for (int i = 0; i < 50 && answer.empty(); ++i) answer = get(*server, "/livez");
    EXPECT_EQ(status(answer), "HTTP/1.1 200");
}

TEST_F(HealthServerTest, ListensOnLoopbackAlone) {
    for (const char* listen : {"0.0.0.0:0", "192.0.2.1:0", "localhost:1", "127.0.0.1", "127.0.0.1:x", ""}) {
        HealthOptions options;
        options.listen = listen;
        HealthServer server(
            io.get_executor(), clock, metrics, [this] { return snapshot; }, names_view(), options);
        const auto started = server.start();
        ASSERT_FALSE(started) << listen;
        EXPECT_EQ(started.error().code, "healthListen");
    }
}

TEST_F(HealthServerTest, StopsInTheMiddle) {
    auto server = serve(HealthOptions());
    auto call = exchange(io, server->port(), "GET /livez HTTP/1.1\r\n");
    const auto stop_soon = [](std::unique_ptr<HealthServer>& running) -> asio::awaitable<void> {
        for (int i = 0; i < 200; ++i) co_await asio::post(asio::use_awaitable);
        running.reset();
    };
    auto stopping = stop_soon(server);
    asio::co_spawn(io, std::move(stopping), asio::detached);
    const auto answer = net_test::run<std::string>(io, std::move(call));
    ASSERT_TRUE(answer);
    EXPECT_EQ(*answer, "");
}

}  // namespace
}  // namespace connector::health
