#include "daemon/keys/import_keys.hpp"

#include "core/crypto/aead.hpp"
#include "daemon/keys/load.hpp"

#include <algorithm>
#include <utility>

namespace connector::keys {
namespace fs = std::filesystem;
namespace {

Error misconfigured(const std::string& message) {
    return {ErrorKind::misconfigured, "importKeyUnfit", message};
}

bool is_alphanumeric(char c) noexcept {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// The owner of the nearest folder that is there: a key in the state directory is the daemon's, whoever made it.
std::optional<Owner> heir_of(fs::path place) {
    for (place = fs::absolute(place); !place.empty() && place != place.parent_path(); place = place.parent_path()) {
        if (const auto owner = owner_of(place)) return owner;
    }
    return std::nullopt;
}

}  // namespace

bool is_key_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > 64 || !is_alphanumeric(name.front())) return false;
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return is_alphanumeric(c) || c == '.' || c == '_' || c == '-'; });
}

fs::path default_import_key_file(const fs::path& state_directory, std::string_view name) {
    return state_directory / "import-keys" / (std::string(name) + ".key");
}

Result<ImportKeyMade> create_import_key(const fs::path& file, unsigned bits) {
    std::optional<KeyType> type;
    if (bits == 2048) type = KeyType::rsa2048;
    if (bits == 3072) type = KeyType::rsa3072;
    if (bits == 4096) type = KeyType::rsa4096;
    if (!type) return Error(ErrorKind::invalid, "invalidRequest", "--bits: 2048, 3072 or 4096");
    const fs::path place = fs::absolute(file);
    std::error_code failure;
    if (fs::exists(fs::symlink_status(place, failure)))
        return Error(ErrorKind::conflict, "fileExists", place.string() + ": is there already; nothing is overwritten");
    const auto owner = heir_of(place.parent_path());
    auto key = crypto::PrivateKey::generate(*type);
    if (!key) return key.error();
    const auto pem = key->to_pem();
    if (!pem) return pem.error();
    if (auto made = make_private_directory(place.parent_path(), owner); !made) return made.error();
    if (auto made = write_new_file(place, pem->view(), 0600, owner); !made) return made.error();
    return ImportKeyMade{place, key->spki_sha256(), key->facts().bits, key->public_pem()};
}

std::vector<ImportKeyListed> list_import_keys(const config::Settings& settings) {
    std::vector<ImportKeyListed> rows;
    for (const auto& [table, configured] : settings.import_keys) {
        ImportKeyListed row;
        row.table = table;
        row.provider_name = configured.provider_name;
        row.key_name = configured.key_name;
        row.source = configured.key.text();
        const auto key = load_private_key(configured.key, configured.passphrase);
        if (key) {
            row.spki_sha256 = key->spki_sha256();
            row.bits = key->facts().bits;
        } else {
            row.problem = key.error().message;
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

Result<ImportPublicKey> public_import_key(const config::Settings& settings, const std::string& name) {
    auto found = settings.import_keys.find(name);
    if (found == settings.import_keys.end()) {
        found = std::find_if(settings.import_keys.begin(), settings.import_keys.end(),
                             [&name](const auto& entry) { return entry.second.key_name == name; });
    }
    if (found == settings.import_keys.end())
        return misconfigured("no [import." + name +
                             "] is configured; on another machine give the public key's PEM with "
                             "--key-file");
    const auto key = load_private_key(found->second.key, found->second.passphrase);
    if (!key) return misconfigured("import." + found->first + ": " + key.error().message);
    return ImportPublicKey{found->second.provider_name, found->second.key_name, key->public_pem(), key->spki_der(),
                           key->spki_sha256()};
}

Result<ImportPublicKey> public_import_key(const fs::path& pem_file, const std::string& provider_name,
                                          const std::string& key_name) {
    const auto text = read_text_file(pem_file);
    if (!text) return text.error();
    auto spki = crypto::public_key_from_pem(*text);
    if (!spki) return misconfigured(pem_file.string() + ": " + spki.error().message);
    const auto facts = crypto::inspect_public_key(*spki);
    if (!facts) return misconfigured(pem_file.string() + ": " + facts.error().message);
    if (facts->algorithm != KeyAlgorithm::rsa || facts->bits < 2048)
        return misconfigured(pem_file.string() + ": an import key is RSA of 2048 bits or more");
    const Sha256 name = crypto::sha256(*spki);
    return ImportPublicKey{provider_name, key_name, *text, std::move(*spki), name};
}

std::string toml_string(std::string_view text) {
    constexpr std::string_view k_digits = "0123456789ABCDEF";
    std::string quoted = "\"";
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            quoted += '\\';
            quoted += c;
        } else if (octet < 0x20 || octet == 0x7F) {
            quoted += "\\u00";
            quoted += k_digits[octet >> 4U];
            quoted += k_digits[octet & 0xFU];
        } else {
            quoted += c;
        }
    }
    return quoted + "\"";
}

std::string import_key_toml(const std::string& name, const fs::path& file) {
    const bool bare = name.find('.') == std::string::npos;
    return "[import." + (bare ? name : toml_string(name)) + "]\nkey = " + toml_string("file:" + file.string()) + "\n";
}

}  // namespace connector::keys
