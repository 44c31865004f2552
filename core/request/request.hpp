// The order, as the service stated it: immutable claims, nothing proved.
// Follows the management API's page, "Request". Values only, any thread.
#pragma once

#include "core/bytes.hpp"
#include "core/certificate.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace connector::request {

enum class Kind { pkcs_issue, pkcs_renew, pfx_deliver, pfx_withdraw, certificate_revoke };
[[nodiscard]] std::string_view to_string(Kind kind) noexcept;  // "pkcs.issue" …
[[nodiscard]] std::optional<Kind> parse_kind(std::string_view text) noexcept;

enum class Platform { ios, macos, android, windows, linux_pc };
[[nodiscard]] std::string_view to_string(Platform platform) noexcept;
[[nodiscard]] std::optional<Platform> parse_platform(std::string_view text) noexcept;

struct User {
    UserId id;
    std::string user_principal_name;
    std::optional<std::string> mail;
    std::vector<std::string> other_mails;
    std::vector<std::string> proxy_addresses;
    std::optional<std::string> display_name;
    std::optional<std::string> given_name;
    std::optional<std::string> surname;
    std::optional<std::string> on_premises_sam_account_name;
    std::optional<std::string> on_premises_distinguished_name;
    std::optional<std::string> on_premises_security_identifier;
};

struct Device {
    DeviceId id;
    Platform platform = Platform::linux_pc;
    std::optional<std::string> os_version;
    std::optional<std::string> name;
    std::optional<std::string> serial_number;
    std::optional<std::string> imei;
    std::optional<std::string> azure_ad_device_id;
    Bytes recipient_certificate;  // DER; empty only where the kind needs none
    Bytes binding;                // DER of CMS SignedData, or empty
    Bytes key_change_proof;       // DER of CMS SignedData, or empty
};

enum class DeliveryFormat { cms, windows_csp, apple_profile };
[[nodiscard]] std::string_view to_string(DeliveryFormat format) noexcept;
[[nodiscard]] std::optional<DeliveryFormat> parse_delivery_format(std::string_view text) noexcept;
enum class Pkcs12Choice { automatic, aes256, legacy3des };
[[nodiscard]] std::string_view to_string(Pkcs12Choice choice) noexcept;
[[nodiscard]] std::optional<Pkcs12Choice> parse_pkcs12_choice(std::string_view text) noexcept;

struct Delivery {
    DeliveryFormat format = DeliveryFormat::cms;
    Pkcs12Choice pkcs12 = Pkcs12Choice::automatic;
    std::string apple;    // the JSON object as text, or ""
    std::string windows;  // the JSON object as text, or ""
};

enum class SanType { email, upn, dns, uri };
[[nodiscard]] std::string_view to_string(SanType type) noexcept;
[[nodiscard]] std::optional<SanType> parse_san_type(std::string_view text) noexcept;
struct SanTemplate {
    SanType type = SanType::email;
    std::string value;  // with {{variables}}
};

struct Profile {
    std::string authority;
    std::optional<std::string> template_alias;
    std::string subject;  // RFC 4514 with {{variables}}; "" = empty
    std::vector<SanTemplate> subject_alt_names;
    KeyType key_type = KeyType::rsa2048;
    KeyUsage key_usage{KeyUsage::k_digital_signature};
    std::vector<std::string> extended_key_usage{std::string(eku::k_email_protection)};
    std::optional<unsigned> validity_days;
    unsigned renewal_threshold_percent = 20;
    bool include_security_identifier = false;
};

enum class Purpose { smime_encryption, smime_signing, unassigned, wifi };
[[nodiscard]] std::string_view to_string(Purpose purpose) noexcept;  // "smimeEncryption" …
[[nodiscard]] std::optional<Purpose> parse_purpose(std::string_view text) noexcept;

struct PreviousCertificate {
    std::string serial_number;  // lower-case hex, no leading zeros
    std::string issuer;         // RFC 4514
};

struct Issue {
    static constexpr Kind k_kind = Kind::pkcs_issue;
    Profile profile;
    Delivery delivery;
};
struct Renew {
    static constexpr Kind k_kind = Kind::pkcs_renew;
    Profile profile;
    PreviousCertificate previous;
    Delivery delivery;
};
struct DeliverImported {
    static constexpr Kind k_kind = Kind::pfx_deliver;
    Purpose purpose = Purpose::smime_encryption;
    std::vector<std::string> thumbprints;  // lower-case hex of SHA-1; empty = as the page says for the purpose
    Delivery delivery;
};
struct Withdraw {
    static constexpr Kind k_kind = Kind::pfx_withdraw;
    std::string reason;  // unenrolled | companyDataRemoved | unassigned
};
struct Revoke {
    static constexpr Kind k_kind = Kind::certificate_revoke;
    std::string authority;
    std::string issuer;  // RFC 4514
    std::string serial_number;
    std::string reason;
};
using Order = std::variant<Issue, Renew, DeliverImported, Withdraw, Revoke>;

struct CertificateRequest {
    RequestId id;
    UtcTime created_at;
    User user;
    Device device;
    Order order;

    [[nodiscard]] Kind kind() const noexcept;
    // The profile of pkcs.*, else nullptr.
    [[nodiscard]] const Profile* profile() const noexcept;
    // How it is to be delivered; nullptr for withdraw and revoke.
    [[nodiscard]] const Delivery* delivery() const noexcept;
};

struct Lease {
    LeaseId id;
    UtcTime expires_at;  // as stated; shown to people only
    std::uint32_t attempt = 1;
};

}  // namespace connector::request
