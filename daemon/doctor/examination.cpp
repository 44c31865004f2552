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

bool only_the_unit_has(const config::Authority& authority) {
    return only_the_unit_has(authority.key_passphrase) || only_the_unit_has(authority.password) ||
           only_the_unit_has(authority.key);
}

// Secrets that systemd gives to the unit alone cannot be looked at from a shell.
bool any_only_the_unit_has(const config::Settings& settings) {
    if (only_the_unit_has(settings.sealing.key) || only_the_unit_has(settings.delivery.key) ||
        only_the_unit_has(settings.directory.credential) || only_the_unit_has(settings.notify.password))
        return true;
    for (const auto& [name, key] : settings.import_keys)
        if (only_the_unit_has(key.key) || only_the_unit_has(key.passphrase)) return true;
    return std::any_of(settings.authorities.begin(), settings.authorities.end(),
                       [](const auto& one) { return only_the_unit_has(one.second); });
}

// What the daemon found with the secrets of its unit; nullopt where it cannot be asked.
std::optional<std::vector<Check>> by_the_daemon(const config::Settings& settings, const AskRunning& ask,
                                                const std::string& command, const json::object& arguments) {
    const auto answer = ask(settings, command, arguments);
    if (!answer || answer->exit_code != 0) return std::nullopt;
    const auto* object = answer->result.if_object();
    const auto* rows = object == nullptr ? nullptr : object->if_contains("checks");
    return rows == nullptr ? std::nullopt : checks_from_json(*rows);
}

std::vector<Check> cannot_be_looked_at(const std::string& area) {
    Checks checks(area);
    checks.warning("credentials",
                   "the configuration takes secrets from the unit's credentials, which cannot be looked at from here",
                   "start the daemon and ask again: it looks by itself then");
    return std::move(checks).take();
}

// By the daemon where only it can, else here: what stands in the file now is what the next start will need.
std::vector<Check> secrets(const config::Settings& settings, const Daemon& daemon, const AskRunning& ask, UtcTime now) {
    if (!any_only_the_unit_has(settings)) return check_with_secrets(settings, now);
    if (daemon.state == Daemon::State::answers)
        if (auto checks = by_the_daemon(settings, ask, "doctor", {})) return std::move(*checks);
    return cannot_be_looked_at("keys");
}

// Whether a running daemon has let go of it: what has just answered may be parked there all the same.
std::vector<Check> as_the_daemon_has_it(const config::Settings& settings, const std::string& name,
                                        const AskRunning& ask) {
    Checks checks("authority");
    const auto answer = ask(settings, "authority.list", {});
    const auto* object = answer && answer->exit_code == 0 ? answer->result.if_object() : nullptr;
    const auto* rows = object == nullptr ? nullptr : object->if_contains("authorities");
    if (rows == nullptr || !rows->is_array()) return std::move(checks).take();
    for (const auto& element : rows->get_array()) {
        const auto* row = element.if_object();
        if (row == nullptr || text_of(*row, "name") != name) continue;
        const std::string state = text_of(*row, "state");
        const std::string until = text_of(*row, "parkedUntil");
        if (state != "parked" && state != "down") continue;
        const std::string why = state == "parked" ? "refused our credential" : "did not answer";
        checks.warning("authority " + name + " in the daemon",
                       state + " since " + text_of(*row, "since") + ", as it " + why +
                           (until.empty() ? "; the next request asks it" : "; left alone until " + until),
                       "once it works: pfx-connector authority resume " + name);
    }
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
    add(check_revocation(settings, now));
    add(check_files(settings));
    add(check_database(settings, daemon, now));
    add(secrets(settings, daemon, ask, now));
    add(check_service(settings, now));
    add(check_daemon(settings, daemon));
    return all;
}

std::vector<Check> examine_import(const config::Settings& settings, UtcTime now) {
    auto all = check_importer(settings, now);
    auto store = check_store(settings, now);
    all.insert(all.end(), std::make_move_iterator(store.begin()), std::make_move_iterator(store.end()));
    return all;
}

std::vector<Check> examine_authority(const config::Settings& settings, const std::string& name, const AskRunning& ask,
                                     UtcTime now) {
    std::vector<Check> all;
    const auto configured = settings.authorities.find(name);
    if (configured != settings.authorities.end() && only_the_unit_has(configured->second)) {
        json::object arguments;
        arguments["name"] = name;
        auto checks = by_the_daemon(settings, ask, "authority.test", arguments);
        all = checks ? std::move(*checks) : cannot_be_looked_at("authority");
    } else {
        all = check_authority(settings, name, now);
    }
    auto state = as_the_daemon_has_it(settings, name, ask);
    all.insert(all.end(), std::make_move_iterator(state.begin()), std::make_move_iterator(state.end()));
    return all;
}

}  // namespace connector::doctor
