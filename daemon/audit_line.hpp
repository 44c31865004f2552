// One line of the audit log, as octets. Inside audit_log and audit_verify only. Pure.
#pragma once

#include "core/events.hpp"
#include "core/ports/sealer.hpp"
#include "core/time.hpp"
#include "daemon/audit_log.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace connector::daemon {

struct AuditLine {
    std::uint64_t sequence = 0;
    std::string_view content;  // everything before `,"prev":`
    Sha256 previous;
    Sha256 link;
};

// The next line of the chain, without its line end; `link` becomes its own. `generation`: the ledger's, if any.
[[nodiscard]] std::string make_audit_line(const ports::Sealer& sealer, const AuditHead& head, const Event& event,
                                          UtcTime time, std::optional<std::uint64_t> generation, Sha256& link);
// nullopt: not a line of ours. The view stays valid as long as `text`.
[[nodiscard]] std::optional<AuditLine> parse_audit_line(std::string_view text);
[[nodiscard]] Sha256 audit_link_of(const ports::Sealer& sealer, const Sha256& previous, std::string_view content);

}  // namespace connector::daemon
