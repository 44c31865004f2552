#include "daemon/authority/local_signer.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/csr.hpp"
#include "daemon/authority/local_ca.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/load.hpp"
#include "storage/database_files.hpp"
#include "storage/schema.hpp"

#include <algorithm>
#include <array>
#include <system_error>
#include <utility>

namespace connector::authority {
namespace fs = std::filesystem;
namespace {

// Devices' clocks run late: a certificate is valid a little before it was made.
constexpr std::string_view k_oid_key_usage = "2.5.29.15";
constexpr std::string_view k_oid_alternative_names = "2.5.29.17";
constexpr std::string_view k_oid_extended_key_usage = "2.5.29.37";
constexpr std::string_view k_oid_security_identifier = "1.3.6.1.4.1.311.25.2";

Error misconfigured(const std::string& message) {
    return {ErrorKind::misconfigured, "authorityMisconfigured", message};
}
Result<CertificateFacts> load_one(const fs::path& file) {
    auto all = keys::load_certificates(file);
    if (!all) return misconfigured(all.error().message);
    if (all->size() != 1) return misconfigured(file.string() + ": holds more than one certificate");
    auto facts = crypto::inspect(all->front());
    if (!facts) return misconfigured(file.string() + ": " + facts.error().message);
    return facts;
}

// What one kind of key can be used for (RFC 4055, RFC 5480).
KeyUsage suited_to(KeyAlgorithm algorithm) {
    constexpr std::uint16_t k_signing = KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation;
    if (algorithm == KeyAlgorithm::rsa)
        return KeyUsage(k_signing | KeyUsage::k_key_encipherment | KeyUsage::k_data_encipherment);
    return KeyUsage(k_signing | KeyUsage::k_key_agreement | KeyUsage::k_encipher_only | KeyUsage::k_decipher_only);
}

std::string words_of(KeyUsage usage) {
    std::string text;
    for (const std::string_view word : usage.words()) {
        if (!text.empty()) text += ", ";
        text += word;
    }
    return text;
}

Result<void> check_key(const PublicKeyFacts& key) {
    switch (key.algorithm) {
        case KeyAlgorithm::rsa:
            if (key.bits < 2048 || key.bits > 4096 || key.bits % 8 != 0)
                return rejected("an RSA key of " + std::to_string(key.bits) + " bits is not signed");
            if (!key.exponent_fit) return rejected("the RSA key's exponent is less than 65537 or even");
            return {};
        case KeyAlgorithm::ec:
            if (key.curve == "P-256" || key.curve == "P-384") return {};
            return rejected("a key on that curve is not signed");
        case KeyAlgorithm::rsa_pss:
        case KeyAlgorithm::other: break;
    }
    return rejected("a key of that kind is not signed");
}

Result<void> check_requested(const crypto::CsrFacts& csr) {
    static constexpr std::array k_known{k_oid_key_usage, k_oid_alternative_names, k_oid_extended_key_usage,
                                        k_oid_security_identifier};
    for (const std::string& extension : csr.requested_extensions) {
        if (std::find(k_known.begin(), k_known.end(), extension) == k_known.end())
            return rejected("the request asks for extension " + extension + ", which is not given");
    }
    for (const GeneralName& name : csr.alternative_names) {
        if (name.form == NameForm::other) return rejected("the request has an alternative name of an unknown form");
    }
    if (csr.subject.empty() && csr.alternative_names.empty()) return rejected("the request has no name at all");
    return {};
}

Result<KeyUsage> usage_for(const crypto::CsrFacts& csr, const LocalTemplate& bounds) {
    const KeyUsage suited = suited_to(csr.key.algorithm);
    const KeyUsage wanted =
        csr.key_usage.value_or(KeyUsage(static_cast<std::uint16_t>(bounds.key_usage.bits() & suited.bits())));
    if (!wanted.within(bounds.key_usage))
        return rejected("key usage " + words_of(wanted) + " is beyond the template's " + words_of(bounds.key_usage));
    if (!wanted.within(suited)) return rejected("key usage " + words_of(wanted) + " does not suit that kind of key");
    if (wanted == KeyUsage()) return rejected("no key usage is left for that kind of key");
    return wanted;
}

Result<std::vector<std::string>> extended_usage_for(const crypto::CsrFacts& csr, const LocalTemplate& bounds) {
    if (!csr.extended_key_usage || csr.extended_key_usage->empty()) return bounds.extended_key_usage;
    for (const std::string& wanted : *csr.extended_key_usage) {
        if (std::find(bounds.extended_key_usage.begin(), bounds.extended_key_usage.end(), wanted) ==
            bounds.extended_key_usage.end())
            return rejected("extended key usage " + wanted + " is beyond the template's");
    }
    return *csr.extended_key_usage;
}

// Whether any private key in the file is the root's; nullopt where that cannot be told.
std::optional<bool> holds_key(const SecretBytes& content, const Sha256& root_key) {
    constexpr std::string_view k_begin = "-----BEGIN ";
    const std::string_view text = content.reveal_text();
    bool told = true;
    if (text.find("PRIVATE KEY-----") != std::string_view::npos) {
        for (auto at = text.find(k_begin); at != std::string_view::npos; at = text.find(k_begin, at + 1)) {
            const std::string_view label = text.substr(at, 64);
            if (label.substr(0, label.find('\n')).find("PRIVATE KEY") == std::string_view::npos) continue;
            const auto key = crypto::PrivateKey::from_pem(SecretBytes::copy_of(text.substr(at)));
            if (key && key->spki_sha256() == root_key) return true;
            if (!key && key.error().kind == ErrorKind::unauthorized) told = false;
        }
    } else if (!content.empty() && content.data()[0] == 0x30) {
        const auto key = crypto::PrivateKey::from_pkcs8(content);
        if (key && key->spki_sha256() == root_key) return true;
    }
    if (!told) return std::nullopt;
    return false;
}

bool is_databases_name(const fs::path& file) {
    return storage::is_file_of_database(file, storage::ledger_layout().file_name) ||
           storage::is_file_of_database(file, local_files::k_database);
}

struct FilesUnder {
    std::vector<fs::path> files;
    std::vector<fs::path> databases;  // SQLite's own, in use in this very process
};

FilesUnder files_under(const fs::path& place) {
    constexpr int k_deepest = 3;
    FilesUnder found;
    std::error_code failure;
    fs::recursive_directory_iterator at(place, fs::directory_options::skip_permission_denied, failure);
    const fs::recursive_directory_iterator end;
    for (; !failure && at != end; at.increment(failure)) {
        if (at.depth() >= k_deepest) at.disable_recursion_pending();
        if (!at->is_regular_file(failure)) continue;
        (is_databases_name(at->path()) ? found.databases : found.files).push_back(at->path());
    }
    return found;
}

// By whatever link it is reached. What cannot be looked at is not opened either.
bool is_databases(const fs::path& file, const std::vector<fs::path>& databases) {
    std::error_code failure;
    const fs::path real = fs::canonical(file, failure);
    return failure || is_databases_name(real) ||
           std::any_of(databases.begin(), databases.end(), [&](const fs::path& database) {
               std::error_code gone;
               return fs::equivalent(file, database, gone);
           });
}

}  // namespace

std::optional<fs::path> find_root_key(const fs::path& place, const fs::path& issuing_key, const Sha256& root_key) {
    const auto [files, databases] = files_under(place);
    for (const fs::path& file : files) {
        std::error_code failure;
        if (file == issuing_key || is_databases(file, databases)) continue;
        // In the CA's own directory nothing is excused; elsewhere other people's encrypted keys have their place.
        const bool strict = !issuing_key.empty();
        const fs::path extension = file.extension();
        if (strict && (extension == ".p12" || extension == ".pfx")) return file;
        if (fs::file_size(file, failure) > keys::k_largest_file) continue;
        const auto content = keys::read_secret_file(file, false);
        if (!content) continue;
        const auto found = holds_key(*content, root_key);
        if (found.value_or(strict)) return file;
    }
    return std::nullopt;
}

LocalSigner::LocalSigner(CertificateFacts issuing, CertificateFacts root, crypto::PrivateKey key) noexcept
    : issuing_(std::move(issuing)), root_(std::move(root)), key_(std::move(key)) {}

Result<LocalSigner> LocalSigner::open(const fs::path& directory, const std::optional<SecretBytes>& passphrase,
                                      const std::vector<fs::path>& other_places) {
    auto issuing = load_one(directory / local_files::k_issuing_certificate);
    if (!issuing) return issuing.error();
    auto root = load_one(directory / local_files::k_root_certificate);
    if (!root) return root.error();
    const fs::path key_file = directory / local_files::k_issuing_key;
    auto pem = keys::read_secret_file(key_file, true);
    if (!pem) return misconfigured(pem.error().message);
    auto key = passphrase ? crypto::PrivateKey::from_pem(*pem, *passphrase) : crypto::PrivateKey::from_pem(*pem);
    if (!key) return misconfigured(key_file.string() + ": " + key.error().message);
    if (!key->fits(issuing->der)) return misconfigured(key_file.string() + ": is not the key of ca.crt");

    if (issuing->key.spki_sha256 == root->key.spki_sha256 || crypto::self_signed(issuing->der))
        return misconfigured(directory.string() +
                             ": ca.crt is the root itself; a root's key has no place on a server that is on line");
    if (!issuing->is_ca || !crypto::issued_by(issuing->der, root->der))
        return misconfigured(directory.string() + ": ca.crt is not a CA certificate issued by root.crt");
    if (const auto found = find_root_key(directory, key_file, root->key.spki_sha256))
        return misconfigured(found->string() +
                             ": is, or may be, the root's private key: take it off this machine and keep it off line");
    for (const fs::path& place : other_places) {
        if (const auto found = find_root_key(place, {}, root->key.spki_sha256))
            return misconfigured(found->string() +
                                 ": is the root's private key: take it off this machine and keep it off line");
    }
    return LocalSigner(std::move(*issuing), std::move(*root), std::move(*key));
}

Result<void> LocalSigner::check(const LocalTemplate& bounds) const {
    constexpr std::uint16_t k_of_a_ca = KeyUsage::k_key_cert_sign | KeyUsage::k_crl_sign;
    if (bounds.key_usage.any_of(k_of_a_ca)) return misconfigured("key_usage: keyCertSign and cRLSign are a CA's");
    if (bounds.key_usage == KeyUsage()) return misconfigured("key_usage: is empty");
    if (bounds.extended_key_usage.empty()) return misconfigured("extended_key_usage: is empty");
    if (bounds.validity_days == 0) return misconfigured("validity_days: is 0");
    if (!issuing_.extended_key_usage) return {};
    const auto& possible = *issuing_.extended_key_usage;
    for (const std::string& wanted : bounds.extended_key_usage) {
        const bool fits = std::find(possible.begin(), possible.end(), wanted) != possible.end() ||
                          std::find(possible.begin(), possible.end(), eku::k_any) != possible.end();
        if (!fits || wanted == eku::k_any)
            return misconfigured("extended_key_usage: " + wanted + " is beyond what ca.crt may certify");
    }
    return {};
}

Result<LocalSigner::Signed> LocalSigner::sign(ByteView csr, const LocalTemplate& bounds, unsigned validity_days,
                                              UtcTime now) const {
    const auto asked = crypto::inspect_csr(csr);
    if (!asked) return asked.error();
    if (now < issuing_.not_before || now >= issuing_.not_after)
        return misconfigured("the issuing CA's certificate is valid from " + to_rfc3339(issuing_.not_before) + " to " +
                             to_rfc3339(issuing_.not_after));
    if (auto fit = check_key(asked->key); !fit) return fit.error();
    if (auto fit = check_requested(*asked); !fit) return fit.error();
    if (asked->key.spki_sha256 == issuing_.key.spki_sha256 || asked->key.spki_sha256 == root_.key.spki_sha256)
        return rejected("the request is for a key of the CA itself");
    const auto usage = usage_for(*asked, bounds);
    if (!usage) return usage.error();
    auto extended_usage = extended_usage_for(*asked, bounds);
    if (!extended_usage) return extended_usage.error();

    const unsigned days = validity_days == 0 ? bounds.validity_days : std::min(validity_days, bounds.validity_days);
    crypto::CertificateOrder order;
    order.serial = crypto::random_serial();
    order.subject = asked->subject;
    order.spki = asked->spki;
    order.not_before = std::max(now - k_backdating, issuing_.not_before);
    // RFC 5280 4.1.2.5: both ends are included, hence the second less.
    order.not_after =
        std::min(order.not_before + std::chrono::days(days) - std::chrono::seconds(1), issuing_.not_after);
    order.key_usage = *usage;
    order.extended_key_usage = std::move(*extended_usage);
    order.alternative_names = asked->alternative_names;
    order.alternative_names_critical = asked->subject.empty();
    if (!bounds.crl_url.empty()) order.crl_urls.push_back(bounds.crl_url);
    if (!bounds.aia_url.empty()) order.aia_urls.push_back(bounds.aia_url);
    order.policies = bounds.policies;
    order.security_identifier = asked->security_identifier;

    auto certificate = crypto::issue(order, issuing_.der, key_);
    if (!certificate) return certificate.error();
    // The last look before it leaves: name constraints and all else that a verifier would hold against it.
    if (const auto chain = crypto::verify_chain(*certificate, {issuing_.der}, {root_.der}, now); !chain)
        return rejected("its certificate would not verify under this CA: " + chain.error().message);
    const auto facts = crypto::inspect(*certificate);
    if (!facts) return facts.error();
    return Signed{std::move(*certificate), facts->serial_number, facts->not_after};
}

Result<Bytes> LocalSigner::crl(const std::vector<crypto::CrlEntry>& entries, std::uint64_t number, UtcTime this_update,
                               UtcTime next_update) const {
    return crypto::make_crl(issuing_.der, key_, entries, number, this_update, next_update);
}

}  // namespace connector::authority
