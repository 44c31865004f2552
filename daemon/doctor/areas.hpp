// What `doctor` looks at, one function for each area and one file for each function. None of them changes anything, and
// none needs the daemon to stand still. Blocking; one thread.
#pragma once

#include "config/loader.hpp"
#include "core/time.hpp"
#include "daemon/doctor/check.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace connector::doctor {

// The daemon, as far as it can be told from outside.
struct Daemon {
    enum class State { none, answers, silent, forbidden };
    State state = State::none;
    int holder = 0;              // process id, where the state directory is held
    std::string complaint;       // where it is silent or forbidden
    boost::json::object status;  // where it answers

    [[nodiscard]] bool has_state() const noexcept { return holder != 0 || state == State::answers; }
};

// Modes and owners of what the configuration names, judged for the account that runs the daemon: the owner of the state
// directory.
[[nodiscard]] std::vector<Check> check_files(const config::Settings& settings);
// The database beside whoever has it, whether the sealing key is its key, and room on the disks.
[[nodiscard]] std::vector<Check> check_database(const config::Settings& settings, const Daemon& daemon, UtcTime now);
// The import keys: a password wrapped under the public half and unwrapped again.
[[nodiscard]] std::vector<Check> check_import_keys(const config::Settings& settings);
// The connector's certificate, the delivery certificate, the importers'.
[[nodiscard]] std::vector<Check> check_certificates(const config::Settings& settings, UtcTime now);
// Name, connection, TLS, credential, clock: by one call that changes nothing.
[[nodiscard]] std::vector<Check> check_service(const config::Settings& settings, UtcTime now);
// For the importing tool, which needs no connector: its own hand, as it signs records.
[[nodiscard]] std::vector<Check> check_importer(const config::Settings& settings, UtcTime now);
// The same: name, connection, TLS, token, clock, by one call that changes nothing.
[[nodiscard]] std::vector<Check> check_store(const config::Settings& settings, UtcTime now);
// Each authority: it opens, its templates, and a certificate signed for nobody and stored nowhere.
[[nodiscard]] std::vector<Check> check_authorities(const config::Settings& settings, UtcTime now);
// The same of one that is configured.
[[nodiscard]] std::vector<Check> check_authority(const config::Settings& settings, const std::string& name,
                                                 UtcTime now);
// The directory, where the configuration asks one: each address reached, signed in, a person found.
[[nodiscard]] std::vector<Check> check_directory(const config::Settings& settings);
// The mail server of [notify], where there is one.
[[nodiscard]] std::vector<Check> check_mail(const config::Settings& settings);
// Whom the configuration believes; the device authorities against our own.
[[nodiscard]] std::vector<Check> check_trust(const config::Settings& settings, UtcTime now);
// The device authorities' revocation lists, where any are named: each read or fetched, each authority covered.
[[nodiscard]] std::vector<Check> check_revocation(const config::Settings& settings, UtcTime now);
// Control socket, health port, and a configuration that is newer than the daemon.
[[nodiscard]] std::vector<Check> check_daemon(const config::Settings& settings, const Daemon& daemon);

// The areas that need secrets which only the daemon may be able to read (credentials of its unit): it makes them itself
// where it answers, and `doctor` where it does not.
[[nodiscard]] std::vector<Check> check_with_secrets(const config::Settings& settings, UtcTime now);

// A member of the daemon's answer; "" where it is not there or no text.
[[nodiscard]] inline std::string text_of(const boost::json::object& row, std::string_view name) {
    const auto* found = row.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

// Pure parts, apart for tests.
// Free room for what is called `what`, out of `total`, in octets.
void judge_room(Checks& checks, const std::string& what, const std::string& path, std::uint64_t free,
                std::uint64_t total);
// This machine's clock against the newest time that the database has seen.
void judge_newest(Checks& checks, UtcTime now, UtcTime newest);
// Our clock against the service's, at the same moment.
void judge_clock(Checks& checks, UtcTime ours, UtcTime theirs);
// A certificate's life. `renew`: what mends it.
void judge_life(Checks& checks, const std::string& name, const std::string& subject, UtcTime not_before,
                UtcTime not_after, UtcTime now, const std::string& renew);

}  // namespace connector::doctor
