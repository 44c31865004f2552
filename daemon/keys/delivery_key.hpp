// The delivery key: what signs packages for devices. Either with a certificate of its own that devices pin, or with a
// CSR for an on-premises CA. Refuses: files that exist. Blocking; one thread.
#pragma once

#include "core/certificate.hpp"
#include "core/error.hpp"

#include <filesystem>
#include <optional>
#include <string>

namespace connector::keys {

struct DeliveryKeyOrder {
    std::filesystem::path key_file;
    std::filesystem::path certificate_file;         // self-signed; not written where `csr_file` is given
    std::optional<std::filesystem::path> csr_file;  // for an on-premises CA
    std::string name;                               // CN
    KeyType type = KeyType::ec_p256;
    unsigned days = 1825;
};
struct DeliveryKeyMade {
    Sha256 spki_sha256;
    std::optional<CertificateFacts> certificate;
};
// PKCS#8 PEM, 0600. kind: invalid, conflict, misconfigured.
[[nodiscard]] Result<DeliveryKeyMade> create_delivery_key(const DeliveryKeyOrder& order, UtcTime now);

}  // namespace connector::keys
