// That a database is suspected outlives the process: connector.suspect in the state directory, empty, 0600. A file of
// its own, since into a damaged database nothing is written. Whoever finds it at its start works nothing before a check
// of the whole file has found it sound. Any thread; the caller holds the folder's InstanceLock.
#pragma once

#include "core/error.hpp"

#include <filesystem>

namespace connector::storage {

// Durable when it comes back. kind unavailable, misconfigured.
[[nodiscard]] Result<void> suspect(const std::filesystem::path& directory);
// Also true where it cannot be told.
[[nodiscard]] bool is_suspect(const std::filesystem::path& directory);
// Well where there is none.
[[nodiscard]] Result<void> clear_suspicion(const std::filesystem::path& directory);

}  // namespace connector::storage
