#include "core/error.hpp"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <string>

namespace connector {
namespace {

TEST(Error, every_kind_has_a_word_of_its_own) {
    std::set<std::string_view> words;
    for (const auto kind : {ErrorKind::invalid, ErrorKind::refused, ErrorKind::unauthorized, ErrorKind::misconfigured,
                            ErrorKind::throttled, ErrorKind::unavailable, ErrorKind::timed_out, ErrorKind::unknown,
                            ErrorKind::cancelled, ErrorKind::integrity, ErrorKind::conflict, ErrorKind::internal})
        words.insert(to_string(kind));
    EXPECT_EQ(words.size(), 12U);
    EXPECT_EQ(to_string(ErrorKind::timed_out), "timedOut");
}

TEST(Error, says_where_it_happened_and_keeps_the_rest) {
    Error error(ErrorKind::throttled, "limitReached", "too much");
    error.retry_after = std::chrono::seconds{30};
    const Error led = error.in("/profile/subject");
    EXPECT_EQ(led.message, "/profile/subject: too much");
    EXPECT_EQ(led.kind, ErrorKind::throttled);
    EXPECT_EQ(led.code, "limitReached");
    EXPECT_EQ(led.retry_after, std::chrono::seconds{30});
}

TEST(Error, taking_a_value_that_is_not_there_throws_with_code_and_message) {
    const Result<int> failed = Error(ErrorKind::invalid, "invalidRequest", "no number");
    try {
        (void)failed.value();
        FAIL() << "no exception";
    } catch (const std::runtime_error& error) {
        EXPECT_STREQ(error.what(), "invalidRequest: no number");
    }
}

}  // namespace
}  // namespace connector
