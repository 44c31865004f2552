// Symmetric cryptography and digests: AES-256-GCM in one fixed layout, HKDF, HMAC, SHA-2, random octets.
// Refuses: any other tag length, any other key length. Any thread; values only.
// Functions that give a plain value throw std::runtime_error where the library or the system's generator fails:
// going on without a digest or without randomness is never right.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <cstddef>

namespace connector::crypto {

inline constexpr std::size_t k_aead_key_size = 32;
inline constexpr std::size_t k_aead_nonce_size = 12;
inline constexpr std::size_t k_aead_tag_size = 16;

// AES-256-GCM (NIST SP 800-38D): nonce (12, random) | ciphertext | tag (16). `context` is the associated data.
// kind: internal, for a key that is not 32 octets.
[[nodiscard]] Result<Bytes> aead_seal(const SecretBytes& key, ByteView plaintext, ByteView context);
// The same with a nonce of the caller's: for known answers only; a nonce used twice gives the key away.
[[nodiscard]] Result<Bytes> aead_seal_with_nonce(const SecretBytes& key, ByteView nonce, ByteView plaintext,
                                                 ByteView context);
// Plaintext is released only once the tag has been verified. kind: integrity.
[[nodiscard]] Result<SecretBytes> aead_open(const SecretBytes& key, ByteView sealed, ByteView context);

// RFC 5869 with SHA-256, at most 255 * 32 octets. kind: internal.
[[nodiscard]] Result<SecretBytes> hkdf_sha256(const SecretBytes& key, ByteView salt, ByteView info, std::size_t size);
// RFC 2104 with SHA-256.
[[nodiscard]] Sha256 hmac_sha256(const SecretBytes& key, ByteView octets);

[[nodiscard]] Sha256 sha256(ByteView octets);
// SHA-1: names only (Graph's thumbprint), never a proof.
[[nodiscard]] Thumbprint sha1(ByteView octets);

// From the operating system's seeded generator; never short.
[[nodiscard]] Bytes random(std::size_t size);
// The private generator, into secret memory.
[[nodiscard]] SecretBytes random_secret(std::size_t size);
// `size` characters of A–Z a–z 0–9, each equally likely: 32 of them carry 190 bits.
[[nodiscard]] SecretBytes random_password(std::size_t size);

// Takes the same time wherever the two differ; the lengths are not secret.
[[nodiscard]] bool equal_constant_time(ByteView left, ByteView right) noexcept;

}  // namespace connector::crypto
