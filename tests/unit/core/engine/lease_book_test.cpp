#include "core/engine/lease_book.hpp"

#include <gtest/gtest.h>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

LeaseId lease(const char* id) {
    return *LeaseId::parse(id);
}
RequestId of(const char* id) {
    return *RequestId::parse(id);
}
request::Lease listed(const char* id) {
    return {lease(id), UtcTime{}, 1};
}
const Tick k_start{1h};

TEST(LeaseBook, RenewsWhenAThirdIsLeft) {
    LeaseBook book;
    book.note(lease("l"), of("r"), k_start + 300s, k_start);
    EXPECT_TRUE(book.due(k_start + 199s, 10).empty());
    ASSERT_EQ(book.due(k_start + 200s, 10).size(), 1U);
    EXPECT_EQ(book.due(k_start + 200s, 10).front().second, of("r"));
}

TEST(LeaseBook, AShortLeaseIsRenewedTenSecondsBeforeItsEnd) {
    LeaseBook book;
    book.note(lease("l"), of("r"), k_start + 12s, k_start);
    EXPECT_TRUE(book.due(k_start + 1s, 10).empty());
    EXPECT_EQ(book.due(k_start + 2s, 10).size(), 1U);
}

TEST(LeaseBook, ALeaseOfAnEarlierLifeIsDueAtOnce) {
    LeaseBook book;
    book.compare({{of("r"), listed("l")}}, k_start);
    EXPECT_EQ(book.due(k_start, 10).size(), 1U);
}

TEST(LeaseBook, TheFirstToEndComesFirst) {
    LeaseBook book;
    book.note(lease("late"), of("b"), k_start + 9s, k_start);
    book.note(lease("soon"), of("a"), k_start + 3s, k_start);
    const auto due = book.due(k_start, 1);
    ASSERT_EQ(due.size(), 1U);
    EXPECT_EQ(due.front().first, lease("soon"));
}

TEST(LeaseBook, ForgetsWhatIsClosedButNotWhatCameAfterTheQuestion) {
    LeaseBook book;
    book.note(lease("closed"), of("a"), k_start + 1s, k_start);
    book.note(lease("new"), of("b"), k_start + 6s, k_start + 5s);
    book.compare({}, k_start + 5s);
    ASSERT_EQ(book.size(), 1U);
    EXPECT_EQ(book.due(k_start + 5s, 10).front().first, lease("new"));
}

}  // namespace
}  // namespace connector::engine
