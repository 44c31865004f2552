// What a command is made of: its place in the tree, its options, and the action that the parser chooses.
// Main thread.
#pragma once

#include "config/loader.hpp"
#include "core/error.hpp"
#include "daemon/cli/terminal.hpp"

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace connector::cli {

// One call of the program, its global options read.
struct Invocation {
    const Environment& environment;
    Terminal terminal;
    std::filesystem::path config_file;
    bool json = false;

    // Nullopt: the first problem stands on standard error, led by `event_id`; the command ends with k_usage.
    [[nodiscard]] std::optional<config::Settings> settings(config::Need need, std::string_view event_id = {}) const;
    // The error's line on standard error, and the exit code that its kind has.
    [[nodiscard]] int fail(const Error& error) const;
    [[nodiscard]] int fail_usage(std::string_view message) const;
};
[[nodiscard]] int exit_code_of(ErrorKind kind) noexcept;

using Action = std::function<int(const Invocation&)>;

// The command that the arguments named. Options live as long as their action.
class Chosen {
public:
    void on(CLI::App* command, Action action) {
        command->callback([this, action = std::move(action)] { action_ = action; });
    }
    [[nodiscard]] const Action& action() const noexcept { return action_; }

private:
    Action action_;
};

// A group that needs one of its commands, and a command in it; `examples`: one in each line.
[[nodiscard]] CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& description);
[[nodiscard]] CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description,
                                    const std::string& examples);

// --for run|import: which program the configuration is for. A workstation that only imports has a small one.
CLI::Option* add_for_option(CLI::App& command, config::Need& need);

// Each in a file of its own.
void add_daemon_commands(CLI::App& app, Chosen& chosen);               // run, check-config, config, version, explain
void add_status_commands(CLI::App& app, Chosen& chosen);               // status, limits, issued
void add_doctor_command(CLI::App& app, Chosen& chosen);                // doctor
void add_authority_commands(CLI::App& app, Chosen& chosen);            // authority
void add_clock_commands(CLI::App& app, Chosen& chosen);                // clock
void add_audit_commands(CLI::App& app, Chosen& chosen);                // audit
void add_backup_command(CLI::App& app, Chosen& chosen);                // backup
void add_request_commands(CLI::App& app, Chosen& chosen);              // requests
void add_recipient_commands(CLI::App& app, Chosen& chosen);            // recipients
void add_delivery_commands(CLI::App& app, Chosen& chosen);             // deliveries
void add_enroll_commands(CLI::App& app, Chosen& chosen);               // enroll
void add_unenroll_command(CLI::App& app, Chosen& chosen);              // unenroll
void add_key_commands(CLI::App& app, Chosen& chosen);                  // sealing, delivery-key
void add_local_ca_commands(CLI::App& app, Chosen& chosen);             // local-ca
void add_import_commands(CLI::App& app, Chosen& chosen);               // import add, list, remove
void add_import_key_commands(CLI::App& import_group, Chosen& chosen);  // import key
void add_import_add_command(CLI::App& import_group, Chosen& chosen);   // import add

}  // namespace connector::cli
