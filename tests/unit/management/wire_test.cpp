#include "daemon/management/wire.hpp"
#include "core/crypto/encoding.hpp"
#include "support/wire_examples.hpp"

#include <gtest/gtest.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace connector::management {
namespace {

namespace bj = boost::json;
using wire_test::example;
using wire_test::example_json;

UtcTime at(const char* text) {
    return *from_rfc3339(text);
}
template <class Identifier>
Identifier id(const char* text) {
    return *Identifier::parse(text);
}

// What inspection would say of the example's certificate.
Result<CertificateFacts> inspect(ByteView der) {
    if (der.size() < 4) return Error(ErrorKind::invalid, "invalidRequest", "not a certificate");
    CertificateFacts facts;
    facts.thumbprint = *Thumbprint::from_hex_text("f11b346744226a14dd84eec3a993a717d51ec25b");
    facts.sha256 = *Sha256::from_hex_text("ba5b168b01e8682912b3e5c1e9cf6ab258ce128ef33bdbe577f4688c9fbdfc76");
    facts.serial_number = "35632ca262fe665ffd8fce35dde78d";
    facts.issuer = *parse_name("CN=Bar Device CA,O=Bar");
    facts.subject = *parse_name("CN=Alice Smith,O=Corp");
    facts.not_before = at("2026-11-23T18:08:05Z");
    facts.not_after = at("2027-11-23T18:08:05Z");
    return facts;
}

TEST(Wire, WritesTheLeaseOfTheExample) {
    using request::Kind;
    const std::vector<Kind> kinds{Kind::pkcs_issue, Kind::pkcs_renew, Kind::pfx_deliver, Kind::pfx_withdraw,
                                  Kind::certificate_revoke};
    EXPECT_EQ(bj::parse(encode_lease(100, std::chrono::seconds(30), kinds)), example_json("lease.request.json"));
}

TEST(Wire, RenewsLeasesAsTheExample) {
    const std::vector<LeaseId> leases{id<LeaseId>("l-1"), id<LeaseId>("l-2")};
    EXPECT_EQ(bj::parse(encode_lease_renewal(leases)), example_json("renew.request.json"));
    const auto answer = decode_renewed(example("renew.response.json"));
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->renewed.size(), 1U);
    EXPECT_EQ(answer->renewed[0].id.text(), "l-1");
    EXPECT_EQ(to_rfc3339(answer->renewed[0].expires_at), "2026-11-23T12:04:00Z");
    ASSERT_EQ(answer->lost.size(), 1U);
    EXPECT_EQ(answer->lost[0].text(), "l-2");
    const auto partly =
        decode_renewed(R"({"renewed":[7,{"leaseId":"a"},{"leaseId":"b","leaseExpiresAt":"2026-11-23T12:04:00Z"}]})");
    ASSERT_TRUE(partly);
    EXPECT_EQ(partly->renewed.size(), 1U);
    EXPECT_FALSE(decode_renewed("{}"));
    EXPECT_FALSE(decode_renewed(R"({"renewed":[],"lost":"l-1"})"));
}

TEST(Wire, WritesTheHeartbeatOfTheExample) {
    ports::Heartbeat beat;
    beat.version = "1.0.0";
    beat.started_at = at("2026-11-20T08:00:00Z");
    beat.state = ports::State::degraded;
    beat.pending = 12;
    beat.in_flight = 4;
    beat.held = 1;
    beat.delivered = 1042;
    beat.failed = 3;
    beat.oldest_pending_seconds = 95;
    beat.authorities = {{"corp", "up"}, {"lab", "down"}};
    beat.certificate_expires_at = at("2027-02-21T00:00:00Z");
    EXPECT_EQ(bj::parse(encode_heartbeat(beat)), example_json("heartbeat.request.json"));
}

