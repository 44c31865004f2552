// SQLite with owners and results: a connection, a statement, a transaction. No SQL of the connector stands here, so
// that other small files (the local authority's) can use it too. Refuses: exceptions, symbolic links, triggers and
// views planted in a file, double-quoted strings. One thread at a time; a Statement and a Transaction must not outlive
// their Database. Errors: unavailable (full, I/O, read-only, busy, no memory), integrity (corrupt, not a database),
// invalid (too big), internal (everything else). Messages are SQLite's and never hold bound values.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace connector::storage {

// One column: NULL, INTEGER, TEXT or BLOB.
using Value = std::variant<std::monostate, std::int64_t, std::string, Bytes>;
using Values = std::vector<Value>;

class Statement {
public:
    Statement(Statement&& other) noexcept;
    Statement& operator=(Statement&&) = delete;
    Statement(const Statement&) = delete;
    Statement& operator=(const Statement&) = delete;
    ~Statement();

    // Numbered from 1. A failure to bind is kept and comes out of the next step().
    Statement& bind(int index, std::int64_t value);
    Statement& bind(int index, std::string_view value);
    Statement& bind(int index, ByteView value);
    Statement& bind_value(int index, const Value& value);
    Statement& bind_null(int index);
    // values[0] is parameter 1.
    Statement& bind_all(const Values& values);

    // True while there is a row.
    [[nodiscard]] Result<bool> step();
    // For statements without rows.
    [[nodiscard]] Result<void> run();
    // Ready for other values.
    void reset() noexcept;

    // Numbered from 0, after a step() that was true.
    [[nodiscard]] int columns() const noexcept;
    [[nodiscard]] std::int64_t integer(int column) const noexcept;
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] Bytes blob(int column) const;
    // With SQLite's own type; a REAL, which no table of ours holds, comes as its text.
    [[nodiscard]] Value value(int column) const;
    [[nodiscard]] Values values() const;

private:
    friend class Database;
    Statement(sqlite3* database, sqlite3_stmt* handle, bool kept) noexcept
        : database_(database), handle_(handle), kept_(kept) {}

    sqlite3* database_;
    sqlite3_stmt* handle_;
    bool kept_;  // the Database's own: given back instead of finalized
    int failure_ = 0;
};

class Database {
public:
    // The file has to exist: who creates it decides on its mode (private_file.hpp).
    [[nodiscard]] static Result<Database> open(const std::filesystem::path& file);
    [[nodiscard]] static Result<Database> open_read_only(const std::filesystem::path& file);

    Database(Database&& other) noexcept;
    Database& operator=(Database&&) = delete;
    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;
    ~Database();

    // One or more statements; rows are dropped.
    [[nodiscard]] Result<void> execute(const std::string& sql);
    // Compiled once and kept for the next use; `sql` of a fixed set, never built from data.
    [[nodiscard]] Result<Statement> prepare(std::string_view sql);
    // First column of the first row; 0 where there is none.
    [[nodiscard]] Result<std::int64_t> number(std::string_view sql);
    [[nodiscard]] Result<std::string> text(std::string_view sql);

    // False after an error that made SQLite roll back by itself.
    [[nodiscard]] bool in_transaction() const noexcept;
    // Rows changed by the last statement.
    [[nodiscard]] std::int64_t changes() const noexcept;

private:
    [[nodiscard]] static Result<Database> open_as(const std::filesystem::path& file, int access);
    explicit Database(sqlite3* handle) noexcept : handle_(handle) {}
    sqlite3* handle_;
    std::unordered_map<std::string, sqlite3_stmt*> kept_;
};

// BEGIN IMMEDIATE … COMMIT; rolled back where it is not committed.
class Transaction {
public:
    [[nodiscard]] static Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Transaction& operator=(Transaction&&) = delete;
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;
    ~Transaction();

    [[nodiscard]] Result<void> commit();

private:
    explicit Transaction(Database& database) noexcept : database_(&database) {}
    Database* database_;
};

// A part of a transaction that can be undone alone; undone where it is not released.
class Savepoint {
public:
    [[nodiscard]] static Result<Savepoint> begin(Database& database);
    Savepoint(Savepoint&& other) noexcept : database_(std::exchange(other.database_, nullptr)) {}
    Savepoint& operator=(Savepoint&&) = delete;
    Savepoint(const Savepoint&) = delete;
    Savepoint& operator=(const Savepoint&) = delete;
    ~Savepoint();

    [[nodiscard]] Result<void> release();

private:
    explicit Savepoint(Database& database) noexcept : database_(&database) {}
    Database* database_;
};

}  // namespace connector::storage
