// CSV (RFC 4180) as administrators' spreadsheets write and read it; libcsv does the quoting both ways.
// In: UTF-8 with or without a byte order mark, LF or CRLF. Out: CRLF, every cell in quotes.
// Refuses: stray quotes, control characters, what is beyond the limits. Written cells are harmless: printable, and
// none is a formula for the program that opens it. Pure; any thread.
#pragma once

#include "core/error.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace connector::importer {

inline constexpr std::size_t k_csv_largest = 64UL * 1024 * 1024;
inline constexpr std::size_t k_csv_most_rows = 100'000;
inline constexpr std::size_t k_csv_most_cells = 20;
inline constexpr std::size_t k_csv_longest_cell = 4096;

struct CsvRow {
    std::size_t line = 0;  // from 1: where the row begins
    std::vector<std::string> cells;
};
// Empty lines are passed over. kind invalid, code csvInvalid, naming the line.
[[nodiscard]] Result<std::vector<CsvRow>> read_csv(std::string_view text);

// One line with its CRLF. A cell that begins with = + - @ is led by an apostrophe; tab and CR are escaped.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& cells);

}  // namespace connector::importer
