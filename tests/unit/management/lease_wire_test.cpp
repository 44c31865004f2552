#include "daemon/management/wire.hpp"
#include "support/wire_examples.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <functional>

namespace connector::management {
namespace {

namespace bj = boost::json;
using wire_test::example;
using wire_test::example_json;
using wire_test::hash;

const ports::LeasedRequest* leased(const LeasedElements& answer, std::size_t at) {
    return std::get_if<ports::LeasedRequest>(&answer.requests.at(at));
}
const ports::UnreadableRequest* unreadable(const LeasedElements& answer, std::size_t at) {
    return std::get_if<ports::UnreadableRequest>(&answer.requests.at(at));
}

// One element of the example by its place, 0 = r-1 (issue) … 5 = r-6 (revoke).
bj::value element(std::size_t at) {
    return example_json("lease.response.json").at("requests").at(at);
}
std::string body_of(const std::string& elements) {
    return R"({"requests":[)" + elements + "]}";
}
Result<LeasedElements> decode(const std::string& elements) {
    return decode_lease(body_of(elements), hash);
}

TEST(LeaseWire, AcceptsTheWholeExample) {
    const auto answer = decode_lease(example("lease.response.json"), hash);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->skipped, 0U);
    ASSERT_EQ(answer->requests.size(), 6U);
    for (std::size_t i = 0; i < 6; ++i) {
        const auto* bad = unreadable(*answer, i);
        ASSERT_EQ(bad, nullptr) << i << ": " << bad->failure.message;
    }
    const auto& issue = *leased(*answer, 0);
    EXPECT_EQ(issue.request.id.text(), "r-1");
    EXPECT_EQ(issue.lease.id.text(), "l-1");
    EXPECT_EQ(to_rfc3339(issue.lease.expires_at), "2026-11-23T12:02:00Z");
    EXPECT_EQ(issue.request.kind(), request::Kind::pkcs_issue);
    EXPECT_EQ(issue.request.user.display_name, "Smith, Alice + Co");
    EXPECT_EQ(issue.request.user.proxy_addresses.size(), 2U);
    EXPECT_EQ(issue.request.device.platform, request::Platform::ios);
    EXPECT_GT(issue.request.device.recipient_certificate.size(), 600U);
    ASSERT_NE(issue.request.profile(), nullptr);
    EXPECT_EQ(issue.request.profile()->template_alias, "smime-signing");
    EXPECT_EQ(issue.request.profile()->validity_days, 365U);
    EXPECT_EQ(issue.order_hash, hash(request::order_octets(issue.request)));

