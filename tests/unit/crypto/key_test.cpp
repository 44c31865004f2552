#include "core/crypto/key.hpp"

#include "core/crypto/cms.hpp"
#include "core/crypto/encoding.hpp"
#include "core/crypto/pfx.hpp"
#include "tests/unit/crypto/fixtures.hpp"

#include <fstream>
#include <sstream>

namespace connector::crypto {
namespace {

using test::ec_key;
using test::must;
using test::pki;
using test::rsa_key;

TEST(PrivateKey, IsOfTheKindThatWasAskedFor) {
    EXPECT_EQ(rsa_key().facts().algorithm, KeyAlgorithm::rsa);
    EXPECT_EQ(rsa_key().facts().bits, 2048U);
    EXPECT_TRUE(rsa_key().facts().exponent_fit);
    EXPECT_EQ(ec_key().facts().curve, "P-256");
    EXPECT_EQ(ec_key(KeyType::ec_p384).facts().curve, "P-384");
    EXPECT_EQ(ec_key().facts().algorithm, KeyAlgorithm::ec);
}

TEST(PrivateKey, ComesBackFromPkcs8) {
    const auto check = [](const PrivateKey& key) {
        const auto pkcs8 = must(key.to_pkcs8());
        const auto back = must(PrivateKey::from_pkcs8(pkcs8));
        EXPECT_EQ(back.spki_der(), key.spki_der());
        EXPECT_EQ(back.spki_sha256(), key.spki_sha256());
        EXPECT_TRUE(must(back.to_pkcs8()).equals(pkcs8.view()));
    };
    check(rsa_key());
    check(ec_key());
    check(ec_key(KeyType::ec_p384));
}

TEST(PrivateKey, RefusesPkcs8WithOctetsBehindItOrMissing) {
    auto longer = must(ec_key().to_pkcs8());
    longer.append(std::string_view("\0", 1));
    EXPECT_FALSE(PrivateKey::from_pkcs8(longer));
    auto shorter = must(ec_key().to_pkcs8());
    shorter.truncate(shorter.size() - 1);
    EXPECT_FALSE(PrivateKey::from_pkcs8(shorter));
    EXPECT_FALSE(PrivateKey::from_pkcs8(SecretBytes()));
}

TEST(PrivateKey, ComesBackFromPem) {
    const auto key = ec_key();
    const auto pem = must(key.to_pem());
    EXPECT_TRUE(pem.reveal_text().starts_with("-----BEGIN PRIVATE KEY-----"));
    EXPECT_EQ(must(PrivateKey::from_pem(pem)).spki_der(), key.spki_der());
}

TEST(PrivateKey, IsEncryptedUnderAPassphraseAndNeverAsksForOne) {
    const auto key = ec_key();
    const auto passphrase = SecretBytes::copy_of(std::string_view("correct horse"));
    const auto pem = must(key.to_pem(passphrase));
    EXPECT_TRUE(pem.reveal_text().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    EXPECT_EQ(must(PrivateKey::from_pem(pem, passphrase)).spki_der(), key.spki_der());

    const auto wrong = PrivateKey::from_pem(pem, SecretBytes::copy_of(std::string_view("battery staple")));
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().kind, ErrorKind::unauthorized);
    const auto missing = PrivateKey::from_pem(pem);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().kind, ErrorKind::unauthorized);
    EXPECT_FALSE(key.to_pem(SecretBytes()));
}

TEST(PrivateKey, RefusesTextWithoutAKey) {
    EXPECT_FALSE(PrivateKey::from_pem(SecretBytes()));
    EXPECT_FALSE(PrivateKey::from_pem(SecretBytes::copy_of(certificate_to_pem(pki().leaf))));
}

TEST(PrivateKey, KnowsItsCertificate) {
    EXPECT_TRUE(pki().key.fits(pki().leaf));
    EXPECT_FALSE(pki().key.fits(pki().rsa_leaf));
    EXPECT_FALSE(pki().key.fits(bytes_of("not a certificate")));
    EXPECT_TRUE(proves_possession(pki().key, pki().leaf));
    EXPECT_FALSE(proves_possession(pki().key, pki().rsa_leaf));
}

#ifdef __linux__
// How often the octets stand in this process's writable memory, its stacks aside.
std::size_t copies_in_memory(ByteView octets) {
    constexpr unsigned long k_shadow = 1UL << 28U;  // a sanitizer's own maps
    std::size_t copies = 0;
    std::ifstream maps("/proc/self/maps");
    std::ifstream memory("/proc/self/mem", std::ios::binary);
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        unsigned long from = 0;
        unsigned long until = 0;
        char dash = 0;
        std::string mode;
        fields >> std::hex >> from >> dash >> until >> mode;
        if (!mode.starts_with("rw") || until - from > k_shadow || line.find("[stack") != std::string::npos) continue;
        std::string region(until - from, '\0');
        memory.clear();
        memory.seekg(static_cast<std::streamoff>(from));
        if (!memory.read(region.data(), static_cast<std::streamsize>(region.size()))) continue;
        // Masked, so that neither this function nor its caller holds what it looks for.
        const char first = static_cast<char>(octets[0] ^ 0x55U);
        for (std::size_t at = region.find(first); at != std::string::npos; at = region.find(first, at + 1)) {
            std::size_t same = 0;
            while (same < octets.size() && at + same < region.size() &&
                   static_cast<std::uint8_t>(region[at + same]) == (octets[same] ^ 0x55U))
                ++same;
            if (same == octets.size()) ++copies;
        }
        wipe(region.data(), region.size());
    }
    return copies;
}

