#include "daemon/doctor/examination.hpp"

#include "daemon/doctor/areas.hpp"
#include "storage/inspect.hpp"

#include <algorithm>
#include <cstdlib>
#include <iterator>

namespace connector::doctor {
namespace {

namespace json = boost::json;

Daemon find_daemon(const config::Settings& settings, const AskRunning& ask) {
    Daemon daemon;
    const auto holder = storage::instance_lock_holder(settings.storage.directory);
    if (holder) daemon.holder = holder->process;
    if (auto answer = ask(settings, "status", {})) {
        if (answer->exit_code == 0 && answer->result.is_object()) {
            daemon.state = Daemon::State::answers;
            daemon.status = std::move(answer->result.get_object());
        } else {
            const bool forbidden = answer->error.find("permission denied") != std::string::npos;
            daemon.state = forbidden ? Daemon::State::forbidden : Daemon::State::silent;
            daemon.complaint = answer->error;
        }
    } else if (holder && !holder->command) {
        daemon.state = Daemon::State::silent;
    }
    return daemon;
}

bool only_the_unit_has(const std::optional<config::SecretRef>& secret) {
    return secret && secret->source == config::SecretRef::Source::credential &&
           std::getenv("CREDENTIALS_DIRECTORY") == nullptr;
}

// Secrets that systemd gives to the unit alone cannot be looked at from a shell.
bool any_only_the_unit_has(const config::Settings& settings) {
    if (only_the_unit_has(settings.sealing.key) || only_the_unit_has(settings.delivery.key)) return true;
    for (const auto& [name, key] : settings.import_keys)
        if (only_the_unit_has(key.key) || only_the_unit_has(key.passphrase)) return true;
    return std::any_of(settings.authorities.begin(), settings.authorities.end(),
                       [](const auto& one) {
                           const config::Authority& authority = one.second;
                           return only_the_unit_has(authority.key_passphrase) || only_the_unit_has(authority.password) ||
                                  only_the_unit_has(authority.key);
                       });
}

// By the daemon where only it can, else here: what stands in the file now is what the next start will need.
std::vector<Check> secrets(const config::Settings& settings, const Daemon& daemon, const AskRunning& ask, UtcTime now) {
    if (!any_only_the_unit_has(settings)) return check_with_secrets(settings, now);
    if (daemon.state == Daemon::State::answers) {
        if (const auto answer = ask(settings, "doctor", {}); answer && answer->exit_code == 0)
            if (const auto* object = answer->result.if_object())
                if (const auto* rows = object->if_contains("checks"))
                    if (auto checks = checks_from_json(*rows)) return std::move(*checks);
    }
    Checks checks("keys");
    checks.warning("credentials",
                   "the configuration takes secrets from the unit's credentials, which cannot be looked at from here",
                   "start the daemon and run doctor again: it looks by itself then");
    return std::move(checks).take();
}

}  // namespace

std::vector<Check> examine(const config::Settings& settings, const AskRunning& ask, UtcTime now) {
    std::vector<Check> all;
    const auto add = [&all](std::vector<Check> more) {
        all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
    };
    const Daemon daemon = find_daemon(settings, ask);
    add(check_trust(settings, now));
    add(check_files(settings));
    add(check_database(settings, daemon));
    add(secrets(settings, daemon, ask, now));
    add(check_service(settings, now));
    add(check_daemon(settings, daemon));
    return all;
}

}  // namespace connector::doctor
