#include "daemon/authority/est_codec.hpp"

#include "core/crypto/csr.hpp"
#include "core/crypto/encoding.hpp"
#include "support/certs_only.hpp"
#include "unit/crypto/fixtures.hpp"

#include <gtest/gtest.h>

namespace connector::authority::est {
namespace {

using connector::test::certs_only;
using crypto::test::must;
using crypto::test::pki;

net::Response answer(unsigned status, std::string body = {}, const std::string& type = "text/plain",
                     std::vector<std::pair<std::string, std::string>> headers = {}) {
    net::Response made;
    made.status = status;
    made.body = std::move(body);
    made.headers = std::move(headers);
    made.headers.emplace_back("content-type", type);
    return made;
}
constexpr const char* k_certs_only = "application/pkcs7-mime; smime-type=certs-only";

TEST(EstCodec, Addresses) {
    const auto text = [](const std::string& base, std::string_view label, Operation operation) {
        return address(*net::parse_url(base), label, operation).text();
    };
    EXPECT_EQ(text("https://ca.example", "", Operation::cacerts), "https://ca.example/.well-known/est/cacerts");
    EXPECT_EQ(text("https://ca.example:8443/", "arbitraryLabel1", Operation::simpleenroll),
              "https://ca.example:8443/.well-known/est/arbitraryLabel1/simpleenroll");
    EXPECT_EQ(text("https://ca.example/ejbca/.well-known/est/", "S/MIME ä", Operation::simpleenroll),
              "https://ca.example/ejbca/.well-known/est/S%2FMIME%20%C3%A4/simpleenroll");
}

TEST(EstCodec, WritesTheRequestInLines) {
    const Bytes csr(100, 0xAB);
    const std::string body = enrolment_body(csr);
    std::string joined;
    std::size_t lines = 0;
    for (std::size_t at = 0; at < body.size();) {
        const auto end = body.find('\n', at);
        ASSERT_NE(end, std::string::npos);
        EXPECT_LE(end - at, 64U);
        joined += body.substr(at, end - at);
        at = end + 1;
        ++lines;
    }
    EXPECT_EQ(lines, 3U);
    EXPECT_EQ(crypto::from_base64(joined), csr);
}

TEST(EstCodec, ReadsEveryWayToWriteCertificates) {
    const std::vector<Bytes> held{pki().leaf};
    const Bytes der = certs_only(held);
    const std::string base64 = crypto::to_base64(der);
    std::string crlf;
    for (std::size_t at = 0; at < base64.size(); at += 76) crlf += base64.substr(at, 76) + "\r\n";
    const std::string bodies[] = {base64,
                                  base64 + "\n",
                                  crlf,
                                  "\r\n " + crlf,
                                  crypto::to_pem("PKCS7", der),
                                  "subject=x\n" + crypto::to_pem("CMS", der),
                                  std::string(der.begin(), der.end())};
    for (const auto& body : bodies)
        for (const auto* type : {k_certs_only, "application/pkcs7-mime", "application/octet-stream", ""}) {
            const auto read = certificates_of(answer(200, body, type));
            ASSERT_TRUE(read) << read.error().message << "\n" << body.substr(0, 80);
            EXPECT_EQ(*read, held);
        }
}

TEST(EstCodec, SaysWhatCameInstead) {
    const auto reason = [](const std::string& body, const std::string& type) {
        const auto read = certificates_of(answer(200, body, type));
        EXPECT_FALSE(read);
        EXPECT_EQ(read ? "" : read.error().code, "answerInvalid");
        return read ? std::string() : read.error().message;
    };
    EXPECT_NE(reason("<html>Sign in</html>", "text/html; charset=utf-8").find("(text/html, 20 octets)"),
              std::string::npos);
    EXPECT_NE(reason("", k_certs_only).find("it is empty"), std::string::npos);
    EXPECT_NE(reason("-----BEGIN PKCS7-----", k_certs_only).find("it is empty"), std::string::npos);
    EXPECT_NE(reason("MIIB=AAA", k_certs_only).find("not base64"), std::string::npos);
    EXPECT_NE(reason("MIIBAAAA", k_certs_only).find("not a CMS message"), std::string::npos);
    EXPECT_NE(reason(crypto::to_base64(certs_only({})), k_certs_only).find("the message is empty"), std::string::npos);
    EXPECT_EQ(reason("x", "a\x1b[2J/b").find('\x1b'), std::string::npos);
}

TEST(EstCodec, WaitsAsLongAsItIsTold) {
    using std::chrono::seconds;
    const auto wait = [](std::vector<std::pair<std::string, std::string>> headers) {
        return wait_of(answer(202, "", "text/plain", std::move(headers)));
    };
    EXPECT_EQ(wait({{"retry-after", "86400"}}), seconds(86400)) << "an approval may take a day";
    EXPECT_EQ(wait({{"retry-after", "99999999999999999999"}}), k_longest_wait);
    EXPECT_EQ(wait({{"date", "Mon, 23 Nov 2026 12:00:00 GMT"}, {"retry-after", "Mon, 23 Nov 2026 13:30:00 GMT"}}),
              seconds(5400));
    EXPECT_EQ(wait({{"date", "Mon, 23 Nov 2026 12:00:00 GMT"}, {"retry-after", "Sun, 22 Nov 2026 12:00:00 GMT"}}),
              k_usual_wait);
    for (const auto* odd : {"0", "-5", "soon", ""}) EXPECT_EQ(wait({{"retry-after", odd}}), k_usual_wait) << odd;
    EXPECT_EQ(wait({}), k_usual_wait);
}

TEST(EstCodec, JudgesAnswers) {
    struct Case {
        unsigned status;
        ErrorKind ordering;
        ErrorKind asking;
    };
    const Case cases[] = {
        {400, ErrorKind::refused, ErrorKind::misconfigured},
        {409, ErrorKind::refused, ErrorKind::misconfigured},
        {422, ErrorKind::refused, ErrorKind::misconfigured},
        {401, ErrorKind::unauthorized, ErrorKind::unauthorized},
        {403, ErrorKind::unauthorized, ErrorKind::unauthorized},
        {404, ErrorKind::misconfigured, ErrorKind::misconfigured},
        {415, ErrorKind::misconfigured, ErrorKind::misconfigured},
        {501, ErrorKind::misconfigured, ErrorKind::misconfigured},
        {429, ErrorKind::throttled, ErrorKind::throttled},
        {503, ErrorKind::unavailable, ErrorKind::unavailable},
        {408, ErrorKind::unavailable, ErrorKind::unavailable},
        {500, ErrorKind::unknown, ErrorKind::unavailable},
        {502, ErrorKind::unknown, ErrorKind::unavailable},
        {504, ErrorKind::unknown, ErrorKind::unavailable},
        {505, ErrorKind::unknown, ErrorKind::unavailable},
        {507, ErrorKind::unknown, ErrorKind::unavailable},
        {520, ErrorKind::unknown, ErrorKind::unavailable},
        {204, ErrorKind::unknown, ErrorKind::unavailable},
    };
    for (const auto& each : cases) {
        const auto given = answer(each.status, "because", "text/plain", {{"retry-after", "7"}});
        const Error ordering = failure_of(Operation::simpleenroll, given, "https://ca/x");
        const Error asking = failure_of(Operation::cacerts, given, "https://ca/x");
        EXPECT_EQ(ordering.kind, each.ordering) << each.status;
        EXPECT_EQ(asking.kind, each.asking) << each.status;
        EXPECT_NE(ordering.message.find("https://ca/x answers " + std::to_string(each.status) + ": because"),
                  std::string::npos);
        if (ordering.kind == ErrorKind::refused) {
            EXPECT_EQ(ordering.code, "authorityRejected");
        }
        if (ordering.kind == ErrorKind::throttled || ordering.kind == ErrorKind::unavailable) {
            EXPECT_EQ(ordering.retry_after, std::chrono::seconds(7));
        }
    }
}

TEST(EstCodec, TheServersWordsAreMadeHarmless) {
    const auto words = [](const std::string& body, const std::string& type) {
        const Error error = failure_of(Operation::simpleenroll, answer(400, body, type), "ca");
        EXPECT_LE(error.message.size(), 512U);
        return error.message;
    };
    EXPECT_EQ(words("  no\r\n seat\tleft \n", "text/plain"), "ca answers 400: no seat left");
    EXPECT_EQ(words("<html><head><title>Bad</title></head>\n<body><p>No&nbsp;<b>seat</b></p></body>", "text/html"),
              "ca answers 400: Bad No&nbsp; seat");
    EXPECT_EQ(words("a < b", "text/plain"), "ca answers 400: a < b");
    EXPECT_EQ(words("", "text/plain"), "ca answers 400");
    EXPECT_EQ(words("MIIB", "application/pkcs7-mime; smime-type=CMC-response"), "ca answers 400");
    EXPECT_EQ(words("\x1b[31mred\xff", "text/plain").find('\x1b'), std::string::npos);
    EXPECT_GT(words(std::string(100000, 'x'), "text/plain").size(), 250U);
}

TEST(EstCodec, JudgesBrokenExchanges) {
    const auto kind = [](Operation operation, ErrorKind given, const char* code) {
        return failure_of(operation, Error(given, code, "x")).kind;
    };
    for (const auto* code : {"timedOut", "connectionLost", "answerInvalid", "answerTooLarge"})
        EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::unavailable, code), ErrorKind::unknown) << code;
    EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::cancelled, "cancelled"), ErrorKind::unknown);
    EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::unavailable, "connectFailed"), ErrorKind::unavailable);
    EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::timed_out, "connectTimedOut"), ErrorKind::timed_out);
    EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::unauthorized, "tlsClientRefused"), ErrorKind::unauthorized);
    EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::misconfigured, "tlsUntrusted"), ErrorKind::misconfigured);
    EXPECT_EQ(kind(Operation::simpleenroll, ErrorKind::invalid, "redirectRefused"), ErrorKind::misconfigured);
    EXPECT_EQ(kind(Operation::cacerts, ErrorKind::unavailable, "connectionLost"), ErrorKind::unavailable);
    EXPECT_EQ(kind(Operation::cacerts, ErrorKind::timed_out, "timedOut"), ErrorKind::timed_out);
    EXPECT_EQ(kind(Operation::cacerts, ErrorKind::invalid, "answerTooLarge"), ErrorKind::unavailable);
    EXPECT_EQ(kind(Operation::cacerts, ErrorKind::cancelled, "cancelled"), ErrorKind::cancelled);
}

