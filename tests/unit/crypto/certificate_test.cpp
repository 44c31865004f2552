#include "core/crypto/certificate.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/internal/der.hpp"
#include "tests/unit/crypto/fixtures.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>

#include <atomic>
#include <thread>

namespace connector::crypto {
namespace {

using test::ca_order;
using test::code_of;
using test::ec_key;
using test::k_now;
using test::k_year;
using test::mail_order;
using test::make_issuing;
using test::make_root;
using test::must;
using test::order_for;
using test::pki;
using test::rsa_key;

// Parsed certificates are kept for a while, for all threads.
TEST(Inspect, TakesOneCertificateForAnotherInNoThread) {
    std::vector<Bytes> good;
    std::vector<Bytes> spoiled;
    for (int i = 0; i < 3; ++i) {
        good.push_back(
            must(issue(mail_order("alice@corp.example", ec_key()), pki().issuing.certificate, pki().issuing.key)));
        spoiled.push_back(good.back());
        spoiled.back().back() ^= 1U;  // of the signature
    }
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (std::size_t i = 0; i < 300; ++i) {
                const auto& der = good[i % good.size()];
                if (!issued_by(der, pki().issuing.certificate) || must(inspect(der)).sha256 != sha256(der)) ++wrong;
                if (issued_by(spoiled[i % spoiled.size()], pki().issuing.certificate)) ++wrong;
            }
        });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(wrong, 0);
}

TEST(Inspect, GivesEveryFactOfACertificate) {
    const auto key = ec_key();
    CertificateOrder order = mail_order("alice@corp.example", key);
    order.serial = {0x00, 0x8F, 0x01};
    order.key_usage = KeyUsage(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation);
    order.alternative_names = {{NameForm::email, "alice@corp.example"},
                               {NameForm::smtp_utf8, "björn@corp.example"},
                               {NameForm::upn, "alice@corp.example"},
                               {NameForm::dns, "host.corp.example"},
                               {NameForm::uri, "urn:device:d-1"}};
    order.alternative_names_critical = true;
    order.policies = {"2.23.140.1.5.1.2"};
    order.security_identifier = "S-1-5-21-1-2-3-1105";
    order.crl_urls = {"http://pki.corp.example/a.crl"};
    order.aia_urls = {"http://pki.corp.example/a.crt"};
    const auto der = must(issue(order, pki().issuing.certificate, pki().issuing.key));
    const auto facts = must(inspect(der));

    EXPECT_EQ(facts.der, der);
    EXPECT_EQ(facts.sha256, sha256(der));
    EXPECT_EQ(facts.thumbprint, sha1(der));
    EXPECT_EQ(facts.serial_number, "8f01");
    EXPECT_TRUE(facts.serial_fit);
    EXPECT_EQ(facts.subject.rdns, order.subject.rdns);
    EXPECT_EQ(facts.issuer.rdns, test::common_name("Issuing").rdns);
    EXPECT_EQ(facts.not_before, order.not_before);
    EXPECT_EQ(facts.not_after, order.not_after);
    EXPECT_EQ(facts.alternative_names, order.alternative_names);
    EXPECT_TRUE(facts.alternative_names_critical);
    EXPECT_EQ(facts.key_usage, order.key_usage);
    EXPECT_EQ(facts.extended_key_usage, order.extended_key_usage);
    EXPECT_EQ(facts.policies, order.policies);
    EXPECT_FALSE(facts.is_ca);
    EXPECT_TRUE(facts.signature_strong);
    EXPECT_EQ(facts.signature_algorithm, "ecdsa-with-SHA256");
    EXPECT_EQ(facts.security_identifier, "S-1-5-21-1-2-3-1105");
    EXPECT_EQ(facts.key.spki_sha256, key.spki_sha256());
    ASSERT_TRUE(facts.subject_key_identifier);
    EXPECT_EQ(facts.subject_key_identifier->size(), 20U);
    EXPECT_EQ(facts.authority_key_identifier, must(inspect(pki().issuing.certificate)).subject_key_identifier);
    EXPECT_NE(std::find(facts.extensions.begin(), facts.extensions.end(), "1.3.6.1.4.1.311.25.2"),
              facts.extensions.end());
}

