#include "core/crypto/cms.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/internal/der.hpp"
#include "tests/unit/crypto/fixtures.hpp"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>

namespace connector::crypto {
namespace {

using test::code_of;
using test::ec_key;
using test::mail_order;
using test::must;
using test::order_for;
using test::pki;
using test::rsa_key;

Signer signer() {
    return Signer{pki().leaf, {pki().issuing.certificate}, must(pki().key.to_pkcs8())};
}

// A device: a key and its certificate.
struct Device {
    PrivateKey key;
    Bytes certificate;
};
Device device(PrivateKey key, bool with_id = true) {
    CertificateOrder order = order_for("device", key);
    order.subject_key_identifier = with_id;
    Bytes certificate = must(issue(order, pki().issuing.certificate, pki().issuing.key));
    return Device{std::move(key), std::move(certificate)};
}
Device rsa_device(bool with_id = true) {
    return device(must(PrivateKey::from_pkcs8(must(rsa_key().to_pkcs8()))), with_id);
}

Bytes binary(std::size_t size) {
    Bytes content(size);
    for (std::size_t i = 0; i < size; ++i)
        content[i] = static_cast<std::uint8_t>(i % 7 == 0 ? '\n' : i % 11 == 0 ? '\r' : i);
    return content;
}

// ---- signed statements

TEST(SignAttached, IsVerifiedByTheTrustedCertificate) {
    const auto content = binary(4006);
    const auto message = must(sign_attached(content, signer()));
    EXPECT_TRUE(der::well_framed(message.view()));
    const auto verified = must(verify_attached(message.view(), {pki().rsa_leaf, pki().leaf}));
    EXPECT_EQ(verified.content, content);
    EXPECT_EQ(verified.signer_certificate, pki().leaf);
    EXPECT_TRUE(verify_attached(must(sign_attached({}, signer())).view(), {pki().leaf}));
}

TEST(SignAttached, WorksWithRsa) {
    const Signer rsa{pki().rsa_leaf, {}, must(rsa_key().to_pkcs8())};
    const auto message = must(sign_attached(bytes_of("statement"), rsa));
    EXPECT_EQ(text_of(must(verify_attached(message.view(), {pki().rsa_leaf})).content), "statement");
}

TEST(SignAttached, CarriesSignerAndChain) {
    const auto message = must(sign_attached(bytes_of("x"), signer()));
    const unsigned char* at = message.data();
    const Cms parsed(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(message.size())));
    const Certificates inside(CMS_get1_certs(parsed.get()));
    EXPECT_EQ(sk_X509_num(inside.get()), 2);
}

TEST(SignAttached, RefusesAKeyThatIsNotTheCertificates) {
    Signer wrong = signer();
    wrong.pkcs8 = must(rsa_key().to_pkcs8());
    EXPECT_FALSE(sign_attached(bytes_of("x"), wrong));
}

TEST(VerifyAttached, TrustsWholeCertificatesOnly) {
    const auto message = must(sign_attached(bytes_of("x"), signer()));
    EXPECT_EQ(code_of(verify_attached(message.view(), {})), "signatureRefused");
    EXPECT_EQ(code_of(verify_attached(message.view(), {pki().rsa_leaf})), "signatureRefused");
    // Its issuer is trusted; that does not make it trusted.
    EXPECT_EQ(code_of(verify_attached(message.view(), {pki().issuing.certificate, pki().root.certificate})),
              "signatureRefused");
    // The same issuer name and serial number, another key.
    const auto impostor_ca = test::make_issuing(test::make_root());
    const auto key = ec_key();
    CertificateOrder order = mail_order("alice@corp.example", key);
    order.serial = *from_hex(must(inspect(pki().leaf)).serial_number);
    const auto impostor = must(issue(order, impostor_ca.certificate, impostor_ca.key));
    const auto forged = must(sign_attached(bytes_of("x"), Signer{impostor, {}, must(key.to_pkcs8())}));
    EXPECT_EQ(code_of(verify_attached(forged.view(), {pki().leaf})), "signatureRefused");
}

TEST(VerifyAttached, RefusesEveryChangedOctetOfTheContent) {
    const auto message = must(sign_attached(bytes_of("pay 1 to Alice"), signer()));
    Bytes spoilt(message.view().begin(), message.view().end());
    constexpr std::string_view k_word = "pay";
    const auto at = std::search(spoilt.begin(), spoilt.end(), k_word.begin(), k_word.end());
    ASSERT_NE(at, spoilt.end());
    at[4] = '9';
    EXPECT_EQ(code_of(verify_attached(spoilt, {pki().leaf})), "signatureRefused");
}

TEST(VerifyAttached, RefusesOctetsBehindAndForeignForms) {
    const auto message = must(sign_attached(bytes_of("x"), signer()));
    Bytes behind(message.view().begin(), message.view().end());
    behind.push_back(0);
    EXPECT_EQ(code_of(verify_attached(behind, {pki().leaf})), "signatureRefused");
    EXPECT_EQ(code_of(verify_attached(must(sign_detached(bytes_of("x"), signer())), {pki().leaf})), "signatureRefused");
    EXPECT_EQ(code_of(verify_attached(must(envelop(bytes_of("x"), rsa_device().certificate)), {pki().leaf})),
              "signatureRefused");
    EXPECT_EQ(code_of(verify_attached({}, {pki().leaf})), "signatureRefused");
}

// A SignedData by hand: as many signers, digests and attributes as one likes.
Bytes by_hand(ByteView content, const std::vector<const EVP_MD*>& digests, unsigned flags) {
    const Cms cms(CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY));
    const auto certificate = must(parse_certificate(pki().leaf));
    for (const auto* digest : digests)
        if (CMS_add1_signer(cms.get(), certificate.get(), pki().key.native(), digest,
                            CMS_BINARY | CMS_NOCERTS | flags) == nullptr)
            throw std::runtime_error("not signed");
    const auto source = read_from(content);
    if (CMS_final(cms.get(), source.get(), nullptr, CMS_BINARY) != 1) throw std::runtime_error("not signed");
    return der_of(cms.get(), i2d_CMS_ContentInfo);
}

