#include "core/crypto/self_test.hpp"

#include <gtest/gtest.h>

namespace connector::crypto {
namespace {

TEST(SelfTest, PassesOnThisMachine) {
    const auto result = self_test();
    EXPECT_TRUE(result) << result.error().message;
}

}  // namespace
}  // namespace connector::crypto
