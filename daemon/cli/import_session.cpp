#include "daemon/cli/import_session.hpp"

#include "config/credentials.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/text.hpp"
#include "daemon/keys/import_keys.hpp"
#include "daemon/keys/load.hpp"

#include <algorithm>
#include <utility>

namespace connector::cli {

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

Error ImportSession::token_refused(const Error& refusal) {
    return {refusal.kind, refusal.code,
            refusal.message +
                "; the token of management.admin_token is not accepted for this: have the service give out "
                "a new one, and put it into that file"};
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

std::string known_purpose(const std::string& text) {
    return request::parse_purpose(text) ? std::string() : "smimeEncryption, smimeSigning, unassigned or wifi";
}

CLI::Option* add_thumbprint_option(CLI::App& command, std::string& thumbprint, const std::string& description) {
    const auto plain = [](std::string& text) -> std::string {
        // The invisible mark is what Windows' certificate window puts in front of a copied thumbprint.
        constexpr std::string_view k_mark = "\xE2\x80\x8E";
        if (text.starts_with(k_mark)) text.erase(0, k_mark.size());
        std::erase_if(text, [](char c) { return c == ':' || c == ' ' || c == '\t'; });
        const auto octets = Thumbprint::from_hex_text(ascii_lower(text));
        if (!octets) return "a certificate's SHA-1 thumbprint has 40 hex digits (blanks and colons may stand between)";
        text = octets->hex();
        return {};
    };
    return command.add_option("--thumbprint", thumbprint, description)->transform(CLI::Validator(plain, ""));
}

std::uint64_t sequence_after(std::uint64_t newest) {
    const auto now = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count());
    return std::max(now, newest + 1);
}

bool store_said_no(const Error& error) noexcept {
    return error.kind == ErrorKind::refused || (error.kind == ErrorKind::invalid && error.code != "answerInvalid");
}

Result<void> store_anew(ImportSession& session, const importer::Opened& opened, const importer::ImportOrder& order,
                        const importer::WrappingKey& key, const ports::Signer& signer, std::vector<Sha256> certificates,
                        std::uint64_t sequence, UtcTime now) {
    const crypto::OpenSslCrypto crypto;
    const auto listed = session.wait(session.calls().list(order.user_principal_name));
    if (!listed) return listed.error();
    const std::string thumbprint = opened.certificate.thumbprint.hex();
    const auto there = std::find_if(listed->begin(), listed->end(), [&](const trust::ImportedRecord& record) {
        return record.purpose == order.purpose && ascii_equal(record.thumbprint, thumbprint);
    });
    if (there == listed->end()) return Error(ErrorKind::conflict, "changed", "the stored record is gone again");
    auto record = importer::make_record(crypto, opened, order, key, &signer, std::move(certificates), sequence, now);
    if (!record) return record.error();
    record->id = there->id;
    record->etag = there->etag;
    const auto kept = session.wait(session.calls().replace(std::move(*record)));
    if (!kept) return kept.error();
    return {};
}

Result<bool> publish_list(const config::Settings& settings, ImportSession& session,
                          const std::vector<importer::SignedRecord>& store, NewList list, UtcTime now) {
    const auto signer = importer_signer(settings);
    if (!signer) return signer.error();
    if (!*signer)
        return Error(ErrorKind::misconfigured, "notConfigured",
                     "importer.certificate and importer.key are needed to sign a list");
    const auto trusted = trusted_importers(settings);
    if (!trusted) return trusted.error();
    const auto carrier = std::find_if(store.rbegin(), store.rend(), [&list](const auto& stored) {
        return stored.statement && stored.record.purpose == list.purpose &&
               ascii_equal(stored.record.user_principal_name, list.user);
    });
    if (carrier == store.rend()) return false;
    auto whole = session.wait(session.calls().read(carrier->record));
    if (!whole) return whole.error();
    const crypto::OpenSslCrypto crypto;
    if (auto done = importer::sign_list(crypto, *whole, *trusted, **signer, std::move(list.certificates),
                                        sequence_after(list.newest), now);
        !done)
        return done.error();
    const auto kept = session.wait(session.calls().replace(std::move(*whole)));
    if (!kept) return kept.error();
    return true;
}

}  // namespace connector::cli
