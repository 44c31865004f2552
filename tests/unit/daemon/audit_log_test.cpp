#include "daemon/audit_log.hpp"

#include "core/event_ids.hpp"
#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace connector::daemon {
namespace {

// Not a MAC: enough to tell one text under one key from another.
class LabelledSealer final : public ports::Sealer {
public:
    explicit LabelledSealer(std::string key) : key_(std::move(key)) {}
    Result<Bytes> seal(ByteView, ByteView) const override { return Bytes{}; }
    Result<SecretBytes> open(ByteView, ByteView) const override { return SecretBytes(); }
    Sha256 check_value(ByteView octets) const override { return audit_link(octets); }
    Sha256 audit_link(ByteView octets) const override {
        Sha256 digest;
        for (std::size_t i = 0; i < digest.octets.size(); i += sizeof(std::size_t)) {
            const std::size_t part = std::hash<std::string>{}(key_ + std::to_string(i) + std::string(text_of(octets)));
            for (std::size_t j = 0; j < sizeof part; ++j)
                digest.octets[i + j] = static_cast<std::uint8_t>(part >> (8 * j));
        }
        return digest;
    }

private:
    std::string key_;
};

// A full disk as far as this process can make one: writes beyond the size fail.
class FileSizeLimit {
public:
    explicit FileSizeLimit(std::uintmax_t size) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        handler_ = ::signal(SIGXFSZ, SIG_IGN);
        rlimit limit = before_;
        limit.rlim_cur = size;
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileSizeLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        ::signal(SIGXFSZ, handler_);
    }
    FileSizeLimit(const FileSizeLimit&) = delete;
    FileSizeLimit& operator=(const FileSizeLimit&) = delete;

private:
    rlimit before_{};
    sighandler_t handler_ = SIG_DFL;
};

class DaemonAuditLog : public ::testing::Test {
protected:
    [[nodiscard]] std::filesystem::path file() const { return folder_.path() / "audit.log"; }

    std::unique_ptr<AuditLog> open(std::optional<AuditHead> anchor = std::nullopt,
                                   std::uint64_t rotate_at = 1U << 20U) {
        AuditOptions options;
        options.file = file();
        options.rotate_at = rotate_at;
        options.now = [this] { return now_; };
        options.on_head = [this](const AuditHead& head) { head_ = head; };
        auto log = AuditLog::open(std::move(options), sealer_, anchor);
        EXPECT_TRUE(log) << log.error().message;
        return std::move(*log);
    }
    void write_lines(std::size_t count) {
        const auto log = open();
        for (std::size_t i = 0; i < count; ++i)
            EXPECT_TRUE(log->append(Event(event::k_issued).with("request", "r-" + std::to_string(i))));
    }
    [[nodiscard]] std::vector<std::string> lines(const std::string& name = "audit.log") const {
        std::istringstream text(folder_.read(name));
        std::vector<std::string> found;
        for (std::string line; std::getline(text, line);) found.push_back(line);
        return found;
    }
    void put(const std::vector<std::string>& all) const {
        std::string text;
        for (const auto& line : all) text += line + "\n";
        folder_.write("audit.log", text);
    }
    [[nodiscard]] AuditReport verify(std::optional<AuditHead> anchor = std::nullopt) const {
        auto report = verify_audit(audit_files(file()), sealer_, anchor);
        EXPECT_TRUE(report) << report.error().message;
        return *report;
    }
    static std::string told(const AuditReport& report) {
        std::string text;
        for (const auto& finding : report.findings) text += std::to_string(finding.line) + ": " + finding.text + "\n";
        return text;
    }

    test::ScratchFolder folder_;
    LabelledSealer sealer_{"sealing"};
    UtcTime now_ = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23};
    AuditHead head_;
};

TEST_F(DaemonAuditLog, lines_are_chained_from_zero) {
    write_lines(2);
    ASSERT_EQ(lines().size(), 2U);
    EXPECT_TRUE(lines()[0].starts_with(
        R"({"seq":1,"time":"2026-11-23T00:00:00Z","event":"PKCS-1050","request":"r-0","prev":")" +
        std::string(64, '0') + "\",\"link\":\""))
        << lines()[0];
    const std::string first_link = lines()[0].substr(lines()[0].size() - 66, 64);
    EXPECT_NE(lines()[1].find("\"prev\":\"" + first_link + "\""), std::string::npos);
    EXPECT_EQ(head_.sequence, 2U);
    EXPECT_EQ(lines()[1].substr(lines()[1].size() - 66, 64), head_.link.hex());
    const AuditReport report = verify(head_);
    EXPECT_TRUE(report.intact()) << told(report);
    EXPECT_TRUE(report.notes.empty());
    EXPECT_EQ(report.lines, 2U);
    EXPECT_EQ(report.head, head_);
}

