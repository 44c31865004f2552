// Whether the ledger is older than the audit log: then a copy was restored, or the machine was set back.
// What shows it is a line that had a later generation of the ledger behind it: of a local act, such as a block or a
// freeze, or whatever else was written since. And, of lines without one, a line about a request that came to its end,
// written after the commit that ended it, where the ledger does not have that end. The ledger remembers the log's head
// as of a second ago or so; only the lines after it are looked at, and only those with a sound link: others prove
// nothing. Reads files; blocking; main thread.
#pragma once

#include "core/ids.hpp"
#include "core/ports/sealer.hpp"
#include "core/request/record.hpp"
#include "daemon/audit_log.hpp"

#include <functional>
#include <optional>
#include <string>

namespace connector::daemon {

// Whether this row has the request as ended, or is of an order of that id taken since `told`. One that was given up has
// not ended before the service has heard so: until then it can be revived, and in the rows of a copy it was perhaps.
[[nodiscard]] bool knows_end(const request::RequestRecord& record, UtcTime told) noexcept;

// The same of whatever the ledger has under that id.
using KnowsEnd = std::function<bool(const RequestId& request, UtcTime told)>;

// "" where it is not, else what was found. `anchor` and `generation`: as the ledger has them.
[[nodiscard]] std::string restored_since(const std::filesystem::path& audit_file, const ports::Sealer& sealer,
                                         const std::optional<AuditHead>& anchor, std::uint64_t generation,
                                         const KnowsEnd& knows);

}  // namespace connector::daemon
