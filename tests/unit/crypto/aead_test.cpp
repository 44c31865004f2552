#include "core/crypto/aead.hpp"

#include "core/crypto/secure_heap.hpp"

#include <gtest/gtest.h>

#include <set>

namespace connector::crypto {
namespace {

// The test program's first use of OpenSSL, as main() has it.
class ProtectMemory final : public ::testing::Environment {
public:
    void SetUp() override { static_cast<void>(protect_memory()); }
};
const auto* const k_protect_memory = ::testing::AddGlobalTestEnvironment(new ProtectMemory);

SecretBytes key_of(std::uint8_t octet) {
    return SecretBytes::copy_of(ByteView(Bytes(k_aead_key_size, octet)));
}

TEST(SecureHeap, IsThereAndWipesWhatOpenSslFrees) {
    const auto state = protect_memory();
    EXPECT_NE(state.secure_heap, SecureHeapState::unavailable);
    EXPECT_TRUE(state.wipes_freed_memory);
}

TEST(Aead, OpensWhatItSealed) {
    const auto key = key_of(1);
    for (const std::size_t size : {0UL, 1UL, 16UL, 100'000UL}) {
        const Bytes plaintext(size, 0x5A);
        const auto sealed = aead_seal(key, plaintext, bytes_of("row 7"));
        ASSERT_TRUE(sealed);
        EXPECT_EQ(sealed->size(), k_aead_nonce_size + size + k_aead_tag_size);
        const auto opened = aead_open(key, *sealed, bytes_of("row 7"));
        ASSERT_TRUE(opened);
        EXPECT_TRUE(opened->equals(plaintext));
    }
}

TEST(Aead, NeverUsesANonceTwice) {
    const auto key = key_of(1);
    std::set<Bytes> nonces;
    for (int i = 0; i < 100; ++i) {
        const auto sealed = aead_seal(key, {}, {});
        ASSERT_TRUE(sealed);
        nonces.emplace(sealed->begin(), sealed->begin() + k_aead_nonce_size);
    }
    EXPECT_EQ(nonces.size(), 100U);
}

TEST(Aead, RefusesAnotherKeyContextOrOctet) {
    const auto sealed = aead_seal(key_of(1), bytes_of("secret"), bytes_of("row 7"));
    ASSERT_TRUE(sealed);
    EXPECT_FALSE(aead_open(key_of(2), *sealed, bytes_of("row 7")));
    EXPECT_FALSE(aead_open(key_of(1), *sealed, bytes_of("row 8")));
    EXPECT_FALSE(aead_open(key_of(1), *sealed, {}));
    for (std::size_t i = 0; i < sealed->size(); ++i) {
        Bytes spoilt = *sealed;
        spoilt[i] ^= 1U;
        const auto opened = aead_open(key_of(1), spoilt, bytes_of("row 7"));
        ASSERT_FALSE(opened) << i;
        EXPECT_EQ(opened.error().kind, ErrorKind::integrity);
    }
    for (std::size_t size = 0; size < sealed->size(); ++size)
        EXPECT_FALSE(aead_open(key_of(1), ByteView(*sealed).first(size), bytes_of("row 7"))) << size;
}

TEST(Aead, RefusesAKeyOfAnotherSize) {
    const auto short_key = SecretBytes::copy_of(ByteView(Bytes(16, 1)));
    EXPECT_FALSE(aead_seal(short_key, bytes_of("x"), {}));
    EXPECT_FALSE(aead_open(short_key, Bytes(40, 0), {}));
}

TEST(Hkdf, GivesRfc5869TestCases1And3) {
    const auto input = SecretBytes::copy_of(ByteView(Bytes(22, 0x0B)));
    const auto first =
        hkdf_sha256(input, *from_hex("000102030405060708090a0b0c"), *from_hex("f0f1f2f3f4f5f6f7f8f9"), 42);
    ASSERT_TRUE(first);
    EXPECT_EQ(to_hex(first->view()),
              "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    const auto third = hkdf_sha256(input, {}, {}, 42);
    ASSERT_TRUE(third);
    EXPECT_EQ(to_hex(third->view()),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
    EXPECT_FALSE(hkdf_sha256(input, {}, {}, 255 * 32 + 1));
}

TEST(Hmac, GivesRfc4231TestCase2) {
    EXPECT_EQ(
        hmac_sha256(SecretBytes::copy_of(std::string_view("Jefe")), bytes_of("what do ya want for nothing?")).hex(),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    EXPECT_EQ(hmac_sha256(SecretBytes(), {}).hex(), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Digests, GiveTheKnownAnswers) {
    EXPECT_EQ(sha256(bytes_of("abc")).hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(sha1(bytes_of("abc")).hex(), "a9993e364706816aba3e25717850c26c9cd0d89d");
}

TEST(Random, GivesPasswordsOfTheAgreedLettersAllOfThem) {
    std::set<char> seen;
    std::set<std::string> passwords;
    for (int i = 0; i < 200; ++i) {
        const auto password = random_password(32);
        ASSERT_EQ(password.size(), 32U);
        for (const char c : password.reveal_text()) {
            EXPECT_TRUE((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'));
            seen.insert(c);
        }
        passwords.emplace(password.reveal_text());
    }
    EXPECT_EQ(seen.size(), 62U);
    EXPECT_EQ(passwords.size(), 200U);
    EXPECT_NE(random(32), random(32));
    EXPECT_TRUE(random(0).empty());
}

TEST(Compare, KnowsEqualFromUnequal) {
    EXPECT_TRUE(equal_constant_time(bytes_of("abc"), bytes_of("abc")));
    EXPECT_FALSE(equal_constant_time(bytes_of("abc"), bytes_of("abd")));
    EXPECT_FALSE(equal_constant_time(bytes_of("abc"), bytes_of("ab")));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

}  // namespace
}  // namespace connector::crypto
