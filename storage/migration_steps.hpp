// What SQL cannot do of a migration: rows whose columns changed are signed anew. Each step within its migration's
// transaction; a row that was not sound stays as it is, and is found so.
#pragma once

#include "core/ports/sealer.hpp"
#include "storage/sqlite.hpp"

#include <cstddef>

namespace connector::storage {

// After the SQL that led to `schema`.
[[nodiscard]] Result<void> complete_step(Database& database, const ports::Sealer& sealer, std::size_t schema);

}  // namespace connector::storage
