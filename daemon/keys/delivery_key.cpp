#include "daemon/keys/delivery_key.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/csr.hpp"
#include "core/crypto/issue.hpp"
#include "daemon/keys/files.hpp"

#include <system_error>

namespace connector::keys {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::minutes k_backdating{5};

Result<Bytes> self_sign(const crypto::PrivateKey& key, const DeliveryKeyOrder& order, UtcTime now) {
    crypto::CertificateOrder certificate;
    certificate.serial = crypto::random_serial();
    certificate.subject = Name{{{Attribute{std::string(oid::k_common_name), order.name}}}};
    certificate.spki = key.spki_der();
    certificate.not_before = now - k_backdating;
    certificate.not_after = certificate.not_before + std::chrono::days(order.days) - std::chrono::seconds(1);
    certificate.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    return crypto::issue_self_signed(certificate, key);
}

Result<Bytes> request_for(const crypto::PrivateKey& key, const DeliveryKeyOrder& order) {
    ports::CsrContent content;
    content.subject = Name{{{Attribute{std::string(oid::k_common_name), order.name}}}};
    content.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    return crypto::make_csr(key, content);
}

}  // namespace

Result<DeliveryKeyMade> create_delivery_key(const DeliveryKeyOrder& order, UtcTime now) {
    if (order.days == 0 || order.days > 7300) return Error(ErrorKind::invalid, "invalidRequest", "--days: 1 to 7300");
    const auto key = crypto::PrivateKey::generate(order.type);
    if (!key) return key.error();
    const auto pem = key->to_pem();
    if (!pem) return pem.error();
    DeliveryKeyMade made;
    made.spki_sha256 = key->spki_sha256();
    std::string beside;
    if (order.csr_file) {
        const auto csr = request_for(*key, order);
        if (!csr) return csr.error();
        beside = crypto::csr_to_pem(*csr);
    } else {
        const auto certificate = self_sign(*key, order, now);
        if (!certificate) return certificate.error();
        auto facts = crypto::inspect(*certificate);
        if (!facts) return facts.error();
        beside = crypto::certificate_to_pem(*certificate);
        made.certificate = std::move(*facts);
    }
    const auto owner = owner_of(fs::absolute(order.key_file).parent_path());
    const fs::path& beside_file = order.csr_file ? *order.csr_file : order.certificate_file;
    if (auto done = write_new_file(order.key_file, pem->view(), 0600, owner); !done) return done.error();
    if (auto done = write_new_file(beside_file, bytes_of(beside), 0644, owner); !done) {
        std::error_code ignored;
        (void)fs::remove(order.key_file, ignored);
        return done.error();
    }
    return made;
}

}  // namespace connector::keys
