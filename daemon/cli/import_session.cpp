#include "config/credentials.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "daemon/cli/import_add.hpp"
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

}  // namespace connector::cli
