// The meters: sliding windows that neither a restart nor an edited file can set back.
// Each meter numbers its entries without a gap up to a checked head, and ledger_state knows how many heads there are
// and what their last numbers add up to: a missing entry or head shows. What was read once is kept in memory, so that a
// charge costs two small rows.
// Owned by SqliteLedger, on its thread, inside its transactions.
#pragma once

#include "storage/checked_rows.hpp"
#include "storage/rows.hpp"

#include <deque>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace connector::storage {

class MeterBook {
public:
    MeterBook(Database& database, CheckedRows& rows) noexcept : database_(&database), rows_(&rows) {}

    // Whether heads and `state` agree. kind integrity, code meterTampered: every later charge says so too.
    [[nodiscard]] Result<void> verify(const LedgerState& state);

    // Every later charge is kind integrity: there is nothing to hold the meters against.
    void distrust() noexcept { tampered_ = true; }
    [[nodiscard]] bool distrusted() const noexcept { return tampered_; }

    // kind throttled, code limitReached, with the time after which there is room; kind integrity, code meterTampered.
    // Writes nothing.
    [[nodiscard]] Result<void> check(const std::vector<request::Charge>& charges, UtcTime now,
                                     const LedgerState& state);
    // Counts, over a limit or not.
    [[nodiscard]] Result<void> count(const request::Charge& charge, UtcTime now, LedgerState& state);

    // What was asked for and had no room: once for each subject. Only where the charge is over its limit.
    [[nodiscard]] Result<void> note_asked(const request::Charge& charge, UtcTime now, LedgerState& state);
    // Had and asked for since `since`, within one window that ends now or, where the clock was set back, with the
    // newest entry: what a trip is judged by.
    [[nodiscard]] Result<std::uint64_t> demand(const request::Charge& charge, UtcTime since, UtcTime now,
                                               const LedgerState& state);

    // One line a meter; of a meter with scopes the one that is used most.
    [[nodiscard]] Result<std::vector<request::MeterUse>> uses(UtcTime now);
    // Drops entries that have left their window, and meters of one user that are empty. What a clock that was ahead has
    // counted goes a window after it was first seen here: at once, and a clock that goes back and forth would make
    // room.
    [[nodiscard]] Result<void> purge(UtcTime now, LedgerState& state);
    // Makes one chain again of the entries that are sound, and counts all into `state`.
    [[nodiscard]] Result<void> rebuild(LedgerState& state);

    void committed() noexcept { touched_ = false; }
    // What is in memory may be ahead of the file.
    void rolled_back() noexcept {
        if (touched_) meters_.clear();
    }

private:
    struct Meter {
        MeterHead head;
        bool stored = false;
        std::deque<MeterEntry> entries;  // head.first … head.last
        std::map<std::uint64_t, UtcTime>
            ahead;  // by number: dated in the future when first seen, by this process, then
    };
    [[nodiscard]] Result<Meter*> load(const std::string& name, const std::string& scope, const LedgerState& state);
    // The error, reported too at the first time for this meter.
    [[nodiscard]] Error tampered(const std::string& name, const std::string& what);
    [[nodiscard]] static std::uint64_t used(const Meter& meter, UtcTime now);
    [[nodiscard]] bool is_over(const Meter& meter, const request::Charge& charge, UtcTime now) const;

    Database* database_;
    CheckedRows* rows_;
    std::map<std::pair<std::string, std::string>, Meter> meters_;
    std::set<std::string> reported_;
    bool tampered_ = false;
    bool touched_ = false;  // since the last committed()
};

}  // namespace connector::storage
