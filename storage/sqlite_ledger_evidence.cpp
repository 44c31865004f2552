// SqliteLedger: what may not go back. The importers' newest lists, and the newest time that the clock has shown.
#include "storage/ledger_transaction.hpp"

#include <algorithm>
#include <utility>

namespace connector::storage {

// Where it is gone or unsound nothing is known of what was seen, and that is no "nothing was seen".
Result<HighWater> SqliteLedger::high_water() {
    const auto row = rows_.get(tables::k_high_water, {std::int64_t{1}});
    if (!row) return row.error();
    if (!*row || !is_whole(tables::k_high_water))
        return Error(ErrorKind::integrity, "registerTampered",
                     "the mark of what may not go back is missing from the database, or an older one was put back");
    return high_water_from(**row);
}

Result<void> SqliteLedger::lists_complete() const {
    if (is_whole(tables::k_signed_list)) return {};
    return incomplete("importers' lists");
}

Result<std::vector<trust::SignedList>> SqliteLedger::signed_lists(const std::vector<std::string>& owners,
                                                                  request::Purpose purpose) {
    return read([&]() -> Result<std::vector<trust::SignedList>> {
        if (auto complete = lists_complete(); !complete) return complete.error();
        std::vector<trust::SignedList> lists;
        for (const auto& owner : owners) {
            const auto row = rows_.get(tables::k_signed_list, {owner, std::string(request::to_string(purpose))});
            if (!row) return row.error();
            if (!*row) continue;
            auto list = signed_list_from(**row);
            if (!list) return list.error();
            lists.push_back(std::move(*list));
        }
        return lists;
    });
}

Result<void> SqliteLedger::keep_lists(const std::vector<trust::SignedList>& lists, UtcTime now) {
    return write([&]() -> Result<void> {
        if (auto complete = lists_complete(); !complete) return complete;
        for (const auto& list : lists) {
            const auto known = rows_.get(tables::k_signed_list,
                                         {list.user_principal_name, std::string(request::to_string(list.purpose))});
            if (!known) return known.error();
            auto kept = list;
            if (*known) {
                const auto there = signed_list_from(**known);
                if (!there) return there.error();
                kept = trust::newer(*there, list);
                if (kept == *there) continue;
            }
            if (auto done = rows_.put(tables::k_signed_list, to_row(kept, now)); !done) return done;
        }
        return {};
    });
}

Result<UtcTime> SqliteLedger::newest_time() {
    return read([&]() -> Result<UtcTime> {
        const auto mark = high_water();
        if (!mark) return mark.error();
        return mark->newest_time;
    });
}

Result<void> SqliteLedger::note_time(UtcTime now) {
    const auto newest = newest_time();
    if (!newest) return newest.error();
    if (now <= *newest && !stops_.stopped_for_clock()) return {};
    return accept_time(std::max(now, *newest));
}

Result<void> SqliteLedger::stop_for_clock(const std::string& reason, UtcTime now) {
    std::vector<request::Stop> stops;
    for (const auto kind : request::kinds_by_time()) {
        request::Stop stop;
        stop.kind = kind;
        stop.cause = request::StopCause::clock;
        stop.reason = reason;
        stop.since = now;
        stops.push_back(std::move(stop));
    }
    return freeze(stops);
}

Result<void> SqliteLedger::accept_time(UtcTime now) {
    return write([&]() -> Result<void> {
        auto mark = high_water();
        if (!mark) return mark.error();
        mark->newest_time = now;
        if (auto ended = stops_.end_clock_stops(); !ended) return ended;
        return rows_.put(tables::k_high_water, to_row(*mark));
    });
}

// With a person's word (accept_as_found), in its transaction.
Result<void> SqliteLedger::rebuild_high_water() {
    const auto row = rows_.get(tables::k_high_water, {std::int64_t{1}});
    if (row ? row->has_value() : row.error().kind != ErrorKind::integrity) return row ? Result<void>() : row.error();
    return rows_.put(tables::k_high_water, to_row(HighWater{}));
}

}  // namespace connector::storage
