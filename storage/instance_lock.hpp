// One process for one state directory: an flock() on connector.lock (0600), which also names the holder's pid and
// whether it is a command, which is soon over: such a holder is waited for, so that `requests list` at the wrong moment
// does not keep the daemon from starting.
// Given up by the kernel with the process, however that ends; the file stays.
// Any thread; one owner. A forked child shares the lock until it executes another program.
#pragma once

#include "core/error.hpp"

#include <filesystem>
#include <utility>

namespace connector::storage {

class InstanceLock {
public:
    enum class Holder { daemon, command };
    // Checks the directory first (private_file.hpp). Blocks for ten seconds at most, and only where a command has it.
    // kind conflict, code alreadyRunning: another process has it, with its pid.
    [[nodiscard]] static Result<InstanceLock> acquire(const std::filesystem::path& state_directory, Holder holder);

    InstanceLock(InstanceLock&& other) noexcept
        : directory_(std::move(other.directory_)), descriptor_(std::exchange(other.descriptor_, -1)) {}
    InstanceLock& operator=(InstanceLock&&) = delete;
    InstanceLock(const InstanceLock&) = delete;
    InstanceLock& operator=(const InstanceLock&) = delete;
    ~InstanceLock();

    // Without symbolic links.
    [[nodiscard]] const std::filesystem::path& directory() const noexcept { return directory_; }

private:
    InstanceLock(std::filesystem::path directory, int descriptor) noexcept
        : directory_(std::move(directory)), descriptor_(descriptor) {}
    std::filesystem::path directory_;
    int descriptor_;
};

}  // namespace connector::storage
