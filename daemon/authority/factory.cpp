#include "daemon/authority/factory.hpp"

#include "config/credentials.hpp"
#include "core/crypto/certificate.hpp"
#include "daemon/authority/est.hpp"
#include "daemon/authority/local.hpp"
#include "daemon/keys/load.hpp"

#include <utility>

namespace connector::authority {
namespace {

Result<std::unique_ptr<ports::Authority>> make_local(const std::string& name, const config::Authority& configured,
                                                     const config::Settings& settings, ports::Offload& offload,
                                                     const ports::Clock& clock) {
    LocalSettings local;
    local.name = name;
    local.directory = configured.directory;
    local.other_places = {settings.storage.directory};
    local.list = ListRules{configured.crl_life, configured.crl_file};
    if (configured.key_passphrase) {
        auto passphrase = config::read_password(*configured.key_passphrase);
        if (!passphrase) return passphrase.error().in("authority." + name);
        local.passphrase = std::move(*passphrase);
    }
    for (const auto& [alias, given] : configured.templates) {
        LocalTemplate bounds;
        bounds.key_usage = given.key_usage;
        bounds.extended_key_usage = given.extended_key_usage;
        bounds.validity_days = given.validity_days;
        bounds.crl_url = given.crl_url;
        bounds.aia_url = given.aia_url;
        bounds.policies = given.policies;
        local.templates.emplace(alias, std::move(bounds));
    }
    auto opened = LocalAuthority::open(std::move(local), offload, clock);
    if (!opened) return opened.error();
    return std::unique_ptr<ports::Authority>(std::move(*opened));
}

std::vector<net::AuthScheme> schemes_of(const std::vector<config::HttpScheme>& chosen) {
    std::vector<net::AuthScheme> schemes;
    for (const auto scheme : chosen)
        schemes.push_back(scheme == config::HttpScheme::digest ? net::AuthScheme::digest : net::AuthScheme::basic);
    return schemes;
}

Result<std::unique_ptr<ports::Authority>> make_est(const std::string& name, const config::Authority& configured,
                                                   ports::Offload& offload, ports::Clock& clock,
                                                   net::Resolver& resolver) {
    const std::string where = "authority." + name;
    EstSettings est;
    est.name = name;
    est.label = configured.label;
    est.schemes = schemes_of(configured.schemes);
    est.timeout = configured.timeout;
    for (const auto& [alias, given] : configured.templates) est.templates.emplace(alias, given.name);
    auto url = net::parse_url(configured.url);
    if (!url) return url.error().in(where + ".url");
    est.url = std::move(*url);
    const bool own_issuers = !configured.issuer_file.empty();
    auto issuers = keys::load_certificates(own_issuers ? configured.issuer_file : configured.ca_file);
    const std::string issuers_at = where + (own_issuers ? ".issuer_file" : ".ca_file");
    if (!issuers) return issuers.error().in(issuers_at);
    for (auto& certificate : *issuers)
        (crypto::self_signed(certificate) ? est.anchors : est.intermediates).push_back(std::move(certificate));
    // Who names issuing CAs beside the roots means these and no others. What stands in ca_file is for TLS.
    if (own_issuers) est.issuing = est.intermediates;
    if (est.anchors.empty())
        return Error(ErrorKind::misconfigured, "authorityMisconfigured",
                     issuers_at +
                         ": no root in it: name a file with the self-signed certificate that issued ones chain to"
                         " in issuer_file");
    if (configured.password) {
        auto password = config::read_password(*configured.password);
        if (!password) return password.error().in(where + ".password");
        est.credentials = net::Credentials{configured.user, std::make_shared<const SecretBytes>(std::move(*password))};
    }
    std::optional<net::TlsIdentity> identity;
    if (configured.key) {
        auto certificates = keys::load_certificates(configured.certificate);
        if (!certificates) return certificates.error().in(where + ".certificate");
        auto key = config::read_secret(*configured.key);
        if (!key) return key.error().in(where + ".key");
        identity = net::TlsIdentity{std::move(*certificates), std::move(*key)};
    }
    auto tls = net::TlsContext::make(configured.ca_file.string(), std::move(identity));
    if (!tls) return tls.error().in(where);
    auto http = std::make_unique<net::TlsHttpClient>(clock, resolver, std::move(*tls), std::nullopt,
                                                     std::string("pfx-connector/") + CONNECTOR_VERSION);
    return std::unique_ptr<ports::Authority>(
        std::make_unique<EstAuthority>(std::move(est), std::move(http), offload, clock));
}

}  // namespace

Result<AuthorityMap> make_authorities(const config::Settings& settings, ports::Offload& offload, ports::Clock& clock,
                                      net::Resolver& resolver) {
    AuthorityMap authorities;
    std::string faults;
    for (const auto& [name, configured] : settings.authorities) {
        auto made = configured.type == config::AuthorityType::est
                        ? make_est(name, configured, offload, clock, resolver)
                        : make_local(name, configured, settings, offload, clock);
        if (made) {
            authorities.emplace(name, std::move(*made));
        } else {
            if (!faults.empty()) faults += "; ";
            faults += made.error().message;
        }
    }
    if (!faults.empty()) return Error(ErrorKind::misconfigured, "authorityMisconfigured", faults);
    return authorities;
}

}  // namespace connector::authority
