// How a package is made for a platform. What each platform reads: reference, "Who reads what".
#include "core/request/policy.hpp"

#include "core/printable.hpp"

#include <array>
#include <charconv>

namespace connector::request {
namespace {

using Version = std::array<unsigned, 3>;

// "17.5" → 17, 5, 0. nullopt where it does not begin with a number.
std::optional<Version> parse_version(std::string_view text) {
    Version version{};
    for (std::size_t part = 0; part < version.size(); ++part) {
        const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), version[part]);
        if (fault != std::errc()) return part == 0 ? std::nullopt : std::optional(version);
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
        if (text.empty() || text.front() != '.') break;
        text.remove_prefix(1);
    }
    return version;
}

// The first version that reads PBES2 with AES-256 and a SHA-256 MAC; all zeros: every one does.
Version first_with_aes256(Platform platform) {
    switch (platform) {
        case Platform::ios: return {18, 0, 0};
        case Platform::macos: return {15, 0, 0};
        case Platform::android: return {14, 0, 0};
        case Platform::windows: return {10, 0, 16299};
        case Platform::linux_pc: return {0, 0, 0};
    }
    return {0, 0, 0};
}

bool only_reads_legacy(Platform platform, const std::optional<std::string>& os_version) {
    const auto version = os_version ? parse_version(*os_version) : std::nullopt;
    return version && *version < first_with_aes256(platform);
}

Error refused(const std::string& message) {
    return Error(ErrorKind::refused, "policyRefused", "/delivery/pkcs12: " + message);
}
Error unsupported(const std::string& message) {
    return Error(ErrorKind::refused, "unsupported", "/delivery/format: " + message);
}

}  // namespace

Result<ports::PfxStyle> choose_style(Pkcs12Choice choice, Platform platform,
                                     const std::optional<std::string>& os_version, bool legacy_allowed) {
    constexpr std::size_t k_longest_version = 40;
    const bool old = only_reads_legacy(platform, os_version);
    const std::string device = std::string(to_string(platform)) + " " +
                               (os_version ? printable(*os_version, k_longest_version) : "of unknown version");
    switch (choice) {
        case Pkcs12Choice::aes256: return ports::PfxStyle::aes256;
        case Pkcs12Choice::automatic:
            if (!old) return ports::PfxStyle::aes256;
            if (!legacy_allowed)
                return refused(device + " reads legacy3des only, which [delivery] pkcs12_legacy forbids");
            return ports::PfxStyle::legacy3des;
        case Pkcs12Choice::legacy3des:
            if (!legacy_allowed) return refused("[delivery] pkcs12_legacy forbids legacy3des");
            if (!old) return refused("legacy3des for " + device + ", which reads aes256");
            return ports::PfxStyle::legacy3des;
    }
    return Error(ErrorKind::internal, "internal", "a PKCS#12 choice that is none");
}

Result<void> check_delivery(const Delivery& delivery, Platform platform, KeyAlgorithm recipient_key) {
    const std::string format(to_string(delivery.format));
    switch (delivery.format) {
        case DeliveryFormat::cms: return {};
        case DeliveryFormat::windows_csp:
            if (platform != Platform::windows) return unsupported(format + " is for windows alone");
            break;
        case DeliveryFormat::apple_profile:
            if (platform != Platform::ios && platform != Platform::macos)
                return unsupported(format + " is for ios and macos alone");
            break;
    }
    // Both formats use RSA PKCS#1 v1.5 key transport: the platforms read nothing else there.
    if (recipient_key != KeyAlgorithm::rsa) return unsupported(format + " needs a device key of type RSA");
    return {};
}

}  // namespace connector::request
