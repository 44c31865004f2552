#include "core/request/request.hpp"

#include "core/request/word.hpp"

#include <type_traits>

namespace connector::request {

std::string_view to_string(Kind kind) noexcept {
    switch (kind) {
        case Kind::pkcs_issue: return "pkcs.issue";
        case Kind::pkcs_renew: return "pkcs.renew";
        case Kind::pfx_deliver: return "pfx.deliver";
        case Kind::pfx_withdraw: return "pfx.withdraw";
        case Kind::certificate_revoke: return "certificate.revoke";
    }
    return "unknown";
}

std::optional<Kind> parse_kind(std::string_view text) noexcept {
    return find_word(
        {Kind::pkcs_issue, Kind::pkcs_renew, Kind::pfx_deliver, Kind::pfx_withdraw, Kind::certificate_revoke}, text);
}

std::string_view to_string(Platform platform) noexcept {
    switch (platform) {
        case Platform::ios: return "ios";
        case Platform::macos: return "macos";
        case Platform::android: return "android";
        case Platform::windows: return "windows";
        case Platform::linux_pc: return "linux";
    }
    return "unknown";
}

std::optional<Platform> parse_platform(std::string_view text) noexcept {
    return find_word({Platform::ios, Platform::macos, Platform::android, Platform::windows, Platform::linux_pc}, text);
}

std::string_view to_string(DeliveryFormat format) noexcept {
    switch (format) {
        case DeliveryFormat::cms: return "cms";
        case DeliveryFormat::windows_csp: return "windowsCsp";
        case DeliveryFormat::apple_profile: return "appleProfile";
    }
    return "unknown";
}

std::optional<DeliveryFormat> parse_delivery_format(std::string_view text) noexcept {
    return find_word({DeliveryFormat::cms, DeliveryFormat::windows_csp, DeliveryFormat::apple_profile}, text);
}

std::string_view to_string(Pkcs12Choice choice) noexcept {
    switch (choice) {
        case Pkcs12Choice::automatic: return "auto";
        case Pkcs12Choice::aes256: return "aes256";
        case Pkcs12Choice::legacy3des: return "legacy3des";
    }
    return "unknown";
}

std::optional<Pkcs12Choice> parse_pkcs12_choice(std::string_view text) noexcept {
    return find_word({Pkcs12Choice::automatic, Pkcs12Choice::aes256, Pkcs12Choice::legacy3des}, text);
}

std::string_view to_string(SanType type) noexcept {
    switch (type) {
        case SanType::email: return "email";
        case SanType::upn: return "upn";
        case SanType::dns: return "dns";
        case SanType::uri: return "uri";
    }
    return "unknown";
}

std::optional<SanType> parse_san_type(std::string_view text) noexcept {
    return find_word({SanType::email, SanType::upn, SanType::dns, SanType::uri}, text);
}

std::string_view to_string(Purpose purpose) noexcept {
    switch (purpose) {
        case Purpose::smime_encryption: return "smimeEncryption";
        case Purpose::smime_signing: return "smimeSigning";
        case Purpose::unassigned: return "unassigned";
        case Purpose::wifi: return "wifi";
    }
    return "unknown";
}

std::optional<Purpose> parse_purpose(std::string_view text) noexcept {
    return find_word({Purpose::smime_encryption, Purpose::smime_signing, Purpose::unassigned, Purpose::wifi}, text);
}

Kind CertificateRequest::kind() const noexcept {
    return std::visit([](const auto& its) { return std::decay_t<decltype(its)>::k_kind; }, order);
}

const Profile* CertificateRequest::profile() const noexcept {
    if (const auto* issue = std::get_if<Issue>(&order)) return &issue->profile;
    if (const auto* renew = std::get_if<Renew>(&order)) return &renew->profile;
    return nullptr;
}

const Delivery* CertificateRequest::delivery() const noexcept {
    if (const auto* issue = std::get_if<Issue>(&order)) return &issue->delivery;
    if (const auto* renew = std::get_if<Renew>(&order)) return &renew->delivery;
    if (const auto* deliver = std::get_if<DeliverImported>(&order)) return &deliver->delivery;
    return nullptr;
}

}  // namespace connector::request
