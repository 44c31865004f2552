#include "daemon/authority/factory.hpp"

#include "config/credentials.hpp"
#include "daemon/authority/local.hpp"

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
        local.templates.emplace(alias, std::move(bounds));
    }
    auto opened = LocalAuthority::open(std::move(local), offload, clock);
    if (!opened) return opened.error();
    return std::unique_ptr<ports::Authority>(std::move(*opened));
}

}  // namespace

Result<AuthorityMap> make_authorities(const config::Settings& settings, ports::Offload& offload,
                                      const ports::Clock& clock) {
    AuthorityMap authorities;
    std::string faults;
    for (const auto& [name, configured] : settings.authorities) {
        switch (configured.type) {
            case config::AuthorityType::local: {
                auto made = make_local(name, configured, settings, offload, clock);
                if (made) {
                    authorities.emplace(name, std::move(*made));
                } else {
                    if (!faults.empty()) faults += "; ";
                    faults += made.error().message;
                }
                break;
            }
        }
    }
    if (!faults.empty()) return Error(ErrorKind::misconfigured, "authorityMisconfigured", faults);
    return authorities;
}

}  // namespace connector::authority
