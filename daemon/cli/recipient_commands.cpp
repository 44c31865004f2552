// recipients: whose device is whose, as known here.
#include "core/text.hpp"
#include "core/time.hpp"
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"
#include "daemon/importer/csv.hpp"
#include "daemon/keys/files.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <array>
#include <string_view>
#include <utility>
#include <vector>

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

struct BindOptions {
    std::string device;
    std::string user;
    std::string user_id;
    std::string key;
    std::string file;
    std::string out;
    bool replace = false;
};

// What a spreadsheet was kept from taking for a formula (csv_line) is as it was.
std::string as_written(const std::string& cell) {
    const bool led =
        cell.size() > 1 && cell.front() == '\'' && std::string_view("=+-@").find(cell[1]) != std::string::npos;
    return led ? cell.substr(1) : cell;
}

// The rows of a list with a header; columns that are not ours are left out. kind: invalid, naming the line.
Result<json::array> rows_of(const std::string& file) {
    const auto text = keys::read_text_file(file);
    if (!text) return text.error();
    const auto csv = importer::read_csv(*text);
    if (!csv) return csv.error().in(file);
    const Error no_header(ErrorKind::invalid, "csvInvalid",
                          file + ": the first line must name the columns, device and userPrincipalName among them");
    if (csv->empty()) return no_header;
    constexpr std::array<std::string_view, 4> k_columns{"device", "userPrincipalName", "user", "key"};
    std::vector<std::pair<std::size_t, std::string_view>> places;
    for (const auto column : k_columns) {
        std::size_t times = 0;
        for (std::size_t i = 0; i < csv->front().cells.size(); ++i)
            if (ascii_equal(csv->front().cells[i], column)) {
                places.emplace_back(i, column);
                ++times;
            }
        if (times > 1) return Error(ErrorKind::invalid, "csvInvalid", file + ": two columns " + std::string(column));
        if (times == 0 && (column == "device" || column == "userPrincipalName")) return no_header;
    }
    json::array rows;
    for (std::size_t i = 1; i < csv->size(); ++i) {
        const auto& given = (*csv)[i];
        if (given.cells.size() != csv->front().cells.size())
            return Error(ErrorKind::invalid, "csvInvalid",
                         file + ": line " + std::to_string(given.line) + ": " + std::to_string(given.cells.size()) +
                             " cells, and the header has " + std::to_string(csv->front().cells.size()));
        json::object row;
        row["line"] = given.line;
        for (const auto& [place, column] : places) row[column] = as_written(given.cells[place]);
        rows.push_back(std::move(row));
    }
    return rows;
}

