#include "daemon/health/history.hpp"

#include "core/event_ids.hpp"

#include <gtest/gtest.h>

namespace connector::health {
namespace {

TEST(RecentEventsTest, KeepsTheNewestWarningsAndErrorsEachOnce) {
    RecentEvents recent;
    UtcTime now = *from_rfc3339("2026-11-29T12:00:00Z");
    const auto note = [&](std::string_view id) { recent.note(Event(id), now += std::chrono::seconds{1}); };
    note(event::k_disk_full);
    note(event::k_clock_skew);
    note(event::k_heartbeat_sent);  // none of both
    note("no such event");
    note(event::k_disk_full);
    const auto told = recent.newest();
    ASSERT_EQ(told.size(), 2U);
    EXPECT_EQ(told[0].event->id, event::k_disk_full);
    EXPECT_EQ(told[0].times, 2U);
    EXPECT_EQ(told[0].last, now);
    EXPECT_EQ(told[1].event->id, event::k_clock_skew);
}

TEST(RecentEventsTest, TellsAHandful) {
    RecentEvents recent;
    UtcTime now = *from_rfc3339("2026-11-29T12:00:00Z");
    for (const auto& each : event_catalogue()) recent.note(Event(each.id), now += std::chrono::seconds{1});
    const auto told = recent.newest();
    ASSERT_EQ(told.size(), 6U);
    for (std::size_t i = 1; i < told.size(); ++i) EXPECT_GT(told[i - 1].last, told[i].last);
}

}  // namespace
}  // namespace connector::health
