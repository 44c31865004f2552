// What an interrupted bulk import has done already, as lines of a file that is only ever appended to. A line says: this
// file's content, for this user, purpose, import key and service, is in the store; as one hash, so that neither a
// name nor a secret stands in it. The last line may be torn: the process may be killed at any instant, and what is
// not in the file is only looked at again. Pure; any thread.
#pragma once

#include "core/certificate.hpp"
#include "core/ports/crypto.hpp"
#include "daemon/importer/bulk_rows.hpp"
#include "daemon/importer/import_tool.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace connector::importer {

// The hash that stands for a row's work.
[[nodiscard]] Sha256 work_of(const ports::Crypto& crypto, const Sha256& file, const BulkRow& row,
                             const WrappingKey& key, std::string_view service);

class BulkState {
public:
    // "" is an empty state. kind invalid, code stateInvalid: another program's file. Torn and foreign lines are left
    // out.
    [[nodiscard]] static Result<BulkState> parse(std::string_view text);
    // The certificate that was stored for that work.
    [[nodiscard]] std::optional<Sha256> done(const Sha256& work) const;
    [[nodiscard]] std::size_t size() const noexcept { return done_.size(); }

    [[nodiscard]] static std::string first_line();
    [[nodiscard]] static std::string line_of(const Sha256& work, const Sha256& certificate);

private:
    std::map<Sha256, Sha256> done_;
};

}  // namespace connector::importer
