#include "daemon/cli/cli.hpp"

#include "daemon/cli/command.hpp"
#include "daemon/cli/manual_commands.hpp"

#include <algorithm>
#include <exception>

namespace connector::cli {
namespace {

constexpr const char* k_footer =
    "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 a check found a fault, 75 try again later.\n"
    "Examples:\n"
    "  pfx-connector check-config --config /etc/pfx-connector/connector.toml\n"
    "  pfx-connector enroll --token-file token.txt\n"
    "  pfx-connector requests list --stage held";

std::string first_line(std::string text) {
    text.erase(std::min(text.find('\n'), text.size()));
    return text;
}

int unknown(const Invocation& call, const std::string& argument) {
    return call.fail_usage("unknown command or option: " + argument + " (see --help)");
}

// A group shows the first example of each of its commands.
void add_group_examples(CLI::App& app) {
    for (CLI::App* group : app.get_subcommands([](const CLI::App*) { return true; })) {
        const auto commands = group->get_subcommands([](const CLI::App* one) { return !one->get_name().empty(); });
        if (commands.empty()) continue;
        add_group_examples(*group);
        std::string footer = "Examples:";
        for (const CLI::App* command : commands) {
            // "Examples:", then one in each line.
            const std::string all = command->get_footer();
            const auto begin = all.find('\n');
            if (begin != std::string::npos) footer += all.substr(begin, all.find('\n', begin + 1) - begin);
        }
        group->footer(footer);
    }
}

}  // namespace

int run_cli(const std::vector<std::string>& arguments, const Environment& environment) {
    Chosen chosen;
    Invocation invocation{environment, Terminal(environment), config::default_file()};
    CLI::App app("The open certificate connector for S/MIME and PFX delivery", "pfx-connector");
    app.fallthrough();
    app.require_subcommand(1);
    app.footer(k_footer);
    app.set_help_all_flag("--help-all", "the help of every command");
    std::string config_file = invocation.config_file.string();
    app.add_option("-c,--config", config_file, "the configuration file")->capture_default_str();
    app.add_flag("--json", invocation.json, "JSON on standard output, for scripts");
    add_daemon_commands(app, chosen);
    add_enroll_commands(app, chosen);
    add_unenroll_command(app, chosen);
    add_doctor_command(app, chosen);
    add_status_commands(app, chosen);
    add_authority_commands(app, chosen);
    add_clock_commands(app, chosen);
    add_audit_commands(app, chosen);
    add_backup_command(app, chosen);
    add_request_commands(app, chosen);
    add_recipient_commands(app, chosen);
    add_delivery_commands(app, chosen);
    add_import_commands(app, chosen);
    add_local_ca_commands(app, chosen);
    add_key_commands(app, chosen);
    add_manual_commands(app, chosen);
    add_group_examples(app);

    try {
        app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    } catch (const CLI::CallForHelp&) {
        // Another command's help would be no answer to who asks for one that is not there.
        if (const auto left = app.remaining(true); !left.empty()) return unknown(invocation, left.front());
        const CLI::App* asked = &app;
        for (auto inner = asked->get_subcommands(); !inner.empty(); inner = asked->get_subcommands())
            asked = inner.back();
        invocation.terminal.prose(asked->help());
        return k_done;
    } catch (const CLI::CallForAllHelp&) {
        invocation.terminal.prose(app.help("", CLI::AppFormatMode::All));
        return k_done;
    } catch (const CLI::RequiredError& fault) {
        // What was left over explains better why a command is missing than that it is.
        const auto left = app.remaining(true);
        if (!left.empty()) return unknown(invocation, left.front());
        invocation.terminal.error(first_line(fault.what()) + " (see --help)");
        return k_usage;
    } catch (const CLI::ParseError& fault) {
        invocation.terminal.error(first_line(fault.what()) + " (see --help)");
        return k_usage;
    }
    invocation.config_file = config_file;
    try {
        return chosen.action() ? chosen.action()(invocation) : k_usage;
    } catch (const std::exception& fault) {
        invocation.terminal.error(std::string("internal: ") + fault.what());
        return k_failed;
    }
}

std::optional<config::Settings> Invocation::settings(config::Need need, std::string_view event_id) const {
    auto loaded = config::load(config_file, need);
    if (loaded.settings) return std::move(loaded.settings);
    std::string text = event_id.empty() ? std::string() : std::string(event_id) + " ";
    if (loaded.problems.empty()) {
        terminal.error(text + config_file.string() + ": cannot be read");
        return std::nullopt;
    }
    text += loaded.problems.front().text();
    if (loaded.problems.size() > 1)
        text += " (and " + std::to_string(loaded.problems.size() - 1) + " more: pfx-connector check-config)";
    terminal.error(text);
    return std::nullopt;
}

int exit_code_of(ErrorKind kind) noexcept {
    switch (kind) {
        case ErrorKind::misconfigured: return k_usage;
        case ErrorKind::throttled:
        case ErrorKind::unavailable:
        case ErrorKind::timed_out: return k_try_later;
        case ErrorKind::invalid:
        case ErrorKind::refused:
        case ErrorKind::unauthorized:
        case ErrorKind::unknown:
        case ErrorKind::cancelled:
        case ErrorKind::integrity:
        case ErrorKind::conflict:
        case ErrorKind::internal: return k_failed;
    }
    return k_failed;
}

int Invocation::fail(const Error& error) const {
    terminal.error(error.message);
    return exit_code_of(error.kind);
}

int Invocation::fail_usage(std::string_view message) const {
    terminal.error(message);
    return k_usage;
}

CLI::App* add_group(CLI::App& parent, const std::string& name, const std::string& description) {
    CLI::App* group = parent.add_subcommand(name, description);
    group->require_subcommand(1);
    return group;
}

CLI::App* add_command(CLI::App& parent, const std::string& name, const std::string& description,
                      const std::string& examples) {
    CLI::App* command = parent.add_subcommand(name, description);
    if (!examples.empty()) {
        std::string footer = "Examples:\n  ";
        for (const char character : examples)
            footer += character == '\n' ? std::string("\n  ") : std::string(1, character);
        command->footer(footer);
    }
    return command;
}

CLI::Option* add_for_option(CLI::App& command, config::Need& need) {
    return command
        .add_option_function<std::string>(
            "--for",
            [&need](const std::string& program) {
                need = program == "import" ? config::Need::import_tool : config::Need::run;
            },
            "run: the daemon (default); import: a machine that only imports, where the rest is not looked at")
        ->check(CLI::IsMember({"run", "import"}));
}

}  // namespace connector::cli
