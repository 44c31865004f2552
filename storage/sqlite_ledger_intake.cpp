// SqliteLedger's intake: an order comes for the first time, again, otherwise than before, or cannot be read.
#include "core/request/orphan.hpp"
#include "storage/ledger_transaction.hpp"

#include <utility>

namespace connector::storage {

using ports::Intake;
using ports::LeasedRequest;
using request::RequestRecord;
using request::Stage;

Result<std::vector<Intake>> SqliteLedger::accept(const std::vector<LeasedRequest>& batch, UtcTime now) {
    return write([&]() -> Result<std::vector<Intake>> {
        std::vector<Intake> answers;
        answers.reserve(batch.size());
        for (const auto& leased : batch) {
            const auto answer = accept_one(leased, now);
            if (!answer) return answer.error();
            answers.push_back(*answer);
        }
        return answers;
    });
}

// Its order is over, and the id is wanted for a new one. Whoever works on it meets a conflict, and it is done once
// more.
Result<void> SqliteLedger::set_apart(RequestRecord orphan) {
    orphan.request.id = request::id_apart(orphan);
    orphan.in_work = false;
    ++orphan.version;
    return rows_.put(tables::k_request, to_row(orphan));
}

Result<SqliteLedger::Place> SqliteLedger::place_for(const RequestId& id) {
    auto known = find(id);
    if (!known) {
        if (known.error().kind != ErrorKind::integrity) return known.error();
        const auto version = version_beyond(id);
        if (!version) return version.error();
        return Place{*version, std::nullopt};
    }
    if (!*known) return Place{1, std::nullopt};
    auto& present = **known;
    const Place next{present.version + 1, std::nullopt};
    if (request::is_past_its_order(present)) {
        if (auto done = set_apart(std::move(present)); !done) return done.error();
        return next;
    }
    if (present.stage == Stage::closed) return next;
    return Place{next.version, std::move(present)};
}

Result<Intake> SqliteLedger::accept_one(const LeasedRequest& leased, UtcTime now) {
    const auto& id = leased.request.id;
    // Zero stands for an order that could not be read.
    if (leased.order_hash == Sha256{})
        return Error(ErrorKind::internal, "internalError", id.text() + " has no order hash");
    const auto place = place_for(id);
    if (!place) return place.error();
    if (place->open && !is_unreadable(*place->open)) {
        const auto& present = *place->open;
        if (present.order_hash != leased.order_hash) return Intake::order_changed;
        // The newest is the one that comes last: what `attempt` says is information only, and an id that is ordered
        // anew begins with 1.
        if (auto done = put_lease(id, leased.lease); !done) return done.error();
        return Intake::known;
    }
    RequestRecord record;
    record.version = place->version;
    record.request = leased.request;
    record.order_hash = leased.order_hash;
    record.accepted_at = record.updated_at = record.due_at = now;
    if (auto done = rows_.put(tables::k_request, to_row(record)); !done) return done.error();
    if (auto done = put_lease(id, leased.lease); !done) return done.error();
    return Intake::created;
}

Result<void> SqliteLedger::accept_unreadable(const RequestId& id, const LeaseId& lease, const request::Failure& failure,
                                             UtcTime now) {
    return write([&]() -> Result<void> {
        const auto place = place_for(id);
        if (!place) return place.error();
        if (place->open) {
            if (!is_unreadable(*place->open))
                return Error(ErrorKind::conflict, "requestKnown", id.text() + " is open as another order");
            return put_lease(id, {lease, now, place->open->lease.attempt});
        }
        RequestRecord record;
        record.version = place->version;
        record.request.id = id;
        record.request.created_at = now;
        record.stage = Stage::refused;
        record.accepted_at = record.updated_at = record.due_at = now;
        record.failure = failure;
        if (auto done = rows_.put(tables::k_request, to_row(record)); !done) return done;
        return put_lease(id, {lease, now, 1});
    });
}

}  // namespace connector::storage
