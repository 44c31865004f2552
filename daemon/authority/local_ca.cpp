#include "daemon/authority/local_ca.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/issue.hpp"
#include "core/crypto/key.hpp"
#include "core/request/mailbox.hpp"
#include "daemon/authority/local_signer.hpp"
#include "daemon/authority/local_store.hpp"
#include "daemon/keys/files.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace connector::authority {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view k_root_suffix = " Root";

Error invalid(const std::string& message) {
    return {ErrorKind::invalid, "invalidRequest", message};
}

// Removes what a failed creation has left behind.
class Undo {
public:
    Undo() = default;
    Undo(const Undo&) = delete;
    Undo& operator=(const Undo&) = delete;
    ~Undo() {
        std::error_code ignored;
        for (auto at = made_.rbegin(); at != made_.rend(); ++at) (void)fs::remove(*at, ignored);
    }
    void add(fs::path path) { made_.push_back(std::move(path)); }
    void keep() noexcept { made_.clear(); }

private:
    std::vector<fs::path> made_;
};

Result<std::vector<std::string>> constraint_domains(const std::vector<std::string>& given) {
    std::vector<std::string> domains;
    for (const std::string& domain : given) {
        const bool below = domain.starts_with('.');
        auto labels = request::to_a_labels(below ? std::string_view(domain).substr(1) : std::string_view(domain));
        if (!labels) return invalid("domain \"" + domain + "\": " + labels.error().message);
        std::string text = (below ? "." : "") + *labels;
        if (std::find(domains.begin(), domains.end(), text) == domains.end()) domains.push_back(std::move(text));
    }
    if (domains.empty()) return invalid("at least one --domain is needed: the CA is limited to these mail domains");
    return domains;
}

bool lies_in(const fs::path& file, const fs::path& directory) {
    std::error_code failure;
    const fs::path place = fs::weakly_canonical(fs::absolute(file), failure);
    const fs::path whole = fs::weakly_canonical(fs::absolute(directory), failure);
    const auto differing = std::mismatch(whole.begin(), whole.end(), place.begin(), place.end());
    return differing.first == whole.end() || (std::next(differing.first) == whole.end() && differing.first->empty());
}

Result<void> check_places(const LocalCaOrder& order) {
    std::error_code failure;
    if (order.directory.empty()) return invalid("--directory is needed");
    if (order.root_key_file.empty()) return invalid("--root-out: a place for the root's key is needed");
    if (fs::exists(order.directory, failure)) {
        if (!fs::is_directory(order.directory, failure))
            return Error(ErrorKind::conflict, "fileExists", order.directory.string() + ": is not a directory");
        if (!fs::is_empty(order.directory, failure) || failure)
            return Error(ErrorKind::conflict, "fileExists",
                         order.directory.string() + ": is not empty; nothing is overwritten");
    }
    if (lies_in(order.root_key_file, order.directory))
        return invalid("the root's key may not lie in the CA's own directory: name another place with --root-out");
    return {};
}

Name common_name(std::string text) {
    return Name{{{Attribute{std::string(oid::k_common_name), std::move(text)}}}};
}

Result<SecretBytes> to_pem(const crypto::PrivateKey& key, const std::optional<SecretBytes>& passphrase) {
    return passphrase ? key.to_pem(*passphrase) : key.to_pem();
}

struct Pair {
    crypto::PrivateKey root_key;
    crypto::PrivateKey issuing_key;
    Bytes root;
    Bytes issuing;
};

Result<Pair> make_pair(const LocalCaOrder& order, const std::vector<std::string>& domains, UtcTime now) {
    auto root_key = crypto::PrivateKey::generate(order.key_type);
    if (!root_key) return root_key.error();
    auto issuing_key = crypto::PrivateKey::generate(order.key_type);
    if (!issuing_key) return issuing_key.error();

    crypto::CertificateOrder certificate;
    certificate.serial = crypto::random_serial();
    certificate.subject = common_name(order.name + std::string(k_root_suffix));
    certificate.spki = root_key->spki_der();
    certificate.not_before = now - k_backdating;
    certificate.not_after = certificate.not_before + std::chrono::days(2UL * order.days) - std::chrono::seconds(1);
    certificate.is_ca = true;
    certificate.path_length = 1;
    certificate.key_usage = KeyUsage(KeyUsage::k_key_cert_sign | KeyUsage::k_crl_sign);
    auto root = crypto::issue_self_signed(certificate, *root_key);
    if (!root) return root.error();

    certificate.serial = crypto::random_serial();
    certificate.subject = common_name(order.name);
    certificate.spki = issuing_key->spki_der();
    certificate.not_after = certificate.not_before + std::chrono::days(order.days) - std::chrono::seconds(1);
    certificate.path_length = 0;
    certificate.extended_key_usage = {std::string(eku::k_email_protection)};
    certificate.name_constraints = crypto::NameConstraints::mail_only(domains);
    auto issuing = crypto::issue(certificate, *root, *root_key);
    if (!issuing) return issuing.error();
    return Pair{std::move(*root_key), std::move(*issuing_key), std::move(*root), std::move(*issuing)};
}

// Whoever owns the place owns what is put there, so that root can make a CA for the daemon's account.
std::optional<keys::Owner> heir_of(const fs::path& directory) {
    if (const auto owner = keys::owner_of(directory)) return owner;
    const fs::path parent = fs::absolute(directory).parent_path();
    return keys::owner_of(parent);
}

