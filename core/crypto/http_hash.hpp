// Digests as HTTP Digest authentication uses them (RFC 7616 3.4): fields joined by colons, told in lower-case hex.
// What comes out stands in for a password, hence SecretBytes. MD5 is for servers that offer nothing else.
// Any thread; values only.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <initializer_list>

namespace connector::crypto {

enum class HttpHash { sha256, md5 };

// H(field ":" field …). kind: misconfigured, where this machine's OpenSSL has no such digest (FIPS has no MD5).
[[nodiscard]] Result<SecretBytes> http_hash(HttpHash hash, std::initializer_list<ByteView> fields);

}  // namespace connector::crypto
