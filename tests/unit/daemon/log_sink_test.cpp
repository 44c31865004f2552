#include "daemon/log_sink.hpp"

#include "core/event_ids.hpp"
#include "unit/config/scratch_folder.hpp"

#include <gtest/gtest.h>

#include <sys/stat.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace connector::daemon {
namespace {

// Controls, ANSI, CSV, HTML, JSON, a bidi override, a format string, and an octet that is not UTF-8.
constexpr std::string_view k_nasty =
    "a\r\n2026-01-01T00:00:00Z error KEY-4001 forged\x1b[2J\x07\xc2\x9b=cmd|' "
    "/C'!A1<script>{}%s\",\"x\":\"\xe2\x80\xae\xff";

class DaemonLogSink : public ::testing::Test {
protected:
    std::unique_ptr<LogSink> open(LogOptions options = {}) {
        if (options.file.empty()) options.file = folder_.path() / "connector.log";
        options.error_output = ErrorOutput::off;
        options.now = [this] { return now_; };
        auto sink = LogSink::open(std::move(options));
        EXPECT_TRUE(sink) << sink.error().message;
        return std::move(*sink);
    }
    [[nodiscard]] std::vector<std::string> lines(const char* name = "connector.log") const {
        std::istringstream text(folder_.read(name));
        std::vector<std::string> found;
        for (std::string line; std::getline(text, line);) found.push_back(line);
        return found;
    }
    void pass(int seconds) { now_ += std::chrono::seconds(seconds); }

