// What a PFX says of itself before a password is there: MAC, ciphers, iteration counts. Nothing is derived, nothing
// decrypted, so it costs nothing whatever the file asks for. For lists of what a folder holds, and to see what should
// be packed anew. Refuses: files over 256 KiB, what does not parse. Any thread; values only.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace connector::crypto {

struct PfxLayer {
    std::string holds;      // certificates, key
    std::string algorithm;  // AES-256-CBC, pbeWithSHA1And40BitRC2-CBC, …, none
    std::uint64_t iterations = 0;
    bool aes256 = false;
};
struct PfxOutline {
    std::string mac;  // sha256, sha1, …, none
    std::uint64_t mac_iterations = 0;
    std::vector<PfxLayer> layers;  // as far as they show: what lies inside an encrypted one does not

    [[nodiscard]] bool aes256() const noexcept;  // every layer that shows, and there is one
    [[nodiscard]] std::uint64_t most_iterations() const noexcept;
    [[nodiscard]] std::uint64_t iterations_in_sum() const noexcept;
    // The limits under which the connector opens a file (pfx.hpp); "" where it is within them.
    [[nodiscard]] std::string beyond_limits() const;
};
// kind invalid, code importInvalid: too large, too many bags, no PFX.
[[nodiscard]] Result<PfxOutline> outline_pfx(ByteView pfx);

}  // namespace connector::crypto
