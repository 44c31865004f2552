#include "core/crypto/internal/der.hpp"

#include <gtest/gtest.h>

namespace connector::crypto::der {
namespace {

bool framed(std::string_view hex) {
    return well_framed(*from_hex(hex));
}

TEST(Der, TakesWhatIsFramedAsDer) {
    EXPECT_TRUE(framed("0500"));
    EXPECT_TRUE(framed("3000"));
    EXPECT_TRUE(framed("3003020101"));
    EXPECT_TRUE(well_framed(wrap(k_octet_string, Bytes(127, 0))));
    EXPECT_TRUE(well_framed(wrap(k_octet_string, Bytes(128, 0))));
    EXPECT_TRUE(well_framed(wrap(k_sequence, wrap(k_octet_string, Bytes(70'000, 0)))));
}

TEST(Der, RefusesEverythingElse) {
    EXPECT_FALSE(framed(""));
    EXPECT_FALSE(framed("05"));
    EXPECT_FALSE(framed("0501"));        // cut off
    EXPECT_FALSE(framed("050000"));      // something behind
    EXPECT_FALSE(framed("30800000"));    // indefinite
    EXPECT_FALSE(framed("30810100"));    // longer than needed
    EXPECT_FALSE(framed("3082000105"));  // leading zero in the length
    EXPECT_FALSE(framed("3003020201"));  // the inner one runs over the outer one
    EXPECT_FALSE(framed("1f8101"));      // high tag number
    EXPECT_FALSE(framed("3085010000000000"));
}

TEST(Der, GoesThirtyTwoDeepAndNoFurther) {
    Bytes nested = *from_hex("0500");
    for (int i = 0; i < 31; ++i) nested = wrap(k_sequence, nested);
    EXPECT_TRUE(well_framed(nested));
    for (int i = 0; i < 1000; ++i) nested = wrap(k_sequence, nested);
    EXPECT_FALSE(well_framed(nested));
}

TEST(Der, GivesElementsInOrder) {
    const Bytes octets = *from_hex("020101040261620500");
    Reader reader(octets);
    EXPECT_EQ(reader.peek(), k_integer);
    EXPECT_FALSE(reader.take(k_octet_string));
    EXPECT_TRUE(reader.take(k_integer));
    const auto text = reader.take(k_octet_string);
    ASSERT_TRUE(text);
    EXPECT_EQ(text_of(text->content), "ab");
    EXPECT_EQ(text->whole.size(), 4U);
    EXPECT_TRUE(reader.next());
    EXPECT_TRUE(reader.at_end());
    EXPECT_FALSE(reader.next());
}

}  // namespace
}  // namespace connector::crypto::der