    const auto& renew = std::get<request::Renew>(leased(*answer, 1)->request.order);
    EXPECT_EQ(renew.previous.serial_number, "5d0c9a");
    EXPECT_EQ(renew.delivery.format, request::DeliveryFormat::windows_csp);
    EXPECT_EQ(renew.delivery.windows, R"({"keyLocation":3})");
    EXPECT_EQ(std::get<request::DeliverImported>(leased(*answer, 2)->request.order).purpose,
              request::Purpose::smime_encryption);
    EXPECT_EQ(std::get<request::Withdraw>(leased(*answer, 4)->request.order).reason, "unenrolled");
    const auto& revoke = std::get<request::Revoke>(leased(*answer, 5)->request.order);
    EXPECT_EQ(revoke.serial_number, "5d0c9a");
    EXPECT_EQ(revoke.reason, "keyCompromise");
}

struct Change {
    const char* what;
    std::size_t at;  // of the example's elements
    std::function<void(bj::object&)> change;
    const char* code;     // "" = still accepted
    const char* pointer;  // how the message begins
};

bj::object& in(bj::object& element, const char* key) {
    return element.at(key).as_object();
}

const std::vector<Change>& changes() {
    static const std::vector<Change> k_changes{
        {"unknown fields are ignored", 0,
         [](bj::object& o) {
             o["news"] = bj::object{{"a", bj::array{1, 2}}};
         },
         "", ""},
        {"null means absent", 0, [](bj::object& o) { in(o, "user")["mail"] = nullptr; }, "", ""},
        {"attempt may be missing", 0, [](bj::object& o) { o.erase("attempt"); }, "", ""},
        {"fractions of a second are read", 0, [](bj::object& o) { o["createdAt"] = "2026-11-23T11:59:00.123456789Z"; },
         "", ""},
        {"an empty subject is a subject", 0, [](bj::object& o) { in(o, "profile")["subject"] = ""; }, "", ""},
        {"profile's defaults", 0,
         [](bj::object& o) {
             for (const char* key : {"keyUsage", "extendedKeyUsage", "validityDays", "renewalThresholdPercent",
                                     "includeSecurityIdentifier", "subjectAltNames", "template"})
                 in(o, "profile").erase(key);
             o.erase("delivery");
         },
         "", ""},
        {"a withdraw needs ids only", 4,
         [](bj::object& o) {
             o["user"] = bj::object{{"id", "u"}};
             o["device"] = bj::object{{"id", "d"}};
         },
         "", ""},
        {"an unused platform is not judged", 5, [](bj::object& o) { in(o, "device")["platform"] = "toaster"; }, "", ""},
        {"hex in upper case", 5, [](bj::object& o) { o["serialNumber"] = "5D0C9A"; }, "", ""},
        {"unknown kind", 0, [](bj::object& o) { o["kind"] = "pkcs.mint"; }, "unsupported", "/kind: "},
        {"kind of the wrong type", 0, [](bj::object& o) { o["kind"] = 7; }, "invalidRequest", "/kind: "},
        {"no user", 0, [](bj::object& o) { o.erase("user"); }, "invalidRequest", "/user: "},
        {"user is a list", 0, [](bj::object& o) { o["user"] = bj::array(); }, "invalidRequest", "/user: "},
        {"no user id", 0, [](bj::object& o) { in(o, "user").erase("id"); }, "invalidRequest", "/user/id: "},
        {"user id of a foreign form", 0, [](bj::object& o) { in(o, "user")["id"] = "a/b"; }, "invalidRequest",
         "/user/id: "},
        {"empty UPN", 0, [](bj::object& o) { in(o, "user")["userPrincipalName"] = ""; }, "invalidRequest",
         "/user/userPrincipalName: "},
        {"mails that are none", 0, [](bj::object& o) { in(o, "user")["otherMails"] = bj::array{1}; }, "invalidRequest",
         "/user/otherMails: "},
        {"a SID that is none", 0, [](bj::object& o) { in(o, "user")["onPremisesSecurityIdentifier"] = "S-1-5-x"; },
         "invalidRequest", "/user/onPremisesSecurityIdentifier: "},
        {"unknown platform", 0, [](bj::object& o) { in(o, "device")["platform"] = "toaster"; }, "unsupported",
         "/device/platform: "},
        {"no recipient", 0, [](bj::object& o) { in(o, "device").erase("recipientCertificate"); }, "invalidRequest",
         "/device/recipientCertificate: "},
        {"recipient not padded", 0, [](bj::object& o) { in(o, "device")["recipientCertificate"] = "QQ"; },
         "invalidRequest", "/device/recipientCertificate: "},
        {"recipient with a line break", 0,
         [](bj::object& o) { in(o, "device")["recipientCertificate"] = "QUJD\nQUJD"; }, "invalidRequest",
         "/device/recipientCertificate: "},
        {"recipient over 8 KiB", 0,
         [](bj::object& o) { in(o, "device")["recipientCertificate"] = std::string(8196, 'A'); }, "invalidRequest",
         "/device/recipientCertificate: "},
        {"binding of 16 KiB", 0, [](bj::object& o) { in(o, "device")["binding"] = std::string(16384, 'A'); }, "", ""},
        {"binding over 16 KiB", 0, [](bj::object& o) { in(o, "device")["binding"] = std::string(16388, 'A'); },
         "invalidRequest", "/device/binding: "},
        {"a name over 4 KiB", 0, [](bj::object& o) { in(o, "device")["name"] = std::string(4097, 'A'); },
         "invalidRequest", "/device/name: "},
        {"a control character", 0, [](bj::object& o) { in(o, "user")["displayName"] = "a\x1b[31mb"; }, "invalidRequest",
         "/user/displayName: "},
        {"a NUL", 0, [](bj::object& o) { in(o, "user")["displayName"] = bj::string_view("a\0b", 3); }, "invalidRequest",
         "/user/displayName: "},
        {"DEL", 0, [](bj::object& o) { in(o, "user")["displayName"] = "a\x7f"; }, "invalidRequest",
         "/user/displayName: "},
        {"C1", 0, [](bj::object& o) { in(o, "user")["displayName"] = "a\xc2\x85"; }, "invalidRequest",
         "/user/displayName: "},
        {"not a control character", 0, [](bj::object& o) { in(o, "user")["displayName"] = "\xc2\xa0\xc3\xbc"; }, "",
         ""},
        {"no authority", 0, [](bj::object& o) { in(o, "profile").erase("authority"); }, "invalidRequest",
         "/profile/authority: "},
        {"no subject", 0, [](bj::object& o) { in(o, "profile").erase("subject"); }, "invalidRequest",
         "/profile/subject: "},
        {"unknown key type", 0, [](bj::object& o) { in(o, "profile")["keyType"] = "rsa1024"; }, "unsupported",
         "/profile/keyType: "},
        {"unknown usage", 0, [](bj::object& o) { in(o, "profile")["keyUsage"] = bj::array{"signEverything"}; },
         "invalidRequest", "/profile/keyUsage: "},
        {"no usage at all", 0, [](bj::object& o) { in(o, "profile")["keyUsage"] = bj::array(); }, "invalidRequest",
         "/profile/keyUsage: "},
        {"an EKU by name", 0,
         [](bj::object& o) { in(o, "profile")["extendedKeyUsage"] = bj::array{"emailProtection"}; }, "invalidRequest",
         "/profile/extendedKeyUsage: "},
        {"a SAN of unknown type", 0,
         [](bj::object& o) {
             in(o, "profile")["subjectAltNames"] = bj::array{bj::object{{"type", "ip"}, {"value", "x"}}};
         },
         "invalidRequest", "/profile/subjectAltNames/0/type: "},
        {"21 SANs", 0,
         [](bj::object& o) {
             bj::array names;
             for (int i = 0; i < 21; ++i) names.push_back(bj::object{{"type", "email"}, {"value", "a@b.example"}});
             in(o, "profile")["subjectAltNames"] = names;
         },
         "invalidRequest", "/profile/subjectAltNames: "},
        {"no days", 0, [](bj::object& o) { in(o, "profile")["validityDays"] = 0; }, "invalidRequest",
         "/profile/validityDays: "},
        {"days in halves", 0, [](bj::object& o) { in(o, "profile")["validityDays"] = 1.5; }, "invalidRequest",
         "/profile/validityDays: "},
        {"100 %", 0, [](bj::object& o) { in(o, "profile")["renewalThresholdPercent"] = 100; }, "invalidRequest",
         "/profile/renewalThresholdPercent: "},
        {"yes is not true", 0, [](bj::object& o) { in(o, "profile")["includeSecurityIdentifier"] = "yes"; },
         "invalidRequest", "/profile/includeSecurityIdentifier: "},
        {"unknown format", 0, [](bj::object& o) { in(o, "delivery")["format"] = "pdf"; }, "unsupported",
         "/delivery/format: "},
        {"windowsCsp for a phone", 0, [](bj::object& o) { in(o, "delivery")["format"] = "windowsCsp"; }, "unsupported",
         "/delivery/format: "},
        {"a profile for Windows", 1, [](bj::object& o) { in(o, "delivery")["format"] = "appleProfile"; }, "unsupported",
         "/delivery/format: "},
        {"unknown pkcs12", 0, [](bj::object& o) { in(o, "delivery")["pkcs12"] = "rc2"; }, "invalidRequest",
         "/delivery/pkcs12: "},
        {"no previous", 1, [](bj::object& o) { o.erase("previous"); }, "invalidRequest", "/previous: "},
        {"a previous issuer that is no name", 1, [](bj::object& o) { in(o, "previous")["issuer"] = "no name"; },
         "invalidRequest", "/previous/issuer: "},
        {"unknown purpose", 2, [](bj::object& o) { o["purpose"] = "fun"; }, "invalidRequest", "/purpose: "},
        {"a thumbprint of 19 octets", 2, [](bj::object& o) { o["thumbprints"] = bj::array{std::string(38, 'a')}; },
         "invalidRequest", "/thumbprints: "},
        {"withdrawn for fun", 4, [](bj::object& o) { o["reason"] = "fun"; }, "invalidRequest", "/reason: "},
        {"serial 0", 5, [](bj::object& o) { o["serialNumber"] = "00"; }, "invalidRequest", "/serialNumber: "},
        {"serial in words", 5, [](bj::object& o) { o["serialNumber"] = "xyz"; }, "invalidRequest", "/serialNumber: "},
        {"a reason of RFC 5280 that is not ours", 5, [](bj::object& o) { o["reason"] = "cACompromise"; },
         "invalidRequest", "/reason: "},
        {"a time with an offset", 0, [](bj::object& o) { o["createdAt"] = "2026-11-23T11:59:00+01:00"; },
         "invalidRequest", "/createdAt: "},
        {"no lease time", 0, [](bj::object& o) { o.erase("leaseExpiresAt"); }, "invalidRequest", "/leaseExpiresAt: "},
        {"a negative attempt", 0, [](bj::object& o) { o["attempt"] = -1; }, "invalidRequest", "/attempt: "},
        {"an element over 1 MiB", 0,
         [](bj::object& o) {
             bj::array many;
             for (int i = 0; i < 300; ++i) many.push_back(bj::string(std::string(4000, 'x')));
             o["more"] = many;
         },
         "invalidRequest", "/: "},
    };
    return k_changes;
}

TEST(LeaseWire, JudgesEachFieldByItsForm) {
    for (const Change& one : changes()) {
        SCOPED_TRACE(one.what);
        bj::value changed = element(one.at);
        one.change(changed.as_object());
        const auto answer = decode(bj::serialize(changed) + "," + bj::serialize(element(2)));
        ASSERT_TRUE(answer) << answer.error().message;
        ASSERT_EQ(answer->requests.size(), 2U);
        EXPECT_NE(leased(*answer, 1), nullptr) << "the neighbour is hurt";
        const auto* bad = unreadable(*answer, 0);
        if (std::string_view(one.code).empty()) {
            EXPECT_EQ(bad, nullptr) << bad->failure.message;
            continue;
        }
        ASSERT_NE(bad, nullptr);
        EXPECT_EQ(bad->failure.code, one.code);
        EXPECT_EQ(bad->failure.message.rfind(one.pointer, 0), 0U) << bad->failure.message;
        EXPECT_LE(bad->failure.message.size(), 512U);
        EXPECT_FALSE(bad->failure.retryable);
        EXPECT_EQ(bad->id.text(), std::string(changed.at("id").as_string()));
        EXPECT_EQ(bad->lease.text(), std::string(changed.at("leaseId").as_string()));
    }
}

TEST(LeaseWire, NormalisesSerialNumbers) {
    for (const auto& [written, meant] : {std::pair{"0005D0C9A", "5d0c9a"}, std::pair{"00ff", "ff"},
                                         std::pair{"a", "0a"}, std::pair{"5d0c9a", "5d0c9a"}}) {
        bj::value changed = element(5);
        changed.as_object()["serialNumber"] = written;
        const auto answer = decode(bj::serialize(changed));
        ASSERT_NE(leased(*answer, 0), nullptr) << written;
        EXPECT_EQ(std::get<request::Revoke>(leased(*answer, 0)->request.order).serial_number, meant);
    }
}

TEST(LeaseWire, ABadElementHurtsOnlyItself) {
    const std::string good = bj::serialize(element(2));
    std::string deep = R"({"id":"x","leaseId":"y","kind":"pkcs.issue","a":)";
    for (int i = 0; i < 20; ++i) deep += "[";
    for (int i = 0; i < 20; ++i) deep += "]";
    deep += "}";
    std::string bomb = R"({"id":"x","leaseId":"y","a":)";
    for (int i = 0; i < 200000; ++i) bomb += "[";
    for (int i = 0; i < 200000; ++i) bomb += "]";
    bomb += "}";
    const std::vector<std::pair<std::string, std::string>> cases{
        {R"({"id":"x","leaseId":"y","kind":"pkcs.issue","kind":"pfx.deliver"})", "/kind: "},
        {R"({"id":"x","leaseId":"y","user":{"id":"1","i\u0064":"2"}})", "/user/id: "},
        {R"({"id":"x","leaseId":"y","a":["\u0000"]})", "/a/0: "},
        {R"({"id":"x","leaseId":"y","a\u0001":1})", "/a\\x01: "},
        {"{\"id\":\"x\",\"leaseId\":\"y\",\"a\":\"\n\"}", "/"},
        {R"({"id":"x","leaseId":"y","a":"\ud800"})", "/"},
        {"{\"id\":\"x\",\"leaseId\":\"y\",\"a\":\"\xff\"}", "/"},
        {R"({"id":"x","leaseId":"y","a":01})", "/"},
        {R"({"id":"x","leaseId":"y","a":truth})", "/"},
        {R"({"id":"x","leaseId":"y","a":[1}})", "/"},
        {R"({"id":"x","leaseId":"y","a":/*c*/1})", "/"},
        {deep, "/a"},
        {bomb, "/a"}};
    for (const auto& [text, pointer] : cases) {
        SCOPED_TRACE(text.substr(0, 100));
        const auto answer = decode(good + "," + text + "," + good);
        ASSERT_TRUE(answer) << answer.error().message;
        ASSERT_EQ(answer->requests.size(), 3U);
        EXPECT_NE(leased(*answer, 0), nullptr);
        EXPECT_NE(leased(*answer, 2), nullptr);
        const auto* bad = unreadable(*answer, 1);
        ASSERT_NE(bad, nullptr);
        EXPECT_EQ(bad->failure.code, "invalidRequest");
        EXPECT_EQ(bad->failure.message.rfind(pointer, 0), 0U) << bad->failure.message;
        EXPECT_EQ(bad->id.text(), "x");
    }
}

TEST(LeaseWire, NestingIsCountedFromTheDocumentsRoot) {
    for (const int levels : {13, 14}) {  // the document, the list and the element are three
        std::string text = R"({"id":"x","leaseId":"y","a":)" + std::string(static_cast<std::size_t>(levels), '[') +
                           std::string(static_cast<std::size_t>(levels), ']') + "}";
        const auto answer = decode(text);
        ASSERT_NE(unreadable(*answer, 0), nullptr);
        const bool deep = unreadable(*answer, 0)->failure.message.find("deeper") != std::string::npos;
        EXPECT_EQ(deep, levels == 14) << unreadable(*answer, 0)->failure.message;
    }
}

TEST(LeaseWire, SkipsWhomItCannotName) {
    const std::string good = bj::serialize(element(2));
    for (const char* text :
         {"{}", "[]", "7", "\"x\"", "null", R"({"id":"","leaseId":"y"})", R"({"id":"a b","leaseId":"y"})",
          R"({"id":"x"})", R"({"id":"x","leaseId":7})", R"({"id":"x","id":"z","leaseId":"y"})",
          R"({"id":"x","leaseId":"y","leaseId":"y"})", R"({"id":null,"leaseId":"y"})"}) {
        SCOPED_TRACE(text);
        const auto answer = decode(std::string(text) + "," + good);
        ASSERT_TRUE(answer) << answer.error().message;
        EXPECT_EQ(answer->skipped, 1U);
        ASSERT_EQ(answer->requests.size(), 1U);
        EXPECT_NE(leased(*answer, 0), nullptr);
    }
}

TEST(LeaseWire, RefusesABrokenAnswerWhole) {
    const std::string good = bj::serialize(element(2));
    std::vector<std::string> texts{"",
                                   "null",
                                   "[]",
                                   "{",
                                   "{}",
                                   "{\"requests\":null}",
                                   "{\"requests\":{}}",
                                   "{\"requests\":[]",
                                   "{\"requests\":[,]}",
                                   "{\"requests\":[1,]}",
                                   "{\"requests\":[]} x",
                                   "{\"requests\":[],\"requests\":[]}",
                                   "{\"requests\":[],\"more\":tru}",
                                   "{\"requests\":[],\"a\":{\"b\":1,\"b\":2}}",
                                   "{requests:[]}",
                                   "{\"requests\":[\"abc]}",
                                   "{\"requests\" []}",
                                   "{\"requests\":[] \"a\":1}",
                                   R"({"requests":[],"requ\u0065sts":[]})",
                                   body_of(good.substr(0, good.size() - 1))};
    for (const std::string& text : texts) {
        const auto answer = decode_lease(text, hash);
        ASSERT_FALSE(answer) << text.substr(0, 80);
        EXPECT_EQ(answer.error().code, "answerInvalid");
        EXPECT_EQ(answer.error().kind, ErrorKind::invalid);
    }
    EXPECT_TRUE(decode_lease(R"( { "other" : [ 1 , "]}" ] , "requests" : [ ] } )", hash));
}

