#include "core/crypto/certs_only.hpp"

#include "core/crypto/cms.hpp"
#include "support/certs_only.hpp"
#include "unit/crypto/fixtures.hpp"

#include <gtest/gtest.h>

namespace connector::crypto {
namespace {

using namespace test;
using connector::test::certs_only;

TEST(CertsOnly, GivesTheCertificates) {
    const std::vector<Bytes> held{pki().leaf, pki().issuing.certificate, pki().root.certificate};
    auto read = must(certificates_from_cms(certs_only(held)));
    std::sort(read.begin(), read.end());
    auto expected = held;
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(read, expected);
    EXPECT_TRUE(must(certificates_from_cms(certs_only({}))).empty());
}

TEST(CertsOnly, TakesIndefiniteLengths) {
    // ContentInfo and its [0] written anew, as BER encoders do.
    const Bytes der = certs_only({pki().leaf});
    ASSERT_EQ(der[1], 0x82);
    const std::size_t oid = 4;
    const std::size_t explicit_at = oid + 11;
    ASSERT_EQ(der[explicit_at], 0xA0);
    ASSERT_EQ(der[explicit_at + 1], 0x82);
    Bytes ber{0x30, 0x80};
    ber.insert(ber.end(), der.begin() + oid, der.begin() + explicit_at);
    ber.insert(ber.end(), {0xA0, 0x80});
    ber.insert(ber.end(), der.begin() + explicit_at + 4, der.end());
    ber.insert(ber.end(), {0, 0, 0, 0});
    EXPECT_EQ(must(certificates_from_cms(ber)), std::vector<Bytes>{pki().leaf});
}

TEST(CertsOnly, RefusesEverythingElse) {
    const Bytes good = certs_only({pki().leaf});
    const auto reason = [](ByteView octets) {
        const auto read = certificates_from_cms(octets);
        EXPECT_FALSE(read);
        EXPECT_EQ(read ? ErrorKind::internal : read.error().kind, ErrorKind::invalid);
        return read ? std::string() : read.error().message;
    };
    EXPECT_NE(reason({}).find("empty"), std::string::npos);
    EXPECT_NE(reason(Bytes(k_largest_certs_only + 1, 0x30)).find("1 MiB"), std::string::npos);
    EXPECT_NE(reason(pki().leaf).find("not a CMS message"), std::string::npos);
    Bytes more = good;
    more.push_back(0);
    EXPECT_NE(reason(more).find("behind"), std::string::npos);
    EXPECT_NE(reason(ByteView(good).first(good.size() - 1)).find("not a CMS message"), std::string::npos);

    ports::Signer signer;
    signer.certificate = pki().leaf;
    signer.pkcs8 = must(pki().key.to_pkcs8());
    const auto attached = must(sign_attached(bytes_of("hello"), signer));
    EXPECT_NE(reason(attached.view()).find("content"), std::string::npos);
    EXPECT_NE(reason(must(sign_detached(bytes_of("hello"), signer))).find("signed"), std::string::npos);
    EXPECT_NE(reason(must(envelop(bytes_of("x"), pki().rsa_leaf))).find("not SignedData"), std::string::npos);
}

TEST(CertsOnly, BoundsTheirNumber) {
    std::vector<Bytes> many;
    for (std::size_t i = 0; i <= k_most_certs_only; ++i)
        many.push_back(
            must(issue(mail_order("a@corp.example", pki().key), pki().issuing.certificate, pki().issuing.key)));
    EXPECT_FALSE(certificates_from_cms(certs_only(many)));
    many.pop_back();
    EXPECT_EQ(must(certificates_from_cms(certs_only(many))).size(), k_most_certs_only);
}

// Whatever stands in it, cut and changed, gives an answer.
TEST(CertsOnly, SurvivesEveryOctet) {
    const Bytes good = certs_only({pki().leaf});
    for (std::size_t i = 0; i < good.size(); ++i) {
        Bytes bad = good;
        bad[i] ^= 0xFFU;
        (void)certificates_from_cms(bad);
        (void)certificates_from_cms(ByteView(good).first(i));
    }
}

}  // namespace
}  // namespace connector::crypto