    test::ScratchFolder folder_;
    UtcTime now_ = std::chrono::sys_days{std::chrono::year{2026} / 11 / 23} + std::chrono::hours(12);
};

TEST_F(DaemonLogSink, an_event_is_one_line_with_its_headline_and_fields) {
    open()->raise(
        Event(event::k_issued).with("request", "r-1").with("user", "alice@corp.example").with("reason", "two words"));
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_EQ(lines()[0],
              "2026-11-23T12:00:00Z info PKCS-1050 A certificate was issued. request=r-1 user=alice@corp.example "
              "reason=\"two words\"");
}

TEST_F(DaemonLogSink, json_lines_hold_the_same) {
    LogOptions options;
    options.format = LogFormat::json;
    open(std::move(options))
        ->raise(Event(event::k_issued).with("request", "r-1").with("user", "alice").with("user", "bob"));
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_EQ(
        lines()[0],
        R"({"time":"2026-11-23T12:00:00Z","severity":"info","event":"PKCS-1050","text":"A certificate was issued.",)"
        R"("fields":{"request":"r-1","user":"alice, bob"}})");
}

TEST_F(DaemonLogSink, one_nasty_string_comes_out_harmless_in_every_form) {
    for (const auto format : {LogFormat::text, LogFormat::json}) {
        LogOptions options;
        options.format = format;
        options.file = folder_.path() / (format == LogFormat::text ? "text.log" : "json.log");
        const auto sink = open(std::move(options));
        sink->raise(Event(event::k_recipient_refused).with("device", k_nasty).with(k_nasty, "value"));
        sink->log(Severity::error, k_nasty);
    }
    for (const auto* name : {"text.log", "json.log"}) {
        ASSERT_EQ(lines(name).size(), 2U) << name;
        for (const auto& line : lines(name)) {
            EXPECT_TRUE(std::none_of(line.begin(), line.end(), [](char c) {
                return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
            })) << line;
            for (const auto* octets : {"\xc2\x9b", "\xe2\x80\xae", "\xff"})
                EXPECT_EQ(line.find(octets), std::string::npos) << line;
            EXPECT_NE(line.find("{}%s"), std::string::npos) << "a format string is a text like any other";
        }
    }
    // The forged field stays inside its quotes.
    EXPECT_EQ(lines("json.log")[0].find("\",\"x\":\""), std::string::npos);
    EXPECT_NE(lines("text.log")[0].find(" device=\"a\\\\r\\\\n2026"), std::string::npos) << lines("text.log")[0];
}

TEST_F(DaemonLogSink, the_level_decides_and_can_be_changed) {
    const auto sink = open();
    sink->log(Severity::debug, "unseen");
    sink->raise(Event(event::k_leased));
    sink->set_level(Severity::debug);
    sink->log(Severity::debug, "seen");
    sink->set_level(Severity::error);
    sink->log(Severity::warning, "unseen");
    ASSERT_EQ(lines().size(), 1U);
    EXPECT_EQ(lines()[0], "2026-11-23T12:00:00Z debug seen");
}

TEST_F(DaemonLogSink, identical_lines_are_counted) {
    const auto sink = open();
    const auto say = [&](const char* reason) { sink->raise(Event(event::k_lease_failed).with("reason", reason)); };
    for (int i = 0; i < 100; ++i) say("refused");
    say("timed out");
    ASSERT_EQ(lines().size(), 2U);
    pass(59);
    sink->flush();
    EXPECT_EQ(lines().size(), 2U);
    pass(1);
    sink->flush();
    ASSERT_EQ(lines().size(), 3U);
    EXPECT_NE(lines()[2].find("reason=refused repeated=99"), std::string::npos) << lines()[2];
    say("refused");
    EXPECT_EQ(lines().size(), 4U);
    // The next of a long row tells what was held back before it.
    say("refused");
    pass(61);
    say("refused");
    ASSERT_EQ(lines().size(), 6U);
    EXPECT_NE(lines()[4].find("repeated=1"), std::string::npos);
}

TEST_F(DaemonLogSink, no_count_is_lost_at_the_end_or_in_a_flood_of_others) {
    {
        const auto sink = open();
        sink->log(Severity::info, "again");
        sink->log(Severity::info, "again");
        for (int i = 0; i < 600; ++i) {
            pass(i == 0 ? 1 : 0);
            sink->log(Severity::info, "other " + std::to_string(i));
        }
        const auto all = lines();
        EXPECT_EQ(
            std::count_if(all.begin(), all.end(), [](const auto& line) { return line.ends_with("again repeated=1"); }),
            1);
        sink->log(Severity::info, "last");
        sink->log(Severity::info, "last");
    }
    EXPECT_TRUE(lines().back().ends_with("last repeated=1")) << lines().back();
}

TEST_F(DaemonLogSink, a_clock_set_back_does_not_silence_a_line) {
    const auto sink = open();
    sink->log(Severity::info, "x");
    pass(-3600);
    sink->log(Severity::info, "x");
    EXPECT_EQ(lines().size(), 2U);
}

TEST_F(DaemonLogSink, persons_are_hashed_wherever_they_stand) {
    LogOptions options;
    options.persons = Persons::hashed;
    options.hash_person = [](std::string_view name) { return "#" + std::to_string(name.size()); };
    const auto sink = open(std::move(options));
    sink->raise(Event(event::k_person_refused)
                    .with("user", "Alice")
                    .with("device", "d-1")
                    .with("reason", "Alice@corp.example, not <bob@corp.example>."));
    sink->log(Severity::info, "mail to zoë@corp.example @ noon");
    ASSERT_EQ(lines().size(), 2U);
    EXPECT_NE(lines()[0].find("user=person:#5 device=d-1 reason=\"person:#18, not <person:#16>.\""), std::string::npos)
        << lines()[0];
    EXPECT_NE(lines()[1].find("mail to person:#17 @ noon"), std::string::npos) << lines()[1];
}

TEST_F(DaemonLogSink, without_a_hash_persons_are_left_out) {
    LogOptions options;
    options.persons = Persons::hashed;
    open(std::move(options))->raise(Event(event::k_person_refused).with("user", "alice"));
    EXPECT_EQ(lines()[0].find("alice"), std::string::npos) << lines()[0];
    EXPECT_NE(lines()[0].find("(person)"), std::string::npos);
}

TEST_F(DaemonLogSink, the_file_rotates_and_is_not_for_everyone) {
    LogOptions options;
    options.max_size = 2000;
    options.files = 2;
    const auto sink = open(std::move(options));
    for (int i = 0; i < 100; ++i) sink->log(Severity::info, "line " + std::to_string(i) + std::string(80, '.'));
    for (const auto* name : {"connector.log", "connector.1.log", "connector.2.log"}) {
        struct stat about {};
        ASSERT_EQ(::stat((folder_.path() / name).c_str(), &about), 0) << name;
        EXPECT_EQ(about.st_mode & 0777U, 0640U) << name;
        EXPECT_LE(about.st_size, 2000);
    }
    EXPECT_FALSE(std::filesystem::exists(folder_.path() / "connector.3.log"));
    EXPECT_EQ(sink->lost(), 0U);
}

TEST_F(DaemonLogSink, what_cannot_be_opened_is_an_error_with_its_name) {
    LogOptions options;
    options.file = folder_.path() / "connector.log";
    std::filesystem::create_directory(options.file);
    options.now = [this] { return now_; };
    const auto sink = LogSink::open(std::move(options));
    ASSERT_FALSE(sink);
    EXPECT_EQ(sink.error().kind, ErrorKind::misconfigured);
    EXPECT_NE(sink.error().message.find("connector.log"), std::string::npos);
}

TEST_F(DaemonLogSink, a_full_disk_costs_lines_and_nothing_else) {
    LogOptions options;
    options.file = "/dev/full";
    if (!std::filesystem::exists(options.file)) return;
    options.max_size = 1ULL << 40U;
    ::testing::internal::CaptureStderr();
    const auto sink = open(std::move(options));
    sink->log(Severity::error, "one");
    sink->log(Severity::error, "two");
    EXPECT_EQ(sink->lost(), 2U);
    const std::string told = ::testing::internal::GetCapturedStderr();
    EXPECT_NE(told.find("SVC-5032"), std::string::npos) << told;
    EXPECT_EQ(std::count(told.begin(), told.end(), '\n'), 1) << told;
}

TEST_F(DaemonLogSink, the_journal_gets_priorities_and_no_time) {
    ::testing::internal::CaptureStderr();
    LogOptions options;
    options.error_output = ErrorOutput::journal;
    options.now = [this] { return now_; };
    (*LogSink::open(std::move(options)))->raise(Event(event::k_lease_failed).with("reason", "x\n<0>forged"));
    EXPECT_EQ(::testing::internal::GetCapturedStderr(),
              "<4>MGT-6001 The service cannot be reached. reason=\"x\\\\n<0>forged\"\n");
}

TEST_F(DaemonLogSink, any_thread_may_log) {
    const auto sink = open();
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&sink, t] {
            for (int i = 0; i < 50; ++i) sink->log(Severity::info, std::to_string(t) + "/" + std::to_string(i));
        });
    threads.clear();
    EXPECT_EQ(lines().size(), 200U);
}

}  // namespace
}  // namespace connector::daemon
