#include "storage/meter_book.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_set>

namespace connector::storage {
namespace {

// Before the name of a meter: what was asked for beyond its limit.
constexpr std::string_view k_asked = "asked:";

bool in_window(const MeterEntry& entry, std::chrono::seconds window, UtcTime now) {
    return entry.at > now - window;
}

}  // namespace

Error MeterBook::tampered(const std::string& name, const std::string& what) {
    if (reported_.insert(name).second) rows_->report(tables::k_meter.name, name);
    return {ErrorKind::integrity, "meterTampered", "meter " + name + ": " + what};
}

Result<void> MeterBook::verify(const LedgerState& state) {
    tampered_ = true;
    auto heads = rows_->list(tables::k_meter, "ORDER BY name, scope", {});
    if (!heads) return heads.error();
    std::uint64_t total = 0;
    for (const auto& row : *heads) {
        const auto head = meter_from(row);
        if (!head) return head.error();
        total += head->last;
    }
    if (heads->size() != state.meters || total != state.meter_total) {
        return tampered("*", std::to_string(heads->size()) + " meters with " + std::to_string(total) +
                                 " entries, not " + std::to_string(state.meters) + " with " +
                                 std::to_string(state.meter_total));
    }
    tampered_ = false;
    return {};
}

Result<MeterBook::Meter*> MeterBook::load(const std::string& name, const std::string& scope, const LedgerState& state) {
    if (tampered_) return Error(ErrorKind::integrity, "meterTampered", "the meters are not what was stored");
    const auto known = meters_.find({name, scope});
    if (known != meters_.end()) return &known->second;

    Meter meter;
    meter.head.name = name;
    meter.head.scope = scope;
    const auto row = rows_->get(tables::k_meter, {name, scope});
    if (!row) return row.error();
    if (*row) {
        auto head = meter_from(**row);
        if (!head) return head.error();
        meter.head = std::move(*head);
        meter.stored = true;
    } else {
        // A new meter, unless its head was taken away.
        const auto heads = database_->number("SELECT count(*) FROM meter");
        if (!heads) return heads.error();
        if (static_cast<std::uint64_t>(*heads) != state.meters) return tampered(name, "its head is gone");
    }
    const auto rows = rows_->list(tables::k_meter_entry, "WHERE meter=? AND scope=? ORDER BY n", {name, scope});
    if (!rows) return rows.error();
    for (const auto& entry_row : *rows) {
        auto entry = meter_entry_from(entry_row);
        if (!entry) return entry.error();
        if (entry->n != meter.head.first + meter.entries.size()) return tampered(name, "its entries have a gap");
        meter.entries.push_back(std::move(*entry));
    }
    if (meter.head.first + meter.entries.size() != meter.head.last + 1)
        return tampered(name, "its last entries are gone");
    return &meters_.emplace(std::pair(name, scope), std::move(meter)).first->second;
}

std::uint64_t MeterBook::used(const Meter& meter, UtcTime now) {
    const auto counts = [&](const MeterEntry& entry) { return in_window(entry, meter.head.window, now); };
    if (!meter.head.distinct) return static_cast<std::uint64_t>(std::ranges::count_if(meter.entries, counts));
    std::unordered_set<std::string_view> subjects;
    for (const auto& entry : meter.entries) {
        if (counts(entry)) subjects.insert(entry.subject);
    }
    return subjects.size();
}

Result<void> MeterBook::check(const std::vector<request::Charge>& charges, UtcTime now, const LedgerState& state) {
    // What earlier charges of the same commit will take of the same meter.
    std::map<std::pair<std::string, std::string>, std::unordered_set<std::string>> coming;
    std::map<std::pair<std::string, std::string>, std::uint64_t> plain;
    for (const auto& charge : charges) {
        auto loaded = load(charge.meter, charge.scope, state);
        if (!loaded) return loaded.error();
        if (charge.limit == 0 || charge.waived) continue;
        std::unordered_set<std::string_view> subjects;
        std::uint64_t in_use = 0;
        std::optional<UtcTime> oldest;
        for (const auto& entry : (*loaded)->entries) {
            if (!in_window(entry, charge.window, now)) continue;
            oldest = oldest ? std::min(*oldest, entry.at) : entry.at;
            ++in_use;
            if (charge.distinct) subjects.insert(entry.subject);
        }
        const auto key = std::pair(charge.meter, charge.scope);
        if (charge.distinct) {
            auto& others = coming[key];
            const bool counted_already = subjects.contains(charge.subject) || others.contains(charge.subject);
            in_use = subjects.size() + others.size();
            if (!counted_already) others.insert(charge.subject);
            if (counted_already) continue;
        } else {
            in_use += charge.takes ? plain[key]++ : plain[key];
        }
        if (in_use < charge.limit) continue;
        Error error(ErrorKind::throttled, "limitReached",
                    charge.meter + ": " + std::to_string(in_use) + " of " + std::to_string(charge.limit) + " used");
        if (oldest) error.retry_after = std::max(std::chrono::seconds{1}, *oldest + charge.window - now);
        return error;
    }
    return {};
}

Result<void> MeterBook::count(const request::Charge& charge, UtcTime now, LedgerState& state) {
    auto loaded = load(charge.meter, charge.scope, state);
    if (!loaded) return loaded.error();
    auto& meter = **loaded;
    meter.head.window = charge.window;
    meter.head.limit = charge.limit;
    meter.head.distinct = charge.distinct;
    // A known subject is written again: it leaves the window with its last use, not with its first.
    touched_ = true;
    const MeterEntry entry{meter.head.last + 1, charge.subject, now};
    if (auto done = rows_->put(tables::k_meter_entry, to_row(meter.head, entry)); !done) return done;
    meter.head.last = entry.n;
    meter.entries.push_back(entry);
    if (auto done = rows_->put(tables::k_meter, to_row(meter.head)); !done) return done;
    if (!meter.stored) ++state.meters;
    meter.stored = true;
    ++state.meter_total;
    return {};
}

// As check() finds it for one charge alone.
bool MeterBook::is_over(const Meter& meter, const request::Charge& charge, UtcTime now) const {
    if (charge.limit == 0 || charge.waived) return false;
    std::uint64_t in_use = 0;
    std::unordered_set<std::string_view> subjects;
    for (const auto& entry : meter.entries) {
        if (!in_window(entry, charge.window, now)) continue;
        ++in_use;
        if (charge.distinct) subjects.insert(entry.subject);
    }
    if (!charge.distinct) return in_use >= charge.limit;
    return !subjects.contains(charge.subject) && subjects.size() >= charge.limit;
}

Result<void> MeterBook::note_asked(const request::Charge& charge, UtcTime now, LedgerState& state) {
    const auto meter = load(charge.meter, charge.scope, state);
    if (!meter) return meter.error();
    if (!is_over(**meter, charge, now)) return {};
    auto asked = charge;
    asked.meter = std::string(k_asked) + charge.meter;
    asked.distinct = true;
    const auto known = load(asked.meter, asked.scope, state);
    if (!known) return known.error();
    const bool again = std::ranges::any_of((*known)->entries, [&](const MeterEntry& entry) {
        return entry.subject == charge.subject && in_window(entry, charge.window, now);
    });
    return again ? Result<void>() : count(asked, now, state);
}

Result<std::uint64_t> MeterBook::demand(const request::Charge& charge, UtcTime since, UtcTime now,
                                        const LedgerState& state) {
    const auto meter = load(charge.meter, charge.scope, state);
    if (!meter) return meter.error();
    const auto asked = load(std::string(k_asked) + charge.meter, charge.scope, state);
    if (!asked) return asked.error();
    // One window's length up to `end`. A clock that was set back finds everything since then in its window: that makes
    // no room, yet it is no flood either.
    const auto until = [&](UtcTime end) {
        const auto counts = [&](const MeterEntry& entry) {
            return entry.at > since && entry.at <= end && in_window(entry, charge.window, end);
        };
        std::uint64_t had = 0;
        std::unordered_set<std::string_view> subjects;
        for (const auto& entry : (*meter)->entries) {
            if (!counts(entry)) continue;
            ++had;
            subjects.insert(entry.subject);
        }
        if (charge.distinct) had = subjects.size();
        for (const auto& entry : (*asked)->entries)
            if (counts(entry) && subjects.insert(entry.subject).second) ++had;
        return had;
    };
    UtcTime newest = now;
    for (const auto* book : {*meter, *asked})
        for (const auto& entry : book->entries) newest = std::max(newest, entry.at);
    return newest == now ? until(now) : std::max(until(now), until(newest));
}

Result<std::vector<request::MeterUse>> MeterBook::uses(UtcTime now) {
    const auto heads = rows_->list(tables::k_meter, "ORDER BY name, scope", {});
    if (!heads) return heads.error();
    std::vector<request::MeterUse> uses;
    std::map<std::string, std::uint32_t> above;
    for (const auto& row : *heads) {
        const auto head = meter_from(row);
        if (!head) return head.error();
        const auto loaded = load(head->name, head->scope, {});
        if (!loaded) return loaded.error();
        const auto in_use = static_cast<std::uint32_t>(used(**loaded, now));
        if (head->name.starts_with(k_asked)) {
            above[head->name.substr(k_asked.size())] += in_use;
            continue;
        }
        if (uses.empty() || uses.back().meter != head->name) {
            uses.push_back({head->name, in_use, (*loaded)->head.limit, 0});
        } else if (in_use > uses.back().used) {
            uses.back() = {head->name, in_use, (*loaded)->head.limit, 0};
        }
    }
    for (auto& use : uses) use.above = above[use.meter];
    return uses;
}

Result<void> MeterBook::purge(UtcTime now, LedgerState& state) {
    touched_ = true;
    const auto heads = rows_->list(tables::k_meter, "ORDER BY name, scope", {});
    if (!heads) return heads.error();
    for (const auto& row : *heads) {
        const auto listed = meter_from(row);
        if (!listed) return listed.error();
        auto loaded = load(listed->name, listed->scope, state);
        if (!loaded) {
            // Tampered with: left as it is for a person to look at. An I/O error has ended the transaction, and what
            // followed would be written without it.
            if (loaded.error().kind != ErrorKind::integrity) return loaded.error();
            continue;
        }
        auto& meter = **loaded;
        auto& head = meter.head;
        for (auto& entry : meter.entries) {
            if (entry.at <= now) {
                meter.ahead.erase(entry.n);
                continue;
            }
            auto& seen = meter.ahead.try_emplace(entry.n, now).first->second;
            seen = std::min(seen, now);
            if (now - seen < head.window) continue;
            entry.at = seen;
            meter.ahead.erase(entry.n);
            if (auto done = rows_->put(tables::k_meter_entry, to_row(head, entry)); !done) return done;
        }
        const auto first = head.first;
        while (!meter.entries.empty() && !in_window(meter.entries.front(), head.window, now)) {
            meter.entries.pop_front();
            ++head.first;
        }
        if (head.first == first && !meter.entries.empty()) continue;
        auto remove = database_->prepare("DELETE FROM meter_entry WHERE meter=? AND scope=? AND n<?");
        if (!remove) return remove.error();
        remove->bind(1, std::string_view(head.name)).bind(2, std::string_view(head.scope));
        if (auto done = remove->bind(3, static_cast<std::int64_t>(head.first)).run(); !done) return done;
        if (!meter.entries.empty() || head.scope.empty()) {
            if (auto done = rows_->put(tables::k_meter, to_row(head)); !done) return done;
            continue;
        }
        if (auto done = rows_->remove(tables::k_meter, {head.name, head.scope}); !done) return done;
        --state.meters;
        state.meter_total -= head.last;
        const auto key = std::pair(head.name, head.scope);
        meters_.erase(key);
    }
    return {};
}

Result<void> MeterBook::rebuild(LedgerState& state) {
    touched_ = true;
    meters_.clear();
    const auto head_rows = rows_->list(tables::k_meter, "ORDER BY name, scope", {});
    if (!head_rows) return head_rows.error();
    const auto entry_rows = rows_->list(tables::k_meter_entry, "ORDER BY meter, scope, n", {});
    if (!entry_rows) return entry_rows.error();
    std::map<std::pair<std::string, std::string>, Meter> sound;
    for (const auto& row : *head_rows) {
        auto head = meter_from(row);
        if (!head) return head.error();
        auto& meter = sound[{head->name, head->scope}];
        meter.head = std::move(*head);
    }
    for (const auto& row : *entry_rows) {
        auto entry = meter_entry_from(row);
        if (!entry) return entry.error();
        auto& meter = sound[{std::get<std::string>(row[0]), std::get<std::string>(row[1])}];
        meter.head.name = std::get<std::string>(row[0]);
        meter.head.scope = std::get<std::string>(row[1]);
        entry->n = meter.entries.size() + 1;
        meter.entries.push_back(std::move(*entry));
    }
    if (auto done = database_->execute("DELETE FROM meter_entry; DELETE FROM meter"); !done) return done;
    state.meters = sound.size();
    state.meter_total = 0;
    for (auto& [key, meter] : sound) {
        meter.head.first = 1;
        meter.head.last = meter.entries.size();
        state.meter_total += meter.head.last;
        if (auto done = rows_->put(tables::k_meter, to_row(meter.head)); !done) return done;
        for (const auto& entry : meter.entries) {
            if (auto done = rows_->put(tables::k_meter_entry, to_row(meter.head, entry)); !done) return done;
        }
    }
    tampered_ = false;
    reported_.clear();
    return {};
}

}  // namespace connector::storage
