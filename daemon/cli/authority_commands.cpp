// authority: the certification authorities, as the daemon has them and as they answer now.
#include "config/loader.hpp"
#include "daemon/cli/checks.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/doctor/account.hpp"
#include "daemon/doctor/examination.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

const std::vector<Column>& columns() {
    static const std::vector<Column> columns{{"name", {"name"}},
                                             {"type", {"type"}},
                                             {"state", {"state"}},
                                             {"since", {"since"}, Shown::moment},
                                             {"in flight", {"inFlight"}},
                                             {"last success", {"lastSuccessAt"}, Shown::moment},
                                             {"parked until", {"parkedUntil"}, Shown::moment}};
    return columns;
}

// Without a daemon nobody knows how they are.
json::value configured(const config::Settings& settings) {
    json::array rows;
    for (const auto& [name, authority] : settings.authorities) {
        json::object row;
        row["name"] = name;
        row["type"] = json::string(config::to_string(authority.type));
        row["state"] = "unknown";
        row["since"] = nullptr;
        row["inFlight"] = 0;
        row["concurrency"] = authority.concurrency;
        row["lastSuccessAt"] = nullptr;
        row["parkedUntil"] = nullptr;
        rows.push_back(std::move(row));
    }
    json::object answer;
    answer["authorities"] = std::move(rows);
    return answer;
}

int list_authorities(const Invocation& call) {
    const auto control = call.settings(config::Need::control);
    if (!control) return k_usage;
    const auto told = call.environment.ask_running(*control, "authority.list", {});
    json::value answer;
    if (told) {
        if (told->exit_code != k_done) {
            call.terminal.error(told->error);
            return told->exit_code;
        }
        answer = told->result;
    } else {
        const auto settings = call.settings(config::Need::local_ca);
        if (!settings) return k_usage;
        answer = configured(*settings);
    }
    if (call.json) {
        call.terminal.json(answer);
        return k_done;
    }
    if (const auto* rows = list_in(answer, "authorities"))
        show_table(call.terminal, *rows, columns(), "no authority is configured");
    if (!told) call.terminal.line("the daemon does not run: whether they work is not known");
    return k_done;
}

int test(const Invocation& call, const std::string& name) {
    const auto loaded = config::load(call.config_file, config::Need::run, config::NamedFiles::left_alone);
    if (!loaded.settings) {
        call.terminal.error((loaded.problems.empty() ? call.config_file.string() + ": cannot be read"
                                                     : loaded.problems.front().text()) +
                            " (pfx-connector check-config has all)");
        return k_usage;
    }
    const auto& settings = *loaded.settings;
    if (!settings.authorities.contains(name)) {
        std::string known;
        for (const auto& [each, authority] : settings.authorities) known += (known.empty() ? "" : ", ") + each;
        return call.fail_usage("no [authority." + name + "] is configured; there " +
                               (known.empty() ? "is none" : "are: " + known));
    }
    if (const auto looked = doctor::become_owner_of(settings.storage.directory); !looked)
        return call.fail(looked.error());
    return report_checks(
        call, doctor::examine_authority(settings, name, call.environment.ask_running, call.environment.now()));
}

int resume(const Invocation& call, const std::string& name) {
    const auto settings = call.settings(config::Need::control);
    if (!settings) return k_usage;
    json::object arguments;
    arguments["name"] = name;
    const auto told = call.environment.ask_running(*settings, "authority.resume", arguments);
    if (!told) {
        call.terminal.error("no daemon runs: nothing is parked, each start asks every authority anew");
        return k_failed;
    }
    if (told->exit_code != k_done) {
        call.terminal.error(told->error.empty() ? "authority resume: failed" : told->error);
        return told->exit_code;
    }
    if (call.json) {
        call.terminal.json(told->result);
        return k_done;
    }
    const auto* object = told->result.if_object();
    const auto* due = object == nullptr ? nullptr : object->if_contains("dueNow");
    call.terminal.line("authority " + name + ": resumed; the next request asks it" +
                       (due != nullptr && due->is_number() && due->to_number<std::uint64_t>() != 0
                            ? ", " + scalar_text(*due) + " that had tried are due now"
                            : std::string()));
    return k_done;
}

}  // namespace

void add_authority_commands(CLI::App& app, Chosen& chosen) {
    auto* group = add_group(app, "authority", "the certification authorities");
    chosen.on(
        add_command(*group, "list",
                    "each one's type and state, calls under way, last success, until when it is left alone",
                    "pfx-connector authority list\n"
                    "pfx-connector authority list --json | jq -r '.authorities[] | select(.state != \"up\") | .name'"),
        list_authorities);

    auto tested = std::make_shared<std::string>();
    auto* testing = add_command(
        *group, "test",
        "asks one now what doctor asks them all: reachable, credential, templates, dry run; exit 3 for a fault",
        "pfx-connector authority test corp");
    testing->add_option("NAME", *tested, "of [authority.NAME]")->required();
    chosen.on(testing, [tested](const Invocation& call) { return test(call, *tested); });

    auto resumed = std::make_shared<std::string>();
    auto* resuming = add_command(*group, "resume", "lets one that is parked or down be asked again at once; audited",
                                 "pfx-connector authority resume corp");
    resuming->add_option("NAME", *resumed, "of [authority.NAME]")->required();
    chosen.on(resuming, [resumed](const Invocation& call) { return resume(call, *resumed); });
}

}  // namespace connector::cli
