// The subject and SAN engine: the template is parsed first, then filled, so that a value can never add an attribute.
// Follows the management API, "Variables"; RFC 4514, RFC 5280 upper bounds. Pure; any thread.
#pragma once

#include "core/request/request.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::request {

// What a variable takes its value from.
enum class Claim {
    user_principal_name,
    mail,
    given_name,
    surname,
    display_name,
    sam_account_name,
    distinguished_name,
    security_identifier,
    device_id,
    device_name,
    serial_number,
    imei,
    azure_ad_device_id
};
// The claim's JSON pointer in the request: /user/mail.
[[nodiscard]] std::string_view pointer_of(Claim claim) noexcept;

// One variable of a template, and where its value went: the policy asks who proves it.
struct ClaimUse {
    Claim claim = Claim::user_principal_name;
    std::string pointer;    // /profile/subject, /profile/subjectAltNames/0/value
    std::string attribute;  // the subject attribute's OID; "" in a SAN, or where the claim is the whole subject
};

struct FilledNames {
    Name subject;
    std::vector<GeneralName> alternative_names;      // without duplicates
    std::vector<std::string> pointers;               // of each alternative name, in the same order
    std::optional<std::string> security_identifier;  // for the extension, where asked for
    std::vector<ClaimUse> claims;                    // every variable used, and the security identifier
};

// kind: invalid, code invalidRequest; the message begins with a JSON pointer and names the variable.
[[nodiscard]] Result<FilledNames> fill_names(const Profile& profile, const User& user, const Device& device);

// The URI form of a security identifier (Microsoft's strong mapping).
[[nodiscard]] std::string security_identifier_uri(std::string_view security_identifier);

}  // namespace connector::request
