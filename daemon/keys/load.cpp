#include "daemon/keys/load.hpp"

#include "config/credentials.hpp"
#include "core/crypto/certificate.hpp"
#include "daemon/keys/files.hpp"

#include <string>
#include <utility>

namespace connector::keys {
namespace {

Error unfit(const std::string& where, const std::string& why) {
    return {ErrorKind::misconfigured, "keyUnfit", where + ": " + why};
}

}  // namespace

Result<crypto::PrivateKey> load_private_key(const config::SecretRef& key,
                                            const std::optional<config::SecretRef>& passphrase) {
    auto pem = config::read_secret(key);
    if (!pem) return pem.error();
    if (!passphrase) {
        auto loaded = crypto::PrivateKey::from_pem(*pem);
        if (!loaded) return loaded.error().in(key.text());
        return loaded;
    }
    auto word = config::read_password(*passphrase);
    if (!word) return word.error();
    auto loaded = crypto::PrivateKey::from_pem(*pem, *word);
    if (!loaded) return loaded.error().in(key.text());
    return loaded;
}

Result<std::vector<Bytes>> load_certificates(const std::filesystem::path& file) {
    auto text = read_text_file(file);
    if (!text) return text.error();
    auto certificates = crypto::certificates_from_pem(*text);
    if (!certificates) return unfit(file.string(), certificates.error().message);
    if (certificates->empty()) return unfit(file.string(), "holds no certificate");
    return certificates;
}

Result<ports::Signer> load_signer(const std::filesystem::path& certificate, const config::SecretRef& key,
                                  const std::filesystem::path& chain_file) {
    auto certificates = load_certificates(certificate);
    if (!certificates) return certificates.error();
    auto private_key = load_private_key(key, std::nullopt);
    if (!private_key) return private_key.error();
    if (!private_key->fits(certificates->front()))
        return unfit(certificate.string(), "its first certificate does not carry the key of " + key.text());
    auto pkcs8 = private_key->to_pkcs8();
    if (!pkcs8) return pkcs8.error();

    ports::Signer signer;
    signer.certificate = std::move(certificates->front());
    signer.chain.assign(std::make_move_iterator(certificates->begin() + 1),
                        std::make_move_iterator(certificates->end()));
    if (!chain_file.empty()) {
        auto more = load_certificates(chain_file);
        if (!more) return more.error();
        for (Bytes& one : *more) {
            if (one != signer.certificate) signer.chain.push_back(std::move(one));
        }
    }
    signer.pkcs8 = std::move(*pkcs8);
    return signer;
}

Result<ports::Signer> load_delivery_signer(const config::Settings& settings) {
    if (!settings.delivery.certificate.empty() && settings.delivery.key)
        return load_signer(settings.delivery.certificate, *settings.delivery.key, settings.delivery.chain_file);
    config::SecretRef own;
    own.source = config::SecretRef::Source::file;
    own.path = settings.management.key;
    return load_signer(settings.management.certificate, own, {});
}

}  // namespace connector::keys
