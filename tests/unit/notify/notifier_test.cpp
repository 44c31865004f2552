// The queue: nothing waits for the mail, nothing is mailed twice, and what is lost is counted and told.
#include "daemon/notify/notifier.hpp"

#include "core/event_ids.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>

namespace connector::notify {
namespace {

using namespace std::chrono_literals;

UtcTime now() {
    return UtcTime(1'800'000'000s);
}

// A mail server that does what it is told, and remembers.
class Server {
public:
    Result<void> take(const Letter& letter, const std::function<bool()>& give_up) {
        std::unique_lock lock(mutex_);
        ++calls_;
        changed_.notify_all();
        while (hangs_ && !give_up()) changed_.wait_for(lock, 10ms);
        if (hangs_) return Error(ErrorKind::unavailable, "mailFailed", "given up");
        if (!answers_.empty()) {
            auto answer = answers_.front();
            answers_.pop_front();
            if (answer) return *answer;
        }
        letters_.push_back(letter);
        changed_.notify_all();
        return {};
    }
    void hang(bool hangs) {
        const std::lock_guard lock(mutex_);
        hangs_ = hangs;
        changed_.notify_all();
    }
    void then(std::optional<Error> answer) {
        const std::lock_guard lock(mutex_);
        answers_.push_back(std::move(answer));
    }
    template <class Condition>
    bool wait(Condition condition) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, 20s, [&] { return condition(letters_, calls_); });
    }
    std::vector<Letter> letters() {
        const std::lock_guard lock(mutex_);
        return letters_;
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Letter> letters_;
    std::deque<std::optional<Error>> answers_;
    std::size_t calls_ = 0;
    bool hangs_ = false;
};

class NotifierTest : public ::testing::Test {
protected:
    std::unique_ptr<Notifier> notifier(NotifyRules rules) {
        return std::make_unique<Notifier>(
            std::move(rules),
            [this](const Letter& letter, const auto& give_up) { return server.take(letter, give_up); },
            [this](const Event& event) {
                const std::lock_guard lock(mutex);
                told.emplace_back(event.id);
                if (auto* feedback = mail.load()) feedback->note(event);
            },
            now);
    }
    static NotifyRules rules() {
        NotifyRules rules;
        rules.from = "c@corp.example";
        rules.to = {"admin@corp.example"};
        rules.events = {"newRecipient", "held", "SVC-5026"};
        rules.interval = 3600s;
        rules.retry = 1s;
        return rules;
    }
    std::size_t said(std::string_view id) {
        const std::lock_guard lock(mutex);
        return static_cast<std::size_t>(std::count(told.begin(), told.end(), id));
    }
    Server server;
    std::mutex mutex;
    std::vector<std::string> told;
    std::atomic<Notifier*> mail{nullptr};
};

Event held(const std::string& request) {
    return Event(event::k_request_held).with("request", request);
}

TEST_F(NotifierTest, the_first_goes_at_once_and_the_rest_is_one_letter_more) {
    auto mailer = notifier(rules());
    mailer->note(held("r-first"));
    ASSERT_TRUE(server.wait([](const auto& letters, auto) { return letters.size() == 1; }));
    for (int i = 0; i < 20; ++i) mailer->note(held("r-" + std::to_string(i)));
    mailer->note(Event(event::k_leased));
    mailer.reset();  // the last letter of what has come together
    const auto letters = server.letters();
    ASSERT_EQ(letters.size(), 2U);
    EXPECT_NE(letters[1].message.find("20 events"), std::string::npos);
    EXPECT_EQ(letters[1].message.find("r-first"), std::string::npos) << "nothing is told twice";
}

TEST_F(NotifierTest, a_server_that_hangs_keeps_nobody_and_what_finds_no_room_is_counted) {
    server.hang(true);
    auto some = rules();
    some.room = 5;
    auto mailer = notifier(some);
    mailer->note(held("r-0"));
    ASSERT_TRUE(server.wait([](const auto&, auto calls) { return calls == 1; }));
    for (int i = 1; i < 100; ++i) mailer->note(held("r-" + std::to_string(i)));
    server.hang(false);
    ASSERT_TRUE(server.wait([](const auto& letters, auto) { return !letters.empty(); }));
    mailer.reset();
    EXPECT_GE(said(event::k_mail_dropped), 1U);
}

TEST_F(NotifierTest, its_end_waits_for_no_server) {
    server.hang(true);
    auto mailer = notifier(rules());
    mailer->note(held("r-1"));
    ASSERT_TRUE(server.wait([](const auto&, auto calls) { return calls == 1; }));
    auto ending = std::async(std::launch::async, [&] { mailer.reset(); });
    EXPECT_EQ(ending.wait_for(15s), std::future_status::ready);
    server.hang(false);
    ending.get();
}

TEST_F(NotifierTest, what_could_not_be_sent_is_sent_later_and_told_once_without_a_loop) {
    server.then(Error(ErrorKind::unavailable, "mailFailed", "connection refused"));
    auto mailer = notifier(rules());
    mail = mailer.get();  // events about mail come back to it, as in the daemon
    mailer->note(held("r-1"));
    ASSERT_TRUE(server.wait([](const auto& letters, auto) { return letters.size() == 1; }));
    mailer.reset();
    EXPECT_EQ(said(event::k_mail_failed), 1U);
    EXPECT_EQ(said(event::k_mail_works), 1U);
    EXPECT_EQ(server.letters().size(), 1U);
}

TEST_F(NotifierTest, what_is_refused_for_good_is_dropped_and_not_repeated) {
    server.then(Error(ErrorKind::refused, "mailRefused", "550 no such user"));
    auto mailer = notifier(rules());
    mailer->note(held("r-1"));
    ASSERT_TRUE(server.wait([](const auto&, auto calls) { return calls == 1; }));
    mailer.reset();
    EXPECT_EQ(server.letters().size(), 0U);
    EXPECT_EQ(said(event::k_mail_failed), 1U);
}

TEST_F(NotifierTest, a_person_s_letter_is_his_alone_and_only_where_that_is_wanted) {
    const auto pinned = Event(event::k_recipient_pinned).with("device", "d-1").with("mailbox", "alice@corp.example");
    {
        auto silent = notifier(rules());
        silent->note(pinned);
        silent.reset();
        ASSERT_EQ(server.letters().size(), 1U);
        EXPECT_EQ(server.letters()[0].to, std::vector<std::string>{"admin@corp.example"});
    }
    auto some = rules();
    some.tell_users = true;
    auto mailer = notifier(some);
    mailer->note(pinned);
    mailer.reset();
    const auto letters = server.letters();
    ASSERT_EQ(letters.size(), 3U);
    EXPECT_EQ(letters[1].to, std::vector<std::string>{"alice@corp.example"});
}

}  // namespace
}  // namespace connector::notify