TEST(Wire, WritesResultsAsTheExample) {
    const auto wanted = example_json("results.request.json").at("results");
    ports::ResultMessage first;
    first.request = id<RequestId>("r-1");
    first.lease = id<LeaseId>("l-1");
    request::Package package;
    request::DeliveredCertificate certificate;
    certificate.der =
        *crypto::from_base64(std::string(wanted.at(0).at("certificates").at(0).at("certificate").as_string()));
    certificate.renew_after = at("2027-09-11T18:08:05Z");
    package.certificates.push_back(certificate);
    package.chain.push_back(*crypto::from_base64(std::string(wanted.at(0).at("chain").at(0).as_string())));
    package.envelope = {1, 2, 3};
    first.delivered = package;
    bj::value delivered = wanted.at(0);
    delivered.at("delivery").as_object()["envelope"] = "AQID";
    EXPECT_EQ(bj::parse(*encode_result(first, inspect)), delivered);

    request::Omitted omitted;
    omitted.thumbprint = std::string(40, '0');
    for (std::size_t i = 1; i < 40; i += 2) omitted.thumbprint[i] = 'f';
    omitted.code = "importUndecryptable";
    omitted.message = "does not open";
    first.delivered->omitted.push_back(omitted);
    first.delivered->certificates[0].renew_after.reset();
    first.request = id<RequestId>("r-3");
    first.lease = id<LeaseId>("l-3");
    delivered = wanted.at(1);
    delivered.at("delivery").as_object()["envelope"] = "AQID";
    EXPECT_EQ(bj::parse(*encode_result(first, inspect)), delivered);

    ports::ResultMessage failed;
    failed.request = id<RequestId>("r-4");
    failed.lease = id<LeaseId>("l-4");
    request::Failure failure;
    failure.code = "policyRefused";
    failure.message = "/delivery/apple/mail/IncomingMailServerHostName: not in mail_hosts";
    failed.failed = failure;
    EXPECT_EQ(bj::parse(*encode_result(failed, inspect)), wanted.at(3));

    ports::ResultMessage completed;
    completed.request = id<RequestId>("r-5");
    completed.lease = id<LeaseId>("l-5");
    completed.completed = true;
    EXPECT_EQ(bj::parse(*encode_result(completed, inspect)), wanted.at(4));
    const std::vector<std::string> elements{*encode_result(completed, inspect), *encode_result(failed, inspect)};
    EXPECT_EQ(bj::parse(encode_results(elements)).at("results").as_array().size(), 2U);
}

TEST(Wire, MakesItsOwnTextsHarmless) {
    ports::ResultMessage failed;
    failed.request = id<RequestId>("r-4");
    failed.lease = id<LeaseId>("l-4");
    request::Failure failure;
    failure.code = "internal";
    failure.message = "a\n\x1b[31m\"</script>\xff" + std::string(2000, 'x');
    failure.authority_status = "b\r\n";
    failed.failed = failure;
    const auto text = bj::parse(*encode_result(failed, inspect));
    const std::string message(text.at("error").at("message").as_string());
    EXPECT_LE(message.size(), 512U);
    for (const char c : message) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Wire, SaysWhichResultCannotBeWritten) {
    ports::ResultMessage nothing;
    nothing.request = id<RequestId>("r-9");
    nothing.lease = id<LeaseId>("l-9");
    EXPECT_EQ(encode_result(nothing, inspect).error().code, "resultsRefused");
    request::Package package;
    package.certificates.emplace_back();
    nothing.delivered = package;
    const auto broken = encode_result(nothing, inspect);
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().message.find("r-9"), std::string::npos);
}

TEST(Wire, ReadsTheOutcomesOfTheExample) {
    const auto outcomes = decode_outcomes(example("results.response.json"));
    ASSERT_TRUE(outcomes) << outcomes.error().message;
    ASSERT_EQ(outcomes->size(), 6U);
    EXPECT_EQ((*outcomes)[1].outcome, "superseded");
    ASSERT_EQ((*outcomes)[1].accepted.size(), 1U);
    EXPECT_EQ((*outcomes)[1].accepted[0].hex().substr(0, 4), "abab");
    const auto partly = decode_outcomes(
        R"({"outcomes":[{"requestId":"a","outcome":"loved"},{"requestId":"b","outcome":"superseded","accepted":["zz"]},
            {"requestId":"c","outcome":"accepted","outcome":"rejected"},null,{"outcome":"accepted"},
            {"requestId":"d","outcome":"rejected","detail":"a\u202eb"}]})");
    ASSERT_TRUE(partly) << partly.error().message;
    ASSERT_EQ(partly->size(), 1U) << "what cannot be read is asked for again";
    EXPECT_EQ((*partly)[0].detail.find("\xe2\x80\xae"), std::string::npos);
}

std::string records_with(const std::function<void(bj::object&)>& change) {
    bj::value page = example_json("imported-certificates.response.json");
    bj::object& record = page.at("value").at(0).as_object();
    record["encryptedPfxBlob"] = "AQID";
    record["encryptedPfxPassword"] = "BAUG";
    record["importerSignature"] = "BwgJ";
    const bj::value good = record;
    change(record);
    page.at("value").as_array().push_back(good);
    return bj::serialize(page);
}

