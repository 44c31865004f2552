#include "storage/schema.hpp"

#include "storage/private_file.hpp"

#include <array>
#include <fstream>
#include <string>
#include <system_error>
#include <vector>

namespace connector::storage {
namespace {

constexpr std::int32_t k_ledger_application_id = 0x50465843;  // "PFXC"

Error not_ours(const std::filesystem::path& file, std::int64_t found) {
    return {ErrorKind::misconfigured, "notOurDatabase",
            file.string() + " is not a database of this program (application_id " + std::to_string(found) +
                "); move it away or name another directory"};
}

Error too_new(const std::filesystem::path& file, std::int64_t found, std::size_t known) {
    return {ErrorKind::misconfigured, "newerSchema",
            file.string() + " was written by a newer version (schema " + std::to_string(found) +
                ", this program knows " + std::to_string(known) + "); install that version again"};
}

Error cut_off(const std::filesystem::path& file, std::uintmax_t size, std::int64_t wanted) {
    return {ErrorKind::integrity, "storageCorrupt",
            file.string() + " is cut off: " + std::to_string(size) + " of " + std::to_string(wanted) +
                " octets; keep it, check the disk, and restore the last backup"};
}

// The header says how long the file is; its last page must be there and readable. Not while a write-ahead log holds
// newer pages: then SQLite recovers first.
Result<void> check_length(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    std::array<unsigned char, 100> header{};
    std::error_code failure;
    const auto size = std::filesystem::file_size(file, failure);
    if (failure) return Error(ErrorKind::unavailable, "storageUnavailable", file.string() + ": " + failure.message());
    if (size == 0) return {};
    const auto number = [&header](std::size_t at, std::size_t octets) {
        std::int64_t value = 0;
        for (std::size_t i = 0; i < octets; ++i) value = value << 8 | header[at + i];
        return value;
    };
    // https://www.sqlite.org/fileformat2.html 1.3: page size at 16 (1 stands for 65536), pages at 28.
    stream.read(reinterpret_cast<char*>(header.data()), static_cast<std::streamsize>(header.size()));
    const auto stated = number(16, 2);
    const auto page = stated == 1 ? 65536 : stated;
    const auto wanted = page * number(28, 4);
    if (!stream || size < static_cast<std::uintmax_t>(wanted)) return cut_off(file, size, wanted);
    std::vector<char> last(static_cast<std::size_t>(page));
    if (wanted < page || !stream.seekg(wanted - page).read(last.data(), page)) return cut_off(file, size, wanted);
    return {};
}

Result<void> migrate(Database& database, const Layout& layout, std::size_t from) {
    for (auto step = from; step < layout.migrations.size(); ++step) {
        auto transaction = Transaction::begin(database);
        if (!transaction) return transaction.error();
        const auto sql = std::string(layout.migrations[step]) +
                         "\nPRAGMA application_id=" + std::to_string(layout.application_id) +
                         "; PRAGMA user_version=" + std::to_string(step + 1);
        if (auto done = database.execute(sql); !done) return done.error().in("migration " + std::to_string(step + 1));
        if (layout.complete_step) {
            if (auto done = layout.complete_step(database, step + 1); !done)
                return done.error().in("migration " + std::to_string(step + 1));
        }
        if (auto done = transaction->commit(); !done) return done.error();
    }
    return {};
}

Result<void> prepare_file(Database& database, const std::filesystem::path& file, const Layout& layout) {
    // Before anything else is read of a file that may not be ours.
    if (auto done = database.execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"); !done) return done;
    const auto application = database.number("PRAGMA application_id");
    if (!application) return application.error();
    const auto version = database.number("PRAGMA user_version");
    if (!version) return version.error();
    const auto objects = database.number("SELECT count(*) FROM sqlite_schema");
    if (!objects) return objects.error();
    const bool fresh = *application == 0 && *version == 0 && *objects == 0;
    if (!fresh && *application != layout.application_id) return not_ours(file, *application);
    const auto known = layout.migrations.size();
    if (*version < 0 || static_cast<std::size_t>(*version) > known) return too_new(file, *version, known);

    const auto mode = database.text("PRAGMA journal_mode=WAL");
    if (!mode) return mode.error();
    if (*mode != "wal") {
        return Error(ErrorKind::misconfigured, "noWriteAheadLog",
                     file.string() + ": this file system cannot keep a write-ahead log (journal mode " + *mode + ")");
    }
    if (auto done = database.execute("PRAGMA synchronous=FULL; PRAGMA secure_delete=ON; PRAGMA foreign_keys=ON;"
                                     "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=0");
        !done) {
        return done;
    }
    return migrate(database, layout, static_cast<std::size_t>(*version));
}

}  // namespace

Layout ledger_layout() {
    return {"connector.db", k_ledger_application_id, ledger_migrations(), {}};
}

Result<Database> open_database(const std::filesystem::path& directory, const Layout& layout) {
    const auto folder = private_directory(directory);
    if (!folder) return folder.error();
    const auto file = *folder / layout.file_name;
    if (auto made = private_file(file); !made) return made.error();
    if (!ended_unclean(directory, layout)) {
        if (auto whole = check_length(file); !whole) return whole.error();
    }
    // SQLite gives these two the mode of the file, but only when it makes them.
    for (const auto* suffix : {"-wal", "-shm"}) {
        if (auto checked = check_private_file(file.string() + suffix); !checked) return checked.error();
    }
    auto database = Database::open(file);
    if (!database) return database.error();
    if (auto ready = prepare_file(*database, file, layout); !ready) {
        auto error = ready.error();
        return error.kind == ErrorKind::misconfigured ? error : error.in(file.string());
    }
    return database;
}

bool ended_unclean(const std::filesystem::path& directory, const Layout& layout) {
    std::error_code failure;
    const auto size = std::filesystem::file_size((directory / layout.file_name).string() + "-wal", failure);
    return !failure && size != 0;
}

Result<std::string> quick_check(Database& database) {
    auto statement = database.prepare("PRAGMA quick_check(10)");
    if (!statement) return statement.error();
    std::string findings;
    for (;;) {
        const auto row = statement->step();
        if (!row) return row.error();
        if (!*row) break;
        const auto line = statement->text(0);
        if (line == "ok") continue;
        findings += findings.empty() ? line : "; " + line;
    }
    return findings;
}

}  // namespace connector::storage
