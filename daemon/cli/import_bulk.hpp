// import add --csv and --folder: many files of many people, on several threads, to be taken up again after an
// interruption. Main thread.
#pragma once

#include "daemon/cli/import_session.hpp"

#include <cstddef>
#include <string>

namespace connector::cli {

struct BulkOptions {
    std::string csv;
    std::string folder;
    std::string purpose;
    KeyChoice key;
    PasswordChoice password;
    std::string chain;
    std::string report;  // NAME: NAME.csv and NAME.json
    std::string state;
    unsigned jobs = 0;  // 0: as many as there are processors, 8 at most
    bool replace = false;
    bool replace_all = false;
    bool dry_run = false;
};
inline constexpr unsigned k_most_jobs = 32;

[[nodiscard]] int import_bulk(const Invocation& call, const BulkOptions& options);

}  // namespace connector::cli
