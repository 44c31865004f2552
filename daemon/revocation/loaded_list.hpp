// A revocation list out of a file or an answer, with the device authority that has signed it. For the daemon's keeper
// and for `doctor`. Any thread; read_list_file() blocks.
#pragma once

#include "core/crypto/crl.hpp"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace connector::revocation {

struct LoadedList {
    crypto::RevocationList list;
    std::size_t authority = 0;  // which of the authorities
};

// `authorities`: DER. kind: invalid, code crlUnfit: it does not parse (crypto/crl.hpp), or none of them has signed it.
[[nodiscard]] Result<LoadedList> read_list(ByteView octets, const std::vector<Bytes>& authorities);
// The same of a regular file of at most 16 MiB. kind also misconfigured, code fileUnreadable.
[[nodiscard]] Result<LoadedList> read_list_file(const std::filesystem::path& file,
                                                const std::vector<Bytes>& authorities);

// Why an authority's certificates cannot be judged by these at `now`; nullopt where one of them is current.
// code: crlMissing, crlStale, crlUnfit (it is not in force yet).
[[nodiscard]] std::optional<Error> fault_of(std::size_t authority, const std::string& subject,
                                            const std::vector<LoadedList>& lists, UtcTime now);

}  // namespace connector::revocation
