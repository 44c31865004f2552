#include "daemon/keys/software.hpp"

#include "core/crypto/oaep.hpp"
#include "daemon/keys/load.hpp"

#include <utility>

namespace connector::keys {
namespace {

Error import_key_unfit(const std::string& table, const std::string& why) {
    return {ErrorKind::misconfigured, "importKeyUnfit", "import." + table + ": " + why};
}

}  // namespace

SoftwareKeys::SoftwareKeys(std::vector<Loaded> keys) noexcept : keys_(std::move(keys)) {}

Result<std::unique_ptr<SoftwareKeys>> SoftwareKeys::load(
    const std::map<std::string, config::ImportKey, std::less<>>& tables) {
    std::vector<Loaded> keys;
    for (const auto& [table, source] : tables) {
        for (const Loaded& other : keys) {
            if (other.provider_name == source.provider_name && other.key_name == source.key_name)
                return import_key_unfit(table, "has the same provider_name and key_name as import." + other.table);
        }
        auto key = load_private_key(source.key, source.passphrase);
        if (!key) return import_key_unfit(table, key.error().message);
        if (key->facts().algorithm != KeyAlgorithm::rsa || key->facts().bits < 2048)
            return import_key_unfit(table, "an import key is RSA of 2048 bits or more");
        keys.push_back({table, source.provider_name, source.key_name, std::move(*key)});
    }
    return std::unique_ptr<SoftwareKeys>(new SoftwareKeys(std::move(keys)));
}

const SoftwareKeys::Loaded* SoftwareKeys::find(std::string_view provider, std::string_view key_name) const noexcept {
    for (const Loaded& key : keys_) {
        if (key.provider_name == provider && key.key_name == key_name) return &key;
    }
    return nullptr;
}

bool SoftwareKeys::has(std::string_view provider, std::string_view key_name) const {
    return find(provider, key_name) != nullptr;
}

Result<SecretBytes> SoftwareKeys::unwrap(std::string_view provider, std::string_view key_name, ByteView ciphertext,
                                         ports::OaepHash hash) const {
    const Loaded* key = find(provider, key_name);
    if (key == nullptr)
        return Error(ErrorKind::misconfigured, "importUndecryptable",
                     "no import key is configured for provider_name \"" + std::string(provider) + "\" and key_name \"" +
                         std::string(key_name) + "\"");
    return crypto::unwrap_oaep(key->key, ciphertext, hash);
}

}  // namespace connector::keys
