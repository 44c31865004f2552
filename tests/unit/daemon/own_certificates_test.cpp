#include "daemon/own_certificates.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace connector::daemon {
namespace {

using std::chrono::days;

const UtcTime k_now{std::chrono::seconds{1'790'000'000}};

OwnCertificate of(days life, days left) {
    return {"connector", k_now + left - life, k_now + left};
}

TEST(OwnCertificates, one_of_a_long_life_is_due_in_its_last_month) {
    EXPECT_FALSE(ends_soon(of(days{365}, days{31}), k_now));
    EXPECT_TRUE(ends_soon(of(days{365}, days{29}), k_now));
    EXPECT_TRUE(ends_soon(of(days{365}, days{-1}), k_now)) << "also when it is over";
}

TEST(OwnCertificates, one_of_a_short_life_is_due_in_its_last_third) {
    EXPECT_FALSE(ends_soon(of(days{30}, days{11}), k_now));
    EXPECT_TRUE(ends_soon(of(days{30}, days{9}), k_now));
}

}  // namespace
}  // namespace connector::daemon
