#include "daemon/management/client.hpp"
#include "daemon/management/answer.hpp"
#include "daemon/management/enrolment.hpp"
#include "daemon/management/import_admin.hpp"
#include "support/net_peer.hpp"
#include "support/wire_examples.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <deque>

namespace connector::management {
namespace {

using namespace std::chrono_literals;
using net_test::StillClock;
using wire_test::example;

// Answers as the test queued them, in order; keeps what was asked. Held honest by http_client_test's real peer.
class QueuedHttp final : public net::HttpClient {
public:
    std::deque<Result<net::Response>> answers;
    std::vector<net::Request> asked;

    void queue(unsigned status, std::string body) { queue(status, std::move(body), {}); }
    void queue(unsigned status, std::string body, std::vector<std::pair<std::string, std::string>> headers) {
        net::Response response;
        response.status = status;
        response.body = std::move(body);
        response.headers = std::move(headers);
        answers.emplace_back(std::move(response));
    }
    [[nodiscard]] ports::Async<net::Response> send(net::Request request) override {
        asked.push_back(std::move(request));
        if (answers.empty()) co_return Error(ErrorKind::internal, "internal", "nothing queued");
        auto answer = std::move(answers.front());
        answers.pop_front();
        co_return std::move(answer);
    }
};

class ClientTest : public testing::Test {
protected:
    boost::asio::io_context io{1};
    StillClock clock{io};
    QueuedHttp http;
    std::vector<std::string> observed;
    ManagementClient client{http, clock, options()};

    ClientOptions options() {
        ClientOptions made;
        made.base = *net::parse_url("https://mgmt.test/api/v1/");
        made.connector = *ConnectorId::parse("c:1");
        made.sha256 = wire_test::hash;
        made.inspect = [](ByteView der) -> Result<CertificateFacts> {
            if (der.empty()) return Error(ErrorKind::invalid, "invalidRequest", "not a certificate");
            return CertificateFacts();
        };
        made.observe = [this](std::string_view call, std::string_view code) {
            observed.push_back(std::string(call) + " " + std::string(code));
        };
        return made;
    }
    Result<ports::LeaseAnswer> lease() {
        auto call = client.lease(100, 30s, std::vector<request::Kind>(1, request::Kind::pkcs_issue), "key-1");
        return net_test::run<ports::LeaseAnswer>(io, std::move(call));
    }
    Result<void> beat() {
        auto call = client.heartbeat(ports::Heartbeat());
        return net_test::run<void>(io, std::move(call));
    }
    static ports::ResultMessage message(int number, std::size_t envelope) {
        ports::ResultMessage made;
        made.request = *RequestId::parse("r-" + std::to_string(number));
        made.lease = *LeaseId::parse("l");
        if (envelope == 0) {
            made.completed = true;
            return made;
        }
        request::Package package;
        package.envelope.assign(envelope, 7);
        made.delivered = std::move(package);
        return made;
    }
    Result<std::vector<ports::ResultOutcome>> report(std::vector<ports::ResultMessage> messages) {
        auto call = client.report(std::move(messages));
        return net_test::run<std::vector<ports::ResultOutcome>>(io, std::move(call));
    }
    Result<ports::ImportedHistory> fetch(std::string etag) {
        auto call = client.fetch(*UserId::parse("u@1"), request::Purpose::smime_encryption, *LeaseId::parse("l+1"),
                                 std::move(etag));
        return net_test::run<ports::ImportedHistory>(io, std::move(call));
    }
    static std::string header(const net::Request& request, std::string_view name) {
        for (const auto& [key, value] : request.headers)
            if (key == name) return value;
        return {};
    }
    static std::string outcomes(int from, int to) {
        std::string text = R"({"outcomes":[)";
        for (int i = from; i <= to; ++i)
            text += (i == from ? "" : ",") + std::string(R"({"requestId":"r-)") + std::to_string(i) +
                    R"(","outcome":"accepted"})";
        return text + "]}";
    }
};

