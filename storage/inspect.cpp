#include "storage/inspect.hpp"

#include "storage/checked_rows.hpp"
#include "storage/rows.hpp"
#include "storage/schema.hpp"

#include <sys/stat.h>

#include <fstream>
#include <sstream>
#include <system_error>

namespace connector::storage {
namespace {

namespace fs = std::filesystem;

bool has_log(const fs::path& file) {
    std::error_code none;
    const auto size = fs::file_size(file.string() + "-wal", none);
    return !none && size != 0;
}

Result<LedgerFacts> look(const fs::path& file, const ports::Sealer* sealer, bool untouched) {
    auto database = Database::open_read_only(file, untouched);
    if (!database) return database.error();
    // Before anything else is read of a file that may not be ours.
    if (auto done = database->execute("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON"); !done)
        return done.error();
    const Layout layout = ledger_layout();
    LedgerFacts facts;
    facts.known_schema = static_cast<std::int64_t>(layout.migrations.size());
    const auto application = database->number("PRAGMA application_id");
    if (!application) return application.error();
    facts.ours = *application == layout.application_id;
    const auto schema = database->number("PRAGMA user_version");
    if (!schema) return schema.error();
    facts.schema = *schema;
    auto findings = quick_check(*database);
    if (!findings) return findings.error();
    facts.findings = std::move(*findings);
    if (sealer == nullptr || !facts.ours || facts.schema != facts.known_schema) return facts;

    CheckedRows rows(*database, *sealer, {});
    const auto state = rows.list(tables::k_state, "", {});
    if (!state) return state.error();
    if (rows.anything_noted())
        facts.key = KeyFits::no;
    else if (!state->empty())
        facts.key = KeyFits::yes;
    const auto marks = rows.list(tables::k_high_water, "", {});
    if (!marks) return marks.error();
    if (marks->empty()) return facts;
    if (const auto mark = high_water_from(marks->front()); mark && mark->newest_time != UtcTime{})
        facts.newest_time = mark->newest_time;
    return facts;
}

}  // namespace

Result<LedgerFacts> inspect_ledger(const fs::path& directory, const ports::Sealer* sealer, bool daemon_has_it) {
    const fs::path file = directory / ledger_layout().file_name;
    const bool untouched = !daemon_has_it && !has_log(file);
    auto facts = look(file, sealer, untouched);
    // Somebody opened it meanwhile: what was read without regard for writers says nothing.
    if (untouched && has_log(file)) return look(file, sealer, false);
    return facts;
}

std::optional<LockHolder> instance_lock_holder(const fs::path& directory) {
    struct stat about {};
    if (::stat((directory / "connector.lock").c_str(), &about) != 0) return std::nullopt;
    // Its holder writes its own number into it: inodes alone are the same on different file systems.
    std::ifstream file(directory / "connector.lock");
    LockHolder told;
    if (!(file >> told.process)) return std::nullopt;
    std::string manner_of_holding;
    told.command = file >> manner_of_holding && manner_of_holding == "command";
    // "3: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF"
    const std::string inode = ":" + std::to_string(about.st_ino);
    std::ifstream locks("/proc/locks");
    for (std::string line; std::getline(locks, line);) {
        std::istringstream words(line);
        std::string number;
        std::string kind;
        std::string manner;
        std::string access;
        int pid = 0;
        std::string place;
        if (words >> number >> kind >> manner >> access >> pid >> place && kind == "FLOCK" && pid == told.process &&
            place.ends_with(inode))
            return told;
    }
    return std::nullopt;
}

}  // namespace connector::storage
