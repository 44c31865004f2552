#include "storage/sqlite_ledger.hpp"

#include "storage/ledger_transaction.hpp"
#include "storage/migration_steps.hpp"
#include "storage/schema.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <tuple>
#include <utility>

namespace connector::storage {

using ports::Commit;
using request::RequestRecord;
using request::Stage;

namespace {

constexpr int k_purge_chunk = 1000;
constexpr int k_purge_chunks_a_call = 20;  // the thread is not kept from its work for longer

Error conflict(const char* code, const RequestId& id, const char* what) {
    return {ErrorKind::conflict, code, id.text() + " " + what};
}

// Its report was taken, or nobody waits for one: there is no lease to keep.
bool needs_lease(Stage stage, bool reported) noexcept {
    return stage != Stage::closed && stage != Stage::revoking && !(stage == Stage::abandoned && reported);
}

}  // namespace

// What a save has to know of the row that it replaces. Not checked: it is overwritten as a whole by what was checked
// when it was read.
struct SqliteLedger::Prior {
    std::uint64_t version = 0;
    std::string stage;
    bool reported = false;
};

SqliteLedger::SqliteLedger(std::filesystem::path directory, Database database, const ports::Sealer& sealer,
                           QuarantineReport report)
    : directory_(std::move(directory)),
      database_(std::move(database)),
      rows_(database_, sealer, std::move(report)),
      book_(database_, rows_),
      stops_(database_, rows_) {
    rows_.keep(state_.digests);
}

// Best effort: what is lost is an anchor that lags, which its reader allows for.
SqliteLedger::~SqliteLedger() {
    const auto ignored = flush();
    static_cast<void>(ignored);
}

Result<std::unique_ptr<SqliteLedger>> SqliteLedger::open(const InstanceLock& lock, const ports::Sealer& sealer,
                                                         QuarantineReport report) {
    const bool unclean = storage::ended_unclean(lock.directory(), ledger_layout());
    auto layout = ledger_layout();
    std::optional<std::size_t> first_step;
    layout.complete_step = [&](Database& opened, std::size_t schema) -> Result<void> {
        if (!first_step) first_step = schema;
        return complete_step(opened, sealer, schema);
    };
    auto database = open_database(lock.directory(), layout);
    if (!database) return database.error();
    std::unique_ptr<SqliteLedger> ledger(
        new SqliteLedger(lock.directory(), std::move(*database), sealer, std::move(report)));
    ledger->ended_unclean_ = unclean;
    if (first_step && *first_step > 1) ledger->migrated_from_ = *first_step - 1;
    if (auto ready = ledger->take_stock(); !ready) return ready.error();
    ledger->written_->store(ledger->state_.generation);
    return ledger;
}

// Everything small is looked at before it is needed: a row whose key was edited is otherwise never met again.
Result<void> SqliteLedger::take_stock() {
    if (auto read = read_state(); !read) return read;
    if (auto compared = rows_.compare(); !compared) return compared;
    for (const auto* table :
         {&tables::k_pin, &tables::k_block, &tables::k_approval, &tables::k_window, &tables::k_vote}) {
        if (auto rows = rows_.list(*table, "", {}); !rows) return rows.error();
    }
    if (auto loaded = stops_.load(); !loaded) return loaded;
    if (auto sound = book_.verify(state_);
        !sound && (sound.error().kind != ErrorKind::integrity || sound.error().code == "storageCorrupt"))
        return sound;
    if (!state_sound_) book_.distrust();
    rows_.settle();
    stops_.judge(is_whole(tables::k_stop));
    for (const auto* table : tables::deciding())
        if (!is_whole(*table)) rows_.report(table->name, "*");
    return {};
}

// Under another key every row looks tampered with. They must stay where they are: with the right key they are sound.
Result<bool> SqliteLedger::anything_fits() {
    for (const auto* table : {&tables::k_request, &tables::k_pin, &tables::k_block, &tables::k_meter,
                              &tables::k_generated_key, &tables::k_issued, &tables::k_delivery}) {
        const auto rows = rows_.list(*table, "LIMIT 8", {});
        if (!rows) return rows.error();
        if (!rows->empty()) return true;
    }
    return false;
}

Result<void> SqliteLedger::read_state() {
    const auto rows = rows_.list(tables::k_state, "", {});
    if (!rows) return rows.error();
    if (rows->empty() && rows_.anything_noted()) {
        const auto fits = anything_fits();
        if (!fits) return fits.error();
        if (!*fits)
            return Error(ErrorKind::misconfigured, "sealingKeyWrong",
                         "nothing in the database fits this sealing key; it was made with another one");
    }
    if (!rows->empty()) {
        const auto state = state_from(rows->front());
        if (!state) return state.error();
        state_ = *state;
        state_sound_ = true;
        return {};
    }
    if (rows_.anything_noted()) return {};
    const auto fresh = is_new_file();
    if (!fresh) return fresh.error();
    state_sound_ = *fresh;
    if (!state_sound_) rows_.report(tables::k_state.name, "1");
    // Of the mark that the migration made.
    return state_sound_ ? rows_.take_as_found(tables::k_high_water) : Result<void>();
}

Result<bool> SqliteLedger::is_new_file() {
    const auto rows = database_.number(
        "SELECT EXISTS(SELECT 1 FROM request) + EXISTS(SELECT 1 FROM pin) + EXISTS(SELECT 1 FROM block)"
        " + EXISTS(SELECT 1 FROM issued) + EXISTS(SELECT 1 FROM generated_key) + EXISTS(SELECT 1 FROM meter)"
        " + EXISTS(SELECT 1 FROM meter_entry) + EXISTS(SELECT 1 FROM delivery) + EXISTS(SELECT 1 FROM stop)"
        " + EXISTS(SELECT 1 FROM signed_list) + EXISTS(SELECT 1 FROM quarantine)");
    if (!rows) return rows.error();
    return *rows == 0;
}

bool SqliteLedger::as_written() const noexcept {
    return !book_.distrusted() &&
           std::ranges::all_of(tables::deciding(), [this](const Table* table) { return is_whole(*table); });
}

// An unsound state is never written over: that would make a tampered file look well.
Result<void> SqliteLedger::write_state() {
    if (!state_sound_) return {};
    ++state_.generation;
    if (pending_anchor_) {
        state_.audit_seq = pending_anchor_->sequence;
        state_.audit_link = pending_anchor_->link;
    }
    return rows_.put(tables::k_state, to_row(state_));
}

// That other pages can still be written says nothing of the one that is damaged.
void SqliteLedger::note_damage(const Error& error) {
    if (damage_ || error.code != "storageCorrupt") return;
    damage_ = error;
    // Best effort: this process works nothing any more in any case, and the next one may meet the page itself.
    const auto marked = suspect();
    static_cast<void>(marked);
}

void SqliteLedger::settle() {
    if (!rows_.anything_noted()) return;
    rows_.settle();
    stops_.judge(is_whole(tables::k_stop));
}

Result<std::optional<RequestRecord>> SqliteLedger::find(const RequestId& id) {
    const auto row = rows_.get(tables::k_request, {id.text()});
    if (!row) return row.error();
    if (!*row) return std::optional<RequestRecord>();
    auto record = request_from(**row);
    if (!record) {
        rows_.condemn(tables::k_request, **row);
        return record.error();
    }
    auto lease = lease_of(id);
    if (!lease) return lease.error();
    record->lease = std::move(*lease);
    return std::optional<RequestRecord>(std::move(*record));
}

// A lease that is gone or unsound is an empty one; the service gives another, and accept() takes it over.
Result<request::Lease> SqliteLedger::lease_of(const RequestId& id) {
    const auto row = rows_.get(tables::k_lease, {id.text()});
    if (!row && row.error().kind != ErrorKind::integrity) return row.error();
    if (!row || !*row) return request::Lease{};
    auto lease = lease_from(**row);
    if (!lease) return lease.error();
    return std::move(lease->second);
}

Result<void> SqliteLedger::put_lease(const RequestId& id, const request::Lease& lease) {
    return rows_.put(tables::k_lease, to_row(id, lease));
}

Result<std::vector<RequestRecord>> SqliteLedger::records(std::string_view rest, const Values& parameters) {
    return read([&]() -> Result<std::vector<RequestRecord>> {
        auto rows = rows_.list(tables::k_request, rest, parameters);
        if (!rows) return rows.error();
        std::vector<RequestRecord> records;
        records.reserve(rows->size());
        for (auto& row : *rows) {
            auto record = request_from(row);
            if (!record) {
                rows_.condemn(tables::k_request, std::move(row));
                continue;
            }
            auto lease = lease_of(record->request.id);
            if (!lease) return lease.error();
            record->lease = std::move(*lease);
            records.push_back(std::move(*record));
        }
        return records;
    });
}

// For the successor of an unsound row: above every version that it can have had, so that no older save fits. The
// column may lie, the number of transactions does not.
Result<std::uint64_t> SqliteLedger::version_beyond(const RequestId& id) {
    const auto prior = prior_of(id);
    if (!prior) return prior.error();  // an I/O error has ended the transaction
    const auto stated = *prior ? (*prior)->version : 0;
    return std::max(stated, state_.generation + 1) + 1;
}

Result<std::optional<SqliteLedger::Prior>> SqliteLedger::prior_of(const RequestId& id) {
    auto statement = database_.prepare("SELECT version, stage, outcome IS NOT NULL FROM request WHERE id=?");
    if (!statement) return statement.error();
    const auto found = statement->bind(1, std::string_view(id.text())).step();
    if (!found) return found.error();
    if (!*found) return std::optional<Prior>();
    return std::optional(
        Prior{static_cast<std::uint64_t>(statement->integer(0)), statement->text(1), statement->integer(2) != 0});
}

Result<std::uint64_t> SqliteLedger::save_one(const Commit& commit, UtcTime now) {
    const auto& id = commit.record.request.id;
    const auto prior = prior_of(id);
    if (!prior) return prior.error();
    if (!*prior) return conflict("requestUnknown", id, "is not in the ledger");
    // Over, but for a certificate that came after its end and has to be revoked.
    const bool late = commit.record.stage == Stage::revoking && !commit.record.certificate.empty();
    if ((*prior)->stage == to_string(Stage::closed) && !late) return conflict("requestClosed", id, "is over");
    if ((*prior)->version != commit.record.version) return conflict("requestChanged", id, "was changed meanwhile");

    const auto charges = as_raised(commit.charges, now);
    const auto room = book_.check(charges, now, state_);
    if (!room && room.error().kind == ErrorKind::integrity) return room.error();
    if (auto may = may_act(commit); !may) return may.error();
    if (!room) return room.error();
    if (auto done = save_claims(commit, now); !done) return done.error();
    for (const auto& charge : charges) {
        if (!charge.takes) continue;
        if (auto done = book_.count(charge, now, state_); !done) return done.error();
        if (auto done = trip_beyond(charge, now); !done) return done.error();
    }
    auto record = commit.record;
    ++record.version;
    record.updated_at = now;
    record.in_work = record.in_work && !end_expected_;
    if (auto done = rows_.put(tables::k_request, to_row(record)); !done) return done.error();
    if (!needs_lease(record.stage, record.outcome.has_value())) {
        if (auto done = rows_.remove(tables::k_lease, {id.text()}); !done) return done.error();
    }
    const bool taken = record.outcome == "accepted" || record.outcome == "duplicate";
    if (taken && !(*prior)->reported) ++(record.failure ? state_.failed : state_.delivered);
    return record.version;
}

std::vector<Result<std::uint64_t>> SqliteLedger::save_many(const std::vector<Commit>& commits,
                                                           const std::vector<UtcTime>& now) {
    std::vector<Result<std::uint64_t>> answers;
    answers.reserve(commits.size());
    // Refusals too: they may rest on what a neighbour wrote that is undone now.
    const auto all_fail = [&](const Error& error) { answers.assign(commits.size(), Result<std::uint64_t>(error)); };
    if (damage_) {
        all_fail(*damage_);
        return answers;
    }
    const auto before = state_;
    auto stopped_before = stops_.memory();
    bool kept = false;
    {
        auto transaction = Transaction::begin(database_);
        if (!transaction) {
            note_damage(transaction.error());
            all_fail(transaction.error());
            return answers;
        }
        bool anything = false;
        bool asked = false;
        for (std::size_t i = 0; i < commits.size() && database_.in_transaction(); ++i) {
            auto answer = in_savepoint([&] { return save_one(commits[i], now[i]); });
            anything = anything || answer.has_value();
            // What it asked for beyond a limit stays, though nothing of the commit itself does.
            if (!answer && answer.error().code == "limitReached" && database_.in_transaction()) {
                const auto noted = in_savepoint([&] { return note_asked(commits[i], now[i]); });
                if (!noted) answer = Result<std::uint64_t>(noted.error());
                asked = asked || noted.has_value();
            }
            answers.push_back(std::move(answer));
        }
        // Full or failing disk: SQLite has undone the whole group.
        if (!database_.in_transaction()) all_fail(answers.back().error());
        auto committed = [&]() -> Result<void> {
            if (!(anything || asked) || !database_.in_transaction()) return {};
            if (auto written = write_state(); !written) return written;
            if (auto done = transaction->commit(); !done) return done;
            pending_anchor_.reset();
            book_.committed();
            written_->store(state_.generation);
            return {};
        }();
        if (!committed) all_fail(committed.error());
        kept = committed && asked;
    }
    for (const auto& answer : answers) {
        kept = kept || answer.has_value();
        if (!answer) note_damage(answer.error());
    }
    if (!kept) {
        state_ = before;
        stops_.restore(std::move(stopped_before));
        book_.rolled_back();
        book_.committed();
    }
    settle();
    return answers;
}

Result<std::uint64_t> SqliteLedger::save(const Commit& commit, UtcTime now) {
    auto answers = save_many({commit}, {now});
    return std::move(answers.front());
}

Result<std::optional<RequestRecord>> SqliteLedger::get(const RequestId& id) {
    return read([&]() -> Result<std::optional<RequestRecord>> {
        auto found = find(id);
        if (!found || *found) return found;
        const auto quarantined = rows_.is_quarantined(tables::k_request.name, {id.text()});
        if (!quarantined) return quarantined.error();
        if (*quarantined)
            return Error(ErrorKind::integrity, "rowTampered", "request " + id.text() + " is in quarantine");
        return found;
    });
}

// An open stage is looked for among the open ones; the unary + keeps the planner from walking all closed rows by id.
Result<std::vector<RequestRecord>> SqliteLedger::page(const ports::PageFilter& filter) {
    const bool among_open = filter.stage && *filter.stage != Stage::closed;
    const std::string columns =
        " AND (?3 IS NULL OR user_id=?3 OR user_principal_name=?3)"
        " AND (?4 IS NULL OR device_id=?4 COLLATE NOCASE) AND (?5 IS NULL OR accepted_at>=?5)";
    const auto rest = among_open
                          ? "WHERE stage <> 'closed' AND stage=?2 AND +id>?1" + columns + " ORDER BY +id LIMIT ?6"
                          : "WHERE id>?1 AND (?2 IS NULL OR stage=?2)" + columns + " ORDER BY id LIMIT ?6";
    const auto stage = filter.stage ? Value(std::string(to_string(*filter.stage))) : Value();
    const auto user = filter.user ? Value(*filter.user) : Value();
    const auto device = filter.device ? Value(*filter.device) : Value();
    const auto since = filter.since ? Value(seconds_of(*filter.since)) : Value();
    return records(rest, {filter.after, stage, user, device, since, static_cast<std::int64_t>(filter.limit)});
}

Result<std::vector<RequestRecord>> SqliteLedger::open_of(const UserId& user, const DeviceId& device, UtcTime until) {
    return records(
        "WHERE stage <> 'closed' AND user_id=? AND device_id=? COLLATE NOCASE AND created_at<=?"
        " ORDER BY created_at, id",
        {user.text(), device.text(), seconds_of(until)});
}

Result<std::vector<std::pair<RequestId, request::Lease>>> SqliteLedger::open_leases() {
    using Leases = std::vector<std::pair<RequestId, request::Lease>>;
    return read([&]() -> Result<Leases> {
        const auto rows = rows_.list(tables::k_lease, "ORDER BY request", {});
        if (!rows) return rows.error();
        // The lease of a quarantined request is let go: once it has run out, the service sends the order anew.
        auto orphans = database_.prepare("SELECT request FROM lease WHERE request NOT IN (SELECT id FROM request)");
        if (!orphans) return orphans.error();
        std::set<std::string, std::less<>> let_go;
        for (;;) {
            const auto row = orphans->step();
            if (!row) return row.error();
            if (!*row) break;
            let_go.insert(orphans->text(0));
        }
        Leases leases;
        leases.reserve(rows->size());
        for (const auto& row : *rows) {
            auto lease = lease_from(row);
            if (!lease) return lease.error();
            if (let_go.contains(lease->first.text())) continue;
            leases.push_back(std::move(*lease));
        }
        return leases;
    });
}

Result<void> SqliteLedger::renew_lease(const RequestId& id, const request::Lease& lease) {
    return write([&]() -> Result<void> {
        const auto prior = prior_of(id);
        if (!prior) return prior.error();
        const auto stage = *prior ? request::parse_stage((*prior)->stage) : std::nullopt;
        if (!stage || !needs_lease(*stage, (*prior)->reported))
            return conflict("requestNotOpen", id, "has no lease to renew");
        return put_lease(id, lease);
    });
}

Result<std::uint64_t> SqliteLedger::next_sequence(UtcTime now) {
    const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(0, seconds_of(now))) * 1000;
    return write([&]() -> Result<std::uint64_t> {
        state_.sequence = std::max(state_.sequence + 1, milliseconds);
        return state_.sequence;
    });
}

