// Files and folders that nobody else may read: made so, and refused where they are not.
// kind misconfigured, code stateExposed: the message names path, mode or owner, and the command that mends it.
// Any thread; no state. POSIX.
#pragma once

#include "core/error.hpp"

#include <filesystem>

namespace connector::storage {

// Creates the last folder of the path as 0700 where it is missing, and refuses one that others may enter or that
// belongs to somebody else. Root may use any owner's. Out: the path without symbolic links.
[[nodiscard]] Result<std::filesystem::path> private_directory(const std::filesystem::path& directory);

// Creates an empty 0600 file where it is missing, with its folder's owner; refuses links, loose modes, foreign owners.
// True if it was made now.
[[nodiscard]] Result<bool> private_file(const std::filesystem::path& file);

// As private_file(), but a missing file is well and is not made.
[[nodiscard]] Result<void> check_private_file(const std::filesystem::path& file);

// A file's octets, or a folder's names, are on the disk. kind unavailable.
[[nodiscard]] Result<void> sync_file(const std::filesystem::path& path);

}  // namespace connector::storage
