#include "storage/inspect.hpp"

#include "unit/storage/ledger_fixture.hpp"

#include <unistd.h>

#include <fstream>
#include <set>

namespace connector::storage::test {
namespace {

namespace fs = std::filesystem;

class InspectTest : public ::testing::Test {
protected:
    // A ledger in which something is stored, still open.
    std::unique_ptr<SqliteLedger> stored(const InstanceLock& lock) {
        auto ledger = SqliteLedger::open(lock, sealer, {});
        EXPECT_TRUE(ledger);
        EXPECT_TRUE((*ledger)->block({trust::BlockedThing::device, "d-1", "test", k_now}));
        return std::move(*ledger);
    }
    [[nodiscard]] std::set<std::string> names() const {
        std::set<std::string> found;
        for (const auto& each : fs::directory_iterator(folder.path())) found.insert(each.path().filename());
        return found;
    }
    Folder folder;
    TestSealer sealer{1};
    TestSealer other{2};
};

TEST_F(InspectTest, BesideWhoeverHasItOpenAndAfterwards) {
    {
        auto lock = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
        ASSERT_TRUE(lock);
        const auto ledger = stored(*lock);
        const auto facts = inspect_ledger(folder.path(), &sealer, true);
        ASSERT_TRUE(facts) << facts.error().message;
        EXPECT_TRUE(facts->ours);
        EXPECT_EQ(facts->schema, facts->known_schema);
        EXPECT_EQ(facts->findings, "");
        EXPECT_EQ(facts->key, KeyFits::yes);
        // It went on writing.
        EXPECT_TRUE(ledger->block({trust::BlockedThing::device, "d-2", "test", k_now}));
        EXPECT_EQ(inspect_ledger(folder.path(), &other, true)->key, KeyFits::no);
        EXPECT_EQ(inspect_ledger(folder.path(), nullptr, true)->key, KeyFits::unknown);
    }
    const auto before = names();
    const auto facts = inspect_ledger(folder.path(), &sealer, false);
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(facts->key, KeyFits::yes);
    EXPECT_EQ(names(), before);
    EXPECT_EQ(Raw(folder.database()).one("SELECT count(*) FROM quarantine"), "0");
}

TEST_F(InspectTest, WhatWasNotCheckpointedIsSeen) {
    Folder crashed;
    {
        auto lock = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
        ASSERT_TRUE(lock);
        const auto ledger = stored(*lock);
        // As a power cut leaves it: the database and a log beside it.
        for (const auto* suffix : {"", "-wal"}) fs::copy_file(folder.database() + suffix, crashed.database() + suffix);
    }
    ASSERT_GT(fs::file_size(crashed.database() + "-wal"), 0U);
    const auto facts = inspect_ledger(crashed.path(), &sealer, false);
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(facts->key, KeyFits::yes);
}

TEST_F(InspectTest, OtherFiles) {
    EXPECT_FALSE(inspect_ledger(folder.path(), &sealer, false));
    std::ofstream(folder.database()) << std::string(8192, 'x');
    const auto garbage = inspect_ledger(folder.path(), &sealer, false);
    ASSERT_FALSE(garbage);
    EXPECT_EQ(garbage.error().kind, ErrorKind::integrity);
    fs::remove(folder.database());
    Raw(folder.database()).execute("PRAGMA application_id=7; CREATE TABLE t(x)");
    const auto foreign = inspect_ledger(folder.path(), &sealer, false);
    ASSERT_TRUE(foreign) << foreign.error().message;
    EXPECT_FALSE(foreign->ours);
}

TEST_F(InspectTest, NamesWithEveryCharacter) {
    const fs::path odd = folder.path() / "a b%20?c#ä";
    {
        auto lock = InstanceLock::acquire(odd, InstanceLock::Holder::daemon);
        ASSERT_TRUE(lock) << lock.error().message;
        (void)stored(*lock);
    }
    const auto facts = inspect_ledger(odd, &sealer, false);
    ASSERT_TRUE(facts) << facts.error().message;
    EXPECT_EQ(facts->key, KeyFits::yes);
}

TEST_F(InspectTest, TheHolderOfTheLockIsNamedAndNothingIsLockedForIt) {
    EXPECT_FALSE(instance_lock_holder(folder.path()));
    for (const auto manner : {InstanceLock::Holder::daemon, InstanceLock::Holder::command}) {
        auto lock = InstanceLock::acquire(folder.path(), manner);
        ASSERT_TRUE(lock);
        const auto holder = instance_lock_holder(folder.path());
        ASSERT_TRUE(holder);
        EXPECT_EQ(holder->process, ::getpid());
        EXPECT_EQ(holder->command, manner == InstanceLock::Holder::command);
    }
    EXPECT_FALSE(instance_lock_holder(folder.path())) << "the number is still in the file, the lock is not";
    EXPECT_TRUE(InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon));
}

}  // namespace
}  // namespace connector::storage::test