TEST_F(ClientTest, LeasesWithKeyDeadlineAndDate) {
    http.queue(200, example("lease.response.json"), {{"date", "Mon, 23 Nov 2026 12:00:00 GMT"}});
    const auto answer = lease();
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->requests.size(), 6U);
    EXPECT_EQ(to_rfc3339(answer->date.value()), "2026-11-23T12:00:00Z");
    ASSERT_EQ(http.asked.size(), 1U);
    const auto& asked = http.asked[0];
    EXPECT_EQ(asked.method, "POST");
    EXPECT_EQ(asked.url.target(), "/api/v1/connectors/c%3A1/lease");
    EXPECT_EQ(header(asked, "Idempotency-Key"), "key-1");
    EXPECT_EQ(asked.content_type, "application/json");
    EXPECT_EQ(asked.deadline, clock.tick() + 60s);
    EXPECT_EQ(boost::json::parse(asked.body).at("waitSeconds"), 30);
    EXPECT_EQ(observed, std::vector<std::string>(1, "lease 200"));
}

TEST_F(ClientTest, MapsEachStatusOnTheOwnPath) {
    struct Case {
        unsigned status;
        const char* body;
        ErrorKind kind;
        const char* code;
    };
    for (const Case& one :
         {Case{401, "", ErrorKind::unauthorized, "unauthorized"},
          Case{403, R"({"code":"notApproved","detail":"wait"})", ErrorKind::unauthorized, "notApproved"},
          Case{404, "<html>", ErrorKind::unauthorized, "notFound"}, Case{429, "", ErrorKind::throttled, "throttled"},
          Case{503, "", ErrorKind::throttled, "throttled"}, Case{500, "", ErrorKind::unavailable, "serviceUnavailable"},
          Case{408, "", ErrorKind::unavailable, "serviceUnavailable"},
          Case{400, R"({"code":"badThing"})", ErrorKind::invalid, "badThing"},
          Case{418, "", ErrorKind::invalid, "requestRejected"}, Case{204, "", ErrorKind::invalid, "answerInvalid"},
          Case{200, "", ErrorKind::invalid, "answerInvalid"}}) {
        http.queue(one.status, one.body, {{"retry-after", "17"}});
        const auto answer = lease();
        ASSERT_FALSE(answer);
        EXPECT_EQ(answer.error().kind, one.kind) << one.status;
        EXPECT_EQ(answer.error().code, one.code) << one.status;
        if (one.kind == ErrorKind::throttled) {
            EXPECT_EQ(answer.error().retry_after, 17s);
        }
    }
    http.answers.emplace_back(Error(ErrorKind::invalid, "answerTooLarge", "x"));
    EXPECT_EQ(lease().error().code, "answerTooLarge");
    EXPECT_EQ(observed.back(), "lease answerTooLarge");
}

TEST_F(ClientTest, ServiceTextsComeOutHarmless) {
    http.queue(403, "{\"code\":\"notApproved\",\"detail\":\"a\xe2\x80\xae" + std::string(3000, 'x') + "\"}");
    const auto answer = lease();
    EXPECT_LE(answer.error().message.size(), 512U);
    EXPECT_EQ(answer.error().message.find("\xe2\x80\xae"), std::string::npos);
}

TEST_F(ClientTest, AHeartbeatMayTellOfOthers) {
    http.queue(204, "");
    EXPECT_TRUE(beat());
    http.queue(200,
               R"({"connectors":[{"id":"c-2","name":"two","enrolledAt":"2026-11-01T00:00:00Z","approved":true}]})");
    EXPECT_TRUE(beat());
    EXPECT_EQ(client.connectors().size(), 1U);
}

