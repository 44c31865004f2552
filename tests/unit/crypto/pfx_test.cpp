#include "core/crypto/pfx.hpp"

#include "tests/unit/crypto/made_pfx.hpp"

#include <openssl/provider.h>

#include <algorithm>

namespace connector::crypto {
namespace {

using test::code_of;
using test::ec_key;
using test::k_now;
using test::k_password;
using test::k_year;
using test::Made;
using test::mail_order;
using test::must;
using test::pki;
using test::rsa_key;
using test::secret;

std::vector<Bytes> whole_chain() {
    return {pki().issuing.certificate, pki().root.certificate};
}

TEST(Pack, ReadsBackWithJustTheChainItWasGiven) {
    for (const auto style : {PfxStyle::aes256, PfxStyle::legacy3des}) {
        const auto pfx = must(pack(pki().key, pki().leaf, whole_chain(), style));
        const auto identity = must(open_pfx(pfx.der, pfx.password));
        EXPECT_EQ(identity.certificate, pki().leaf);
        EXPECT_EQ(identity.chain, whole_chain());
        EXPECT_TRUE(identity.pkcs8.equals(must(pki().key.to_pkcs8()).view()));
        EXPECT_FALSE(identity.weak_encryption);
    }
}

TEST(Pack, TakesRsa) {
    const auto pfx = must(pack(rsa_key(), pki().rsa_leaf, whole_chain(), PfxStyle::aes256));
    EXPECT_EQ(must(open_pfx(pfx.der, pfx.password)).certificate, pki().rsa_leaf);
}

TEST(Pack, UsesAFreshPasswordOfTheAgreedForm) {
    const auto first = must(pack(pki().key, pki().leaf, {}, PfxStyle::aes256));
    const auto second = must(pack(pki().key, pki().leaf, {}, PfxStyle::aes256));
    EXPECT_EQ(first.password.size(), 32U);
    EXPECT_FALSE(first.password.equals(second.password.view()));
    EXPECT_FALSE(open_pfx(first.der, second.password));
}

TEST(Pack, WritesWhatItsStyleSays) {
    const auto algorithms = [](PfxStyle style) {
        const auto pfx = must(pack(pki().key, pki().leaf, whole_chain(), style));
        const unsigned char* at = pfx.der.data();
        const Pkcs12 file(d2i_PKCS12(nullptr, &at, static_cast<long>(pfx.der.size())));
        const X509_ALGOR* mac = nullptr;
        const ASN1_INTEGER* iterations = nullptr;
        const ASN1_OCTET_STRING* salt = nullptr;
        PKCS12_get0_mac(nullptr, &mac, &salt, &iterations, file.get());
        EXPECT_EQ(ASN1_INTEGER_get(iterations), 2048);
        EXPECT_EQ(ASN1_STRING_length(salt), 8);
        const Safes safes(PKCS12_unpack_authsafes(file.get()));
        EXPECT_EQ(sk_PKCS7_num(safes.get()), 2);
        const PKCS7* encrypted = sk_PKCS7_value(safes.get(), 0);
        const Bags certificates(PKCS12_unpack_p7encdata(
            const_cast<PKCS7*>(encrypted), pfx.password.reveal_text().data(), static_cast<int>(pfx.password.size())));
        const Bags keys(PKCS12_unpack_p7data(sk_PKCS7_value(safes.get(), 1)));
        EXPECT_EQ(sk_PKCS12_SAFEBAG_num(certificates.get()), 3);
        // localKeyID joins key and leaf; a CA certificate with attributes could take the leaf's place on iOS.
        const auto* leaf = sk_PKCS12_SAFEBAG_value(certificates.get(), 0);
        const auto* issuer = sk_PKCS12_SAFEBAG_value(certificates.get(), 1);
        const auto* key = sk_PKCS12_SAFEBAG_value(keys.get(), 0);
        EXPECT_NE(PKCS12_SAFEBAG_get0_attr(leaf, NID_localKeyID), nullptr);
        EXPECT_NE(PKCS12_SAFEBAG_get0_attr(key, NID_localKeyID), nullptr);
        EXPECT_EQ(PKCS12_SAFEBAG_get0_attrs(issuer), nullptr);
        EXPECT_EQ(PKCS12_SAFEBAG_get0_attr(leaf, NID_friendlyName), nullptr);
        const X509_ALGOR* sealing = nullptr;
        X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(key), &sealing, nullptr);
        return std::vector<int>{OBJ_obj2nid(mac->algorithm), OBJ_obj2nid(sealing->algorithm),
                                OBJ_obj2nid(encrypted->d.encrypted->enc_data->algorithm->algorithm)};
    };
    EXPECT_EQ(algorithms(PfxStyle::aes256), (std::vector<int>{NID_sha256, NID_pbes2, NID_pbes2}));
    EXPECT_EQ(algorithms(PfxStyle::legacy3des), (std::vector<int>{NID_sha1, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                                                                  NID_pbe_WithSHA1And3_Key_TripleDES_CBC}));
}

TEST(Pack, RefusesWhatDoesNotBelongTogether) {
    EXPECT_FALSE(pack(pki().issuing.key, pki().leaf, {}, PfxStyle::aes256));
    EXPECT_FALSE(pack(pki().key, pki().leaf, {pki().root.certificate}, PfxStyle::aes256));
    EXPECT_FALSE(pack(pki().key, pki().leaf, {pki().root.certificate, pki().issuing.certificate}, PfxStyle::aes256));
    EXPECT_FALSE(pack(pki().key, bytes_of("x"), {}, PfxStyle::aes256));
}

TEST(OpenPfx, OrdersTheChainFromTheLeafAndLeavesStrangersOut) {
    Made made;
    made.certificate(pki().root.certificate)
        .certificate(pki().rsa_leaf)
        .certificate(pki().issuing.certificate)
        .certificate(pki().leaf)
        .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
        .key(pki().key)
        .safe();
    const auto identity = must(open_pfx(made.der(), secret(k_password)));
    EXPECT_EQ(identity.certificate, pki().leaf);
    EXPECT_EQ(identity.chain, whole_chain());
}

TEST(OpenPfx, OpensExpiredHistory) {
    const auto key = ec_key();
    CertificateOrder order = mail_order("old@corp.example", key);
    order.not_before = k_now - 12 * k_year;
    order.not_after = k_now - 10 * k_year;
    const auto old = must(issue(order, pki().issuing.certificate, pki().issuing.key));
    Made made;
    made.certificate(old).safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC).key(key).safe();
    EXPECT_EQ(must(open_pfx(made.der(), secret(k_password))).certificate, old);
}

