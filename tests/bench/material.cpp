#include "material.hpp"

#include <openssl/pem.h>

#include <fstream>
#include <iterator>

namespace bench {
namespace {

Bytes octets(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::runtime_error(file.string() + ": cannot be read");
    return Bytes(std::istreambuf_iterator<char>(in), {});
}

Bio source(const Bytes& from) {
    return Bio(must_have(BIO_new_mem_buf(from.data(), static_cast<int>(from.size())), "memory"));
}

Certificate certificate(const std::filesystem::path& file) {
    const Bytes pem = octets(file);
    return Certificate(must_have(PEM_read_bio_X509(source(pem).get(), nullptr, nullptr, nullptr), file.c_str()));
}

Key key(const std::filesystem::path& file) {
    const Bytes pem = octets(file);
    return Key(must_have(PEM_read_bio_PrivateKey(source(pem).get(), nullptr, nullptr, nullptr), file.c_str()));
}

}  // namespace

Material read_material(const std::filesystem::path& place) {
    Material made;
    made.device = octets(place / "device.der");
    made.device_ca = certificate(place / "device-ca.crt");
    made.root = certificate(place / "root.crt");
    made.issuing_ca = certificate(place / "ca.crt");
    made.issuing_key = key(place / "ca.key");
    made.delivery = certificate(place / "delivery.crt");
    made.delivery_key = key(place / "delivery.key");
    made.delivery_chain.reset(must_have(sk_X509_new_null(), "stack"));
    must(sk_X509_push(made.delivery_chain.get(), certificate(place / "delivery-chain.crt").release()) > 0, "stack");
    made.import_key = key(place / "import-key.key");
    made.importer = certificate(place / "importer.crt");
    for (int number = 0; std::filesystem::exists(place / (std::to_string(number) + ".pfx")); ++number) {
        const std::string stem = std::to_string(number);
        made.records.push_back({octets(place / (stem + ".pfx")), octets(place / (stem + ".wrapped")),
                                octets(place / (stem + ".signature"))});
    }
    made.sealing_key = octets(place / "sealing.key");
    return made;
}

}  // namespace bench
