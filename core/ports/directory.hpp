// Port: the directory that says who a person is and whose a device is. Read only.
// No retry inside. Whatever keeps it from answering is an error: unavailable, timed_out (code directoryUnreachable);
// unauthorized (directoryRefusedUs); misconfigured (directoryMisconfigured). "There is no such entry" is an answer.
#pragma once

#include "core/ports/async.hpp"
#include "core/trust/directory.hpp"

#include <optional>
#include <string>

namespace connector::ports {

struct DirectoryQuestion {
    std::string user_principal_name;    // a claim: what is asked for, never what is believed
    std::optional<std::string> device;  // its id
    bool fresh = false;                 // an answer that was given before does not do
};

class Directory {
public:
    virtual ~Directory() = default;
    [[nodiscard]] virtual Async<trust::DirectoryView> ask(DirectoryQuestion question) = 0;
    // Reaches it, signs in, and looks for the bases.
    [[nodiscard]] virtual Async<void> probe() = 0;
};

}  // namespace connector::ports