TEST(OpenPfx, SaysTheSameOfAWrongPasswordAndAChangedFile) {
    const auto der = Made().certificate(pki().leaf).key(pki().key).safe().der();
    Bytes spoilt = der;
    spoilt[der.size() / 2] ^= 1U;
    Bytes behind = der;
    behind.push_back(0);
    const Result<Identity> failures[] = {
        open_pfx(der, secret("wrong")),       open_pfx(spoilt, secret(k_password)),
        open_pfx(behind, secret(k_password)), open_pfx(bytes_of("not a PFX"), secret(k_password)),
        open_pfx({}, secret(k_password)),     open_pfx(der, SecretBytes()),
        open_pfx(der, SecretBytes(5000)),
    };
    for (const auto& failure : failures) {
        ASSERT_FALSE(failure);
        EXPECT_EQ(failure.error().code, "importUndecryptable");
        EXPECT_EQ(failure.error().message, failures[0].error().message);
    }
}

TEST(OpenPfx, WantsAMac) {
    const auto der = Made().certificate(pki().leaf).key(pki().key).safe().der(nullptr);
    EXPECT_EQ(code_of(open_pfx(der, secret(k_password))), "importInvalid");
}

TEST(OpenPfx, NamesPbmac1) {
    Made made;
    const auto file = made.certificate(pki().leaf).key(pki().key).safe().file();
    const X509_ALGOR* algorithm = nullptr;
    PKCS12_get0_mac(nullptr, &algorithm, nullptr, nullptr, file.get());
    X509_ALGOR_set0(const_cast<X509_ALGOR*>(algorithm), OBJ_txt2obj("1.2.840.113549.1.5.14", 1), V_ASN1_NULL, nullptr);
    const auto result = open_pfx(der_of(file.get(), i2d_PKCS12), secret(k_password));
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, "importInvalid");
    EXPECT_NE(result.error().message.find("PBMAC1"), std::string::npos);
}

