// The management API's example messages, as they lie in tests/contract/examples, and a hash for tests that need one.
#pragma once

#include "core/bytes.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>

namespace connector::wire_test {

// The file's text.
[[nodiscard]] std::string example(const std::string& name);
[[nodiscard]] boost::json::value example_json(const std::string& name);
// SHA-256.
[[nodiscard]] Sha256 hash(ByteView octets);

}  // namespace connector::wire_test
