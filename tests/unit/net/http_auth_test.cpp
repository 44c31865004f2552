#include "daemon/net/http_auth.hpp"

#include <gtest/gtest.h>

namespace connector::net {
namespace {

Credentials mufasa() {
    return {"Mufasa", std::make_shared<const SecretBytes>(SecretBytes::copy_of("Circle of Life"))};
}
Request get(const std::string& target) {
    Url url;
    url.host = "www.example.org";
    url.path = target;
    return Request("GET", url, Tick{});
}
Response asking(std::initializer_list<std::string> fields) {
    Response answer;
    answer.status = 401;
    for (const auto& field : fields) answer.headers.emplace_back("www-authenticate", field);
    return answer;
}
std::string text(const Result<SecretBytes>& value) {
    return value ? std::string(value->reveal_text()) : value.error().message;
}

// RFC 7616 3.9.1.
constexpr const char* k_sha256 =
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
constexpr const char* k_md5 =
    "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=MD5, "
    "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\"";
constexpr const char* k_client_nonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

TEST(HttpAuth, AnswersAsTheStandardsExamples) {
    const auto challenges = challenges_of(asking({k_sha256, k_md5}));
    ASSERT_EQ(challenges.size(), 2U);
    const auto sha256 = text(authorization(challenges[0], mufasa(), get("/dir/index.html"), 1, k_client_nonce));
    EXPECT_NE(sha256.find("response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\""),
              std::string::npos)
        << sha256;
    for (const auto* part : {"Digest username=\"Mufasa\", realm=\"http-auth@example.org\"", "uri=\"/dir/index.html\"",
                             ", algorithm=SHA-256", ", qop=auth, nc=00000001, cnonce=\"f2/wE4q74",
                             "opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""})
        EXPECT_NE(sha256.find(part), std::string::npos) << part << " in " << sha256;
    const auto md5 = text(authorization(challenges[1], mufasa(), get("/dir/index.html"), 1, k_client_nonce));
    EXPECT_NE(md5.find("response=\"8ca523f5e9506fed4657c9700eebdbec\""), std::string::npos) << md5;
}

TEST(HttpAuth, AnswersTheOldForm) {
    // RFC 2617 3.5 without a qop: RFC 2069's arithmetic.
    const auto old =
        challenges_of(asking({"Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\""}));
    ASSERT_EQ(old.size(), 1U);
    Credentials credentials = mufasa();
    credentials.password = std::make_shared<const SecretBytes>(SecretBytes::copy_of("Circle Of Life"));
    const auto value = text(authorization(old[0], credentials, get("/dir/index.html"), 1, "x"));
    EXPECT_NE(value.find("response=\"670fd8c2df070c60b045671b8b24ff02\""), std::string::npos) << value;
    EXPECT_EQ(value.find("cnonce"), std::string::npos);
    EXPECT_EQ(value.find("algorithm"), std::string::npos);
}

TEST(HttpAuth, AnswersBasic) {
    const auto challenges = challenges_of(asking({"Basic realm=\"x\", charset=\"UTF-8\""}));
    ASSERT_EQ(challenges.size(), 1U);
    Credentials aladdin{"Aladdin", std::make_shared<const SecretBytes>(SecretBytes::copy_of("open sesame"))};
    EXPECT_EQ(text(authorization(challenges[0], aladdin, get("/"), 1, "x")), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
}

TEST(HttpAuth, ReadsWhatServersWrite) {
    const auto schemes = [](std::initializer_list<std::string> fields) {
        std::string found;
        for (const auto& each : challenges_of(asking(fields)))
            found += each.scheme == AuthScheme::basic ? "B" : each.hash == crypto::HttpHash::sha256 ? "S" : "M";
        return found;
    };
    EXPECT_EQ(
        schemes({"Negotiate, NTLM, Basic realm=\"a, Digest b\", Digest nonce=\"n\", qop=auth ,algorithm=\"SHA-256\""}),
        "BS");
    EXPECT_EQ(schemes({"Negotiate oYG2MIGzoAMKAQ+/==, bAsIc realm=x"}), "B");
    EXPECT_EQ(schemes({"Newauth realm=\"apps\", type=1, title=\"Login to \\\"apps\\\"\", Basic realm=\"simple\""}),
              "B");
    EXPECT_EQ(schemes({"", ",,,", "=x", "\"", "Digest"}), "");
    EXPECT_EQ(schemes({"Digest realm=\"never ends"}), "");
    EXPECT_EQ(schemes({"Digest nonce=n, algorithm=SHA-512-256"}), "");
    EXPECT_EQ(schemes({"Digest nonce=n, qop=\"token\""}), "");
    EXPECT_EQ(schemes({"Digest realm=r"}), "") << "no nonce";
    EXPECT_EQ(schemes({"Digest nonce=n, algorithm=MD5-sess"}), "") << "no qop, no client nonce";
    EXPECT_EQ(schemes({"Digest nonce=\"a\x01z\""}), "");
    const auto quoted =
        challenges_of(asking({"Digest realm=\"lab \\\"x\\\"\", nonce=n, qop=\"auth-int,auth\", stale=TRUE"}));
    ASSERT_EQ(quoted.size(), 1U);
    EXPECT_EQ(quoted[0].realm, "lab \"x\"");
    EXPECT_TRUE(quoted[0].stale);
    EXPECT_EQ(quoted[0].quality, Challenge::Quality::auth);
    EXPECT_NE(text(authorization(quoted[0], mufasa(), get("/"), 1, "c")).find("realm=\"lab \\\"x\\\"\""),
              std::string::npos);
    EXPECT_LE(challenges_of(asking({std::string(2000, 'x') + std::string(4000, ',') + " Basic a=b"})).size(), 1U);
}

class HttpAuthOrder : public testing::Test {
protected:
    using Order = std::vector<AuthScheme>;
    static std::string scheme_after(HttpAuthentication& authentication, const Response& answer) {
        if (const auto learnt = authentication.learn(answer, 0); !learnt) return learnt.error().message;
        Request request = get("/");
        EXPECT_EQ(*authentication.sign(request), 1U);
        const auto value = std::string(request.authorization->reveal_text());
        return value.find("algorithm=SHA-256") != std::string::npos ? "SHA-256" : value.substr(0, value.find(' '));
    }
};

TEST_F(HttpAuthOrder, TheOperatorsOrderAndTheBetterDigest) {
    const auto offer = asking({"Basic realm=x", k_md5, k_sha256});
    HttpAuthentication both(mufasa(), Order{AuthScheme::digest, AuthScheme::basic});
    EXPECT_EQ(scheme_after(both, offer), "SHA-256");
    HttpAuthentication turned(mufasa(), Order{AuthScheme::basic, AuthScheme::digest});
    EXPECT_EQ(scheme_after(turned, offer), "Basic");
    EXPECT_EQ(scheme_after(both, asking({"Basic realm=x"})), "Basic");
    HttpAuthentication careful(mufasa(), Order{AuthScheme::digest});
    EXPECT_NE(scheme_after(careful, asking({"Basic realm=x"})).find("does not offer Digest"), std::string::npos);
    EXPECT_EQ(scheme_after(careful, asking({k_md5})), "Digest");
}

TEST_F(HttpAuthOrder, NothingIsSentBeforeItIsAsked) {
    HttpAuthentication authentication(mufasa(), Order{AuthScheme::basic});
    Request request = get("/");
    EXPECT_EQ(*authentication.sign(request), 0U);
    EXPECT_EQ(request.authorization, nullptr);
    HttpAuthentication nobody(std::nullopt, Order{AuthScheme::basic});
    EXPECT_EQ(nobody.learn(asking({"Basic realm=x"}), 0).error().kind, ErrorKind::unauthorized);
    EXPECT_EQ(*nobody.sign(request), 0U);
}

TEST_F(HttpAuthOrder, ARefusedPasswordIsNotTriedTwice) {
    for (const auto* offer : {k_sha256, "Basic realm=x"}) {
        HttpAuthentication authentication(mufasa(), Order{AuthScheme::digest, AuthScheme::basic});
        Request request = get("/");
        ASSERT_TRUE(authentication.learn(asking({offer}), 0));
        const auto use = *authentication.sign(request);
        const auto again = authentication.learn(asking({offer}), use);
        ASSERT_FALSE(again) << offer;
        EXPECT_EQ(again.error().kind, ErrorKind::unauthorized);
    }
}

TEST_F(HttpAuthOrder, AnOldNonceIsReplaced) {
    HttpAuthentication authentication(mufasa(), Order{AuthScheme::digest});
    Request request = get("/");
    ASSERT_TRUE(authentication.learn(asking({k_sha256}), 0));
    EXPECT_EQ(*authentication.sign(request), 1U);
    EXPECT_EQ(*authentication.sign(request), 2U);
    EXPECT_NE(request.authorization->reveal_text().find("nc=00000002"), std::string_view::npos);
    EXPECT_TRUE(authentication.learn(asking({k_sha256}), 2)) << "whether or not it says stale";
    EXPECT_EQ(*authentication.sign(request), 1U);
    EXPECT_TRUE(authentication.learn(asking({std::string(k_sha256) + ", stale=true"}), 1));
}

}  // namespace
}  // namespace connector::net
