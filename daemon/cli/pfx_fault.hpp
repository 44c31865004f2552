// Why a file of the administrator's does not open, in words for who has the file at hand: what is in it, and the way
// out. What the connector says of stored records is core/crypto's. Any thread; values only.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <string>

namespace connector::cli {

// `fault` as opening `pfx` gave it, with the same kind and code.
[[nodiscard]] Error explain_pfx_fault(const Error& fault, ByteView pfx);

}  // namespace connector::cli
