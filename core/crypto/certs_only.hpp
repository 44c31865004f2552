// CMS certs-only messages read (RFC 5652 5.1, RFC 8551 3.8): SignedData that signs nothing and carries certificates.
// Nothing in it is proved by anybody: what the certificates are worth is for verify_chain to say.
// Taken in BER too: authorities write indefinite lengths. Any thread; values only.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <cstddef>
#include <vector>

namespace connector::crypto {

inline constexpr std::size_t k_largest_certs_only = 1024UL * 1024;
inline constexpr std::size_t k_most_certs_only = 64;

// The certificates in the message's order (which means nothing), DER; none is an answer too. Refuses content, signers,
// octets behind the message. kind: invalid, code invalidRequest.
[[nodiscard]] Result<std::vector<Bytes>> certificates_from_cms(ByteView cms);

}  // namespace connector::crypto
