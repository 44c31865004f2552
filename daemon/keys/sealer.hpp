// KeyedSealer: the sealing port over 32 octets that the operator keeps outside the database.
// Three keys are derived from them (HKDF-SHA-256), so that sealing, row check values and the audit chain share nothing.
// Layout of what is sealed: version (1) | nonce (12) | ciphertext | tag (16); the version is authenticated too.
// Refuses: a key that is not 32 octets; an unknown version. Any thread; holds no state that changes.
#pragma once

#include "core/ports/sealer.hpp"

#include <cstddef>
#include <memory>

namespace connector::keys {

inline constexpr std::size_t k_sealing_key_size = 32;

class KeyedSealer final : public ports::Sealer {
public:
    // kind: misconfigured, code sealingKeyUnfit.
    [[nodiscard]] static Result<std::unique_ptr<KeyedSealer>> make(const SecretBytes& sealing_key);

    [[nodiscard]] Result<Bytes> seal(ByteView secret, ByteView context) const override;
    [[nodiscard]] Result<SecretBytes> open(ByteView sealed, ByteView context) const override;
    [[nodiscard]] Sha256 check_value(ByteView octets) const override;
    [[nodiscard]] Sha256 audit_link(ByteView octets) const override;

private:
    KeyedSealer(SecretBytes seal_key, SecretBytes row_key, SecretBytes audit_key) noexcept;

    SecretBytes seal_key_;
    SecretBytes row_key_;
    SecretBytes audit_key_;
};

}  // namespace connector::keys
