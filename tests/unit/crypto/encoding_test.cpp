#include "core/crypto/encoding.hpp"

#include <gtest/gtest.h>

namespace connector::crypto {
namespace {

TEST(Base64, WritesTheVectorsOfRfc4648) {
    EXPECT_EQ(to_base64(bytes_of("")), "");
    EXPECT_EQ(to_base64(bytes_of("f")), "Zg==");
    EXPECT_EQ(to_base64(bytes_of("fo")), "Zm8=");
    EXPECT_EQ(to_base64(bytes_of("foo")), "Zm9v");
    EXPECT_EQ(to_base64(bytes_of("foobar")), "Zm9vYmFy");
    const Bytes high{0xFB, 0xFF, 0xBF};
    EXPECT_EQ(to_base64(high), "+/+/");
}

TEST(Base64, ReadsWhatItWrites) {
    Bytes octets;
    for (int i = 0; i < 300; ++i) {
        const auto back = from_base64(to_base64(octets));
        ASSERT_TRUE(back);
        EXPECT_EQ(*back, octets);
        const auto secret = secret_from_base64(to_base64(octets));
        ASSERT_TRUE(secret);
        EXPECT_TRUE(secret->equals(octets));
        octets.push_back(static_cast<std::uint8_t>(i * 7));
    }
}

TEST(Base64, RefusesEverySecondSpelling) {
    for (const auto* text : {"Zg", "Zg=", "Zh==", "Zm9=", "Zm8", "Zm9v\n", "Zm 9v", "Zm9v====", "====", "=",
                             "Z===", "Zm-_", "Zg==Zg==", "Zm9v\r\nZm9v", "Zg=a"})
        EXPECT_FALSE(from_base64(text)) << text;
}

TEST(Base64, AppendsToASecretWhatItWouldWrite) {
    for (const std::size_t size : {0UL, 1UL, 2UL, 767UL, 768UL, 769UL, 4000UL}) {
        const Bytes octets(size, 0xA5);
        SecretBytes out = SecretBytes::copy_of(std::string_view("\"pfx\":\""));
        append_base64(out, octets);
        EXPECT_EQ(out.reveal_text(), "\"pfx\":\"" + to_base64(octets));
    }
}

TEST(Pem, GivesEveryBlockOfItsLabelAndNoOther) {
    const Bytes first(100, 1);
    const Bytes second(5, 2);
    const std::string text = "subject=/CN=x\n" + to_pem(pem::k_certificate, first) + to_pem(pem::k_crl, second) +
                             "\r\n" + to_pem(pem::k_certificate, second);
    const auto blocks = from_pem(pem::k_certificate, text);
    ASSERT_TRUE(blocks);
    ASSERT_EQ(blocks->size(), 2U);
    EXPECT_EQ((*blocks)[0], first);
    EXPECT_EQ((*blocks)[1], second);
}

TEST(Pem, RefusesWhatIsBrokenOrNotThere) {
    EXPECT_FALSE(from_pem(pem::k_certificate, ""));
    EXPECT_FALSE(from_pem(pem::k_certificate, to_pem(pem::k_crl, Bytes(3, 1))));
    EXPECT_FALSE(from_pem(pem::k_certificate, "-----BEGIN CERTIFICATE-----\nZm9v\n"));
    EXPECT_FALSE(from_pem(pem::k_certificate, "-----BEGIN CERTIFICATE-----\nZm!v\n-----END CERTIFICATE-----\n"));
    EXPECT_FALSE(from_pem(pem::k_certificate, "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"));
}

}  // namespace
}  // namespace connector::crypto
