#include "daemon/importer/bulk_state.hpp"

#include "core/text.hpp"

namespace connector::importer {
namespace {

constexpr std::string_view k_form = "pfx-connector-import-state-v1";

}  // namespace

Sha256 work_of(const ports::Crypto& crypto, const Sha256& file, const BulkRow& row, const WrappingKey& key,
               std::string_view service) {
    std::string lines;
    for (const std::string& line :
         {file.hex(), ascii_lower(row.user_principal_name), std::string(request::to_string(row.purpose)),
          key.provider_name, key.key_name, crypto.sha256(key.spki).hex(), std::string(service)})
        lines += line + "\n";
    return crypto.sha256(bytes_of(lines));
}

Result<BulkState> BulkState::parse(std::string_view text) {
    BulkState state;
    if (text.empty()) return state;
    const auto head = text.find('\n');
    // Killed while it wrote its very first line.
    if (head == std::string_view::npos && k_form.starts_with(text)) return state;
    if (text.substr(0, head) != k_form)
        return Error(ErrorKind::invalid, "stateInvalid",
                     "it is no state of an import; move it away, or name another one with --state");
    text.remove_prefix(head + 1);
    for (auto end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        const auto space = line.find(' ');
        if (space == std::string_view::npos) continue;
        const auto work = Sha256::from_hex_text(line.substr(0, space));
        const auto certificate = Sha256::from_hex_text(line.substr(space + 1));
        if (work && certificate) state.done_.insert_or_assign(*work, *certificate);
    }
    return state;
}

std::optional<Sha256> BulkState::done(const Sha256& work) const {
    const auto found = done_.find(work);
    return found == done_.end() ? std::nullopt : std::optional<Sha256>(found->second);
}

std::string BulkState::first_line() {
    return std::string(k_form) + "\n";
}
std::string BulkState::line_of(const Sha256& work, const Sha256& certificate) {
    return work.hex() + " " + certificate.hex() + "\n";
}

}  // namespace connector::importer