TEST(PrivateKey, LeavesNoCopyOfItselfBehind) {
#if defined(__SANITIZE_THREAD__)
    GTEST_SKIP() << "ThreadSanitizer's shadow is terabytes: too much to be searched for a key";
#endif
    Bytes masked;
    {
        const auto key = ec_key();
        const auto pkcs8 = must(key.to_pkcs8());
        constexpr std::size_t k_scalar_at = 36;  // RFC 5915 within RFC 5208, P-256
        for (std::size_t i = 0; i < 32; ++i)
            masked.push_back(static_cast<std::uint8_t>(pkcs8.data()[k_scalar_at + i] ^ 0x55U));
        ASSERT_GE(copies_in_memory(masked), 1U);  // the search finds what is there
        const auto leaf = must(issue(test::order_for("x", key), pki().issuing.certificate, pki().issuing.key));
        const auto pfx = must(pack(key, leaf, {}, PfxStyle::aes256));
        const auto identity = must(open_pfx(pfx.der, pfx.password));
        const auto pem = must(key.to_pem());
        EXPECT_TRUE(PrivateKey::from_pem(pem));
        EXPECT_TRUE(sign_attached(bytes_of("x"), Signer{leaf, {}, must(key.to_pkcs8())}));
    }
    EXPECT_EQ(copies_in_memory(masked), 0U);
}
#endif

TEST(PrivateKey, SaysOfItselfWhatItsPublicHalfSays) {
    const auto edwards = test::foreign_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    const auto ec = ec_key();
    for (const PrivateKey* key : {&rsa_key(), &ec, &edwards}) {
        const auto facts = must(inspect_public_key(key->spki_der()));
        const auto& own = key->facts();
        EXPECT_EQ(own.algorithm, facts.algorithm);
        EXPECT_EQ(own.bits, facts.bits);
        EXPECT_EQ(own.curve, facts.curve);
        EXPECT_EQ(own.exponent_fit, facts.exponent_fit);
        EXPECT_EQ(own.spki_sha256, facts.spki_sha256);
        EXPECT_EQ(must(PrivateKey::from_pkcs8(must(key->to_pkcs8()))).spki_der(), key->spki_der());
    }
}

TEST(PrivateKey, LeavesNoErrorsForOthers) {
    EXPECT_FALSE(PrivateKey::from_pem(SecretBytes::copy_of(std::string_view("nothing"))));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(PublicKey, ComesFromPem) {
    const auto spki = must(public_key_from_pem(rsa_key().public_pem()));
    EXPECT_EQ(spki, rsa_key().spki_der());
    EXPECT_EQ(must(inspect_public_key(spki)).spki_sha256, rsa_key().spki_sha256());
    EXPECT_FALSE(public_key_from_pem("nothing"));
    EXPECT_FALSE(public_key_from_pem(to_pem(pem::k_public_key, bytes_of("0"))));
}

TEST(PublicKey, IsNamedByItsEncoding) {
    const auto edwards = test::foreign_key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    EXPECT_EQ(edwards.facts().algorithm, KeyAlgorithm::other);
}

}  // namespace
}  // namespace connector::crypto
