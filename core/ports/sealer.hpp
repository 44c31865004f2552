// Port: the sealing key. Seals what the database may not see in clear, and puts a keyed check value on every
// row that decides something. Any thread.
#pragma once

#include "core/error.hpp"
#include "core/secret.hpp"

namespace connector::ports {

class Sealer {
public:
    virtual ~Sealer() = default;
    // AES-256-GCM under a key derived for sealing: version | nonce | ciphertext | tag. `context` is the associated
    // data.
    [[nodiscard]] virtual Result<Bytes> seal(ByteView secret, ByteView context) const = 0;
    // kind: integrity, where key, context or octets are not those of the sealing.
    [[nodiscard]] virtual Result<SecretBytes> open(ByteView sealed, ByteView context) const = 0;
    // HMAC-SHA-256 under a key derived for rows. `octets` must be length-prefixed by the caller.
    [[nodiscard]] virtual Sha256 check_value(ByteView octets) const = 0;
    // HMAC-SHA-256 under a key derived for the audit chain.
    [[nodiscard]] virtual Sha256 audit_link(ByteView octets) const = 0;
};

}  // namespace connector::ports
