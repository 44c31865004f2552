#include "daemon/doctor/areas.hpp"
#include "daemon/doctor/who_could.hpp"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>

namespace connector::doctor {
namespace {

using namespace std::chrono_literals;

const UtcTime k_now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 24}};

TEST(DoctorChecks, room_on_a_disk) {
    constexpr std::uint64_t k_mebi = 1024UL * 1024UL;
    struct Case {
        std::uint64_t free;
        Verdict verdict;
    };
    for (const auto& [free, verdict] : {Case{0, Verdict::fault}, Case{50 * k_mebi - 1, Verdict::fault},
                                        Case{50 * k_mebi, Verdict::warning}, Case{500 * k_mebi - 1, Verdict::warning},
                                        Case{500 * k_mebi, Verdict::good}, Case{9999 * k_mebi, Verdict::good}}) {
        Checks checks("database");
        judge_room(checks, "disk", "/var/lib", free, 10000 * k_mebi);
        ASSERT_EQ(checks.rows().size(), 1U);
        EXPECT_EQ(checks.rows()[0].verdict, verdict) << free;
        EXPECT_EQ(checks.rows()[0].mend.empty(), verdict == Verdict::good);
    }
}

TEST(DoctorChecks, a_clock_ahead_and_behind) {
    struct Case {
        std::chrono::seconds off;
        Verdict verdict;
        std::string_view words;
    };
    for (const auto& [off, verdict, words] :
         {Case{0s, Verdict::good, "agrees"}, Case{30s, Verdict::good, "agrees"},
          Case{31s, Verdict::warning, "ahead of"}, Case{-31s, Verdict::warning, "behind"},
          Case{300s, Verdict::warning, "ahead of"}, Case{301s, Verdict::fault, "ahead of"},
          Case{-99999s, Verdict::fault, "behind"}}) {
        Checks checks("service");
        judge_clock(checks, k_now + off, k_now);
        ASSERT_EQ(checks.rows().size(), 1U);
        EXPECT_EQ(checks.rows()[0].verdict, verdict) << off.count();
        EXPECT_NE(checks.rows()[0].detail.find(words), std::string::npos) << checks.rows()[0].detail;
    }
}

TEST(DoctorChecks, a_clock_behind_the_newest_time) {
    struct Case {
        std::chrono::seconds behind;
        Verdict verdict;
    };
    for (const auto& [behind, verdict] :
         {Case{-1h, Verdict::good}, Case{10min, Verdict::good}, Case{11min, Verdict::warning},
          Case{24h, Verdict::warning}, Case{25h, Verdict::fault}}) {
        Checks checks("database");
        judge_newest(checks, k_now - behind, k_now);
        ASSERT_EQ(checks.rows().size(), 1U);
        EXPECT_EQ(checks.rows()[0].verdict, verdict) << behind.count();
        EXPECT_EQ(checks.rows()[0].mend.find("clock accept") != std::string::npos, verdict != Verdict::good);
    }
}

TEST(DoctorChecks, the_life_of_a_certificate) {
    struct Case {
        std::chrono::hours since;
        std::chrono::hours left;
        Verdict verdict;
        std::string_view words;
    };
    constexpr auto k_day = 24h;
    for (const auto& [since, left, verdict, words] :
         {Case{300 * k_day, 65 * k_day, Verdict::good, "65 days"},
          Case{340 * k_day, 29 * k_day, Verdict::warning, "29 days"},
          // A short life is renewed within its last third.
          Case{4 * k_day, 3 * k_day, Verdict::good, "3 days"}, Case{5 * k_day, 2 * k_day, Verdict::warning, "2 days"},
          Case{6 * k_day, 1 * k_day, Verdict::warning, "1 day"},
          Case{90 * k_day, 0 * k_day, Verdict::fault, "expired on"},
          Case{90 * k_day, -1 * k_day, Verdict::fault, "expired on 2026-11-23"},
          Case{-1 * k_day, 90 * k_day, Verdict::fault, "not valid before"}}) {
        Checks checks("certificates");
        judge_life(checks, "certificate", "it", k_now - since, k_now + left, k_now, "get another");
        ASSERT_EQ(checks.rows().size(), 1U);
        EXPECT_EQ(checks.rows()[0].verdict, verdict) << checks.rows()[0].detail;
        EXPECT_NE(checks.rows()[0].detail.find(words), std::string::npos) << checks.rows()[0].detail;
    }
}

TEST(DoctorChecks, go_through_json_and_come_back) {
    Checks checks("keys");
    checks.good("one", "\"quoted\"");
    checks.warning("two", "b", "mend it");
    checks.fault("three", "c", "mend that");
    EXPECT_TRUE(checks.any_fault());
    const auto back = checks_from_json(boost::json::parse(boost::json::serialize(to_json(checks.rows()))));
    ASSERT_TRUE(back);
    ASSERT_EQ(back->size(), 3U);
    for (std::size_t i = 0; i < 3; ++i) {
        EXPECT_EQ((*back)[i].area, "keys");
        EXPECT_EQ((*back)[i].name, checks.rows()[i].name);
        EXPECT_EQ((*back)[i].verdict, checks.rows()[i].verdict);
        EXPECT_EQ((*back)[i].detail, checks.rows()[i].detail);
        EXPECT_EQ((*back)[i].mend, checks.rows()[i].mend);
    }
    for (const char* other :
         {"{}", "[1]", "[{\"area\":\"a\"}]", R"([{"area":"a","name":"b","verdict":"fine","detail":"","mend":""}])"})
        EXPECT_FALSE(checks_from_json(boost::json::parse(other))) << other;
}

config::Settings careful() {
    config::Settings settings;
    settings.recipients.rules.binding = trust::Binding::certificate;
    settings.policy.identity = trust::IdentitySource::certificate;
    settings.policy.allowed_mail_domains = {"corp.example"};
    settings.importer.rules.signatures = trust::SignatureRule::required;
    settings.importer.rules.address = trust::AddressRule::strict;
    settings.health.address = "127.0.0.1";
    settings.control.group = "operators";
    return settings;
}

TEST(WhoCould, the_service_can_only_withhold_where_everything_is_proved) {
    for (const auto& one : who_could(careful())) {
        if (one.who != "service" || one.power == Power::none) continue;
        EXPECT_TRUE(one.what.find("withhold") != std::string::npos || one.what.find("revoke") != std::string::npos)
            << one.what;
        EXPECT_NE(one.what.find("revoke") != std::string::npos, one.power == Power::open) << one.what;
    }
}

TEST(WhoCould, every_row_says_why_and_names_a_key_that_exists) {
    auto settings = careful();
    settings.recipients.rules.binding = trust::Binding::service;
    settings.policy.identity = trust::IdentitySource::service;
    settings.management.proxy = "http://proxy:3128";
    settings.authorities["corp"] = {};
    for (const auto& one : who_could(settings)) {
        EXPECT_FALSE(one.who.empty() || one.what.empty() || one.because.empty()) << one.what;
        // Only what no setting changes has none.
        EXPECT_TRUE(!one.key.empty() || one.who == "service" || one.who == "network") << one.what;
    }
}

}  // namespace
}  // namespace connector::doctor