TEST_F(ClientTest, SplitsResultsAtAMebibyte) {
    std::vector<ports::ResultMessage> messages;
    for (int i = 0; i < 5; ++i) messages.push_back(message(i, 300U * 1024U));  // 400 KiB each in base64
    http.queue(200, outcomes(0, 1));
    http.queue(200, outcomes(2, 3));
    http.queue(200, outcomes(4, 4));
    const auto answer = report(messages);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->size(), 5U);
    ASSERT_EQ(http.asked.size(), 3U);
    for (const auto& asked : http.asked) EXPECT_LE(asked.body.size(), 1024U * 1024U);

    http.asked.clear();
    messages.clear();
    messages.push_back(message(0, 0));
    messages.push_back(message(1, 2U * 1024U * 1024U));
    messages.push_back(message(2, 0));
    http.queue(200, outcomes(0, 0));
    http.queue(200, outcomes(1, 1));
    http.queue(200, outcomes(2, 2));
    ASSERT_TRUE(report(messages));
    EXPECT_EQ(http.asked.size(), 3U) << "a larger one goes alone";

    http.asked.clear();
    messages.clear();
    messages.push_back(message(1, 13U * 1024U * 1024U));
    EXPECT_EQ(report(messages).error().code, "resultsRefused");
    EXPECT_TRUE(http.asked.empty());
}

TEST_F(ClientTest, KeepsWhatAnEarlierBodyBrought) {
    std::vector<ports::ResultMessage> messages;
    for (int i = 0; i < 4; ++i) messages.push_back(message(i, 300U * 1024U));
    http.queue(200, outcomes(0, 1));
    http.queue(413, "");
    const auto partly = report(messages);
    ASSERT_TRUE(partly);
    EXPECT_EQ(partly->size(), 2U);
    for (const unsigned status : {400U, 413U, 422U}) {
        http.queue(status, R"({"code":"bad","detail":"why"})");
        const auto refused = report(std::vector<ports::ResultMessage>(1, message(0, 0)));
        EXPECT_EQ(refused.error().code, "resultsRefused");
        EXPECT_EQ(refused.error().kind, ErrorKind::invalid);
    }
}

std::string page(const std::string& next) {
    return R"({"value":[{"id":"i","thumbprint":"f11b346744226a14dd84eec3a993a717d51ec25b","intendedPurpose":"smimeEncryption",
        "userPrincipalName":"a@b.example","startDateTime":"2021-01-01T00:00:00Z","expirationDateTime":"2023-01-01T00:00:00Z",
        "providerName":"p","keyName":"k","paddingScheme":"oaepSha512","encryptedPfxBlob":"AQID","encryptedPfxPassword":"BAUG"}])" +
           (next.empty() ? "" : R"(,"nextLink":")" + next + "\"") + "}";
}

TEST_F(ClientTest, FetchesAllPages) {
    http.queue(200, page("https://mgmt.test/api/v1/users/u%401/imported-certificates?skip=1"), {{"etag", "\"1\""}});
    http.queue(200, page(""), {{"etag", "\"2\""}});
    const auto history = fetch("");
    ASSERT_TRUE(history) << history.error().message;
    EXPECT_EQ(history->records.size(), 2U);
    EXPECT_EQ(history->etag, "\"1\"");
    ASSERT_EQ(http.asked.size(), 2U);
    EXPECT_EQ(http.asked[0].url.target(),
              "/api/v1/users/u%401/imported-certificates?purpose=smimeEncryption&leaseId=l%2B1");
    EXPECT_EQ(http.asked[1].url.query, "skip=1");
    EXPECT_EQ(header(http.asked[0], "If-None-Match"), "");
}

TEST_F(ClientTest, AsksOnlyForWhatIsNew) {
    http.queue(304, "");
    const auto same = fetch("\"1\"");
    ASSERT_TRUE(same);
    EXPECT_TRUE(same->not_modified);
    EXPECT_EQ(same->etag, "\"1\"");
    EXPECT_EQ(header(http.asked[0], "If-None-Match"), "\"1\"");
    http.queue(200, page(""), {{"etag", "evil\r\nX: 1"}});
    EXPECT_EQ(fetch("")->etag, "");
    http.queue(304, "");
    EXPECT_EQ(fetch("").error().code, "answerInvalid") << "nobody asked for 304";
}

TEST_F(ClientTest, LeavesTheServiceForNoLink) {
    for (const char* link : {"https://evil.test/api/v1/x", "http://mgmt.test/api/v1/x", "https://mgmt.test/admin",
                             "https://mgmt.test/api/v1/../admin", "/api/v1/x", "https://mgmt.test:444/api/v1/x",
                             "https://mgmt.test@evil.test/api/v1/x"}) {
        http.asked.clear();
        http.queue(200, page(link));
        const auto history = fetch("");
        ASSERT_FALSE(history) << link;
        EXPECT_EQ(history.error().code, "answerInvalid");
        EXPECT_EQ(http.asked.size(), 1U);
    }
}

