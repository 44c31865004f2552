// SoftwareKeys: import keys out of PEM files (or systemd credentials), read once and held in memory.
// Refuses: key files that others may read, keys that are not RSA of at least 2048 bits, two tables with the same names.
// Any thread; holds no state that changes. Calls compute: crypto pool.
#pragma once

#include "config/settings.hpp"
#include "core/crypto/key.hpp"
#include "core/ports/key_service.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace connector::keys {

class SoftwareKeys final : public ports::KeyService {
public:
    struct Loaded {
        std::string table;
        std::string provider_name;
        std::string key_name;
        crypto::PrivateKey key;
    };
    // Settings::import_keys, by [import.NAME]. kind: misconfigured, naming the table.
    [[nodiscard]] static Result<std::unique_ptr<SoftwareKeys>> load(
        const std::map<std::string, config::ImportKey, std::less<>>& tables);

    [[nodiscard]] bool has(std::string_view provider, std::string_view key_name) const override;
    [[nodiscard]] Result<SecretBytes> unwrap(std::string_view provider, std::string_view key_name, ByteView ciphertext,
                                             ports::OaepHash hash) const override;

    // For the start's event: names and fingerprints.
    [[nodiscard]] const std::vector<Loaded>& loaded() const noexcept { return keys_; }

private:
    explicit SoftwareKeys(std::vector<Loaded> keys) noexcept;
    [[nodiscard]] const Loaded* find(std::string_view provider, std::string_view key_name) const noexcept;

    std::vector<Loaded> keys_;
};

}  // namespace connector::keys
