// status, limits, issued: what the daemon has done and is doing.
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/cli/watch.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdlib>

namespace connector::cli {
namespace json = boost::json;
namespace {

const std::vector<Column>& issued_columns() {
    static const std::vector<Column> columns{{"serial", {"serialNumber"}},
                                             {"authority", {"authority"}},
                                             {"user", {"user"}},
                                             {"device", {"device"}},
                                             {"not after", {"notAfter"}, Shown::date},
                                             {"revoked", {"revokedAt"}, Shown::date}};
    return columns;
}
const std::vector<Column>& limit_columns() {
    static const std::vector<Column> columns{
        {"limit", {"limit"}},       {"used", {"used"}},       {"max (0 = none)", {"max"}},
        {"above, held", {"above"}}, {"tripped", {"tripped"}}, {"raised until", {"raisedUntil"}, Shown::moment}};
    return columns;
}
const std::vector<Column>& stop_columns() {
    static const std::vector<Column> columns{{"stopped", {"kind"}},
                                             {"by", {"by", "cause"}},
                                             {"limit", {"limit"}},
                                             {"since", {"since"}, Shown::moment},
                                             {"why", {"reason"}}};
    return columns;
}

void show_stops(const Invocation& call, const json::value& answer, std::string_view nothing) {
    if (const auto* rows = list_in(answer, "stops")) show_table(call.terminal, *rows, stop_columns(), nothing);
}

// NAME=N; the daemon knows which names there are.
std::string a_raise(const std::string& text) {
    const auto equals = text.find('=');
    const bool good = equals != std::string::npos && equals != 0 && equals + 1 < text.size() &&
                      text.find_first_not_of("0123456789", equals + 1) == std::string::npos && text.size() < 64;
    return good ? "" : "a limit and its new number: issue_per_hour=500";
}

struct RaiseOptions {
    std::string what;
    std::string lasts;
    std::string reason;
};

int raise(const Invocation& call, const RaiseOptions& options) {
    const auto equals = options.what.find('=');
    json::object arguments;
    arguments["limit"] = options.what.substr(0, equals);
    arguments["to"] = std::strtoll(options.what.c_str() + equals + 1, nullptr, 10);
    arguments["for"] = options.lasts;
    arguments["reason"] = options.reason;
    return ask(call, "limits.raise", arguments, [&call](const json::value& answer) {
        show_fields(call.terminal, answer);
        const auto* rows = list_in(answer, "stops");
        if (rows != nullptr && !rows->empty()) call.terminal.line("still stopped; `pfx-connector thaw` lets it go on");
    });
}

struct StopOptions {
    std::vector<std::string> kinds;
    std::string reason;
};

json::object stop_arguments(const StopOptions& options) {
    json::object arguments;
    json::array kinds;
    for (const auto& kind : options.kinds) kinds.push_back(json::value(kind));
    arguments["kinds"] = std::move(kinds);
    arguments["reason"] = options.reason;
    return arguments;
}

void add_stop_commands(CLI::App& app, Chosen& chosen) {
    auto freezing = std::make_shared<StopOptions>();
    auto* freeze =
        add_command(app, "freeze", "the red button: nothing is leased, opened, ordered, revoked or sent from now on",
                    "pfx-connector freeze\npfx-connector freeze pfx.deliver --reason \"who ordered all this?\"");
    freeze->add_option("KIND", freezing->kinds, "pkcs.issue, pfx.deliver, certificate.revoke, …; without any: all");
    freeze->add_option("--reason", freezing->reason, "for the audit log");
    chosen.on(freeze, [freezing](const Invocation& call) {
        return ask(call, "freeze", stop_arguments(*freezing),
                   [&call](const json::value& answer) { show_stops(call, answer, ""); });
    });
    auto thawing = std::make_shared<StopOptions>();
    auto* thaw = add_command(app, "thaw", "lets go on what `freeze` or a limit has stopped",
                             "pfx-connector limits show\npfx-connector thaw");
    thaw->add_option("KIND", thawing->kinds, "without any: all");
    chosen.on(thaw, [thawing](const Invocation& call) {
        return ask(call, "thaw", stop_arguments(*thawing),
                   [&call](const json::value& answer) { show_stops(call, answer, "nothing is stopped"); });
    });
}

}  // namespace

void add_status_commands(CLI::App& app, Chosen& chosen) {
    auto* status = add_command(app, "status", "the daemon's state, queues, authorities, limits, what is held",
                               "pfx-connector status\npfx-connector status --json | jq .queue\n"
                               "pfx-connector status --watch\n"
                               "pfx-connector status --watch --json | jq -c '{status, held}'");
    auto watch = std::make_shared<bool>(false);
    auto interval = std::make_shared<unsigned>(2);
    status->add_flag("--watch", *watch,
                     "again and again until Ctrl-C: redrawn on a terminal, each change a block in a pipe");
    status->add_option("--interval", *interval, "seconds between two looks of --watch")
        ->check(CLI::Range(1, 3600))
        ->capture_default_str();
    chosen.on(status, [watch, interval](const Invocation& call) {
        const auto show = [&call](const json::value& answer) { show_fields(call.terminal, answer); };
        if (!*watch) return ask(call, "status", {}, show);
        const auto settings = call.settings(config::Need::control);
        if (!settings) return k_usage;
        return watch_status(call, *settings, std::chrono::seconds(*interval),
                            [&call, &show](const json::value& answer) {
                                if (call.json)
                                    call.terminal.json(answer);
                                else
                                    show(answer);
                            });
    });

    auto* limits = add_group(app, "limits", "the meters");
    auto* show = add_command(*limits, "show", "each limit and how much of it is used", "pfx-connector limits show");
    chosen.on(show, [](const Invocation& call) {
        return ask(call, "limits.show", {}, [&call](const json::value& answer) {
            if (const auto* rows = list_in(answer, "limits"))
                show_table(call.terminal, *rows, limit_columns(), "nothing has been counted yet");
            show_stops(call, answer, "");
        });
    });
    auto raising = std::make_shared<RaiseOptions>();
    auto* raised = add_command(*limits, "raise", "a limit is higher for a time; what it holds is tried again",
                               "pfx-connector limits raise unwrap_users_per_hour=200 --for 48h --reason \"roll-out\"");
    raised->add_option("NAME=N", raising->what, "the limit and its new number")->required()->check(a_raise);
    raised->add_option("--for", raising->lasts, "90m, 48h, 7d; at most 31d")->required();
    raised->add_option("--reason", raising->reason, "for the audit log")->required();
    chosen.on(raised, [raising](const Invocation& call) { return raise(call, *raising); });
    add_stop_commands(app, chosen);

    auto* issued = add_group(app, "issued", "the register of certificates issued here");
    auto limit = std::make_shared<unsigned>(100);
    auto* list = add_command(*issued, "list", "the newest first", "pfx-connector issued list --limit 20");
    list->add_option("--limit", *limit, "at most so many")->check(CLI::Range(1, 10000))->capture_default_str();
    chosen.on(list, [limit](const Invocation& call) {
        json::object arguments;
        arguments["limit"] = *limit;
        return ask(call, "issued.list", arguments, [&call](const json::value& answer) {
            if (const auto* rows = list_in(answer, "issued"))
                show_table(call.terminal, *rows, issued_columns(), "no certificate has been issued yet");
        });
    });
}

}  // namespace connector::cli
