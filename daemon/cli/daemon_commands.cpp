// run, check-config, config, version, explain: the program and its configuration.
#include "config/credentials.hpp"
#include "config/loader.hpp"
#include "config/table.hpp"
#include "core/event_catalogue.hpp"
#include "core/event_ids.hpp"
#include "core/events.hpp"
#include "core/text.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/result_codes.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/keys/load.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/version.hpp>

#include <algorithm>
#include <tuple>

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

bool is_ours_to_read(const config::SecretRef& secret) {
    return secret.source == config::SecretRef::Source::file &&
           config::check_secret_file(secret.path, config::OwnerRule::us_or_root).has_value();
}

// What `run` would find in the key files, which the loader only looks at from outside.
void look_into_import_keys(config::Loaded& loaded) {
    constexpr unsigned k_least_bits = 2048;
    for (auto& [place, key] : loaded.import_keys) {
        // Whose mode is wrong has been told, and what belongs to the daemon's account is for it to read (`doctor`).
        if (!is_ours_to_read(key.key) || (key.passphrase && !is_ours_to_read(*key.passphrase))) continue;
        config::Problem problem = place;
        problem.hint = "pfx-connector import key create NAME makes one";
        const auto opened = keys::load_private_key(key.key, key.passphrase);
        if (!opened)
            problem.message = opened.error().message;
        else if (opened->facts().algorithm != KeyAlgorithm::rsa || opened->facts().bits < k_least_bits)
            problem.message = key.key.path.string() +
                              " holds another kind of key; an import key is RSA of 2048 bits or "
                              "more";
        else
            continue;
        loaded.problems.push_back(std::move(problem));
        loaded.settings.reset();
    }
    std::stable_sort(loaded.problems.begin(), loaded.problems.end(), [](const auto& left, const auto& right) {
        return std::tie(left.line, left.column) < std::tie(right.line, right.column);
    });
}

int check_config(const Invocation& call, config::Need need) {
    auto loaded = config::load(call.config_file, need);
    // Where only is imported the public half is enough.
    if (need == config::Need::run) look_into_import_keys(loaded);
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

// A text of ours of several lines, for people or for scripts. A configuration is left as it is: it may be copied.
enum class Wide { as_it_is, wrapped };
int tell(const Invocation& call, std::string_view text, Wide wide = Wide::wrapped) {
    if (!call.json) {
        if (wide == Wide::wrapped)
            call.terminal.prose(text);
        else
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

int explain_codes(const Invocation& call) {
    if (call.json) {
        json::array rows;
        for (const ResultCode& code : result_codes()) rows.push_back(json::value(json::string(code.code)));
        call.terminal.json(json::object{{"codes", std::move(rows)}});
        return k_done;
    }
    Table table({"code", "what it means"});
    for (const ResultCode& code : result_codes()) table.add({std::string(code.code), std::string(code.meaning)});
    table.print_wrapped(call.terminal);
    return k_done;
}

// A pipe gets the manual's page; on a terminal its table would be as wide as a sheet.
int explain_all(const Invocation& call) {
    if (!call.json && !call.environment.terminal) return tell(call, catalogue_markdown());
    if (!call.json) {
        Table table({"event", "severity", "what happened"});
        for (const EventDefinition& event : event_catalogue())
            table.add({std::string(event.id), std::string(to_string(event.severity)), std::string(event.headline)});
        table.print_wrapped(call.terminal);
        call.terminal.line("");
        call.terminal.paragraph("pfx-connector explain ID says what one means, and what to do.");
        return k_done;
    }
    json::array rows;
    for (const EventDefinition& event : event_catalogue()) rows.push_back(to_json(event));
    json::object answer;
    answer["events"] = std::move(rows);
    call.terminal.json(answer);
    return k_done;
}

int explain_code(const Invocation& call, const ResultCode& code) {
    if (call.json) {
        json::object row;
        row["code"] = json::string(code.code);
        row["meaning"] = json::string(code.meaning);
        row["orderAgain"] = json::string(code.again);
        row["action"] = json::string(code.action);
        call.terminal.json(row);
        return k_done;
    }
    call.terminal.heading(code.code);
    call.terminal.paragraph(code.meaning);
    call.terminal.line("");
    call.terminal.heading("What to do");
    call.terminal.paragraph(code.action);
    call.terminal.line("");
    call.terminal.paragraph("Worth ordering again as it is: " + std::string(code.again) + ".");
    return k_done;
}

int explain(const Invocation& call, const std::string& subject) {
    if (ascii_equal(subject, "pkcs12")) return tell(call, k_about_pkcs12);
    if (ascii_equal(subject, "events")) return explain_all(call);
    if (ascii_equal(subject, "codes")) return explain_codes(call);
    if (const ResultCode* code = find_result_code(subject)) return explain_code(call, *code);
    const EventDefinition* found = find_event(subject);
    if (found == nullptr)
        return call.fail(
            Error(ErrorKind::invalid, "unknownEvent",
                  "no event or result code \"" + subject +
                      "\"; events look like PKCS-1050, result codes like importInvalid; \"events\", \"codes\" and "
                      "\"pkcs12\" are pages too"));
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
    run->add_flag("--accept-restore", *accept_restore,
                  "the database is right as it is: a restored copy (STO-8008), or edited (STO-8004)");
    chosen.on(run, [accept_restore](const Invocation& call) -> int {
        const auto settings = call.settings(config::Need::run, event::k_configuration_problem);
        return settings ? call.environment.run_daemon(*settings, *accept_restore) : k_usage;
    });

    auto* check = add_command(app, "check-config", "all errors of the configuration, with file, line and column",
                              "pfx-connector check-config --config connector.toml\n"
                              "pfx-connector check-config --config workstation.toml --for import");
    auto need = std::make_shared<config::Need>(config::Need::run);
    add_for_option(*check, *need);
    chosen.on(check, [need](const Invocation& call) { return check_config(call, *need); });

    auto* config_group = add_group(app, "config", "an example of the configuration, and its manual");
    auto* example = add_command(*config_group, "example", "a configuration to begin with",
                                "pfx-connector config example > connector.toml");
    chosen.on(example, [](const Invocation& call) { return tell(call, config::example_toml(), Wide::as_it_is); });
    auto* manual_command = add_command(*config_group, "manual", "every key: type, default, meaning (Markdown)",
                                       "pfx-connector config manual | less");
    chosen.on(manual_command, manual);

    auto subject = std::make_shared<std::string>();
    auto* explaining = add_command(app, "explain", "what an event or a result code means, and what to do",
                                   "pfx-connector explain PKCS-1050\npfx-connector explain importInvalid\n"
                                   "pfx-connector explain pkcs12");
    explaining
        ->add_option(
            "EVENT", *subject,
            "an event's id (PKCS-1050), a result code (importInvalid), or one of the pages events, codes, pkcs12")
        ->required();
    chosen.on(explaining, [subject](const Invocation& call) { return explain(call, *subject); });

    chosen.on(
        add_command(app, "version", "the program's version", "pfx-connector version\npfx-connector version --json"),
        version);
}

}  // namespace connector::cli