TEST(OpenPfx, CountsTheMacBeforeDerivingAnything) {
    // 50 million iterations would hold the parser for a quarter of a minute.
    Made made;
    const auto file = made.certificate(pki().leaf).key(pki().key).safe().file();
    const ASN1_INTEGER* iterations = nullptr;
    PKCS12_get0_mac(nullptr, nullptr, nullptr, &iterations, file.get());
    for (const long claimed : {50'000'000L, 1'000'001L, 0L, -1L}) {
        ASN1_INTEGER_set(const_cast<ASN1_INTEGER*>(iterations), claimed);
        const auto result = open_pfx(der_of(file.get(), i2d_PKCS12), secret("wrong anyway"));
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, "importInvalid") << claimed;
    }
    // At the limit it is tried, and the wrong password told.
    ASN1_INTEGER_set(const_cast<ASN1_INTEGER*>(iterations), 1'000);
    EXPECT_EQ(code_of(open_pfx(der_of(file.get(), i2d_PKCS12), secret("wrong anyway"))), "importUndecryptable");
}

TEST(OpenPfx, CountsKeysAndSafesThatShow) {
    const auto key_der = Made().certificate(pki().leaf).key(pki().key).claim_key_iterations(50'000'000).safe().der();
    EXPECT_EQ(code_of(open_pfx(key_der, secret("wrong anyway"))), "importInvalid");
    const auto safe_der = Made()
                              .certificate(pki().leaf)
                              .key(pki().key)
                              .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                              .claim_safe_iterations(50'000'000)
                              .der();
    EXPECT_EQ(code_of(open_pfx(safe_der, secret("wrong anyway"))), "importInvalid");
}

TEST(OpenPfx, CountsAKeyThatWasHiddenInAnEncryptedSafe) {
    const auto der = Made()
                         .certificate(pki().leaf)
                         .key(pki().key)
                         .claim_key_iterations(50'000'000)
                         .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                         .der();
    EXPECT_EQ(code_of(open_pfx(der, secret(k_password))), "importInvalid");
}

