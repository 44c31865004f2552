// Terminal: where the command line's words go. Every line passes printable(); colours only where they are wanted.
// Refuses: raw text. Main thread.
#pragma once

#include "daemon/cli/cli.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace connector::cli {

class Terminal {
public:
    static constexpr std::size_t k_label_width = 14;

    explicit Terminal(const Environment& environment) noexcept : environment_(environment) {}

    // One line on standard output.
    void line(std::string_view text) const;
    // Text of ours of several lines that may be copied: PEM, TOML. Each line passes printable() by itself.
    void lines(std::string_view text) const;
    // The same for reading: lines wider than the terminal are broken, and go on under their last column. A command that
    // stands in one of them is broken as a shell takes it.
    void prose(std::string_view text) const;
    // "label   value", labels in one column of that width.
    void field(std::string_view label, std::string_view value, std::size_t width = k_label_width) const;
    void heading(std::string_view text) const;
    // A long text of ours, broken between words at the terminal's width; further lines begin with so many spaces.
    void paragraph(std::string_view text, std::size_t hanging = 0) const;
    // A paragraph led by ✓, ! or ✗: in green, yellow or red where colours are wanted.
    enum class Mood { good, doubtful, bad };
    void marked(Mood mood, std::string_view text, std::size_t hanging) const;
    // One line on standard error, led by the program's name.
    void error(std::string_view text) const;
    void warning(std::string_view text) const;
    // One line on standard error as it is: `file:line:column: …`.
    void problem(std::string_view text) const;
    // A JSON document on one line, its strings made harmless.
    void json(const boost::json::value& document) const;

    [[nodiscard]] std::size_t columns() const noexcept { return environment_.columns; }

private:
    const Environment& environment_;
};

// Columns that fit. Where a little is missing, the widest are cut with `…`, the first never (it is what other commands
// want to be given), nor those that say nothing when cut (times). Where much is missing nothing is cut: each row takes
// several lines, the columns in the same places in all of them, or, if even one is wider than the terminal, is a block
// of fields.
class Table {
public:
    explicit Table(std::vector<std::string> headers);
    void add(std::vector<std::string> cells);  // as many as there are headers
    void keep_whole(std::size_t column);
    [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
    void print(const Terminal& terminal) const;
    // Nothing is cut: what is too wide goes on in the lines below, within its column.
    void print_wrapped(const Terminal& terminal) const;

private:
    void print_blocks(const Terminal& terminal) const;
    bool print_folded(const Terminal& terminal) const;  // false: a column is wider than the terminal
    [[nodiscard]] std::vector<std::size_t> natural_widths() const;
    [[nodiscard]] std::vector<std::size_t> widths(std::size_t columns, bool first_is_whole) const;

    std::vector<std::string> headers_;
    std::vector<bool> whole_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace connector::cli
