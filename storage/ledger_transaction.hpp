// Inside of SqliteLedger, for its own .cpp files only: what every function of it is wrapped in.
#pragma once

#include "storage/sqlite_ledger.hpp"

#include <utility>

namespace connector::storage {

// For a decision that rests on a table which is not whole.
inline Error incomplete(const char* what) {
    return {ErrorKind::integrity, "registerTampered",
            std::string(what) +
                " are missing from the database, or older ones were put back: look at it, then start "
                "with `run --accept-restore`"};
}

// One transaction with the state row in it; on any failure memory goes back with the file.
template <class Body>
auto SqliteLedger::write(Body body) -> decltype(body()) {
    using Answer = decltype(body());
    if (damage_) return *damage_;
    auto run = [&]() -> Answer {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return transaction.error();
        const auto before = state_;
        auto stopped_before = stops_.memory();
        auto answer = body();
        if (answer) {
            if (auto written = write_state(); !written) answer = Answer(written.error());
        }
        if (answer) {
            if (auto committed = transaction->commit(); !committed) answer = Answer(committed.error());
        }
        if (answer) {
            pending_anchor_.reset();
            written_->store(state_.generation);
        } else {
            state_ = before;
            stops_.restore(std::move(stopped_before));
            book_.rolled_back();
        }
        book_.committed();

        return answer;
    };
    auto answer = run();
    if (!answer) note_damage(answer.error());
    settle();
    return answer;
}

// Within a transaction: all of it, or nothing, in memory too.
template <class Body>
auto SqliteLedger::in_savepoint(Body body) -> decltype(body()) {
    using Answer = decltype(body());
    const auto before = state_;
    auto stopped_before = stops_.memory();
    auto run = [&]() -> Answer {
        auto savepoint = Savepoint::begin(database_);
        if (!savepoint) return savepoint.error();
        auto answer = body();
        if (answer) {
            if (auto kept = savepoint->release(); !kept) answer = Answer(kept.error());
        }
        return answer;
    };
    auto answer = run();
    if (!answer) {
        state_ = before;
        stops_.restore(std::move(stopped_before));
        book_.rolled_back();
    }
    return answer;
}

template <class Body>
auto SqliteLedger::read(Body body) -> decltype(body()) {
    auto answer = body();
    if (!answer) note_damage(answer.error());
    settle();
    return answer;
}

}  // namespace connector::storage
