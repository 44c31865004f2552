#include "support/wire_examples.hpp"

#include "core/crypto/openssl_crypto.hpp"

#include <boost/json/parse.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace connector::wire_test {

std::string example(const std::string& name) {
    const auto folder = std::filesystem::path(CONNECTOR_SOURCE_DIR) / "tests" / "contract" / "examples";
    std::ifstream file(folder / name, std::ios::binary);
    if (!file) throw std::runtime_error("no example " + name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

boost::json::value example_json(const std::string& name) {
    return boost::json::parse(example(name));
}

Sha256 hash(ByteView octets) {
    return crypto::OpenSslCrypto().sha256(octets);
}

}  // namespace connector::wire_test
