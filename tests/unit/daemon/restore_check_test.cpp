#include "daemon/restore_check.hpp"

#include "core/event_ids.hpp"
#include "support/test_sealer.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace connector::daemon {
namespace {

using namespace std::chrono_literals;

class RestoreCheckTest : public ::testing::Test {
protected:
    RestoreCheckTest() {
        std::string name = (std::filesystem::temp_directory_path() / "audit-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        open();
    }
    ~RestoreCheckTest() override {
        log_.reset();
        std::filesystem::remove_all(folder_);
    }
    void open() {
        AuditOptions options;
        options.file = file();
        options.now = [] { return UtcTime(1'790'000'000s); };
        options.generation = [this] { return generation_; };
        log_ = *AuditLog::open(std::move(options), sealer_, std::nullopt);
    }
    [[nodiscard]] std::filesystem::path file() const { return folder_ / "audit.log"; }
    AuditHead write(std::string_view event, const std::string& request) {
        EXPECT_TRUE(log_->append(Event(event).with("request", request)));
        return *log_->sync();
    }
    [[nodiscard]] std::string found(const AuditHead& anchor, const std::vector<std::string>& ended) const {
        return restored_since(file(), sealer_, anchor, known_generation_, [&](const RequestId& request, UtcTime) {
            return std::find(ended.begin(), ended.end(), request.text()) != ended.end();
        });
    }

    std::filesystem::path folder_;
    connector::test::TestSealer sealer_;
    std::uint64_t generation_ = 7;
    std::uint64_t known_generation_ = 7;
    std::unique_ptr<AuditLog> log_;
};

TEST_F(RestoreCheckTest, ACrashLosesNoEndThatWasTold) {
    const auto anchor = write(event::k_issue_request_done, "r-1");
    write(event::k_key_generated, "r-2");
    write(event::k_issue_request_done, "r-2");
    EXPECT_EQ(found(anchor, {"r-1", "r-2"}), "");
}

TEST_F(RestoreCheckTest, AnEndTheLedgerDoesNotKnowOfShowsARestoredCopy) {
    const auto anchor = write(event::k_issue_request_done, "r-1");
    write(event::k_key_generated, "r-2");
    write(event::k_import_request_failed, "r-2");
    EXPECT_NE(found(anchor, {"r-1"}).find("r-2"), std::string::npos);
}

// AT-57: no request ended since the copy was made, but somebody was blocked.
TEST_F(RestoreCheckTest, ALocalActThatTheLedgerIsTooOldForShowsARestoredCopy) {
    const auto anchor = write(event::k_issue_request_done, "r-1");
    write(event::k_recipient_blocked, "");
    EXPECT_EQ(found(anchor, {"r-1"}), "");
    generation_ = 8;
    write(event::k_recipient_blocked, "");
    EXPECT_NE(found(anchor, {"r-1"}).find("after commit 8 of the database; this one has had 7"), std::string::npos);
    known_generation_ = 8;
    EXPECT_EQ(found(anchor, {"r-1"}), "");
}

TEST_F(RestoreCheckTest, WhatIsDoneWhileItWaitsForAPersonDoesNotMakeACopyNew) {
    const auto anchor = write(event::k_issue_request_done, "r-1");
    generation_ = 9;
    write(event::k_recipient_blocked, "");
    generation_ = 8;  // the copy, and what is done by hand beside it
    write(event::k_storage_restored, "");
    generation_ = 10;
    write(event::k_recipient_blocked, "");
    known_generation_ = 10;
    EXPECT_NE(found(anchor, {"r-1"}).find("after commit 8 of the database, which had had 9 before"), std::string::npos);
}

TEST_F(RestoreCheckTest, WhatTheLedgersMemoryOfTheLogCoversIsNotAskedFor) {
    write(event::k_issue_request_done, "purged long ago");
    const auto anchor = write(event::k_issue_request_done, "r-1");
    EXPECT_EQ(found(anchor, {}), "");
}

TEST_F(RestoreCheckTest, OtherLinesProveNothing) {
    const auto anchor = write(event::k_issue_request_done, "r-1");
    write(event::k_control_refused, "r-2");
    write(event::k_package_wrapped, "r-3");
    EXPECT_EQ(found(anchor, {}), "");
}

TEST_F(RestoreCheckTest, NorDoesWhatSomebodyElseWrote) {
    const auto anchor = write(event::k_issue_request_done, "r-1");
    write(event::k_issue_request_done, "r-2");
    log_.reset();
    std::ifstream in(file());
    std::string text(std::istreambuf_iterator<char>(in), {});
    const auto last = text.rfind("\"link\":\"") + 8;
    text[last] = text[last] == '0' ? '1' : '0';
    std::ofstream(file(), std::ios::trunc) << text;
    EXPECT_EQ(found(anchor, {}), "");
}

TEST(KnowsEnd, OnlyWhatTheServiceHasHeardIsAnEnd) {
    using request::Stage;
    struct Row {
        Stage stage;
        bool heard;
        bool knows;
    };
    const UtcTime told(1'790'000'000s);
    for (const auto& row : {Row{Stage::closed, true, true}, Row{Stage::revoking, true, true},
                            Row{Stage::abandoned, true, true}, Row{Stage::abandoned, false, false},
                            Row{Stage::submitting, false, false}, Row{Stage::packaged, false, false}}) {
        request::RequestRecord record;
        record.stage = row.stage;
        if (row.heard) record.outcome = "accepted";
        record.accepted_at = told - 1s;
        EXPECT_EQ(knows_end(record, told), row.knows) << to_string(row.stage) << " heard " << row.heard;
        record.accepted_at = told;  // an order under the same id, taken since
        EXPECT_TRUE(knows_end(record, told));
    }
}

}  // namespace
}  // namespace connector::daemon
