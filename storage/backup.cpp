#include "storage/backup.hpp"

#include "storage/private_file.hpp"
#include "storage/schema.hpp"

#include <system_error>

namespace connector::storage {
namespace {

Result<Database> open_beside(const std::filesystem::path& directory) {
    std::error_code failure;
    const auto real = std::filesystem::canonical(directory, failure);
    if (failure) return Error(ErrorKind::misconfigured, "noDatabase", directory.string() + ": " + failure.message());
    return Database::open_read_only(real / ledger_layout().file_name, false);
}

Result<void> copy(Database& from, const std::filesystem::path& target) {
    auto into = from.prepare("VACUUM INTO ?");
    if (!into) return into.error();
    if (auto done = into->bind(1, std::string_view(target.native())).run(); !done) return done;
    auto database = Database::open_read_only(target, true);
    if (!database) return database.error();
    const auto findings = quick_check(*database);
    if (!findings) return findings.error();
    if (!findings->empty()) return Error(ErrorKind::integrity, "storageCorrupt", "the copy is damaged: " + *findings);
    if (auto synced = sync_file(target); !synced) return synced;
    return sync_file(target.parent_path());
}

}  // namespace

Result<void> back_up(const std::filesystem::path& directory, const std::filesystem::path& target) {
    auto database = open_beside(directory);
    if (!database) return database.error();
    // SQLite refuses links anywhere in a name; that the folder is reached by one is the operator's affair.
    std::error_code failure;
    const auto folder = std::filesystem::canonical(std::filesystem::absolute(target).parent_path(), failure);
    if (failure) return Error(ErrorKind::misconfigured, "noFolder", target.string() + ": " + failure.message());
    const auto file = folder / target.filename();
    if (std::filesystem::exists(std::filesystem::symlink_status(file)))
        return Error(ErrorKind::conflict, "exists", target.string() + " exists; name another file");
    // Made by us first, so that no moment passes in which others may read it; VACUUM INTO takes an empty file.
    const auto made = private_file(file);
    if (!made) return made.error();
    if (!*made) return Error(ErrorKind::conflict, "exists", target.string() + " exists; name another file");
    auto copied = copy(*database, file);
    if (!copied) {
        std::error_code ignored;
        std::filesystem::remove(file, ignored);
    }
    return copied;
}

}  // namespace connector::storage