TEST_F(DaemonAuditLog, only_decisions_are_audited) {
    const auto log = open();
    log->raise(Event(event::k_leased));
    log->raise(Event(event::k_recipient_refused).with("device", "d"));
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_NE(lines()[0].find("KEY-4002"), std::string::npos);
}

TEST_F(DaemonAuditLog, a_flood_of_withdraws_is_told_in_part_and_counted_whole) {
    constexpr int k_flood = 100000;
    {
        const auto log = open();
        const auto withdraw = [](int i) {
            return Event(event::k_import_request_done)
                .with("request", "w-" + std::to_string(i))
                .with("kind", "pfx.withdraw");
        };
        for (int i = 0; i < k_flood; ++i) log->raise(withdraw(i));
        // A decision in the middle of it is not touched.
        log->raise(Event(event::k_issued).with("request", "r").with("kind", "pkcs.issue"));
        EXPECT_EQ(lines().size(), 21U);
        now_ += std::chrono::seconds{60};
        log->flush();
        ASSERT_EQ(lines().size(), 22U);
        EXPECT_NE(lines().back().find(R"("request":"w-99999")"), std::string::npos) << lines().back();
        EXPECT_NE(lines().back().find(R"("repeated":"99980")"), std::string::npos) << lines().back();
        log->raise(withdraw(k_flood));
        EXPECT_EQ(lines().size(), 23U) << "told again";
        for (int i = 0; i < 30; ++i) log->raise(withdraw(i));
    }
    EXPECT_NE(lines().back().find(R"("repeated":"11")"), std::string::npos) << "the end tells what is left";
    EXPECT_LT(std::filesystem::file_size(file()), 1U << 20U);
    EXPECT_TRUE(verify(head_).intact());
}

TEST_F(DaemonAuditLog, the_file_is_ours_alone) {
    folder_.write("audit.log", "", 0644);
    write_lines(1);
    struct stat about {};
    ASSERT_EQ(::stat(file().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777U, 0600U);
}

TEST_F(DaemonAuditLog, links_and_folders_in_its_place_are_refused) {
    const auto refused = [&] {
        AuditOptions options;
        options.file = file();
        options.now = [this] { return now_; };
        const auto log = AuditLog::open(std::move(options), sealer_, std::nullopt);
        return !log && log.error().kind == ErrorKind::misconfigured &&
               log.error().message.find("audit.log") != std::string::npos;
    };
    std::filesystem::create_symlink(folder_.write("other", ""), file());
    EXPECT_TRUE(refused());
    std::filesystem::remove(file());
    std::filesystem::create_directory(file());
    EXPECT_TRUE(refused());
}

TEST_F(DaemonAuditLog, the_chain_goes_on_after_a_restart) {
    write_lines(3);
    write_lines(2);
    const auto log = open(head_);
    EXPECT_EQ(log->fault(), "");
    EXPECT_EQ(log->head(), head_);
    EXPECT_EQ(head_.sequence, 5U);
    EXPECT_TRUE(verify(head_).intact());
}

TEST_F(DaemonAuditLog, a_nasty_string_stays_in_its_place) {
    const std::string nasty = "x\",\"link\":\"" + std::string(64, '0') + "\"}\n{\"seq\":9,\x1b[2J\xe2\x80\xae\xff";
    const auto log = open();
    ASSERT_TRUE(log->append(Event(event::k_recipient_refused)
                                .with("device", nasty)
                                .with(nasty, "v")
                                .with("seq", "77")
                                .with("device", "second")
                                .with("link", "y")));
    ASSERT_EQ(lines().size(), 1U);
    const std::string line = lines()[0];
    EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) == 0xff;
    }));
    EXPECT_EQ(line.find("\xe2\x80\xae"), std::string::npos);
    for (const auto* name : {"\"seq\":", "\"link\":", "\"device\":"})
        EXPECT_EQ(line.find(name), line.rfind(name)) << name << " must stand there once";
    EXPECT_NE(line.find(R"("seq_2":"77","device_2":"second","link_2":"y")"), std::string::npos) << line;
    EXPECT_TRUE(verify(log->head()).intact());
}

