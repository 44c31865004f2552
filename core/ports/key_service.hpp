// Port: where the import keys live (a file, a PKCS#11 token, CNG). The private key never comes out of it.
// Calls compute; they run on the crypto pool.
#pragma once

#include "core/ports/crypto.hpp"

#include <string_view>

namespace connector::ports {

class KeyService {
public:
    virtual ~KeyService() = default;
    // Whether a key of these two names is configured (both equal, case-sensitive).
    [[nodiscard]] virtual bool has(std::string_view provider, std::string_view key_name) const = 0;
    // The PFX password of an imported record. One text for every cause of failure. code importUndecryptable.
    [[nodiscard]] virtual Result<SecretBytes> unwrap(std::string_view provider, std::string_view key_name,
                                                     ByteView ciphertext, OaepHash hash) const = 0;
};

}  // namespace connector::ports
