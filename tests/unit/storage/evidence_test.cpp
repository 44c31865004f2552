// What may not go back: importers' lists and the newest time, over a reopening, a lower number, and an editor.
#include "unit/storage/ledger_fixture.hpp"

#include <algorithm>

namespace connector::storage::test {
namespace {

using request::Kind;
using request::Purpose;

trust::SignedList list(const std::string& owner, std::uint64_t sequence, std::vector<Sha256> certificates) {
    std::sort(certificates.begin(), certificates.end());
    return {owner, Purpose::smime_encryption, sequence, k_now, std::move(certificates)};
}

class Evidence : public LedgerTest {
protected:
    Result<std::vector<trust::SignedList>> lists(const std::vector<std::string>& owners = {"a@corp.example"}) {
        return ledger->signed_lists(owners, Purpose::smime_encryption);
    }
};

TEST_F(Evidence, TheHighestSequenceStaysForEachOwnerAndPurpose) {
    EXPECT_TRUE(lists()->empty());
    const auto first = list("a@corp.example", 2, {hash_of("1"), hash_of("2")});
    const auto beside = list("b@corp.example", 9, {});
    ASSERT_TRUE(ledger->keep_lists({first, beside}, k_now));
    reopen();
    EXPECT_EQ(*lists(), std::vector{first});
    ASSERT_TRUE(ledger->keep_lists({list("a@corp.example", 1, {hash_of("9")})}, k_now + 1h));
    EXPECT_EQ(*lists(), std::vector{first}) << "an older one changes nothing";
    const auto next = list("a@corp.example", 3, {hash_of("1")});
    ASSERT_TRUE(ledger->keep_lists({next}, k_now + 2h));
    EXPECT_EQ(*lists(), std::vector{next});
    EXPECT_EQ(*lists({"b@corp.example", "a@corp.example"}), (std::vector{beside, next}));
    EXPECT_TRUE(ledger->signed_lists({"a@corp.example"}, Purpose::smime_signing)->empty());
    EXPECT_TRUE(reported.empty());
}

TEST_F(Evidence, AnEditedListIsNotBelievedAndOneTakenAwayIsMissed) {
    ASSERT_TRUE(ledger->keep_lists({list("a@corp.example", 2, {hash_of("1")}), list("b@corp.example", 2, {})}, k_now));
    for (const auto* sql : {"UPDATE signed_list SET sequence=1 WHERE user_principal_name='a@corp.example'",
                            "DELETE FROM signed_list WHERE user_principal_name='a@corp.example'"}) {
        close();
        std::filesystem::copy_file(folder.database(), folder.path() / "before.db");
        reported.clear();
        edit(sql);
        const auto read = lists();
        ASSERT_FALSE(read) << sql;
        EXPECT_EQ(read.error().kind, ErrorKind::integrity) << sql;
        EXPECT_FALSE(lists({"c@corp.example"})) << sql << ": nor is anybody else's absence";
        EXPECT_FALSE(ledger->keep_lists({list("a@corp.example", 1, {})}, k_now)) << sql;
        EXPECT_FALSE(reported.empty()) << sql;
        ASSERT_TRUE(ledger->accept_as_found()) << sql;
        EXPECT_TRUE(lists()) << sql << ": a person has looked";
        close();
        for (const auto* suffix : {"-wal", "-shm"}) std::filesystem::remove(folder.database() + suffix);
        std::filesystem::remove(folder.database());
        std::filesystem::rename(folder.path() / "before.db", folder.database());
        open();
    }
}

TEST_F(Evidence, TheNewestTimeDoesNotGoBackButByAPersonsWord) {
    EXPECT_EQ(*ledger->newest_time(), UtcTime{});
    ASSERT_TRUE(ledger->note_time(k_now));
    ASSERT_TRUE(ledger->note_time(k_now - 24h));
    reopen();
    EXPECT_EQ(*ledger->newest_time(), k_now);
    ASSERT_TRUE(ledger->accept_time(k_now - 24h));
    reopen();
    EXPECT_EQ(*ledger->newest_time(), k_now - 24h);
    for (const auto* sql : {"UPDATE high_water SET newest_time=0", "DELETE FROM high_water"}) {
        edit(sql);
        EXPECT_EQ(ledger->newest_time().error().kind, ErrorKind::integrity) << sql;
        EXPECT_TRUE(was_reported("high_water")) << sql;
        ASSERT_TRUE(ledger->accept_as_found()) << sql;
        EXPECT_TRUE(ledger->newest_time()) << sql;
    }
}

TEST_F(Evidence, WhatIsStoppedForTheClockIsNotThawedByHandAndEndsWithARightClock) {
    ASSERT_TRUE(ledger->note_time(k_now));
    ASSERT_TRUE(ledger->stop_for_clock("behind", k_now - 48h));
    ASSERT_EQ(ledger->stops()->size(), request::kinds_by_time().size());
    ASSERT_TRUE(ledger->freeze({{Kind::pfx_deliver, request::StopCause::frozen, "", "root", "why", k_now}}));
    reopen();
    EXPECT_EQ(ledger->thaw(request::all_kinds(), k_now)->size(), 1U) << "the freeze alone";
    EXPECT_EQ(ledger->stops()->size(), request::kinds_by_time().size());
    ASSERT_TRUE(ledger->note_time(k_now + 1s));
    EXPECT_TRUE(ledger->stops()->empty());
    ASSERT_TRUE(ledger->stop_for_clock("behind", k_now - 48h));
    ASSERT_TRUE(ledger->accept_time(k_now - 48h));
    reopen();
    EXPECT_TRUE(ledger->stops()->empty());
    EXPECT_TRUE(reported.empty());
}

}  // namespace
}  // namespace connector::storage::test
