// What came of each row of a bulk import, and how it is told: CSV for the spreadsheet it came from, JSON for scripts.
// Holds no secret. Every text passes printable(), no cell is a formula. Pure; any thread.
#pragma once

#include "core/certificate.hpp"
#include "daemon/importer/bulk_rows.hpp"
#include "daemon/importer/import_tool.hpp"

#include <array>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace connector::importer {

enum class RowOutcome {
    not_reached,  // the run ended before
    checked,      // --dry-run: it would be sent
    added,
    replaced,
    unchanged,    // the store has it
    done_before,  // an interrupted run has stored it
    duplicate,    // the same certificate stands in an earlier row
    refused,      // must be changed by a person
    failed        // the service did not take it
};
inline constexpr std::size_t k_row_outcomes = 9;
[[nodiscard]] std::string_view to_string(RowOutcome outcome) noexcept;
// Nothing is left to do for it.
[[nodiscard]] bool is_settled(RowOutcome outcome) noexcept;

struct RowResult {
    RowOutcome outcome = RowOutcome::not_reached;
    std::string code;
    std::string reason;
    std::string thumbprint;
    std::string sha256;
    std::string subject;
    std::string not_before;
    std::string not_after;
    std::vector<std::string> warnings;

    void refuse(const Error& error);
    void describe(const CertificateFacts& certificate);
};

struct BulkCounts {
    std::array<std::size_t, k_row_outcomes> of{};
    [[nodiscard]] std::size_t operator[](RowOutcome outcome) const { return of.at(static_cast<std::size_t>(outcome)); }
    [[nodiscard]] std::size_t total() const noexcept;
};
[[nodiscard]] BulkCounts count(const std::vector<RowResult>& results);
// "9,990 rows: 120 added, 9,870 unchanged"; only what there is.
[[nodiscard]] std::string to_text(const BulkCounts& counts);

[[nodiscard]] std::string report_csv_header();
[[nodiscard]] std::string report_csv_line(const BulkRow& row, const RowResult& result);
// One JSON object without a line's end.
[[nodiscard]] std::string report_json(const BulkRow& row, const RowResult& result);
// {"added":…,…}
[[nodiscard]] std::string report_json(const BulkCounts& counts);

}  // namespace connector::importer