// Windows goes by them before it looks at the extended key usage (MS-WCCE 2.2.2.7.7.3: encoded like
// certificatePolicies).
TEST(Inspect, ReadsApplicationPolicies) {
    const auto with = [](const Bytes& value) {
        const auto made = must(parse_certificate(test::certificate_with(pki().key.native())));
        const auto type = object_from("1.3.6.1.4.1.311.21.10");
        const Asn1String data(ASN1_STRING_type_new(V_ASN1_OCTET_STRING));
        ASN1_STRING_set(data.get(), value.data(), static_cast<int>(value.size()));
        const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
            X509_EXTENSION_create_by_OBJ(nullptr, type.get(), 0, data.get()));
        X509_add_ext(made.get(), extension.get(), -1);
        X509_sign(made.get(), pki().issuing.key.native(), EVP_sha256());
        return must(inspect(der_of(made.get(), i2d_X509)));
    };
    // SEQUENCE { SEQUENCE { OID 1.3.6.1.5.5.7.3.4 } }
    const auto facts = with({0x30, 0x0C, 0x30, 0x0A, 0x06, 0x08, 0x2B, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x04});
    EXPECT_EQ(facts.application_policies, std::vector<std::string>{"1.3.6.1.5.5.7.3.4"});
    const auto broken = with({0x30, 0x0C, 0x30, 0x0A});
    EXPECT_FALSE(broken.application_policies);
    EXPECT_EQ(broken.extensions.back(), "1.3.6.1.4.1.311.21.10");
}

TEST(Inspect, TellsAbsentFromEmpty) {
    const auto key = ec_key();
    CertificateOrder order = order_for("bare", key);
    order.subject_key_identifier = false;
    const auto facts = must(inspect(must(issue(order, pki().issuing.certificate, pki().issuing.key))));
    EXPECT_FALSE(facts.key_usage);
    EXPECT_FALSE(facts.extended_key_usage);
    EXPECT_FALSE(facts.subject_key_identifier);
    EXPECT_FALSE(facts.security_identifier);
    EXPECT_TRUE(facts.alternative_names.empty());
}

TEST(Inspect, RefusesOctetsBeforeAndBehind) {
    Bytes behind = pki().leaf;
    behind.push_back(0);
    EXPECT_FALSE(inspect(behind));
    Bytes before = pki().leaf;
    before.insert(before.begin(), 0);
    EXPECT_FALSE(inspect(before));
    for (std::size_t size = 0; size < pki().leaf.size(); size += 7)
        EXPECT_FALSE(inspect(ByteView(pki().leaf).first(size)));
    EXPECT_FALSE(inspect(Bytes(k_largest_certificate + 1, 0x30)));
}

TEST(Inspect, RefusesASecondEncodingOfTheSameCertificate) {
    // The outer length in one octet more than needed: the same certificate under another SHA-256.
    const der::Element outer = *der::Reader(pki().leaf).next();
    Bytes longer{0x30, 0x83, 0x00, static_cast<std::uint8_t>(outer.content.size() >> 8U),
                 static_cast<std::uint8_t>(outer.content.size() & 0xFFU)};
    longer.insert(longer.end(), outer.content.begin(), outer.content.end());
    EXPECT_FALSE(inspect(longer));
    // Indefinite length.
    Bytes indefinite{0x30, 0x80};
    indefinite.insert(indefinite.end(), outer.content.begin(), outer.content.end());
    indefinite.insert(indefinite.end(), {0, 0});
    EXPECT_FALSE(inspect(indefinite));
}

TEST(Inspect, TellsAnExplicitCurveFromANamedOne) {
    PKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    ASSERT_EQ(EVP_PKEY_set_utf8_string_param(key.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT),
              1);
    const auto facts = must(inspect(test::certificate_with(key.get())));
    EXPECT_EQ(facts.key.algorithm, KeyAlgorithm::ec);
    EXPECT_EQ(facts.key.curve, "");
}

