// A copy of the ledger's file beside its owner, over a connection of its own that only reads: write-ahead logging lets
// the daemon go on meanwhile. Blocking, for as long as the file is large; any thread.
#pragma once

#include "core/error.hpp"

#include <filesystem>

namespace connector::storage {

// A consistent copy, 0600, checked and on the disk when this returns; nothing stays of one that failed. Everything
// secret in it is sealed, as in the original. kind conflict: `target` exists. kind integrity: the copy is damaged.
[[nodiscard]] Result<void> back_up(const std::filesystem::path& directory, const std::filesystem::path& target);

}  // namespace connector::storage
