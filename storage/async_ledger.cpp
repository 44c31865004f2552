#include "storage/async_ledger.hpp"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <iterator>
#include <utility>

#include <pthread.h>

namespace connector::storage {

namespace asio = boost::asio;

namespace {

// Bounds what one failing disk takes with it, and how long the first of a group waits for its fsync.
constexpr std::size_t k_group = 256;
constexpr bool k_in_place = true;

Error thrown(const std::exception& exception) {
    return {ErrorKind::internal, "internalError", exception.what()};
}

}  // namespace

struct AsyncLedger::Save {
    ports::Commit commit;
    UtcTime now;
    std::optional<Result<std::uint64_t>> answer;
};

// Either a task or a save; and the way back to whoever waits for it.
class AsyncLedger::Job {
public:
    Job(Task task, std::shared_ptr<Save> save, bool in_place)
        : task_(std::move(task)), save_(std::move(save)), in_place_(in_place) {}
    Job(const Job&) = delete;
    Job& operator=(const Job&) = delete;
    virtual ~Job() = default;

    [[nodiscard]] const std::shared_ptr<Save>& save() const noexcept { return save_; }
    [[nodiscard]] bool in_place() const noexcept { return in_place_; }
    void perform(SqliteLedger& ledger) const { task_(ledger); }
    virtual void go_home(bool taken) = 0;

private:
    Task task_;
    std::shared_ptr<Save> save_;
    bool in_place_;
};

template <class Handler>
class AsyncLedger::JobOf final : public Job {
public:
    JobOf(Handler handler, Task task, std::shared_ptr<Save> save, bool in_place)
        : Job(std::move(task), std::move(save), in_place),
          handler_(std::move(handler)),
          guard_(asio::make_work_guard(asio::get_associated_executor(handler_))) {}

    // The guard moves on with the handler: the context must not run dry between the two.
    void go_home(bool taken) override {
        const auto home = guard_.get_executor();
        asio::post(home, [handler = std::move(handler_), guard = std::move(guard_), taken]() mutable {
            std::move(handler)(taken);
        });
    }

private:
    Handler handler_;
    asio::executor_work_guard<asio::associated_executor_t<Handler>> guard_;
};

AsyncLedger::AsyncLedger(std::unique_ptr<SqliteLedger> ledger, std::size_t queue_limit)
    : ledger_(std::move(ledger)), queue_limit_(queue_limit), thread_([this] { serve(); }) {}

AsyncLedger::~AsyncLedger() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_one();
    thread_.join();
}

std::unique_ptr<AsyncLedger::Job> AsyncLedger::enqueue(std::unique_ptr<Job> job) {
    {
        const std::lock_guard lock(mutex_);
        if (queue_.size() >= queue_limit_) return job;
        queue_.push_back(std::move(job));
    }
    wake_.notify_one();
    return nullptr;
}

void AsyncLedger::serve() {
    ::pthread_setname_np(::pthread_self(), "cc-ledger");
    for (;;) {
        std::vector<std::unique_ptr<Job>> jobs;
        {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
            jobs.swap(queue_);
            if (anchor_) ledger_->set_audit_anchor(*std::exchange(anchor_, std::nullopt));
        }
        if (jobs.empty()) break;
        // Saves go first, in groups, since whoever waits for one has nothing else under way. But orders that come in
        // keep their place among them: the save behind one may close its record, and it would be begun anew.
        for (auto from = jobs.begin(); from != jobs.end();) {
            const auto to = std::find_if(std::next(from), jobs.end(), [](const auto& job) { return job->in_place(); });
            work({from, to});
            from = to;
        }
    }
    ledger_.reset();
}

void AsyncLedger::work(std::span<const std::unique_ptr<Job>> jobs) {
    if (!jobs.empty() && jobs.front()->in_place()) {
        jobs.front()->perform(*ledger_);
        jobs.front()->go_home(true);
        jobs = jobs.subspan(1);
    }
    commit_group(jobs);
    for (const auto& job : jobs) {
        if (job->save()) continue;
        job->perform(*ledger_);
        job->go_home(true);
    }
}