TEST_F(ClientTest, EndsAtAHundredPages) {
    for (int i = 0; i < 120; ++i) http.queue(200, page("https://mgmt.test/api/v1/again"));
    EXPECT_EQ(fetch("").error().code, "answerInvalid");
    EXPECT_EQ(http.asked.size(), 100U);
}

TEST_F(ClientTest, ALostLeaseIsNotALostEnrolment) {
    http.queue(403, R"({"code":"leaseLost"})");
    EXPECT_EQ(fetch("").error().kind, ErrorKind::unavailable);
    http.queue(401, "");
    EXPECT_EQ(fetch("").error().kind, ErrorKind::unauthorized);
}

TEST_F(ClientTest, EnrolsWithTheToken) {
    EnrolmentClient enrolment(http, clock, *net::parse_url("https://mgmt.test/api/v1"), 30s);
    http.queue(201, example("enroll.response.json"));
    const auto token = std::make_shared<const SecretBytes>(SecretBytes::copy_of("once"));
    auto call = enrolment.enrol(EnrolmentOrder(), token);
    const auto answer = net_test::run<Enrolment>(io, std::move(call));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->id.text(), "c-7f3a");
    EXPECT_EQ(http.asked[0].url.target(), "/api/v1/connectors");
    EXPECT_EQ(http.asked[0].bearer, token);

    http.queue(401, R"({"code":"tokenUsed"})");
    auto again = enrolment.enrol(EnrolmentOrder(), token);
    const auto refused = net_test::run<Enrolment>(io, std::move(again));
    EXPECT_EQ(refused.error().kind, ErrorKind::unauthorized);
    EXPECT_EQ(refused.error().code, "tokenUsed");

    http.queue(200, example("enroll.response.json"));
    auto renewal = enrolment.renew(*ConnectorId::parse("c-7f3a"), "pem");
    EXPECT_TRUE(net_test::run<Enrolment>(io, std::move(renewal)));
    EXPECT_EQ(http.asked[2].url.target(), "/api/v1/connectors/c-7f3a/certificate");
    http.queue(200, example("enroll.response.json"));
    auto other = enrolment.renew(*ConnectorId::parse("c-other"), "pem");
    EXPECT_EQ(net_test::run<Enrolment>(io, std::move(other)).error().code, "answerInvalid");
}

TEST_F(ClientTest, ReadsOneWholeRecord) {
    const auto token = std::make_shared<const SecretBytes>(SecretBytes::copy_of("admin"));
    ImportAdmin admin(http, clock, *net::parse_url("https://mgmt.test/api/v1"), token, 30s);
    auto whole = boost::json::parse(page("")).at("value").at(0).as_object();
    const auto listed = decode_imported_record(boost::json::serialize(whole), true);
    ASSERT_TRUE(listed);
    const auto read = [&](const std::string& id) {
        auto record = *listed;
        record.id = id;
        auto call = admin.read(std::move(record));
        return net_test::run<trust::ImportedRecord>(io, std::move(call));
    };
    http.queue(200, boost::json::serialize(whole), {{"etag", "\"7\""}});
    const auto record = read("i");
    ASSERT_TRUE(record) << record.error().message;
    EXPECT_FALSE(record->pfx.empty());
    EXPECT_FALSE(record->wrapped_password.empty());
    EXPECT_EQ(record->etag, "\"7\"");
    EXPECT_EQ(http.asked[0].method, "GET");
    EXPECT_EQ(http.asked[0].url.target(), "/api/v1/imported-certificates/i");
    EXPECT_EQ(http.asked[0].bearer, token);

    http.queue(200, boost::json::serialize(whole));
    EXPECT_EQ(read("other").error().code, "answerInvalid");
    for (const auto& [member, value] : {std::pair("userPrincipalName", "eve@corp.example"),
                                        std::pair("thumbprint", "00"), std::pair("intendedPurpose", "smimeSigning")}) {
        auto another = whole;
        another[member] = value;
        http.queue(200, boost::json::serialize(another));
        EXPECT_EQ(read("i").error().code, "answerInvalid") << member;
    }
    whole.erase("encryptedPfxPassword");
    http.queue(200, boost::json::serialize(whole));
    EXPECT_EQ(read("i").error().code, "answerInvalid");
    http.queue(405, "");
    EXPECT_EQ(read("i").error().code, "unsupported");
    http.queue(404, "");
    EXPECT_EQ(read("i").error().code, "notFound");
}

