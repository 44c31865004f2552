// One signed-in connection to a directory, by OpenLDAP's library: TLS to a certificate of the configured authority,
// then Kerberos or a password. Every wait and every size is bounded; referrals are not followed; nothing is taken from
// ldap.conf or the environment. Blocking; one thread at a time.
// kind unavailable, timed_out: code directoryUnreachable. unauthorized: directoryRefusedUs. misconfigured:
// directoryMisconfigured. Messages name the address, never a credential.
#pragma once

#include "core/error.hpp"
#include "core/secret.hpp"
#include "daemon/directory/ldap_entry.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace connector::directory {

struct Search {
    std::string base;
    std::string filter;
    std::vector<std::string> attributes;
    bool base_alone = false;  // only whether it is there
};

class LdapConnection {
public:
    using Deadline = std::chrono::steady_clock::time_point;

    // `password`: for bind = "simple".
    [[nodiscard]] static Result<std::unique_ptr<LdapConnection>> open(const config::Directory& settings,
                                                                      const std::string& url,
                                                                      const SecretBytes* password, Deadline deadline);
    ~LdapConnection();
    LdapConnection(const LdapConnection&) = delete;
    LdapConnection& operator=(const LdapConnection&) = delete;

    // At most two entries. After an error the connection is not to be used again.
    [[nodiscard]] Result<Entries> search(const Search& search, Deadline deadline);
    // False: the server may still be sending what was not listened to; not to be kept for later.
    [[nodiscard]] bool worth_keeping() const noexcept { return !used_up_; }

private:
    struct Handle;
    LdapConnection(std::string url, std::unique_ptr<Handle> handle);
    std::string url_;
    std::unique_ptr<Handle> handle_;
    bool used_up_ = false;
};

// Before the first connection and before any thread: the library reads no file of its own, and Kerberos takes the
// keytab and keeps its tickets in memory.
[[nodiscard]] Result<void> prepare_process(const config::Directory& settings);

}  // namespace connector::directory