void AsyncLedger::commit_group(std::span<const std::unique_ptr<Job>> jobs) {
    std::vector<Job*> saves;
    for (const auto& job : jobs) {
        if (job->save()) saves.push_back(job.get());
    }
    for (std::size_t from = 0; from < saves.size(); from += k_group) {
        const auto to = std::min(saves.size(), from + k_group);
        std::vector<ports::Commit> commits;
        std::vector<UtcTime> now;
        for (auto i = from; i < to; ++i) {
            commits.push_back(std::move(saves[i]->save()->commit));
            now.push_back(saves[i]->save()->now);
        }
        try {
            auto answers = ledger_->save_many(commits, now);
            for (auto i = from; i < to; ++i) saves[i]->save()->answer.emplace(std::move(answers[i - from]));
        } catch (const std::exception& exception) {
            for (auto i = from; i < to; ++i) saves[i]->save()->answer.emplace(thrown(exception));
        }
        for (auto i = from; i < to; ++i) saves[i]->go_home(true);
    }
}

// Named before it is awaited: GCC 12 destroys a capturing lambda in the expression of a co_await twice.
asio::awaitable<bool> AsyncLedger::hand_over(Task task, std::shared_ptr<Save> save, bool in_place) {
    // A cancelled caller would be thrown out at the next co_await, with the save undone or its answer lost.
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    auto initiation = [this, task = std::move(task), save = std::move(save), in_place](auto handler) mutable {
        using Handler = decltype(handler);
        auto refused =
            enqueue(std::make_unique<JobOf<Handler>>(std::move(handler), std::move(task), std::move(save), in_place));
        if (refused) refused->go_home(false);
    };
    auto hop =
        asio::async_initiate<const asio::use_awaitable_t<>, void(bool)>(std::move(initiation), asio::use_awaitable);
    const bool taken = co_await std::move(hop);
    co_await asio::this_coro::throw_if_cancelled(throwing);
    co_return taken;
}

namespace {

Error busy() {
    return {ErrorKind::unavailable, "ledgerBusy", "too much waits for the ledger already"};
}

}  // namespace

template <class T, class Work>
ports::Async<T> AsyncLedger::run(Work work, bool in_place) {
    auto answer = std::make_shared<std::optional<Result<T>>>();
    Task task = [answer, work = std::move(work)](SqliteLedger& ledger) {
        try {
            answer->emplace(work(ledger));
        } catch (const std::exception& exception) {
            answer->emplace(thrown(exception));
        }
    };
    const bool taken = co_await hand_over(std::move(task), nullptr, in_place);
    if (!taken) co_return busy();
    co_return std::move(**answer);
}

ports::Async<std::uint64_t> AsyncLedger::run_save(std::shared_ptr<Save> save) {
    Task none;
    const bool taken = co_await hand_over(std::move(none), save, false);
    if (!taken) co_return busy();
    co_return std::move(*save->answer);
}

ports::Async<std::vector<ports::Intake>> AsyncLedger::accept(std::vector<ports::LeasedRequest> batch, UtcTime now) {
    return run<std::vector<ports::Intake>>(
        [batch = std::move(batch), now](SqliteLedger& ledger) { return ledger.accept(batch, now); }, k_in_place);
}

ports::Async<void> AsyncLedger::accept_unreadable(RequestId id, LeaseId lease, request::Failure failure, UtcTime now) {
    return run<void>([id = std::move(id), lease = std::move(lease), failure = std::move(failure),
                      now](SqliteLedger& ledger) { return ledger.accept_unreadable(id, lease, failure, now); },
                     k_in_place);
}

ports::Async<std::uint64_t> AsyncLedger::save(ports::Commit commit, UtcTime now) {
    return run_save(std::make_shared<Save>(Save{std::move(commit), now, std::nullopt}));
}

ports::Async<ports::Taken> AsyncLedger::take(ports::TakeOrder order, UtcTime now) {
    return run<ports::Taken>([order = std::move(order), now](SqliteLedger& ledger) { return ledger.take(order, now); });
}

