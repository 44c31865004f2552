// Fetches secrets from where the configuration says they lie, straight into SecretBytes.
// Refuses: links, files that others can read, files of other people, anything over 64 KiB. Messages name the place and
// the way out, never the content. kind: misconfigured, code secretUnreadable. Any thread; reads files.
#pragma once

#include "config/settings.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <filesystem>
#include <string_view>

namespace connector::config {

inline constexpr std::size_t k_largest_secret = 64UL * 1024UL;
inline constexpr std::size_t k_sealing_key_size = 32;

// As it lies there, octet for octet; never empty.
[[nodiscard]] Result<SecretBytes> read_secret(const SecretRef& where);
// A password, PIN or token: one line end at the end of the file is not part of it.
[[nodiscard]] Result<SecretBytes> read_password(const SecretRef& where);
// Text of editors on Windows: the mark before UTF-8 is dropped; UTF-16 is refused, kind invalid, naming `called`.
[[nodiscard]] Result<void> drop_byte_order_mark(SecretBytes& text, std::string_view called);
// Exactly 32 octets.
[[nodiscard]] Result<SecretBytes> read_sealing_key(const SecretRef& where);

// Who may stand as a secret file's owner: check-config is run by administrators who are not the service.
enum class OwnerRule { us_or_root, anyone };
// Looks without reading: there, a plain file, 0400 or 0600, of the right owner, not empty, not too large.
[[nodiscard]] Result<void> check_secret_file(const std::filesystem::path& path, OwnerRule owners);

}  // namespace connector::config
