// The import keys: what they are for, done once with nothing at stake.
#include "core/crypto/aead.hpp"
#include "core/crypto/oaep.hpp"
#include "daemon/doctor/areas.hpp"
#include "daemon/keys/software.hpp"

#include <array>

namespace connector::doctor {
namespace {

constexpr std::size_t k_password = 32;

Result<void> unwrap_once(const keys::SoftwareKeys& service, const keys::SoftwareKeys::Loaded& key,
                         ports::OaepHash hash) {
    auto password = crypto::random_secret(k_password);
    const auto wrapped = crypto::wrap_oaep(key.key.spki_der(), password, hash);
    if (!wrapped) return wrapped.error();
    const auto opened = service.unwrap(key.provider_name, key.key_name, *wrapped, hash);
    if (!opened) return opened.error();
    if (!opened->equals(password.view()))
        return Error(ErrorKind::internal, "internal", "what was unwrapped is not what was wrapped");
    return {};
}

}  // namespace

std::vector<Check> check_import_keys(const config::Settings& settings) {
    Checks checks("keys");
    for (const auto& [name, configured] : settings.import_keys) {
        const std::string called = "import key " + name;
        const auto service = keys::SoftwareKeys::load({{name, configured}});
        if (!service) {
            checks.fault(called, service.error().message,
                         "put the key back from its backup with mode 0600, or take [import." + name + "] out");
            continue;
        }
        const auto& key = (*service)->loaded().front();
        Result<void> done;
        for (const auto hash : {ports::OaepHash::sha256, ports::OaepHash::sha384, ports::OaepHash::sha512})
            if (done) done = unwrap_once(**service, key, hash);
        if (!done)
            checks.fault(called, "a password wrapped for it does not open: " + done.error().message,
                         "put the key back from its backup");
        else
            checks.good(called, "opens what is wrapped for it; RSA of " + std::to_string(key.key.facts().bits) +
                                    " bits, SHA-256 " + key.key.spki_sha256().hex().substr(0, 16) + "…");
    }
    if (settings.import_keys.empty() && settings.connector.does(request::Kind::pfx_deliver))
        checks.warning("import keys", "none is configured, and pfx.deliver is on: no imported certificate will open",
                       "pfx-connector import key create NAME, or take pfx.deliver out of connector.kinds");
    return std::move(checks).take();
}

}  // namespace connector::doctor
