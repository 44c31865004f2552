// run, check-config, config, version, explain: the program and its configuration.
#include "config/loader.hpp"
#include "config/table.hpp"
#include "core/event_catalogue.hpp"
#include "core/event_ids.hpp"
#include "core/events.hpp"
#include "core/text.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/version.hpp>

#include <algorithm>

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

json::object to_json(const EventDefinition& event) {
    json::object row;
    row["id"] = json::string(event.id);
    row["severity"] = json::string(to_string(event.severity));
    row["audited"] = event.audited;
    row["headline"] = json::string(event.headline);
    row["meaning"] = json::string(event.meaning);
    row["action"] = json::string(event.action);
    const auto feature = not_raised_before(event.id);
    row["notBuilt"] = feature.empty() ? json::value(nullptr) : json::value(json::string(feature));
    return row;
}

json::value to_json(const config::Key& key) {
    json::object row;
    row["section"] = json::string(key.section);
    row["key"] = json::string(key.name);
    row["form"] = config::expected_form(key);
    row["default"] = key.default_value.empty() ? json::value(nullptr) : json::value(json::string(key.default_value));
    row["neededBy"] = key.needed_by.empty() ? json::value(nullptr) : json::value(json::string(key.needed_by));
    row["built"] = key.built;
    row["description"] = json::string(key.description);
    return row;
}

// A text of ours of several lines, for people or for scripts.
int tell(const Invocation& call, std::string_view text) {
    if (!call.json) {
        call.terminal.lines(text);
        return k_done;
    }
    json::array lines;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        lines.push_back(json::value(json::string(text.substr(0, end))));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    json::object answer;
    answer["lines"] = std::move(lines);
    call.terminal.json(answer);
    return k_done;
}

int manual(const Invocation& call) {
    if (!call.json) return tell(call, config::manual_markdown());
    json::array rows;
    for (const config::Key& key : config::keys()) rows.push_back(to_json(key));
    json::object answer;
    answer["keys"] = std::move(rows);
    call.terminal.json(answer);
    return k_done;
}

int explain_all(const Invocation& call) {
    if (!call.json) return tell(call, catalogue_markdown());
    json::array rows;
    for (const EventDefinition& event : event_catalogue()) rows.push_back(to_json(event));
    json::object answer;
    answer["events"] = std::move(rows);
    call.terminal.json(answer);
    return k_done;
}

int explain(const Invocation& call, const std::string& subject) {
    if (ascii_equal(subject, "pkcs12")) return tell(call, k_about_pkcs12);
    if (ascii_equal(subject, "events")) return explain_all(call);
    const EventDefinition* found = find_event(subject);
    if (found == nullptr)
        return call.fail(
            Error(ErrorKind::invalid, "unknownEvent",
                  "no event \"" + subject + "\"; ids look like PKCS-1050; \"pkcs12\" and \"events\" are pages too"));
    if (call.json) {
        call.terminal.json(to_json(*found));
        return k_done;
    }
    call.terminal.heading(std::string(found->id) + "  " + std::string(found->headline));
    call.terminal.field("severity", std::string(to_string(found->severity)) + (found->audited ? ", audited" : ""));
    call.terminal.line("");
    call.terminal.paragraph(found->meaning);
    call.terminal.line("");
    call.terminal.heading("What to do");
    call.terminal.paragraph(found->action);
    if (const auto feature = not_raised_before(found->id); !feature.empty()) {
        call.terminal.line("");
        call.terminal.paragraph("Not raised yet: " + std::string(feature) + " is not built.");
    }
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
        const auto settings = call.settings(config::Need::run, event::k_configuration_problem);
        return settings ? call.environment.run_daemon(*settings, *accept_restore) : k_usage;
    });

    auto* check = add_command(app, "check-config", "all errors of the configuration, with file, line and column",
                              "pfx-connector check-config --config connector.toml");
    chosen.on(check, check_config);

    auto* config_group = add_group(app, "config", "an example of the configuration, and its manual");
    auto* example = add_command(*config_group, "example", "a configuration to begin with",
                                "pfx-connector config example > connector.toml");
    chosen.on(example, [](const Invocation& call) { return tell(call, config::example_toml()); });
    auto* manual_command = add_command(*config_group, "manual", "every key: type, default, meaning (Markdown)",
                                       "pfx-connector config manual | less");
    chosen.on(manual_command, manual);

    auto subject = std::make_shared<std::string>();
    auto* explaining = add_command(app, "explain", "what an event means, and what to do",
                                   "pfx-connector explain PKCS-1050\npfx-connector explain pkcs12");
    explaining->add_option("EVENT", *subject, "an event's id, pkcs12, or events for all of them")->required();
    chosen.on(explaining, [subject](const Invocation& call) { return explain(call, *subject); });

    chosen.on(
        add_command(app, "version", "the program's version", "pfx-connector version\npfx-connector version --json"),
        version);
}

}  // namespace connector::cli