ports::Async<void> AsyncLedger::put_back(RequestId id) {
    return run<void>([id = std::move(id)](SqliteLedger& ledger) { return ledger.put_back(id); });
}

ports::Async<void> AsyncLedger::expect_end() {
    return run<void>([](SqliteLedger& ledger) { return ledger.expect_end(); });
}

ports::Async<std::vector<request::RequestRecord>> AsyncLedger::recover(UtcTime now) {
    return run<std::vector<request::RequestRecord>>([=](SqliteLedger& ledger) { return ledger.recover(now); });
}

ports::Async<std::uint64_t> AsyncLedger::pull_back(UtcTime now, std::chrono::seconds longest) {
    return run<std::uint64_t>([=](SqliteLedger& ledger) { return ledger.pull_back(now, longest); });
}

ports::Async<std::uint64_t> AsyncLedger::move_waits(UtcTime now, std::chrono::seconds jump) {
    return run<std::uint64_t>([=](SqliteLedger& ledger) { return ledger.move_waits(now, jump); });
}

ports::Async<std::vector<request::RequestRecord>> AsyncLedger::outbox(UtcTime now, std::size_t limit) {
    return run<std::vector<request::RequestRecord>>([=](SqliteLedger& ledger) { return ledger.outbox(now, limit); });
}

ports::Async<std::optional<request::RequestRecord>> AsyncLedger::get(RequestId id) {
    return run<std::optional<request::RequestRecord>>(
        [id = std::move(id)](SqliteLedger& ledger) { return ledger.get(id); });
}

ports::Async<std::vector<request::RequestRecord>> AsyncLedger::page(ports::PageFilter filter) {
    return run<std::vector<request::RequestRecord>>(
        [filter = std::move(filter)](SqliteLedger& ledger) { return ledger.page(filter); });
}

ports::Async<std::vector<request::RequestRecord>> AsyncLedger::open_of(UserId user, DeviceId device, UtcTime until) {
    return run<std::vector<request::RequestRecord>>(
        [user = std::move(user), device = std::move(device), until](SqliteLedger& ledger) {
            return ledger.open_of(user, device, until);
        });
}

ports::Async<std::vector<std::pair<RequestId, request::Lease>>> AsyncLedger::open_leases() {
    return run<std::vector<std::pair<RequestId, request::Lease>>>(
        [](SqliteLedger& ledger) { return ledger.open_leases(); });
}

ports::Async<void> AsyncLedger::renew_lease(RequestId id, request::Lease lease) {
    return run<void>(
        [id = std::move(id), lease = std::move(lease)](SqliteLedger& ledger) { return ledger.renew_lease(id, lease); });
}

ports::Async<std::vector<EndedIn>> AsyncLedger::ended_since(UtcTime since, std::chrono::seconds stretch) {
    return run<std::vector<EndedIn>>([=](SqliteLedger& ledger) { return ledger.ended_since(since, stretch); });
}

ports::Async<std::vector<request::RequestRecord>> AsyncLedger::failed_since(UtcTime since, std::size_t limit) {
    return run<std::vector<request::RequestRecord>>(
        [=](SqliteLedger& ledger) { return ledger.failed_since(since, limit); });
}

ports::Async<ports::Counts> AsyncLedger::counts() {
    return run<ports::Counts>([](SqliteLedger& ledger) { return ledger.counts(); });
}

ports::Async<void> AsyncLedger::purge(UtcTime now, UtcTime closed_before) {
    return run<void>([=](SqliteLedger& ledger) { return ledger.purge(now, closed_before); });
}

ports::Async<trust::RegisterView> AsyncLedger::look_up(DeviceId device, UserId user, std::string user_principal_name,
                                                       Sha256 spki, UtcTime now) {
    return run<trust::RegisterView>(
        [device = std::move(device), user = std::move(user), name = std::move(user_principal_name), spki,
         now](SqliteLedger& ledger) { return ledger.look_up(device, user, name, spki, now); });
}

ports::Async<std::vector<trust::Pin>> AsyncLedger::pins() {
    return run<std::vector<trust::Pin>>([](SqliteLedger& ledger) { return ledger.pins(); });
}

