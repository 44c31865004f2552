// The postman: an event that is to be mailed is put into a bounded queue and forgotten; a thread of its own (cc-mail)
// makes one letter of what has come together and hands it to the mail server. Nothing waits for it, nothing fails by
// it: what finds no room or cannot be sent is counted and told as an event (SVC-5026, SVC-5027).
#pragma once

#include "core/error.hpp"
#include "core/events.hpp"
#include "daemon/notify/letters.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace connector::notify {

struct NotifyRules {
    std::string from;
    std::vector<std::string> to;
    std::vector<std::string> events;
    bool tell_users = false;
    std::chrono::seconds interval{900};  // between two letters to the administrators
    std::chrono::seconds retry{60};      // after one that could not be sent
    std::chrono::seconds keep{3600};     // what waits longer than that is dropped
    std::size_t room = 200;              // notices in the queue
    std::size_t most_to_persons = 50;    // letters to persons in an interval
    std::string host;
};

class Notifier {
public:
    // `give_up` says when to break off: any thread.
    using Send = std::function<Result<void>(const Letter& letter, const std::function<bool()>& give_up)>;
    using Now = std::function<UtcTime()>;
    // `send` blocks and is called on the thread alone; `tell` for events about the mail itself, from that thread.
    Notifier(NotifyRules rules, Send send, std::function<void(const Event&)> tell, Now now);
    // One last letter of what has come together; a server has three seconds for it.
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    // Any thread; returns at once.
    void note(const Event& event);
    // Sent, failed, left out, since the start. Any thread.
    struct Counts {
        std::uint64_t sent = 0;
        std::uint64_t failed = 0;
        std::uint64_t left_out = 0;
    };
    [[nodiscard]] Counts counts() const;

private:
    void work();
    [[nodiscard]] std::optional<std::chrono::steady_clock::time_point> due() const;
    void send_to_persons(std::unique_lock<std::mutex>& lock);
    void send_digest(std::unique_lock<std::mutex>& lock);
    // False: it is to be tried again.
    [[nodiscard]] bool deliver(std::unique_lock<std::mutex>& lock, const Letter& letter);
    void drop_old();
    void tell_dropped(std::unique_lock<std::mutex>& lock);

    const NotifyRules rules_;
    const Send send_;
    const std::function<void(const Event&)> tell_;
    const Now now_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Notice> waiting_;     // for the administrators
    std::deque<Notice> to_persons_;  // each a letter of its own
    std::uint64_t left_out_ = 0;     // since the last letter
    std::uint64_t dropped_ = 0;      // not yet told as an event
    std::uint64_t number_ = 0;
    std::size_t persons_told_ = 0;  // in this interval
    std::chrono::steady_clock::time_point next_digest_{};
    std::chrono::steady_clock::time_point next_try_{};
    std::chrono::steady_clock::time_point persons_since_{};
    bool failing_ = false;  // in this round
    bool lost_ = false;     // the last letter was not taken
    bool stopping_ = false;
    std::atomic<std::int64_t> end_{
        std::numeric_limits<std::int64_t>::max()};  // of the last letter, on the steady clock
    Counts counts_;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace connector::notify
