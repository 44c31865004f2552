// Private keys and signers out of the places that the configuration names.
// Refuses: secret files that others may read, keys that do not fit their certificate. Any thread; reads files.
#pragma once

#include "config/settings.hpp"
#include "core/crypto/key.hpp"
#include "core/ports/crypto.hpp"

#include <filesystem>
#include <optional>
#include <vector>

namespace connector::keys {

// PEM. kind: misconfigured; unauthorized, where a passphrase is missing or wrong.
[[nodiscard]] Result<crypto::PrivateKey> load_private_key(const config::SecretRef& key,
                                                          const std::optional<config::SecretRef>& passphrase);
// Every certificate of a PEM file, at least one. kind: misconfigured.
[[nodiscard]] Result<std::vector<Bytes>> load_certificates(const std::filesystem::path& file);
// The first certificate of `certificate` with `key`; what else stands in that file and in `chain_file` is its chain.
// kind: misconfigured.
[[nodiscard]] Result<ports::Signer> load_signer(const std::filesystem::path& certificate, const config::SecretRef& key,
                                                const std::filesystem::path& chain_file);
// [delivery], or the connector's own certificate where none is configured.
[[nodiscard]] Result<ports::Signer> load_delivery_signer(const config::Settings& settings);

}  // namespace connector::keys
