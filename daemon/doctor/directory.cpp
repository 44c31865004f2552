#include "config/credentials.hpp"
#include "daemon/directory/ldap_connection.hpp"
#include "daemon/doctor/areas.hpp"

#include <chrono>
#include <optional>
#include <utility>

namespace connector::doctor {
namespace {

std::string mend_of(const Error& error, const config::Directory& settings) {
    if (error.message.find("Sign or Seal are required") != std::string::npos)
        return "a Samba controller refuses Kerberos within TLS until its smb.conf says: ldap server require strong "
               "auth = "
               "allow_sasl_over_tls";
    if (error.kind == ErrorKind::unauthorized)
        return settings.bind == config::DirectoryBind::gssapi
                   ? "see that the keytab in directory.credential is of an account that exists, with its present key "
                     "(a "
                     "changed password makes it void), and that this machine finds the realm's KDC (/etc/krb5.conf) "
                     "and "
                     "has the right time"
                   : "put the account's present password into directory.credential, and its name into "
                     "directory.bind_name; see that it is not locked or expired over there";
    if (error.kind == ErrorKind::misconfigured)
        return "correct directory.user_base, device_base and the filters; let the account read below them";
    return "see that it runs and can be reached from here, and that its certificate is of directory.ca_file's "
           "authority "
           "and names the host in directory.url";
}

// Whoever is in the directory at all is enough: that the filter finds exactly him, and that his account can be judged.
void find_known_person(Checks& checks, directory::LdapConnection& connection, const config::Directory& settings,
                       directory::LdapConnection::Deadline deadline) {
    const std::string name = "directory person";
    // Wildcards of our own: a value's would be escaped. Somebody with a mailbox before anybody else, since service
    // accounts have none.
    const std::string named = "(" + settings.upn_attribute + "=*)";
    std::string reachable;
    for (const auto& attribute : settings.mail_attributes) reachable += "(" + attribute + "=*)";
    directory::Search search{settings.user_base, "", directory::person_attributes(settings), false};
    std::optional<std::string> upn;
    for (const auto& filter : {"(&" + named + "(|" + reachable + "))", named}) {
        if (upn || (filter != named && reachable.empty())) continue;
        search.filter = filter;
        const auto some = connection.search(search, deadline);
        if (!some) return checks.fault(name, some.error().message, mend_of(some.error(), settings));
        for (const auto& entry : some->entries) {
            const auto person = directory::person_of({{entry}, false}, settings);
            if (!person.user_principal_names.empty()) upn = person.user_principal_names.front();
        }
    }
    if (!upn)
        return checks.fault(
            name,
            "nobody below " + settings.user_base + " has a " + settings.upn_attribute + " that this account may read",
            "correct directory.user_base and upn_attribute, or let the account read that attribute");
    search.filter = directory::filled_filter(settings.user_filter, "{upn}", *upn);
    const auto found = connection.search(search, deadline);
    if (!found) return checks.fault(name, found.error().message, mend_of(found.error(), settings));
    const auto person = directory::person_of(*found, settings);
    switch (person.found) {
        case trust::Found::none:
            return checks.fault(name, *upn + " is there, and directory.user_filter does not find it",
                                "correct directory.user_filter; it has to find every person by {upn}");
        case trust::Found::several:
            return checks.fault(name, "directory.user_filter finds several entries for " + *upn,
                                "narrow directory.user_filter or user_base to where each person is once");
        case trust::Found::one: break;
    }
    if (person.entry.disabled && person.entry.disabled->find("cannot be read") != std::string::npos)
        return checks.fault(name, *person.entry.disabled,
                            "let the account read userAccountControl and accountExpires of persons and devices");
    if (person.mailboxes.empty())
        return checks.warning(
            name, *upn + " is found, and has no mailbox",
            "if that is not so: let the account read " +
                (settings.mail_attributes.empty() ? std::string("its mailboxes") : settings.mail_attributes.front()));
    checks.good(name, *upn + " is found" + (person.entry.disabled ? ", and " + *person.entry.disabled : ""));
}

}  // namespace

std::vector<Check> check_directory(const config::Settings& settings) {
    Checks checks("directory");
    const auto& directory = settings.directory;
    const bool by_binding = settings.recipients.rules.binding == trust::Binding::directory;
    const bool by_identity = settings.policy.identity == trust::IdentitySource::directory;
    if (!by_binding && !by_identity) return {};
    if (const auto prepared = directory::prepare_process(directory); !prepared) {
        checks.fault("directory", prepared.error().message, "let the unit load it: LoadCredential=");
        return std::move(checks).take();
    }
    std::optional<SecretBytes> password;
    if (directory.bind == config::DirectoryBind::simple && directory.credential) {
        auto read = config::read_password(*directory.credential);
        if (!read) {
            checks.fault("directory.credential", read.error().message, "put the account's password there, mode 0600");
            return std::move(checks).take();
        }
        password = std::move(*read);
    }
    // Each of them: the one that is down shows only when it is needed.
    bool person_looked_for = false;
    for (const auto& url : directory.urls) {
        const auto deadline = std::chrono::steady_clock::now() + directory.timeout;
        auto opened = directory::LdapConnection::open(directory, url, password ? &*password : nullptr, deadline);
        if (!opened) {
            checks.fault("directory " + url, opened.error().message, mend_of(opened.error(), directory));
            continue;
        }
        checks.good("directory " + url, "reached, its certificate verified, signed in");
        for (const auto& base : {directory.user_base, by_binding ? directory.device_base : std::string()}) {
            if (base.empty()) continue;
            const directory::Search there{base, "(objectClass=*)", {}, true};
            if (const auto found = (*opened)->search(there, deadline); !found || found->entries.empty())
                checks.fault("directory " + base,
                             found ? "is not there, or this account may not see it" : found.error().message,
                             "correct directory.user_base or device_base, or let the account read there");
        }
        if (!person_looked_for && !checks.any_fault()) {
            find_known_person(checks, **opened, directory, deadline);
            person_looked_for = true;
        }
    }
    return std::move(checks).take();
}

}  // namespace connector::doctor
