// The ledger's port over the real SqliteLedger, on one thread: a call takes simulated time, may fail, and the process
// may be gone before or after it. Saves that meet are one group commit, as in AsyncLedger. What was not committed is
// lost. A shadow of stage, due time and secrets is kept from what was committed; it answers the engine's idle looks
// (one in sixteen is held against the database), tells the judge what is durable, and is built anew from the file after
// a crash.
#pragma once

#include "core/ports/ledger.hpp"
#include "storage/instance_lock.hpp"
#include "storage/sqlite_ledger.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/tally.hpp"

#include <boost/asio/awaitable.hpp>

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace connector::sim {

class Process;

struct Shadow {
    request::Stage stage = request::Stage::accepted;
    UtcTime due_at;
    Bytes csr;
    Bytes nonce;
    Bytes certificate;
    LeaseId lease;
    bool reported = false;  // abandoned, and the service knows
    bool in_work = false;

    [[nodiscard]] bool rests() const noexcept {
        return stage == request::Stage::closed || (stage == request::Stage::abandoned && reported);
    }
};

class SimLedger final : public ports::Ledger {
public:
    SimLedger(Process& process, Random random);
    ~SimLedger() override;

    // Opens the connector's file; false where it does not open, which is a broken invariant.
    [[nodiscard]] bool open();
    // The file as it is at this moment; nothing is written any more, not even on closing.
    void crash();
    void close();
    [[nodiscard]] storage::SqliteLedger* file() noexcept { return file_.get(); }
    [[nodiscard]] const std::map<RequestId, Shadow>& shadow() const noexcept { return shadow_; }
    [[nodiscard]] bool is_open(const RequestId& id) const;
    // What is in work carries no mark any more.
    [[nodiscard]] bool end_expected() const noexcept { return end_expected_; }
    // A local act, outside the engine: commits and keeps the shadow.
    bool act(const ports::Commit& commit);

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

    // Since when the call waits that has waited longest.
    [[nodiscard]] std::optional<Tick> asked_at() const;

private:
    struct Group;
    enum class Use { reads, looks, writes };

    template <class T, class Work>
    ports::Async<T> run(Point point, Use use, Work work);
    // Before the file is asked: waits, dies or fails.
    [[nodiscard]] boost::asio::awaitable<std::optional<Error>> enter(Point point, Use use);
    [[nodiscard]] std::optional<Error> trouble(Point point, Use use);
    [[nodiscard]] bool is_swept(Point point, Use use);
    // True where the process ended with the call.
    [[nodiscard]] bool leave(Point point);
    void committed(const ports::Commit& commit);
    [[nodiscard]] bool anything(UtcTime now, bool outbox) const;
    void wrote();
    void read_shadow();

    Process& process_;
    Random random_;
    std::optional<storage::InstanceLock> lock_;
    std::unique_ptr<storage::SqliteLedger> file_;
    bool end_expected_ = false;
    std::multiset<Tick> asked_;  // calls that the disk has not answered
    std::map<RequestId, Shadow> shadow_;
    std::shared_ptr<Group> group_;
    std::optional<Point> swept_;  // the process is to end after this call
    std::optional<ports::Counts> counts_;
    std::optional<std::vector<std::pair<RequestId, request::Lease>>> leases_;
    std::optional<std::vector<request::MeterUse>> meters_;
    UtcTime meters_at_;
    std::array<unsigned, k_points + 1> idle_looks_{};
};

}  // namespace connector::sim
