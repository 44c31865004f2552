#include "daemon/authority/local_store.hpp"

#include "storage/private_file.hpp"
#include "storage/sqlite.hpp"

#include <system_error>
#include <utility>

namespace connector::authority {
namespace {

using storage::Database;
using storage::Statement;
using storage::Transaction;

// The CLI and the daemon may write at once; both transactions are short. WAL: one sync for each certificate instead of
// three, and whoever reads holds up nobody who issues.
constexpr const char* k_pragmas =
    "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; "
    "PRAGMA foreign_keys = ON;";
constexpr std::int64_t k_schema_version = 1;
constexpr const char* k_schema =
    "CREATE TABLE issued ("
    " serial TEXT NOT NULL PRIMARY KEY,"
    " csr_sha256 BLOB NOT NULL,"
    " nonce BLOB NOT NULL,"
    " certificate BLOB NOT NULL,"
    " not_after INTEGER NOT NULL,"
    " issued_at INTEGER NOT NULL,"
    " revoked_at INTEGER,"
    " reason TEXT"
    ") STRICT;"
    "CREATE UNIQUE INDEX issued_once ON issued (nonce, csr_sha256);"
    "CREATE INDEX issued_revoked ON issued (revoked_at) WHERE revoked_at IS NOT NULL;"
    "CREATE TABLE crl (only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1), number INTEGER NOT NULL) STRICT;"
    "INSERT INTO crl (only, number) VALUES (1, 0);"
    "PRAGMA user_version = 1;";

std::int64_t seconds(UtcTime time) {
    return time.time_since_epoch().count();
}
UtcTime from_seconds(std::int64_t value) {
    return UtcTime(std::chrono::seconds(value));
}

class SqliteStore final : public LocalStore {
public:
    explicit SqliteStore(Database database) noexcept : database_(std::move(database)) {}

    Result<std::optional<Bytes>> find(ByteView nonce, const Sha256& csr) override {
        auto select = database_.prepare("SELECT csr_sha256, certificate FROM issued WHERE nonce = ?1");
        if (!select) return select.error();
        select->bind(1, nonce);
        std::optional<Bytes> found;
        bool foreign = false;
        for (;;) {
            const auto row = select->step();
            if (!row) return row.error();
            if (!*row) break;
            if (select->blob(0) == Bytes(csr.octets.begin(), csr.octets.end()))
                found = select->blob(1);
            else
                foreign = true;
        }
        if (!found && foreign)
            return Error(ErrorKind::conflict, "nonceTaken", "the submission's nonce belongs to another request");
        return found;
    }

