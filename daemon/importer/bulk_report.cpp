#include "daemon/importer/bulk_report.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <numeric>

namespace connector::importer {
namespace {

constexpr std::size_t k_longest = 4096;

constexpr std::array<RowOutcome, k_row_outcomes> k_outcomes{
    RowOutcome::added,     RowOutcome::replaced, RowOutcome::checked, RowOutcome::unchanged,  RowOutcome::done_before,
    RowOutcome::duplicate, RowOutcome::refused,  RowOutcome::failed,  RowOutcome::not_reached};

std::string words_of(RowOutcome outcome) {
    switch (outcome) {
        case RowOutcome::not_reached: return "not reached";
        case RowOutcome::done_before: return "done before";
        default: return std::string(to_string(outcome));
    }
}

void member(std::string& json, std::string_view name, const std::string& text) {
    json += (json.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + printable_json(text, k_longest);
}

}  // namespace

std::string_view to_string(RowOutcome outcome) noexcept {
    switch (outcome) {
        case RowOutcome::not_reached: return "notReached";
        case RowOutcome::checked: return "checked";
        case RowOutcome::added: return "added";
        case RowOutcome::replaced: return "replaced";
        case RowOutcome::unchanged: return "unchanged";
        case RowOutcome::done_before: return "doneBefore";
        case RowOutcome::duplicate: return "duplicate";
        case RowOutcome::refused: return "refused";
        case RowOutcome::failed: return "failed";
    }
    return "";
}

bool is_settled(RowOutcome outcome) noexcept {
    return outcome != RowOutcome::refused && outcome != RowOutcome::failed && outcome != RowOutcome::not_reached;
}

void RowResult::refuse(const Error& error) {
    outcome = RowOutcome::refused;
    code = error.code;
    reason = error.message;
}

void RowResult::describe(const CertificateFacts& certificate) {
    thumbprint = certificate.thumbprint.hex();
    sha256 = certificate.sha256.hex();
    subject = to_text(certificate.subject);
    not_before = to_rfc3339(certificate.not_before);
    not_after = to_rfc3339(certificate.not_after);
}

std::size_t BulkCounts::total() const noexcept {
    return std::accumulate(of.begin(), of.end(), std::size_t{0});
}

BulkCounts count(const std::vector<RowResult>& results) {
    BulkCounts counts;
    for (const RowResult& result : results) ++counts.of.at(static_cast<std::size_t>(result.outcome));
    return counts;
}

std::string to_text(const BulkCounts& counts) {
    std::string text = std::to_string(counts.total()) + (counts.total() == 1 ? " row" : " rows");
    std::string_view gap = ": ";
    for (const RowOutcome outcome : k_outcomes) {
        if (counts[outcome] == 0) continue;
        text += std::string(gap) + std::to_string(counts[outcome]) + " " + words_of(outcome);
        gap = ", ";
    }
    return text;
}

std::string report_csv_header() {
    return csv_line({"line", "file", "upn", "purpose", "outcome", "code", "reason", "thumbprint", "sha256", "subject",
                     "notBefore", "notAfter", "warnings"});
}

std::string report_csv_line(const BulkRow& row, const RowResult& result) {
    return csv_line({std::to_string(row.line), row.file, row.user_principal_name,
                     row.fault ? "" : std::string(request::to_string(row.purpose)),
                     std::string(to_string(result.outcome)), result.code, result.reason, result.thumbprint,
                     result.sha256, result.subject, result.not_before, result.not_after,
                     joined(result.warnings, "; ")});
}

std::string report_json(const BulkRow& row, const RowResult& result) {
    std::string json = "{\"line\":" + std::to_string(row.line);
    member(json, "file", row.file);
    member(json, "userPrincipalName", row.user_principal_name);
    if (!row.fault) member(json, "purpose", std::string(request::to_string(row.purpose)));
    member(json, "outcome", std::string(to_string(result.outcome)));
    if (!result.code.empty()) member(json, "code", result.code);
    if (!result.reason.empty()) member(json, "reason", result.reason);
    if (!result.thumbprint.empty()) {
        member(json, "thumbprint", result.thumbprint);
        member(json, "sha256", result.sha256);
        member(json, "subject", result.subject);
        member(json, "notBefore", result.not_before);
        member(json, "notAfter", result.not_after);
    }
    json += ",\"warnings\":[";
    for (std::size_t i = 0; i < result.warnings.size(); ++i)
        json += (i == 0 ? "" : ",") + printable_json(result.warnings[i], k_longest);
    return json + "]}";
}

std::string report_json(const BulkCounts& counts) {
    std::string json = "{";
    for (const RowOutcome outcome : k_outcomes)
        json += (json.size() > 1 ? ",\"" : "\"") + std::string(to_string(outcome)) +
                "\":" + std::to_string(counts[outcome]);
    return json + "}";
}

}  // namespace connector::importer