TEST(EstCodec, APendingRequestIsItsOwnName) {
    for (const std::string label : {"", "smime", "S MIME%20ä"}) {
        const Pending pending{label, Bytes{0x30, 0x03, 0x01, 0x02, 0x03}};
        const auto read = parse_pending(name_of(pending));
        ASSERT_TRUE(read) << name_of(pending);
        EXPECT_EQ(read->label, label);
        EXPECT_EQ(read->csr, pending.csr);
    }
    for (const auto* bad : {"", " ", "x", "x ", "x AAA", "% AAAA", "%4 AAAA", "%zz AAAA", "17"})
        EXPECT_FALSE(parse_pending(bad)) << bad;
}

TEST(EstCodec, ChoosesTheCertificateByItsKey) {
    const auto& p = pki();
    const Bytes spki = p.key.spki_der();
    const auto issued = must(issued_from({p.root.certificate, p.issuing.certificate, p.leaf}, spki));
    EXPECT_EQ(issued.certificate, p.leaf);
    EXPECT_EQ(issued.chain.size(), 2U);
    // For another key: still the leaf, so that its mismatch can be told and not some CA's.
    const Bytes other = crypto::test::ec_key().spki_der();
    EXPECT_EQ(must(issued_from({p.root.certificate, p.leaf, p.issuing.certificate}, other)).certificate, p.leaf);
    EXPECT_EQ(must(issued_from({p.leaf}, other)).certificate, p.leaf);
    EXPECT_EQ(must(issued_from({p.root.certificate}, other)).certificate, p.root.certificate);
    EXPECT_FALSE(issued_from({}, other));
}

}  // namespace
}  // namespace connector::authority::est
