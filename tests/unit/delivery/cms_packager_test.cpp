#include "daemon/delivery/cms.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/cms.hpp"
#include "core/crypto/encoding.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "daemon/delivery/json_writer.hpp"
#include "unit/crypto/fixtures.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

namespace connector::delivery {
namespace {

namespace json = boost::json;
using crypto::test::k_now;
using crypto::test::must;

// Quotes, controls, HTML, ANSI, bidi, a line separator, an emoji, NUL-free.
constexpr std::string_view k_nasty =
    "\"\\/\b\f\n\r\t\x01\x1f\x7f<script>\x1b[31m\xE2\x80\xAE\xE2\x80\xA8\xF0\x9F\x98\x80=cmd|'/C'!A0\xC3\xA9";

struct DeviceKey {
    crypto::PrivateKey key;
    Bytes certificate;
};

class CmsPackagerTest : public ::testing::Test {
protected:
    static DeviceKey device(crypto::PrivateKey key, bool with_identifier = true) {
        crypto::CertificateOrder order = crypto::test::order_for("d-1", key);
        order.subject_key_identifier = with_identifier;
        order.extended_key_usage = {std::string(eku::k_client_auth)};
        order.key_usage = KeyUsage(key.facts().algorithm == KeyAlgorithm::rsa ? KeyUsage::k_key_encipherment
                                                                              : KeyUsage::k_key_agreement);
        order.alternative_names = {GeneralName{NameForm::uri, "urn:device:d-1"},
                                   GeneralName{NameForm::upn, "alice@corp.example"}};
        Bytes certificate = must(crypto::issue(order, ca().certificate, ca().key));
        return {std::move(key), std::move(certificate)};
    }
    static const crypto::test::Ca& ca() {
        static const crypto::test::Ca k_ca = crypto::test::make_root("Device CA");
        return k_ca;
    }
    static trust::Recipient prove(const Bytes& certificate) {
        request::CertificateRequest request;
        request.id = *RequestId::parse("r-1");
        request.user.id = *UserId::parse("u-1");
        request.user.user_principal_name = "alice@corp.example";
        request.device.id = *DeviceId::parse("d-1");
        request.device.recipient_certificate = certificate;
        trust::RecipientRules rules;
        rules.issuers = {ca().certificate};
        rules.required_eku = {std::string(eku::k_client_auth)};
        auto verdict = trust::prove_recipient(request, must(crypto::inspect(certificate)), true, rules, {}, k_now);
        if (const auto* error = std::get_if<Error>(&verdict.answer)) throw std::runtime_error(error->message);
        return std::get<trust::Recipient>(std::move(verdict.answer));
    }
    static ports::Signer signer() {
        const auto key = crypto::test::ec_key();
        auto order = crypto::test::order_for("Delivery", key);
        order.key_usage = KeyUsage(KeyUsage::k_digital_signature);
        ports::Signer signer;
        signer.certificate =
            must(crypto::issue(order, crypto::test::pki().issuing.certificate, crypto::test::pki().issuing.key));
        signer.chain = {crypto::test::pki().issuing.certificate};
        signer.pkcs8 = must(key.to_pkcs8());
        return signer;
    }
    static ports::PackageContent content() {
        ports::PackageContent content;
        content.request_id = *RequestId::parse("r-1");
        content.user_id = *UserId::parse("u-1");
        content.user_principal_name = std::string(k_nasty);
        content.purpose = "smimeEncryption";
        content.created_at = k_now;
        content.not_after = k_now + std::chrono::days(14);
        content.sequence = 18446744073709551615ULL;
        for (const std::uint8_t mark : {std::uint8_t{1}, std::uint8_t{2}}) {
            ports::PackedIdentity identity;
            identity.sha256.octets.fill(mark);
            identity.thumbprint.octets.fill(mark);
            identity.pfx.der = Bytes(1000U + mark, mark);
            identity.pfx.password = SecretBytes::copy_of("abcdefghijklmnopqrstuvwxyzABCDEF");
            content.identities.push_back(std::move(identity));
        }
        return content;
    }
    static void expect_content(std::string_view text, const Bytes& recipient) {
        const json::object inner = json::parse(text).as_object();
        std::vector<std::string> names;
        for (const auto& member : inner) names.emplace_back(member.key());
        EXPECT_EQ(names, (std::vector<std::string>{"v", "requestId", "userId", "userPrincipalName", "deviceId",
                                                   "recipientSha256", "purpose", "createdAt", "notAfter", "sequence",
                                                   "identities"}));
        EXPECT_EQ(inner.at("v").as_int64(), 1);
        EXPECT_EQ(inner.at("requestId").as_string(), "r-1");
        EXPECT_EQ(inner.at("userId").as_string(), "u-1");
        EXPECT_EQ(inner.at("userPrincipalName").as_string(), k_nasty);
        EXPECT_EQ(inner.at("deviceId").as_string(), "d-1");
        EXPECT_EQ(inner.at("recipientSha256").as_string(), crypto::sha256(recipient).hex());
        EXPECT_EQ(inner.at("purpose").as_string(), "smimeEncryption");
        EXPECT_EQ(inner.at("createdAt").as_string(), "2026-11-23T00:00:00Z");
        EXPECT_EQ(inner.at("notAfter").as_string(), "2026-12-07T00:00:00Z");
        EXPECT_EQ(inner.at("sequence").as_uint64(), 18446744073709551615ULL);
        const auto& identities = inner.at("identities").as_array();
        ASSERT_EQ(identities.size(), 2U);
        const auto& last = identities[1].as_object();
        EXPECT_EQ(last.size(), 4U);
        EXPECT_EQ(last.at("thumbprint").as_string(), content().identities[1].thumbprint.hex());
        EXPECT_EQ(last.at("sha256").as_string(), content().identities[1].sha256.hex());
        EXPECT_EQ(last.at("password").as_string(), "abcdefghijklmnopqrstuvwxyzABCDEF");
        const auto pfx = crypto::from_base64(std::string_view(last.at("pfx").as_string()));
        ASSERT_TRUE(pfx);
        EXPECT_EQ(*pfx, Bytes(1002, 2));
    }
    const crypto::OpenSslCrypto crypto_;
};

TEST_F(CmsPackagerTest, the_device_opens_it_and_finds_the_signers_words) {
    std::vector<DeviceKey> devices;
    devices.push_back(device(must(crypto::PrivateKey::generate(KeyType::rsa2048))));
    devices.push_back(device(crypto::test::ec_key()));
    devices.push_back(device(crypto::test::ec_key(KeyType::ec_p384)));
    devices.push_back(device(crypto::test::ec_key(), false));
    auto by = signer();
    const Bytes pinned = by.certificate;
    const CmsPackager packager(crypto_, std::move(by));
    for (const auto& one : devices) {
        const Bytes envelope = must(packager.package(prove(one.certificate), content()));
        EXPECT_TRUE(crypto::check_envelope(envelope));
        const auto opened = must(crypto::open_envelope(envelope, one.certificate, one.key));
        const auto said = must(crypto::verify_attached(opened.view(), {pinned}));
        expect_content(text_of(said.content), one.certificate);
    }
}

TEST_F(CmsPackagerTest, another_device_does_not_open_it) {
    const auto mine = device(crypto::test::ec_key());
    const auto other = device(crypto::test::ec_key());
    const CmsPackager packager(crypto_, signer());
    const Bytes envelope = must(packager.package(prove(mine.certificate), content()));
    EXPECT_FALSE(crypto::open_envelope(envelope, other.certificate, other.key));
    EXPECT_FALSE(crypto::open_envelope(envelope, mine.certificate, other.key));
}

TEST_F(CmsPackagerTest, neither_password_nor_pfx_shows) {
    const auto one = device(crypto::test::ec_key());
    const CmsPackager packager(crypto_, signer());
    const Bytes envelope = must(packager.package(prove(one.certificate), content()));
    EXPECT_EQ(text_of(envelope).find("abcdefghijklmnop"), std::string_view::npos);
    EXPECT_EQ(text_of(envelope).find("requestId"), std::string_view::npos);
}

TEST_F(CmsPackagerTest, a_name_that_is_not_utf8_is_refused) {
    auto broken = content();
    broken.user_principal_name = "alice\xFF@corp.example";
    EXPECT_EQ(inner_message(broken, *DeviceId::parse("d-1"), Sha256{}).error().kind, ErrorKind::invalid);
}

TEST(JsonWriter, writes_what_a_parser_reads) {
    JsonWriter writer;
    writer.begin_object();
    writer.name(k_nasty);
    writer.begin_array();
    writer.number(0);
    writer.text("");
    writer.base64({});
    writer.base64(bytes_of("f"));
    writer.begin_object();
    writer.end_object();
    writer.begin_array();
    writer.end_array();
    writer.end_array();
    writer.name("last");
    writer.text("\xF0\x9F\x98\x80");
    writer.end_object();
    const auto text = std::move(writer).finish().value();
    const json::object read = json::parse(text.reveal_text()).as_object();
    ASSERT_EQ(read.size(), 2U);
    EXPECT_EQ(json::serialize(read.at(k_nasty)), "[0,\"\",\"\",\"Zg==\",{},[]]");
    EXPECT_EQ(read.at("last").as_string(), "\xF0\x9F\x98\x80");
}

TEST(JsonWriter, every_octet_comes_through) {
    for (unsigned code = 0; code < 0x80; ++code) {
        const std::string text(1, static_cast<char>(code));
        JsonWriter writer;
        writer.text(text);
        const auto written = std::move(writer).finish().value();
        EXPECT_EQ(json::parse(written.reveal_text()).as_string(), std::string_view(text)) << code;
    }
}

}  // namespace
}  // namespace connector::delivery