    Result<Bytes> store(ByteView nonce, const Sha256& csr, const std::string& serial_number, ByteView certificate,
                        UtcTime not_after, UtcTime now) override {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return transaction.error();
        auto earlier = find(nonce, csr);
        if (!earlier) return earlier.error();
        if (*earlier) return std::move(**earlier);
        {
            auto insert = database_.prepare(
                "INSERT INTO issued (serial, csr_sha256, nonce, certificate, not_after, issued_at) "
                "VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
            if (!insert) return insert.error();
            insert->bind(1, std::string_view(serial_number)).bind(2, csr.view()).bind(3, nonce).bind(4, certificate);
            insert->bind(5, seconds(not_after)).bind(6, seconds(now));
            if (auto done = insert->run(); !done) return done.error();
        }
        if (auto done = transaction->commit(); !done) return done.error();
        return Bytes(certificate.begin(), certificate.end());
    }

    Result<bool> revoke(const std::string& serial_number, crypto::RevocationReason reason, UtcTime now) override {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return transaction.error();
        {
            auto select = database_.prepare("SELECT revoked_at IS NOT NULL FROM issued WHERE serial = ?1");
            if (!select) return select.error();
            select->bind(1, std::string_view(serial_number));
            const auto row = select->step();
            if (!row) return row.error();
            if (!*row)
                return Error(ErrorKind::refused, "notIssuedHere",
                             "this CA issued no certificate with serial number " + serial_number);
            if (select->integer(0) != 0) return true;
        }
        {
            auto update = database_.prepare("UPDATE issued SET revoked_at = ?2, reason = ?3 WHERE serial = ?1");
            if (!update) return update.error();
            update->bind(1, std::string_view(serial_number)).bind(2, seconds(now)).bind(3, crypto::to_string(reason));
            if (auto done = update->run(); !done) return done.error();
        }
        if (auto done = transaction->commit(); !done) return done.error();
        return false;
    }

    Result<std::vector<crypto::CrlEntry>> revoked(UtcTime now) override {
        auto select = database_.prepare(
            "SELECT serial, revoked_at, reason FROM issued "
            "WHERE revoked_at IS NOT NULL AND not_after >= ?1 ORDER BY revoked_at, serial");
        if (!select) return select.error();
        select->bind(1, seconds(now - k_stays_after_expiry));
        std::vector<crypto::CrlEntry> entries;
        for (;;) {
            const auto row = select->step();
            if (!row) return row.error();
            if (!*row) return entries;
            crypto::CrlEntry entry;
            auto serial = from_hex(select->text(0));
            const auto reason = crypto::parse_revocation_reason(select->text(2));
            if (!serial || !reason)
                return Error(ErrorKind::integrity, "storeBroken", "ca.db: a revoked row is not what was written");
            entry.serial = std::move(*serial);
            entry.revoked_at = from_seconds(select->integer(1));
            entry.reason = *reason;
            entries.push_back(std::move(entry));
        }
    }

    Result<void> make_list(UtcTime now, const MakeList& make) override {
        auto transaction = Transaction::begin(database_);
        if (!transaction) return transaction.error();
        const auto entries = revoked(now);
        if (!entries) return entries.error();
        const auto last = last_list_number();
        if (!last) return last.error();
        const auto number = make(*entries, *last);
        if (!number) return number.error();
        {
            auto update = database_.prepare("UPDATE crl SET number = ?1 WHERE only = 1");
            if (!update) return update.error();
            update->bind(1, static_cast<std::int64_t>(*number));
            if (auto done = update->run(); !done) return done.error();
        }
        return transaction->commit();
    }

    Result<void> probe() override {
        const auto transaction = Transaction::begin(database_);
        if (!transaction) return transaction.error();
        return {};
    }

    Result<std::uint64_t> last_list_number() override {
        const auto number = database_.number("SELECT number FROM crl WHERE only = 1");
        if (!number) return number.error();
        return static_cast<std::uint64_t>(*number);
    }

private:
    // RFC 5280 3.3: an entry stays on one more scheduled list after the certificate has expired.
    static constexpr std::chrono::days k_stays_after_expiry{14};
    Database database_;
};

}  // namespace

Result<std::unique_ptr<LocalStore>> LocalStore::open(const std::filesystem::path& file) {
    const auto failed = [&file](const Error& error) {
        // Somebody else has it open, or the disk has a bad hour: that passes.
        const bool passes = error.kind == ErrorKind::unavailable;
        return Error(passes ? ErrorKind::unavailable : ErrorKind::misconfigured,
                     passes ? "authorityUnreachable" : "authorityMisconfigured", file.string() + ": " + error.message);
    };
    if (const auto made = storage::private_file(file); !made) return failed(made.error());
    std::error_code failure;
    // SQLite refuses links anywhere in the name; that the directory is reached by one is the operator's affair.
    const auto place = std::filesystem::canonical(file, failure);
    auto database = Database::open(failure ? file : place);
    if (!database) return failed(database.error());
    if (auto done = database->execute(k_pragmas); !done) return failed(done.error());
    const auto known = database->number("PRAGMA user_version");
    if (!known) return failed(known.error());
    if (*known > k_schema_version)
        return failed({ErrorKind::misconfigured, "", "was written by a newer version of this program"});
    // Only a new file needs the write lock, which another process may hold for a while.
    if (*known == 0) {
        auto transaction = Transaction::begin(*database);
        if (!transaction) return failed(transaction.error());
        const auto version = database->number("PRAGMA user_version");
        if (!version) return failed(version.error());
        if (*version == 0) {
            if (auto done = database->execute(k_schema); !done) return failed(done.error());
        }
        if (auto done = transaction->commit(); !done) return failed(done.error());
    }
    return std::unique_ptr<LocalStore>(std::make_unique<SqliteStore>(std::move(*database)));
}

}  // namespace connector::authority
