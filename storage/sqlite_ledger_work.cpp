// SqliteLedger: who works on what. A record is marked before it is handed out, so that the end of the process is known
// to have been a death for it; what rests again loses the mark in the commit that brings it to rest.
#include "core/request/machine.hpp"
#include "storage/ledger_transaction.hpp"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace connector::storage {

using request::RequestRecord;

namespace {

// Literally as in the indexes request_due and request_alone, or SQLite does not use them.
constexpr std::string_view k_workable = "stage NOT IN ('packaged', 'refused', 'held', 'abandoned', 'closed')";
static_assert(request::k_deaths_until_alone == 2, "as in the index request_alone");

// No character of an id needs escaping.
std::string json_array(const std::vector<RequestId>& ids) {
    std::string text = "[";
    for (const auto& id : ids) text.append(text.size() == 1 ? "\"" : ",\"").append(id.text()).append("\"");
    return text + "]";
}

}  // namespace

// "" where nothing is stopped, else the condition that leaves it out. Revoking is a kind of its own, whatever the
// request was.
std::string SqliteLedger::not_stopped(Values& parameters) const {
    std::string kinds;
    for (const auto kind : request::all_kinds()) {
        if (kind == request::Kind::certificate_revoke || !stops_.is_stopped(kind)) continue;
        kinds += kinds.empty() ? "?" : ", ?";
        parameters.emplace_back(std::string(to_string(kind)));
    }
    std::string condition;
    if (!kinds.empty()) condition = " AND (stage = 'revoking' OR kind NOT IN (" + kinds + "))";
    if (stops_.is_stopped(request::Kind::certificate_revoke))
        condition += " AND stage <> 'revoking' AND kind <> 'certificate.revoke'";
    return condition;
}

Result<bool> SqliteLedger::any(std::string_view rest, const Values& parameters) {
    return read([&]() -> Result<bool> {
        auto statement = database_.prepare("SELECT 1 FROM request " + std::string(rest) + " LIMIT 1");
        if (!statement) return statement.error();
        return statement->bind_all(parameters).step();
    });
}

// The same row with another mark: a version of its own, so that whoever read it before cannot write over it.
Result<void> SqliteLedger::put_again(RequestRecord& record) {
    ++record.version;
    return rows_.put(tables::k_request, to_row(record));
}

Result<ports::Taken> SqliteLedger::take(const ports::TakeOrder& order, UtcTime now) {
    ports::Taken taken;
    if (end_expected_) return taken;
    Values parameters{seconds_of(now)};
    std::string has_room;
    for (const auto& [authority, room] : order.room) {
        if (room != 0) continue;
        has_room += has_room.empty() ? " AND (authority IS NULL OR authority NOT IN (?" : ", ?";
        parameters.emplace_back(authority);
    }
    if (!has_room.empty()) has_room += "))";
    const std::string may = has_room + not_stopped(parameters);
    // One that cannot be worked now keeps nobody else from working.
    const auto alone = any("WHERE deaths >= 2 AND " + std::string(k_workable) + " AND due_at<=?" + may, parameters);
    if (!alone) return alone.error();
    taken.alone_waits = *alone;
    if (order.limit == 0) return taken;

    std::string rest =
        "WHERE " + std::string(k_workable) + " AND due_at<=? AND deaths" + (order.alone ? ">=2" : "<2") + may;
    // Here and not afterwards: what is in work is due as well, comes first, and would be read, checked and thrown away
    // with every taking.
    rest += " AND id NOT IN (SELECT value FROM json_each(?)) ORDER BY due_at, rowid LIMIT ?";
    parameters.emplace_back(json_array(order.busy));
    parameters.emplace_back(static_cast<std::int64_t>(order.limit));
    auto due = records(rest, parameters);
    if (!due) return due.error();

    auto room = order.room;
    for (auto& record : *due) {
        if (const auto* profile = record.request.profile(); profile != nullptr) {
            if (const auto limited = room.find(profile->authority); limited != room.end()) {
                if (limited->second == 0) {
                    taken.passed_over = true;
                    continue;
                }
                --limited->second;
            }
        }
        taken.records.push_back(std::move(record));
    }
    if (taken.records.empty()) return taken;
    return write([&]() -> Result<ports::Taken> {
        for (auto& record : taken.records) {
            record.in_work = true;
            if (auto done = put_again(record); !done) return done.error();
        }
        return std::move(taken);
    });
}

Result<void> SqliteLedger::put_back(const RequestId& id) {
    return write([&]() -> Result<void> {
        auto found = find(id);
        if (!found) return found.error();
        if (!*found || !(*found)->in_work) return {};
        (*found)->in_work = false;
        return put_again(**found);
    });
}

// The version stays: their workers still have them, and save what they have begun.
Result<void> SqliteLedger::expect_end() {
    end_expected_ = true;
    auto were = records("WHERE in_work <> 0", {});
    if (!were) return were.error();
    if (were->empty()) return {};
    return write([&]() -> Result<void> {
        for (auto& record : *were) {
            record.in_work = false;
            if (auto done = rows_.put(tables::k_request, to_row(record)); !done) return done.error();
        }
        return {};
    });
}

