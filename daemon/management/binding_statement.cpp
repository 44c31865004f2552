#include "daemon/management/binding_statement.hpp"

#include "daemon/management/fields.hpp"
#include "daemon/management/json.hpp"

namespace connector::management {

Result<trust::BindingStatement> WireStatementReader::read(ByteView content) const {
    const std::string_view text(reinterpret_cast<const char*>(content.data()), content.size());
    const auto value = json::parse_strict(text, 0, json::Texts::plain);
    if (!value) return value.error();
    if (!value->is_object()) return Error(ErrorKind::invalid, "invalidRequest", "not a JSON object");
    Fault fault;
    const Fields fields(&value->get_object(), "", fault);
    constexpr std::uint64_t k_version = 1;
    constexpr std::size_t k_sha256_octets = 32;
    if (!fields.maybe_number("v", k_version, k_version)) fields.raise("v", "missing");
    trust::BindingStatement statement;
    statement.device = fields.word("deviceId");
    statement.user_principal_name = fields.word("userPrincipalName");
    const auto key = Sha256::from_hex_text(fields.hex("spkiSha256", k_sha256_octets));
    statement.not_before = fields.time("notBefore");
    statement.not_after = fields.time("notAfter");
    if (fault) return fault.error();
    statement.spki_sha256 = *key;
    return statement;
}

}  // namespace connector::management
