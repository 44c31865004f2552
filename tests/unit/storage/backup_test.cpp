#include "storage/backup.hpp"

#include "storage/schema.hpp"
#include "tests/unit/storage/ledger_fixture.hpp"

#include <sys/stat.h>

#include <fstream>

namespace connector::storage {
namespace {

using namespace test;

class BackupTest : public LedgerTest {
protected:
    [[nodiscard]] std::filesystem::path copy() const { return copies.path() / "copy.db"; }
    Folder copies;
};

TEST_F(BackupTest, IsTakenWhileTheLedgerIsOpenAndHoldsWhatWasSaved) {
    accepted("a");
    ASSERT_TRUE(back_up(folder.path(), copy()));
    accepted("b");
    struct stat facts {};
    ASSERT_EQ(::stat(copy().c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);

    close();
    std::filesystem::remove(folder.database() + "-wal");
    std::filesystem::copy_file(copy(), folder.database(), std::filesystem::copy_options::overwrite_existing);
    open();
    EXPECT_EQ(record("a").stage, request::Stage::accepted);
    EXPECT_FALSE(*ledger->get(*RequestId::parse("b")));
    EXPECT_TRUE(reported.empty()) << "every check value is still sound";
}

TEST_F(BackupTest, WritesOverNothing) {
    std::ofstream(copy()) << "precious";
    EXPECT_EQ(back_up(folder.path(), copy()).error().kind, ErrorKind::conflict);
    std::string kept;
    std::ifstream(copy()) >> kept;
    EXPECT_EQ(kept, "precious");
}

TEST_F(BackupTest, OfADamagedFileLeavesNothingBehind) {
    for (int i = 0; i < 60; ++i) accepted("r" + std::to_string(i));
    close();
    std::fstream file(folder.database(), std::ios::in | std::ios::out | std::ios::binary);
    for (int page = 3; page < 12; ++page) {
        file.seekp(page * 4096);
        file << std::string(4096, '\x5A');
    }
    file.close();
    EXPECT_FALSE(back_up(folder.path(), copy()));
    EXPECT_FALSE(std::filesystem::exists(copy()));
}

TEST_F(BackupTest, AFileThatWasCutOffIsRefusedAtOnce) {
    for (int i = 0; i < 60; ++i) accepted("r" + std::to_string(i));
    close();
    std::filesystem::resize_file(folder.database(), std::filesystem::file_size(folder.database()) - 100);
    const auto cut = open_database(folder.path(), ledger_layout());
    ASSERT_FALSE(cut);
    EXPECT_EQ(cut.error().kind, ErrorKind::integrity);
    EXPECT_NE(cut.error().message.find("cut off"), std::string::npos) << cut.error().message;
}

TEST_F(BackupTest, AnUncleanEndIsSeen) {
    EXPECT_FALSE(ledger->ended_unclean());
    accepted("a");
    EXPECT_TRUE(ended_unclean(folder.path(), ledger_layout())) << "as a killed process leaves it";
    reopen();
    EXPECT_FALSE(ledger->ended_unclean()) << "closed in order";
}

}  // namespace
}  // namespace connector::storage