ports::Async<std::vector<std::optional<trust::Pin>>> AsyncLedger::bind(std::vector<trust::Pin> pins, bool replace) {
    return run<std::vector<std::optional<trust::Pin>>>(
        [pins = std::move(pins), replace](SqliteLedger& ledger) { return ledger.bind(pins, replace); });
}

ports::Async<std::optional<trust::Pin>> AsyncLedger::forget(DeviceId device) {
    return run<std::optional<trust::Pin>>(
        [device = std::move(device)](SqliteLedger& ledger) { return ledger.forget(device); });
}

ports::Async<std::vector<trust::Block>> AsyncLedger::blocks() {
    return run<std::vector<trust::Block>>([](SqliteLedger& ledger) { return ledger.blocks(); });
}

ports::Async<void> AsyncLedger::block(trust::Block block) {
    return run<void>([block = std::move(block)](SqliteLedger& ledger) { return ledger.block(block); });
}

ports::Async<void> AsyncLedger::approve(trust::Approval approval) {
    return run<void>([approval = std::move(approval)](SqliteLedger& ledger) { return ledger.approve(approval); });
}

ports::Async<void> AsyncLedger::vote(trust::Vote vote) {
    return run<void>([vote = std::move(vote)](SqliteLedger& ledger) { return ledger.vote(vote); });
}

ports::Async<std::vector<trust::Vote>> AsyncLedger::votes(RequestId request, UtcTime now) {
    return run<std::vector<trust::Vote>>(
        [request = std::move(request), now](SqliteLedger& ledger) { return ledger.votes(request, now); });
}

ports::Async<void> AsyncLedger::open_window(trust::EnrolmentWindow window) {
    return run<void>([window = std::move(window)](SqliteLedger& ledger) { return ledger.open_window(window); });
}

ports::Async<std::optional<trust::EnrolmentWindow>> AsyncLedger::window() {
    return run<std::optional<trust::EnrolmentWindow>>([](SqliteLedger& ledger) { return ledger.window(); });
}

ports::Async<std::vector<ports::IssuedCertificate>> AsyncLedger::issued(std::size_t limit) {
    return run<std::vector<ports::IssuedCertificate>>([=](SqliteLedger& ledger) { return ledger.issued(limit); });
}

ports::Async<std::optional<ports::IssuedCertificate>> AsyncLedger::find_issued(std::string issuer,
                                                                               std::string serial_number) {
    return run<std::optional<ports::IssuedCertificate>>(
        [issuer = std::move(issuer), serial = std::move(serial_number)](SqliteLedger& ledger) {
            return ledger.find_issued(issuer, serial);
        });
}

ports::Async<void> AsyncLedger::mark_revoked(Sha256 certificate, std::string reason, UtcTime now) {
    return run<void>([certificate, reason = std::move(reason), now](SqliteLedger& ledger) {
        return ledger.mark_revoked(certificate, reason, now);
    });
}

ports::Async<std::vector<ports::DeliveredImport>> AsyncLedger::deliveries_of(std::string user) {
    return run<std::vector<ports::DeliveredImport>>(
        [user = std::move(user)](SqliteLedger& ledger) { return ledger.deliveries_of(user); });
}

ports::Async<std::vector<ports::ExpiringImport>> AsyncLedger::expiring_imports(UtcTime now, UtcTime until) {
    return run<std::vector<ports::ExpiringImport>>(
        [now, until](SqliteLedger& ledger) { return ledger.expiring_imports(now, until); });
}

ports::Async<std::optional<ports::CurrentImport>> AsyncLedger::current_import(std::string person) {
    return run<std::optional<ports::CurrentImport>>(
        [person = std::move(person)](SqliteLedger& ledger) { return ledger.current_import(person); });
}

ports::Async<std::vector<trust::SignedList>> AsyncLedger::signed_lists(std::vector<std::string> owners,
                                                                       request::Purpose purpose) {
    return run<std::vector<trust::SignedList>>(
        [owners = std::move(owners), purpose](SqliteLedger& ledger) { return ledger.signed_lists(owners, purpose); });
}

