#include "daemon/cli/terminal.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <numeric>
#include <ostream>
#include <utility>

namespace connector::cli {
namespace {

constexpr std::size_t k_longest_line = 16 * 1024;
constexpr std::size_t k_narrowest = 6;
constexpr std::size_t k_readable = 14;  // a cut column of fewer characters says little
constexpr std::size_t k_fold_indent = 4;
constexpr std::string_view k_gap = "  ";
constexpr std::string_view k_more = "…";

// The first `width` characters; the last of them `…` where something is cut off.
std::string cut(const std::string& text, std::size_t width) {
    if (character_count(text) <= width) return text;
    std::string kept;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
        if (begins && taken++ == width - 1) break;
        kept += text[i];
    }
    return kept + std::string(k_more);
}

std::string padded(const std::string& text, std::size_t width) {
    const std::size_t size = character_count(text);
    return size < width ? text + std::string(width - size, ' ') : text;
}

// Lines of at most `width` characters, broken between words; a word that is longer than a line is broken in itself.
std::vector<std::string> wrapped(std::string_view text, std::size_t width, std::size_t hanging) {
    std::vector<std::string> lines;
    std::string row;
    const auto next = [&] {
        lines.push_back(std::move(row));
        row.assign(hanging, ' ');
    };
    bool begun = false;  // something stands in `row` besides its indentation
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (begun && character_count(row) + 1 + character_count(word) > width) {
            next();
            begun = false;
        }
        if (begun) row += ' ';
        for (const char c : word) {
            const bool begins = (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
            if (begins && width > hanging && character_count(row) >= width) next();
            row += c;
        }
        begun = true;
    }
    if (begun || lines.empty()) lines.push_back(std::move(row));
    return lines;
}

// Where a broken line goes on: under its last column (what stands behind two blanks), if there is room for one there.
std::size_t hanging_of(std::string_view line, std::size_t begin, std::size_t columns) {
    const auto gap = line.rfind("  ", columns);
    if (gap == std::string_view::npos || gap < begin) return begin;
    const auto last = line.find_first_not_of(' ', gap);
    return last == std::string_view::npos || last > columns / 2 ? begin : character_count(line.substr(0, last));
}

// A text's line breaks are JSON's: PEM and TOML come out of it as they went in. All else that moves a cursor is made
// harmless before, since a reader may print the decoded string as it is.
std::string json_string(std::string_view text) {
    std::string string = "\"";
    for (bool more = true; more;) {
        const auto end = text.find('\n');
        more = end != std::string_view::npos;
        const std::string line = printable_json(text.substr(0, end), k_longest_line);
        string.append(line, 1, line.size() - 2);
        if (more) string += "\\n";
        text.remove_prefix(more ? end + 1 : text.size());
    }
    return string + '"';
}

void print_json(std::ostream& out, const boost::json::value& value) {
    if (const auto* object = value.if_object()) {
        out << '{';
        bool first = true;
        for (const auto& member : *object) {
            if (!std::exchange(first, false)) out << ',';
            out << printable_json(member.key(), k_longest_line) << ':';
            print_json(out, member.value());
        }
        out << '}';
    } else if (const auto* array = value.if_array()) {
        out << '[';
        bool first = true;
        for (const auto& element : *array) {
            if (!std::exchange(first, false)) out << ',';
            print_json(out, element);
        }
        out << ']';
    } else if (const auto* text = value.if_string()) {
        out << json_string(std::string_view(text->data(), text->size()));
    } else {
        out << boost::json::serialize(value);
    }
}

}  // namespace

void Terminal::line(std::string_view text) const {
    environment_.out << printable(text, k_longest_line) << '\n';
}