TEST(Inspect, TellsRsaPssFromRsa) {
    const PKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr));
    EVP_PKEY* raw = nullptr;
    ASSERT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
    ASSERT_EQ(EVP_PKEY_generate(context.get(), &raw), 1);
    const PKey key(raw);
    EXPECT_EQ(must(inspect(test::certificate_with(key.get()))).key.algorithm, KeyAlgorithm::rsa_pss);
}

TEST(Inspect, CallsSha1Weak) {
    const auto facts = must(inspect(test::certificate_with(pki().key.native(), EVP_sha1())));
    EXPECT_FALSE(facts.signature_strong);
}

TEST(IssuedBy, IsAFactOfNameAndSignature) {
    EXPECT_TRUE(issued_by(pki().leaf, pki().issuing.certificate));
    EXPECT_FALSE(issued_by(pki().leaf, pki().root.certificate));
    EXPECT_TRUE(self_signed(pki().root.certificate));
    EXPECT_FALSE(self_signed(pki().issuing.certificate));
    EXPECT_FALSE(issued_by(pki().leaf, make_issuing(make_root()).certificate));  // the same name, another key
    EXPECT_FALSE(issued_by(bytes_of("x"), pki().root.certificate));
}

TEST(VerifyChain, GivesTheIssuersUpToTheRoot) {
    const auto chain = must(
        verify_chain(pki().leaf, {pki().root.certificate, pki().issuing.certificate}, {pki().root.certificate}, k_now));
    ASSERT_EQ(chain.size(), 2U);
    EXPECT_EQ(chain[0], pki().issuing.certificate);
    EXPECT_EQ(chain[1], pki().root.certificate);
}

TEST(VerifyChain, TakesIntermediatesAmongTheAnchorsButEndsAtARoot) {
    EXPECT_EQ(must(verify_chain(pki().leaf, {}, {pki().issuing.certificate, pki().root.certificate}, k_now)).size(),
              2U);
    EXPECT_EQ(code_of(verify_chain(pki().leaf, {}, {pki().issuing.certificate}, k_now)), "chainUntrusted");
}

TEST(VerifyChain, TrustsAnchorsAlone) {
    const std::vector<Bytes> all{pki().issuing.certificate, pki().root.certificate};
    EXPECT_EQ(code_of(verify_chain(pki().leaf, all, {}, k_now)), "chainUntrusted");
    EXPECT_EQ(code_of(verify_chain(pki().leaf, all, {make_root().certificate}, k_now)), "chainUntrusted");
    EXPECT_EQ(code_of(verify_chain(pki().leaf, {}, {pki().root.certificate}, k_now)), "chainUntrusted");
}

TEST(VerifyChain, JudgesAtTheGivenTime) {
    const std::vector<Bytes> helpers{pki().issuing.certificate};
    const std::vector<Bytes> anchors{pki().root.certificate};
    EXPECT_TRUE(verify_chain(pki().leaf, helpers, anchors, k_now));
    const auto late = verify_chain(pki().leaf, helpers, anchors, k_now + 2 * k_year);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::refused);
    EXPECT_NE(late.error().message.find("expired"), std::string::npos);
    EXPECT_FALSE(verify_chain(pki().leaf, helpers, anchors, k_now - 2 * k_year));
}

TEST(VerifyChain, TakesAnEcEncryptionCertificate) {
    // OpenSSL's S/MIME encryption purpose demands keyEncipherment, which an EC key must not have.
    const auto key = ec_key();
    CertificateOrder order = mail_order("enc@corp.example", key);
    order.key_usage = KeyUsage(KeyUsage::k_key_agreement);
    const auto leaf = must(issue(order, pki().issuing.certificate, pki().issuing.key));
    EXPECT_TRUE(verify_chain(leaf, {pki().issuing.certificate}, {pki().root.certificate}, k_now));
}