Result<void> write_out(const LocalCaOrder& order, const Pair& made, Undo& undo) {
    const auto owner = heir_of(order.directory);
    std::error_code failure;
    if (!fs::exists(order.directory, failure)) {
        if (auto done = keys::make_private_directory(order.directory, owner); !done) return done.error();
        undo.add(order.directory);
    }
    const auto put = [&](const fs::path& path, ByteView content, mode_t mode,
                         const std::optional<keys::Owner>& whose) -> Result<void> {
        if (auto done = keys::write_new_file(path, content, mode, whose); !done) return done.error();
        undo.add(path);
        return {};
    };
    const auto root_pem = to_pem(made.root_key, order.root_passphrase);
    if (!root_pem) return root_pem.error();
    const auto issuing_pem = to_pem(made.issuing_key, order.issuing_passphrase);
    if (!issuing_pem) return issuing_pem.error();
    const std::string root_certificate = crypto::certificate_to_pem(made.root);
    const std::string issuing_certificate = crypto::certificate_to_pem(made.issuing);
    const fs::path& directory = order.directory;
    if (auto done = put(order.root_key_file, root_pem->view(), 0600, std::nullopt); !done) return done.error();
    if (auto done = put(directory / local_files::k_root_certificate, bytes_of(root_certificate), 0644, owner); !done)
        return done.error();
    if (auto done = put(directory / local_files::k_issuing_certificate, bytes_of(issuing_certificate), 0644, owner);
        !done)
        return done.error();
    if (auto done = put(directory / local_files::k_issuing_key, issuing_pem->view(), 0600, owner); !done)
        return done.error();
    auto store = LocalStore::open(directory / local_files::k_database);
    if (!store) return store.error();
    undo.add(directory / local_files::k_database);
    if (owner) return keys::give_to(directory / local_files::k_database, *owner);
    return {};
}

}  // namespace

Result<LocalCaMade> create_local_ca(const LocalCaOrder& order, UtcTime now) {
    const std::size_t longest = upper_bound_of(oid::k_common_name) - k_root_suffix.size();
    if (order.name.empty() || order.name.size() > longest)
        return invalid("--name: a common name of 1 to " + std::to_string(longest) + " octets is needed");
    if (order.days == 0 || order.days > 7300) return invalid("--days: 1 to 7300");
    auto domains = constraint_domains(order.domains);
    if (!domains) return domains.error();
    if (auto fit = check_places(order); !fit) return fit.error();
    const auto made = make_pair(order, *domains, now);
    if (!made) return made.error();
    if (const auto chain = crypto::verify_chain(made->issuing, {}, {made->root}, now); !chain)
        return Error(ErrorKind::internal, "internal", "the new CA does not verify: " + chain.error().message);
    auto root = crypto::inspect(made->root);
    if (!root) return root.error();
    auto issuing = crypto::inspect(made->issuing);
    if (!issuing) return issuing.error();

    Undo undo;
    if (auto done = write_out(order, *made, undo); !done) return done.error();
    undo.keep();
    return LocalCaMade{std::move(*root), std::move(*issuing), made->root_key.spki_sha256(), std::move(*domains)};
}

Result<RevokedSerial> revoke_local(const fs::path& directory, const std::optional<SecretBytes>& passphrase,
                                   const std::string& serial_number, const std::string& reason, const ListRules& rules,
                                   UtcTime now) {
    const auto why = crypto::parse_revocation_reason(reason);
    if (!why || *why == crypto::RevocationReason::remove_from_crl || *why == crypto::RevocationReason::certificate_hold)
        return invalid("reason \"" + reason +
                       "\": one of unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation, "
                       "privilegeWithdrawn");
    std::string digits;
    for (const char digit : serial_number) {
        if (digit != ':') digits += digit;
    }
    if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
    const auto octets = from_hex(digits);
    if (!octets || octets->empty()) return invalid("serial number \"" + serial_number + "\": hex is needed");
    const auto first = std::find_if(octets->begin(), octets->end(), [](std::uint8_t octet) { return octet != 0; });
    const std::string serial =
        to_hex(ByteView(octets->data(), octets->size()).subspan(static_cast<std::size_t>(first - octets->begin())));

    const auto signer = LocalSigner::open(directory, passphrase, {});
    if (!signer) return signer.error();
    auto store = LocalStore::open(directory / local_files::k_database);
    if (!store) return store.error();
    const auto already = (*store)->revoke(serial, *why, now);
    if (!already) return already.error();
    auto list = write_list(directory, *signer, **store, rules, now);
    if (!list) return list.error();
    return RevokedSerial{to_text(signer->issuing().subject), serial, *already, std::move(list->unpublished)};
}

Result<CrlMade> make_local_crl(const fs::path& directory, const std::optional<SecretBytes>& passphrase,
                               const ListRules& rules, UtcTime now) {
    if (rules.life.count() < 1 || rules.life.count() > 366) return invalid("--days: 1 to 366");
    const auto signer = LocalSigner::open(directory, passphrase, {});
    if (!signer) return signer.error();
    auto store = LocalStore::open(directory / local_files::k_database);
    if (!store) return store.error();
    return write_list(directory, *signer, **store, rules, now);
}

}  // namespace connector::authority
