#include "core/text.hpp"

#include <gtest/gtest.h>

namespace connector {
namespace {

TEST(Text, utf8_by_rfc_3629) {
    for (const auto* text : {"", "abc", "é", "漢字", "😀", "\xEF\xBF\xBD", "\xF4\x8F\xBF\xBF"})
        EXPECT_TRUE(is_utf8(text)) << text;
    for (const auto* text : {"\x80", "\xC3", "\xC3(", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                             "\xF8\x88\x80\x80\x80", "\xFF", "a\xE6\xBC"}) {
        EXPECT_FALSE(is_utf8(text));
        EXPECT_TRUE(has_control(text));
    }
}

TEST(Text, counts_characters_not_octets) {
    EXPECT_EQ(character_count("Zoë 漢😀"), 6U);
    EXPECT_EQ(character_count(""), 0U);
}

TEST(Text, control_characters) {
    for (const auto& text : {std::string("a\0b", 3), std::string("a\nb"), std::string("\x1b[31m"), std::string("\x7f"),
                             std::string("\xC2\x85"), std::string("\xE2\x80\xA8"), std::string("x\xE2\x80\xAEy"),
                             std::string("\xE2\x81\xA6")})
        EXPECT_TRUE(has_control(text)) << text;
    for (const auto* text : {"", " ", "é", "O'Neill + Söhne; \"Co\"", "\xC2\xA0"})
        EXPECT_FALSE(has_control(text)) << text;
}

TEST(Text, case_is_folded_for_ascii_alone) {
    EXPECT_EQ(ascii_lower("ÄB-Z[`{"), "Äb-z[`{");
    EXPECT_TRUE(ascii_equal("ALICE@corp", "alice@CORP"));
    EXPECT_FALSE(ascii_equal("a", "ab"));
    EXPECT_FALSE(ascii_equal("Ä", "ä"));
    EXPECT_TRUE(is_ascii("~ \x7f"));
    EXPECT_FALSE(is_ascii("é"));
}

TEST(Text, folded_as_names_are_compared) {
    EXPECT_EQ(folded("  Alice   SMITH "), "alice smith");
    EXPECT_EQ(folded("   "), "");
}

}  // namespace
}  // namespace connector