TEST(OpenPfx, AddsTheCostsUp) {
    // Three times 700,000: each within its limit, the sum not.
    Made made;
    const auto der = made.certificate(pki().leaf)
                         .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                         .claim_safe_iterations(700'000)
                         .certificate(pki().issuing.certificate)
                         .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                         .claim_safe_iterations(700'000)
                         .key(pki().key)
                         .claim_key_iterations(700'000)
                         .safe()
                         .der();
    EXPECT_EQ(code_of(open_pfx(der, secret("wrong anyway"))), "importInvalid");
}

TEST(OpenPfx, RefusesMoreThanItsSizeAndItsBags) {
    EXPECT_EQ(code_of(open_pfx(Bytes(k_pfx_largest + 1, 0x30), secret(k_password))), "importInvalid");
    const auto with_bags = [](int count, int nid) {
        Made made;
        made.key(pki().key);
        for (int i = 1; i < count; ++i) made.certificate(pki().leaf);
        return made.safe(nid).der();
    };
    for (const int nid : {-1, NID_pbe_WithSHA1And3_Key_TripleDES_CBC}) {
        EXPECT_TRUE(open_pfx(with_bags(20, nid), secret(k_password)));
        EXPECT_EQ(code_of(open_pfx(with_bags(21, nid), secret(k_password))), "importInvalid");
    }
}

TEST(OpenPfx, CountsBagsInBags) {
    const auto nested = [](int levels, int certificates) {
        Made made;
        made.key(pki().key);
        for (int i = 0; i < certificates; ++i) made.certificate(pki().leaf);
        for (int level = 0; level < levels; ++level) made.nest();
        return made.safe().der();
    };
    EXPECT_EQ(must(open_pfx(nested(4, 1), secret(k_password))).certificate, pki().leaf);
    EXPECT_EQ(code_of(open_pfx(nested(5, 1), secret(k_password))), "importInvalid");
    EXPECT_TRUE(open_pfx(nested(1, 18), secret(k_password)));
    EXPECT_EQ(code_of(open_pfx(nested(1, 19), secret(k_password))), "importInvalid");
}

TEST(OpenPfx, RefusesTwoIdentities) {
    const auto der = Made()
                         .certificate(pki().leaf)
                         .certificate(pki().rsa_leaf)
                         .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                         .key(pki().key)
                         .key(rsa_key())
                         .safe()
                         .der();
    EXPECT_EQ(code_of(open_pfx(der, secret(k_password))), "importInvalid");
    const auto twin =
        must(issue(mail_order("twin@corp.example", pki().key), pki().issuing.certificate, pki().issuing.key));
    const auto two_certificates = Made().certificate(pki().leaf).certificate(twin).key(pki().key).safe().der();
    EXPECT_EQ(code_of(open_pfx(two_certificates, secret(k_password))), "importInvalid");
}

TEST(OpenPfx, RefusesAKeyThatIsNotTheCertificates) {
    EXPECT_EQ(code_of(open_pfx(Made().certificate(pki().leaf).key(rsa_key()).safe().der(), secret(k_password))),
              "importInvalid");
    EXPECT_EQ(code_of(open_pfx(Made().key(pki().key).safe().der(), secret(k_password))), "importInvalid");
    EXPECT_EQ(code_of(open_pfx(Made().certificate(pki().leaf).safe().der(), secret(k_password))), "importInvalid");
}

TEST(OpenPfx, ProvesThePrivateHalf) {
    // An EC key carries its public half beside the private one: here of somebody else's certificate.
    const auto mine = ec_key();
    auto pkcs8 = must(mine.to_pkcs8());
    const ByteView own = ByteView(mine.spki_der()).last(65);
    const auto at = std::search(pkcs8.view().begin(), pkcs8.view().end(), own.begin(), own.end());
    ASSERT_NE(at, pkcs8.view().end());
    const auto offset = static_cast<std::size_t>(at - pkcs8.view().begin());
    const ByteView foreign = ByteView(pki().key.spki_der()).last(65);
    std::copy(foreign.begin(), foreign.end(), pkcs8.data() + offset);
    const auto pretender = PrivateKey::from_pkcs8(pkcs8);
    if (!pretender) return;  // a library that refuses it by itself is welcome
    EXPECT_EQ(code_of(open_pfx(Made().certificate(pki().leaf).key(*pretender).safe().der(), secret(k_password))),
              "importInvalid");
}

TEST(OpenPfx, OpensRc2AndWarns) {
    const Owned<OSSL_LIB_CTX, OSSL_LIB_CTX_free> library(OSSL_LIB_CTX_new());
    const Owned<OSSL_PROVIDER, OSSL_PROVIDER_unload> standard(OSSL_PROVIDER_load(library.get(), "default"));
    const Owned<OSSL_PROVIDER, OSSL_PROVIDER_unload> legacy(OSSL_PROVIDER_load(library.get(), "legacy"));
    if (!legacy) GTEST_SKIP() << "no legacy provider on this system";
    Made made;
    const auto der = made.certificate(pki().leaf)
                         .safe(NID_pbe_WithSHA1And40BitRC2_CBC, 2048, library.get())
                         .key(pki().key)
                         .safe()
                         .der(EVP_sha1());
    const auto identity = must(open_pfx(der, secret(k_password)));
    EXPECT_EQ(identity.certificate, pki().leaf);
    EXPECT_TRUE(identity.weak_encryption);
    // And the rest of the process still cannot.
    const Owned<EVP_CIPHER, EVP_CIPHER_free> cipher(EVP_CIPHER_fetch(nullptr, "RC2-40-CBC", nullptr));
    EXPECT_FALSE(cipher);
    EXPECT_FALSE(OSSL_PROVIDER_available(nullptr, "legacy"));
}

TEST(OpenPfx, ReadsLegacyWithoutTheLegacyProvider) {
    const auto der = Made()
                         .certificate(pki().rsa_leaf)
                         .safe(NID_pbe_WithSHA1And3_Key_TripleDES_CBC)
                         .key(rsa_key())
                         .safe()
                         .der(EVP_sha1());
    const auto identity = must(open_pfx(der, secret(k_password)));
    EXPECT_EQ(identity.certificate, pki().rsa_leaf);
    EXPECT_FALSE(identity.weak_encryption);
}

TEST(OpenPfx, WarnsOfAKeyThatIsNotEncrypted) {
    const auto identity =
        must(open_pfx(Made().certificate(pki().leaf).key(pki().key, -1).safe().der(), secret(k_password)));
    EXPECT_TRUE(identity.weak_encryption);
}

TEST(OpenPfx, ReadsWhatOthersWrite) {
    // NSS: key safe first, AES-128, 600,000 iterations. Cheaper here, the same in kind.
    const auto nss = Made()
                         .key(pki().key, NID_aes_128_cbc, 10'000)
                         .safe()
                         .certificate(pki().leaf)
                         .safe(NID_aes_128_cbc, 10'000)
                         .der(EVP_sha512(), 10'000);
    EXPECT_TRUE(open_pfx(nss, secret(k_password)));
    // Everything in one encrypted safe.
    const auto one = Made().certificate(pki().leaf).key(pki().key).safe(NID_aes_256_cbc).der();
    EXPECT_TRUE(open_pfx(one, secret(k_password)));
}

TEST(OpenPfx, ReadsBer) {
    const auto der = Made().certificate(pki().leaf).key(pki().key).safe().der();
    const der::Element outer = *der::Reader(der).next();
    Bytes ber{0x30, 0x80};
    ber.insert(ber.end(), outer.content.begin(), outer.content.end());
    ber.insert(ber.end(), {0, 0});
    EXPECT_TRUE(open_pfx(ber, secret(k_password)));
}

TEST(OpenPfx, RefusesOtherKeyDerivations) {
    // scrypt takes memory as its cost, which the limits do not count.
    const auto pkcs8 = must(pki().key.to_pkcs8());
    const unsigned char* at = pkcs8.data();
    const Pkcs8Info info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(pkcs8.size())));
    X509_ALGOR* scheme = PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), nullptr, 0, nullptr, 1024, 8, 1);
    ASSERT_NE(scheme, nullptr);
    X509_SIG* sealed = PKCS8_set0_pbe(k_password, -1, info.get(), scheme);
    ASSERT_NE(sealed, nullptr);
    Made made;
    const auto der = made.certificate(pki().leaf).add(PKCS12_SAFEBAG_create0_pkcs8(sealed)).safe().der();
    EXPECT_EQ(code_of(open_pfx(der, secret(k_password))), "importInvalid");
}

class Passwords : public ::testing::TestWithParam<int> {};

TEST_P(Passwords, AreReadAsUtf8AndAsLatin1) {
    constexpr const char* k_utf8 = "p\xC3\xA4ssw\xC3\xB6rd";
    constexpr std::string_view k_latin1 = "p\xE4ssw\xF6rd";
    const auto made_by_utf8 =
        Made().password(k_utf8).certificate(pki().leaf).safe(GetParam()).key(pki().key, GetParam()).safe().der();
    EXPECT_TRUE(open_pfx(made_by_utf8, secret(k_utf8)));
    EXPECT_TRUE(open_pfx(made_by_utf8, secret(k_latin1)));  // what Microsoft's import tool makes of it
    EXPECT_EQ(code_of(open_pfx(made_by_utf8, secret("passwort"))), "importUndecryptable");

    const auto made_by_latin1 = Made()
                                    .password(k_latin1.data())
                                    .certificate(pki().leaf)
                                    .safe(GetParam())
                                    .key(pki().key, GetParam())
                                    .safe()
                                    .der();
    EXPECT_TRUE(open_pfx(made_by_latin1, secret(k_latin1)));
}
INSTANTIATE_TEST_SUITE_P(Styles, Passwords, ::testing::Values(NID_aes_256_cbc, NID_pbe_WithSHA1And3_Key_TripleDES_CBC));

TEST(OpenPfx, TellsTheEmptyPasswordFromNone) {
    const auto empty =
        Made().password("").certificate(pki().leaf).key(pki().key, NID_aes_256_cbc).safe(NID_aes_256_cbc).der();
    EXPECT_TRUE(open_pfx(empty, SecretBytes()));
}

TEST(OpenPfx, SurvivesEveryTruncationAndManyFlips) {
    const auto der = Made()
                         .certificate(pki().leaf)
                         .safe(NID_aes_256_cbc, 1)
                         .key(pki().key, NID_aes_256_cbc, 1)
                         .safe()
                         .der(EVP_sha256(), 1);
    for (std::size_t size = 0; size < der.size(); size += 5)
        EXPECT_FALSE(open_pfx(ByteView(der).first(size), secret(k_password)));
    for (std::size_t i = 0; i < der.size(); i += 3) {
        Bytes spoilt = der;
        spoilt[i] ^= 0x41U;
        const auto result = open_pfx(spoilt, secret(k_password));
        if (result) {
            EXPECT_EQ(result->certificate, pki().leaf) << i;
        }
    }
    EXPECT_EQ(ERR_peek_error(), 0U);
}

}  // namespace
}  // namespace connector::crypto
