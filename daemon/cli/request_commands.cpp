// requests: the ledger's open and closed orders.
#include "core/ids.hpp"
#include "core/request/record.hpp"
#include "core/time.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

struct ListOptions {
    std::string stage;
    std::string user;
    std::string device;
    std::string since;
    std::string after;
    unsigned limit = 100;
};

std::string usable_id(const std::string& text) {
    return is_usable_id(text) ? std::string() : "1 to 128 of A-Z a-z 0-9 . _ : @ + -";
}
std::string known_stage(const std::string& text) {
    return request::parse_stage(text) ? std::string() : "\"" + text + "\" is no stage";
}
std::string a_time(const std::string& text) {
    const auto time = from_rfc3339(text);
    return time ? std::string() : "times look like 2026-11-23T12:00:00Z";
}

int list(const Invocation& call, const ListOptions& options) {
    json::object arguments;
    const auto put = [&arguments](std::string_view name, const std::string& value) {
        if (!value.empty()) arguments[name] = value;
    };
    put("stage", options.stage);
    put("user", options.user);
    put("device", options.device);
    put("since", options.since);
    put("after", options.after);
    arguments["limit"] = options.limit;
    const bool filtered = arguments.size() > 1;
    return ask(call, "requests.list", arguments, [&call, filtered](const json::value& answer) {
        static const std::vector<Column> columns{{"id", {"id"}},         {"kind", {"kind"}},
                                                 {"stage", {"stage"}},   {"user", {"user"}},
                                                 {"device", {"device"}}, {"reason", {"heldReason", "code"}},
                                                 {"tries", {"tries"}},   {"updated", {"updatedAt"}, Shown::moment}};
        const auto* rows = list_in(answer, "requests");
        if (rows == nullptr) return;
        show_table(call.terminal, *rows, columns,
                   filtered ? "no request fits these filters" : "no request is known here");
        const auto* object = answer.if_object();
        const auto* next = object == nullptr ? nullptr : object->if_contains("next");
        if (next != nullptr && next->is_string()) call.terminal.line("more: --after " + scalar_text(*next));
    });
}

void show_changed(const Invocation& call, const json::value& answer, std::string_view what) {
    const auto* object = answer.if_object();
    const auto* id = object == nullptr ? nullptr : object->if_contains("id");
    const auto* stage = object == nullptr ? nullptr : object->if_contains("stage");
    call.terminal.line("request " + (id == nullptr ? std::string("-") : scalar_text(*id)) + ": " + std::string(what) +
                       (stage == nullptr ? "" : ", now " + scalar_text(*stage)));
}

// A command that takes one id and changes that request.
void add_change(CLI::App& group, Chosen& chosen, const std::string& name, const std::string& description,
                std::string_view done) {
    auto id = std::make_shared<std::string>();
    auto* command = add_command(group, name, description, "pfx-connector requests " + name + " r-17");
    command->add_option("ID", *id, "the request's id")->required()->check(usable_id);
    chosen.on(command, [id, name, done](const Invocation& call) {
        json::object arguments;
        arguments["id"] = *id;
        return ask(call, "requests." + name, arguments,
                   [&](const json::value& answer) { show_changed(call, answer, done); });
    });
}

}  // namespace

void add_request_commands(CLI::App& app, Chosen& chosen) {
    auto* group = add_group(app, "requests", "the orders that are known here");

    auto options = std::make_shared<ListOptions>();
    auto* listing = add_command(*group, "list", "orders, with filters",
                                "pfx-connector requests list --stage held\n"
                                "pfx-connector requests list --user alice@corp.example --since 2026-11-01T00:00:00Z");
    listing->add_option("--stage", options->stage, "accepted, keyed, submitting, at_authority, issued, packaged, …")
        ->check(known_stage);
    listing->add_option("--user", options->user, "a user's id or userPrincipalName");
    listing->add_option("--device", options->device, "a device's id");
    listing->add_option("--since", options->since, "changed at or after this time")->check(a_time);
    listing->add_option("--after", options->after, "goes on after this id")->check(usable_id);
    listing->add_option("--limit", options->limit, "at most so many")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    chosen.on(listing, [options](const Invocation& call) { return list(call, *options); });

    auto shown = std::make_shared<std::string>();
    auto* show = add_command(*group, "show", "all that is known of one order: person, device, keys, why it waits",
                             "pfx-connector requests show r-17");
    show->add_option("ID", *shown, "the request's id")->required()->check(usable_id);
    chosen.on(show, [shown](const Invocation& call) {
        json::object arguments;
        arguments["id"] = *shown;
        return ask(call, "requests.show", arguments,
                   [&call](const json::value& answer) { show_fields(call.terminal, answer); });
    });

    add_change(*group, chosen, "retry", "makes a waiting, parked or unreported request due now", "due now");
    add_change(*group, chosen, "abandon", "gives the request up and reports it as abandoned", "abandoned");

    auto id = std::make_shared<std::string>();
    auto key = std::make_shared<std::string>();
    auto* approve = add_command(*group, "approve", "lets a held request go on; compare the key with the device's first",
                                "pfx-connector requests show r-17\npfx-connector requests approve r-17 --key 9f3a");
    approve->add_option("ID", *id, "the request's id")->required()->check(usable_id);
    approve->add_option("--key", *key, "the first characters of the new key's SHA-256 fingerprint, at least four")
        ->required();
    chosen.on(approve, [id, key](const Invocation& call) {
        json::object arguments;
        arguments["id"] = *id;
        arguments["key"] = *key;
        return ask(call, "requests.approve", arguments, [&call](const json::value& answer) {
            show_fields(call.terminal, answer);
            const auto* object = answer.if_object();
            const auto* given = object == nullptr ? nullptr : object->if_contains("approvals");
            const auto* needed = object == nullptr ? nullptr : object->if_contains("approvalsNeeded");
            const auto number = [](const json::value* value) {
                return value == nullptr || !value->is_number() ? 0 : value->to_number<std::int64_t>();
            };
            if (number(given) < number(needed))
                call.terminal.line("noted: " + std::to_string(number(given)) + " of " + std::to_string(number(needed)) +
                                   " approvals; another account has to approve it too");
            else
                show_changed(call, answer, "approved");
        });
    });
}

}  // namespace connector::cli
