#include "daemon/keys/sealer.hpp"

#include "core/crypto/aead.hpp"

#include <string_view>
#include <utility>

namespace connector::keys {
namespace {

constexpr std::uint8_t k_version = 1;
// Part of the format: what is sealed under one of these can be opened under no other.
constexpr std::string_view k_seal_info = "pfx-connector/1/seal";
constexpr std::string_view k_row_info = "pfx-connector/1/row";
constexpr std::string_view k_audit_info = "pfx-connector/1/audit";

Bytes versioned(ByteView context) {
    Bytes whole;
    whole.reserve(context.size() + 1);
    whole.push_back(k_version);
    whole.insert(whole.end(), context.begin(), context.end());
    return whole;
}

Result<SecretBytes> derive(const SecretBytes& sealing_key, std::string_view info) {
    return crypto::hkdf_sha256(sealing_key, {}, bytes_of(info), crypto::k_aead_key_size);
}

}  // namespace

KeyedSealer::KeyedSealer(SecretBytes seal_key, SecretBytes row_key, SecretBytes audit_key) noexcept
    : seal_key_(std::move(seal_key)), row_key_(std::move(row_key)), audit_key_(std::move(audit_key)) {}

Result<std::unique_ptr<KeyedSealer>> KeyedSealer::make(const SecretBytes& sealing_key) {
    if (sealing_key.size() != k_sealing_key_size)
        return Error(ErrorKind::misconfigured, "sealingKeyUnfit",
                     "the sealing key has to be exactly 32 octets; `pfx-connector sealing create FILE` makes one");
    auto seal_key = derive(sealing_key, k_seal_info);
    if (!seal_key) return seal_key.error();
    auto row_key = derive(sealing_key, k_row_info);
    if (!row_key) return row_key.error();
    auto audit_key = derive(sealing_key, k_audit_info);
    if (!audit_key) return audit_key.error();
    return std::unique_ptr<KeyedSealer>(
        new KeyedSealer(std::move(*seal_key), std::move(*row_key), std::move(*audit_key)));
}

Result<Bytes> KeyedSealer::seal(ByteView secret, ByteView context) const {
    auto sealed = crypto::aead_seal(seal_key_, secret, versioned(context));
    if (!sealed) return sealed;
    sealed->insert(sealed->begin(), k_version);
    return sealed;
}

Result<SecretBytes> KeyedSealer::open(ByteView sealed, ByteView context) const {
    if (sealed.empty() || sealed.front() != k_version)
        return Error(ErrorKind::integrity, "sealBroken", "what was sealed does not open under this key and context");
    return crypto::aead_open(seal_key_, sealed.subspan(1), versioned(context));
}

Sha256 KeyedSealer::check_value(ByteView octets) const {
    return crypto::hmac_sha256(row_key_, octets);
}

Sha256 KeyedSealer::audit_link(ByteView octets) const {
    return crypto::hmac_sha256(audit_key_, octets);
}

}  // namespace connector::keys
