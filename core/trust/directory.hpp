// What a directory (LDAP) says of one claim of user and device: the entries as they were read, not yet judged.
// Values only, any thread. daemon/directory reads them; trust/recipient and trust/person judge by them.
#pragma once

#include "core/time.hpp"

#include <optional>
#include <string>
#include <vector>

namespace connector::trust {

enum class Found { none, one, several };

// What every entry may have: whether it counts.
struct DirectoryEntry {
    std::string distinguished_name;        // in the library's canonical form
    std::optional<std::string> disabled;   // why it does not count: "userAccountControl has the bit ACCOUNTDISABLE"
    std::optional<UtcTime> valid_until{};  // the account's own end, where it has one
};

struct DirectoryPerson {
    Found found = Found::none;
    DirectoryEntry entry;  // the rest is of this one entry
    std::vector<std::string> user_principal_names;
    std::vector<std::string> mailboxes;  // as they stand: `alice@corp.example`, `SMTP:alice@corp.example`
    std::optional<std::string> given_name;
    std::optional<std::string> surname;
    std::optional<std::string> display_name;
    std::optional<std::string> sam_account_name;
    std::optional<std::string> security_identifier;  // S-1-…
};

struct DirectoryDevice {
    Found found = Found::none;
    DirectoryEntry entry;
    std::vector<std::string> owners;  // distinguished names in canonical form, or what else stands there
};

struct DirectoryView {
    DirectoryPerson person;
    DirectoryDevice device;  // where one was asked for
};

}  // namespace connector::trust
