// The database, the sealing key, and room on the disks.
#include "config/credentials.hpp"
#include "core/engine/clock_floor.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/keys/sealer.hpp"
#include "storage/inspect.hpp"

#include <filesystem>
#include <memory>
#include <set>
#include <system_error>

namespace connector::doctor {
namespace {

namespace fs = std::filesystem;
constexpr std::uint64_t k_mebi = 1024UL * 1024UL;
// SQLite, the log and the audit log stop where the disk is full, and with them every delivery.
constexpr std::uint64_t k_least_room = 50 * k_mebi;
constexpr std::uint64_t k_little_room = 500 * k_mebi;

void room(Checks& checks, const config::Settings& settings) {
    std::set<fs::path> seen;
    const auto look = [&](const std::string& what, const fs::path& folder) {
        if (folder.empty() || !seen.insert(folder).second) return;
        std::error_code failure;
        const auto space = fs::space(folder, failure);
        if (!failure) judge_room(checks, what, folder.string(), space.available, space.capacity);
    };
    look("disk of the database", settings.storage.directory);
    look("disk of the log", settings.log.file.parent_path());
    look("disk of the audit log", settings.audit.file.parent_path());
}

std::unique_ptr<keys::KeyedSealer> sealer_of(const config::Settings& settings, Checks& checks) {
    if (!settings.sealing.key) return nullptr;
    // Its daemon reads it from where only the unit has it, and says so among the checks that it makes itself.
    if (settings.sealing.key->source == config::SecretRef::Source::credential &&
        std::getenv("CREDENTIALS_DIRECTORY") == nullptr)
        return nullptr;
    const auto key = config::read_sealing_key(*settings.sealing.key);
    if (!key) {
        checks.fault(
            "sealing key", key.error().message,
            "take it back from its backup; only where nothing was stored yet: pfx-connector sealing create FILE");
        return nullptr;
    }
    auto sealer = keys::KeyedSealer::make(*key);
    if (!sealer) {
        checks.fault("sealing key", sealer.error().message, "take it back from its backup");
        return nullptr;
    }
    return std::move(*sealer);
}

}  // namespace

void judge_room(Checks& checks, const std::string& what, const std::string& path, std::uint64_t free,
                std::uint64_t total) {
    const std::string found =
        path + ": " + std::to_string(free / k_mebi) + " of " + std::to_string(total / k_mebi) + " MiB are free";
    if (free < k_least_room)
        checks.fault(what, found, "make room: without it nothing can be written down, and nothing is done that is not");
    else if (free < k_little_room)
        checks.warning(what, found, "make room, or move it to a larger disk");
    else
        checks.good(what, found);
}

void judge_newest(Checks& checks, UtcTime now, UtcTime newest) {
    engine::ClockFloor floor;
    floor.noted(newest);
    const std::string found = "this machine's clock is behind " + to_rfc3339(newest) + ", the newest time seen here";
    const std::string mend = "set the clock right; if it is right and was ahead before: pfx-connector clock accept";
    switch (floor.judge(now)) {
        case engine::ClockFloor::State::good:
            checks.good("newest time", "the clock is not behind the newest time seen here");
            return;
        case engine::ClockFloor::State::behind: checks.warning("newest time", found, mend); return;
        case engine::ClockFloor::State::held:
            checks.fault("newest time", found + " by more than a day: certificates and deliveries are stopped", mend);
            return;
    }
}

std::vector<Check> check_database(const config::Settings& settings, const Daemon& daemon, UtcTime now) {
    Checks checks("database");
    const fs::path file = settings.storage.database();
    const auto sealer = sealer_of(settings, checks);
    std::error_code none;
    if (!fs::exists(file, none)) {
        checks.good("database", file.string() + " is not there yet; `run` makes it");
        if (sealer != nullptr) checks.good("sealing key", settings.sealing.key->text());
        room(checks, settings);
        return std::move(checks).take();
    }
    const std::string restore = "stop the daemon, move the file away and put the last backup in its place";
    const auto facts = storage::inspect_ledger(settings.storage.directory, sealer.get(), daemon.has_state());
    if (!facts) {
        checks.fault("database", file.string() + ": " + facts.error().message, restore);
    } else if (!facts->ours) {
        checks.fault("database", file.string() + " is a database of another program",
                     "move it away, or name another storage.directory");
    } else if (facts->schema > facts->known_schema) {
        checks.fault("database",
                     file.string() + " was written by a newer version (schema " + std::to_string(facts->schema) +
                         ", this program knows " + std::to_string(facts->known_schema) + ")",
                     "install that version again");
    } else if (!facts->findings.empty()) {
        checks.fault("database", file.string() + " is damaged: " + facts->findings, restore);
    } else {
        checks.good("database",
                    file.string() + ": schema " + std::to_string(facts->schema) + ", sound" +
                        (facts->schema < facts->known_schema ? "; the next start brings it up to date" : ""));
    }
    if (sealer != nullptr && facts) {
        if (facts->key == storage::KeyFits::no)
            checks.fault("sealing key",
                         settings.sealing.key->text() + " is not the key of this database, or its state was edited",
                         "put the right key back from its backup; see also: pfx-connector audit verify");
        else
            checks.good("sealing key", settings.sealing.key->text() +
                                           (facts->key == storage::KeyFits::yes ? " opens the database" : ""));
    }
    if (facts && facts->newest_time) judge_newest(checks, now, *facts->newest_time);
    room(checks, settings);
    return std::move(checks).take();
}

}  // namespace connector::doctor
