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

Result<bool> SqliteLedger::any(std::string_view rest, const Values& parameters) {
    auto statement = database_.prepare("SELECT 1 FROM request " + std::string(rest) + " LIMIT 1");
    if (!statement) return statement.error();
    return statement->bind_all(parameters).step();
}

// The same row with another mark: a version of its own, so that whoever read it before cannot write over it.
Result<void> SqliteLedger::put_again(RequestRecord& record) {
    ++record.version;
    return rows_.put(tables::k_request, to_row(record));
}

Result<ports::Taken> SqliteLedger::take(const ports::TakeOrder& order, UtcTime now) {
    ports::Taken taken;
    const auto alone = any("WHERE deaths >= 2 AND " + std::string(k_workable) + " AND due_at<=?", {seconds_of(now)});
    if (!alone) return alone.error();
    taken.alone_waits = *alone;
    if (order.limit == 0) return taken;

    std::string rest = "WHERE " + std::string(k_workable) + " AND due_at<=? AND deaths" + (order.alone ? ">=2" : "<2");
    Values parameters{seconds_of(now)};
    std::string full;
    for (const auto& [authority, room] : order.room) {
        if (room != 0) continue;
        full += full.empty() ? "?" : ", ?";
        parameters.emplace_back(authority);
    }
    if (!full.empty()) rest += " AND (authority IS NULL OR authority NOT IN (" + full + "))";
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
    std::uint64_t pulled = 0;
    for (;;) {
        auto waiting =
            records("WHERE stage NOT IN ('held', 'closed') AND due_at>? LIMIT ?", {seconds_of(now + longest), k_chunk});
        if (!waiting) return waiting.error();
        if (waiting->empty()) break;
        const auto done = write([&]() -> Result<void> {
            for (auto& record : *waiting) {
                record.due_at = now;
                if (auto put = put_again(record); !put) return put;
            }
            return {};
        });
        if (!done) return done.error();
        pulled += waiting->size();
    }
    // A hold that began in the future would not end before it.
    const auto aged = age_holds(now);
    if (!aged) return aged.error();
    return pulled + *aged;
}

Result<std::uint64_t> SqliteLedger::age_holds(UtcTime now) {
    auto held = records("WHERE stage = 'held' AND held_since>?", {seconds_of(now)});
    if (!held) return held.error();
    if (held->empty()) return std::uint64_t{0};
    const auto done = write([&]() -> Result<void> {
        for (auto& record : *held) {
            record.held_since = now;
            if (auto put = put_again(record); !put) return put;
        }
        return {};
    });
    if (!done) return done.error();
    return held->size();
}

Result<std::vector<RequestRecord>> SqliteLedger::outbox(UtcTime now, std::size_t limit) {
    return records(
        "WHERE (stage IN ('packaged', 'refused') OR (stage = 'abandoned' AND outcome IS NULL)) AND due_at<=?"
        " ORDER BY due_at, rowid LIMIT ?",
        {seconds_of(now), static_cast<std::int64_t>(limit)});
}

}  // namespace connector::storage
