// Entries of a directory as the domain sees them, and what is asked for. No connection.
// Follows RFC 4512 and 4515, and for what an account's attributes mean: [MS-ADTS] 2.2.16, 389 Directory Server's
// nsAccountLock, draft-behera-ldap-password-policy (pwdAccountLockedTime), RFC 2307 (shadowExpire).
// Pure; any thread.
#pragma once

#include "config/settings.hpp"
#include "core/bytes.hpp"
#include "core/trust/directory.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::directory {

// One entry as it came: values are octets; the attributes' names are in lower case, without options.
struct Entry {
    std::string distinguished_name;  // canonical
    std::map<std::string, std::vector<std::string>, std::less<>> attributes;
};
// Not more than two are read: that there are several is all that counts.
struct Entries {
    std::vector<Entry> entries;
    bool more = false;  // the server said so
};

// `pattern` with `place` replaced by `value`, escaped (RFC 4515 3) by the library.
[[nodiscard]] std::string filled_filter(std::string_view pattern, std::string_view place, std::string_view value);
// The library's canonical form; "" where it is no distinguished name.
[[nodiscard]] std::string canonical_name(const std::string& text);

[[nodiscard]] std::vector<std::string> person_attributes(const config::Directory& settings);
[[nodiscard]] std::vector<std::string> device_attributes(const config::Directory& settings);
[[nodiscard]] trust::DirectoryPerson person_of(const Entries& found, const config::Directory& settings);
[[nodiscard]] trust::DirectoryDevice device_of(const Entries& found, const config::Directory& settings);

// Whether an entry counts, from what directories know of it.
[[nodiscard]] trust::DirectoryEntry standing_of(const Entry& entry);
// [MS-DTYP] 2.4.2.2 as S-1-…; a text that is one already stays. nullopt: neither.
[[nodiscard]] std::optional<std::string> security_identifier_of(std::string_view value);

}  // namespace connector::directory
