// The answer to a lease: elements apart, each a request or the reason why it is none.
#include "core/printable.hpp"
#include "daemon/management/fields.hpp"
#include "daemon/management/json.hpp"
#include "daemon/management/wire.hpp"

#include <algorithm>
#include <array>

namespace connector::management {
namespace {

using namespace request;

constexpr std::size_t k_largest_element = 1024U * 1024U;
constexpr std::size_t k_most_values = 1000;  // of mail addresses, thumbprints; a bound of ours
constexpr std::size_t k_most_names = 20;

constexpr std::array<std::string_view, 6> k_revocation_reasons{
    "unspecified", "keyCompromise", "affiliationChanged", "superseded", "cessationOfOperation", "privilegeWithdrawn"};
constexpr std::array<std::string_view, 3> k_withdraw_reasons{"unenrolled", "companyDataRemoved", "unassigned"};

template <std::size_t N>
bool one_of(const std::array<std::string_view, N>& words, std::string_view word) {
    return std::find(words.begin(), words.end(), word) != words.end();
}

template <std::size_t N>
std::string joined(const std::array<std::string_view, N>& words) {
    std::string all;
    for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string(word);
    return all;
}

bool is_sid(std::string_view text) noexcept {
    if (!text.starts_with("S-1-") || text.size() > 256 || text.back() == '-') return false;
    return std::all_of(text.begin() + 4, text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '-'; }) &&
           text.find("--") == std::string_view::npos;
}

// Dotted, at least two arcs (X.660).
bool is_oid(std::string_view text) noexcept {
    if (text.size() < 3 || text.size() > 256 || text[0] < '0' || text[0] > '2' || text[1] != '.') return false;
    if (text.back() == '.' || text.find("..") != std::string_view::npos) return false;
    return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

// Only what issues or delivers uses more of user and device than their ids; a claim that is not used is not judged.
bool uses_people(Kind kind) noexcept {
    switch (kind) {
        case Kind::pkcs_issue:
        case Kind::pkcs_renew:
        case Kind::pfx_deliver: return true;
        case Kind::pfx_withdraw:
        case Kind::certificate_revoke: return false;
    }
    return true;
}

User read_user(const Fields& fields, bool used) {
    User user;
    user.id = fields.id<UserId>("id");
    user.user_principal_name =
        used ? fields.word("userPrincipalName") : fields.maybe_text("userPrincipalName").value_or("");
    user.mail = fields.maybe_text("mail");
    user.other_mails = fields.texts("otherMails", k_most_values);
    user.proxy_addresses = fields.texts("proxyAddresses", k_most_values);
    user.display_name = fields.maybe_text("displayName");
    user.given_name = fields.maybe_text("givenName");
    user.surname = fields.maybe_text("surname");
    user.on_premises_sam_account_name = fields.maybe_text("onPremisesSamAccountName");
    user.on_premises_distinguished_name = fields.maybe_text("onPremisesDistinguishedName");
    user.on_premises_security_identifier = fields.maybe_text("onPremisesSecurityIdentifier");
    if (user.on_premises_security_identifier && !is_sid(*user.on_premises_security_identifier))
        fields.raise("onPremisesSecurityIdentifier", "not a security identifier (S-1-5-21-...)");
    return user;
}

Device read_device(const Fields& fields, bool used) {
    Device device;
    device.id = fields.id<DeviceId>("id");
    if (used || fields.has("platform")) {
        const std::string word = fields.word("platform");
        const auto platform = parse_platform(word);
        if (platform) device.platform = *platform;
        if (used && !platform) fields.unsupported("platform", word, "ios, macos, android, windows or linux is");
    }
    device.os_version = fields.maybe_text("osVersion");
    device.name = fields.maybe_text("name");
    device.serial_number = fields.maybe_text("serialNumber");
    device.imei = fields.maybe_text("imei");
    device.azure_ad_device_id = fields.maybe_text("azureADDeviceId");
    device.recipient_certificate =
        used ? fields.octets("recipientCertificate") : fields.maybe_octets("recipientCertificate");
    device.binding = fields.maybe_octets("binding");
    device.key_change_proof = fields.maybe_octets("keyChangeProof");
    return device;
}

bool fits(DeliveryFormat format, Platform platform) noexcept {
    switch (format) {
        case DeliveryFormat::cms: return true;
        case DeliveryFormat::windows_csp: return platform == Platform::windows;
        case DeliveryFormat::apple_profile: return platform == Platform::ios || platform == Platform::macos;
    }
    return false;
}

std::string read_options(const Fields& fields, std::string_view key) {
    if (!fields.maybe_object(key).present()) return {};
    return json::canonical(*fields.find(key));
}

Delivery read_delivery(const Fields& fields, const Device& device) {
    Delivery delivery;
    if (!fields.present()) return delivery;
    static constexpr std::array k_formats{DeliveryFormat::cms, DeliveryFormat::windows_csp,
                                          DeliveryFormat::apple_profile};
    static constexpr std::array k_choices{Pkcs12Choice::automatic, Pkcs12Choice::aes256, Pkcs12Choice::legacy3des};
    if (const auto word = fields.maybe_text("format")) {
        const auto* format = std::find_if(k_formats.begin(), k_formats.end(),
                                          [&word](DeliveryFormat one) { return to_string(one) == *word; });
        if (format == k_formats.end()) {
            fields.unsupported("format", *word, "cms is, on windows windowsCsp, on ios and macos appleProfile");
        } else {
            delivery.format = *format;
            if (!fits(*format, device.platform))
                fields.unsupported("format", *word + " for " + std::string(to_string(device.platform)),
                                   "cms is, for any platform");
        }
    }
    if (const auto word = fields.maybe_text("pkcs12")) {
        const auto* choice = std::find_if(k_choices.begin(), k_choices.end(),
                                          [&word](Pkcs12Choice one) { return to_string(one) == *word; });
        if (choice == k_choices.end()) {
            fields.raise("pkcs12", "neither auto, aes256 nor legacy3des");
        } else {
            delivery.pkcs12 = *choice;
        }
    }
    delivery.apple = read_options(fields, "apple");
    delivery.windows = read_options(fields, "windows");
    return delivery;
}

void read_usages(const Fields& fields, Profile& profile) {
    if (fields.has("keyUsage")) {
        std::uint16_t bits = 0;
        for (const std::string& word : fields.texts("keyUsage", k_most_names)) {
            const auto one = KeyUsage::parse_one(word);
            if (!one) fields.raise("keyUsage", "\"" + printable(word, 64) + "\" is not a key usage of RFC 5280");
            if (one) bits = static_cast<std::uint16_t>(bits | one->bits());
        }
        if (bits == 0) fields.raise("keyUsage", "empty");
        profile.key_usage = KeyUsage(bits);
    }
    if (fields.has("extendedKeyUsage")) {
        profile.extended_key_usage = fields.texts("extendedKeyUsage", k_most_names);
        if (!std::all_of(profile.extended_key_usage.begin(), profile.extended_key_usage.end(), is_oid))
            fields.raise("extendedKeyUsage", "not dotted OIDs");
    }
}

Profile read_profile(const Fields& fields) {
    Profile profile;
    profile.authority = fields.word("authority");
    if (fields.has("template")) profile.template_alias = fields.word("template");
    profile.subject = fields.text("subject");
    for (const Fields& entry : fields.objects("subjectAltNames", k_most_names)) {
        SanTemplate name;
        const auto type = parse_san_type(entry.word("type"));
        if (!type) entry.raise("type", "neither email, upn, dns nor uri");
        if (type) name.type = *type;
        name.value = entry.word("value");
        profile.subject_alt_names.push_back(std::move(name));
    }
    const std::string type = fields.word("keyType");
    const auto key_type = parse_key_type(type);
    if (!key_type) fields.unsupported("keyType", type, "rsa2048, rsa3072, rsa4096, ecP256 or ecP384 is");
    if (key_type) profile.key_type = *key_type;
    read_usages(fields, profile);
    if (const auto days = fields.maybe_number("validityDays", 1, 36500))
        profile.validity_days = static_cast<unsigned>(*days);
    profile.renewal_threshold_percent =
        static_cast<unsigned>(fields.maybe_number("renewalThresholdPercent", 1, 99).value_or(20));
    profile.include_security_identifier = fields.maybe_boolean("includeSecurityIdentifier").value_or(false);
    return profile;
}

DeliverImported read_deliver(const Fields& fields, const Device& device) {
    DeliverImported order;
    const std::string word = fields.word("purpose");
    const auto purpose = parse_purpose(word);
    if (!purpose) fields.raise("purpose", "neither smimeEncryption, smimeSigning, unassigned nor wifi");
    if (purpose) order.purpose = *purpose;
    for (const std::string& thumbprint : fields.texts("thumbprints", k_most_values)) {
        const auto octets = Thumbprint::from_hex_text(thumbprint);
        if (!octets) fields.raise("thumbprints", "not 20 octets in hex");
        if (octets) order.thumbprints.push_back(octets->hex());
    }
    order.delivery = read_delivery(fields.maybe_object("delivery"), device);
    return order;
}

Revoke read_revoke(const Fields& fields) {
    Revoke order;
    order.authority = fields.word("authority");
    order.issuer = fields.name("issuer");
    order.serial_number = fields.serial_number("serialNumber");
    order.reason = fields.word("reason");
    if (!one_of(k_revocation_reasons, order.reason))
        fields.raise("reason", "not a reason; " + joined(k_revocation_reasons) + " are");
    return order;
}

Order read_order(const Fields& fields, Kind kind, const Device& device) {
    switch (kind) {
        case Kind::pkcs_issue: {
            Issue order;
            order.profile = read_profile(fields.object("profile"));
            order.delivery = read_delivery(fields.maybe_object("delivery"), device);
            return order;
        }
        case Kind::pkcs_renew: {
            Renew order;
            order.profile = read_profile(fields.object("profile"));
            const Fields previous = fields.object("previous");
            order.previous.serial_number = previous.serial_number("serialNumber");
            order.previous.issuer = previous.name("issuer");
            order.delivery = read_delivery(fields.maybe_object("delivery"), device);
            return order;
        }
        case Kind::pfx_deliver: return read_deliver(fields, device);
        case Kind::pfx_withdraw: {
            Withdraw order;
            order.reason = fields.word("reason");
            if (!one_of(k_withdraw_reasons, order.reason))
                fields.raise("reason", "not a reason; " + joined(k_withdraw_reasons) + " are");
            return order;
        }
        case Kind::certificate_revoke: return read_revoke(fields);
    }
    return Withdraw();
}

Result<ports::LeasedRequest> read_request(const boost::json::object& object, const Hash& sha256) {
    Fault fault;
    const Fields fields(&object, "", fault);
    ports::LeasedRequest leased;
    CertificateRequest& asked = leased.request;
    asked.id = fields.id<RequestId>("id");
    leased.lease.id = fields.id<LeaseId>("leaseId");
    const std::string word = fields.word("kind");
    const auto kind = parse_kind(word);
    if (!kind)
        fields.unsupported("kind", word, "pkcs.issue, pkcs.renew, pfx.deliver, pfx.withdraw or certificate.revoke is");
    if (fault) return fault.error();
    leased.lease.expires_at = fields.time("leaseExpiresAt");
    leased.lease.attempt = static_cast<std::uint32_t>(fields.maybe_number("attempt", 1, 2147483647).value_or(1));
    asked.created_at = fields.time("createdAt");
    asked.user = read_user(fields.object("user"), uses_people(*kind));
    asked.device = read_device(fields.object("device"), uses_people(*kind));
    asked.order = read_order(fields, *kind, asked.device);
    if (fault) return fault.error();
    leased.order_hash = sha256(order_octets(asked));
    return leased;
}

using Element = std::variant<ports::LeasedRequest, ports::UnreadableRequest>;

// nullopt: without a usable id or lease there is nobody to tell.
std::optional<Element> read_element(std::string_view text, const Hash& sha256) {
    const auto members = json::split_object(text);
    if (!members) return std::nullopt;
    const auto id = RequestId::parse(json::find_text(*members, "id").value_or(""));
    const auto lease = LeaseId::parse(json::find_text(*members, "leaseId").value_or(""));
    if (!id || !lease) return std::nullopt;
    const auto unreadable = [&id, &lease](const Error& error) {
        ports::UnreadableRequest told;
        told.id = *id;
        told.lease = *lease;
        told.failure.code = error.code;
        told.failure.message = printable(error.message, 500);
        return Element(std::move(told));
    };
    if (text.size() > k_largest_element)
        return unreadable(Error(ErrorKind::invalid, "invalidRequest", "/: larger than 1 MiB"));
    const auto value = json::parse_strict(text, json::k_element_depth, json::Texts::plain);
    if (!value) return unreadable(value.error());
    auto leased = read_request(value->as_object(), sha256);
    if (!leased) return unreadable(leased.error());
    return Element(std::move(*leased));
}

}  // namespace

Result<LeasedElements> decode_lease(std::string_view body, const Hash& sha256) {
    const auto list = json::only_list(body, "requests");
    if (!list) return list.error();
    LeasedElements answer;
    for (const std::string_view text : list->elements) {
        auto element = read_element(text, sha256);
        if (!element) {
            ++answer.skipped;
        } else {
            answer.requests.push_back(std::move(*element));
        }
    }
    return answer;
}

}  // namespace connector::management
