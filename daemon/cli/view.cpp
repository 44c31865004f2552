#include "daemon/cli/view.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cctype>

namespace connector::cli {
namespace json = boost::json;
namespace {

std::string_view view_of(const json::string& text) {
    return {text.data(), text.size()};
}

bool is_scalar(const json::value& value) {
    return !value.is_object() && !value.is_array();
}

// Members of the first rows, in their order: the columns of a table that nobody described.
std::vector<Column> columns_of(const json::array& rows) {
    std::vector<Column> columns;
    for (const json::value& row : rows) {
        const auto* object = row.if_object();
        if (object == nullptr) continue;
        for (const auto& member : *object) {
            const std::string_view key(member.key().data(), member.key().size());
            const auto same = [key](const Column& column) { return column.members.front() == key; };
            if (std::none_of(columns.begin(), columns.end(), same))
                columns.push_back({words_of(key), {key}, Shown::as_it_is});
        }
    }
    return columns;
}

const json::value* cell_of(const json::object& row, const Column& column) {
    for (const std::string_view member : column.members) {
        const auto* value = row.if_contains(member);
        if (value != nullptr && !value->is_null()) return value;
    }
    return nullptr;
}

bool all_objects(const json::array& rows) {
    return !rows.empty() &&
           std::all_of(rows.begin(), rows.end(), [](const json::value& row) { return row.is_object(); });
}

// The longest label of the scalars in it, indented as they will be.
std::size_t label_width(const json::object& object, int depth) {
    std::size_t width = Terminal::k_label_width;
    for (const auto& member : object) {
        if (!member.value().is_object())
            width = std::max(width, words_of(member.key()).size() + static_cast<std::size_t>(depth) * 2);
    }
    return std::min<std::size_t>(width, 32);
}

void show_member(const Terminal& terminal, std::string_view name, const json::value& value, int depth,
                 std::size_t width) {
    const std::string indent(static_cast<std::size_t>(depth) * 2, ' ');
    if (is_scalar(value)) {
        terminal.field(indent + words_of(name), scalar_text(value), width);
        return;
    }
    if (const auto* rows = value.if_array()) {
        if (!all_objects(*rows)) {
            terminal.field(indent + words_of(name), scalar_text(value), width);
            return;
        }
        terminal.heading(indent + words_of(name) + ":");
        show_table(terminal, *rows, columns_of(*rows), "");
        return;
    }
    const auto& object = value.get_object();
    if (object.empty()) {
        terminal.field(indent + words_of(name), "-", width);
        return;
    }
    terminal.heading(indent + words_of(name) + ":");
    const std::size_t inner = label_width(object, depth + 1);
    for (const auto& member : object) show_member(terminal, member.key(), member.value(), depth + 1, inner);
}

}  // namespace

std::string words_of(std::string_view camel_case) {
    std::string words;
    for (const char character : camel_case) {
        const auto octet = static_cast<unsigned char>(character);
        if (std::isupper(octet) != 0) {
            words += ' ';
            words += static_cast<char>(std::tolower(octet));
        } else {
            words += character == '_' ? ' ' : character;
        }
    }
    return words;
}

std::string scalar_text(const json::value& value) {
    if (value.is_null()) return "-";
    if (const auto* text = value.if_string()) return text->empty() ? std::string("-") : std::string(view_of(*text));
    if (const auto* flag = value.if_bool()) return *flag ? "✓" : "✗";
    if (const auto* items = value.if_array()) {
        std::string joined;
        for (const json::value& item : *items) joined += (joined.empty() ? "" : ", ") + scalar_text(item);
        return joined.empty() ? "-" : joined;
    }
    return json::serialize(value);
}

std::string time_text(const std::string& rfc3339, Shown shown) {
    if (shown == Shown::as_it_is || rfc3339.size() < 16) return rfc3339;
    if (rfc3339.starts_with("1970-01-01")) return "-";
    const std::string date = rfc3339.substr(0, 10);
    return shown == Shown::date ? date : date + " " + rfc3339.substr(11, 5);
}

const json::array* list_in(const json::value& answer, std::string_view name) {
    if (const auto* rows = answer.if_array()) return rows;
    const auto* object = answer.if_object();
    if (object == nullptr) return nullptr;
    if (const auto* named = object->if_contains(name)) return named->if_array();
    const json::array* found = nullptr;
    for (const auto& member : *object) {
        const auto* rows = member.value().if_array();
        if (rows == nullptr) continue;
        if (found != nullptr) return nullptr;
        found = rows;
    }
    return found;
}

void show_table(const Terminal& terminal, const json::array& rows, const std::vector<Column>& columns,
                std::string_view nothing) {
    if (rows.empty()) {
        if (!nothing.empty()) terminal.line(nothing);
        return;
    }
    std::vector<Column> shown;
    for (const Column& column : columns) {
        const auto fills = [&column](const json::value& row) {
            return row.is_object() && cell_of(row.get_object(), column) != nullptr;
        };
        if (std::any_of(rows.begin(), rows.end(), fills)) shown.push_back(column);
    }
    if (shown.empty()) shown = columns_of(rows);
    std::vector<std::string> headers;
    for (const Column& column : shown) headers.push_back(column.header);
    Table table(std::move(headers));
    for (std::size_t column = 0; column < shown.size(); ++column) {
        if (shown[column].shown != Shown::as_it_is) table.keep_whole(column);
    }
    for (const json::value& row : rows) {
        const auto* object = row.if_object();
        if (object == nullptr) {
            table.add({scalar_text(row)});
            continue;
        }
        std::vector<std::string> cells;
        for (const Column& column : shown) {
            const json::value* cell = cell_of(*object, column);
            cells.push_back(cell == nullptr ? "-" : time_text(scalar_text(*cell), column.shown));
        }
        table.add(std::move(cells));
    }
    table.print(terminal);
}

void show_fields(const Terminal& terminal, const json::value& answer) {
    const auto* object = answer.if_object();
    if (object == nullptr) {
        if (!answer.is_null()) terminal.line(scalar_text(answer));
        return;
    }
    const std::size_t width = label_width(*object, 0);
    for (const auto& member : *object) show_member(terminal, member.key(), member.value(), 0, width);
}

}  // namespace connector::cli
