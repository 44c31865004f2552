// The JSON of a binding statement (management API, "binding"). Pure; any thread.
#pragma once

#include "core/ports/statements.hpp"

namespace connector::management {

class WireStatementReader final : public ports::StatementReader {
public:
    [[nodiscard]] Result<trust::BindingStatement> read(ByteView content) const override;
};

}  // namespace connector::management