TEST_F(DaemonAuditLog, every_change_of_the_file_is_found) {
    struct Case {
        const char* name;
        std::function<void(std::vector<std::string>&)> change;
        std::vector<std::string> told;  // in order, part of each finding
    };
    const auto replace = [](std::string& line, std::string_view what, std::string_view by) {
        const auto at = line.find(what);
        ASSERT_NE(at, std::string::npos);
        line.replace(at, what.size(), by);
    };
    const Case cases[] = {
        {"a value", [&](auto& all) { replace(all[2], "r-2", "r-9"); }, {"3: the line was changed"}},
        {"the event", [&](auto& all) { replace(all[0], "PKCS-1050", "PKCS-1052"); }, {"1: the line was changed"}},
        {"the time", [&](auto& all) { replace(all[4], "2026", "2025"); }, {"5: the line was changed"}},
        {"the link",
         [&](auto& all) { all[2][all[2].size() - 3] = all[2][all[2].size() - 3] == '0' ? '1' : '0'; },
         {"3: the line was changed", "4: it does not go on from line 3"}},
        {"one line", [&](auto& all) { all.erase(all.begin() + 1); }, {"2: line 2 is missing"}},
        {"two lines", [&](auto& all) { all.erase(all.begin() + 1, all.begin() + 3); }, {"2: lines 2 to 3 are missing"}},
        {"two swapped",
         [&](auto& all) { std::swap(all[2], all[3]); },
         {"3: line 3 is missing", "4: the line stands in the wrong place"}},
        {"a line twice",
         [&](auto& all) { all.insert(all.begin() + 2, all[1]); },
         {"3: the line stands in the wrong place"}},
        {"a line garbled", [&](auto& all) { all[2] = "{\"seq\":"; }, {"4: line 3 is missing"}},
        {"a made-up last line",
         [&](auto& all) {
             all.push_back(all.back());
             replace(all.back(), "\"seq\":6", "\"seq\":7");
         },
         {"7: the line was changed, or was not written by us", "7: it does not go on from line 6"}},
        {"the end", [&](auto& all) { all.resize(4); }, {"0: the end is missing: lines 5 to 6 had been written"}},
        {"everything", [&](auto& all) { all.clear(); }, {"0: the end is missing: lines 1 to 6 had been written"}},
    };
    for (const auto& each : cases) {
        SCOPED_TRACE(each.name);
        std::filesystem::remove(file());
        write_lines(6);
        auto all = lines();
        each.change(all);
        put(all);
        const AuditReport report = verify(head_);
        EXPECT_FALSE(report.intact());
        ASSERT_EQ(report.findings.size(), each.told.size()) << told(report);
        for (std::size_t i = 0; i < each.told.size(); ++i) {
            const auto& finding = report.findings[i];
            EXPECT_TRUE((std::to_string(finding.line) + ": " + finding.text).starts_with(each.told[i])) << told(report);
        }
    }
}

TEST_F(DaemonAuditLog, the_beginning_cannot_be_cut_off_unseen) {
    write_lines(4);
    auto all = lines();
    all.erase(all.begin(), all.begin() + 2);
    put(all);
    const AuditReport report = verify(head_);
    EXPECT_EQ(report.first_sequence, 3U);
    EXPECT_FALSE(report.intact());
    ASSERT_EQ(report.findings.size(), 1U);
    EXPECT_NE(report.findings[0].text.find("begins with line 3"), std::string::npos);
}

TEST_F(DaemonAuditLog, another_chain_under_the_same_numbers_does_not_pass) {
    write_lines(3);
    const AuditHead anchor = head_;
    std::filesystem::remove(file());
    now_ += std::chrono::hours(1);
    write_lines(3);  // by somebody who has the sealing key
    const AuditReport report = verify(anchor);
    ASSERT_EQ(report.findings.size(), 1U) << told(report);
    EXPECT_NE(report.findings[0].text.find("line 3 is not the one that was written"), std::string::npos);

    const LabelledSealer other("another key");
    const auto foreign = verify_audit(audit_files(file()), other, std::nullopt);
    ASSERT_TRUE(foreign);
    EXPECT_EQ(foreign->findings.size(), 3U);
}

TEST_F(DaemonAuditLog, a_cut_file_is_noticed_when_it_is_opened_and_the_gap_stays) {
    write_lines(5);
    const AuditHead anchor = head_;
    auto all = lines();
    all.resize(3);
    put(all);
    const auto log = open(anchor);
    EXPECT_NE(log->fault().find("ends with line 3, and line 5 had been written"), std::string::npos) << log->fault();
    ASSERT_TRUE(log->append(Event(event::k_audit_broken).with("reason", log->fault())));
    EXPECT_EQ(log->head().sequence, 6U);
    const AuditReport report = verify(log->head());
    ASSERT_EQ(report.findings.size(), 1U) << told(report);
    EXPECT_NE(report.findings[0].text.find("lines 4 to 5 are missing"), std::string::npos);
}

TEST_F(DaemonAuditLog, a_forged_last_line_does_not_become_the_head) {
    write_lines(3);
    const AuditHead anchor = head_;
    auto all = lines();
    all.push_back(all.back());
    all.back().replace(all.back().find("\"seq\":3"), 7, "\"seq\":18446744073709551615");
    put(all);
    const auto log = open(anchor);
    EXPECT_NE(log->fault().find("not written by us"), std::string::npos) << log->fault();
    EXPECT_EQ(log->head(), anchor);
}

