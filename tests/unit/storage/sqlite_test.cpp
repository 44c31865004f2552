#include "storage/sqlite.hpp"

#include "unit/storage/ledger_fixture.hpp"

#include <fstream>

namespace connector::storage::test {
namespace {

class SqliteTest : public ::testing::Test {
protected:
    SqliteTest() : database(make()) {}
    Database make() {
        std::ofstream(folder.database()).close();
        auto opened = Database::open(folder.database());
        EXPECT_TRUE(opened);
        EXPECT_TRUE(opened->execute("CREATE TABLE t (a INTEGER, b TEXT, c BLOB, d TEXT NOT NULL DEFAULT '') STRICT"));
        return std::move(*opened);
    }
    std::int64_t rows() { return *database.number("SELECT count(*) FROM t"); }

    Folder folder;
    Database database;
};

TEST_F(SqliteTest, ValuesComeBackAsTheyWentIn) {
    const Values values{std::int64_t{-7}, std::string("a\0b", 3), Bytes{0, 1, 255}};
    {
        auto insert = database.prepare("INSERT INTO t(a,b,c) VALUES(?,?,?)");
        ASSERT_TRUE(insert);
        EXPECT_TRUE(insert->bind_all(values).run());
    }
    auto select = database.prepare("SELECT a,b,c FROM t");
    ASSERT_TRUE(select);
    EXPECT_TRUE(*select->step());
    EXPECT_EQ(select->values(), values);
    EXPECT_FALSE(*select->step());
}

TEST_F(SqliteTest, EmptyIsNotNull) {
    auto insert = database.prepare("INSERT INTO t(b,c) VALUES(?,?)");
    EXPECT_TRUE(insert->bind(1, std::string_view()).bind(2, ByteView()).run());
    EXPECT_EQ(*database.text("SELECT typeof(b) || typeof(c) FROM t"), "textblob");
}

TEST_F(SqliteTest, StatementIsUsableWithinItsOwnLoop) {
    ASSERT_TRUE(database.execute("INSERT INTO t(a) VALUES(1),(2)"));
    constexpr auto k_sql = "SELECT a FROM t ORDER BY a";
    auto outer = database.prepare(k_sql);
    ASSERT_TRUE(*outer->step());
    {
        auto inner = database.prepare(k_sql);
        ASSERT_TRUE(*inner->step());
        EXPECT_EQ(inner->integer(0), 1);
    }
    ASSERT_TRUE(*outer->step());
    EXPECT_EQ(outer->integer(0), 2);
}

TEST_F(SqliteTest, TransactionIsUndoneUnlessCommitted) {
    {
        auto transaction = Transaction::begin(database);
        ASSERT_TRUE(transaction);
        ASSERT_TRUE(database.execute("INSERT INTO t(a) VALUES(1)"));
    }
    EXPECT_EQ(rows(), 0);
    {
        auto transaction = Transaction::begin(database);
        ASSERT_TRUE(database.execute("INSERT INTO t(a) VALUES(1)"));
        {
            auto part = Savepoint::begin(database);
            ASSERT_TRUE(database.execute("INSERT INTO t(a) VALUES(2)"));
        }
        ASSERT_TRUE(transaction->commit());
    }
    EXPECT_EQ(rows(), 1);
    EXPECT_FALSE(database.in_transaction());
}

TEST_F(SqliteTest, ErrorsHaveTheirKinds) {
    EXPECT_EQ(database.execute("INSERT INTO t(d) VALUES(NULL)").error().kind, ErrorKind::internal);
    EXPECT_EQ(database.prepare("SELECT nothing").error().kind, ErrorKind::internal);
    EXPECT_EQ(Database::open(folder.path() / "none.db").error().kind, ErrorKind::unavailable);

    ASSERT_TRUE(database.execute("PRAGMA max_page_count=3"));
    const auto full = database.execute("INSERT INTO t(c) VALUES(zeroblob(100000))");
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().kind, ErrorKind::unavailable);
    EXPECT_EQ(full.error().code, "storageFull");

    Raw other(folder.database());
    other.execute("BEGIN IMMEDIATE");
    ASSERT_TRUE(database.execute("PRAGMA busy_timeout=1"));
    EXPECT_EQ(Transaction::begin(database).error().code, "storageBusy");
}

TEST_F(SqliteTest, NotADatabaseIsIntegrity) {
    const auto file = folder.path() / "garbage.db";
    std::ofstream(file) << std::string(4096, 'x');
    auto opened = Database::open(file);
    const auto error = opened ? opened->number("SELECT count(*) FROM sqlite_schema").error() : opened.error();
    EXPECT_EQ(error.kind, ErrorKind::integrity);
}

TEST_F(SqliteTest, PlantedTriggerDoesNotRun) {
    Raw(folder.database()).execute("CREATE TRIGGER p AFTER INSERT ON t BEGIN DELETE FROM t; END");
    ASSERT_TRUE(database.execute("INSERT INTO t(a) VALUES(1)"));
    EXPECT_EQ(rows(), 1);
}

TEST_F(SqliteTest, LinksAreNotFollowed) {
    std::filesystem::create_symlink(folder.database(), folder.path() / "link.db");
    EXPECT_FALSE(Database::open(folder.path() / "link.db"));
}

}  // namespace
}  // namespace connector::storage::test
