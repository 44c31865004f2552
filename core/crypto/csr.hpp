// Certificate signing requests (RFC 2986), made and read.
// Refuses: a request whose signature does not prove possession of its key.
// Any thread; values only.
#pragma once

#include "core/crypto/key.hpp"
#include "core/ports/crypto.hpp"

#include <optional>
#include <string>
#include <vector>

namespace connector::crypto {

using ports::CsrContent;

// DER, signed with SHA-256 (P-384: SHA-384). Alternative names are set one by one as typed values, so that a value can
// never become two names. Key usage is critical; an empty list or no bits means: do not ask for that extension.
// kind: invalid, naming what cannot be encoded.
[[nodiscard]] Result<Bytes> make_csr(const PrivateKey& key, const CsrContent& content);

struct CsrFacts {
    Name subject;
    Bytes spki;  // DER SubjectPublicKeyInfo
    PublicKeyFacts key;
    std::vector<GeneralName> alternative_names;
    bool alternative_names_critical = false;
    std::optional<KeyUsage> key_usage;
    std::optional<std::vector<std::string>> extended_key_usage;  // dotted OIDs
    std::optional<std::string> security_identifier;
    std::vector<std::string> requested_extensions;  // every requested extension's OID, in order
};
// A result means that the request's own signature was verified (proof of possession), with SHA-256 or better.
// DER, no octet after it, at most 64 KiB. kind: invalid.
[[nodiscard]] Result<CsrFacts> inspect_csr(ByteView csr);

[[nodiscard]] std::string csr_to_pem(ByteView csr);
// The first "CERTIFICATE REQUEST" of the text. kind: invalid.
[[nodiscard]] Result<Bytes> csr_from_pem(std::string_view text);

}  // namespace connector::crypto
