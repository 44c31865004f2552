// What a bulk import is to do, row by row, before a file is opened: out of a CSV, or out of a folder's names.
// A row that cannot be right carries its fault and hurts nobody else. Paths stay below the folder: no "..", no absolute
// path; links are refused where files are opened. Pure; any thread.
#pragma once

#include "core/error.hpp"
#include "core/request/request.hpp"
#include "daemon/importer/csv.hpp"

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace connector::importer {

// Statements name a user's whole history, so his files are worked together; this bounds what is in memory at once.
inline constexpr std::size_t k_bulk_most_of_one_user = 500;

struct BulkRow {
    std::size_t line = 0;       // of the CSV; of a folder: 1, 2, … in the order of the names
    std::string file;           // relative to the folder
    std::string password_file;  // the same; "" = the one password for all
    std::string user_principal_name;
    request::Purpose purpose = request::Purpose::unassigned;
    std::vector<std::string> addresses;  // mailboxes that are his as well
    std::optional<Error> fault;          // refused before its file is opened
};

struct BulkDefaults {
    std::optional<request::Purpose> purpose;
    bool has_password = false;  // one for all was given
};

// Header `file,password-file,upn,purpose`, in any order, and `address` (several with `;`). `file` and `upn` must be
// there; the others may be left to the defaults. kind invalid, code csvInvalid: the header; rows carry their own.
[[nodiscard]] Result<std::vector<BulkRow>> rows_of_csv(std::vector<CsvRow> csv, const BulkDefaults& defaults);
// UPN/FILE.pfx, UPN/PURPOSE/FILE.pfx (or .p12). The password: FILE.pfx.password, else `password` in the file's folder,
// else in UPN, else the one for all. Other names are left out.
[[nodiscard]] std::vector<BulkRow> rows_of_folder(const std::vector<std::string>& files, const BulkDefaults& defaults);
[[nodiscard]] bool is_pfx_name(std::string_view file);

// The steps from the folder down to a file. kind refused, code pathRefused.
[[nodiscard]] Result<std::vector<std::string>> steps_below(std::string_view path);

// Rows of one user and purpose together, in the order in which each first appears; rows with a fault are in none. Marks
// what exceeds k_bulk_most_of_one_user.
[[nodiscard]] std::vector<std::vector<std::size_t>> group_by_owner(std::vector<BulkRow>& rows);

}  // namespace connector::importer
