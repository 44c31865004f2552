// Rows that cannot be edited behind our back: each carries a keyed check over its table's name and all of its columns,
// types and lengths included. A row whose check fails is never handed out; it is noted, and settle() moves it to the
// quarantine and reports it, after the transaction that met it has ended one way or the other.
// Owned by the ledger, on its thread. What this cannot see alone is a row that is gone or an older row put back: the
// counts in ledger_state and the numbering of the meters are for that.
#pragma once

#include "core/ports/sealer.hpp"
#include "storage/sqlite.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace connector::storage {

// The first `keys` columns are the primary key; check_value is not among the columns.
struct Table {
    std::string_view name;
    std::span<const std::string_view> columns;
    std::size_t keys;
};

// Table and primary key of a row that was quarantined. Called on the ledger's thread; has to return soon.
using QuarantineReport = std::function<void(std::string_view table, std::string_view key)>;

class CheckedRows {
public:
    // `sealer` outlives this.
    CheckedRows(Database& database, const ports::Sealer& sealer, QuarantineReport report);

    // Inserts, or replaces the row of the same key. `row` in the table's order of columns.
    [[nodiscard]] Result<void> put(const Table& table, const Values& row);
    // kind integrity, code rowTampered, where the row is there and fails its check.
    [[nodiscard]] Result<std::optional<Values>> get(const Table& table, const Values& key);
    // Sound rows in the order of `rest` (the SQL after FROM table); the others are noted and left out.
    [[nodiscard]] Result<std::vector<Values>> list(const Table& table, std::string_view rest, const Values& parameters);
    [[nodiscard]] Result<void> remove(const Table& table, const Values& key);

    // Notes a sound row that cannot be read all the same.
    void condemn(const Table& table, Values row);

    // Rows noted since the last settle().
    [[nodiscard]] bool anything_noted() const noexcept { return !noted_.empty(); }
    // Outside a transaction. Where the move fails, the rows stay noted and are tried again.
    void settle();

    // For what is wrong between rows: one is missing, or they do not add up.
    void report(std::string_view table, std::string_view key) const {
        if (report_) report_(table, key);
    }

    [[nodiscard]] Result<std::int64_t> quarantined();
    [[nodiscard]] Result<bool> is_quarantined(std::string_view table, const Values& key);

private:
    struct Noted {
        Table table;
        Values row;  // with its check value at the end
    };
    [[nodiscard]] Sha256 check_of(const Table& table, std::span<const Value> row) const;
    [[nodiscard]] bool sound(const Table& table, const Values& row_and_check) const;
    void note(const Table& table, Values row);
    [[nodiscard]] Result<void> move(const Noted& noted);

    Database* database_;
    const ports::Sealer* sealer_;
    QuarantineReport report_;
    std::vector<Noted> noted_;
};

// How a key is shown to people and kept in the quarantine: its columns, joined by '/'; octets as hex.
[[nodiscard]] std::string key_text(std::span<const Value> key);

}  // namespace connector::storage
