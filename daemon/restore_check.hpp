// Whether the ledger is older than the audit log: then a copy was restored, or the machine was set back.
// What shows it is a line about a request that came to its end, written after the commit that ended it, where the
// ledger does not have that end. The ledger remembers the log's head as of a second ago or so; only the lines after it
// are looked at, and only those with a sound link: others prove nothing. Reads files; blocking; main thread.
#pragma once

#include "core/ids.hpp"
#include "core/ports/sealer.hpp"
#include "daemon/audit_log.hpp"

#include <functional>
#include <optional>
#include <string>

namespace connector::daemon {

// The ledger has this request as ended, or has taken an order of that id since `told`.
using KnowsEnd = std::function<bool(const RequestId& request, UtcTime told)>;

// "" where it is not, else what was found. `anchor`: the head as the ledger has it.
[[nodiscard]] std::string restored_since(const std::filesystem::path& audit_file, const ports::Sealer& sealer,
                                         const std::optional<AuditHead>& anchor, const KnowsEnd& knows);

}  // namespace connector::daemon