TEST(Wire, ReadsImportedRecordsOneByOne) {
    const auto page = decode_imported_page(records_with([](bj::object&) {}), true);
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->records.size(), 2U);
    const auto& record = page->records[0];
    EXPECT_EQ(record.purpose, request::Purpose::smime_encryption);
    EXPECT_EQ(record.key_name, "ImportKey1");
    EXPECT_EQ(record.padding_scheme, "oaepSha512");
    EXPECT_EQ(record.pfx, (Bytes{1, 2, 3}));
    EXPECT_EQ(record.wrapped_password, (Bytes{4, 5, 6}));
    EXPECT_EQ(record.importer_signature, (Bytes{7, 8, 9}));
    EXPECT_FALSE(page->next_link);

    const std::vector<std::function<void(bj::object&)>> bad{
        [](bj::object& o) { o["encryptedPfxBlob"] = "!"; },
        [](bj::object& o) { o.erase("encryptedPfxBlob"); },
        [](bj::object& o) { o["encryptedPfxBlob"] = std::string(512 * 1024 + 4, 'A'); },
        [](bj::object& o) { o["encryptedPfxPassword"] = std::string(4100, 'A'); },
        [](bj::object& o) { o["intendedPurpose"] = "fun"; },
        [](bj::object& o) { o["userPrincipalName"] = "a\tb"; },
        [](bj::object& o) { o["startDateTime"] = "yesterday"; }};
    for (const auto& change : bad) {
        const auto partly = decode_imported_page(records_with(change), true);
        ASSERT_TRUE(partly) << partly.error().message;
        EXPECT_EQ(partly->records.size(), 1U);
        ASSERT_EQ(partly->unreadable.size(), 1U);
        EXPECT_EQ(partly->unreadable[0].code, "importInvalid");
        EXPECT_EQ(partly->unreadable[0].thumbprint, "f11b346744226a14dd84eec3a993a717d51ec25b");
        EXPECT_EQ(partly->unreadable[0].message[0], '/');
    }
    const auto large = decode_imported_page(
        records_with([](bj::object& o) { o["encryptedPfxBlob"] = std::string(512 * 1024, 'A'); }), true);
    EXPECT_EQ(large->records.size(), 2U);
    EXPECT_FALSE(decode_imported_page(R"({"value":[],"nextLink":7})", true));
    EXPECT_FALSE(decode_imported_page(R"({"nextLink":"https://x"})", true));
}

TEST(Wire, ReadsTheAdministratorsListWithoutSecrets) {
    const std::string text = records_with([](bj::object& o) {
        o.erase("encryptedPfxBlob");
        o.erase("encryptedPfxPassword");
        o["@odata.etag"] = "\"7\"";
    });
    const auto page = decode_imported_page(text, false);
    ASSERT_TRUE(page);
    EXPECT_TRUE(page->unreadable.empty());
    EXPECT_EQ(page->records[0].etag, "\"7\"");
}

TEST(Wire, WritesAnImportedRecord) {
    const auto page = decode_imported_page(records_with([](bj::object&) {}), true);
    bj::value wanted = bj::parse(records_with([](bj::object&) {})).at("value").at(0);
    for (const char* key : {"id", "createdDateTime", "lastModifiedDateTime"}) wanted.as_object().erase(key);
    EXPECT_EQ(bj::parse(encode_imported_record(page->records[0])), wanted);
}

TEST(Wire, EnrolsAsTheExample) {
    const auto wanted = example_json("enroll.request.json");
    EnrolmentOrder order;
    order.name = "connector-1";
    order.version = "1.0.0";
    order.platform = "linux";
    order.csr = std::string(wanted.at("csr").as_string());
    order.features = {request::Kind::pkcs_issue, request::Kind::pfx_deliver, request::Kind::pfx_withdraw};
    EXPECT_EQ(bj::parse(encode_enrolment(order)), wanted);
    EXPECT_EQ(bj::parse(encode_certificate_renewal("a\nb\n")), bj::parse(R"({"csr":"a\nb\n"})"));
    const auto answer = decode_enrolment(example("enroll.response.json"));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->id.text(), "c-7f3a");
    EXPECT_EQ(answer->chain.size(), 1U);
    EXPECT_EQ(answer->certificate.rfind("-----BEGIN CERTIFICATE-----\n", 0), 0U);
    EXPECT_EQ(to_rfc3339(*answer->renew_after), "2027-01-22T00:00:00Z");
    EXPECT_FALSE(decode_enrolment(R"({"connectorId":"a b","certificate":"x","chain":[]})"));
    EXPECT_FALSE(decode_enrolment(R"({"connectorId":"a","connectorId":"b","certificate":"x"})"));
}

TEST(Wire, ReadsProblemsCarefully) {
    const auto problem = decode_problem(example("error.json"));
    EXPECT_EQ(problem.code, "throttled");
    EXPECT_EQ(problem.detail, "slow down");
    for (const char* text :
         {"", "<html>", "[]", R"({"code":7})", R"({"code":"a b"})", R"({"code":"../x"})", R"({"code":"A"})"})
        EXPECT_TRUE(decode_problem(text).code.empty()) << text;
    EXPECT_EQ(decode_problem(R"({"title":"Only a title"})").detail, "Only a title");
    EXPECT_LE(decode_problem("{\"detail\":\"" + std::string(4000, 'x') + "\"}").detail.size(), 512U);
}

TEST(Wire, ReadsTheOtherConnectors) {
    const auto connectors = decode_connectors(
        R"({"connectors":[{"id":"c-1","name":"one","enrolledAt":"2026-11-01T00:00:00Z","approved":false}]})");
    ASSERT_TRUE(connectors) << connectors.error().message;
    ASSERT_EQ(connectors->size(), 1U);
    EXPECT_FALSE((*connectors)[0].approved);
    EXPECT_TRUE(decode_connectors("{}")->empty());
}

}  // namespace
}  // namespace connector::management
