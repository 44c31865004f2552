#include "storage/sqlite.hpp"

#include <sqlite3.h>

#include <utility>

namespace connector::storage {
namespace {

constexpr int k_busy_milliseconds = 5000;

Error error_of(int code, const std::string& message) {
    const auto text = "SQLite " + std::to_string(code) + ": " + message;
    switch (code & 0xFF) {
        case SQLITE_FULL: return {ErrorKind::unavailable, "storageFull", text};
        case SQLITE_READONLY:
        case SQLITE_PERM: return {ErrorKind::unavailable, "storageReadOnly", text};
        case SQLITE_BUSY:
        case SQLITE_PROTOCOL:  // a lock on the log that never came free
        case SQLITE_LOCKED: return {ErrorKind::unavailable, "storageBusy", text};
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_NOMEM: return {ErrorKind::unavailable, "storageUnavailable", text};
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB: return {ErrorKind::integrity, "storageCorrupt", text};
        case SQLITE_TOOBIG: return {ErrorKind::invalid, "storageTooBig", text};
        default: return {ErrorKind::internal, "storageError", text};
    }
}

Error error_of(sqlite3* database) {
    return error_of(sqlite3_extended_errcode(database), sqlite3_errmsg(database));
}

}  // namespace

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      handle_(std::exchange(other.handle_, nullptr)),
      kept_(other.kept_),
      failure_(other.failure_) {}

Statement::~Statement() {
    if (handle_ == nullptr) return;
    if (kept_) {
        reset();
    } else {
        sqlite3_finalize(handle_);
    }
}

void Statement::reset() noexcept {
    sqlite3_reset(handle_);
    sqlite3_clear_bindings(handle_);  // no blob of one row lingers until the next use
    failure_ = 0;
}

Statement& Statement::bind(int index, std::int64_t value) {
    if (const int code = sqlite3_bind_int64(handle_, index, value); code != SQLITE_OK) failure_ = code;
    return *this;
}

// An empty view may carry a null pointer, and SQLite would read that as NULL.
Statement& Statement::bind(int index, std::string_view value) {
    const char* data = value.empty() ? "" : value.data();
    const int code = sqlite3_bind_text64(handle_, index, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
    if (code != SQLITE_OK) failure_ = code;
    return *this;
}

Statement& Statement::bind(int index, ByteView value) {
    const void* data = value.empty() ? static_cast<const void*>("") : value.data();
    const int code = sqlite3_bind_blob64(handle_, index, data, value.size(), SQLITE_TRANSIENT);
    if (code != SQLITE_OK) failure_ = code;
    return *this;
}

Statement& Statement::bind_null(int index) {
    if (const int code = sqlite3_bind_null(handle_, index); code != SQLITE_OK) failure_ = code;
    return *this;
}

Statement& Statement::bind_value(int index, const Value& value) {
    if (const auto* number = std::get_if<std::int64_t>(&value)) return bind(index, *number);
    if (const auto* text = std::get_if<std::string>(&value)) return bind(index, std::string_view(*text));
    if (const auto* blob = std::get_if<Bytes>(&value)) return bind(index, ByteView(*blob));
    return bind_null(index);
}

Statement& Statement::bind_all(const Values& values) {
    int index = 0;
    for (const auto& value : values) bind_value(++index, value);
    return *this;
}

Result<bool> Statement::step() {
    if (failure_ != SQLITE_OK) return error_of(failure_, "bind");
    const int code = sqlite3_step(handle_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return error_of(database_);
}

Result<void> Statement::run() {
    const auto row = step();
    if (!row) return row.error();
    return {};
}

int Statement::columns() const noexcept {
    return sqlite3_column_count(handle_);
}

std::int64_t Statement::integer(int column) const noexcept {
    return sqlite3_column_int64(handle_, column);
}

std::string Statement::text(int column) const {
    const auto* data = sqlite3_column_text(handle_, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
    return data == nullptr ? std::string() : std::string(text_of(ByteView(data, size)));
}

Bytes Statement::blob(int column) const {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(handle_, column));
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(handle_, column));
    return data == nullptr ? Bytes() : Bytes(data, data + size);
}

Value Statement::value(int column) const {
    switch (sqlite3_column_type(handle_, column)) {
        case SQLITE_NULL: return {};
        case SQLITE_INTEGER: return integer(column);
        case SQLITE_BLOB: return blob(column);
        default: return text(column);
    }
}

Values Statement::values() const {
    Values values;
    values.reserve(static_cast<std::size_t>(columns()));
    for (int column = 0; column < columns(); ++column) values.push_back(value(column));
    return values;
}

Result<Database> Database::open(const std::filesystem::path& file) {
    return open_as(file, file.string(), SQLITE_OPEN_READWRITE);
}

Result<Database> Database::open_read_only(const std::filesystem::path& file, bool untouched) {
    // A URI (RFC 8089), because only there it can be said that nobody writes.
    std::string name = "file:";
    for (const char c : std::filesystem::absolute(file).string()) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' ||
                           c == '.' || c == '-' || c == '_';
        if (plain) {
            name += c;
        } else {
            constexpr std::string_view k_hex = "0123456789ABCDEF";
            const auto octet = static_cast<unsigned char>(c);
            name.append(1, '%').append(1, k_hex[octet >> 4U]).append(1, k_hex[octet & 15U]);
        }
    }
    if (untouched) name += "?immutable=1";
    return open_as(file, name, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

Result<Database> Database::open_as(const std::filesystem::path& file, const std::string& name, int access) {
    sqlite3* handle = nullptr;
    // NOMUTEX: one thread at a time is the house's rule already.
    const int flags = access | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    const int code = sqlite3_open_v2(name.c_str(), &handle, flags, nullptr);
    if (code != SQLITE_OK) {
        auto error = error_of(code, handle != nullptr ? sqlite3_errmsg(handle) : "open");
        sqlite3_close(handle);
        return error.in(file.string());
    }
    Database database(handle);
    sqlite3_busy_timeout(handle, k_busy_milliseconds);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DML, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DQS_DDL, 0, nullptr);
    return database;
}

Database::Database(Database&& other) noexcept
    : handle_(std::exchange(other.handle_, nullptr)), kept_(std::move(other.kept_)) {
    other.kept_.clear();
}

Database::~Database() {
    for (const auto& [sql, statement] : kept_) sqlite3_finalize(statement);
    sqlite3_close(handle_);
}

Result<void> Database::execute(const std::string& sql) {
    if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) return error_of(handle_);
    return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
    const auto known = kept_.find(std::string(sql));
    if (known != kept_.end() && sqlite3_stmt_busy(known->second) == 0) return Statement(handle_, known->second, true);
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                        &statement, nullptr);
    if (code != SQLITE_OK) return error_of(handle_);
    // Used within its own loop: the inner one is thrown away afterwards.
    const bool keep = known == kept_.end();
    if (keep) kept_.emplace(sql, statement);
    return Statement(handle_, statement, keep);
}

