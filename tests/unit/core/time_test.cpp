#include "core/time.hpp"

#include <gtest/gtest.h>

namespace connector {
namespace {

using namespace std::chrono;

TEST(Rfc3339, is_read_and_written) {
    const struct {
        const char* text;
        const char* written;
        std::int64_t seconds;
    } cases[] = {
        {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0},
        {"2026-11-23T12:00:00Z", "2026-11-23T12:00:00Z", 1795435200},
        {"2026-11-23t12:00:00z", "2026-11-23T12:00:00Z", 1795435200},
        {"2026-11-23T12:00:00.5Z", "2026-11-23T12:00:00Z", 1795435200},
        {"2026-11-23T12:00:00.999999999Z", "2026-11-23T12:00:00Z", 1795435200},
        {"2024-02-29T23:59:59Z", "2024-02-29T23:59:59Z", 1709251199},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z", 1483228800},  // a leap second is the next one
        {"1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z", -1},
    };
    for (const auto& it : cases) {
        const auto time = from_rfc3339(it.text);
        ASSERT_TRUE(time) << it.text;
        EXPECT_EQ(time->time_since_epoch().count(), it.seconds) << it.text;
        EXPECT_EQ(to_rfc3339(*time), it.written);
    }
}

TEST(Rfc3339, other_forms_are_refused) {
    for (const auto* text : {"",
                             "2026-11-23",
                             "2026-11-23T12:00:00",
                             "2026-11-23T12:00:00+00:00",
                             "2026-11-23T12:00:00+01:00",
                             "2026-11-23 12:00:00Z",
                             "2026-02-29T12:00:00Z",
                             "2026-13-01T12:00:00Z",
                             "2026-00-01T12:00:00Z",
                             "2026-11-31T12:00:00Z",
                             "2026-11-23T24:00:00Z",
                             "2026-11-23T12:60:00Z",
                             "2026-11-23T12:00:61Z",
                             "2026-11-23T12:00:00.Z",
                             "2026-11-23T12:00:00.1234567890Z",
                             "2026-11-23T12:00:00ZZ",
                             " 2026-11-23T12:00:00Z",
                             "+026-11-23T12:00:00Z",
                             "2026-11-23T12:00:0xZ",
                             "2026-11-23T12:00:00.5"}) {
        const auto time = from_rfc3339(text);
        ASSERT_FALSE(time) << text;
        EXPECT_EQ(time.error().kind, ErrorKind::invalid);
    }
}

TEST(HttpDate, fixed_form_only) {
    ASSERT_TRUE(from_http_date("Mon, 23 Nov 2026 12:00:00 GMT"));
    EXPECT_EQ(to_rfc3339(*from_http_date("Mon, 23 Nov 2026 12:00:00 GMT")), "2026-11-23T12:00:00Z");
    for (const auto* text :
         {"", "Monday, 23-Nov-26 12:00:00 GMT", "Mon Nov 23 12:00:00 2026", "Mon, 23 Nov 2026 12:00:00 UTC",
          "Mon, 23 Xxx 2026 12:00:00 GMT", "Mon, 23 anF 2026 12:00:00 GMT", "Mon, 31 Nov 2026 12:00:00 GMT",
          "Mon, 23 Nov 2026 25:00:00 GMT"})
        EXPECT_FALSE(from_http_date(text)) << text;
}

}  // namespace
}  // namespace connector