TEST(VerifyAttached, WantsExactlyOneSignerAndSha256) {
    EXPECT_TRUE(verify_attached(by_hand(bytes_of("x"), {EVP_sha256()}, 0), {pki().leaf}));
    EXPECT_TRUE(verify_attached(by_hand(bytes_of("x"), {EVP_sha512()}, 0), {pki().leaf}));
    EXPECT_EQ(code_of(verify_attached(by_hand(bytes_of("x"), {EVP_sha1()}, 0), {pki().leaf})), "signatureRefused");
    EXPECT_EQ(code_of(verify_attached(by_hand(bytes_of("x"), {EVP_sha256(), EVP_sha256()}, 0), {pki().leaf})),
              "signatureRefused");
}

TEST(VerifyAttached, TakesNoSignedAttributesForContent) {
    // .NET signs without attributes by default: fine, as long as the content cannot be another message's attributes.
    EXPECT_TRUE(verify_attached(by_hand(bytes_of("{}"), {EVP_sha256()}, CMS_NOATTR), {pki().leaf}));
    const Bytes attributes{0x31, 0x00};
    EXPECT_EQ(code_of(verify_attached(by_hand(attributes, {EVP_sha256()}, CMS_NOATTR), {pki().leaf})),
              "signatureRefused");
    EXPECT_TRUE(verify_attached(by_hand(attributes, {EVP_sha256()}, 0), {pki().leaf}));
}

TEST(VerifyDetached, GoesByTheKey) {
    const auto content = bytes_of("the new certificate");
    const auto message = must(sign_detached(content, signer()));
    EXPECT_EQ(must(verify_detached(message, content, pki().key.spki_sha256(), {})), pki().leaf);
    EXPECT_EQ(code_of(verify_detached(message, bytes_of("another"), pki().key.spki_sha256(), {})), "signatureRefused");
    EXPECT_EQ(code_of(verify_detached(message, content, rsa_key().spki_sha256(), {})), "signatureRefused");
    const auto attached = must(sign_attached(content, signer()));
    EXPECT_EQ(code_of(verify_detached(attached.view(), content, pki().key.spki_sha256(), {})), "signatureRefused");
}

TEST(VerifyDetached, TakesTheCertificateFromTheCallerToo) {
    const Cms cms(CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY | CMS_DETACHED));
    const auto certificate = must(parse_certificate(pki().leaf));
    ASSERT_NE(CMS_add1_signer(cms.get(), certificate.get(), pki().key.native(), EVP_sha256(), CMS_NOCERTS), nullptr);
    const auto source = read_from(bytes_of("content"));
    ASSERT_EQ(CMS_final(cms.get(), source.get(), nullptr, CMS_BINARY | CMS_DETACHED), 1);
    const auto message = der_of(cms.get(), i2d_CMS_ContentInfo);
    EXPECT_EQ(code_of(verify_detached(message, bytes_of("content"), pki().key.spki_sha256(), {})), "signatureRefused");
    EXPECT_TRUE(verify_detached(message, bytes_of("content"), pki().key.spki_sha256(), {pki().leaf}));
}

