// Base64 (RFC 4648 section 4) and PEM (RFC 7468), strict in what they read: one text, one meaning.
// Refuses: line breaks and missing padding in base64, stray bits, foreign characters.
// Any thread; values only. No OpenSSL behind it.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::crypto {

// Standard alphabet, padded, no line breaks.
[[nodiscard]] std::string to_base64(ByteView octets);
// The inverse of to_base64 and nothing more: nullopt for missing padding, white space, a foreign character,
// or bits that are set under the padding (RFC 4648 section 3.5).
[[nodiscard]] std::optional<Bytes> from_base64(std::string_view text);
// The same for what must not stand in ordinary memory.
[[nodiscard]] std::optional<SecretBytes> secret_from_base64(std::string_view text);
// Adds the base64 of `octets` to the end of `out`, with no copy elsewhere.
void append_base64(SecretBytes& out, ByteView octets);

// RFC 7468 text: lines of 64, "-----BEGIN label-----".
[[nodiscard]] std::string to_pem(std::string_view label, ByteView der);
// Every block of that label in the text, in order; text around blocks and blocks of other labels are passed over.
// Not for private keys (key.hpp). kind: invalid, where a block is broken or none is there.
[[nodiscard]] Result<std::vector<Bytes>> from_pem(std::string_view label, std::string_view text);

namespace pem {
inline constexpr std::string_view k_certificate = "CERTIFICATE";
inline constexpr std::string_view k_certificate_request = "CERTIFICATE REQUEST";
inline constexpr std::string_view k_crl = "X509 CRL";
inline constexpr std::string_view k_public_key = "PUBLIC KEY";
}  // namespace pem

}  // namespace connector::crypto
