// What the daemon forbids itself before it opens anything: system calls that it has no use for (seccomp), and writing
// anywhere but where it keeps its state and its logs (Landlock). Beside the unit's directives, and without them.
// What the kernel does not have is left out and said. Children (the parsers' keeper) inherit it and add their own.
// Linux; before the second thread.
#pragma once

#include "config/settings.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace connector::service {

struct Lockdown {
    bool no_core_dumps = false;
    bool no_new_privileges = false;
    bool memory_locked = false;
    std::string system_calls;  // "filtered", or why they are not
    std::string file_writes;   // "confined", or why they are not
    // The folders below which files may be written; empty where everything may.
    std::vector<std::filesystem::path> writable;

    [[nodiscard]] bool complete() const;
    // One line: "no core dumps, no new privileges, …".
    [[nodiscard]] std::string text() const;
    // "" where the daemon can work with these settings as it is locked in; else the path that it could not write to.
    [[nodiscard]] std::string outside(const config::Settings& settings) const;
};

// Cannot be undone: a configuration that needs other folders needs a restart.
[[nodiscard]] Lockdown lock_down(const config::Settings& settings);

}  // namespace connector::service
