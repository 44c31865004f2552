// RSA-OAEP (RFC 8017 7.1): how an imported PFX's password travels. MGF1 with the same hash, empty label.
// Refuses: PKCS#1 v1.5, SHA-1. One text for every failure to unwrap, so that nobody learns from it.
// Any thread; values only.
#pragma once

#include "core/crypto/key.hpp"
#include "core/ports/crypto.hpp"

namespace connector::crypto {

using ports::OaepHash;

// `spki`: DER SubjectPublicKeyInfo, RSA. kind: invalid; a secret that is too long for the key is named as such.
[[nodiscard]] Result<Bytes> wrap_oaep(ByteView spki, const SecretBytes& secret, OaepHash hash);
// kind: invalid, code importUndecryptable.
[[nodiscard]] Result<SecretBytes> unwrap_oaep(const PrivateKey& key, ByteView ciphertext, OaepHash hash);
// The same with a DER PrivateKeyInfo; one that does not parse gives the same text.
[[nodiscard]] Result<SecretBytes> unwrap_oaep(const SecretBytes& pkcs8, ByteView ciphertext, OaepHash hash);
// The longest secret for a key of so many bits: octets − 2·hash − 2 (RFC 8017 7.1.1); 0 if none.
[[nodiscard]] std::size_t oaep_capacity(unsigned key_bits, OaepHash hash) noexcept;

}  // namespace connector::crypto
