// A progress bar on standard error, where that is a terminal; elsewhere nothing. One thread.
#pragma once

#include "daemon/cli/cli.hpp"

#include <chrono>
#include <cstddef>
#include <string>

namespace connector::cli {

class Progress {
public:
    Progress(const Environment& environment, std::size_t total) noexcept;
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress() { clear(); }

    // Draws what has changed, at most ten times a second.
    void show(std::size_t done, std::size_t faults);
    // Before other words are printed, and at the end.
    void clear();

private:
    const Environment& environment_;
    std::size_t total_;
    std::string drawn_;
    std::chrono::steady_clock::time_point began_;
    std::chrono::steady_clock::time_point last_;
};

}  // namespace connector::cli
