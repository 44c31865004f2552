#include "daemon/notify/notifier.hpp"

#include "core/event_ids.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace connector::notify {

using std::chrono::steady_clock;

Notifier::Notifier(NotifyRules rules, Send send, std::function<void(const Event&)> tell, Now now)
    : rules_(std::move(rules)), send_(std::move(send)), tell_(std::move(tell)), now_(std::move(now)), thread_([this] {
          work();
      }) {}

Notifier::~Notifier() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
        end_ = (steady_clock::now() + std::chrono::seconds(3)).time_since_epoch().count();
    }
    wake_.notify_all();
    thread_.join();
}

void Notifier::note(const Event& event) {
    const bool own =
        event.id == event::k_mail_failed || event.id == event::k_mail_dropped || event.id == event::k_mail_works;
    if (own || !is_chosen(rules_.events, event.id)) return;
    auto notice = notice_of(event, now_());
    {
        const std::lock_guard lock(mutex_);
        if (rules_.tell_users && !notice.person.empty()) {
            if (to_persons_.size() < rules_.room)
                to_persons_.push_back(notice);
            else
                ++dropped_;
        }
        if (!rules_.to.empty()) {
            if (waiting_.size() < rules_.room) {
                waiting_.push_back(std::move(notice));
            } else {
                ++left_out_;
                ++dropped_;
            }
        }
    }
    wake_.notify_all();
}

Notifier::Counts Notifier::counts() const {
    const std::lock_guard lock(mutex_);
    return counts_;
}

// A letter to a person and a word about what was dropped wait for no interval, a digest does; nothing is tried again at
// once.
std::optional<steady_clock::time_point> Notifier::due() const {
    const bool together = !waiting_.empty() || left_out_ != 0;
    if (to_persons_.empty() && !together && dropped_ == 0) return std::nullopt;
    if (failing_) return next_try_;
    return to_persons_.empty() && dropped_ == 0 ? next_digest_ : steady_clock::time_point{};
}

void Notifier::work() {
    (void)::pthread_setname_np(::pthread_self(), "cc-mail");
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        const auto at = due();
        if (!at) {
            wake_.wait(lock);
            continue;
        }
        if (steady_clock::now() < *at) {
            wake_.wait_until(lock, *at);
            continue;
        }
        drop_old();
        tell_dropped(lock);
        failing_ = false;
        send_to_persons(lock);
        if (!failing_ && steady_clock::now() >= next_digest_) send_digest(lock);
        if (failing_) next_try_ = steady_clock::now() + rules_.retry;
    }
    tell_dropped(lock);
    if (failing_) return;
    send_to_persons(lock);
    if (!failing_) send_digest(lock);
}

void Notifier::tell_dropped(std::unique_lock<std::mutex>& lock) {
    if (dropped_ == 0) return;
    const auto number = std::exchange(dropped_, 0);
    counts_.left_out += number;
    lock.unlock();
    tell_(Event(event::k_mail_dropped).with("count", std::to_string(number)));
    lock.lock();
}

// A person's letter names him alone, and so many go out in an interval.
void Notifier::send_to_persons(std::unique_lock<std::mutex>& lock) {
    while (!to_persons_.empty()) {
        if (steady_clock::now() - persons_since_ >= rules_.interval) {
            persons_since_ = steady_clock::now();
            persons_told_ = 0;
        }
        if (persons_told_ >= rules_.most_to_persons) {
            dropped_ += to_persons_.size();
            to_persons_.clear();
            return;
        }
        const auto letter = to_person(rules_.from, to_persons_.front(), ++number_, now_());
        if (!deliver(lock, letter)) return;
        ++persons_told_;
        to_persons_.pop_front();
    }
}

void Notifier::send_digest(std::unique_lock<std::mutex>& lock) {
    if (waiting_.empty() && left_out_ == 0) return;
    const std::vector<Notice> notices(waiting_.begin(), waiting_.end());
    const auto left_out = left_out_;
    const auto letter = digest(rules_.from, rules_.to, notices, left_out, rules_.host, ++number_, now_());
    if (!deliver(lock, letter)) return;
    waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(notices.size()));
    left_out_ -= left_out;
    next_digest_ = steady_clock::now() + rules_.interval;
}

bool Notifier::deliver(std::unique_lock<std::mutex>& lock, const Letter& letter) {
    lock.unlock();
    const auto give_up = [this] { return steady_clock::now().time_since_epoch().count() > end_.load(); };
    const auto sent = send_(letter, give_up);
    if (!sent) tell_(Event(event::k_mail_failed).with("code", sent.error().code).with("reason", sent.error().message));
    lock.lock();
    if (sent) {
        ++counts_.sent;
        if (std::exchange(lost_, false)) {
            lock.unlock();
            tell_(Event(event::k_mail_works));
            lock.lock();
        }
        return true;
    }
    ++counts_.failed;
    // What the server refuses for good would be refused again: it is in the log.
    if (sent.error().kind == ErrorKind::refused) {
        ++dropped_;
        return true;
    }
    failing_ = true;
    lost_ = true;
    return false;
}

void Notifier::drop_old() {
    const auto oldest = now_() - rules_.keep;
    for (auto* queue : {&waiting_, &to_persons_})
        while (!queue->empty() && queue->front().at < oldest) {
            queue->pop_front();
            ++dropped_;
        }
}

}  // namespace connector::notify