std::string member(const json::object& row, std::string_view name) {
    const auto* found = row.if_contains(name);
    return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

// As `import` reads it, and a spreadsheet opens it without harm.
std::string csv_of(const json::value& answer) {
    constexpr std::array<std::string_view, 7> k_columns{"device", "userPrincipalName", "user",    "key",
                                                        "source", "firstSeen",         "lastSeen"};
    std::string text = importer::csv_line({k_columns.begin(), k_columns.end()});
    const auto* rows = list_in(answer, "recipients");
    if (rows == nullptr) return text;
    for (const auto& element : *rows) {
        std::vector<std::string> cells;
        for (const auto column : k_columns) cells.push_back(member(element.as_object(), column));
        text += importer::csv_line(cells);
    }
    return text;
}

void add_binding_commands(CLI::App& group, Chosen& chosen) {
    auto shown = std::make_shared<std::string>();
    auto* show = add_command(group, "show", "one device: whose it is, who said so, which key",
                             "pfx-connector recipients show d-iphone-1");
    show->add_option("DEVICE", *shown, "a device's id")->required();
    chosen.on(show, [shown](const Invocation& call) {
        json::object arguments;
        arguments["device"] = *shown;
        return ask(call, "recipients.show", arguments,
                   [&call](const json::value& answer) { show_fields(call.terminal, answer); });
    });

    auto bound = std::make_shared<BindOptions>();
    auto* bind = add_command(
        group, "bind",
        "says by hand whose a device is; without --key the first key that its certificate proves is its key",
        "pfx-connector recipients bind d-iphone-1 --user alice@corp.example\n"
        "pfx-connector recipients bind d-iphone-1 --user bob@corp.example --key 5f3c… --replace");
    bind->add_option("DEVICE", bound->device, "a device's id")->required();
    bind->add_option("--user", bound->user, "the user's userPrincipalName")->required();
    bind->add_option("--user-id", bound->user_id, "the service's id of the user; without it the first that comes");
    bind->add_option("--key", bound->key, "the SHA-256 fingerprint of the device's key");
    bind->add_flag("--replace", bound->replace, "also where it is known as another's, or with another key");
    chosen.on(bind, [bound](const Invocation& call) {
        json::object arguments;
        arguments["device"] = bound->device;
        arguments["userPrincipalName"] = bound->user;
        arguments["user"] = bound->user_id;
        arguments["key"] = bound->key;
        arguments["replace"] = bound->replace;
        return ask(call, "recipients.bind", arguments,
                   [&call](const json::value& answer) { show_fields(call.terminal, answer); });
    });

    auto list = std::make_shared<BindOptions>();
    auto* import = add_command(
        group, "import",
        "binds the devices of a list (CSV with a header: device, userPrincipalName; user and key if known)",
        "pfx-connector recipients import devices.csv\npfx-connector recipients import devices.csv --replace");
    import->add_option("FILE", list->file, "CSV, UTF-8; all of it is taken or nothing")->required();
    import->add_flag("--replace", list->replace, "also where a device is known as another's, or with another key");
    chosen.on(import, [list](const Invocation& call) {
        auto rows = rows_of(list->file);
        if (!rows)
            return rows.error().kind == ErrorKind::invalid ? call.fail_usage(rows.error().message)
                                                           : call.fail(rows.error());
        json::object arguments;
        arguments["rows"] = std::move(*rows);
        arguments["replace"] = list->replace;
        return ask(call, "recipients.import", arguments,
                   [&call](const json::value& answer) { show_fields(call.terminal, answer); });
    });

    auto* exported = add_command(group, "export", "the register as CSV, as `import` reads it",
                                 "pfx-connector recipients export > devices.csv\n"
                                 "pfx-connector recipients export --out devices.csv");
    auto out = std::make_shared<BindOptions>();
    exported->add_option("--out", out->out, "a new file, instead of standard output");
    chosen.on(exported, [out](const Invocation& call) {
        int written = k_done;
        const int asked = ask(call, "recipients.list", {}, [&](const json::value& answer) {
            const std::string text = csv_of(answer);
            if (out->out.empty()) {
                call.environment.out << text;
                return;
            }
            constexpr mode_t k_mode = 0640;
            if (const auto done = keys::write_new_file(out->out, bytes_of(text), k_mode); !done)
                written = call.fail(done.error());
            else
                call.terminal.line("written: " + out->out);
        });
        return asked == k_done ? written : asked;
    });

    auto gone = std::make_shared<std::string>();
    auto* forget = add_command(group, "forget", "a device is not known any more: its next use is a first use",
                               "pfx-connector recipients forget d-iphone-1");
    forget->add_option("DEVICE", *gone, "a device's id")->required();
    chosen.on(forget, [gone](const Invocation& call) {
        json::object arguments;
        arguments["device"] = *gone;
        return ask(call, "recipients.forget", arguments, [&](const json::value&) {
            call.terminal.line("forgotten " + *gone + "; `recipients block` is what keeps it out");
        });
    });
}

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

    add_binding_commands(*group, chosen);

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
    one->add_option("--user", block->user,
                    "a userPrincipalName; or the id of a user who is known here, who is blocked by name, too");
    one->add_option("--key", block->key, "the SHA-256 fingerprint of a device's key");
    one->require_option(1);
    chosen.on(blocking, [block](const Invocation& call) {
        json::object arguments;
        if (!block->device.empty()) arguments["device"] = block->device;
        if (!block->user.empty()) arguments["user"] = block->user;
        if (!block->key.empty()) arguments["key"] = block->key;
        return ask(call, "recipients.block", arguments, [&](const json::value& answer) {
            std::string line = "blocked " + block->device + block->user + block->key;
            const auto* names = answer.is_object() ? answer.get_object().if_contains("userPrincipalNames") : nullptr;
            if (names != nullptr)
                for (const auto& name : names->as_array()) line += ", " + std::string(name.as_string());
            call.terminal.line(line);
        });
    });
}

}  // namespace connector::cli
