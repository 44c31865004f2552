// Certificates that have a key or a life of their own: the connector's, the delivery certificate, the importers'.
#include "core/crypto/certificate.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/enrolment/own_pair.hpp"
#include "daemon/keys/load.hpp"

#include <algorithm>

namespace connector::doctor {
namespace {

constexpr std::chrono::days k_soon{30};

std::string date_of(UtcTime time) {
    return to_rfc3339(time).substr(0, 10);
}

void own_certificate(Checks& checks, const config::Settings& settings, UtcTime now) {
    const std::string name = "connector certificate";
    const std::string enrol = "pfx-connector enroll --token-file FILE --anew, with a fresh token";
    config::SecretRef key;
    key.source = config::SecretRef::Source::file;
    key.path = settings.management.key;
    const auto signer = keys::load_signer(settings.management.certificate, key, {});
    if (!signer) return checks.fault(name, signer.error().message, "pfx-connector enroll --token-file FILE");
    const auto facts = crypto::inspect(signer->certificate);
    if (!facts) return checks.fault(name, facts.error().message, enrol);
    const std::string id = enrolment::only_common_name(*facts);
    if (!is_usable_id(id)) return checks.fault(name, "its subject does not name one connector", enrol);
    judge_life(checks, name, "connector " + id, facts->not_before, facts->not_after, now,
               facts->not_after <= now
                   ? enrol
                   : "pfx-connector enroll --renew; look in the log for MGT-6023, why it does not renew by itself");
}

void delivery_certificate(Checks& checks, const config::Settings& settings, UtcTime now) {
    const std::string name = "delivery certificate";
    if (settings.delivery.certificate.empty())
        return checks.warning(
            name,
            "none is configured: the connector's own certificate signs, which the service's "
            "authority issued; it proves less to a device",
            "pfx-connector delivery-key create, set delivery.certificate and delivery.key, and let the "
            "devices pin it");
    const auto signer = keys::load_delivery_signer(settings);
    if (!signer)
        return checks.fault(name, signer.error().message,
                            "name the certificate and the key that belong together; pfx-connector delivery-key create "
                            "makes a pair");
    const auto facts = crypto::inspect(signer->certificate);
    if (!facts) return checks.fault(name, facts.error().message, "name another certificate in delivery.certificate");
    if (facts->key_usage && !facts->key_usage->any_of(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation))
        return checks.fault(name, "its key usage does not let it sign", "use a certificate with digitalSignature");
    const auto authorities = settings.recipients.ca_file.empty() ? Result<std::vector<Bytes>>(std::vector<Bytes>())
                                                                 : keys::load_certificates(settings.recipients.ca_file);
    const bool device = authorities && std::any_of(authorities->begin(), authorities->end(), [&](const Bytes& issuer) {
                            return crypto::issued_by(signer->certificate, issuer);
                        });
    const std::string issuer = crypto::self_signed(signer->certificate) ? "self-signed, devices pin it"
                               : device                                 ? "issued by the device authority"
                                                                        : "issued by " + to_text(facts->issuer);
    judge_life(checks, name, issuer, facts->not_before, facts->not_after, now,
               "get a new one, give it to the devices beside the old one, then set delivery.certificate");
}

void importers(Checks& checks, const config::Settings& settings, UtcTime now) {
    const std::string name = "importer signers";
    const auto& importer = settings.importer;
    if (!settings.connector.does(request::Kind::pfx_deliver)) return;
    if (importer.rules.signatures == trust::SignatureRule::off)
        return checks.warning(
            name, "importer.signatures = \"off\": whatever the service stores is delivered",
            "sign what is stored (pfx-connector import add) and set importer.signatures = \"required\"");
    if (importer.rules.signatures == trust::SignatureRule::adopted)
        checks.warning(name, "importer.signatures = \"adopted\": records without a signature may pass",
                       "set importer.signatures = \"required\" once every record has been adopted");
    if (importer.signers_file.empty()) return;
    const auto certificates = keys::load_certificates(importer.signers_file);
    if (!certificates)
        return checks.fault(name, certificates.error().message, "name the importers' certificates in importer.signers");
    std::size_t valid = 0;
    for (const Bytes& der : *certificates) {
        const auto facts = crypto::inspect(der);
        if (!facts) return checks.fault(name, facts.error().message, "take that certificate out of the file");
        if (facts->not_before <= now && now < facts->not_after) ++valid;
    }
    const std::string found = importer.signers_file.string() + ": " +
                              count_of(static_cast<std::int64_t>(certificates->size()), "certificate");
    if (valid == 0)
        checks.warning(name, found + ", each of them out of its time; old signatures still count",
                       "make a new importer certificate, add it to the file, and import with it");
    else
        checks.good(name, found);
}

}  // namespace

void judge_life(Checks& checks, const std::string& name, const std::string& subject, UtcTime not_before,
                UtcTime not_after, UtcTime now, const std::string& renew) {
    if (not_before > now)
        return checks.fault(name, subject + "; not valid before " + to_rfc3339(not_before),
                            "set this machine's clock right, or wait");
    const auto left = std::chrono::floor<std::chrono::days>(not_after - now);
    if (not_after <= now) return checks.fault(name, subject + "; expired on " + date_of(not_after), renew);
    const std::string life = subject + "; until " + date_of(not_after) + ", " + count_of(left.count(), "day");
    // A short life is renewed within its last third, a long one in its last month.
    const auto third = (not_after - not_before) / 3;
    if (not_after - now < std::min<std::chrono::seconds>(third, k_soon)) return checks.warning(name, life, renew);
    checks.good(name, life);
}

std::vector<Check> check_importer(const config::Settings& settings, UtcTime now) {
    Checks checks("certificates");
    const std::string name = "importer certificate";
    const auto& importer = settings.importer;
    if (importer.certificate.empty() && importer.rules.signatures == trust::SignatureRule::off) {
        checks.warning(name, "importer.signatures = \"off\": what is imported here is signed by nobody",
                       "set importer.certificate and importer.key, and \"required\" on the connector's host");
        return std::move(checks).take();
    }
    if (importer.certificate.empty()) {
        checks.fault(name, "none is configured, and the connector takes no unsigned record",
                     "set importer.certificate and importer.key (docs/imports.md, Before the first import)");
        return std::move(checks).take();
    }
    const auto signer = keys::load_signer(importer.certificate, *importer.key, {});
    const auto facts = signer ? crypto::inspect(signer->certificate) : Result<CertificateFacts>(signer.error());
    if (!facts)
        checks.fault(name, facts.error().message,
                     "name the certificate and the key that belong together in importer.certificate and importer.key");
    else
        judge_life(checks, name, to_text(facts->subject), facts->not_before, facts->not_after, now,
                   "make a new one, add it to importer.signers on the connector's host, then import with it");
    return std::move(checks).take();
}

std::vector<Check> check_certificates(const config::Settings& settings, UtcTime now) {
    Checks checks("certificates");
    own_certificate(checks, settings, now);
    delivery_certificate(checks, settings, now);
    importers(checks, settings, now);
    return std::move(checks).take();
}

}  // namespace connector::doctor
