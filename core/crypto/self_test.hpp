// The start-up self test: is the cryptography under us the one this program was written for?
// An unpatched or foreign libcrypto is refused before the first request, not at it. Takes some tens of milliseconds.
#pragma once

#include "core/error.hpp"

namespace connector::crypto {

// AES-256-GCM and SHA-256 known answers; an envelope opens; the same with a one-octet tag, a four-octet tag or one
// changed octet does not; a PFX of either style reads back. kind: internal, code selfTestFailed, naming the part.
[[nodiscard]] Result<void> self_test();

}  // namespace connector::crypto
