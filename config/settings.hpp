// The configuration as the rest of the connector sees it: typed, complete, checked. Made by config/loader alone and
// not changed afterwards; SIGHUP makes a new one.
// Refuses: values of secrets (a SecretRef says where one lies, credentials.hpp fetches it) and contents of certificate
// files (paths stand here; whoever builds the rules out of them reads them: `issuers` and `signers` are left empty).
// Values only, any thread.
#pragma once

#include "core/request/limits.hpp"
#include "core/request/policy.hpp"
#include "core/trust/importer.hpp"
#include "core/trust/person.hpp"
#include "core/trust/recipient.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::config {

// What a command is going to do with the configuration: it decides which tables are looked at and what must be there.
enum class Need {
    run,          // the daemon, check-config, doctor: everything
    import_tool,  // `import …`: management, importer, import
    enroll,       // `enroll`, `unenroll`: management, connector, storage
    local_ca,     // `local-ca …`: storage, authority, audit
    control       // commands over the control socket, or on the database: control, storage, sealing, audit
};

// Where a secret lies.
struct SecretRef {
    enum class Source { credential, file, pkcs11, dpapi, cng };
    Source source = Source::file;
    std::string name;            // credential: its name; pkcs11, dpapi, cng: what follows the colon
    std::filesystem::path path;  // file: absolute

    // For people and logs: `file:/path`, `credential:name`; URIs without their query.
    [[nodiscard]] std::string text() const;
    bool operator==(const SecretRef&) const = default;
};

struct Management {
    std::string url;  // https://host[:port]/base, no trailing `/`
    bool ca_system = false;
    std::filesystem::path ca_file;  // empty where ca_system
    std::filesystem::path certificate;
    std::filesystem::path key;  // a plain file of our own: it is replaced when the certificate is renewed
    std::string proxy;          // http://host:port, or ""
    std::string proxy_user;
    std::optional<SecretRef> proxy_password;
    std::vector<std::string> no_proxy;
    std::optional<SecretRef> admin_token;
    std::chrono::seconds poll_wait{};
    std::uint32_t batch = 0;
    std::chrono::seconds request_timeout{};
};

struct Connector {
    std::string name;  // "" = the host's name
    std::vector<request::Kind> kinds;
    std::uint32_t crypto_threads = 0;  // 0 = all cores
    std::uint32_t in_flight = 0;
    std::uint32_t max_pending = 0;
    std::chrono::seconds drain{};

    [[nodiscard]] bool does(request::Kind kind) const noexcept;
};

struct Storage {
    std::filesystem::path directory;
    std::chrono::days keep_closed{};
    std::chrono::days keep_undelivered{};

    [[nodiscard]] std::filesystem::path database() const { return directory / "connector.db"; }
};

struct Sealing {
    std::optional<SecretRef> key;
};

struct Delivery {
    std::filesystem::path certificate;  // empty: the connector's own certificate signs
    std::optional<SecretRef> key;
    std::filesystem::path chain_file;  // or empty
    bool legacy_allowed = true;        // pkcs12_legacy = "auto"
};

struct Recipients {
    trust::RecipientRules rules;    // `issuers` is for the daemon to fill, from ca_file
    std::filesystem::path ca_file;  // PEM
    std::filesystem::path
        statement_signers_file;  // PEM, or empty; the rules' statement_signers are the daemon's to fill
    std::vector<std::filesystem::path> crl_files;
    std::vector<std::string> crl_urls;
    std::chrono::days hold{};
    [[nodiscard]] bool asks_lists() const noexcept { return !crl_files.empty() || !crl_urls.empty(); }
};

enum class DirectoryBind { gssapi, simple };
struct Directory {
    std::vector<std::string> urls;  // ldaps://host[:port], in the order in which they are tried; empty: there is none
    std::filesystem::path ca_file;  // PEM
    DirectoryBind bind = DirectoryBind::gssapi;
    std::string bind_name;                // simple: a DN or user@domain
    std::optional<SecretRef> credential;  // gssapi: a keytab; simple: the password
    std::string user_base;
    std::string user_filter;
    std::string device_base;
    std::string device_filter;
    std::string upn_attribute;
    std::vector<std::string> mail_attributes;
    std::string given_name_attribute;
    std::string surname_attribute;
    std::string display_name_attribute;
    std::string account_attribute;
    std::string sid_attribute;
    std::string owner_attribute;
    std::chrono::seconds cache{};
    std::chrono::seconds timeout{};
};