TEST(VerifyChain, RefusesSha1AndShortKeys) {
    const std::vector<Bytes> helpers{pki().issuing.certificate};
    const std::vector<Bytes> anchors{pki().root.certificate};
    CertificateOrder order = mail_order("sha1@corp.example", pki().key);
    const auto good = must(parse_certificate(must(issue(order, pki().issuing.certificate, pki().issuing.key))));
    ASSERT_GT(X509_sign(good.get(), pki().issuing.key.native(), EVP_sha1()), 0);
    const auto sha1_leaf = verify_chain(der_of(good.get(), i2d_X509), helpers, anchors, k_now);
    ASSERT_FALSE(sha1_leaf);
    EXPECT_NE(sha1_leaf.error().message.find("too weak"), std::string::npos);

    const auto small = test::foreign_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{1024}));
    const auto leaf =
        must(issue(mail_order("small@corp.example", small), pki().issuing.certificate, pki().issuing.key));
    const auto small_leaf = verify_chain(leaf, helpers, anchors, k_now);
    ASSERT_FALSE(small_leaf);
    EXPECT_NE(small_leaf.error().message.find("too weak"), std::string::npos);
}

TEST(VerifyChain, RefusesALeafAsIssuer) {
    const test::Ca leaf_as_ca{must(PrivateKey::from_pkcs8(must(pki().key.to_pkcs8()))), pki().leaf};
    const auto key = ec_key();
    const auto below = must(issue(mail_order("below@corp.example", key), leaf_as_ca.certificate, leaf_as_ca.key));
    EXPECT_EQ(code_of(verify_chain(below, {pki().leaf, pki().issuing.certificate}, {pki().root.certificate}, k_now)),
              "chainUntrusted");
}

class Constrained : public ::testing::Test {
protected:
    [[nodiscard]] bool passes(std::vector<GeneralName> names, const Name& subject = test::common_name("x")) const {
        CertificateOrder order = mail_order("x@corp.example", pki().key);
        order.subject = subject;
        order.alternative_names = std::move(names);
        const auto leaf = must(issue(order, ca_.certificate, ca_.key));
        return verify_chain(leaf, {ca_.certificate}, {pki().root.certificate}, k_now).has_value();
    }
    test::Ca ca_ = make_issuing(pki().root, NameConstraints::mail_only({"corp.example", ".corp.example"}));
};

TEST_F(Constrained, LetsItsOwnMailboxesPass) {
    EXPECT_TRUE(passes({{NameForm::email, "alice@corp.example"}}));
    EXPECT_TRUE(passes({{NameForm::email, "alice@sub.corp.example"}}));
    EXPECT_TRUE(passes({{NameForm::smtp_utf8, "björn@corp.example"}}));
    EXPECT_TRUE(passes({{NameForm::email, "alice@corp.example"}, {NameForm::upn, "alice@corp.example"}}));
}

TEST_F(Constrained, RefusesForeignMailInEveryPlace) {
    EXPECT_FALSE(passes({{NameForm::email, "ceo@other.example"}}));
    EXPECT_FALSE(passes({{NameForm::smtp_utf8, "björn@other.example"}}));
    EXPECT_FALSE(passes({}, Name{{{Attribute{std::string(oid::k_email_address), "ceo@other.example"}}}}));
}

TEST_F(Constrained, RefusesHostsAddressesAndTheSecurityIdentifierUri) {
    EXPECT_FALSE(passes({{NameForm::dns, "dc1.corp.example"}}));
    EXPECT_FALSE(passes({{NameForm::uri, "https://www.corp.example/"}}));
    EXPECT_FALSE(passes({{NameForm::uri, "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"}}));
}