Result<std::int64_t> Database::number(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : 0;
}

Result<std::string> Database::text(std::string_view sql) {
    auto statement = prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->step();
    if (!row) return row.error();
    return *row ? statement->text(0) : std::string();
}

bool Database::in_transaction() const noexcept {
    return sqlite3_get_autocommit(handle_) == 0;
}

std::int64_t Database::changes() const noexcept {
    return sqlite3_changes64(handle_);
}

Result<Transaction> Transaction::begin(Database& database) {
    auto begun = database.execute("BEGIN IMMEDIATE");
    if (!begun) return begun.error();
    return Transaction(database);
}

// A failed ROLLBACK means that SQLite has rolled back already.
Transaction::~Transaction() {
    if (database_ == nullptr || !database_->in_transaction()) return;
    const auto ignored = database_->execute("ROLLBACK");
    static_cast<void>(ignored);
}

Result<void> Transaction::commit() {
    auto done = database_->execute("COMMIT");
    if (done) database_ = nullptr;
    return done;
}

Result<Savepoint> Savepoint::begin(Database& database) {
    auto begun = database.execute("SAVEPOINT part");
    if (!begun) return begun.error();
    return Savepoint(database);
}

Savepoint::~Savepoint() {
    if (database_ == nullptr || !database_->in_transaction()) return;
    const auto ignored = database_->execute("ROLLBACK TO part; RELEASE part");
    static_cast<void>(ignored);
}

Result<void> Savepoint::release() {
    auto done = database_->execute("RELEASE part");
    if (done) database_ = nullptr;
    return done;
}

}  // namespace connector::storage
