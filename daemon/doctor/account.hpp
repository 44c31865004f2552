// Whose eyes `doctor` looks with: root's would see what the daemon cannot.
#pragma once

#include "core/error.hpp"

#include <filesystem>

namespace connector::doctor {

// Where this is root and the directory is another account's: this process is that account's from now on, for good, its
// groups included. Else nothing happens. kind: internal.
[[nodiscard]] Result<void> become_owner_of(const std::filesystem::path& state_directory);

}  // namespace connector::doctor