void Terminal::lines(std::string_view text) const {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        line(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

void Terminal::prose(std::string_view text) const {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        const std::string_view one = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        const auto begin = std::min(one.find_first_not_of(' '), one.size());
        if (character_count(one) <= columns() || begin >= columns() / 2) {
            line(one);
            continue;
        }
        const bool command =
            one.substr(begin).starts_with("pfx-connector ") || one.substr(begin).starts_with("openssl ");
        const std::size_t hanging = command ? begin + k_fold_indent : hanging_of(one, begin, columns());
        constexpr std::string_view k_goes_on = " \\";
        const auto rows = wrapped(one, columns() - (command ? k_goes_on.size() : 0), hanging);
        for (std::size_t i = 0; i < rows.size(); ++i)
            line(rows[i] + std::string(command && i + 1 != rows.size() ? k_goes_on : ""));
    }
}

void Terminal::field(std::string_view label, std::string_view value, std::size_t width) const {
    // Wrapped only where there is something to break at: a path or a fingerprint stays in one piece.
    const std::string first = padded(std::string(label), width) + "  ";
    const std::string whole = first + std::string(value);
    if (character_count(whole) <= columns() || value.find(' ') == std::string_view::npos) return line(whole);
    const std::size_t indent = character_count(first);
    if (indent >= columns()) return line(whole);
    std::string lead = first;
    for (const std::string& row : wrapped(printable(value, k_longest_line), columns() - indent, 0)) {
        line(lead + row);
        lead.assign(indent, ' ');
    }
}

void Terminal::heading(std::string_view text) const {
    if (environment_.colour)
        environment_.out << "\x1b[1m" << printable(text, k_longest_line) << "\x1b[0m\n";
    else
        line(text);
}

void Terminal::paragraph(std::string_view text, std::size_t hanging) const {
    for (const std::string& row : wrapped(text, columns(), hanging)) line(row);
}

void Terminal::marked(Mood mood, std::string_view text, std::size_t hanging) const {
    std::string_view sign;
    std::string_view code;
    switch (mood) {
        case Mood::good: sign = "✓", code = "32"; break;
        case Mood::doubtful: sign = "!", code = "33"; break;
        case Mood::bad: sign = "✗", code = "31"; break;
    }
    bool first = true;
    for (const std::string& line_text :
         wrapped(std::string(sign) + " " + printable(text, k_longest_line), columns(), hanging)) {
        std::string_view row = line_text;
        if (std::exchange(first, false) && environment_.colour) {
            environment_.out << "\x1b[" << code << "m" << sign << "\x1b[0m";
            row.remove_prefix(sign.size());
        }
        environment_.out << row << '\n';
    }
}

void Terminal::problem(std::string_view text) const {
    environment_.err << printable(text, k_longest_line) << '\n';
}

void Terminal::error(std::string_view text) const {
    environment_.err << "pfx-connector: " << printable(text, k_longest_line) << '\n';
}

void Terminal::warning(std::string_view text) const {
    environment_.err << "pfx-connector: warning: " << printable(text, k_longest_line) << '\n';
}

void Terminal::json(const boost::json::value& document) const {
    print_json(environment_.out, document);
    environment_.out << '\n';
}

Table::Table(std::vector<std::string> headers) : headers_(std::move(headers)), whole_(headers_.size(), false) {
    if (!whole_.empty()) whole_.front() = true;
}

void Table::keep_whole(std::size_t column) {
    whole_.at(column) = true;
}

void Table::add(std::vector<std::string> cells) {
    cells.resize(headers_.size());
    for (std::string& cell : cells) cell = printable(cell);
    rows_.push_back(std::move(cells));
}

std::vector<std::size_t> Table::natural_widths() const {
    std::vector<std::size_t> widths;
    for (std::size_t column = 0; column < headers_.size(); ++column) {
        std::size_t width = character_count(headers_[column]);
        for (const auto& row : rows_) width = std::max(width, character_count(row[column]));
        widths.push_back(width);
    }
    return widths;
}

std::vector<std::size_t> Table::widths(std::size_t columns, bool first_is_whole) const {
    std::vector<std::size_t> widths = natural_widths();
    const std::size_t gaps = k_gap.size() * (headers_.empty() ? 0 : headers_.size() - 1);
    const auto total = [&] { return std::accumulate(widths.begin(), widths.end(), gaps); };
    while (total() > columns) {
        std::size_t* widest = nullptr;
        for (std::size_t column = 0; column < widths.size(); ++column) {
            const bool whole = whole_[column] && (column != 0 || first_is_whole);
            if (!whole && widths[column] > k_narrowest && (widest == nullptr || widths[column] > *widest))
                widest = &widths[column];
        }
        if (widest == nullptr) break;
        --*widest;
    }
    return widths;
}

void Table::print(const Terminal& terminal) const {
    const auto fitting = widths(terminal.columns(), true);
    const auto natural = natural_widths();
    const std::size_t gaps = k_gap.size() * (headers_.empty() ? 0 : headers_.size() - 1);
    bool says_little = std::accumulate(fitting.begin(), fitting.end(), gaps) > terminal.columns();
    for (std::size_t column = 0; column < fitting.size(); ++column)
        says_little = says_little || (fitting[column] < natural[column] && fitting[column] < k_readable);
    if (!rows_.empty() && says_little) {
        if (!print_folded(terminal)) print_blocks(terminal);
        return;
    }
    const auto put = [&](const std::vector<std::string>& cells) {
        std::string text;
        for (std::size_t column = 0; column < cells.size(); ++column) {
            if (column != 0) text += k_gap;
            text += padded(cut(cells[column], fitting[column]), fitting[column]);
        }
        while (text.ends_with(' ')) text.pop_back();
        return text;
    };
    terminal.heading(put(headers_));
    for (const auto& row : rows_) terminal.line(put(row));
}

bool Table::print_folded(const Terminal& terminal) const {
    const auto natural = natural_widths();
    const std::string indent(k_fold_indent, ' ');
    // The column that begins each line, and the end.
    std::vector<std::size_t> begins{0};
    std::size_t used = 0;
    for (std::size_t column = 0; column < natural.size(); ++column) {
        const std::size_t more = (column == begins.back() ? 0 : k_gap.size()) + natural[column];
        if (column != begins.back() && used + more > terminal.columns()) {
            begins.push_back(column);
            used = indent.size() + natural[column];
        } else {
            used += more;
        }
        if (used > terminal.columns()) return false;
    }
    begins.push_back(natural.size());
    const auto put = [&](const std::vector<std::string>& cells, const auto& say) {
        for (std::size_t line = 0; line + 1 < begins.size(); ++line) {
            std::string text = line == 0 ? "" : indent;
            for (std::size_t column = begins[line]; column < begins[line + 1]; ++column)
                text += (column == begins[line] ? "" : std::string(k_gap)) + padded(cells[column], natural[column]);
            while (text.ends_with(' ')) text.pop_back();
            if (!text.empty()) say(text);
        }
    };
    put(headers_, [&](const std::string& text) { terminal.heading(text); });
    for (const auto& row : rows_) put(row, [&](const std::string& text) { terminal.line(text); });
    return true;
}

void Table::print_blocks(const Terminal& terminal) const {
    std::size_t width = 0;
    for (const auto& header : headers_) width = std::max(width, character_count(header));
    bool first = true;
    for (const auto& row : rows_) {
        if (!std::exchange(first, false)) terminal.line("");
        for (std::size_t column = 0; column < row.size(); ++column)
            terminal.field(headers_[column], row[column], width);
    }
}

void Table::print_wrapped(const Terminal& terminal) const {
    const auto fitting = widths(terminal.columns(), false);
    const auto put = [&](const std::vector<std::string>& cells) {
        std::vector<std::vector<std::string>> parts;
        std::size_t height = 0;
        for (std::size_t column = 0; column < cells.size(); ++column) {
            parts.push_back(wrapped(cells[column], fitting[column], 0));
            height = std::max(height, parts.back().size());
        }
        std::vector<std::string> lines(height);
        for (std::size_t at = 0; at < height; ++at) {
            for (std::size_t column = 0; column < parts.size(); ++column) {
                if (column != 0) lines[at] += k_gap;
                lines[at] += padded(at < parts[column].size() ? parts[column][at] : "", fitting[column]);
            }
            while (lines[at].ends_with(' ')) lines[at].pop_back();
        }
        return lines;
    };
    for (const auto& text : put(headers_)) terminal.heading(text);
    for (const auto& row : rows_)
        for (const auto& text : put(row)) terminal.line(text);
}

}  // namespace connector::cli