Result<std::vector<RequestRecord>> SqliteLedger::recover(UtcTime now) {
    auto were = records("WHERE in_work <> 0", {});
    if (!were || were->empty()) return were;
    return write([&]() -> Result<std::vector<RequestRecord>> {
        std::vector<RequestRecord> recovered;
        for (auto& record : *were) {
            auto& one = recovered.emplace_back(request::recover(std::move(record), now));
            if (auto done = put_again(one); !done) return done.error();
        }
        return recovered;
    });
}

Result<std::uint64_t> SqliteLedger::pull_back(UtcTime now, std::chrono::seconds longest) {
    constexpr std::int64_t k_chunk = 500;
    constexpr std::uint64_t k_spread = 900;
    std::uint64_t pulled = 0;
    for (;;) {
        auto waiting =
            records("WHERE stage NOT IN ('held', 'closed') AND due_at>? LIMIT ?", {seconds_of(now + longest), k_chunk});
        if (!waiting) return waiting.error();
        if (waiting->empty()) break;
        const auto done = write([&]() -> Result<void> {
            for (auto& record : *waiting) {
                record.due_at = now + std::chrono::seconds{pulled++ % k_spread};
                if (auto put = put_again(record); !put) return put;
            }
            return {};
        });
        if (!done) return done.error();
    }
    // A hold that began in the future would not end before it.
    const auto aged = age_holds(now);
    if (!aged) return aged.error();
    return pulled + *aged;
}

Result<std::uint64_t> SqliteLedger::move_waits(UtcTime now, std::chrono::seconds jump) {
    using std::chrono::seconds;
    constexpr std::int64_t k_chunk = 500;
    // What was saved since the jump goes by the new clock: the look at the clock comes within seconds of it, and this
    // call may wait for the disk.
    constexpr seconds k_look{30};
    constexpr seconds k_wait{300};
    const auto before = now - jump;
    const auto earlier = std::min(before, now);  // what was due by the old clock is due by the new one
    const auto moved_to = [&](UtcTime when) { return std::max(std::min(when, before) + jump, UtcTime{}); };
    std::uint64_t moved = 0;
    std::int64_t last = 0;
    for (;;) {
        auto ids = database_.prepare(
            "SELECT rowid, id FROM request WHERE stage <> 'closed' AND rowid > ?1 AND updated_at NOT BETWEEN ?2 AND ?3 "
            "AND (due_at > ?4 OR failing_since IS NOT NULL OR held_since IS NOT NULL) ORDER BY rowid LIMIT ?5");
        if (!ids) return ids.error();
        ids->bind(1, last).bind(2, seconds_of(now - k_look)).bind(3, seconds_of(now + k_wait));
        ids->bind(4, seconds_of(earlier)).bind(5, k_chunk);
        std::vector<RequestId> chunk;
        for (;;) {
            const auto row = ids->step();
            if (!row) return row.error();
            if (!*row) break;
            last = ids->integer(0);
            if (auto id = RequestId::parse(ids->text(1))) chunk.push_back(std::move(*id));
        }
        if (chunk.empty()) return moved;
        const auto done = write([&]() -> Result<void> {
            for (const auto& id : chunk) {
                auto found = find(id);
                if (!found) return found.error();
                if (!*found) continue;  // its row was edited, and is set aside by whoever looks for it
                auto& record = **found;
                if (record.due_at > earlier) record.due_at = std::max(record.due_at + jump, now);
                record.updated_at = moved_to(record.updated_at);
                if (record.failing_since) record.failing_since = moved_to(*record.failing_since);
                if (record.waiting_since) record.waiting_since = moved_to(*record.waiting_since);
                if (auto put = put_again(record); !put) return put;
                ++moved;
            }
            return {};
        });
        if (!done) return done.error();
    }
}

Result<std::uint64_t> SqliteLedger::age_holds(UtcTime now) {
    auto held = records("WHERE stage IN ('held', 'packaged') AND held_since>?", {seconds_of(now)});
    if (!held) return held.error();
    if (held->empty()) return std::uint64_t{0};
    const auto done = write([&]() -> Result<void> {
        for (auto& record : *held) {
            record.waiting_since = now;
            if (auto put = put_again(record); !put) return put;
        }
        return {};
    });
    if (!done) return done.error();
    return held->size();
}

Result<std::vector<RequestRecord>> SqliteLedger::outbox(UtcTime now, std::size_t limit) {
    Values parameters{seconds_of(now)};
    // A failure may always be told.
    std::string kinds;
    for (const auto kind : request::all_kinds()) {
        if (!stops_.is_stopped(kind)) continue;
        kinds += kinds.empty() ? "?" : ", ?";
        parameters.emplace_back(std::string(to_string(kind)));
    }
    if (!kinds.empty()) kinds = " AND (stage <> 'packaged' OR kind NOT IN (" + kinds + "))";
    parameters.emplace_back(static_cast<std::int64_t>(limit));
    return records(
        "WHERE (stage IN ('packaged', 'refused') OR (stage = 'abandoned' AND outcome IS NULL)) AND due_at<=?" + kinds +
            " ORDER BY due_at, rowid LIMIT ?",
        parameters);
}

}  // namespace connector::storage
