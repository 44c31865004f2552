// The stops and the raised limits, in memory and in their tables: what every act is held against.
// The state row counts the stops: where one is missing, everything counts as stopped until a person has thawed.
// Owned by SqliteLedger, on its thread, inside its transactions.
#pragma once

#include "storage/checked_rows.hpp"
#include "storage/rows.hpp"

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace connector::storage {

class StopBook {
public:
    StopBook(Database& database, CheckedRows& rows) noexcept : database_(&database), rows_(&rows) {}

    // Reads everything anew. Raises and thaws count only where all of theirs are there.
    [[nodiscard]] Result<void> load();
    // `whole`: the stops are those that were written, and all of them. Where they are not, everything is stopped.
    void judge(bool whole) noexcept { memory_.complete = whole; }

    [[nodiscard]] std::vector<request::Stop> stops() const;
    [[nodiscard]] bool is_stopped(request::Kind kind) const noexcept;
    [[nodiscard]] Result<void> freeze(const std::vector<request::Stop>& stops);
    // Not what is stopped for the clock.
    [[nodiscard]] Result<std::vector<request::Stop>> thaw(const std::vector<request::Kind>& kinds, UtcTime now);

    [[nodiscard]] bool stopped_for_clock() const noexcept;
    [[nodiscard]] Result<void> end_clock_stops();

    [[nodiscard]] const std::map<std::string, request::Raise, std::less<>>& raises() const noexcept {
        return memory_.raises;
    }
    [[nodiscard]] Result<void> raise(const request::Raise& raise);
    // The limit as it is raised now; 0 (none) stays.
    [[nodiscard]] request::Charge as_raised(request::Charge charge, UtcTime now) const;
    // From when on a limit's entries count towards a trip: its last thaw, or the end of a raise.
    [[nodiscard]] UtcTime counts_since(const std::string& limit, UtcTime now) const;

    // Rows whose time is over, in a transaction.
    [[nodiscard]] Result<void> purge(UtcTime now);

    // What is in memory: taken before a transaction or savepoint, and put back where that is undone. A dozen rows.
    struct Memory {
        std::vector<request::Stop> stops;
        std::map<std::string, request::Raise, std::less<>> raises;
        std::map<std::string, UtcTime, std::less<>> thaws;
        bool complete = true;
    };
    [[nodiscard]] const Memory& memory() const noexcept { return memory_; }
    void restore(Memory memory) noexcept { memory_ = std::move(memory); }

private:
    [[nodiscard]] Result<void> put_thaw(const std::string& limit, UtcTime at);

    Database* database_;
    CheckedRows* rows_;
    Memory memory_;
};

}  // namespace connector::storage