Result<void> SqliteLedger::flush() {
    if (!pending_anchor_) return {};
    return write([]() -> Result<void> { return {}; });
}

Result<std::optional<AuditAnchor>> SqliteLedger::audit_anchor() const {
    if (pending_anchor_) return pending_anchor_;
    if (!state_sound_) {
        return Error(ErrorKind::integrity, "stateTampered", "the ledger's state row is not what was stored");
    }
    if (state_.audit_seq == 0) return std::optional<AuditAnchor>();
    return std::optional(AuditAnchor{state_.audit_seq, state_.audit_link});
}

Result<std::string> SqliteLedger::quick_check() {
    return storage::quick_check(database_);
}

Result<void> SqliteLedger::found_sound() {
    if (damage_) return *damage_;
    return clear_suspicion(directory_);
}

Result<bool> SqliteLedger::purge_closed(UtcTime closed_before) {
    return write([&]() -> Result<bool> {
        // Read through their checks: a row edited into `closed` is reported before it disappears.
        const auto rows = rows_.list(tables::k_request, "WHERE stage = 'closed' AND updated_at<? LIMIT ?",
                                     {seconds_of(closed_before), std::int64_t{k_purge_chunk}});
        if (!rows) return rows.error();
        for (const auto& row : *rows) {
            if (auto done = rows_.remove(tables::k_request, {row.front()}); !done) return done.error();
        }
        return rows->size() == static_cast<std::size_t>(k_purge_chunk);
    });
}

