// JSON answers of the daemon as people read them: tables, and fields with their labels.
// Takes any answer: what it does not know by name is shown as it is. Main thread.
#pragma once

#include "daemon/cli/terminal.hpp"

#include <boost/json/value.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace connector::cli {

// A column, and the members that may fill it: the first that is there.
enum class Shown { as_it_is, date, moment };
struct Column {
    std::string header;
    std::vector<std::string_view> members;
    Shown shown = Shown::as_it_is;
};

// The list in an answer: the answer itself, its member `name`, or the only array among its members.
[[nodiscard]] const boost::json::array* list_in(const boost::json::value& answer, std::string_view name);
// Rows of objects; columns that no row fills are left out. Says `nothing` where there is no row.
void show_table(const Terminal& terminal, const boost::json::array& rows, const std::vector<Column>& columns,
                std::string_view nothing);
// An object: scalars as fields, objects as sections, arrays of objects as tables.
void show_fields(const Terminal& terminal, const boost::json::value& answer);

// "oldestPendingSeconds" -> "oldest pending seconds".
[[nodiscard]] std::string words_of(std::string_view camel_case);
[[nodiscard]] std::string scalar_text(const boost::json::value& value);
// RFC 3339 for tables: "2026-11-23", "2026-11-23 20:07"; "-" for the beginning of time, which means none.
[[nodiscard]] std::string time_text(const std::string& rfc3339, Shown shown);

}  // namespace connector::cli
