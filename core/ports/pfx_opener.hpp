// Port: a PFX from outside is opened. The file is hostile: whoever made it chose every octet that its parser meets, so
// the real one (daemon/parser) parses each in a process of its own that can do nothing but answer. Any thread, several
// at once; computes for milliseconds to seconds and belongs on the crypto pool.
#pragma once

#include "core/ports/crypto.hpp"

namespace connector::ports {

class PfxOpener {
public:
    virtual ~PfxOpener() = default;
    // Costs are counted before any key is derived (management API: importInvalid's limits).
    // code importInvalid: no MAC, beyond limits, two identities, key and certificate apart. code importUndecryptable:
    // does not open, with one text. kind internal, code importInvalid: its parser broke, ran out of time or memory, or
    // answered nonsense. kind unavailable: no parser could be started, which says nothing about the file.
    [[nodiscard]] virtual Result<Identity> open_pfx(ByteView pfx, const SecretBytes& password) const = 0;
};

// open_pfx()'s error says that the parser broke, not that it refused the file.
[[nodiscard]] inline bool is_parser_broken(const Error& error) noexcept {
    return error.kind == ErrorKind::internal && error.code == "importInvalid";
}

}  // namespace connector::ports
