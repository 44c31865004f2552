// Whom the configuration believes, where that is a fault; and the device authorities against our own.
#include "core/crypto/certificate.hpp"
#include "daemon/authority/local_ca.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/keys/load.hpp"

#include <algorithm>

namespace connector::doctor {
namespace {

struct OwnAuthority {
    std::string name;
    CertificateFacts issuing;
    CertificateFacts root;
};

std::vector<OwnAuthority> own_authorities(const config::Settings& settings) {
    std::vector<OwnAuthority> found;
    for (const auto& [name, configured] : settings.authorities) {
        if (configured.type != config::AuthorityType::local) continue;
        const auto read = [&](const char* file) -> std::optional<CertificateFacts> {
            const auto all = keys::load_certificates(configured.directory / file);
            if (!all) return std::nullopt;  // check_authorities() says so
            const auto facts = crypto::inspect(all->front());
            if (!facts) return std::nullopt;
            return *facts;
        };
        auto issuing = read(authority::local_files::k_issuing_certificate);
        auto root = read(authority::local_files::k_root_certificate);
        if (issuing && root) found.push_back({name, std::move(*issuing), std::move(*root)});
    }
    return found;
}

void choices(Checks& checks, const config::Settings& settings) {
    using request::Kind;
    if (!settings.connector.does(Kind::pkcs_issue) && !settings.connector.does(Kind::pfx_deliver)) return;
    if (settings.recipients.rules.binding == trust::Binding::service)
        checks.fault("recipients.binding", "the service's word is taken for whose device it is",
                     "set recipients.binding to \"certificate\", \"directory\", \"statement\" or \"register\"");
    else
        checks.good("recipients.binding", settings.recipients.rules.binding == trust::Binding::register_
                                              ? "the register proves whose device it is"
                                          : settings.recipients.rules.binding == trust::Binding::directory
                                              ? "the directory names the owner of each device"
                                          : settings.recipients.rules.binding == trust::Binding::statement
                                              ? "a pinned signer states whose each device is"
                                              : "proved for each device");
    if (settings.policy.identity == trust::IdentitySource::service)
        checks.fault("policy.identity", "the service's word is taken for who a user is",
                     "set policy.identity to \"directory\" or \"certificate\"");
    else
        checks.good("policy.identity", settings.policy.identity == trust::IdentitySource::directory
                                           ? "the directory says each person's names and mailboxes"
                                           : "proved for each person");
    // No program can see from here whether the device entries are copied from the cloud: said once, plainly.
    if (settings.recipients.rules.binding == trust::Binding::directory)
        checks.good("directory.device_base", "only as good as who may write " + settings.directory.owner_attribute +
                                                 " there: entries that are written back from the cloud are its word");
}

// nullopt: nothing speaks against that device authority.
std::optional<std::pair<std::string, std::string>> fault_of(const CertificateFacts& issuer,
                                                            const std::vector<OwnAuthority>& own, UtcTime now) {
    const std::string apart =
        "let devices be certified by an authority of their own, and name that one in recipients.ca_file";
    for (const auto& authority : own) {
        const auto& key = issuer.key.spki_sha256;
        if (key == authority.issuing.key.spki_sha256)
            return std::pair("is the issuing authority \"" + authority.name +
                                 "\" itself: an S/MIME certificate that it issues would pass for a device's",
                             apart);
        if (key == authority.root.key.spki_sha256 || crypto::issued_by(authority.issuing.der, issuer.der))
            return std::pair("stands above the issuing authority \"" + authority.name +
                                 "\": it anchors S/MIME certificates of our own",
                             apart);
    }
    if (!issuer.is_ca)
        return std::pair(std::string("is no authority's certificate: no device certificate can be issued by it"),
                         std::string("name the direct issuer of the device certificates in recipients.ca_file"));
    if (issuer.not_after <= now)
        return std::pair("expired on " + to_rfc3339(issuer.not_after),
                         std::string("name the device authority's present certificate in recipients.ca_file"));
    return std::nullopt;
}

void device_authorities(Checks& checks, const config::Settings& settings, UtcTime now) {
    if (settings.recipients.ca_file.empty()) return;
    const std::string name = "device authority";
    const auto certificates = keys::load_certificates(settings.recipients.ca_file);
    if (!certificates)
        return checks.fault(name, certificates.error().message,
                            "put the device authority's certificate there as PEM (recipients.ca_file)");
    const auto own = own_authorities(settings);
    for (const Bytes& der : *certificates) {
        const auto facts = crypto::inspect(der);
        if (!facts) {
            checks.fault(name, facts.error().message, "take that certificate out of recipients.ca_file");
            continue;
        }
        const std::string subject = to_text(facts->subject);
        if (const auto fault = fault_of(*facts, own, now))
            checks.fault(name, subject + " " + fault->first, fault->second);
        else
            checks.good(name, subject + ", apart from what issues S/MIME certificates");
    }
}

void statement_signers(Checks& checks, const config::Settings& settings, UtcTime now) {
    if (settings.recipients.rules.binding != trust::Binding::statement) return;
    const std::string name = "statement signer";
    const auto certificates = keys::load_certificates(settings.recipients.statement_signers_file);
    if (!certificates)
        return checks.fault(name, certificates.error().message,
                            "put the signers' certificates there as PEM (recipients.statement_signers)");
    for (const Bytes& der : *certificates) {
        const auto facts = crypto::inspect(der);
        if (facts)
            judge_life(
                checks, name, to_text(facts->subject), facts->not_before, facts->not_after, now,
                "its statements count no longer: add the signer's new certificate, and have devices stated anew");
        else
            checks.fault(name, facts.error().message, "take that certificate out of recipients.statement_signers");
    }
}

}  // namespace

std::vector<Check> check_trust(const config::Settings& settings, UtcTime now) {
    Checks checks("trust");
    choices(checks, settings);
    device_authorities(checks, settings, now);
    statement_signers(checks, settings, now);
    return std::move(checks).take();
}

}  // namespace connector::doctor