TEST_F(DaemonAuditLog, half_a_line_of_a_crash_is_no_attack) {
    write_lines(2);
    const AuditHead anchor = head_;
    const std::string whole = folder_.read("audit.log");
    for (const std::string& half : {std::string("{\"seq\":3,\"time\":\"2026"), std::string(200, '\0')}) {
        folder_.write("audit.log", whole + half);
        EXPECT_TRUE(verify(anchor).intact());
        EXPECT_EQ(verify(anchor).notes.size(), 1U);
        const auto log = open(anchor);
        EXPECT_EQ(log->fault(), "");
        ASSERT_TRUE(log->append(Event(event::k_issued)));
        const AuditReport report = verify(log->head());
        EXPECT_TRUE(report.intact()) << told(report);
        EXPECT_EQ(report.head.sequence, 3U);
        EXPECT_EQ(report.notes.size(), 1U);
    }
    // Whole but for its line end: it counts.
    folder_.write("audit.log", whole.substr(0, whole.size() - 1));
    const auto log = open(anchor);
    EXPECT_EQ(log->fault(), "");
    ASSERT_TRUE(log->append(Event(event::k_issued)));
    EXPECT_TRUE(verify(log->head()).intact());
    EXPECT_EQ(lines().size(), 3U);
}

TEST_F(DaemonAuditLog, rotation_keeps_every_file_and_the_chain_goes_through_them) {
    folder_.write("audit.log.x", "not a part of it");
    {
        const auto log = open(std::nullopt, 600);
        for (int i = 0; i < 20; ++i)
            ASSERT_TRUE(log->append(Event(event::k_issued).with("request", std::to_string(i))));
    }
    const auto files = audit_files(file());
    ASSERT_GT(files.size(), 4U);
    EXPECT_EQ(files[0].filename(), "audit.log.1");
    EXPECT_EQ(files.back(), file());
    const AuditReport report = verify(head_);
    EXPECT_TRUE(report.intact()) << told(report);
    EXPECT_EQ(report.lines, 20U);
    EXPECT_TRUE(lines("audit.log.2")[0].find(
                    "\"prev\":\"" + lines("audit.log.1").back().substr(lines("audit.log.1").back().size() - 66, 64)) !=
                std::string::npos);

    // A file of the middle is gone.
    std::filesystem::rename(files[1], folder_.path() / "elsewhere");
    EXPECT_FALSE(verify(head_).intact());
    std::filesystem::rename(folder_.path() / "elsewhere", files[1]);

    // The newest file is gone with a restart: the one before it gives the head, and the anchor tells.
    std::filesystem::remove(file());
    const auto log = open(head_);
    EXPECT_NE(log->fault(), "");
    EXPECT_EQ(log->head(), head_);
}

TEST_F(DaemonAuditLog, an_empty_file_after_a_rotation_goes_on_from_the_one_before) {
    write_lines(3);
    std::filesystem::rename(file(), folder_.path() / "audit.log.7");
    const auto log = open(head_);
    EXPECT_EQ(log->fault(), "");
    ASSERT_TRUE(log->append(Event(event::k_issued)));
    EXPECT_TRUE(verify(log->head()).intact());
}

TEST_F(DaemonAuditLog, what_cannot_be_written_is_told_and_not_counted) {
    AuditOptions options;
    options.file = file();
    options.now = [this] { return now_; };
    std::string failure;
    options.on_failure = [&](const Error& error) { failure = error.code; };
    auto log = AuditLog::open(std::move(options), sealer_, std::nullopt);
    ASSERT_TRUE(log);
    ASSERT_TRUE((*log)->append(Event(event::k_issued)));
    {
        const FileSizeLimit limit(std::filesystem::file_size(file()) + 10);
        (*log)->raise(Event(event::k_issued));
    }
    EXPECT_EQ(failure, "auditUnwritable");
    EXPECT_EQ((*log)->head().sequence, 1U);
    // Half a line stands there now; the next one does not suffer.
    ASSERT_TRUE((*log)->append(Event(event::k_issued)));
    const AuditReport report = verify((*log)->head());
    EXPECT_TRUE(report.intact()) << told(report);
    EXPECT_EQ(report.lines, 2U);
}

TEST_F(DaemonAuditLog, sync_gives_the_head_that_may_be_anchored) {
    const auto log = open();
    ASSERT_TRUE(log->append(Event(event::k_issued)));
    const auto synced = log->sync();
    ASSERT_TRUE(synced);
    EXPECT_EQ(*synced, log->head());
}

}  // namespace
}  // namespace connector::daemon
