// Distinguished names as data: RFC 5280 4.1.2.4 in structure, RFC 4514 as text.
// The parser refuses what it does not fully understand; nothing is silently dropped.
// Any thread; values only. DER is core/crypto's business.
#pragma once

#include "core/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace connector {

// `type` is a dotted OID, `value` UTF-8 without NUL.
struct Attribute {
    std::string type;
    std::string value;
    bool operator==(const Attribute&) const = default;
};

// `rdns` stands in the order of the encoding (the root's end first); RFC 4514 text reads the other way round.
struct Name {
    std::vector<std::vector<Attribute>> rdns;
    [[nodiscard]] bool empty() const noexcept { return rdns.empty(); }
};

// Reads an RFC 4514 string: escapes (`\,` `\2C`), multi-valued RDNs, spaces around separators, and, as RFC 2253 had
// them, quoted values. `#hex` values, control characters, empty values, a type twice in one RDN are refused.
// Attribute names: RFC 4514's, E/emailAddress, G/GN/givenName, SN/surname, serialNumber, T/title, dotted OIDs.
// "" is the empty name. kind: invalid, with the offending part named.
[[nodiscard]] Result<Name> parse_name(std::string_view text);
// The RFC 4514 string of a name; unknown types as dotted OIDs.
[[nodiscard]] std::string to_text(const Name& name);
// RFC 5280 7.1: same RDNs in the same order, values compared without regard to ASCII case and runs of spaces.
[[nodiscard]] bool same_name(const Name& left, const Name& right);

// nullopt-like "" for an unknown attribute name; dotted OIDs are returned as they are.
[[nodiscard]] std::string attribute_oid(std::string_view name);
// The short name that to_text() writes; the OID itself where there is none.
[[nodiscard]] std::string attribute_name(std::string_view oid);
// RFC 5280 Appendix A (where it is silent X.520, RFC 4519): the longest value in characters, 0 = no bound known.
[[nodiscard]] std::size_t upper_bound_of(std::string_view oid);
// True where the type's syntax is IA5String or PrintableString: country, serialNumber, dnQualifier, DC, emailAddress.
[[nodiscard]] bool ascii_only(std::string_view oid);
// X.660: arcs without leading zeros, the first 0–2, the second below 40 under 0 and 1.
[[nodiscard]] bool is_dotted_oid(std::string_view text);

namespace oid {
inline constexpr std::string_view k_common_name = "2.5.4.3";
inline constexpr std::string_view k_surname = "2.5.4.4";
inline constexpr std::string_view k_serial_number = "2.5.4.5";
inline constexpr std::string_view k_country = "2.5.4.6";
inline constexpr std::string_view k_name = "2.5.4.41";
inline constexpr std::string_view k_given_name = "2.5.4.42";
inline constexpr std::string_view k_initials = "2.5.4.43";
inline constexpr std::string_view k_generation_qualifier = "2.5.4.44";
inline constexpr std::string_view k_pseudonym = "2.5.4.65";
inline constexpr std::string_view k_display_name = "2.16.840.1.113730.3.1.241";
inline constexpr std::string_view k_email_address = "1.2.840.113549.1.9.1";
inline constexpr std::string_view k_user_id = "0.9.2342.19200300.100.1.1";
inline constexpr std::string_view k_domain_component = "0.9.2342.19200300.100.1.25";
}  // namespace oid

}  // namespace connector
