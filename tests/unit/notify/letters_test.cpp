// What stands in a mail, and what never does.
#include "daemon/notify/letters.hpp"

#include "core/event_ids.hpp"

#include <gtest/gtest.h>

namespace connector::notify {
namespace {

const UtcTime k_now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 29} + std::chrono::hours{1}};

// Before the empty line: what a mail server and a mail program act on.
std::string headers(const std::string& message) {
    return message.substr(0, message.find("\r\n\r\n") + 2);
}

TEST(Letters, the_words_of_the_configuration_choose_events) {
    const std::vector<std::string> words{"held", "imp-2080"};
    EXPECT_TRUE(is_chosen(words, event::k_request_held));
    EXPECT_TRUE(is_chosen(words, event::k_import_left_out)) << "an id in any case";
    EXPECT_FALSE(is_chosen(words, event::k_recipient_pinned));
    EXPECT_TRUE(is_chosen({"newRecipient"}, event::k_recipient_pinned));
    EXPECT_TRUE(is_chosen({"limit"}, event::k_limit_tripped));
    EXPECT_FALSE(is_chosen({}, event::k_limit_tripped));
}

TEST(Letters, a_letter_has_what_a_person_needs_and_no_field_beyond_the_list) {
    auto event = Event(event::k_recipient_pinned)
                     .with("user", "alice@corp.example")
                     .with("device", "d-1")
                     .with("key", "4f1c")
                     .with("password", "hunter2")
                     .with("pkcs8", "MIIEvQ")
                     .with("mailbox", "alice@corp.example");
    const auto notice = notice_of(event, k_now);
    EXPECT_EQ(notice.person, "alice@corp.example");
    const auto letter =
        digest("connector@corp.example", {"a@corp.example", "b@corp.example"}, {notice}, 0, "host", 7, k_now);
    EXPECT_NE(letter.message.find("KEY-4006"), std::string::npos);
    EXPECT_NE(letter.message.find("device: d-1"), std::string::npos);
    EXPECT_NE(letter.message.find("To: a@corp.example,\r\n b@corp.example\r\n"), std::string::npos);
    EXPECT_NE(letter.message.find("Date: Sun, 29 Nov 2026 01:00:00 +0000\r\n"), std::string::npos);
    for (const auto* secret : {"hunter2", "MIIEvQ", "password:", "pkcs8"})
        EXPECT_EQ(letter.message.find(secret), std::string::npos) << secret;
    EXPECT_EQ(to_person("connector@corp.example", notice, 8, k_now).to, std::vector<std::string>{"alice@corp.example"});
}

TEST(Letters, no_text_from_outside_makes_a_header) {
    const std::string nasty = "x\r\nBcc: mallory@evil.example\r\n\r\n.\r\nRCPT TO:<mallory@evil.example>\r\n\x1b[31m";
    const auto notice = notice_of(Event(event::k_request_held)
                                      .with("user", nasty)
                                      .with("device", nasty)
                                      .with("reason", nasty)
                                      .with("mailbox", "alice@corp.example\r\nBcc: mallory@evil.example"),
                                  k_now);
    EXPECT_EQ(notice.person, "") << "an address that is none is nobody's";
    for (const auto& letter : {digest("c@corp.example", {"a@corp.example"}, {notice, notice}, 3, nasty, 1, k_now),
                               digest("c@corp.example", {"a@corp.example"}, {notice}, 0, nasty, 2, k_now)}) {
        EXPECT_EQ(headers(letter.message).find("mallory"), std::string::npos) << letter.message;
        EXPECT_EQ(letter.message.find("\r\nBcc:"), std::string::npos);
        EXPECT_EQ(letter.message.find("\r\n.\r\n"), std::string::npos);
        EXPECT_EQ(letter.message.find('\x1b'), std::string::npos);
        for (std::size_t at = 0; (at = letter.message.find('\n', at)) != std::string::npos; ++at)
            ASSERT_EQ(letter.message[at - 1], '\r') << "a bare line feed";
        for (std::size_t at = 0; (at = letter.message.find('\r', at)) != std::string::npos; ++at)
            ASSERT_EQ(letter.message[at + 1], '\n') << "a bare carriage return";
    }
}

TEST(Letters, addresses_are_plain_or_none) {
    for (const auto* good : {"a@b", "connector+x@corp.example", "o'neil@corp.example"})
        EXPECT_TRUE(is_address(good)) << good;
    for (const auto* bad :
         {"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b,c@d", "<a@b>", "a@b\n", "\"a\"@b", "-x@b", "ä@b"})
        EXPECT_FALSE(is_address(bad)) << bad;
    EXPECT_FALSE(is_address(std::string(250, 'a') + "@b.example"));
}

TEST(Letters, a_flood_is_one_letter_of_bounded_size) {
    const std::vector<Notice> many(
        200, notice_of(Event(event::k_request_held).with("reason", std::string(5000, 'x')), k_now));
    const auto letter = digest("c@corp.example", {"a@corp.example"}, many, 1000, "host", 1, k_now);
    EXPECT_LT(letter.message.size(), 100'000U);
    EXPECT_NE(letter.message.find("and 1150 more"), std::string::npos);
    EXPECT_NE(letter.message.find("Subject: [pfx-connector] 1200 events\r\n"), std::string::npos);
}

}  // namespace
}  // namespace connector::notify