TEST(LeaseWire, TheOrdersHashDoesNotHangOnTheOrderOfKeys) {
    bj::value plain = element(3);
    bj::value turned = element(3);
    bj::object& apple = turned.at("delivery").at("apple").as_object();
    bj::object other;
    std::vector<std::string> keys;
    for (const auto& member : apple) keys.emplace_back(member.key());
    for (auto key = keys.rbegin(); key != keys.rend(); ++key) other[*key] = apple.at(*key);
    turned.at("delivery").as_object()["apple"] = other;
    turned.as_object()["attempt"] = 9;
    turned.as_object()["leaseId"] = "l-99";
    const auto one = decode(bj::serialize(plain));
    const auto two = decode(bj::serialize(turned));
    ASSERT_NE(leased(*one, 0), nullptr);
    ASSERT_NE(leased(*two, 0), nullptr);
    EXPECT_EQ(leased(*one, 0)->order_hash, leased(*two, 0)->order_hash);
    turned.at("delivery").at("apple").as_object()["displayName"] = "Other";
    const auto three = decode(bj::serialize(turned));
    EXPECT_NE(leased(*one, 0)->order_hash, leased(*three, 0)->order_hash);
}

TEST(LeaseWire, SurvivesEveryCutAndEveryFlippedOctet) {
    const std::string text = example("lease.response.json").substr(0, 3000);
    const std::string whole = body_of(bj::serialize(element(4)));
    for (std::size_t i = 0; i < text.size(); i += 7) (void)decode_lease(text.substr(0, i), hash);
    for (std::size_t i = 0; i < whole.size(); ++i) {
        std::string flipped = whole;
        flipped[i] = static_cast<char>(flipped[i] ^ 0x15);
        (void)decode_lease(flipped, hash);
        flipped[i] = '"';
        (void)decode_lease(flipped, hash);
    }
}

}  // namespace
}  // namespace connector::management
