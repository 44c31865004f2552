// Rows that cannot be edited behind our back: each carries a keyed check over its table's name and all of its columns,
// types and lengths included. A row whose check fails is never handed out; it is noted, and settle() moves it to the
// quarantine and reports it, after the transaction that met it has ended one way or the other.
// A row's own check cannot see that another row is gone, or that it is itself an older one put back. For that each
// deciding table has a digest over which rows it holds: the sum of a keyed check over table, key and check value of
// each. put() and remove() move it along, the ledger keeps it in ledger_state, and compare() holds it against the
// tables. The meters are numbered instead. Owned by the ledger, on its thread.
#pragma once

#include "core/ports/sealer.hpp"
#include "storage/sqlite.hpp"

#include <array>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace connector::storage {

constexpr std::size_t k_digests = 12;  // deciding tables: rows.hpp has them in the digests' order
constexpr std::size_t k_no_digest = k_digests;

// The first `keys` columns are the primary key; check_value is not among the columns.
struct Table {
    std::string_view name;
    std::span<const std::string_view> columns;
    std::size_t keys;
    std::size_t digest = k_no_digest;  // its place among the digests
};

// Part of the ledger's state, so that it goes back with it where a transaction is undone.
struct Digests {
    std::array<Sha256, k_digests> value{};
    std::array<bool, k_digests> broken{};  // in memory alone: rows are gone, put back, or in the quarantine
    [[nodiscard]] Bytes octets() const;
    [[nodiscard]] static std::optional<Digests> from(ByteView octets);
};

// Table and primary key of a row that was quarantined. Called on the ledger's thread; has to return soon.
using QuarantineReport = std::function<void(std::string_view table, std::string_view key)>;

class CheckedRows {
public:
    // `sealer` outlives this.
    CheckedRows(Database& database, const ports::Sealer& sealer, QuarantineReport report);

    // From now on the digests are moved along. `digests` outlives this.
    void keep(Digests& digests) noexcept { digests_ = &digests; }
    // Of the rows that are there, whatever they say.
    [[nodiscard]] Result<Digests> digests_now();
    // Marks what does not agree with the digests that are kept as broken.
    [[nodiscard]] Result<void> compare();
    // A person has decided: what the table holds now is right.
    [[nodiscard]] Result<void> take_as_found(const Table& table);
    [[nodiscard]] bool whole(const Table& table) const noexcept { return !digests_->broken[table.digest]; }

    // Inserts, or replaces the row of the same key. `row` in the table's order of columns.
    [[nodiscard]] Result<void> put(const Table& table, const Values& row);
    // kind integrity, code rowTampered, where the row is there and fails its check.
    [[nodiscard]] Result<std::optional<Values>> get(const Table& table, const Values& key);
    // Sound rows in the order of `rest` (the SQL after FROM table); the others are noted and left out.
    [[nodiscard]] Result<std::vector<Values>> list(const Table& table, std::string_view rest, const Values& parameters);
    [[nodiscard]] Result<void> remove(const Table& table, const Values& key);
    // All rows of `where` (the SQL after FROM table), sound or not.
    [[nodiscard]] Result<void> remove_where(const Table& table, std::string_view where, const Values& parameters);

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
    [[nodiscard]] Sha256 member(const Table& table, std::span<const Value> key_and_check) const;
    // Of the rows of `rest`, added up; nothing where there are none.
    [[nodiscard]] Result<Sha256> members(const Table& table, const std::string& rest, const Values& parameters);
    [[nodiscard]] Result<void> leave_digest(const Table& table, const std::string& rest, const Values& parameters);
    [[nodiscard]] Result<void> move(const Noted& noted);

    Database* database_;
    const ports::Sealer* sealer_;
    QuarantineReport report_;
    Digests* digests_ = nullptr;
    std::vector<Noted> noted_;
};

// How a key is shown to people and kept in the quarantine: its columns, joined by '/'; octets as hex.
[[nodiscard]] std::string key_text(std::span<const Value> key);

}  // namespace connector::storage
