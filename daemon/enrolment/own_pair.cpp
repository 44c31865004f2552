#include "daemon/enrolment/own_pair.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/csr.hpp"
#include "daemon/keys/load.hpp"

#include <system_error>
#include <utility>
#include <vector>

namespace connector::enrolment {
namespace fs = std::filesystem;
namespace {

fs::path with_suffix(fs::path path, const char* suffix) {
    path += suffix;
    return path;
}

Error not_ours(const std::string& why) {
    return {ErrorKind::invalid, "answerInvalid", "the service's certificate is not used: " + why};
}

Result<crypto::PrivateKey> read_key(const fs::path& file) {
    config::SecretRef where;
    where.source = config::SecretRef::Source::file;
    where.path = file;
    return keys::load_private_key(where, std::nullopt);
}

Result<Bytes> make_request(const crypto::PrivateKey& key, const std::string& name) {
    ports::CsrContent content;
    // The service decides on the names; this one only tells people which connector asks.
    content.subject = Name{{{Attribute{std::string(oid::k_common_name), name}}}};
    content.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    content.extended_key_usage = {std::string(eku::k_client_auth)};
    return crypto::make_csr(key, content);
}

// The pair that served until now is kept: the new one has not worked yet.
Result<void> keep_old(const fs::path& file, mode_t mode, const keys::Owner& owner) {
    std::error_code failure;
    if (!fs::exists(file, failure)) return {};
    const auto content = keys::read_secret_file(file, false);
    if (!content) return content.error();
    return keys::replace_file(with_suffix(file, ".old"), content->view(), mode, owner);
}

// Within one folder: no room is needed, and nothing in between is seen.
Result<void> move(const fs::path& from, const fs::path& to) {
    std::error_code failure;
    fs::rename(from, to, failure);
    if (failure)
        return Error(
            ErrorKind::misconfigured, "fileUnwritable",
            to.string() + ": " + from.filename().string() + " cannot be put in its place: " + failure.message());
    return {};
}

// Explanatory text before the first certificate, as RFC 7468 5.2 allows it: one file, replaced as one.
constexpr std::string_view k_renew_after = "Renew after: ";

std::optional<UtcTime> renew_after_in(std::string_view text) {
    if (!text.starts_with(k_renew_after)) return std::nullopt;
    text.remove_prefix(k_renew_after.size());
    const auto time = from_rfc3339(text.substr(0, text.find('\n')));
    if (!time) return std::nullopt;
    return *time;
}

fs::path pending_key_file(const config::Settings& settings) {
    return with_suffix(settings.management.key, ".pending");
}
fs::path pending_csr_file(const config::Settings& settings) {
    return with_suffix(settings.management.key, ".pending.csr");
}
fs::path pending_certificate_file(const config::Settings& settings) {
    return with_suffix(settings.management.certificate, ".pending");
}

}  // namespace

Result<keys::Owner> prepare_state(const config::Settings& settings) {
    const fs::path& directory = settings.storage.directory;
    std::optional<keys::Owner> heir = keys::owner_of(directory.parent_path());
    if (auto made = keys::make_private_directory(directory, heir); !made) return made.error();
    const auto owner = keys::owner_of(directory);
    if (!owner) return Error(ErrorKind::misconfigured, "fileUnwritable", directory.string() + ": cannot be looked at");
    return *owner;
}

Result<PendingKey> pending_key(const config::Settings& settings, const std::string& name, const keys::Owner& owner) {
    const fs::path key_file = pending_key_file(settings);
    const fs::path csr_file = pending_csr_file(settings);
    std::error_code failure;
    auto key = fs::exists(key_file, failure) ? read_key(key_file) : Result<crypto::PrivateKey>(Error());
    const bool reused = key.has_value();
    // Certified already, and perhaps in use: that key is not written over because it cannot be read now.
    if (!reused && fs::exists(pending_certificate_file(settings), failure) && fs::exists(key_file, failure))
        return key.error();
    if (!reused) {
        // None, or one that a process has not written to its end: nobody has certified it.
        key = crypto::PrivateKey::generate(KeyType::ec_p256);
        if (!key) return key.error();
        const auto pem = key->to_pem();
        if (!pem) return pem.error();
        if (auto made = keys::replace_file(key_file, pem->view(), 0600, owner); !made) return made.error();
    }
    // An ECDSA signature is another one each time: only the kept request is the same request.
    if (reused && fs::exists(csr_file, failure)) {
        const auto text = keys::read_text_file(csr_file);
        if (!text) return text.error();
        const auto csr = crypto::csr_from_pem(*text);
        const auto facts = csr ? crypto::inspect_csr(*csr) : Result<crypto::CsrFacts>(csr.error());
        if (facts && facts->key.spki_sha256 == key->spki_sha256())
            return PendingKey{std::move(*key), crypto::csr_to_pem(*csr), true};
    }
    const auto csr = make_request(*key, name);
    if (!csr) return csr.error();
    std::string pem = crypto::csr_to_pem(*csr);
    if (auto made = keys::replace_file(csr_file, bytes_of(pem), 0600, owner); !made) return made.error();
    return PendingKey{std::move(*key), std::move(pem), reused};
}

std::string only_common_name(const CertificateFacts& certificate) {
    std::string found;
    for (const auto& rdn : certificate.subject.rdns) {
        for (const Attribute& attribute : rdn) {
            if (attribute.type != oid::k_common_name) continue;
            if (!found.empty()) return {};
            found = attribute.value;
        }
    }
    return found;
}

std::optional<Present> present_certificate(const config::Settings& settings) {
    std::error_code failure;
    if (!fs::exists(settings.management.certificate, failure)) return std::nullopt;
    const auto text = keys::read_text_file(settings.management.certificate);
    const auto certificates = text ? crypto::certificates_from_pem(*text) : Result<std::vector<Bytes>>(text.error());
    if (!certificates || certificates->empty()) return std::nullopt;
    auto facts = crypto::inspect(certificates->front());
    const auto key = read_key(settings.management.key);
    if (!facts || !key || !key->fits(certificates->front())) return std::nullopt;
    std::string id = only_common_name(*facts);
    return Present{std::move(*facts), std::move(id), renew_after_in(*text)};
}

Result<Candidate> keep_candidate(const config::Settings& settings, const management::Enrolment& answer,
                                 const PendingKey& pending, const keys::Owner& owner) {
    const auto certificates = crypto::certificates_from_pem(answer.certificate);
    if (!certificates || certificates->empty()) return not_ours("it cannot be read");
    const auto facts = crypto::inspect(certificates->front());
    if (!facts) return not_ours(facts.error().message);
    if (!pending.key.fits(certificates->front())) return not_ours("it is for another key");
    if (only_common_name(*facts) != answer.id.text())
        return not_ours("its only CN is not the connector's id " + answer.id.text());

    std::string text;
    if (answer.renew_after) text += std::string(k_renew_after) + to_rfc3339(*answer.renew_after) + "\n";
    for (const Bytes& one : *certificates) text += crypto::certificate_to_pem(one);
    for (const std::string& issuer : answer.chain) {
        const auto parsed = crypto::certificates_from_pem(issuer);
        if (!parsed) return not_ours("its chain cannot be read");
        for (const Bytes& one : *parsed) text += crypto::certificate_to_pem(one);
    }
    if (auto kept = keys::replace_file(pending_certificate_file(settings), bytes_of(text), 0644, owner); !kept)
        return kept.error();
    auto made = candidate(settings);
    if (!made) return not_ours("it cannot be read back");
    return std::move(*made);
}

std::optional<Candidate> candidate(const config::Settings& settings) {
    std::error_code failure;
    if (!fs::exists(pending_certificate_file(settings), failure)) return std::nullopt;
    auto certificates = keys::load_certificates(pending_certificate_file(settings));
    auto key = read_key(pending_key_file(settings));
    if (!certificates || !key || !key->fits(certificates->front())) return std::nullopt;
    auto facts = crypto::inspect(certificates->front());
    if (!facts) return std::nullopt;
    return Candidate{std::move(*key), std::move(*certificates), std::move(*facts)};
}

Result<void> keep_present(const config::Settings& settings, const keys::Owner& owner) {
    if (!present_certificate(settings)) return {};
    if (auto kept = keep_old(settings.management.key, 0600, owner); !kept) return kept;
    return keep_old(settings.management.certificate, 0644, owner);
}

Result<void> install(const config::Settings& settings) {
    if (auto moved = move(pending_key_file(settings), settings.management.key); !moved) return moved;
    if (auto moved = move(pending_certificate_file(settings), settings.management.certificate); !moved) return moved;
    std::error_code ignored;
    (void)fs::remove(pending_csr_file(settings), ignored);
    return {};
}

void drop_candidate(const config::Settings& settings) {
    std::error_code ignored;
    (void)fs::remove(pending_certificate_file(settings), ignored);
    (void)fs::remove(pending_csr_file(settings), ignored);
    (void)fs::remove(pending_key_file(settings), ignored);
}

void drop_request(const config::Settings& settings) {
    if (!candidate(settings)) drop_candidate(settings);
}

Result<std::vector<fs::path>> remove_all(const config::Settings& settings) {
    std::vector<fs::path> removed;
    std::optional<Error> fault;
    // The keys first: what is left after a fault signs nothing.
    for (const fs::path& file : {settings.management.key, settings.management.certificate})
        for (const char* suffix : {"", ".pending", ".pending.csr", ".old"}) {
            const fs::path one = with_suffix(file, suffix);
            std::error_code failure;
            // A link may lead to the key itself.
            const auto target = fs::is_symlink(one, failure) ? fs::weakly_canonical(one, failure) : fs::path();
            if (fs::remove(one, failure)) removed.push_back(one);
            if (!failure && !target.empty() && fs::remove(target, failure)) removed.push_back(target);
            if (failure)
                fault = Error(ErrorKind::misconfigured, "fileUnwritable",
                              one.string() + ": cannot be removed: " + failure.message());
        }
    if (fault) return *fault;
    return removed;
}

void finish_install(const config::Settings& settings) {
    std::error_code failure;
    if (!fs::exists(pending_certificate_file(settings), failure) || present_certificate(settings)) return;
    const auto certificates = keys::load_certificates(pending_certificate_file(settings));
    const auto key = read_key(settings.management.key);
    if (!certificates || !key || !key->fits(certificates->front())) return;
    const auto moved = move(pending_certificate_file(settings), settings.management.certificate);
    static_cast<void>(moved);  // what could not be ended is told by whoever loads the pair
}

}  // namespace connector::enrolment
