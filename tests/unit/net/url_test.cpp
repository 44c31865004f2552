#include "daemon/net/url.hpp"
#include "daemon/net/http_client.hpp"

#include <gtest/gtest.h>

namespace connector::net {
namespace {

TEST(Url, TakesApartWhatTheOperatorWrites) {
    const auto url = parse_url("https://Mgmt.Example:8443/api/v1/?a=b");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->host, "mgmt.example");
    EXPECT_EQ(url->port, 8443);
    EXPECT_EQ(url->path, "/api/v1");
    EXPECT_EQ(url->target(), "/api/v1?a=b");
    EXPECT_EQ(url->authority(), "mgmt.example:8443");
    EXPECT_EQ(url->text(), "https://mgmt.example:8443/api/v1");
    EXPECT_EQ(url->below("/connectors").target(), "/api/v1/connectors");
}

TEST(Url, KnowsAddressLiterals) {
    const auto url = parse_url("https://[::1]:444");
    ASSERT_TRUE(url);
    EXPECT_EQ(url->host, "::1");
    EXPECT_EQ(url->authority(), "[::1]:444");
    EXPECT_EQ(url->target(), "/");
}

TEST(Url, RefusesWhatItDoesNotMean) {
    for (const char* text : {"http://mgmt.example", "mgmt.example", "https://", "https://user:pw@mgmt.example/",
                             "https://mgmt.example/#part", "https://mgmt.example/a/../b",
                             "https://mgmt.example/%2e%2e/b", "https://mgmt.example:0/", "https://mgmt.example:99999/",
                             "https://mg mt.example/", "https://mgmt.example/\r\nX: y", "", "ftp://mgmt.example/"}) {
        const auto url = parse_url(text);
        ASSERT_FALSE(url) << text;
        EXPECT_EQ(url.error().kind, ErrorKind::misconfigured) << text;
    }
}

TEST(Url, ContainsWholeSegmentsOnly) {
    const auto base = *parse_url("https://h.example/api/v1");
    EXPECT_TRUE(base.contains(*parse_url("https://h.example/api/v1/users?x=1")));
    EXPECT_TRUE(base.contains(*parse_url("https://H.example:443/api/v1")));
    EXPECT_FALSE(base.contains(*parse_url("https://h.example/api/v10/users")));
    EXPECT_FALSE(base.contains(*parse_url("https://h.example/admin")));
    EXPECT_FALSE(base.contains(*parse_url("https://other.example/api/v1/users")));
    EXPECT_FALSE(base.contains(*parse_url("https://h.example:444/api/v1/users")));
}

TEST(Url, EncodesAllThatIsNotUnreserved) {
    EXPECT_EQ(encode_segment("a:b@c+d/ü.-_~"), "a%3Ab%40c%2Bd%2F%C3%BC.-_~");
}

TEST(Proxy, IsReadAsHostAndPort) {
    EXPECT_EQ(parse_proxy("http://Proxy.example:8080/")->host, "proxy.example");
    EXPECT_EQ(parse_proxy("proxy.example:8080")->port, 8080);
    EXPECT_EQ(parse_proxy("[::1]:8080")->host, "::1");
    for (const char* text : {"", "https://p:1", "http://user:pw@p:1", "p:0", "p:x", "p:1/path", "a b:1"})
        EXPECT_FALSE(parse_proxy(text)) << text;
}

TEST(Proxy, LeavesOutWholeLabels) {
    Proxy proxy;
    proxy.no_proxy = {".corp.example", "Intern.example", "10.0.0.1", "[::1]"};
    for (const char* host : {"a.corp.example", "corp.example", "intern.example", "x.intern.example", "10.0.0.1", "::1"})
        EXPECT_TRUE(proxy.covers(host)) << host;
    for (const char* host : {"evilcorp.example", "intern.example.evil", "10.0.0.11"})
        EXPECT_FALSE(proxy.covers(host)) << host;
    proxy.no_proxy = {"*"};
    EXPECT_TRUE(proxy.covers("anything.example"));
}

}  // namespace
}  // namespace connector::net
