#include "daemon/importer/csv.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <csv.h>

#include <algorithm>
#include <utility>

namespace connector::importer {
namespace {

constexpr std::string_view k_byte_order_mark = "\xEF\xBB\xBF";

Error wrong(std::size_t line, const std::string& what) {
    return {ErrorKind::invalid, "csvInvalid", "line " + std::to_string(line) + ": " + what};
}

class Reading {
public:
    Reading() {
        started_ = csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI) == 0;
        // RFC 4180 2.4: spaces are part of a field.
        csv_set_space_func(&parser_, [](unsigned char) { return 0; });
    }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading() {
        if (started_) csv_free(&parser_);
    }

    Result<std::vector<CsvRow>> run(std::string_view text) {
        if (!started_) return Error(ErrorKind::internal, "internal", "CSV: no memory");
        while (!text.empty() && !fault_) {
            ++line_;
            if (!in_row_) row_.line = line_;
            const auto size = std::min(text.find('\n'), text.size() - 1) + 1;
            const std::string_view line = text.substr(0, size);
            text.remove_prefix(size);
            ended_ = false;
            if (csv_parse(&parser_, line.data(), line.size(), &Reading::cell, &Reading::end, this) != line.size())
                return wrong(row_.line, "a quotation mark in the wrong place; inside quotes it is written twice");
            const bool blank = line == "\n" || line == "\r\n" || line == "\r";
            in_row_ = !ended_ && !(blank && !in_row_);
        }
        if (!fault_ && csv_fini(&parser_, &Reading::cell, &Reading::end, this) != 0)
            return wrong(row_.line, "a quotation mark that is never closed");
        if (fault_) return std::move(*fault_);
        return std::move(rows_);
    }

private:
    static void cell(void* octets, std::size_t size, void* self) {
        static_cast<Reading*>(self)->add(std::string_view(static_cast<const char*>(octets), size));
    }
    static void end(int /*character*/, void* self) { static_cast<Reading*>(self)->close(); }

    void refuse(const std::string& what) {
        if (!fault_) fault_ = wrong(row_.line, what);
    }
    void add(std::string_view text) {
        if (fault_) return;
        if (text.size() > k_csv_longest_cell) return refuse("a cell of more than 4096 octets");
        if (row_.cells.size() == k_csv_most_cells) return refuse("more than 20 cells");
        if (!is_utf8(text)) return refuse("not UTF-8; save it as \"CSV UTF-8\"");
        if (rows_.empty() && text.find('\t') != std::string_view::npos)
            return refuse("cells are separated by tabs; save it as \"CSV UTF-8\", with commas");
        if (has_control(text)) return refuse("a control character in a cell");
        row_.cells.emplace_back(text);
    }
    void close() {
        ended_ = true;
        if (fault_) return;
        if (rows_.size() > k_csv_most_rows) return refuse("more than 100,000 rows; split the file");
        const std::size_t line = line_;
        rows_.push_back(std::exchange(row_, {}));
        row_.line = line + 1;
    }

    csv_parser parser_{};
    bool started_ = false;
    bool in_row_ = false;
    bool ended_ = false;
    std::size_t line_ = 0;
    CsvRow row_;
    std::vector<CsvRow> rows_;
    std::optional<Error> fault_;
};

}  // namespace

Result<std::vector<CsvRow>> read_csv(std::string_view text) {
    if (text.size() > k_csv_largest) return wrong(1, "the file is larger than 64 MiB; split it");
    if (text.starts_with(k_byte_order_mark)) text.remove_prefix(k_byte_order_mark.size());
    Reading reading;
    return reading.run(text);
}

std::string csv_line(const std::vector<std::string>& cells) {
    std::string line;
    for (const std::string& cell : cells) {
        std::string text = printable(cell, k_csv_longest_cell);
        // A spreadsheet takes these for the beginning of a formula, also after spaces.
        const auto first = text.find_first_not_of(' ');
        if (first != std::string::npos && std::string_view("=+-@").find(text[first]) != std::string_view::npos)
            text.insert(0, "'");
        std::string quoted(text.size() * 2 + 2, '\0');
        quoted.resize(csv_write(quoted.data(), quoted.size(), text.data(), text.size()));
        if (!line.empty()) line += ',';
        line += quoted;
    }
    return line + "\r\n";
}

}  // namespace connector::importer