ports::Async<void> AsyncLedger::keep_lists(std::vector<trust::SignedList> lists, UtcTime now) {
    return run<void>([lists = std::move(lists), now](SqliteLedger& ledger) { return ledger.keep_lists(lists, now); });
}

ports::Async<UtcTime> AsyncLedger::newest_time() {
    return run<UtcTime>([](SqliteLedger& ledger) { return ledger.newest_time(); });
}

ports::Async<void> AsyncLedger::note_time(UtcTime now) {
    return run<void>([now](SqliteLedger& ledger) { return ledger.note_time(now); });
}

ports::Async<void> AsyncLedger::stop_for_clock(std::string reason, UtcTime now) {
    return run<void>(
        [reason = std::move(reason), now](SqliteLedger& ledger) { return ledger.stop_for_clock(reason, now); });
}

ports::Async<void> AsyncLedger::accept_time(UtcTime now) {
    return run<void>([now](SqliteLedger& ledger) { return ledger.accept_time(now); });
}

ports::Async<std::vector<request::Stop>> AsyncLedger::stops() {
    return run<std::vector<request::Stop>>([](SqliteLedger& ledger) { return ledger.stops(); });
}

ports::Async<void> AsyncLedger::freeze(std::vector<request::Stop> stops) {
    return run<void>([stops = std::move(stops)](SqliteLedger& ledger) { return ledger.freeze(stops); });
}

ports::Async<std::vector<request::Stop>> AsyncLedger::thaw(std::vector<request::Kind> kinds, UtcTime now) {
    return run<std::vector<request::Stop>>(
        [kinds = std::move(kinds), now](SqliteLedger& ledger) { return ledger.thaw(kinds, now); });
}

ports::Async<void> AsyncLedger::raise(request::Raise raise) {
    return run<void>([raise = std::move(raise)](SqliteLedger& ledger) { return ledger.raise(raise); });
}

ports::Async<std::vector<request::Raise>> AsyncLedger::raises() {
    return run<std::vector<request::Raise>>([](SqliteLedger& ledger) { return ledger.raises(); });
}

ports::Async<std::vector<request::MeterUse>> AsyncLedger::meters(UtcTime now) {
    return run<std::vector<request::MeterUse>>([=](SqliteLedger& ledger) { return ledger.meters(now); });
}

ports::Async<void> AsyncLedger::count(request::Charge charge, UtcTime now) {
    return run<void>([charge = std::move(charge), now](SqliteLedger& ledger) { return ledger.count(charge, now); });
}

ports::Async<std::uint64_t> AsyncLedger::next_sequence(UtcTime now) {
    return run<std::uint64_t>([=](SqliteLedger& ledger) { return ledger.next_sequence(now); });
}

void AsyncLedger::set_audit_anchor(const AuditAnchor& anchor) {
    const std::lock_guard lock(mutex_);
    anchor_ = anchor;
}

ports::Async<void> AsyncLedger::flush() {
    return run<void>([](SqliteLedger& ledger) { return ledger.flush(); });
}

ports::Async<std::optional<AuditAnchor>> AsyncLedger::audit_anchor() {
    return run<std::optional<AuditAnchor>>([](SqliteLedger& ledger) { return ledger.audit_anchor(); });
}

ports::Async<std::uint64_t> AsyncLedger::generation() {
    return run<std::uint64_t>([](SqliteLedger& ledger) { return Result<std::uint64_t>(ledger.generation()); });
}

ports::Async<void> AsyncLedger::accept_as_found() {
    return run<void>([](SqliteLedger& ledger) { return ledger.accept_as_found(); });
}

ports::Async<void> AsyncLedger::suspect() {
    return run<void>([](SqliteLedger& ledger) { return ledger.suspect(); });
}

ports::Async<void> AsyncLedger::found_sound() {
    return run<void>([](SqliteLedger& ledger) { return ledger.found_sound(); });
}

ports::Async<std::string> AsyncLedger::quick_check() {
    return run<std::string>([](SqliteLedger& ledger) { return ledger.quick_check(); });
}

}  // namespace connector::storage
