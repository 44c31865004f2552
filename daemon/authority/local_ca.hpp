// The embedded CA as an operator handles it: made once, its certificates revoked, its revocation list written.
// A root signs one constrained issuing CA and its key leaves the machine: it is written where the operator says, never
// into the CA's directory. The issuing CA can sign mail certificates of the named domains and nothing else
// (RFC 5280 name constraints, pathlen 0, EKU emailProtection): security review H11.
// Refuses: a directory that is not empty, a root key inside it, files that exist. Blocking; one thread.
#pragma once

#include "core/certificate.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"
#include "daemon/authority/local_list.hpp"

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace connector::authority {

// Names within the CA's directory.
namespace local_files {
inline constexpr const char* k_issuing_certificate = "ca.crt";
inline constexpr const char* k_issuing_key = "ca.key";
inline constexpr const char* k_root_certificate = "root.crt";
inline constexpr const char* k_database = "ca.db";
inline constexpr const char* k_revocation_list = "ca.crl";
}  // namespace local_files

struct LocalCaOrder {
    std::filesystem::path directory;
    std::string name;                  // CN of the issuing CA; the root is called "NAME Root"
    std::vector<std::string> domains;  // "corp.example" that host alone; ".corp.example" what is below it
    std::filesystem::path root_key_file;
    KeyType key_type = KeyType::ec_p256;
    unsigned days = 1825;  // of the issuing CA; the root lives twice as long
    std::optional<SecretBytes> root_passphrase;
    std::optional<SecretBytes> issuing_passphrase;
};

struct LocalCaMade {
    CertificateFacts root;
    CertificateFacts issuing;
    Sha256 root_key;  // SPKI
    std::vector<std::string> domains;
};

// All or nothing: what was begun and failed is removed again. kind: invalid, conflict, misconfigured.
[[nodiscard]] Result<LocalCaMade> create_local_ca(const LocalCaOrder& order, UtcTime now);

struct RevokedSerial {
    std::string issuer;  // RFC 4514, as the register of issued certificates has it
    std::string serial_number;
    bool already = false;
    std::optional<Error> unpublished;  // the list was written, its copy was not
};
// `serial_number`: hex. Only what this CA issued: kind refused, code notIssuedHere. ca.crl is written anew where
// `passphrase` opens ca.key. `reason`: RFC 5280's word; kind invalid for another.
[[nodiscard]] Result<RevokedSerial> revoke_local(const std::filesystem::path& directory,
                                                 const std::optional<SecretBytes>& passphrase,
                                                 const std::string& serial_number, const std::string& reason,
                                                 const ListRules& rules, UtcTime now);

// The next revocation list, also kept as ca.crl; the caller writes it where it is to be published.
[[nodiscard]] Result<CrlMade> make_local_crl(const std::filesystem::path& directory,
                                             const std::optional<SecretBytes>& passphrase, const ListRules& rules,
                                             UtcTime now);

}  // namespace connector::authority
