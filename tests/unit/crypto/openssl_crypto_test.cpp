#include "core/crypto/openssl_crypto.hpp"

#include "core/crypto/csr.hpp"
#include "core/crypto/oaep.hpp"
#include "tests/unit/crypto/fixtures.hpp"

namespace connector::crypto {
namespace {

using test::code_of;
using test::k_now;
using test::must;
using test::pki;

// The port from end to end, as a signing request uses it.
TEST(OpenSslCrypto, TakesARequestFromKeyToEnvelope) {
    const OpenSslCrypto crypto;
    ports::CsrContent content;
    content.subject = test::common_name("alice@corp.example");
    content.alternative_names = {{NameForm::email, "alice@corp.example"}};
    content.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    content.extended_key_usage = {std::string(eku::k_email_protection)};
    const auto made = must(crypto.generate(KeyType::ec_p256, content));
    const auto request = must(inspect_csr(made.csr));
    EXPECT_EQ(request.key.spki_sha256, made.spki_sha256);

    CertificateOrder order;
    order.serial = random_serial();
    order.subject = request.subject;
    order.spki = request.spki;
    order.not_before = k_now;
    order.not_after = k_now + test::k_year;
    order.alternative_names = request.alternative_names;
    const auto leaf = must(issue(order, pki().issuing.certificate, pki().issuing.key));
    EXPECT_TRUE(crypto.key_fits(made.pkcs8, leaf));
    EXPECT_FALSE(crypto.key_fits(made.pkcs8, pki().leaf));
    EXPECT_EQ(must(crypto.inspect(leaf)).alternative_names, content.alternative_names);
    EXPECT_TRUE(crypto.issued_by(leaf, pki().issuing.certificate));
    const auto chain = must(crypto.verify_chain(leaf, {pki().issuing.certificate}, {pki().root.certificate}, k_now));

    const auto pfx = must(crypto.pack(made.pkcs8, leaf, chain.issuers, ports::PfxStyle::aes256));
    const auto identity = must(crypto.open_pfx(pfx.der, pfx.password));
    EXPECT_TRUE(identity.pkcs8.equals(made.pkcs8.view()));

    const ports::Signer signer{pki().leaf, {}, must(pki().key.to_pkcs8())};
    const auto signed_package = must(crypto.sign_attached(pfx.der, signer));
    EXPECT_TRUE(crypto.envelop(signed_package.view(), leaf));
    EXPECT_EQ(must(crypto.verify_attached(signed_package.view(), {pki().leaf})).content, pfx.der);
}

TEST(OpenSslCrypto, UnwrapsAPassword) {
    const OpenSslCrypto crypto;
    const auto secret = SecretBytes::copy_of(std::string_view("password"));
    const auto wrapped = must(wrap_oaep(test::rsa_key().spki_der(), secret, ports::OaepHash::sha512));
    const auto pkcs8 = must(test::rsa_key().to_pkcs8());
    EXPECT_TRUE(must(crypto.unwrap_oaep(pkcs8, wrapped, ports::OaepHash::sha512)).equals(secret.view()));
    EXPECT_EQ(code_of(crypto.unwrap_oaep(pkcs8, wrapped, ports::OaepHash::sha256)), "importUndecryptable");
    EXPECT_EQ(crypto.random(16).size(), 16U);
    EXPECT_EQ(crypto.sha256(bytes_of("abc")).hex().substr(0, 8), "ba7816bf");
}

}  // namespace
}  // namespace connector::crypto
