#include "daemon/keys/sealer.hpp"

#include <gtest/gtest.h>

namespace connector::keys {
namespace {

SecretBytes key_of(std::uint8_t octet, std::size_t size = 32) {
    SecretBytes key(size);
    for (std::size_t i = 0; i < size; ++i) key.data()[i] = octet;
    return key;
}
std::unique_ptr<KeyedSealer> sealer(std::uint8_t octet = 7) {
    return KeyedSealer::make(key_of(octet)).value();
}

TEST(Sealer, opens_what_it_sealed_and_nothing_else) {
    const auto one = sealer();
    const auto sealed = one->seal(bytes_of("a private key"), bytes_of("record 1")).value();
    EXPECT_EQ(sealer()->open(sealed, bytes_of("record 1")).value().reveal_text(), "a private key");
    EXPECT_EQ(one->open(sealed, bytes_of("record 2")).error().kind, ErrorKind::integrity);
    EXPECT_EQ(sealer(8)->open(sealed, bytes_of("record 1")).error().kind, ErrorKind::integrity);
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        Bytes changed = sealed;
        changed[i] ^= 1U;
        EXPECT_FALSE(one->open(changed, bytes_of("record 1"))) << i;
        EXPECT_FALSE(one->open(ByteView(sealed).first(i), bytes_of("record 1"))) << i;
    }
}

TEST(Sealer, the_same_secret_is_sealed_differently_each_time) {
    const auto one = sealer();
    EXPECT_NE(one->seal(bytes_of("x"), {}).value(), one->seal(bytes_of("x"), {}).value());
}

TEST(Sealer, check_values_and_audit_links_are_keyed_and_apart) {
    const auto one = sealer();
    EXPECT_EQ(one->check_value(bytes_of("row")), sealer()->check_value(bytes_of("row")));
    EXPECT_NE(one->check_value(bytes_of("row")), one->audit_link(bytes_of("row")));
    EXPECT_NE(one->check_value(bytes_of("row")), sealer(8)->check_value(bytes_of("row")));
}

TEST(Sealer, a_key_of_another_size_is_refused) {
    for (const std::size_t size : {0U, 16U, 31U, 33U}) {
        const auto made = KeyedSealer::make(key_of(1, size));
        ASSERT_FALSE(made);
        EXPECT_EQ(made.error().kind, ErrorKind::misconfigured);
    }
}

// The format is for ever: what one version sealed, the next has to open.
TEST(Sealer, the_derived_keys_do_not_change) {
    EXPECT_EQ(sealer()->check_value(bytes_of("row")).hex(),
              "5fdbd7b9cd43d1f8dd49e64078ef2f11b4e80db6c701c77e929c1e9ae8cbaa49");
    EXPECT_EQ(sealer()->audit_link(bytes_of("row")).hex(),
              "32d72924f922861802aa8ca0d8c525e47d838cbe4c09531059b6e0efbb2be5f7");
}

}  // namespace
}  // namespace connector::keys