Result<void> SqliteLedger::purge(UtcTime now, UtcTime closed_before) {
    for (int chunk = 0; chunk < k_purge_chunks_a_call; ++chunk) {
        const auto more = purge_closed(closed_before);
        if (!more) return more.error();
        if (!*more) break;
    }
    return write([&]() -> Result<void> {
        constexpr auto k_register = std::chrono::days{400};  // after the certificate's end
        constexpr auto k_keys =
            std::chrono::days{400 + 3 * 365};  // the longest certificate, and as long again as its row
        const std::array<std::tuple<const Table*, const char*, UtcTime>, 5> old{
            {{&tables::k_approval, "WHERE expires<?", now},
             {&tables::k_issued, "WHERE not_after<?", now - k_register},
             {&tables::k_delivered_certificate, "WHERE max(not_after, delivered_at)<?", now - k_register},
             {&tables::k_delivery,
              "WHERE delivered_at<? AND NOT EXISTS(SELECT 1 FROM delivered_certificate AS held WHERE "
              "held.user_id=delivery.user_id AND held.device=delivery.device AND held.purpose=delivery.purpose)",
              now - k_register},
             {&tables::k_generated_key, "WHERE made_at<?", now - k_keys}}};
        for (const auto& [table, where, before] : old)
            if (auto done = rows_.remove_where(*table, where, {seconds_of(before)}); !done) return done;
        if (auto done = stops_.purge(now); !done) return done;
        return book_.purge(now, state_);
    });
}

}  // namespace connector::storage