struct Importer {
    trust::ImporterRules rules;          // `signers` is for the daemon to fill, from signers_file; mail_domains are set
    std::filesystem::path signers_file;  // PEM, or empty
    std::filesystem::path certificate;   // the import tool's own
    std::optional<SecretRef> key;
};

struct ImportKey {
    SecretRef key;
    std::optional<SecretRef> passphrase;
    std::string provider_name;
    std::string key_name;
};

enum class RsaGenerator { openssl, nettle };
struct Crypto {
    RsaGenerator rsa_generator = RsaGenerator::openssl;
    bool pool = true;
};

struct Breaker {
    std::uint32_t failures = 0;
    std::chrono::seconds open{};
};
struct AuthorityTemplate {
    std::string name;  // the authority's own (est: the label); "" where it has none
    // local
    KeyUsage key_usage;
    std::vector<std::string> extended_key_usage;
    std::uint32_t validity_days = 0;
    std::string crl_url;
    std::string aia_url;
    std::vector<std::string> policies;  // OIDs
};
enum class AuthorityType { local, est };
[[nodiscard]] std::string_view to_string(AuthorityType type) noexcept;
enum class HttpScheme { digest, basic };
struct Authority {
    AuthorityType type = AuthorityType::local;
    std::uint32_t concurrency = 0;
    std::chrono::seconds timeout{};
    Breaker breaker;
    std::map<std::string, AuthorityTemplate, std::less<>> templates;  // by alias
    // local
    std::filesystem::path directory;
    std::optional<SecretRef> key_passphrase;
    std::chrono::days crl_life{};
    std::filesystem::path crl_file;  // empty: none
    // est
    std::string url;
    std::string label;                  // "" = none
    std::filesystem::path ca_file;      // PEM
    std::filesystem::path issuer_file;  // PEM; empty: ca_file
    std::string user;                   // "" = none
    std::optional<SecretRef> password;
    std::vector<HttpScheme> schemes;    // best first
    std::filesystem::path certificate;  // PEM; empty: none
    std::optional<SecretRef> key;
};

enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat { text, json };
enum class Journal { automatic, on, off };
enum class LogUsers { clear, hashed };
struct Log {
    LogLevel level = LogLevel::info;
    std::filesystem::path file;  // empty: none, stderr or journal only
    LogFormat format = LogFormat::text;
    std::uint32_t max_size_mb = 0;
    std::uint32_t files = 0;
    Journal journal = Journal::automatic;
    LogUsers users = LogUsers::clear;
};

struct Audit {
    std::filesystem::path file;
};

enum class HealthPage { summary, full, off };
struct Health {
    std::string listen;   // as it was written; "" = the endpoint is off
    std::string address;  // its IP literal
    std::uint16_t port = 0;
    bool loopback = true;
    HealthPage page = HealthPage::summary;
    std::vector<std::string> hosts;  // lower case
    std::optional<SecretRef> token;
    std::filesystem::path tls_certificate;
    std::optional<SecretRef> tls_key;
    bool allow_remote = false;
};

struct Control {
    std::filesystem::path socket;
    std::string group;
    std::uint32_t approvers = 1;
};

// Mail about events; off while `smtp` is empty.
struct Notify {
    std::string smtp;  // smtp:// or smtps://, host and port
    bool starttls = true;
    std::string from;
    std::vector<std::string> to;
    std::vector<std::string> events;  // newRecipient, held, limit, or ids of the catalogue
    bool tell_users = false;
    std::string user;  // "" = none
    std::optional<SecretRef> password;
    std::filesystem::path ca_file;  // empty: the system's
    std::chrono::seconds interval{};
    bool operator==(const Notify&) const = default;
};

struct Settings {
    std::filesystem::path file;  // where it was read from, absolute
    Management management;
    Connector connector;
    Storage storage;
    Sealing sealing;
    Delivery delivery;
    Recipients recipients;
    request::PolicyRules policy;
    Directory directory;
    std::vector<std::string> protected_users;
    Importer importer;
    request::Limits limits;
    std::map<std::string, ImportKey, std::less<>> import_keys;  // by [import.NAME]
    Crypto crypto;
    std::map<std::string, Authority, std::less<>> authorities;  // by [authority.NAME]
    Log log;
    Audit audit;
    Health health;
    Control control;
    Notify notify;
};

// `/etc/pfx-connector/connector.toml`, `%ProgramData%\pfx-connector\connector.toml`.
[[nodiscard]] std::filesystem::path default_file();

}  // namespace connector::config
