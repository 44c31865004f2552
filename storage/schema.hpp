// How a database file of ours is opened: whose it is, what it is, how new it is, and how it has to behave.
// In: a folder and the file's layout. Out: a Database that is ready and at the newest schema.
// Refuses loose modes and foreign owners (misconfigured, stateExposed), another program's file (misconfigured,
// notOurDatabase), a newer schema (misconfigured, newerSchema), a damaged or cut file (integrity, storageCorrupt).
// One thread; the caller holds the folder's InstanceLock.
#pragma once

#include "storage/sqlite.hpp"

#include <filesystem>
#include <functional>
#include <span>
#include <string_view>

namespace connector::storage {

// What a file is to be. migrations[i] leads from schema i to i + 1, each in a transaction of its own.
struct Layout {
    std::string_view file_name;
    std::int32_t application_id;
    std::span<const std::string_view> migrations;
    // Called with the schema just reached, within the step's transaction: what SQL alone cannot do. May be empty.
    std::function<Result<void>(Database&, std::size_t schema)> complete_step = {};
};

// migrations/NNNN.sql, embedded at build.
[[nodiscard]] std::span<const std::string_view> ledger_migrations() noexcept;
// connector.db.
[[nodiscard]] Layout ledger_layout();

// WAL, synchronous=FULL, secure_delete, foreign keys, untrusted schema, cell-size checks. Creates the file as 0600.
[[nodiscard]] Result<Database> open_database(const std::filesystem::path& directory, const Layout& layout);

// Whether whoever had the file last ended without closing it: there is a write-ahead log. To be asked before opening.
[[nodiscard]] bool ended_unclean(const std::filesystem::path& directory, const Layout& layout);

// "" where all is well, else SQLite's first findings. Reads the whole file: a second a gigabyte when it is cached.
[[nodiscard]] Result<std::string> quick_check(Database& database);

}  // namespace connector::storage
