// What `doctor` and `authority test` found, for people and for scripts. Main thread.
#pragma once

#include "daemon/cli/command.hpp"
#include "daemon/doctor/check.hpp"

#include <vector>

namespace connector::cli {

void show_check(const Terminal& terminal, const doctor::Check& check);
// A line for each and the sum, or {ok, checks}. Gives k_done, or k_fault_found where one is a fault.
[[nodiscard]] int report_checks(const Invocation& call, const std::vector<doctor::Check>& checks);

}  // namespace connector::cli
