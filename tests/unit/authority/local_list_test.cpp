#include "storage/sqlite.hpp"
#include "unit/authority/local_fixture.hpp"

#include <algorithm>
#include <mutex>
#include <thread>

namespace connector::authority::test {
namespace {

using namespace std::chrono_literals;

class LocalListTest : public LocalCaTest {
protected:
    crypto::CrlFacts list() {
        const std::string text = folder_.read("ca/ca.crl");
        return must(crypto::inspect_crl(bytes_of(text), made_.issuing.der));
    }
    ports::RevocationList look(LocalAuthority& authority) {
        const auto kept = must(wait(authority.upkeep()));
        EXPECT_TRUE(kept.revocation_list);
        return *kept.revocation_list;
    }
    // As an older backup has it.
    void set_number(int number) {
        auto database = must(storage::Database::open(directory() / "ca.db"));
        EXPECT_TRUE(database.execute("UPDATE crl SET number = " + std::to_string(number)));
    }
};

TEST_F(LocalListTest, one_is_made_at_start_and_again_when_half_of_its_time_is_over) {
    const auto authority = open();
    const auto first = look(*authority);
    EXPECT_TRUE(first.renewed);
    EXPECT_FALSE(first.fault);
    EXPECT_EQ(first.number, 1U);
    EXPECT_EQ(first.next_update, k_now + std::chrono::days(7));
    EXPECT_EQ(list().number, "01");

    clock_.now = k_now + std::chrono::days(3);
    const auto same = look(*authority);
    EXPECT_FALSE(same.renewed);
    EXPECT_EQ(same.number, 1U);
    EXPECT_EQ(same.next_update, k_now + std::chrono::days(7));

    clock_.now = k_now + std::chrono::days(3) + 12h;
    const auto next = look(*authority);
    EXPECT_TRUE(next.renewed);
    EXPECT_EQ(next.number, 2U);
    EXPECT_EQ(list().next_update, clock_.now + std::chrono::days(7));

    clock_.now += std::chrono::days(100);
    EXPECT_EQ(look(*authority).number, 3U) << "long ended";
}

TEST_F(LocalListTest, its_life_is_the_operators) {
    auto wanted = settings();
    wanted.list.life = std::chrono::days(30);
    const auto authority = must(open(std::move(wanted)));
    EXPECT_EQ(look(*authority).next_update, k_now + std::chrono::days(30));
    clock_.now = k_now + std::chrono::days(14);
    EXPECT_FALSE(look(*authority).renewed);
    clock_.now = k_now + std::chrono::days(15);
    EXPECT_TRUE(look(*authority).renewed);
}

TEST_F(LocalListTest, one_from_a_clock_that_was_ahead_is_replaced) {
    const auto authority = open();
    clock_.now = k_now + std::chrono::days(1000);
    EXPECT_EQ(look(*authority).number, 1U);
    clock_.now = k_now;
    const auto mended = look(*authority);
    EXPECT_TRUE(mended.renewed);
    EXPECT_EQ(mended.number, 2U);
    EXPECT_LE(list().this_update, k_now);
}

TEST_F(LocalListTest, what_is_no_list_of_ours_is_replaced) {
    const auto authority = open();
    EXPECT_EQ(look(*authority).number, 1U);
    folder_.write("ca/ca.crl", "something else");
    EXPECT_EQ(look(*authority).number, 2U);
    const auto other = must(crypto::make_crl(crypto::test::pki().root.certificate, crypto::test::pki().root.key, {}, 99,
                                             k_now, k_now + std::chrono::days(300)));
    folder_.write("ca/ca.crl", std::string(other.begin(), other.end()));
    EXPECT_EQ(look(*authority).number, 3U) << "a foreign number says nothing";
}

TEST_F(LocalListTest, numbers_only_grow_also_with_an_older_database) {
    const auto authority = open();
    for (const std::uint64_t number : {1U, 2U, 3U})
        EXPECT_EQ(must(make_local_crl(directory(), std::nullopt, {}, k_now)).number, number);
    set_number(1);
    EXPECT_EQ(look(*authority).number, 4U) << "the list that lies there is newer than what the database knows";
    set_number(9);
    EXPECT_EQ(look(*authority).number, 10U) << "and here it is older";
    EXPECT_FALSE(look(*authority).renewed);
}

TEST_F(LocalListTest, a_revocation_that_did_not_come_into_the_list_is_made_up_for) {
    const auto authority = open();
    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"))));
    EXPECT_EQ(look(*authority).number, 1U);
    // The end came between the database and the file.
    auto store = must(LocalStore::open(directory() / "ca.db"));
    EXPECT_FALSE(must(store->revoke(leaf.serial_number, crypto::RevocationReason::key_compromise, k_now)));
    const auto kept = look(*authority);
    EXPECT_TRUE(kept.renewed);
    EXPECT_EQ(kept.entries, 1U);
    ASSERT_EQ(list().entries.size(), 1U);
    EXPECT_EQ(to_hex(list().entries[0].serial), leaf.serial_number);
}

TEST_F(LocalListTest, the_published_copy_is_the_same_and_is_mended) {
    auto wanted = settings();
    wanted.list.published = folder_.path() / "www.crl";
    const auto authority = must(open(std::move(wanted)));
    EXPECT_TRUE(look(*authority).renewed);
    EXPECT_EQ(folder_.read("www.crl"), folder_.read("ca/ca.crl"));
    std::filesystem::remove(folder_.path() / "www.crl");
    const auto again = look(*authority);
    EXPECT_FALSE(again.renewed);
    EXPECT_FALSE(again.fault);
    EXPECT_EQ(folder_.read("www.crl"), folder_.read("ca/ca.crl"));

    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"))));
    EXPECT_TRUE(wait(authority->revoke({to_text(leaf.issuer), leaf.serial_number, {}, "superseded"})));
    EXPECT_EQ(folder_.read("www.crl"), folder_.read("ca/ca.crl")) << "a revocation is published at once";
}

TEST_F(LocalListTest, a_copy_that_cannot_be_written_is_told_and_keeps_nobody_from_revoking) {
    auto wanted = settings();
    wanted.list.published = folder_.path() / "nowhere" / "www.crl";
    const auto authority = must(open(std::move(wanted)));
    const auto leaf = facts_of(issue(*authority, submission(mail_content("alice@corp.example"))));
    EXPECT_TRUE(wait(authority->revoke({to_text(leaf.issuer), leaf.serial_number, {}, "superseded"})));
    EXPECT_EQ(list().entries.size(), 1U);
    const auto kept = look(*authority);
    EXPECT_FALSE(kept.renewed);
    ASSERT_TRUE(kept.fault);
    EXPECT_NE(kept.fault->message.find("nowhere"), std::string::npos) << kept.fault->message;
    EXPECT_TRUE(kept.next_update) << "the list itself is there";
}

TEST_F(LocalListTest, a_list_that_cannot_be_written_is_a_fault_with_the_end_of_the_old_one) {
    const auto authority = open();
    EXPECT_TRUE(look(*authority).renewed);
    std::filesystem::remove(directory() / "ca.crl");
    std::filesystem::create_directory(directory() / "ca.crl");
    const auto failed = look(*authority);
    EXPECT_FALSE(failed.renewed);
    EXPECT_TRUE(failed.fault);
    EXPECT_FALSE(failed.next_update);
    std::filesystem::remove(directory() / "ca.crl");
    EXPECT_EQ(look(*authority).number, 2U) << "a number that was not written was not given";
}

TEST_F(LocalListTest, several_who_write_at_once_never_give_a_number_twice) {
    const auto authority = open();
    constexpr int k_each = 8;
    std::mutex mutex;
    std::vector<std::uint64_t> numbers;
    const auto work = [&] {
        for (int i = 0; i < k_each; ++i) {
            const auto made = make_local_crl(directory(), std::nullopt, {}, k_now);
            const std::lock_guard lock(mutex);
            ASSERT_TRUE(made) << made.error().message;
            numbers.push_back(made->number);
        }
    };
    std::thread one(work);
    std::thread two(work);
    one.join();
    two.join();
    std::sort(numbers.begin(), numbers.end());
    ASSERT_EQ(numbers.size(), 2U * k_each);
    EXPECT_EQ(std::adjacent_find(numbers.begin(), numbers.end()), numbers.end());
    EXPECT_EQ(list().number, to_hex(Bytes{static_cast<std::uint8_t>(numbers.back())})) << "the last one lies there";
}

}  // namespace
}  // namespace connector::authority::test
