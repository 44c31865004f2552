#include "config/rules.hpp"

#include "config/rows.hpp"

#include <algorithm>
#include <map>

namespace connector::config {
namespace {

namespace fs = std::filesystem;
using request::Kind;

// Whether a file lies in a folder or below it, with links in the folders followed as far as they exist.
bool inside(const fs::path& file, const fs::path& folder) {
    std::error_code ignored;
    const fs::path inner = fs::weakly_canonical(file.parent_path(), ignored) / file.filename();
    const fs::path outer = fs::weakly_canonical(folder, ignored);
    const auto ends = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
    return ends.first == outer.end() || (std::next(ends.first) == outer.end() && ends.first->empty());
}

void pair_is_whole(bool first, bool second, std::string_view first_key, std::string_view second_key,
                   const Tell& problem) {
    if (first == second) return;
    problem(first ? first_key : second_key, "needs " + std::string(first ? second_key : first_key) + " beside it",
            "set both or neither");
}

void recipients(const Settings& settings, const Tell& problem, const Tell& warning) {
    if (!when::keys_are_delivered(settings, Need::run)) return;
    const auto& rules = settings.recipients.rules;
    if (!rules.dedicated_ca && rules.required_eku.empty() && rules.required_policy.empty())
        problem(
            "recipients.required_eku",
            "nothing tells a device certificate from the other certificates of its authority",
            "set required_eku or required_policy to what only device certificates have; or dedicated_ca = true where "
            "the authorities in ca_file certify devices and nothing else");
    for (const auto& oid : rules.required_eku)
        if (oid == eku::k_email_protection || oid == eku::k_any)
            problem("recipients.required_eku", oid + " is never accepted in a device certificate",
                    "name the extended key usage of device certificates, often 1.3.6.1.5.5.7.3.2");
    if (rules.binding == trust::Binding::service)
        warning("recipients.binding", "the service's word is taken for whose device it is",
                "`certificate`, `directory`, `statement` or `register` prove it");
    if (rules.binding != trust::Binding::statement && !settings.recipients.statement_signers_file.empty())
        warning("recipients.statement_signers", "is set, and nobody asks for statements",
                "set recipients.binding to \"statement\", or take it out");
}

void policy(const Settings& settings, const Tell& warning) {
    if (!when::keys_are_delivered(settings, Need::run)) return;
    if (settings.policy.identity == trust::IdentitySource::service)
        warning("policy.identity", "the service's word is taken for who a user is",
                "`directory` or `certificate` proves it");
    if (settings.policy.allow_security_identifier && settings.policy.identity == trust::IdentitySource::certificate)
        warning("policy.allow_security_identifier",
                "a device certificate proves no security identifier: such orders are refused",
                "leave it false, or set policy.identity to \"directory\"");
    if (settings.policy.allow_security_identifier && settings.policy.identity == trust::IdentitySource::service)
        warning("policy.allow_security_identifier", "the service may name any Windows account in a certificate",
                "set it to false");
    if (settings.connector.does(Kind::pkcs_issue) && settings.authorities.empty())
        warning("connector.kinds", "pkcs.issue is on, and there is no [authority.NAME]",
                "every such request will fail");
}

void directory(const Settings& settings, const Tell& problem, const Tell& warning) {
    const auto& directory = settings.directory;
    const bool asked = when::directory_is_asked(settings, Need::run);
    if (!asked) {
        if (!directory.urls.empty())
            warning("directory.url", "is set, and nothing asks the directory",
                    "set recipients.binding or policy.identity to \"directory\", or take [directory] out");
        return;
    }
    if (directory.bind == DirectoryBind::simple && directory.bind_name.empty())
        problem("directory.bind_name", "is missing; it is needed by bind = \"simple\"",
                "the account's distinguished name, or user@domain with Active Directory");
    if (directory.bind == DirectoryBind::gssapi && !directory.bind_name.empty())
        problem("directory.bind_name", "is for bind = \"simple\"",
                "take it out: a keytab names its account itself; or set bind = \"simple\"");
    // A mailbox in a certificate must come from somewhere.
    if (settings.policy.identity == trust::IdentitySource::directory && directory.mail_attributes.empty())
        problem("directory.mail_attributes", "is empty: nobody would have a mailbox", "leave it out");
    if (settings.policy.allow_security_identifier && settings.policy.identity == trust::IdentitySource::directory &&
        directory.sid_attribute.empty())
        warning("directory.sid_attribute", "is empty: no security identifier is proved", "leave it out");
}

void importing(const Settings& settings, const Tell& problem, const Tell& warning) {
    check_importer_rules(settings, problem);
    std::map<std::pair<std::string, std::string>, std::string> seen;
    for (const auto& [name, key] : settings.import_keys) {
        const auto [found, fresh] = seen.try_emplace({key.provider_name, key.key_name}, name);
        if (!fresh)
            problem("import." + name + ".key_name", "has the same two names as [import." + found->second + "]",
                    "a record would not know its key; give one of them another provider_name or key_name");
    }
    if (!settings.connector.does(Kind::pfx_deliver)) return;
    if (settings.import_keys.empty())
        warning("connector.kinds", "pfx.deliver is on, and there is no [import.NAME]", "every such request will fail");
    if (settings.importer.rules.signatures == trust::SignatureRule::off)
        warning("importer.signatures", "whatever the service stores is delivered as an imported certificate",
                "\"required\" proves who imported it");
}

void est(const Authority& authority, const std::string& at, const Tell& problem, const Tell& warning) {
    pair_is_whole(!authority.user.empty(), authority.password.has_value(), at + ".user", at + ".password", problem);
    pair_is_whole(!authority.certificate.empty(), authority.key.has_value(), at + ".certificate", at + ".key", problem);
    if (authority.user.empty() && authority.certificate.empty())
        warning(at + ".url", "nothing proves to the server who we are",
                "set user and password, or certificate and key");
    if (!authority.user.empty() && authority.schemes.empty())
        problem(at + ".auth", "allows nothing that user and password could be used for", "leave it out");
    for (const auto& [alias, form] : authority.templates)
        if (!form.name.empty())
            if (const auto wanted = check::est_label(form.name))
                problem(at + ".template." + alias + ".name", "must be " + *wanted, "");
}

void authorities(const Settings& settings, const Tell& problem, const Tell& warning) {
    std::map<fs::path, std::string> directories;
    for (const auto& [name, authority] : settings.authorities) {
        const std::string at = "authority." + name;
        const auto [found, fresh] = directories.try_emplace(authority.directory, name);
        if (!fresh && !authority.directory.empty())
            problem(at + ".directory", "is that of [authority." + found->second + "]",
                    "one authority has one directory; use two templates instead");
        if (authority.type == AuthorityType::est) {
            est(authority, at, problem, warning);
            continue;
        }
        for (const auto& [alias, form] : authority.templates) {
            const std::string below = at + ".template." + alias;
            if (form.validity_days > settings.policy.max_validity_days)
                warning(below + ".validity_days", "is longer than policy.max_validity_days",
                        "a certificate that long is not delivered");
            if (!form.key_usage.within(settings.policy.allowed_key_usages))
                warning(below + ".key_usage", "has more than policy.allowed_key_usages",
                        "such a certificate is not delivered");
            const auto& allowed = settings.policy.allowed_extended_key_usages;
            if (std::any_of(form.extended_key_usage.begin(), form.extended_key_usage.end(), [&](const auto& oid) {
                    return std::find(allowed.begin(), allowed.end(), oid) == allowed.end();
                }))
                warning(below + ".extended_key_usage", "has more than policy.allowed_extended_key_usages",
                        "such a certificate is not delivered");
        }
    }
}

void notify(const Settings& settings, const Tell& problem, const Tell& warning) {
    const auto& notify = settings.notify;
    if (notify.smtp.empty()) {
        if (!notify.events.empty())
            warning("notify.events", "is set, and nothing is mailed without notify.smtp", "set smtp, or leave it out");
        return;
    }
    pair_is_whole(!notify.user.empty(), notify.password.has_value(), "notify.user", "notify.password", problem);
    const bool clear = !notify.starttls && notify.smtp.starts_with("smtp://");
    if (clear && notify.password)
        problem("notify.starttls", "\"off\" would send notify.password in clear",
                "leave starttls out, use smtps://, or take user and password out");
    else if (clear)
        warning("notify.starttls", "persons, devices and requests go over the network in clear",
                "leave it out, unless the relay is on this machine");
    if (notify.from.empty()) problem("notify.from", "is missing; it is needed by notify.smtp", "name the sender");
    if (notify.to.empty() && !notify.tell_users)
        problem("notify.to", "is empty, and no mail would go to anybody", "name the administrators");
    if (notify.events.empty())
        warning("notify.events", "is empty: nothing is mailed", "events = [\"newRecipient\", \"held\", \"limit\"]");
    if (notify.tell_users && settings.policy.identity == trust::IdentitySource::service)
        problem("notify.tell_users", "would write to whomever the service names",
                "set policy.identity to \"directory\" or \"certificate\"");
}

void house(const Settings& settings, const Tell& problem, const Tell& warning) {
    const auto& management = settings.management;
    if (management.ca_system)
        warning("management.ca_file", "every public authority may speak for the service",
                "name the service's authority");
    if (management.proxy.empty() && (!management.proxy_user.empty() || management.proxy_password))
        problem(management.proxy_user.empty() ? "management.proxy_password" : "management.proxy_user",
                "stands without management.proxy", "set proxy, or leave it out");
    else
        pair_is_whole(!management.proxy_user.empty(), management.proxy_password.has_value(), "management.proxy_user",
                      "management.proxy_password", problem);
    if (management.proxy_user.find(':') != std::string::npos)
        problem("management.proxy_user", "has a `:`, which Basic authentication cannot carry", "");

    if (settings.sealing.key && settings.sealing.key->source == SecretRef::Source::file &&
        inside(settings.sealing.key->path, settings.storage.directory))
        problem("sealing.key", "lies inside storage.directory: whoever copies the database has its key with it",
                "move the file elsewhere, or use credential:NAME");

    pair_is_whole(!settings.delivery.certificate.empty(), settings.delivery.key.has_value(), "delivery.certificate",
                  "delivery.key", problem);
    if (!settings.delivery.chain_file.empty() && settings.delivery.certificate.empty())
        problem("delivery.chain_file", "stands without delivery.certificate", "set both or neither");

    const auto& health = settings.health;
    pair_is_whole(!health.tls_certificate.empty(), health.tls_key.has_value(), "health.tls_certificate",
                  "health.tls_key", problem);
    if (!health.address.empty() && !health.loopback && health.tls_certificate.empty() && !health.allow_remote)
        problem("health.listen", "is not loopback, and would be open to the network in clear",
                "set tls_certificate and tls_key; or allow_remote = true behind something that guards it");
    if (!health.address.empty() && !health.loopback && health.tls_certificate.empty() && health.token)
        problem("health.token", "would cross the network in clear", "set tls_certificate and tls_key, or take it out");
    if (health.page == HealthPage::full && !health.token)
        warning("health.page", "nobody is shown the full page without health.token", "set it, or \"summary\"");
    if (health.page != HealthPage::full && health.token)
        warning("health.token", "is set, and nothing asks for it", "set page to \"full\", or take it out");

    if (!settings.log.file.empty() && settings.log.file == settings.audit.file)
        problem("audit.file", "is the file of log.file", "the audit log needs a file of its own");
}

}  // namespace

void check_importer_rules(const Settings& settings, const Tell& problem) {
    pair_is_whole(!settings.importer.certificate.empty(), settings.importer.key.has_value(), "importer.certificate",
                  "importer.key", problem);
}

void check_rules(const Settings& settings, const Tell& problem, const Tell& warning) {
    if (settings.connector.kinds.empty())
        problem("connector.kinds", "is empty: there would be nothing to do", "leave it out for all that is built");
    recipients(settings, problem, warning);
    policy(settings, warning);
    directory(settings, problem, warning);
    importing(settings, problem, warning);
    authorities(settings, problem, warning);
    house(settings, problem, warning);
    notify(settings, problem, warning);
}

}  // namespace connector::config
