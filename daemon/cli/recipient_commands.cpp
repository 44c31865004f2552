// recipients: whose device is whose, as known here.
#include "core/time.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

namespace connector::cli {
namespace json = boost::json;
namespace {

void show_recipients(const Invocation& call, const json::value& answer) {
    static const std::vector<Column> pins{
        {"device", {"device"}}, {"user", {"userPrincipalName", "user"}},    {"key", {"key"}},
        {"source", {"source"}}, {"first seen", {"firstSeen"}, Shown::date}, {"last seen", {"lastSeen"}, Shown::date}};
    static const std::vector<Column> blocks{
        {"value", {"value"}}, {"blocked", {"thing"}}, {"by", {"by"}}, {"since", {"since"}, Shown::moment}};
    const auto* object = answer.if_object();
    if (const auto* rows = list_in(answer, "recipients"))
        show_table(call.terminal, *rows, pins, "no device is known yet");
    if (object == nullptr) return;
    if (const auto* blocked = object->if_contains("blocks"); blocked != nullptr && blocked->is_array()) {
        if (!blocked->get_array().empty()) call.terminal.line("");
        show_table(call.terminal, blocked->get_array(), blocks, "");
    }
    if (const auto* window = object->if_contains("window"); window != nullptr && window->is_object()) {
        call.terminal.line("");
        call.terminal.heading("enrolment window");
        show_fields(call.terminal, *window);
    }
}

struct BlockOptions {
    std::string device;
    std::string user;
    std::string key;
};

struct WindowOptions {
    std::string until;
    unsigned max = 0;
};

}  // namespace

void add_recipient_commands(CLI::App& app, Chosen& chosen) {
    auto* group = add_group(app, "recipients", "whose device is whose");

    auto* list =
        add_command(*group, "list", "devices, blocks and the enrolment window", "pfx-connector recipients list");
    chosen.on(list, [](const Invocation& call) {
        return ask(call, "recipients.list", {}, [&call](const json::value& answer) { show_recipients(call, answer); });
    });

    auto window = std::make_shared<WindowOptions>();
    auto* opening = add_command(*group, "window", "accepts so many first uses until that time; audited",
                                "pfx-connector recipients window --until 2026-12-01T18:00:00Z --max 200");
    opening->add_option("--until", window->until, "RFC 3339, UTC")->required()->check([](const std::string& text) {
        return from_rfc3339(text) ? std::string() : std::string("times look like 2026-11-23T12:00:00Z");
    });
    opening->add_option("--max", window->max, "how many first uses may pass")->required()->check(CLI::Range(1, 100000));
    chosen.on(opening, [window](const Invocation& call) {
        json::object arguments;
        arguments["until"] = window->until;
        arguments["max"] = window->max;
        return ask(call, "recipients.window", arguments, [&](const json::value&) {
            call.terminal.line("open until " + window->until + " for " + std::to_string(window->max) + " first uses");
        });
    });

    auto block = std::make_shared<BlockOptions>();
    auto* blocking = add_command(*group, "block", "nothing is sent any more to a device, a user or a key, at once",
                                 "pfx-connector recipients block --device d-iphone-1\n"
                                 "pfx-connector recipients block --user alice@corp.example");
    auto* one = blocking->add_option_group("what", "exactly one of");
    one->add_option("--device", block->device, "a device's id");
    one->add_option("--user", block->user, "a user's id or userPrincipalName");
    one->add_option("--key", block->key, "the SHA-256 fingerprint of a device's key");
    one->require_option(1);
    chosen.on(blocking, [block](const Invocation& call) {
        json::object arguments;
        if (!block->device.empty()) arguments["device"] = block->device;
        if (!block->user.empty()) arguments["user"] = block->user;
        if (!block->key.empty()) arguments["key"] = block->key;
        return ask(call, "recipients.block", arguments, [&](const json::value&) {
            call.terminal.line("blocked " + block->device + block->user + block->key);
        });
    });
}

}  // namespace connector::cli
