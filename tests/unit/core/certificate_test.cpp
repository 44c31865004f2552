#include "core/certificate.hpp"

#include <gtest/gtest.h>

#include <set>

namespace connector {
namespace {

TEST(KeyType, words_of_the_management_api) {
    std::set<std::string_view> words;
    for (const auto* word : {"rsa2048", "rsa3072", "rsa4096", "ecP256", "ecP384"}) {
        const auto type = parse_key_type(word);
        ASSERT_TRUE(type) << word;
        EXPECT_EQ(to_string(*type), word);
        words.insert(to_string(*type));
    }
    EXPECT_EQ(words.size(), 5U);
    for (const auto* word : {"", "RSA2048", "rsa1024", "ecP521", "ed25519"}) EXPECT_FALSE(parse_key_type(word)) << word;
}

TEST(KeyUsage, words_of_rfc_5280_in_bit_order) {
    const char* const words[] = {"digitalSignature", "nonRepudiation", "keyEncipherment",
                                 "dataEncipherment", "keyAgreement",   "keyCertSign",
                                 "cRLSign",          "encipherOnly",   "decipherOnly"};
    for (unsigned bit = 0; bit < 9; ++bit) {
        const auto usage = KeyUsage::parse_one(words[bit]);
        ASSERT_TRUE(usage) << words[bit];
        EXPECT_EQ(usage->bits(), 1U << bit);
        EXPECT_EQ(usage->words(), std::vector<std::string_view>{words[bit]});
    }
    EXPECT_EQ(KeyUsage::parse_one("contentCommitment"), KeyUsage(KeyUsage::k_non_repudiation));
    for (const auto* word : {"", "DigitalSignature", "sign"}) EXPECT_FALSE(KeyUsage::parse_one(word)) << word;
}

TEST(KeyUsage, within_means_nothing_beyond) {
    const KeyUsage allowed(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation);
    EXPECT_TRUE(KeyUsage(KeyUsage::k_digital_signature).within(allowed));
    EXPECT_TRUE(KeyUsage().within(allowed));
    EXPECT_FALSE(KeyUsage(KeyUsage::k_digital_signature | KeyUsage::k_key_encipherment).within(allowed));
}

}  // namespace
}  // namespace connector
