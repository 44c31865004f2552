#include "core/printable.hpp"

#include <gtest/gtest.h>

#include <string>

namespace connector {
namespace {

using namespace std::string_literals;

struct Case {
    std::string given;
    std::string expected;
};

TEST(Printable, leaves_what_can_be_seen_and_escapes_the_rest) {
    const Case cases[] = {
        {"", ""},
        {"alice@corp.example", "alice@corp.example"},
        {"Zoë Müller 株式会社 😀", "Zoë Müller 株式会社 😀"},
        {"two\r\nlines", "two\\r\\nlines"},
        {"\x1b[31mred", "\\x1b[31mred"},
        {"nul\0byte"s, "nul\\x00byte"},
        {"del\x7f", "del\\x7f"},
        {"c1 \xc2\x9b", "c1 \\u{9b}"},
        {"right\xe2\x80\xaeleft", "right\\u{202e}left"},
        {"isolate\xe2\x81\xa6x", "isolate\\u{2066}x"},
        {"line\xe2\x80\xa8separator", "line\\u{2028}separator"},
        {"zero\xe2\x80\x8bwidth", "zero\\u{200b}width"},
        {"bom\xef\xbb\xbf", "bom\\u{feff}"},
        {"tag\xf3\xa0\x81\x81", "tag\\u{e0041}"},
        {"lone \xff octet", "lone \\xff octet"},
        {"overlong \xc0\xaf", "overlong \\xc0\\xaf"},
        {"surrogate \xed\xa0\x80", "surrogate \\xed\\xa0\\x80"},
        {"above \xf4\x90\x80\x80", "above \\xf4\\x90\\x80\\x80"},
        {"cut \xe2\x80", "cut \\xe2\\x80"},
        {"<script>&\"'", "<script>&\"'"},
        {"a\\b", "a\\b"},
    };
    for (const auto& each : cases) EXPECT_EQ(printable(each.given), each.expected);
}

TEST(Printable, is_stable) {
    const std::string once = printable("a\x1b\xff\xe2\x80\xae z");
    EXPECT_EQ(printable(once), once);
}

TEST(Printable, cuts_at_a_whole_character) {
    EXPECT_EQ(printable("äöü", 4), "äö…");
    EXPECT_EQ(printable("äöü", 5), "äö…");
    EXPECT_EQ(printable("äöü", 6), "äöü");
    EXPECT_EQ(printable("\n\n\n", 5), "\\n\\n…");
    EXPECT_EQ(printable("x", 0), "…");
}

TEST(Printable, words_are_quoted_where_a_reader_would_split_them) {
    EXPECT_EQ(printable_word("plain-word"), "plain-word");
    EXPECT_EQ(printable_word(""), "\"\"");
    EXPECT_EQ(printable_word("two words"), "\"two words\"");
    EXPECT_EQ(printable_word("x\" event=FAKE"), "\"x\\\" event=FAKE\"");
    EXPECT_EQ(printable_word("CORP\\alice"), "\"CORP\\\\alice\"");
}

TEST(Printable, json_stays_harmless_when_it_is_decoded) {
    // The decoded value has the letters \ x 1 b, not the control character.
    EXPECT_EQ(printable_json("a\x1b\"b"), R"("a\\x1b\"b")");
    EXPECT_EQ(printable_json("x\",\"seq\":1}\n"), R"("x\",\"seq\":1}\\n")");
}

}  // namespace
}  // namespace connector
