#include "core/certificate.hpp"

#include <array>
#include <utility>

namespace connector {
namespace {

constexpr std::array<std::pair<std::uint16_t, std::string_view>, 9> k_usages{{
    {KeyUsage::k_digital_signature, "digitalSignature"},
    {KeyUsage::k_non_repudiation, "nonRepudiation"},
    {KeyUsage::k_key_encipherment, "keyEncipherment"},
    {KeyUsage::k_data_encipherment, "dataEncipherment"},
    {KeyUsage::k_key_agreement, "keyAgreement"},
    {KeyUsage::k_key_cert_sign, "keyCertSign"},
    {KeyUsage::k_crl_sign, "cRLSign"},
    {KeyUsage::k_encipher_only, "encipherOnly"},
    {KeyUsage::k_decipher_only, "decipherOnly"},
}};

}  // namespace

std::string_view to_string(KeyType type) noexcept {
    switch (type) {
        case KeyType::rsa2048: return "rsa2048";
        case KeyType::rsa3072: return "rsa3072";
        case KeyType::rsa4096: return "rsa4096";
        case KeyType::ec_p256: return "ecP256";
        case KeyType::ec_p384: return "ecP384";
    }
    return "unknown";
}

std::optional<KeyType> parse_key_type(std::string_view text) noexcept {
    for (const auto type : {KeyType::rsa2048, KeyType::rsa3072, KeyType::rsa4096, KeyType::ec_p256, KeyType::ec_p384})
        if (to_string(type) == text) return type;
    return std::nullopt;
}

std::optional<KeyUsage> KeyUsage::parse_one(std::string_view word) noexcept {
    // X.509 renamed the bit; RFC 5280 4.2.1.3 keeps both names.
    if (word == "contentCommitment") return KeyUsage(k_non_repudiation);
    for (const auto& [bit, name] : k_usages)
        if (name == word) return KeyUsage(bit);
    return std::nullopt;
}

std::vector<std::string_view> KeyUsage::words() const {
    std::vector<std::string_view> words;
    for (const auto& [bit, name] : k_usages)
        if (any_of(bit)) words.push_back(name);
    return words;
}

}  // namespace connector
