#include "core/request/request.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::request {
namespace {

// Each word of the management API is read as what it is written for, and nothing else is read.
template <class Parse>
void expect_words(Parse parse, std::initializer_list<const char*> words) {
    for (const auto* word : words) {
        const auto value = parse(word);
        ASSERT_TRUE(value) << word;
        EXPECT_EQ(to_string(*value), word);
        const std::string upper(1, static_cast<char>(word[0] - 'a' + 'A'));
        EXPECT_FALSE(parse(upper + (word + 1))) << "words are case-sensitive";
    }
    EXPECT_FALSE(parse(""));
    EXPECT_FALSE(parse("unknown"));
}

TEST(Words, of_the_management_api) {
    expect_words(parse_kind, {"pkcs.issue", "pkcs.renew", "pfx.deliver", "pfx.withdraw", "certificate.revoke"});
    expect_words(parse_platform, {"ios", "macos", "android", "windows", "linux"});
    expect_words(parse_delivery_format, {"cms", "windowsCsp", "appleProfile"});
    expect_words(parse_pkcs12_choice, {"auto", "aes256", "legacy3des"});
    expect_words(parse_san_type, {"email", "upn", "dns", "uri"});
    expect_words(parse_purpose, {"smimeEncryption", "smimeSigning", "unassigned", "wifi"});
}

TEST(CertificateRequest, knows_its_kind_profile_and_delivery) {
    auto request = samples::issue_request();
    const struct {
        Order order;
        Kind kind;
        bool has_profile;
        bool has_delivery;
    } cases[] = {
        {Issue{}, Kind::pkcs_issue, true, true},
        {Renew{}, Kind::pkcs_renew, true, true},
        {DeliverImported{}, Kind::pfx_deliver, false, true},
        {Withdraw{}, Kind::pfx_withdraw, false, false},
        {Revoke{}, Kind::certificate_revoke, false, false},
    };
    for (const auto& it : cases) {
        request.order = it.order;
        EXPECT_EQ(request.kind(), it.kind);
        EXPECT_EQ(request.profile() != nullptr, it.has_profile) << to_string(it.kind);
        EXPECT_EQ(request.delivery() != nullptr, it.has_delivery) << to_string(it.kind);
    }
}

}  // namespace
}  // namespace connector::request
