// A ledger looked at from outside, beside the daemon that may have it open: nothing is migrated, moved, locked or made.
// Out: what the file is and whether it is sound. Any thread; blocking (the whole file is read).
#pragma once

#include "core/ports/sealer.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace connector::storage {

enum class KeyFits { yes, no, unknown };  // unknown: no sealer was given, or nothing is stored yet

struct LedgerFacts {
    bool ours = false;  // its application_id is this program's
    std::int64_t schema = 0;
    std::int64_t known_schema = 0;  // the newest that this program knows
    std::string findings;           // quick_check's; "" = sound
    KeyFits key = KeyFits::unknown;
    std::optional<UtcTime> newest_time;  // that the clock has shown, where the key is there
};

// `sealer`: of the configured key, or nullptr. `daemon_has_it`: a process works on it at present.
// kind: unavailable, integrity (not a database, damaged).
[[nodiscard]] Result<LedgerFacts> inspect_ledger(const std::filesystem::path& directory, const ports::Sealer* sealer,
                                                 bool daemon_has_it);

// Who holds a directory's InstanceLock. A command holds it for a moment, a daemon as long as it lives.
struct LockHolder {
    int process = 0;
    bool command = false;
};
// As the kernel lists it. Nothing is locked for it: a daemon that starts at this moment must not find the lock taken by
// a question.
[[nodiscard]] std::optional<LockHolder> instance_lock_holder(const std::filesystem::path& directory);

}  // namespace connector::storage
