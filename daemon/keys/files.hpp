// Files that hold keys and certificates: read whole, written once, never through a link that somebody else laid.
// Refuses: files that are too large, secret files that others may read, names that exist already.
// Any thread; blocking.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <sys/types.h>

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace connector::keys {

inline constexpr std::size_t k_largest_file = 1024 * 1024;

// Whom new files shall belong to. Only root can give files away; for anybody else it changes nothing.
struct Owner {
    uid_t user = static_cast<uid_t>(-1);
    gid_t group = static_cast<gid_t>(-1);
};
// nullopt where `path` is not there.
[[nodiscard]] std::optional<Owner> owner_of(const std::filesystem::path& path);
// Kind misconfigured where it cannot be done.
[[nodiscard]] Result<void> give_to(const std::filesystem::path& path, const Owner& owner);

// A regular file of at most 1 MiB. kind: misconfigured, code fileUnreadable, naming the path.
[[nodiscard]] Result<std::string> read_text_file(const std::filesystem::path& path);
[[nodiscard]] Result<Bytes> read_file(const std::filesystem::path& path, std::size_t largest = k_largest_file);
// The same into secret memory. `mode_matters`: refused where group or others may read or write it
// (code fileModeOpen), as every secret file of the connector must be 0400 or 0600.
[[nodiscard]] Result<SecretBytes> read_secret_file(const std::filesystem::path& path, bool mode_matters);
// The first line of a secret file: a password, a passphrase, a token. Refuses an empty one.
[[nodiscard]] Result<SecretBytes> read_secret_line(const std::filesystem::path& path, bool mode_matters);

// O_CREAT | O_EXCL | O_NOFOLLOW, written whole and synced; what was begun and failed is removed again.
// kind: conflict, code fileExists. `mode` is 0600 for whatever is secret.
[[nodiscard]] Result<void> write_new_file(const std::filesystem::path& path, ByteView content, mode_t mode,
                                          const std::optional<Owner>& owner = std::nullopt);
// A new file beside it, synced, then renamed over it: readers see the old or the new content, never a part.
[[nodiscard]] Result<void> replace_file(const std::filesystem::path& path, ByteView content, mode_t mode,
                                        const std::optional<Owner>& owner = std::nullopt);
// Creates it and missing parents; a new directory has mode 0700 and `owner`.
[[nodiscard]] Result<void> make_private_directory(const std::filesystem::path& path,
                                                  const std::optional<Owner>& owner = std::nullopt);

}  // namespace connector::keys
