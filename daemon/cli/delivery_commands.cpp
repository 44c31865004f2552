// deliveries: what a user's devices have had of imported certificates, from the daemon's own memory.
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

void show_list(const Invocation& call, const json::object& from, std::string_view name, std::string_view heading,
               const std::vector<Column>& columns, std::string_view nothing) {
    const auto* list = from.if_contains(name);
    if (list == nullptr || !list->is_array() || (list->get_array().empty() && nothing.empty())) return;
    call.terminal.line(heading);
    show_table(call.terminal, list->get_array(), columns, nothing);
}

void show_deliveries(const Invocation& call, const json::value& answer) {
    static const std::vector<Column> k_certificates{{"thumbprint", {"thumbprint"}},
                                                    {"from", {"notBefore"}, Shown::date},
                                                    {"until", {"notAfter"}, Shown::date},
                                                    {"first had", {"firstDeliveredAt"}, Shown::moment},
                                                    {"last had", {"deliveredAt"}, Shown::moment}};
    static const std::vector<Column> k_missing{{"thumbprint", {"thumbprint"}}, {"code", {"code"}}, {"why", {"reason"}}};
    static const std::vector<Column> k_open{{"request", {"id"}},  {"device", {"device"}},
                                            {"stage", {"stage"}}, {"held", {"heldReason"}},
                                            {"code", {"code"}},   {"since", {"acceptedAt"}, Shown::moment}};
    static const std::vector<Column> k_failed{{"request", {"id"}},
                                              {"device", {"device"}},
                                              {"code", {"code"}},
                                              {"when", {"updatedAt"}, Shown::moment},
                                              {"why", {"message"}}};
    const auto* object = answer.if_object();
    if (object == nullptr) return;
    const auto* rows = list_in(answer, "deliveries");
    if (rows == nullptr || rows->empty())
        call.terminal.line("no device of this user has had an imported certificate from here");
    else
        for (const auto& row : *rows) {
            const auto* delivery = row.if_object();
            if (delivery == nullptr) continue;
            call.terminal.heading(scalar_text(delivery->at("device")) + "  " + scalar_text(delivery->at("purpose")) +
                                  "  last " + time_text(scalar_text(delivery->at("lastDeliveredAt")), Shown::moment) +
                                  "  " + scalar_text(delivery->at("lastRequest")));
            show_list(call, *delivery, "certificates", "has had:", k_certificates, "nothing");
            show_list(call, *delivery, "missing", "missing:", k_missing, "");
            call.terminal.line("");
        }
    show_list(call, *object, "open", "under way:", k_open, "");
    show_list(call, *object, "failed", "failed:", k_failed, "");
}

}  // namespace

void add_delivery_commands(CLI::App& app, Chosen& chosen) {
    auto user = std::make_shared<std::string>();
    auto* deliveries =
        add_command(app, "deliveries",
                    "what each device of a user has had of imported certificates, and what is missing and why, as of "
                    "its last delivery",
                    "pfx-connector deliveries --user alice@corp.example\n"
                    "pfx-connector deliveries --user alice@corp.example --json | jq '.deliveries[].missing'");
    deliveries->add_option("--user", *user, "a user's id or userPrincipalName")->required();
    chosen.on(deliveries, [user](const Invocation& call) {
        json::object arguments;
        arguments["user"] = *user;
        return ask(call, "deliveries", arguments,
                   [&call](const json::value& answer) { show_deliveries(call, answer); });
    });
}

}  // namespace connector::cli
