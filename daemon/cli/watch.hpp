// `status --watch`: the running daemon's state, again and again, until it is interrupted.
// On a terminal the screen is redrawn; in a pipe each change is a block (a line, with --json). Main thread; blocking.
#pragma once

#include "daemon/cli/command.hpp"

#include <boost/json/value.hpp>

#include <chrono>
#include <functional>

namespace connector::cli {

// Ends with k_done on SIGINT and SIGTERM. `show` writes one block.
[[nodiscard]] int watch_status(const Invocation& call, const config::Settings& settings, std::chrono::seconds interval,
                               const std::function<void(const boost::json::value&)>& show);

// What changes with every poll and says nothing new by it: left out when two answers are compared.
[[nodiscard]] boost::json::value steady_part(const boost::json::value& status);

}  // namespace connector::cli
