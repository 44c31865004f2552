// A certs-only message as another implementation writes it (OpenSSL's PKCS #7), for the readers' tests.
#pragma once

#include "core/bytes.hpp"

#include <vector>

namespace connector::test {

[[nodiscard]] Bytes certs_only(const std::vector<Bytes>& certificates);

}  // namespace connector::test
