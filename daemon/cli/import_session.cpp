#include "daemon/cli/import_session.hpp"

#include "config/credentials.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "daemon/keys/files.hpp"
#include "daemon/keys/import_keys.hpp"
#include "daemon/keys/load.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace connector::cli {
namespace {

Result<SecretBytes> password_from_stdin() {
    SecretBytes password;
    std::array<char, 1> one{};
    for (;;) {
        const ssize_t count = ::read(STDIN_FILENO, one.data(), 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0 || one[0] == '\n') break;
        password.append(std::string_view(one.data(), 1));
        if (password.size() > 1024)
            return Error(ErrorKind::invalid, "invalidRequest",
                         "the password on standard input is longer than 1024 octets");
    }
    one[0] = '\0';
    if (!password.empty() && password.reveal_text().back() == '\r') password.truncate(password.size() - 1);
    return password;
}

// An empty first line is a password too: PFX files without one exist.
Result<SecretBytes> password_from_file(const std::string& file) {
    auto password = keys::read_secret_file(file, false);
    if (!password) return password;
    const auto text = password->reveal_text();
    auto end = std::min(text.find('\n'), text.size());
    if (end > 0 && text[end - 1] == '\r') --end;
    password->truncate(end);
    return password;
}

}  // namespace

ImportSession::ImportSession(std::unique_ptr<Service> service, std::shared_ptr<const SecretBytes> token,
                             std::chrono::seconds timeout)
    : service_(std::move(service)),
      admin_(service_->http(), service_->clock(), service_->base(), std::move(token), timeout) {}

Result<std::unique_ptr<ImportSession>> ImportSession::open(const config::Settings& settings) {
    if (!settings.management.admin_token)
        return Error(ErrorKind::misconfigured, "notConfigured",
                     "management.admin_token is needed: \"file:PATH\" of a file with mode 0600");
    auto token = config::read_password(*settings.management.admin_token);
    if (!token) return token.error();
    auto service = Service::open(settings, std::nullopt);
    if (!service) return service.error();
    return std::unique_ptr<ImportSession>(new ImportSession(std::move(*service),
                                                            std::make_shared<const SecretBytes>(std::move(*token)),
                                                            settings.management.request_timeout));
}

Result<std::vector<Bytes>> trusted_importers(const config::Settings& settings) {
    std::vector<Bytes> trusted;
    if (!settings.importer.signers_file.empty()) {
        auto signers = keys::load_certificates(settings.importer.signers_file);
        if (!signers) return signers.error();
        trusted = std::move(*signers);
    }
    if (!settings.importer.certificate.empty()) {
        auto own = keys::load_certificates(settings.importer.certificate);
        if (!own) return own.error();
        if (std::find(trusted.begin(), trusted.end(), own->front()) == trusted.end())
            trusted.push_back(std::move(own->front()));
    }
    return trusted;
}

Result<std::vector<importer::SignedRecord>> fetch_store(const config::Settings& settings, ImportSession& session,
                                                        const std::string& user) {
    const auto trusted = trusted_importers(settings);
    if (!trusted) return trusted.error();
    auto records = session.wait(session.calls().list(user));
    if (!records) return records.error();
    const crypto::OpenSslCrypto crypto;
    return importer::read_store(crypto, std::move(*records), *trusted);
}

Result<std::optional<ports::Signer>> importer_signer(const config::Settings& settings) {
    std::optional<ports::Signer> none;
    if (!settings.importer.certificate.empty() && settings.importer.key) {
        auto signer = keys::load_signer(settings.importer.certificate, *settings.importer.key, {});
        if (!signer) return signer.error();
        return std::optional<ports::Signer>(std::move(*signer));
    }
    if (settings.importer.rules.signatures != trust::SignatureRule::off)
        return Error(ErrorKind::misconfigured, "notConfigured",
                     "importer.certificate and importer.key are needed: the connector takes no unsigned record "
                     "(importer.signatures)");
    return none;
}

Result<ChosenKey> wrapping_key(const config::Settings& settings, const KeyChoice& choice) {
    const std::string provider = choice.provider.empty() ? std::string(keys::k_provider_name) : choice.provider;
    auto key = choice.file.empty() ? keys::public_import_key(settings, choice.name)
                                   : keys::public_import_key(std::filesystem::path(choice.file), provider, choice.name);
    if (!key) return key.error();
    // The configuration's names win: they are what the connector looks for.
    if (const auto known = settings.import_keys.find(choice.name);
        known != settings.import_keys.end() && choice.provider.empty()) {
        key->provider_name = known->second.provider_name;
        key->key_name = known->second.key_name;
    }
    return ChosenKey{{key->provider_name, key->key_name, std::move(key->spki)}, key->spki_sha256};
}

Result<SecretBytes> read_password(const PasswordChoice& choice) {
    return choice.standard_input ? password_from_stdin() : password_from_file(choice.file);
}

std::string known_purpose(const std::string& text) {
    return request::parse_purpose(text) ? std::string()
                                        : "--purpose: smimeEncryption, smimeSigning, unassigned or wifi";
}

std::uint64_t sequence_now() {
    return static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
}

}  // namespace connector::cli
