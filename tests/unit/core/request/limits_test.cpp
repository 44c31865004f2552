#include "core/request/limits.hpp"

#include <gtest/gtest.h>

namespace connector::request {
namespace {

using std::chrono::hours;

void expect(const Charge& charge, const char* meter, const char* scope, const char* subject, hours window,
            std::uint32_t limit, bool distinct) {
    EXPECT_EQ(charge.meter, meter);
    EXPECT_EQ(charge.scope, scope) << meter;
    EXPECT_EQ(charge.subject, subject) << meter;
    EXPECT_EQ(charge.window, window) << meter;
    EXPECT_EQ(charge.limit, limit) << meter;
    EXPECT_EQ(charge.distinct, distinct) << meter;
}

TEST(Charges, issuing_is_counted_for_all_and_for_the_user) {
    const auto charges = issue_charges(Limits(), "u", "r");
    ASSERT_EQ(charges.size(), 3U);
    expect(charges[0], "issue_per_hour", "", "r", hours{1}, 200, false);
    expect(charges[1], "issue_per_day", "", "r", hours{24}, 1000, false);
    expect(charges[2], "issue_per_user_per_day", "u", "r", hours{24}, 10, false);
}

TEST(Charges, unwrapping_counts_people_once) {
    const auto charges = unwrap_charges(Limits(), "u", "r");
    ASSERT_EQ(charges.size(), 3U);
    expect(charges[0], "unwrap_users_per_hour", "", "u", hours{1}, 25, true);
    expect(charges[1], "unwrap_users_per_day", "", "u", hours{24}, 100, true);
    expect(charges[2], "deliveries_per_user_per_day", "u", "r", hours{24}, 10, false);
}

TEST(Charges, the_others) {
    expect(new_recipient_charge(Limits(), "k"), "new_recipients_per_day", "", "k", hours{24}, 50, true);
    const auto revoking = revoke_charges(Limits(), "r");
    ASSERT_EQ(revoking.size(), 2U);
    expect(revoking[0], "revoke_per_hour", "", "r", hours{1}, 10, true);
    expect(revoking[1], "revoke_per_day", "", "r", hours{24}, 50, true);
    expect(unwrap_failure_charge(Limits(), "r"), "unwrap_failures_per_hour", "", "r", hours{1}, 20, false);
    expect(refusal_charge(Limits(), "r"), "refusals_per_hour", "", "r", hours{1}, 100, false);
}

TEST(Charges, take_the_operators_numbers) {
    Limits limits;
    limits.issue_per_hour = 0;
    limits.unwrap_users_per_day = 7;
    EXPECT_EQ(issue_charges(limits, "u", "r")[0].limit, 0U);
    EXPECT_EQ(unwrap_charges(limits, "u", "r")[1].limit, 7U);
}

}  // namespace
}  // namespace connector::request
