#include "core/ids.hpp"

#include <gtest/gtest.h>

#include <type_traits>
#include <unordered_set>

namespace connector {
namespace {

TEST(Id, is_of_the_management_apis_form) {
    for (const auto& text : {std::string("r-1"), std::string("A.z_0:@+-"), std::string(128, 'x')}) {
        const auto id = RequestId::parse(text);
        ASSERT_TRUE(id) << text;
        EXPECT_EQ(id->text(), text);
        EXPECT_FALSE(id->empty());
    }
    for (const auto& text : {std::string(), std::string(129, 'x'), std::string("a b"), std::string("a/b"),
                             std::string("a%2f"), std::string("a\n"), std::string("a\0b", 3), std::string("ä")})
        EXPECT_FALSE(RequestId::parse(text)) << text;
}

TEST(Id, of_one_thing_is_not_an_id_of_another) {
    static_assert(!std::is_convertible_v<UserId, DeviceId>);
    static_assert(!std::is_constructible_v<UserId, std::string>);
    EXPECT_TRUE(UserId().empty());
    EXPECT_LT(*UserId::parse("a"), *UserId::parse("b"));
    EXPECT_EQ(std::unordered_set<UserId>({*UserId::parse("a"), *UserId::parse("a")}).size(), 1U);
}

}  // namespace
}  // namespace connector
