// run, check-config, config, version, explain: the program and its configuration.
#include "config/loader.hpp"
#include "config/table.hpp"
#include "core/event_catalogue.hpp"
#include "core/events.hpp"
#include "core/text.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/version.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

constexpr std::string_view k_about_pkcs12 =
    "How a PFX is written (PKCS#12, RFC 7292)\n"
    "\n"
    "aes256      keys and certificates under PBES2 with AES-256-CBC and PBKDF2-HMAC-SHA-256, MAC SHA-256.\n"
    "            Read by iOS 18 and macOS 15, Android 14, Windows 10 1709, Windows Server 2019 and later.\n"
    "legacy3des  pbeWithSHA1And3-KeyTripleDES-CBC, MAC SHA-1. Read by everything; chosen only for what cannot\n"
    "            read aes256, and never with [delivery] pkcs12_legacy = \"never\".\n"
    "auto        by the device's platform and version.\n"
    "\n"
    "In both cases the password is 32 random characters (190 bits), used once, and the PFX itself travels\n"
    "encrypted to the device. RC2 is opened where an imported file has it, with a warning, and never written.";

json::value to_json(const config::Problem& problem) {
    json::object row;
    row["file"] = problem.file;
    row["line"] = problem.line;
    row["column"] = problem.column;
    row["key"] = problem.key;
    row["message"] = problem.message;
    row["hint"] = problem.hint;
    return row;
}

int check_config(const Invocation& call) {
    const auto loaded = config::load(call.config_file, config::Need::run);
    if (call.json) {
        json::object answer;
        json::array problems;
        for (const auto& problem : loaded.problems) problems.push_back(to_json(problem));
        json::array warnings;
        for (const auto& warning : loaded.warnings) warnings.push_back(to_json(warning));
        answer["ok"] = loaded.ok();
        answer["problems"] = std::move(problems);
        answer["warnings"] = std::move(warnings);
        call.terminal.json(answer);
        return loaded.ok() ? k_done : k_usage;
    }
    // Without the program's name in front: editors jump to file:line:column.
    for (const auto& problem : loaded.problems) call.terminal.problem(problem.text());
    for (const auto& warning : loaded.warnings) call.terminal.problem("warning: " + warning.text());
    if (!loaded.ok()) return k_usage;
    call.terminal.line(call.config_file.string() + ": no fault found");
    return k_done;
}

int explain(const Invocation& call, const std::string& subject) {
    if (ascii_equal(subject, "pkcs12")) {
        call.terminal.lines(k_about_pkcs12);
        return k_done;
    }
    if (ascii_equal(subject, "events")) {
        call.terminal.lines(catalogue_markdown());
        return k_done;
    }
    const EventDefinition* found = find_event(subject);
    if (found == nullptr)
        return call.fail(
            Error(ErrorKind::invalid, "unknownEvent",
                  "no event \"" + subject + "\"; ids look like PKCS-1050; \"pkcs12\" and \"events\" are pages too"));
    if (call.json) {
        json::object answer;
        answer["id"] = json::string(found->id);
        answer["severity"] = json::string(to_string(found->severity));
        answer["audited"] = found->audited;
        answer["headline"] = json::string(found->headline);
        answer["meaning"] = json::string(found->meaning);
        answer["action"] = json::string(found->action);
        call.terminal.json(answer);
        return k_done;
    }
    call.terminal.heading(std::string(found->id) + "  " + std::string(found->headline));
    call.terminal.field("severity", std::string(to_string(found->severity)) + (found->audited ? ", audited" : ""));
    call.terminal.line("");
    call.terminal.paragraph(found->meaning);
    call.terminal.line("");
    call.terminal.heading("What to do");
    call.terminal.paragraph(found->action);
    return k_done;
}

int version(const Invocation& call) {
    if (call.json) {
        json::object answer;
        answer["name"] = "pfx-connector";
        answer["version"] = CONNECTOR_VERSION;
        answer["compiler"] = __VERSION__;
        answer["boost"] = BOOST_LIB_VERSION;
        call.terminal.json(answer);
        return k_done;
    }
    call.terminal.line("pfx-connector " CONNECTOR_VERSION);
    return k_done;
}

}  // namespace

void add_daemon_commands(CLI::App& app, Chosen& chosen) {
    auto accept_restore = std::make_shared<bool>(false);
    auto* run = add_command(app, "run", "the daemon, in the foreground", "pfx-connector run --config connector.toml");
    run->add_flag("--accept-restore", *accept_restore, "the database is a restored copy, and the right one (STO-8008)");
    chosen.on(run, [accept_restore](const Invocation& call) -> int {
        const auto settings = call.settings(config::Need::run);
        return settings ? call.environment.run_daemon(*settings, *accept_restore) : k_usage;
    });

    auto* check = add_command(app, "check-config", "all errors of the configuration, with file, line and column",
                              "pfx-connector check-config --config connector.toml");
    chosen.on(check, check_config);

    auto* config_group = add_group(app, "config", "an example of the configuration, and its manual");
    auto* example = add_command(*config_group, "example", "a configuration to begin with",
                                "pfx-connector config example > connector.toml");
    chosen.on(example, [](const Invocation& call) {
        call.terminal.lines(config::example_toml());
        return k_done;
    });
    auto* manual = add_command(*config_group, "manual", "every key: type, default, meaning (Markdown)", "");
    chosen.on(manual, [](const Invocation& call) {
        call.terminal.lines(config::manual_markdown());
        return k_done;
    });

    auto subject = std::make_shared<std::string>();
    auto* explaining = add_command(app, "explain", "what an event means, and what to do",
                                   "pfx-connector explain PKCS-1050\npfx-connector explain pkcs12");
    explaining->add_option("EVENT", *subject, "an event's id, pkcs12, or events for all of them")->required();
    chosen.on(explaining, [subject](const Invocation& call) { return explain(call, *subject); });

    chosen.on(add_command(app, "version", "the program's version", ""), version);
}

}  // namespace connector::cli
