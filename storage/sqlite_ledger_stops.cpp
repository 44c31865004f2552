// SqliteLedger: what is stopped, by a person or by a limit, and what a person says of held requests.
#include "storage/ledger_transaction.hpp"

#include <algorithm>
#include <utility>

namespace connector::storage {

namespace {

constexpr std::uint64_t k_trips_at = 2;  // times its limit

}  // namespace

// An act of a kind that is stopped: whoever is about to do it learned of the stop too late.
Result<void> SqliteLedger::may_act(const ports::Commit& commit) const {
    for (const auto& charge : commit.charges) {
        const auto act = request::act_of(charge.meter, commit.record.request.kind());
        if (act && stops_.is_stopped(*act))
            return Error(ErrorKind::throttled, "kindStopped", std::string(to_string(*act)) + " is stopped here");
    }
    return {};
}

std::vector<request::Charge> SqliteLedger::as_raised(std::vector<request::Charge> charges, UtcTime now) const {
    for (auto& charge : charges) charge = stops_.as_raised(std::move(charge), now);
    return charges;
}

Result<void> SqliteLedger::note_asked(const ports::Commit& commit, UtcTime now) {
    for (const auto& charge : as_raised(commit.charges, now)) {
        if (auto done = book_.note_asked(charge, now, state_); !done) return done;
        if (auto done = trip_beyond(charge, now); !done) return done;
    }
    return {};
}

Result<void> SqliteLedger::trip_beyond(const request::Charge& charge, UtcTime now) {
    const auto kinds = request::stopped_by(charge.meter);
    if (charge.limit == 0 || charge.waived || kinds.empty()) return {};
    const auto demand = book_.demand(charge, stops_.counts_since(charge.meter, now), now, state_);
    if (!demand) return demand.error();
    if (*demand < k_trips_at * charge.limit) return {};
    std::vector<request::Stop> stops;
    for (const auto kind : kinds) {
        request::Stop stop;
        stop.kind = kind;
        stop.cause = request::StopCause::tripped;
        stop.limit = charge.meter;
        stop.reason = std::to_string(*demand) + " asked for, the limit is " + std::to_string(charge.limit);
        stop.since = now;
        stops.push_back(std::move(stop));
    }
    return stops_.freeze(stops);
}

Result<std::vector<request::Stop>> SqliteLedger::stops() {
    return stops_.stops();
}

Result<void> SqliteLedger::freeze(const std::vector<request::Stop>& stops) {
    return write([&] { return stops_.freeze(stops); });
}

Result<std::vector<request::Stop>> SqliteLedger::thaw(const std::vector<request::Kind>& kinds, UtcTime now) {
    return write([&] { return stops_.thaw(kinds, now); });
}

Result<void> SqliteLedger::raise(const request::Raise& raise) {
    return write([&]() -> Result<void> {
        if (!is_whole(tables::k_raise)) return incomplete("raised limits");
        return stops_.raise(raise);
    });
}

Result<std::vector<request::Raise>> SqliteLedger::raises() {
    std::vector<request::Raise> list;
    for (const auto& [limit, raise] : stops_.raises()) list.push_back(raise);
    return list;
}

Result<void> SqliteLedger::vote(const trust::Vote& vote) {
    return write([&]() -> Result<void> {
        if (!is_whole(tables::k_vote)) return incomplete("votes");
        return rows_.put(tables::k_vote, to_row(vote));
    });
}

Result<std::vector<trust::Vote>> SqliteLedger::votes(const RequestId& request, UtcTime now) {
    return read([&]() -> Result<std::vector<trust::Vote>> {
        // None counts, and what they were for stays held.
        if (!is_whole(tables::k_vote)) return std::vector<trust::Vote>();
        const auto rows = rows_.list(tables::k_vote, "WHERE request=? AND expires>? ORDER BY given, by",
                                     {request.text(), seconds_of(now)});
        if (!rows) return rows.error();
        std::vector<trust::Vote> votes;
        for (const auto& row : *rows) {
            auto vote = vote_from(row);
            if (!vote) return vote.error();
            votes.push_back(std::move(*vote));
        }
        return votes;
    });
}

// Newest is what the management API calls so: by start, end, then hash.
Result<std::optional<ports::CurrentImport>> SqliteLedger::current_import(const std::string& person) {
    using Current = std::optional<ports::CurrentImport>;
    return read([&]() -> Result<Current> {
        const auto purpose = std::string(request::to_string(request::Purpose::smime_encryption));
        const auto rows =
            rows_.list(tables::k_delivered_certificate,
                       "WHERE user_principal_name=? AND purpose=? ORDER BY not_before DESC, not_after DESC, sha256 DESC"
                       " LIMIT 1",
                       {person, purpose});
        if (!rows) return rows.error();
        if (rows->empty()) return Current();
        auto newest = delivered_certificate_from(rows->front());
        if (!newest) return newest.error();
        const auto& certificate = newest->certificate;
        return Current(ports::CurrentImport{certificate.not_before, certificate.not_after, certificate.sha256});
    });
}

}  // namespace connector::storage
