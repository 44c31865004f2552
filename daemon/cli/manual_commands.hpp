// manual, completion. Main thread.
#pragma once

#include "daemon/cli/command.hpp"

namespace connector::cli {

void add_manual_commands(CLI::App& app, Chosen& chosen);

}  // namespace connector::cli
