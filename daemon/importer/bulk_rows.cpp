#include "daemon/importer/bulk_rows.hpp"

#include "core/request/mailbox.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace connector::importer {
namespace {

constexpr std::string_view k_purposes = "smimeEncryption, smimeSigning, unassigned or wifi";
constexpr std::string_view k_columns = "file, password-file, upn, purpose, address";

Error header_wrong(const std::string& what) {
    return {ErrorKind::invalid, "csvInvalid", "line 1: " + what};
}
Error row_wrong(const std::string& what) {
    return {ErrorKind::invalid, "rowInvalid", what};
}

std::string trimmed(const std::string& text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

struct Columns {
    std::optional<std::size_t> file, password_file, upn, purpose, address;
};

Result<Columns> columns_of(const CsvRow& header) {
    Columns columns;
    const std::map<std::string, std::optional<std::size_t>*, std::less<>> known{
        {"file", &columns.file},       {"password-file", &columns.password_file},
        {"upn", &columns.upn},         {"purpose", &columns.purpose},
        {"address", &columns.address},
    };
    // Excel's own line for its separator; other programs, and RFC 4180, know nothing of it.
    if (ascii_lower(header.cells[0]).starts_with("sep="))
        return header_wrong("\"sep=\" is a spreadsheet's own; take the line out, and save it with commas");
    if (header.cells.size() == 1 && header.cells[0].find(';') != std::string::npos)
        return header_wrong("cells are separated by semicolons; save it with commas");
    for (std::size_t i = 0; i < header.cells.size(); ++i) {
        const auto found = known.find(ascii_lower(trimmed(header.cells[i])));
        if (found == known.end())
            return header_wrong("column \"" + header.cells[i] + "\" is not known; there are " + std::string(k_columns));
        if (*found->second) return header_wrong("column \"" + found->first + "\" stands there twice");
        *found->second = i;
    }
    if (!columns.file || !columns.upn)
        return header_wrong("columns file and upn are needed; there are " + std::string(k_columns));
    return columns;
}

void judge_owner(BulkRow& row) {
    if (row.fault) return;
    if (!request::parse_mailbox(row.user_principal_name))
        row.fault = row_wrong("upn: \"" + row.user_principal_name + "\" is no userPrincipalName, NAME@DOMAIN");
}
void judge_purpose(BulkRow& row, const std::string& text, const BulkDefaults& defaults) {
    if (row.fault) return;
    const auto purpose = text.empty() ? defaults.purpose : request::parse_purpose(text);
    if (purpose)
        row.purpose = *purpose;
    else if (text.empty())
        row.fault = row_wrong("purpose: none here, and no --purpose");
    else
        row.fault = row_wrong("purpose: \"" + text + "\" is none; " + std::string(k_purposes));
}
void judge_path(BulkRow& row, const std::string& path, std::string_view what) {
    if (row.fault) return;
    if (const auto steps = steps_below(path); !steps) row.fault = steps.error().in(what);
}
void judge_password(BulkRow& row, const BulkDefaults& defaults, std::string_view way_out) {
    if (row.fault) return;
    if (!row.password_file.empty())
        judge_path(row, row.password_file, "password-file");
    else if (!defaults.has_password)
        row.fault = row_wrong("no password: " + std::string(way_out));
}
void judge_addresses(BulkRow& row, const std::string& text) {
    std::string_view rest = text;
    while (!rest.empty() && !row.fault) {
        const auto end = std::min(rest.find(';'), rest.size());
        const std::string one = trimmed(std::string(rest.substr(0, end)));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (one.empty()) continue;
        if (auto mailbox = request::parse_mailbox(one))
            row.addresses.push_back(mailbox->text());
        else
            row.fault = row_wrong("address: \"" + one + "\": " + mailbox.error().message);
    }
}

}  // namespace

Result<std::vector<std::string>> steps_below(std::string_view path) {
    const auto refused = [&](const std::string& why) {
        return Error(ErrorKind::refused, "pathRefused", "\"" + std::string(path) + "\" " + why);
    };
    if (path.empty()) return Error(ErrorKind::refused, "pathRefused", "no file is named");
    if (path.front() == '/') return refused("is absolute; it has to be relative to the folder");
    if (path.size() >= 2 && path[1] == ':') return refused("names a drive; it has to be relative to the folder");
    if (path.find('\\') != std::string_view::npos) return refused("has backslashes; folders are separated by /");
    if (!is_utf8(path)) return refused("is not UTF-8; rename it");
    if (has_control(path)) return refused("has a control character");
    std::vector<std::string> steps;
    while (!path.empty()) {
        const auto end = std::min(path.find('/'), path.size());
        const std::string_view step = path.substr(0, end);
        if (step == "..") return refused("leaves the folder");
        if (!step.empty() && step != ".") steps.emplace_back(step);
        path.remove_prefix(std::min(end + 1, path.size()));
    }
    if (steps.empty()) return Error(ErrorKind::refused, "pathRefused", "no file is named");
    return steps;
}

Result<std::vector<BulkRow>> rows_of_csv(std::vector<CsvRow> csv, const BulkDefaults& defaults) {
    if (csv.empty()) return header_wrong("the file is empty; it begins with file,password-file,upn,purpose");
    const auto columns = columns_of(csv.front());
    if (!columns) return columns.error();
    const std::size_t wanted = csv.front().cells.size();
    std::vector<BulkRow> rows;
    rows.reserve(csv.size() - 1);
    for (std::size_t i = 1; i < csv.size(); ++i) {
        auto& cells = csv[i].cells;
        const auto cell = [&](const std::optional<std::size_t>& column) {
            return column && *column < cells.size() ? trimmed(cells[*column]) : std::string();
        };
        BulkRow row;
        row.line = csv[i].line;
        row.file = cell(columns->file);
        row.password_file = cell(columns->password_file);
        row.user_principal_name = cell(columns->upn);
        if (cells.size() != wanted)
            row.fault = row_wrong(std::to_string(cells.size()) + " cells where the header has " +
                                  std::to_string(wanted) + "; a cell with a comma stands in quotes");
        judge_path(row, row.file, "file");
        judge_owner(row);
        judge_purpose(row, cell(columns->purpose), defaults);
        judge_password(row, defaults, "name a password-file, or give --password-file or --password-stdin for all");
        judge_addresses(row, cell(columns->address));
        rows.push_back(std::move(row));
    }
    return rows;
}

bool is_pfx_name(std::string_view file) {
    const auto dot = file.rfind('.');
    if (dot == std::string_view::npos || dot == 0 || file[dot - 1] == '/') return false;
    return ascii_equal(file.substr(dot), ".pfx") || ascii_equal(file.substr(dot), ".p12");
}

std::vector<BulkRow> rows_of_folder(const std::vector<std::string>& files, const BulkDefaults& defaults) {
    const std::set<std::string, std::less<>> names(files.begin(), files.end());
    std::vector<BulkRow> rows;
    for (const std::string& file : files) {
        if (!is_pfx_name(file)) continue;
        BulkRow row;
        row.line = rows.size() + 1;
        row.file = file;
        const auto steps = steps_below(file);
        if (!steps) {
            row.fault = steps.error();
        } else if (steps->size() < 2 || steps->size() > 3) {
            row.fault = row_wrong("whose it is cannot be told: files lie in UPN/ or UPN/PURPOSE/");
        } else {
            const std::string purpose = steps->size() == 3 ? (*steps)[1] : std::string();
            row.user_principal_name = steps->front();
            judge_owner(row);
            judge_purpose(row, purpose, defaults);
            const std::string own = steps->front() + "/";
            for (const std::string& place :
                 {file + ".password", own + (purpose.empty() ? "" : purpose + "/") + "password", own + "password"})
                if (row.password_file.empty() && names.contains(place)) row.password_file = place;
            judge_password(row, defaults, "put FILE.password or UPN/password there, or give one for all");
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

std::vector<std::vector<std::size_t>> group_by_owner(std::vector<BulkRow>& rows) {
    std::vector<std::vector<std::size_t>> groups;
    std::map<std::pair<std::string, request::Purpose>, std::size_t> known;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (rows[i].fault) continue;
        const auto [place, fresh] =
            known.try_emplace({ascii_lower(rows[i].user_principal_name), rows[i].purpose}, groups.size());
        if (fresh) groups.emplace_back();
        if (groups[place->second].size() == k_bulk_most_of_one_user)
            rows[i].fault = row_wrong("more than 500 files of one user and purpose; import the rest by itself");
        else
            groups[place->second].push_back(i);
    }
    return groups;
}

}  // namespace connector::importer
