// status, limits, issued: what the daemon has done and is doing.
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/cli/watch.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

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
    static const std::vector<Column> columns{{"limit", {"limit"}}, {"used", {"used"}}, {"max (0 = none)", {"max"}}};
    return columns;
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
        });
    });

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
