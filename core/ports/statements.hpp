// Port: reads the JSON of a binding statement whose signature has been verified.
// Pure; any thread.
#pragma once

#include "core/bytes.hpp"
#include "core/trust/binding_statement.hpp"

namespace connector::ports {

class StatementReader {
public:
    virtual ~StatementReader() = default;
    // UTF-8 JSON {"v":1,"deviceId","userPrincipalName","spkiSha256","notBefore","notAfter"}; unknown fields are
    // ignored. kind invalid: the message begins with a JSON pointer into the statement.
    [[nodiscard]] virtual Result<trust::BindingStatement> read(ByteView content) const = 0;
};

}  // namespace connector::ports
