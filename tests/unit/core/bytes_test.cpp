#include "core/bytes.hpp"

#include <gtest/gtest.h>

namespace connector {
namespace {

TEST(Hex, is_written_in_lower_case_and_read_in_either) {
    const Bytes octets{0x00, 0x0F, 0xA0, 0xFF};
    EXPECT_EQ(to_hex(octets), "000fa0ff");
    EXPECT_EQ(from_hex("000fa0ff"), octets);
    EXPECT_EQ(from_hex("000FA0fF"), octets);
    EXPECT_EQ(to_hex({}), "");
    EXPECT_EQ(from_hex(""), Bytes{});
}

TEST(Hex, refuses_odd_lengths_and_foreign_characters) {
    for (const auto* text : {"0", "000", "0g", "g0", " 0", "0x", "é"}) EXPECT_EQ(from_hex(text), std::nullopt) << text;
}

TEST(Digest, takes_its_own_size_only) {
    EXPECT_FALSE(Sha256::from(Bytes(31)));
    EXPECT_FALSE(Sha256::from(Bytes(33)));
    ASSERT_TRUE(Sha256::from(Bytes(32, 0xAB)));
    EXPECT_EQ(Sha256::from(Bytes(32, 0xAA))->hex(), std::string(64, 'a'));
    EXPECT_FALSE(Thumbprint::from_hex_text("00"));
    EXPECT_FALSE(Thumbprint::from_hex_text(std::string(40, 'x')));
    EXPECT_EQ(Thumbprint::from_hex_text(std::string(40, 'A'))->hex(), std::string(40, 'a'));
}

TEST(Octets, and_characters_are_two_views_of_the_same_memory) {
    const std::string_view text("a\0b", 3);
    EXPECT_EQ(bytes_of(text).size(), 3U);
    EXPECT_EQ(text_of(bytes_of(text)), text);
}

}  // namespace
}  // namespace connector
