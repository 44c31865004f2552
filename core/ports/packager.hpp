// Port: turns identities into what one device can open.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/trust/recipient.hpp"

#include <string>
#include <vector>

namespace connector::ports {

struct PackedIdentity {
    Thumbprint thumbprint;
    Sha256 sha256;
    Pfx pfx;
};
// The inner message's fields (management API, "What is delivered").
struct PackageContent {
    RequestId request_id;
    UserId user_id;
    std::string user_principal_name;
    std::string purpose;
    UtcTime created_at;
    UtcTime not_after;
    std::uint64_t sequence = 0;
    std::vector<PackedIdentity> identities;  // newest last
};

class Packager {
public:
    virtual ~Packager() = default;
    // Signed by the delivery certificate, encrypted to the proved device alone. Computes: crypto pool. Gives DER.
    [[nodiscard]] virtual Result<Bytes> package(const trust::Recipient& recipient, PackageContent content) const = 0;
};

}  // namespace connector::ports
