// Whether the ledger is older than the audit log: then a copy was restored, or the machine was set back.
// What shows it is a line about something that cannot have happened without a commit (a key made, a certificate issued, a
// result taken), written more than a minute after the head that the ledger remembers; the ledger's memory of the head is
// a second behind at most, and goes into every commit. Only lines with a sound link count: others prove nothing.
// Reads files; blocking; main thread.
#pragma once

#include "core/ports/sealer.hpp"
#include "daemon/audit_log.hpp"

#include <optional>
#include <string>

namespace connector::daemon {

// "" where it is not, else what was found. `anchor`: the head as the ledger has it.
[[nodiscard]] std::string restored_since(const std::filesystem::path& audit_file, const ports::Sealer& sealer,
                                         const std::optional<AuditHead>& anchor);

}  // namespace connector::daemon
