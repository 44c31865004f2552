// The composition root of `pfx-connector run`: builds every object in order, runs until told to stop, and takes them
// down in the reverse order. Read run_daemon() to learn the system.
#pragma once

#include "config/settings.hpp"

namespace connector::daemon {

// What a person has decided about the state directory, for this start alone.
struct RunOptions {
    bool accept_restore = false;  // a restored copy of the database is the right one
};
// Blocks until SIGTERM or SIGINT and the drain after it. Gives the exit code: 0, 1, or 2 for what the operator must
// change.
[[nodiscard]] int run_daemon(const config::Settings& settings, const RunOptions& options);

}  // namespace connector::daemon
