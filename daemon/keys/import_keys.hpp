// Import keys as an operator handles them: made, named, their public half handed to whoever imports.
// The public half comes from the key itself, never from the service: security review H8.
// Refuses: files that exist, names that could be a path. Blocking; one thread.
#pragma once

#include "config/settings.hpp"
#include "core/crypto/key.hpp"
#include "daemon/keys/files.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::keys {

inline constexpr std::string_view k_provider_name = "pfx-connector";

// 1 to 64 of A–Z a–z 0–9 . _ -, beginning with a letter or digit: a file's name and a table's.
[[nodiscard]] bool is_key_name(std::string_view name) noexcept;
// storage.directory/import-keys/NAME.key
[[nodiscard]] std::filesystem::path default_import_key_file(const std::filesystem::path& state_directory,
                                                            std::string_view name);

struct ImportKeyMade {
    std::filesystem::path file;
    Sha256 spki_sha256;
    unsigned bits = 0;
    std::string public_pem;
};
// RSA of 2048, 3072 or 4096 bits, PKCS#8 PEM, 0600, O_EXCL; its folder is made 0700 where it is missing.
// kind: invalid, conflict, misconfigured.
[[nodiscard]] Result<ImportKeyMade> create_import_key(const std::filesystem::path& file, unsigned bits);

struct ImportKeyListed {
    std::string table;
    std::string provider_name;
    std::string key_name;
    std::string source;                 // `file:/path`, without secrets
    std::optional<Sha256> spki_sha256;  // nullopt: it could not be opened
    unsigned bits = 0;
    std::string problem;
};
[[nodiscard]] std::vector<ImportKeyListed> list_import_keys(const config::Settings& settings);

// The public key of [import.NAME], or of the key of that key_name. kind: misconfigured.
struct ImportPublicKey {
    std::string provider_name;
    std::string key_name;
    std::string public_pem;
    Bytes spki;
    Sha256 spki_sha256;
};
[[nodiscard]] Result<ImportPublicKey> public_import_key(const config::Settings& settings, const std::string& name);
// Out of a "PUBLIC KEY" PEM file. kind: misconfigured.
[[nodiscard]] Result<ImportPublicKey> public_import_key(const std::filesystem::path& pem_file,
                                                        const std::string& provider_name, const std::string& key_name);

// The lines for the configuration.
[[nodiscard]] std::string import_key_toml(const std::string& name, const std::filesystem::path& file);
// A TOML basic string with its quotes.
[[nodiscard]] std::string toml_string(std::string_view text);

}  // namespace connector::keys
