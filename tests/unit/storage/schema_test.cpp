#include "storage/schema.hpp"

#include "storage/private_file.hpp"
#include "unit/storage/ledger_fixture.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <future>
#include <memory>

namespace connector::storage::test {
namespace {

namespace fs = std::filesystem;

mode_t mode_of(const fs::path& path) {
    struct stat facts {};
    EXPECT_EQ(::stat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777U;
}

class SchemaTest : public ::testing::Test {
protected:
    Result<Database> open() { return open_database(folder.path(), ledger_layout()); }
    Folder folder;
};

TEST_F(SchemaTest, FileIsMadePrivateAndWellBehaved) {
    const auto old_mask = ::umask(0);
    auto database = open();
    ::umask(old_mask);
    ASSERT_TRUE(database) << database.error().message;
    ASSERT_TRUE(database->execute("DELETE FROM pin"));
    for (const auto* suffix : {"", "-wal", "-shm"}) EXPECT_EQ(mode_of(folder.database() + suffix), 0600U) << suffix;
    EXPECT_EQ(*database->text("PRAGMA journal_mode"), "wal");
    EXPECT_EQ(*database->number("PRAGMA synchronous"), 2);
    EXPECT_EQ(*database->number("PRAGMA secure_delete"), 1);
    EXPECT_EQ(*database->number("PRAGMA foreign_keys"), 1);
    EXPECT_EQ(*database->number("PRAGMA trusted_schema"), 0);
    EXPECT_EQ(*database->number("PRAGMA cell_size_check"), 1);
    EXPECT_EQ(*database->number("PRAGMA application_id"), 0x50465843);
    EXPECT_EQ(*database->number("PRAGMA user_version"), static_cast<std::int64_t>(ledger_migrations().size()));
    EXPECT_EQ(*quick_check(*database), "");
}

TEST_F(SchemaTest, MissingFolderIsMadePrivate) {
    const auto state = folder.path() / "state";
    const auto old_mask = ::umask(0);
    ASSERT_TRUE(open_database(state, ledger_layout()));
    ::umask(old_mask);
    EXPECT_EQ(mode_of(state), 0700U);
}

TEST_F(SchemaTest, LooseModesAreRefusedWithTheRemedy) {
    ASSERT_TRUE(open());
    fs::permissions(folder.path(), fs::perms(0750));
    auto error = open().error();
    EXPECT_EQ(error.kind, ErrorKind::misconfigured);
    EXPECT_EQ(error.code, "stateExposed");
    EXPECT_EQ(error.message,
              folder.path().string() + ": mode 0750 lets others in; run: chmod 0700 " + folder.path().string());
    EXPECT_EQ(InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon).error().code, "stateExposed");

    fs::permissions(folder.path(), fs::perms(0700));
    fs::permissions(folder.database(), fs::perms(0640));
    error = open().error();
    EXPECT_EQ(error.kind, ErrorKind::misconfigured);
    EXPECT_EQ(error.message, folder.database() + ": mode 0640 lets others in; run: chmod 0600 " + folder.database());
    fs::permissions(folder.database(), fs::perms(0600));
    EXPECT_TRUE(open());
    std::ofstream(folder.database() + "-wal").close();
    fs::permissions(folder.database() + "-wal", fs::perms(0644));
    EXPECT_EQ(open().error().code, "stateExposed");
}

TEST_F(SchemaTest, ForeignOwnersAreRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to give files away";
    ASSERT_TRUE(open());
    ASSERT_EQ(::chown(folder.database().c_str(), 12345, 12345), 0);
    EXPECT_EQ(open().error().code, "stateExposed");
    // Root works in a service's folder, and what it makes there is the service's.
    ASSERT_EQ(::chown(folder.path().c_str(), 12345, 12345), 0);
    EXPECT_TRUE(open());
    ASSERT_TRUE(private_file(folder.path() / "new"));
    struct stat facts {};
    ASSERT_EQ(::stat((folder.path() / "new").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_uid, 12345U);
    // Another user does not.
    const auto child = ::fork();
    if (child == 0) {
        if (::setuid(23456) != 0) ::_exit(2);
        const auto refused = private_directory(folder.path());
        ::_exit(!refused && refused.error().code == "stateExposed" ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(SchemaTest, LinkInPlaceOfTheFileIsRefused) {
    ASSERT_TRUE(open());
    fs::rename(folder.database(), folder.path() / "elsewhere");
    fs::create_symlink(folder.path() / "elsewhere", folder.database());
    EXPECT_EQ(open().error().code, "stateExposed");
}

TEST_F(SchemaTest, NewerSchemaIsRefused) {
    ASSERT_TRUE(open());
    Raw(folder.database()).execute("PRAGMA user_version=99");
    const auto error = open().error();
    EXPECT_EQ(error.kind, ErrorKind::misconfigured);
    EXPECT_EQ(error.code, "newerSchema");
    EXPECT_NE(error.message.find("schema 99"), std::string::npos) << error.message;
    EXPECT_EQ(Raw(folder.database()).one("PRAGMA user_version"), "99");
}

TEST_F(SchemaTest, AnotherProgramsFileIsRefused) {
    ASSERT_TRUE(private_file(folder.database()));
    Raw(folder.database()).execute("CREATE TABLE moz_places(id)");
    EXPECT_EQ(open().error().code, "notOurDatabase");
}

TEST_F(SchemaTest, DamagedFileIsIntegrity) {
    std::ofstream(folder.database()) << std::string(8192, 'x');
    fs::permissions(folder.database(), fs::perms(0600));
    EXPECT_EQ(open().error().kind, ErrorKind::integrity);
}

TEST_F(SchemaTest, MigrationsAreWholeOrNotAtAll) {
    constexpr std::array<std::string_view, 1> k_first{"CREATE TABLE a(x) STRICT_NOT;"};
    constexpr std::array<std::string_view, 1> k_good{"CREATE TABLE a(x);"};
    constexpr std::array<std::string_view, 2> k_broken{"CREATE TABLE a(x);", "CREATE TABLE b(x); CREATE TABLE a(x);"};
    constexpr std::array<std::string_view, 2> k_mended{"CREATE TABLE a(x);", "CREATE TABLE b(x);"};
    const auto with = [&](std::span<const std::string_view> steps) {
        return open_database(folder.path(), {"small.db", 77, steps});
    };
    EXPECT_FALSE(with(k_first));
    ASSERT_TRUE(with(k_good));
    const auto broken = with(k_broken);
    ASSERT_FALSE(broken);
    EXPECT_NE(broken.error().message.find("migration 2"), std::string::npos);
    auto mended = with(k_mended);
    ASSERT_TRUE(mended) << mended.error().message;
    EXPECT_EQ(*mended->number("PRAGMA user_version"), 2);
    EXPECT_EQ(with(k_good).error().code, "newerSchema");
}

TEST(InstanceLockTest, SecondInstanceIsRefusedNamingTheFirst) {
    const Folder folder;
    auto first = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
    ASSERT_TRUE(first);
    EXPECT_EQ(mode_of(folder.path() / "connector.lock"), 0600U);
    const auto second = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, ErrorKind::conflict);
    EXPECT_EQ(second.error().code, "alreadyRunning");
    EXPECT_NE(second.error().message.find("process " + std::to_string(::getpid())), std::string::npos);
    { const auto given_up = std::move(*first); }
    EXPECT_TRUE(InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon));
}

TEST(InstanceLockTest, ACommandIsWaitedFor) {
    const Folder folder;
    auto command =
        std::make_unique<Result<InstanceLock>>(InstanceLock::acquire(folder.path(), InstanceLock::Holder::command));
    ASSERT_TRUE(*command);
    auto daemon = std::async(std::launch::async, [&] {
        return InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon).has_value();
    });
    command.reset();
    EXPECT_TRUE(daemon.get());
}

TEST(InstanceLockTest, EndsWithItsProcess) {
    const Folder folder;
    const auto child = ::fork();
    if (child == 0) {
        const auto lock = InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon);
        ::_exit(lock ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(WEXITSTATUS(status), 0);
    EXPECT_TRUE(InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon));
}

}  // namespace
}  // namespace connector::storage::test
