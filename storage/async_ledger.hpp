// AsyncLedger: the port's face of SqliteLedger. Coroutines hand a job to the thread `cc-ledger` and come back on their
// own executor; saves that gather while one commit is running are committed together.
// Cancellation does not reach a job: what was asked for is done and answered, saves above all. A caller that is to
// learn the answer while it is being cancelled turns throwing off (this_coro::throw_if_cancelled(false)).
//
// Beyond what ports/ledger.hpp says: kind unavailable, code ledgerBusy, where `queue_limit` jobs wait already.
//
// Destroy it before the io_context of its callers, or after that one's run() has ended by itself (each waiting job
// holds the context's work; stop() would leave them behind). The destructor finishes what is queued, posts the answers
// and joins; nothing may be asked of it from then on.
#pragma once

#include "storage/sqlite_ledger.hpp"

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

namespace connector::storage {

class AsyncLedger final : public ports::Ledger {
public:
    // The ledger is used on the new thread only from here on, and destroyed there; its quarantine report is called
    // there.
    AsyncLedger(std::unique_ptr<SqliteLedger> ledger, std::size_t queue_limit);
    AsyncLedger(const AsyncLedger&) = delete;
    AsyncLedger& operator=(const AsyncLedger&) = delete;
    ~AsyncLedger() override;

    ports::Async<std::vector<ports::Intake>> accept(std::vector<ports::LeasedRequest> batch, UtcTime now) override;
    ports::Async<void> accept_unreadable(RequestId id, LeaseId lease, request::Failure failure, UtcTime now) override;
    ports::Async<std::uint64_t> save(ports::Commit commit, UtcTime now) override;
    ports::Async<ports::Taken> take(ports::TakeOrder order, UtcTime now) override;
    ports::Async<void> put_back(RequestId id) override;
    ports::Async<void> expect_end() override;
    ports::Async<std::vector<request::RequestRecord>> recover(UtcTime now) override;
    ports::Async<std::uint64_t> pull_back(UtcTime now, std::chrono::seconds longest) override;
    ports::Async<std::uint64_t> move_waits(UtcTime now, std::chrono::seconds jump) override;
    ports::Async<std::vector<request::RequestRecord>> outbox(UtcTime now, std::size_t limit) override;
    ports::Async<std::optional<request::RequestRecord>> get(RequestId id) override;
    ports::Async<std::vector<request::RequestRecord>> page(ports::PageFilter filter) override;
    ports::Async<std::vector<request::RequestRecord>> open_of(UserId user, DeviceId device, UtcTime until) override;
    ports::Async<std::vector<std::pair<RequestId, request::Lease>>> open_leases() override;
    ports::Async<void> renew_lease(RequestId id, request::Lease lease) override;
    ports::Async<ports::Counts> counts() override;
    ports::Async<void> purge(UtcTime now, UtcTime closed_before) override;

    ports::Async<trust::RegisterView> look_up(DeviceId device, UserId user, std::string user_principal_name,
                                              Sha256 spki, UtcTime now) override;
    ports::Async<std::vector<trust::Pin>> pins() override;
    ports::Async<std::vector<std::optional<trust::Pin>>> bind(std::vector<trust::Pin> pins, bool replace) override;
    ports::Async<std::optional<trust::Pin>> forget(DeviceId device) override;
    ports::Async<std::vector<trust::Block>> blocks() override;
    ports::Async<void> block(trust::Block block) override;
    ports::Async<void> approve(trust::Approval approval) override;
    ports::Async<void> vote(trust::Vote vote) override;
    ports::Async<std::vector<trust::Vote>> votes(RequestId request, UtcTime now) override;
    ports::Async<void> open_window(trust::EnrolmentWindow window) override;
    ports::Async<std::optional<trust::EnrolmentWindow>> window() override;

    ports::Async<std::vector<ports::IssuedCertificate>> issued(std::size_t limit) override;
    ports::Async<std::optional<ports::IssuedCertificate>> find_issued(std::string issuer,
                                                                      std::string serial_number) override;
    ports::Async<void> mark_revoked(Sha256 certificate, std::string reason, UtcTime now) override;

    ports::Async<std::vector<ports::DeliveredImport>> deliveries_of(std::string user) override;
    ports::Async<std::vector<ports::ExpiringImport>> expiring_imports(UtcTime now, UtcTime until) override;

    ports::Async<std::optional<ports::CurrentImport>> current_import(std::string person) override;
    ports::Async<std::vector<trust::SignedList>> signed_lists(std::vector<std::string> owners,
                                                              request::Purpose purpose) override;
    ports::Async<void> keep_lists(std::vector<trust::SignedList> lists, UtcTime now) override;
    ports::Async<UtcTime> newest_time() override;
    ports::Async<void> note_time(UtcTime now) override;
    ports::Async<void> stop_for_clock(std::string reason, UtcTime now) override;
    ports::Async<void> accept_time(UtcTime now) override;

    ports::Async<std::vector<request::Stop>> stops() override;
    ports::Async<void> freeze(std::vector<request::Stop> stops) override;
    ports::Async<std::vector<request::Stop>> thaw(std::vector<request::Kind> kinds, UtcTime now) override;
    ports::Async<void> raise(request::Raise raise) override;
    ports::Async<std::vector<request::Raise>> raises() override;

    ports::Async<std::vector<request::MeterUse>> meters(UtcTime now) override;
    ports::Async<void> count(request::Charge charge, UtcTime now) override;
    ports::Async<std::uint64_t> next_sequence(UtcTime now) override;

    // For people, beside the port: the engine needs no history.
    ports::Async<std::vector<EndedIn>> ended_since(UtcTime since, std::chrono::seconds stretch);
    ports::Async<std::vector<request::RequestRecord>> failed_since(UtcTime since, std::size_t limit);

    // Beyond the port.
    // Any thread, at once; on disk with the next commit group, at the latest with flush() or the destructor.
    void set_audit_anchor(const AuditAnchor& anchor);
    ports::Async<void> flush();
    ports::Async<std::optional<AuditAnchor>> audit_anchor();
    ports::Async<std::uint64_t> generation();
    ports::Async<void> accept_as_found();
    ports::Async<std::string> quick_check();
    ports::Async<void> suspect();
    ports::Async<void> found_sound();

private:
    struct Save;
    class Job;
    template <class Handler>
    class JobOf;
    using Task = std::function<void(SqliteLedger&)>;

    template <class T, class Work>
    ports::Async<T> run(Work work, bool in_place = false);
    ports::Async<std::uint64_t> run_save(std::shared_ptr<Save> save);
    boost::asio::awaitable<bool> hand_over(Task task, std::shared_ptr<Save> save, bool in_place);
    // Null where it was taken, else the job, which the full queue gives back.
    [[nodiscard]] std::unique_ptr<Job> enqueue(std::unique_ptr<Job> job);
    void serve();
    // No other than the first of them keeps its place.
    void work(std::span<const std::unique_ptr<Job>> jobs);
    void commit_group(std::span<const std::unique_ptr<Job>> jobs);

    std::unique_ptr<SqliteLedger> ledger_;
    const std::size_t queue_limit_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::vector<std::unique_ptr<Job>> queue_;
    std::optional<AuditAnchor> anchor_;
    bool stopping_ = false;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace connector::storage