TEST_F(ClientTest, AdministersTheStore) {
    const auto token = std::make_shared<const SecretBytes>(SecretBytes::copy_of("admin"));
    ImportAdmin admin(http, clock, *net::parse_url("https://mgmt.test/api/v1"), token, 30s);
    const std::string one = boost::json::serialize(boost::json::parse(page("")).at("value").at(0));
    const auto mine = decode_imported_record(one, true);
    ASSERT_TRUE(mine);
    http.queue(201, one, {{"etag", "\"9\""}});
    auto adding = admin.add(*mine);
    const auto added = net_test::run<trust::ImportedRecord>(io, std::move(adding));
    ASSERT_TRUE(added) << added.error().message;
    EXPECT_EQ(added->id, "i");
    EXPECT_EQ(added->etag, "\"9\"");
    EXPECT_EQ(http.asked[0].bearer, token);
    EXPECT_FALSE(http.asked[0].idempotent);

    http.queue(409, "");
    auto twice = admin.add(*mine);
    const auto exists = net_test::run<trust::ImportedRecord>(io, std::move(twice));
    EXPECT_EQ(exists.error().kind, ErrorKind::conflict);
    EXPECT_EQ(exists.error().code, "exists");

    http.queue(200, one);
    auto replacing = admin.replace(*added);
    ASSERT_TRUE(net_test::run<trust::ImportedRecord>(io, std::move(replacing)));
    EXPECT_EQ(http.asked[2].method, "PUT");
    EXPECT_EQ(http.asked[2].url.target(), "/api/v1/imported-certificates/i");
    EXPECT_EQ(header(http.asked[2], "If-Match"), "\"9\"");

    http.queue(204, "");
    http.queue(404, "");
    http.queue(412, "");
    auto gone = admin.remove("i", "\"9\"");
    EXPECT_TRUE(*net_test::run<bool>(io, std::move(gone)));
    auto none = admin.remove("i", "");
    EXPECT_FALSE(*net_test::run<bool>(io, std::move(none)));
    EXPECT_EQ(header(http.asked[4], "If-Match"), "*");
    auto changed = admin.remove("i", "\"8\"");
    EXPECT_EQ(net_test::run<bool>(io, std::move(changed)).error().code, "changed");

    http.queue(200, page("https://mgmt.test/api/v1/imported-certificates?skip=1"));
    http.queue(200, page(""));
    auto listing = admin.list("a+b@c.example");
    const auto records = net_test::run<std::vector<trust::ImportedRecord>>(io, std::move(listing));
    ASSERT_TRUE(records) << records.error().message;
    EXPECT_TRUE(records->empty()) << "another owner's, whom nobody asked for";
    http.queue(200, page("https://mgmt.test/api/v1/imported-certificates?skip=1"));
    http.queue(200, page(""));
    auto of_him = admin.list(mine->user_principal_name);
    EXPECT_EQ((net_test::run<std::vector<trust::ImportedRecord>>(io, std::move(of_him)))->size(), 2U);
    for (int i = 0; i < 4; ++i) http.queue(200, page("https://mgmt.test/api/v1/imported-certificates?skip=1"));
    auto circle = admin.list("");
    EXPECT_EQ((net_test::run<std::vector<trust::ImportedRecord>>(io, std::move(circle))).error().code, "answerInvalid");
    EXPECT_EQ(http.asked.size(), 12U) << "the first time round is the last";
    EXPECT_EQ(http.asked[6].url.query, "userPrincipalName=a%2Bb%40c.example");
}

}  // namespace
}  // namespace connector::management
