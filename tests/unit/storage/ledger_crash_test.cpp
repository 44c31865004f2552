// Ends of the process and of the disk, at every place of a commit.
#include "unit/storage/ledger_fixture.hpp"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace connector::storage::test {
namespace {

using ports::Commit;
using request::Stage;

class CrashTest : public LedgerTest {
protected:
    // A group of three with all that a commit can carry.
    std::vector<Commit> group() {
        std::vector<Commit> commits;
        for (const auto* id : {"a", "b", "c"}) {
            Commit commit;
            commit.record = record(id);
            commit.record.stage = Stage::submitting;
            commit.charges = {{"issue_per_hour", "", id, 1h, 100, false}};
            commit.pin = pin_of(std::string("device-") + id);
            commit.issued = issued_of(std::string("0") + id);
            commit.generated_key = hash_of(id);
            commits.push_back(std::move(commit));
        }
        return commits;
    }
};

TEST_F(CrashTest, KilledAnywhereInACommitLeavesAllOfItOrNothing) {
    for (const auto* id : {"a", "b", "c"}) accepted(id);
    ASSERT_TRUE(ledger->count({"issue_per_hour", "", "before", 1h, 100, false}, k_now));
    const auto commits = group();
    close();
    int kills = 0;
    for (int at = 1;; ++at) {
        const auto child = ::fork();
        if (child == 0) {
            open();
            int checks = 0;
            sealer.before_check = [&] {
                if (++checks == at) ::_exit(42);
            };
            const auto answers = ledger->save_many(commits, {k_now, k_now, k_now});
            for (const auto& answer : answers) {
                if (!answer) ::_exit(1);
            }
            ::_exit(0);  // committed, and gone without a close
        }
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        ASSERT_TRUE(WIFEXITED(status));
        const bool committed = WEXITSTATUS(status) == 0;
        ASSERT_TRUE(committed || WEXITSTATUS(status) == 42);
        open();
        for (const auto* id : {"a", "b", "c"}) {
            EXPECT_EQ(record(id).stage, committed ? Stage::submitting : Stage::accepted) << at;
        }
        EXPECT_EQ(ledger->meters(k_now)->front().used, committed ? 4U : 1U);
        EXPECT_EQ(ledger->pins()->size(), committed ? 3U : 0U);
        EXPECT_EQ(ledger->issued(10)->size(), committed ? 3U : 0U);
        EXPECT_EQ(*ledger->quick_check(), "");
        EXPECT_TRUE(reported.empty());
        close();
        if (committed) break;
        ++kills;
    }
    EXPECT_GE(kills, 12);
}

// The file size limit of this process stands in for a full disk; SIGXFSZ has to be ignored for it to be an error.
class FullDisk {
public:
    explicit FullDisk(std::uintmax_t octets) {
        old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &old_);
        const rlimit limit{octets, old_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;
    ~FullDisk() {
        ::setrlimit(RLIMIT_FSIZE, &old_);
        std::signal(SIGXFSZ, old_handler_);
    }

private:
    rlimit old_{};
    void (*old_handler_)(int) = nullptr;
};

TEST_F(CrashTest, FullDiskIsUnavailableAndLosesNothing) {
    accepted("before");
    ASSERT_TRUE(ledger->count({"issue_per_hour", "", "before", 1h, 100, false}, k_now));
    std::vector<std::string> kept;
    std::string lost;
    {
        const FullDisk disk(std::filesystem::file_size(folder.database() + "-wal") + 300'000);
        for (int i = 0; i < 1000 && lost.empty(); ++i) {
            const auto id = "r" + std::to_string(i);
            auto order = leased(id);
            order.request.device.recipient_certificate = Bytes(20'000, 1);
            const auto answer = ledger->accept({order}, k_now);
            if (answer) {
                kept.push_back(id);
                continue;
            }
            lost = id;
            EXPECT_EQ(answer.error().kind, ErrorKind::unavailable) << answer.error().message;
        }
        ASSERT_FALSE(lost.empty());
        ASSERT_FALSE(kept.empty());
        Commit commit;
        commit.record = record("before");
        commit.record.sealed_package = Bytes(400'000, 2);
        commit.charges = {{"issue_per_hour", "", "x", 1h, 100, false}};
        const auto answers = ledger->save_many({commit, commit}, {k_now, k_now});
        ASSERT_EQ(answers.size(), 2U);
        for (const auto& answer : answers) {
            ASSERT_FALSE(answer);
            EXPECT_EQ(answer.error().kind, ErrorKind::unavailable) << answer.error().message;
        }
        EXPECT_TRUE(ledger->get(*RequestId::parse("before"))) << "reading goes on";
    }
    // Room again, without a restart.
    EXPECT_EQ(ledger->meters(k_now)->front().used, 1U);
    EXPECT_TRUE(ledger->accept({leased(lost)}, k_now));
    Commit commit;
    commit.record = record("before");
    commit.charges = {{"issue_per_hour", "", "x", 1h, 100, false}};
    EXPECT_TRUE(ledger->save(commit, k_now));
    reopen();
    for (const auto& id : kept) EXPECT_EQ(record(id).request.device.recipient_certificate.size(), 20'000U);
    EXPECT_EQ(record(lost).stage, Stage::accepted);
    EXPECT_EQ(ledger->meters(k_now)->front().used, 2U);
    EXPECT_EQ(*ledger->quick_check(), "");
    EXPECT_TRUE(reported.empty());
}

}  // namespace
}  // namespace connector::storage::test
