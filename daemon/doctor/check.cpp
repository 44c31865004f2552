#include "daemon/doctor/check.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

namespace connector::doctor {
namespace json = boost::json;
namespace {

std::optional<Verdict> verdict_of(std::string_view word) noexcept {
    for (const Verdict verdict : {Verdict::good, Verdict::warning, Verdict::fault})
        if (to_string(verdict) == word) return verdict;
    return std::nullopt;
}

std::optional<std::string> text(const json::object& row, std::string_view name) {
    const auto* found = row.if_contains(name);
    if (found == nullptr || !found->is_string()) return std::nullopt;
    return std::string(found->get_string());
}

}  // namespace

std::string_view to_string(Verdict verdict) noexcept {
    switch (verdict) {
        case Verdict::good: return "ok";
        case Verdict::warning: return "warning";
        case Verdict::fault: return "fault";
    }
    return "fault";
}

void Checks::good(std::string name, std::string detail) {
    rows_.push_back({area_, std::move(name), Verdict::good, std::move(detail), ""});
}
void Checks::warning(std::string name, std::string detail, std::string mend) {
    rows_.push_back({area_, std::move(name), Verdict::warning, std::move(detail), std::move(mend)});
}
void Checks::fault(std::string name, std::string detail, std::string mend) {
    rows_.push_back({area_, std::move(name), Verdict::fault, std::move(detail), std::move(mend)});
}
bool Checks::any_fault() const noexcept {
    return std::any_of(rows_.begin(), rows_.end(), [](const Check& row) { return row.verdict == Verdict::fault; });
}

json::object to_json(const Check& check) {
    json::object row;
    row["area"] = check.area;
    row["name"] = check.name;
    row["verdict"] = json::string(to_string(check.verdict));
    row["detail"] = check.detail;
    row["mend"] = check.mend;
    return row;
}

json::value to_json(const std::vector<Check>& checks) {
    json::array rows;
    for (const Check& check : checks) rows.push_back(to_json(check));
    return rows;
}

std::optional<std::vector<Check>> checks_from_json(const json::value& value) {
    const auto* rows = value.if_array();
    if (rows == nullptr) return std::nullopt;
    std::vector<Check> checks;
    for (const json::value& element : *rows) {
        const auto* row = element.if_object();
        if (row == nullptr) return std::nullopt;
        auto area = text(*row, "area");
        auto name = text(*row, "name");
        const auto verdict = verdict_of(text(*row, "verdict").value_or(""));
        auto detail = text(*row, "detail");
        auto mend = text(*row, "mend");
        if (!area || !name || !verdict || !detail || !mend) return std::nullopt;
        checks.push_back({std::move(*area), std::move(*name), *verdict, std::move(*detail), std::move(*mend)});
    }
    return checks;
}

std::string count_of(std::int64_t number, std::string_view thing) {
    return std::to_string(number) + " " + std::string(thing) + (number == 1 ? "" : "s");
}

}  // namespace connector::doctor