TEST(VerifyDirect, WantsTheDirectIssuerAndTakesItAsItStands) {
    EXPECT_EQ(must(verify_direct(pki().leaf, {pki().root.certificate, pki().issuing.certificate}, k_now)),
              pki().issuing.certificate);
    // A root that would be reached by way of an intermediate is not the direct issuer.
    EXPECT_EQ(code_of(verify_direct(pki().leaf, {pki().root.certificate}, k_now)), "chainUntrusted");
    EXPECT_EQ(code_of(verify_direct(pki().leaf, {}, k_now)), "chainUntrusted");
    EXPECT_EQ(code_of(verify_direct(pki().leaf, {pki().leaf}, k_now)), "chainUntrusted");
    EXPECT_EQ(code_of(verify_direct(pki().leaf, {make_issuing(make_root()).certificate}, k_now)), "chainUntrusted");
    EXPECT_EQ(code_of(verify_direct(pki().leaf, {pki().issuing.certificate}, k_now + 2 * k_year)), "chainUntrusted");
    EXPECT_TRUE(verify_direct(pki().issuing.certificate, {pki().root.certificate}, k_now));
}

TEST(EncodeName, UsesTheStringTypeOfTheAttribute) {
    const Name name{{{{"2.5.4.6", "DE"}},
                     {{std::string(oid::k_domain_component), "corp"}},
                     {{std::string(oid::k_common_name), "Zoë"}, {std::string(oid::k_serial_number), "A-1"}},
                     {{std::string(oid::k_email_address), "zoe@corp.example"}},
                     {{"1.3.6.1.4.1.99999.1", "own attribute"}}}};
    const auto encoded = must(encode_name(name));
    const auto tag_of = [&](std::size_t rdn, std::size_t attribute) {
        der::Reader reader(der::Reader(encoded).next()->content);
        for (std::size_t i = 0; i < rdn; ++i) static_cast<void>(reader.next());
        der::Reader set(reader.next()->content);
        for (std::size_t i = 0; i < attribute; ++i) static_cast<void>(set.next());
        der::Reader pair(set.next()->content);
        static_cast<void>(pair.next());
        return pair.next()->tag;
    };
    EXPECT_EQ(tag_of(0, 0), V_ASN1_PRINTABLESTRING);
    EXPECT_EQ(tag_of(1, 0), V_ASN1_IA5STRING);
    // A SET OF is sorted by its encodings (X.690 11.6): the shorter serial number comes first.
    EXPECT_EQ(tag_of(2, 0), V_ASN1_PRINTABLESTRING);
    EXPECT_EQ(tag_of(2, 1), V_ASN1_UTF8STRING);
    EXPECT_EQ(tag_of(3, 0), V_ASN1_IA5STRING);
    const auto back = must(decode_name(encoded));
    ASSERT_EQ(back.rdns.size(), 5U);
    EXPECT_EQ(back.rdns[2].size(), 2U);  // multi-valued still
    EXPECT_TRUE(same_name(back, name));
}

TEST(EncodeName, RefusesWhatTheTypeCannotHold) {
    const auto refused = [](std::string_view type, const std::string& value) {
        return !encode_name(Name{{{Attribute{std::string(type), value}}}}).has_value();
    };
    EXPECT_TRUE(refused("2.5.4.6", "Dä"));
    EXPECT_TRUE(refused(oid::k_serial_number, "a@b"));
    EXPECT_TRUE(refused(oid::k_email_address, "björn@corp.example"));
    EXPECT_TRUE(refused(oid::k_common_name, std::string("a\0b", 3)));
    EXPECT_TRUE(refused(oid::k_common_name, "\xFF"));
    EXPECT_TRUE(refused(oid::k_common_name, ""));
    EXPECT_TRUE(refused("commonName", "x"));
    EXPECT_TRUE(encode_name(Name{}).has_value());
}

TEST(CertificatesFromPem, GivesThemInOrderAndChecksEach) {
    const auto text = certificate_to_pem(pki().leaf) + certificate_to_pem(pki().issuing.certificate);
    const auto read = must(certificates_from_pem(text));
    ASSERT_EQ(read.size(), 2U);
    EXPECT_EQ(read[0], pki().leaf);
    Bytes broken = pki().leaf;
    broken.pop_back();
    EXPECT_FALSE(certificates_from_pem(certificate_to_pem(broken)));
}

}  // namespace
}  // namespace connector::crypto
