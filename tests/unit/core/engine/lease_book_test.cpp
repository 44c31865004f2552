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
const Tick k_begin{1h};

TEST(LeaseBook, RenewsWhenAThirdIsLeft) {
    LeaseBook book;
    book.note(lease("l"), of("r"), k_begin + 300s, k_begin);
    EXPECT_TRUE(book.due(k_begin + 199s, 10).empty());
    ASSERT_EQ(book.due(k_begin + 200s, 10).size(), 1U);
    EXPECT_EQ(book.due(k_begin + 200s, 10).front().second, of("r"));
}

TEST(LeaseBook, AShortLeaseIsRenewedTenSecondsBeforeItsEnd) {
    LeaseBook book;
    book.note(lease("l"), of("r"), k_begin + 12s, k_begin);
    EXPECT_TRUE(book.due(k_begin + 1s, 10).empty());
    EXPECT_EQ(book.due(k_begin + 2s, 10).size(), 1U);
}

TEST(LeaseBook, ALeaseOfAnEarlierLifeIsDueAtOnce) {
    LeaseBook book;
    book.compare({{of("r"), listed("l")}}, k_begin);
    EXPECT_EQ(book.due(k_begin, 10).size(), 1U);
}

TEST(LeaseBook, TheLastMomentIsFiveSecondsBeforeTheNextEnd) {
    LeaseBook book;
    EXPECT_EQ(book.last_moment(k_begin), std::nullopt);
    book.note(lease("soon"), of("a"), k_begin + 30s, k_begin);
    book.note(lease("late"), of("b"), k_begin + 60s, k_begin);
    EXPECT_EQ(book.last_moment(k_begin), k_begin + 25s);
    EXPECT_EQ(book.last_moment(k_begin + 25s), k_begin + 55s) << "the first was tried at that moment";
    EXPECT_EQ(book.last_moment(k_begin + 55s), std::nullopt);
}

TEST(LeaseBook, AnUnknownEndDoesNotWaitLong) {
    LeaseBook book;
    book.compare({{of("r"), listed("l")}}, k_begin);
    EXPECT_EQ(book.last_moment(k_begin + 1h), k_begin + 1h + 10s);
}

TEST(LeaseBook, TheFirstToEndComesFirst) {
    LeaseBook book;
    book.note(lease("late"), of("b"), k_begin + 9s, k_begin);
    book.note(lease("soon"), of("a"), k_begin + 3s, k_begin);
    const auto due = book.due(k_begin, 1);
    ASSERT_EQ(due.size(), 1U);
    EXPECT_EQ(due.front().first, lease("soon"));
}

TEST(LeaseBook, ForgetsWhatIsClosedButNotWhatCameAfterTheQuestion) {
    LeaseBook book;
    book.note(lease("closed"), of("a"), k_begin + 1s, k_begin);
    book.note(lease("new"), of("b"), k_begin + 6s, k_begin + 5s);
    book.compare({}, k_begin + 5s);
    ASSERT_EQ(book.size(), 1U);
    EXPECT_EQ(book.due(k_begin + 5s, 10).front().first, lease("new"));
}

}  // namespace
}  // namespace connector::engine
