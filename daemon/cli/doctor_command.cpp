// doctor: everything that a request would need, one line each.
#include "daemon/doctor/examination.hpp"

#include "config/loader.hpp"
#include "daemon/cli/checks.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/doctor/account.hpp"
#include "daemon/doctor/who_could.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

namespace connector::cli {
namespace json = boost::json;
namespace {

using doctor::Check;
using doctor::Verdict;

std::vector<Check> of_configuration(const std::vector<config::Problem>& found, Verdict verdict) {
    std::vector<Check> checks;
    for (const auto& problem : found) {
        // The two choices have checks of their own.
        if (verdict == Verdict::warning && (problem.key == "recipients.binding" || problem.key == "policy.identity" ||
                                            problem.key == "management.ca_file"))
            continue;
        config::Problem plain = problem;
        plain.hint.clear();
        checks.push_back({"configuration", problem.key.empty() ? "configuration" : problem.key, verdict, plain.text(),
                          problem.hint.empty() ? "mend it; docs/configuration.md has every key" : problem.hint});
    }
    return checks;
}

int with_unusable_configuration(const Invocation& call, const config::Loaded& loaded) {
    const auto checks = of_configuration(loaded.problems, Verdict::fault);
    if (call.json) {
        json::object answer;
        answer["ok"] = false;
        answer["checks"] = doctor::to_json(checks);
        call.terminal.json(answer);
        return k_usage;
    }
    for (const Check& check : checks) show_check(call.terminal, check);
    call.terminal.error(call.config_file.string() + ": " +
                        doctor::count_of(static_cast<std::int64_t>(checks.size()), "error") +
                        " in the configuration; the rest is looked at once it can be read");
    return k_usage;
}

void show_trust(const Invocation& call, const std::vector<doctor::Ability>& abilities) {
    Table table({"who", "could", "", "as things stand", "key"});
    for (const auto& one : abilities) {
        const auto mood = one.power == doctor::Power::none      ? "✓ no"
                          : one.power == doctor::Power::limited ? "! limited"
                                                                : "✗ yes";
        table.add({one.who, one.what, mood, one.because, one.key.empty() ? "-" : one.key});
    }
    table.keep_whole(2);
    table.print_wrapped(call.terminal);
}

struct DoctorOptions {
    bool trust = false;
    config::Need need = config::Need::run;
};

// What the configuration is told of, whatever it is for.
std::vector<Check> of_sound_configuration(const Invocation& call, const config::Loaded& loaded) {
    auto checks = of_configuration(loaded.warnings, Verdict::warning);
    checks.insert(checks.begin(), {"configuration", "configuration", Verdict::good,
                                   call.config_file.string() + ": no error in it", ""});
    return checks;
}

int doctor_for_import(const Invocation& call) {
    const auto loaded = config::load(call.config_file, config::Need::import_tool, config::NamedFiles::left_alone);
    if (!loaded.settings) return with_unusable_configuration(call, loaded);
    auto checks = of_sound_configuration(call, loaded);
    auto found = doctor::examine_import(*loaded.settings, call.environment.now());
    checks.insert(checks.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    return report_checks(call, checks);
}

int run_doctor(const Invocation& call, const DoctorOptions& options) {
    if (options.need == config::Need::import_tool) return doctor_for_import(call);
    const auto loaded = config::load(call.config_file, config::Need::run, config::NamedFiles::left_alone);
    if (!loaded.settings) return with_unusable_configuration(call, loaded);
    const auto abilities = doctor::who_could(*loaded.settings);
    if (options.trust) {
        if (call.json) {
            json::object answer;
            answer["trust"] = doctor::to_json(abilities);
            call.terminal.json(answer);
        } else {
            show_trust(call, abilities);
        }
        return k_done;
    }
    if (const auto looked = doctor::become_owner_of(loaded.settings->storage.directory); !looked)
        return call.fail(looked.error());
    auto checks = of_sound_configuration(call, loaded);
    auto found = doctor::examine(*loaded.settings, call.environment.ask_running, call.environment.now());
    checks.insert(checks.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
    return report_checks(call, checks);
}

}  // namespace

void add_doctor_command(CLI::App& app, Chosen& chosen) {
    auto options = std::make_shared<DoctorOptions>();
    auto* command = add_command(app, "doctor", "tests everything that a request would need, and says what to do",
                                "pfx-connector doctor\npfx-connector doctor --trust\n"
                                "pfx-connector doctor --for import\n"
                                "pfx-connector doctor --json | jq '.checks[] | select(.verdict == \"fault\")'");
    auto* trust = command->add_flag("--trust", options->trust,
                                    "who could do what under this configuration, and by which key that changes");
    add_for_option(*command, options->need)->excludes(trust);
    chosen.on(command, [options](const Invocation& call) { return run_doctor(call, *options); });
}

}  // namespace connector::cli