// ---- envelopes

void opens(const Device& recipient) {
    for (const std::size_t size : {0UL, 1UL, 4006UL, 300'000UL}) {
        const auto content = binary(size);
        const auto message = must(envelop(content, recipient.certificate));
        EXPECT_TRUE(check_envelope(message));
        EXPECT_GT(message.size(), size);  // nothing was left detached
        EXPECT_TRUE(must(open_envelope(message, recipient.certificate, recipient.key)).equals(content));
    }
}

TEST(Envelop, OpensWithRsa) {
    opens(rsa_device());
}
TEST(Envelop, OpensWithP256) {
    opens(device(ec_key()));
}
TEST(Envelop, OpensWithP384) {
    opens(device(ec_key(KeyType::ec_p384)));
}
TEST(Envelop, OpensWithP521) {
    opens(device(test::foreign_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-521"))));
}
TEST(Envelop, OpensForACertificateWithoutKeyIdentifier) {
    opens(rsa_device(false));
    opens(device(ec_key(), false));
}

TEST(Envelop, NamesTheRecipientByItsKeyWhereItCan) {
    const auto named_by = [](const Device& recipient) {
        const auto message = must(envelop(bytes_of("x"), recipient.certificate));
        const unsigned char* at = message.data();
        const Cms cms(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(message.size())));
        ASN1_OCTET_STRING* id = nullptr;
        CMS_RecipientInfo_ktri_get0_signer_id(sk_CMS_RecipientInfo_value(CMS_get0_RecipientInfos(cms.get()), 0), &id,
                                              nullptr, nullptr);
        return id != nullptr;
    };
    EXPECT_TRUE(named_by(rsa_device()));
    EXPECT_FALSE(named_by(rsa_device(false)));
}

TEST(Envelop, DoesNotOpenForAnother) {
    const auto message = must(envelop(bytes_of("secret"), rsa_device().certificate));
    const auto other = device(ec_key());
    EXPECT_EQ(code_of(open_envelope(message, other.certificate, other.key)), "envelopeRefused");
    const auto ec_message = must(envelop(bytes_of("secret"), other.certificate));
    const auto third = device(ec_key());
    EXPECT_EQ(code_of(open_envelope(ec_message, third.certificate, third.key)), "envelopeRefused");
    EXPECT_EQ(code_of(open_envelope(ec_message, other.certificate, third.key)), "envelopeRefused");
}

TEST(Envelop, RefusesKeysThatCannotReceive) {
    const PKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr));
    EVP_PKEY* raw = nullptr;
    ASSERT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
    ASSERT_EQ(EVP_PKEY_generate(context.get(), &raw), 1);
    const PKey pss(raw);
    EXPECT_EQ(code_of(envelop(bytes_of("x"), test::certificate_with(pss.get()))), "unsupported");
    const PKey edwards(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    EXPECT_EQ(code_of(envelop(bytes_of("x"), test::certificate_with(edwards.get()))), "unsupported");
    const PKey montgomery(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
    EXPECT_EQ(code_of(envelop(bytes_of("x"), test::certificate_with(montgomery.get()))), "unsupported");
    const PKey bitcoin(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "secp256k1"));
    EXPECT_EQ(code_of(envelop(bytes_of("x"), test::certificate_with(bitcoin.get()))), "unsupported");
    const PKey spelled_out(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
    ASSERT_EQ(
        EVP_PKEY_set_utf8_string_param(spelled_out.get(), OSSL_PKEY_PARAM_EC_ENCODING, OSSL_PKEY_EC_ENCODING_EXPLICIT),
        1);
    EXPECT_EQ(code_of(envelop(bytes_of("x"), test::certificate_with(spelled_out.get()))), "unsupported");
}

// An envelope in its parts, to be put together wrongly.
struct Parts {
    Bytes type, version, recipients, content_type, cipher, nonce, ciphertext, tag;
    int stated_tag = 16;
    Bytes behind;

    explicit Parts(ByteView envelope) {
        const auto copy = [](const der::Element& element) { return Bytes(element.whole.begin(), element.whole.end()); };
        der::Reader info(der::Reader(envelope).next()->content);
        type = copy(*info.next());
        der::Reader body(der::Reader(info.next()->content).next()->content);
        version = copy(*body.next());
        recipients = copy(*body.next());
        der::Reader encrypted(body.next()->content);
        content_type = copy(*encrypted.next());
        der::Reader algorithm(encrypted.next()->content);
        cipher = copy(*algorithm.next());
        der::Reader parameters(algorithm.next()->content);
        nonce = copy(*parameters.next());
        ciphertext = copy(*encrypted.next());
        const auto mac = body.next()->content;
        tag.assign(mac.begin(), mac.end());
    }
    [[nodiscard]] Bytes whole() const {
        const Bytes stated{static_cast<std::uint8_t>(stated_tag)};
        const Bytes length = stated_tag == 12 ? Bytes() : der::wrap(der::k_integer, stated);  // 12 is the default
        const Bytes parameters = der::wrap(der::k_sequence, der::join({nonce, length}));
        const Bytes algorithm = der::wrap(der::k_sequence, der::join({cipher, parameters}));
        const Bytes encrypted = der::wrap(der::k_sequence, der::join({content_type, algorithm, ciphertext}));
        const Bytes mac = der::wrap(der::k_octet_string, tag);
        const Bytes body = der::wrap(der::k_sequence, der::join({version, recipients, encrypted, mac, behind}));
        return der::wrap(der::k_sequence, der::join({type, der::wrap(der::context(0), body)}));
    }
};

class Forged : public ::testing::Test {
protected:
    [[nodiscard]] Parts parts() const { return Parts(envelope_); }
    [[nodiscard]] bool opens(const Parts& forged) const {
        return open_envelope(forged.whole(), device_.certificate, device_.key).has_value();
    }
    Device device_ = device(ec_key());
    Bytes envelope_ = must(envelop(bytes_of("0123456789abcdef"), device_.certificate));
};

TEST_F(Forged, TheUntouchedOneOpens) {
    EXPECT_TRUE(opens(parts()));
}

TEST_F(Forged, ShortTagsAreRefusedHoweverTheyAreStated) {
    for (const std::size_t size : {0UL, 1UL, 4UL, 8UL, 12UL, 15UL}) {
        for (const int stated : {static_cast<int>(size), 12, 16}) {
            Parts forged = parts();
            forged.tag.resize(size);
            forged.stated_tag = stated;
            EXPECT_FALSE(opens(forged)) << size << " octets, said to be " << stated;
        }
    }
    Parts understated = parts();
    understated.stated_tag = 12;
    EXPECT_FALSE(opens(understated));
}

TEST_F(Forged, ChangedOctetsAreRefused) {
    for (std::size_t i = 0; i < envelope_.size(); ++i) {
        Bytes spoilt = envelope_;
        spoilt[i] ^= 1U;
        const auto opened = open_envelope(spoilt, device_.certificate, device_.key);
        // Octets that name things (a version, the recipient) are not authenticated; the content is, always.
        if (opened) {
            EXPECT_EQ(opened->reveal_text(), "0123456789abcdef") << i;
        }
    }
    Parts spoilt = parts();
    spoilt.ciphertext.back() ^= 1U;
    EXPECT_FALSE(opens(spoilt));
    spoilt = parts();
    spoilt.tag.back() ^= 1U;
    EXPECT_FALSE(opens(spoilt));
}

TEST_F(Forged, OtherNoncesVersionsAndAttributesAreRefused) {
    Parts forged = parts();
    forged.nonce = der::wrap(der::k_octet_string, Bytes(16, 1));
    EXPECT_FALSE(opens(forged));
    forged = parts();
    forged.version = der::wrap(der::k_integer, Bytes{2});
    EXPECT_FALSE(opens(forged));
    forged = parts();
    forged.behind = der::wrap(der::context(2), der::wrap(der::k_sequence, {}));
    EXPECT_FALSE(opens(forged));
    forged = parts();
    const auto one = der::Reader(forged.recipients).next()->content;
    forged.recipients = der::wrap(der::k_set, der::join({one, one}));
    EXPECT_FALSE(opens(forged));
    forged.recipients = der::wrap(der::k_set, {});
    EXPECT_FALSE(opens(forged));
}

TEST_F(Forged, OctetsBehindAndIndefiniteLengthsAreRefused) {
    Bytes behind = envelope_;
    behind.push_back(0);
    EXPECT_FALSE(check_envelope(behind));
    const auto outer = der::Reader(envelope_).next()->content;
    Bytes indefinite{0x30, 0x80};
    indefinite.insert(indefinite.end(), outer.begin(), outer.end());
    indefinite.insert(indefinite.end(), {0, 0});
    EXPECT_FALSE(check_envelope(indefinite));
    for (std::size_t size = 0; size < envelope_.size(); ++size)
        EXPECT_FALSE(check_envelope(ByteView(envelope_).first(size)));
}

// What other senders might make, with OpenSSL's own means.
Bytes foreign_envelope(const Device& recipient, const EVP_CIPHER* cipher,
                       const std::function<void(EVP_PKEY_CTX*)>& tune) {
    const Cms cms(CMS_encrypt(nullptr, nullptr, cipher, CMS_PARTIAL | CMS_BINARY));
    const auto certificate = must(parse_certificate(recipient.certificate));
    CMS_RecipientInfo* info =
        CMS_add1_recipient_cert(cms.get(), certificate.get(), CMS_BINARY | CMS_KEY_PARAM | CMS_USE_KEYID);
    tune(CMS_RecipientInfo_get0_pkey_ctx(info));
    const auto source = read_from(bytes_of("content"));
    if (CMS_final(cms.get(), source.get(), nullptr, CMS_BINARY) != 1) throw std::runtime_error("not enveloped");
    return der_of(cms.get(), i2d_CMS_ContentInfo);
}

TEST(CheckEnvelope, TakesOnlyTheAgreedKeyEncryption) {
    const auto ec = device(ec_key());
    const auto rsa = rsa_device();
    const auto oaep = [](const EVP_MD* digest, const EVP_MD* mask) {
        return [=](EVP_PKEY_CTX* context) {
            EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING);
            EVP_PKEY_CTX_set_rsa_oaep_md(context, digest);
            EVP_PKEY_CTX_set_rsa_mgf1_md(context, mask);
        };
    };
    const auto* gcm = EVP_aes_256_gcm();
    EXPECT_TRUE(check_envelope(foreign_envelope(rsa, gcm, oaep(EVP_sha256(), EVP_sha256()))));
    EXPECT_FALSE(check_envelope(foreign_envelope(rsa, gcm, oaep(EVP_sha1(), EVP_sha1()))));
    EXPECT_FALSE(check_envelope(foreign_envelope(rsa, gcm, oaep(EVP_sha256(), EVP_sha1()))));
    EXPECT_FALSE(check_envelope(foreign_envelope(rsa, gcm, oaep(EVP_sha512(), EVP_sha512()))));
    EXPECT_FALSE(check_envelope(foreign_envelope(rsa, gcm, [](EVP_PKEY_CTX*) {})));  // PKCS#1 v1.5
    // OpenSSL's default for EC is the SHA-1 derivation.
    EXPECT_FALSE(check_envelope(foreign_envelope(ec, gcm, [](EVP_PKEY_CTX*) {})));
    const auto sha256_kdf = [](EVP_PKEY_CTX* context) { EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()); };
    EXPECT_TRUE(check_envelope(foreign_envelope(ec, gcm, sha256_kdf)));
    EXPECT_FALSE(check_envelope(foreign_envelope(ec, EVP_aes_128_gcm(), sha256_kdf)));
    EXPECT_FALSE(check_envelope(foreign_envelope(ec, EVP_aes_256_cbc(), sha256_kdf)));
}

TEST(PlatformEnvelope, OpensAndIsForRsaOnly) {
    const auto recipient = rsa_device();
    const auto content = binary(4006);
    const auto message = must(envelop_for_platform(content, recipient.certificate));
    EXPECT_TRUE(der::well_framed(message));
    EXPECT_TRUE(must(open_platform_envelope(message, recipient.certificate, recipient.key)).equals(content));
    EXPECT_EQ(code_of(envelop_for_platform(content, device(ec_key()).certificate)), "unsupported");
    EXPECT_EQ(code_of(open_envelope(message, recipient.certificate, recipient.key)), "envelopeRefused");
    EXPECT_EQ(code_of(open_platform_envelope(must(envelop(content, recipient.certificate)), recipient.certificate,
                                             recipient.key)),
              "envelopeRefused");
}

}  // namespace
}  // namespace connector::crypto
