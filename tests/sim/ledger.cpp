#include "tests/sim/ledger.hpp"

#include "tests/sim/process.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <utility>

namespace connector::sim {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using request::Stage;
using storage::SqliteLedger;

namespace {

Error gone() {
    return {ErrorKind::cancelled, "processGone", "this process is no more"};
}

bool is_outbox(const Shadow& record) noexcept {
    return record.stage == Stage::packaged || record.stage == Stage::refused ||
           (record.stage == Stage::abandoned && !record.reported);
}
bool is_worked(const Shadow& record) noexcept {
    return !is_outbox(record) && record.stage != Stage::held && !record.rests();
}

Shadow shadow_of(const request::RequestRecord& record) {
    return {record.stage,
            record.due_at,
            record.csr,
            record.submission_nonce,
            record.certificate,
            record.lease.id,
            record.outcome.has_value(),
            record.in_work};
}

}  // namespace

// Saves that wait for one commit.
struct SimLedger::Group {
    std::vector<ports::Commit> commits;
    std::vector<UtcTime> times;
    std::vector<Result<std::uint64_t>> answers;
    bool done = false;
};

SimLedger::SimLedger(Process& process, Random random) : process_(process), random_(random) {}
SimLedger::~SimLedger() {
    close();
}

bool SimLedger::open() {
    auto lock = storage::InstanceLock::acquire(process_.home.directory, storage::InstanceLock::Holder::daemon);
    if (!lock) {
        process_.world.judge.broken("the state directory can be taken again", lock.error().message);
        return false;
    }
    lock_.emplace(std::move(*lock));
    auto& judge = process_.world.judge;
    auto opened =
        SqliteLedger::open(*lock_, process_.world.sealer, [&judge](std::string_view table, std::string_view key) {
            judge.broken("no row is ever found tampered", std::string(table) + " " + std::string(key));
        });
    if (!opened) {
        judge.broken("the ledger opens again after a crash", opened.error().message);
        return false;
    }
    file_ = std::move(*opened);
    read_shadow();
    return true;
}

void SimLedger::read_shadow() {
    constexpr std::size_t k_all = 100000;
    ports::PageFilter everything;
    everything.limit = k_all;
    const auto page = file_->page(everything);
    if (!page) {
        process_.world.judge.broken("the ledger can be read after a crash", page.error().message);
        return;
    }
    for (const auto& record : *page) shadow_[record.request.id] = shadow_of(record);
}

void SimLedger::crash() {
    if (!file_) return;
    namespace fs = std::filesystem;
    const auto& directory = process_.home.directory;
    const auto database = directory / "connector.db";
    const auto log = directory / "connector.db-wal";
    fs::copy_file(database, directory / "left.db", fs::copy_options::overwrite_existing);
    const bool has_log = fs::exists(log);
    if (has_log) fs::copy_file(log, directory / "left.wal", fs::copy_options::overwrite_existing);
    // Closing writes the log back and drops it; that a dead process does not do, so the files are put back as they
    // were.
    close();
    fs::rename(directory / "left.db", database);
    fs::remove(directory / "connector.db-shm");
    fs::remove(log);
    if (has_log) fs::rename(directory / "left.wal", log);
}

void SimLedger::close() {
    file_.reset();
    lock_.reset();
}

bool SimLedger::is_open(const RequestId& id) const {
    const auto found = shadow_.find(id);
    return found != shadow_.end() && !found->second.rests();
}

bool SimLedger::anything(UtcTime now, bool outbox) const {
    return std::any_of(shadow_.begin(), shadow_.end(), [&](const auto& entry) {
        const auto& one = entry.second;
        return one.due_at <= now && (outbox ? is_outbox(one) : is_worked(one));
    });
}

void SimLedger::wrote() {
    counts_.reset();
    leases_.reset();
    meters_.reset();
}

std::optional<Error> SimLedger::trouble(Point point, Use use) {
    auto& world = process_.world;
    const bool writes = use == Use::writes;
    const Error full(ErrorKind::unavailable, "storageFull", "SQLite 13: database or disk is full");
    const Error broken(ErrorKind::unavailable, "storageUnavailable", "SQLite 10: disk I/O error");
    const Error busy(ErrorKind::unavailable, "storageBusy", "SQLite 5: database is locked");
    const auto fails = [&](Fault fault, const Error& error) {
        process_.hit(fault);
        world.trace.line(process_.name() + " " + std::string(to_string(point)) + ": " + error.code);
        return std::optional<Error>(error);
    };
    if (writes && world.is_down(Fault::disk_full, process_.home.index)) return fails(Fault::disk_full, full);
    if (world.is_down(Fault::disk_io_error, process_.home.index)) return fails(Fault::disk_io_error, broken);
    if (!world.troubled()) return std::nullopt;
    // Certificates that wait to be packed are rare; here many come to it.
    constexpr unsigned k_number_fails = 250;
    const bool often = point == Point::ledger_next_sequence && world.scenario.rare_stages != 0;
    if (!random_.chance(often ? k_number_fails : static_cast<unsigned>(world.scenario.disk))) return std::nullopt;
    const auto dice = random_.below(3);
    if (dice == 0 && writes) return fails(Fault::disk_full, full);
    if (dice == 1 && writes) return fails(Fault::disk_busy, busy);
    return fails(Fault::disk_io_error, broken);
}

// One idle look is like the next, and there are several a second: in each life the first two of a kind are swept.
bool SimLedger::is_swept(Point point, Use use) {
    const auto now = process_.utc();
    const bool idle = use == Use::looks && !(point == Point::ledger_take && anything(now, false)) &&
                      !(point == Point::ledger_outbox && anything(now, true));
    constexpr unsigned k_enough = 2;
    return !idle || ++idle_looks_[static_cast<std::size_t>(point)] <= k_enough;
}

asio::awaitable<std::optional<Error>> SimLedger::enter(Point point, Use use) {
    auto& world = process_.world;
    if (process_.dead()) co_return gone();
    ++world.tally.ledger_calls;
    const bool swept = is_swept(point, use) && world.sweeps(0);
    if (process_.ends_at(point, Moment::before)) co_return gone();
    if (use == Use::writes) world.active();
    // Idle looks come back at once nine times in ten: nothing hangs on their order.
    constexpr unsigned k_slow_looks = 100;
    if (use != Use::looks || random_.chance(k_slow_looks)) {
        const bool slow = world.troubled() && random_.chance(static_cast<unsigned>(world.scenario.slow_disk));
        const std::chrono::microseconds taken{slow ? random_.between(500'000, 30'000'000) : random_.between(20, 4000)};
        const auto asked = asked_.insert(process_.tick());
        auto pausing = process_.pause(taken);
        co_await std::move(pausing);
        asked_.erase(asked);
        if (process_.dead()) co_return gone();
    }
    if (swept && world.scenario.sweep_how < 2) {
        process_.hit(world.scenario.sweep_how == 0 ? Fault::disk_full : Fault::disk_io_error);
        co_return Error(ErrorKind::unavailable, world.scenario.sweep_how == 0 ? "storageFull" : "storageUnavailable",
                        "swept");
    }
    if (swept && world.scenario.sweep_how == 2) {
        process_.die("the sweep, before " + std::string(to_string(point)));
        co_return gone();
    }
    if (swept && world.scenario.sweep_how == 3) swept_ = point;
    co_return trouble(point, use);
}

std::optional<Tick> SimLedger::asked_at() const {
    if (asked_.empty()) return std::nullopt;
    return *asked_.begin();
}

bool SimLedger::leave(Point point) {
    if (swept_ == point) {
        swept_.reset();
        process_.die("the sweep, after " + std::string(to_string(point)));
        return true;
    }
    return process_.ends_at(point, Moment::after);
}

template <class T, class Work>
ports::Async<T> SimLedger::run(Point point, Use use, Work work) {
    auto entering = enter(point, use);
    auto error = co_await std::move(entering);
    if (error) co_return std::move(*error);
    auto answer = work(*file_);
    if (use == Use::writes) wrote();
    if (leave(point)) co_return gone();
    co_return answer;
}

void SimLedger::committed(const ports::Commit& commit) {
    auto& world = process_.world;
    const auto& record = commit.record;
    const auto before = shadow_.find(record.request.id);
    world.judge.committed(process_, commit, before == shadow_.end() ? nullptr : &before->second);
    world.judge.counted(process_, commit);
    if (!record.csr.empty()) world.csr_owners.emplace(record.csr, std::pair(process_.home.index, record.request.id));
    if (!record.certificate.empty())
        for (auto& authority : world.authorities)
            for (auto& entry : authority->entries)
                if (entry.certificate == record.certificate) entry.durably_known = true;
    if (!record.authority_request_id.empty() && record.request.profile() != nullptr)
        for (auto& authority : world.authorities)
            if (authority->options().name == record.request.profile()->authority)
                if (auto* entry = authority->named(record.authority_request_id)) entry->named = true;
    if (record.stage == Stage::held) world.note_held(process_.home, record.request.id);
    // A save does not write the lease.
    const LeaseId lease = before == shadow_.end() ? record.lease.id : before->second.lease;
    auto& shadow = shadow_[record.request.id] = shadow_of(record);
    shadow.lease = lease;
    world.trace.line(process_.name() + " saves " + record.request.id.text() + " " +
                     std::string(to_string(record.stage)));
}

bool SimLedger::act(const ports::Commit& commit) {
    if (!file_) return false;
    const auto saved = file_->save(commit, process_.utc());
    if (saved) committed(commit);
    wrote();
    return saved.has_value();
}

ports::Async<std::vector<ports::Intake>> SimLedger::accept(std::vector<ports::LeasedRequest> batch, UtcTime now) {
    auto work = [this, batch = std::move(batch), now](SqliteLedger& file) {
        auto taken = file.accept(batch, now);
        for (std::size_t i = 0; taken && i < batch.size(); ++i) {
            process_.world.trace.line(process_.name() + " accepts " + batch[i].request.id.text() + " " +
                                      std::to_string(static_cast<int>((*taken)[i])));
            if ((*taken)[i] == ports::Intake::created) {
                const auto before = shadow_.find(batch[i].request.id);
                const bool set_apart = before != shadow_.end() && before->second.stage != Stage::closed;
                shadow_[batch[i].request.id] = Shadow{Stage::accepted, now, {}, {}, {}, {}, false};
                if (set_apart) {
                    process_.world.trace.line(process_.name() + " sets the orphan of " + batch[i].request.id.text() +
                                              " apart");
                    read_shadow();
                }
            }
            if ((*taken)[i] != ports::Intake::order_changed) {
                shadow_[batch[i].request.id].lease = batch[i].lease.id;
                process_.told_lost.erase(batch[i].request.id);
            }
        }
        return taken;
    };
    return run<std::vector<ports::Intake>>(Point::ledger_accept, Use::writes, std::move(work));
}

ports::Async<void> SimLedger::accept_unreadable(RequestId id, LeaseId lease, request::Failure failure, UtcTime now) {
    auto work = [this, id = std::move(id), lease = std::move(lease), failure = std::move(failure),
                 now](SqliteLedger& file) {
        auto done = file.accept_unreadable(id, lease, failure, now);
        if (done) {
            const auto before = shadow_.find(id);
            const bool set_apart = before != shadow_.end() && before->second.stage != Stage::closed;
            const auto record = file.get(id);
            if (record && *record) shadow_[id] = shadow_of(**record);
            if (set_apart) read_shadow();
        }
        return done;
    };
    return run<void>(Point::ledger_accept_unreadable, Use::writes, std::move(work));
}

ports::Async<std::uint64_t> SimLedger::save(ports::Commit commit, UtcTime now) {
    auto entering = enter(Point::ledger_save, Use::writes);
    auto error = co_await std::move(entering);
    if (error) co_return std::move(*error);
    const bool leads = !group_;
    if (leads) group_ = std::make_shared<Group>();
    const auto group = group_;
    const std::size_t place = group->commits.size();
    group->commits.push_back(std::move(commit));
    group->times.push_back(now);
    if (leads) {
        if (random_.chance(500)) {
            auto pausing = process_.pause(std::chrono::microseconds{random_.between(1, 5000)});
            co_await std::move(pausing);
        }
        group_.reset();
        if (!process_.dead()) {
            group->answers = file_->save_many(group->commits, group->times);
            for (std::size_t i = 0; i < group->answers.size(); ++i)
                if (group->answers[i]) committed(group->commits[i]);
            wrote();
        }
        group->done = true;
    }
    while (!group->done && !process_.dead()) {
        auto pausing = process_.pause(1ms);
        co_await std::move(pausing);
    }
    if (process_.dead() || leave(Point::ledger_save)) co_return gone();
    co_return group->answers[place];
}

ports::Async<ports::Taken> SimLedger::take(ports::TakeOrder order, UtcTime now) {
    auto work = [this, order = std::move(order), now](SqliteLedger& file) -> Result<ports::Taken> {
        const bool idle = !anything(now, false);
        if (idle && random_.below(16) != 0) return ports::Taken{};
        auto taken = file.take(order, now);
        if (taken && idle && !taken->records.empty()) process_.world.judge.broken("the shadow is the ledger's", "take");
        if (taken && !taken->records.empty()) process_.world.active();
        for (std::size_t i = 0; taken && i < taken->records.size(); ++i)
            shadow_[taken->records[i].request.id].in_work = true;
        return taken;
    };
    return run<ports::Taken>(Point::ledger_take, Use::looks, std::move(work));
}

ports::Async<void> SimLedger::put_back(RequestId id) {
    auto work = [this, id = std::move(id)](SqliteLedger& file) {
        auto put = file.put_back(id);
        if (put) shadow_[id].in_work = false;
        return put;
    };
    return run<void>(Point::ledger_put_back, Use::writes, std::move(work));
}

ports::Async<void> SimLedger::expect_end() {
    auto work = [this](SqliteLedger& file) {
        end_expected_ = true;
        return file.expect_end();
    };
    return run<void>(Point::ledger_put_back, Use::writes, std::move(work));
}

ports::Async<std::vector<request::RequestRecord>> SimLedger::recover(UtcTime now) {
    auto work = [this, now](SqliteLedger& file) {
        auto recovered = file.recover(now);
        if (recovered)
            for (const auto& record : *recovered) {
                shadow_[record.request.id] = shadow_of(record);
                process_.world.trace.line(process_.name() + " recovers " + record.request.id.text() + " " +
                                          std::string(to_string(record.stage)) + ", deaths " +
                                          std::to_string(record.deaths));
            }
        return recovered;
    };
    return run<std::vector<request::RequestRecord>>(Point::ledger_recover, Use::writes, std::move(work));
}

ports::Async<std::uint64_t> SimLedger::pull_back(UtcTime now, std::chrono::seconds longest) {
    auto work = [this, now, longest](SqliteLedger& file) {
        auto pulled = file.pull_back(now, longest);
        if (!pulled || *pulled != 0) read_shadow();
        return pulled;
    };
    return run<std::uint64_t>(Point::ledger_pull_back, Use::writes, std::move(work));
}

ports::Async<std::uint64_t> SimLedger::move_waits(UtcTime now, std::chrono::seconds jump) {
    auto work = [this, now, jump](SqliteLedger& file) {
        auto moved = file.move_waits(now, jump);
        if (!moved || *moved != 0) read_shadow();
        return moved;
    };
    return run<std::uint64_t>(Point::ledger_pull_back, Use::writes, std::move(work));
}

ports::Async<std::vector<request::RequestRecord>> SimLedger::outbox(UtcTime now, std::size_t limit) {
    auto work = [this, now, limit](SqliteLedger& file) -> Result<std::vector<request::RequestRecord>> {
        const bool idle = !anything(now, true);
        if (idle && random_.below(16) != 0) return std::vector<request::RequestRecord>();
        auto found = file.outbox(now, limit);
        if (found && idle && !found->empty()) process_.world.judge.broken("the shadow is the ledger's", "outbox");
        if (found && !found->empty()) process_.world.active();
        return found;
    };
    return run<std::vector<request::RequestRecord>>(Point::ledger_outbox, Use::looks, std::move(work));
}

ports::Async<std::optional<request::RequestRecord>> SimLedger::get(RequestId id) {
    return run<std::optional<request::RequestRecord>>(
        Point::ledger_get, Use::reads, [id = std::move(id)](SqliteLedger& file) { return file.get(id); });
}

ports::Async<std::vector<request::RequestRecord>> SimLedger::page(ports::PageFilter filter) {
    auto work = [this, filter = std::move(filter)](SqliteLedger& file) -> Result<std::vector<request::RequestRecord>> {
        const bool none = filter.stage && std::none_of(shadow_.begin(), shadow_.end(), [&](const auto& entry) {
                              return entry.second.stage == *filter.stage;
                          });
        if (none && random_.below(16) != 0) return std::vector<request::RequestRecord>();
        return file.page(filter);
    };
    return run<std::vector<request::RequestRecord>>(Point::ledger_page, Use::looks, std::move(work));
}

ports::Async<std::vector<request::RequestRecord>> SimLedger::open_of(UserId user, DeviceId device, UtcTime until) {
    return run<std::vector<request::RequestRecord>>(
        Point::ledger_open_of, Use::reads,
        [user = std::move(user), device = std::move(device), until](SqliteLedger& file) {
            return file.open_of(user, device, until);
        });
}

ports::Async<std::vector<std::pair<RequestId, request::Lease>>> SimLedger::open_leases() {
    using Leases = std::vector<std::pair<RequestId, request::Lease>>;
    return run<Leases>(Point::ledger_open_leases, Use::looks, [this](SqliteLedger& file) -> Result<Leases> {
        if (leases_) return *leases_;
        auto found = file.open_leases();
        if (found) leases_ = *found;
        return found;
    });
}

ports::Async<void> SimLedger::renew_lease(RequestId id, request::Lease lease) {
    return run<void>(
        Point::ledger_other, Use::writes,
        [id = std::move(id), lease = std::move(lease)](SqliteLedger& file) { return file.renew_lease(id, lease); });
}

ports::Async<ports::Counts> SimLedger::counts() {
    return run<ports::Counts>(Point::ledger_counts, Use::looks, [this](SqliteLedger& file) -> Result<ports::Counts> {
        if (counts_) return *counts_;
        auto found = file.counts();
        if (found) counts_ = *found;
        return found;
    });
}

ports::Async<void> SimLedger::purge(UtcTime now, UtcTime closed_before) {
    return run<void>(Point::ledger_purge, Use::reads, [this, now, closed_before](SqliteLedger& file) {
        auto done = file.purge(now, closed_before);
        wrote();
        shadow_.clear();
        read_shadow();
        return done;
    });
}

ports::Async<trust::RegisterView> SimLedger::look_up(DeviceId device, UserId user, std::string user_principal_name,
                                                     Sha256 spki, UtcTime now) {
    auto work = [this, device = std::move(device), user = std::move(user), name = std::move(user_principal_name), spki,
                 now](SqliteLedger& file) {
        auto view = file.look_up(device, user, name, spki, now);
        if (view) process_.world.judge.looked_up(process_, device, user, spki, view->block.has_value());
        return view;
    };
    return run<trust::RegisterView>(Point::ledger_look_up, Use::reads, std::move(work));
}

ports::Async<std::vector<trust::Pin>> SimLedger::pins() {
    return run<std::vector<trust::Pin>>(Point::ledger_other, Use::reads,
                                        [](SqliteLedger& file) { return file.pins(); });
}
ports::Async<std::vector<std::optional<trust::Pin>>> SimLedger::bind(std::vector<trust::Pin> pins, bool replace) {
    return run<std::vector<std::optional<trust::Pin>>>(
        Point::ledger_other, Use::writes,
        [pins = std::move(pins), replace](SqliteLedger& file) { return file.bind(pins, replace); });
}
ports::Async<std::optional<trust::Pin>> SimLedger::forget(DeviceId device) {
    return run<std::optional<trust::Pin>>(
        Point::ledger_other, Use::writes,
        [device = std::move(device)](SqliteLedger& file) { return file.forget(device); });
}
ports::Async<std::vector<trust::Block>> SimLedger::blocks() {
    return run<std::vector<trust::Block>>(Point::ledger_other, Use::reads,
                                          [](SqliteLedger& file) { return file.blocks(); });
}
ports::Async<void> SimLedger::block(trust::Block block) {
    return run<void>(Point::ledger_other, Use::writes,
                     [block = std::move(block)](SqliteLedger& file) { return file.block(block); });
}
ports::Async<void> SimLedger::approve(trust::Approval approval) {
    return run<void>(Point::ledger_other, Use::writes,
                     [approval = std::move(approval)](SqliteLedger& file) { return file.approve(approval); });
}
ports::Async<void> SimLedger::vote(trust::Vote vote) {
    return run<void>(Point::ledger_other, Use::writes,
                     [vote = std::move(vote)](SqliteLedger& file) { return file.vote(vote); });
}
ports::Async<std::vector<trust::Vote>> SimLedger::votes(RequestId request, UtcTime now) {
    return run<std::vector<trust::Vote>>(
        Point::ledger_votes, Use::reads,
        [request = std::move(request), now](SqliteLedger& file) { return file.votes(request, now); });
}
ports::Async<void> SimLedger::open_window(trust::EnrolmentWindow window) {
    return run<void>(Point::ledger_other, Use::writes,
                     [window = std::move(window)](SqliteLedger& file) { return file.open_window(window); });
}
ports::Async<std::optional<trust::EnrolmentWindow>> SimLedger::window() {
    return run<std::optional<trust::EnrolmentWindow>>(Point::ledger_other, Use::reads,
                                                      [](SqliteLedger& file) { return file.window(); });
}
ports::Async<std::vector<ports::IssuedCertificate>> SimLedger::issued(std::size_t limit) {
    return run<std::vector<ports::IssuedCertificate>>(Point::ledger_other, Use::reads,
                                                      [limit](SqliteLedger& file) { return file.issued(limit); });
}
ports::Async<std::optional<ports::IssuedCertificate>> SimLedger::find_issued(std::string issuer,
                                                                             std::string serial_number) {
    return run<std::optional<ports::IssuedCertificate>>(
        Point::ledger_other, Use::reads,
        [issuer = std::move(issuer), serial = std::move(serial_number)](SqliteLedger& file) {
            return file.find_issued(issuer, serial);
        });
}
ports::Async<void> SimLedger::mark_revoked(Sha256 certificate, std::string reason, UtcTime now) {
    return run<void>(Point::ledger_mark_revoked, Use::writes,
                     [certificate, reason = std::move(reason), now](SqliteLedger& file) {
                         return file.mark_revoked(certificate, reason, now);
                     });
}

ports::Async<std::vector<ports::DeliveredImport>> SimLedger::deliveries_of(std::string user) {
    return run<std::vector<ports::DeliveredImport>>(
        Point::ledger_other, Use::reads,
        [user = std::move(user)](SqliteLedger& file) { return file.deliveries_of(user); });
}

ports::Async<std::vector<ports::ExpiringImport>> SimLedger::expiring_imports(UtcTime now, UtcTime until) {
    return run<std::vector<ports::ExpiringImport>>(
        Point::ledger_expiring_imports, Use::looks,
        [now, until](SqliteLedger& file) { return file.expiring_imports(now, until); });
}

ports::Async<std::optional<ports::CurrentImport>> SimLedger::current_import(std::string person) {
    return run<std::optional<ports::CurrentImport>>(
        Point::ledger_current_import, Use::reads,
        [person = std::move(person)](SqliteLedger& file) { return file.current_import(person); });
}

ports::Async<std::vector<trust::SignedList>> SimLedger::signed_lists(std::vector<std::string> owners,
                                                                     request::Purpose purpose) {
    return run<std::vector<trust::SignedList>>(
        Point::ledger_other, Use::reads,
        [owners = std::move(owners), purpose](SqliteLedger& file) { return file.signed_lists(owners, purpose); });
}
ports::Async<void> SimLedger::keep_lists(std::vector<trust::SignedList> lists, UtcTime now) {
    return run<void>(Point::ledger_other, Use::writes,
                     [lists = std::move(lists), now](SqliteLedger& file) { return file.keep_lists(lists, now); });
}
ports::Async<UtcTime> SimLedger::newest_time() {
    return run<UtcTime>(Point::ledger_other, Use::reads, [](SqliteLedger& file) { return file.newest_time(); });
}
ports::Async<void> SimLedger::note_time(UtcTime now) {
    return run<void>(Point::ledger_other, Use::writes, [now](SqliteLedger& file) { return file.note_time(now); });
}
ports::Async<void> SimLedger::stop_for_clock(std::string reason, UtcTime now) {
    return run<void>(Point::ledger_other, Use::writes, [reason = std::move(reason), now](SqliteLedger& file) {
        return file.stop_for_clock(reason, now);
    });
}
ports::Async<void> SimLedger::accept_time(UtcTime now) {
    return run<void>(Point::ledger_other, Use::writes, [now](SqliteLedger& file) { return file.accept_time(now); });
}

ports::Async<std::vector<request::Stop>> SimLedger::stops() {
    // From memory, once a second: nothing hangs on when.
    if (process_.dead()) co_return gone();
    co_return file_->stops();
}
// What the operator has said, and is in force already.
ports::Async<void> SimLedger::freeze(std::vector<request::Stop> stops) {
    auto work = [this, stops = std::move(stops)](SqliteLedger& file) {
        auto done = file.freeze(stops);
        if (done)
            for (const auto& stop : stops) process_.home.frozen.insert(stop.kind);
        return done;
    };
    return run<void>(Point::ledger_freeze, Use::writes, std::move(work));
}
ports::Async<std::vector<request::Stop>> SimLedger::thaw(std::vector<request::Kind> kinds, UtcTime now) {
    return run<std::vector<request::Stop>>(
        Point::ledger_other, Use::writes,
        [kinds = std::move(kinds), now](SqliteLedger& file) { return file.thaw(kinds, now); });
}
ports::Async<void> SimLedger::raise(request::Raise raise) {
    return run<void>(Point::ledger_other, Use::writes,
                     [raise = std::move(raise)](SqliteLedger& file) { return file.raise(raise); });
}
ports::Async<std::vector<request::Raise>> SimLedger::raises() {
    return run<std::vector<request::Raise>>(Point::ledger_other, Use::reads,
                                            [](SqliteLedger& file) { return file.raises(); });
}

ports::Async<std::vector<request::MeterUse>> SimLedger::meters(UtcTime now) {
    auto work = [this, now](SqliteLedger& file) -> Result<std::vector<request::MeterUse>> {
        if (meters_ && now >= meters_at_ && now - meters_at_ < 60s) return *meters_;
        auto found = file.meters(now);
        if (found) meters_ = *found;
        meters_at_ = now;
        return found;
    };
    return run<std::vector<request::MeterUse>>(Point::ledger_meters, Use::looks, std::move(work));
}

ports::Async<void> SimLedger::count(request::Charge charge, UtcTime now) {
    return run<void>(Point::ledger_count, Use::writes,
                     [charge = std::move(charge), now](SqliteLedger& file) { return file.count(charge, now); });
}

ports::Async<std::uint64_t> SimLedger::next_sequence(UtcTime now) {
    return run<std::uint64_t>(Point::ledger_next_sequence, Use::writes,
                              [now](SqliteLedger& file) { return file.next_sequence(now); });
}

}  // namespace connector::sim
