#include "daemon/doctor/who_could.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>

namespace connector::doctor {
namespace {

using trust::Binding;
using trust::ChangeRule;

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text.empty() ? "none" : text;
}

std::string limit(std::uint32_t number, const std::string& what) {
    return number == 0 ? "no limit on " + what : "at most " + std::to_string(number) + " " + what;
}

class Rows {
public:
    void add(std::string who, std::string what, Power power, std::string because, std::string key) {
        rows_.push_back({std::move(who), std::move(what), power, std::move(because), std::move(key)});
    }
    [[nodiscard]] std::vector<Ability> take() { return std::move(rows_); }

private:
    std::vector<Ability> rows_;
};

void change(Rows& rows, const std::string& what, ChangeRule rule, const std::string& key) {
    switch (rule) {
        case ChangeRule::hold: rows.add("service", what, Power::none, "a person here decides", key); break;
        case ChangeRule::audit:
            rows.add("service", what, Power::open, "it passes and stands in the audit log", key);
            break;
        case ChangeRule::allow: rows.add("service", what, Power::open, "it passes", key); break;
    }
}

void service_and_devices(Rows& rows, const config::Settings& settings) {
    const auto& rules = settings.recipients.rules;
    const auto& limits = settings.limits;
    const std::string wrap = "have someone's keys wrapped for a device of its choice";
    const std::string bound = limit(limits.unwrap_users_per_day, "persons a day");
    switch (rules.binding) {
        case Binding::certificate:
            rows.add("service", wrap, Power::none, "the device certificate must name that person",
                     "recipients.binding");
            break;
        case Binding::directory:
            rows.add("service", wrap, Power::none,
                     "the directory must name that person as the device's one owner, and the account must not be "
                     "disabled",
                     "recipients.binding");
            break;
        case Binding::statement:
            rows.add("service", wrap, Power::none, "a pinned signer must say so", "recipients.binding");
            break;
        case Binding::register_:
            rows.add("service", wrap, Power::limited,
                     "only while an enrolment window is open, or where a person here approves", "recipients.binding");
            change(rows, "replace the key of a known device", rules.key_change, "recipients.key_change");
            break;
        case Binding::service:
            rows.add("service", wrap, Power::open,
                     "its word is taken; " + bound +
                         "; the device authority must have certified "
                         "that device",
                     "recipients.binding");
            change(rows, "replace the key of a known device", rules.key_change, "recipients.key_change");
            break;
    }
    const std::string other = "give a known device to another person";
    if (rules.binding == Binding::register_ || rules.binding == Binding::service)
        change(rows, other, rules.user_change, "recipients.user_change");
    else
        rows.add("service", other, Power::none, "the same proof is asked for again", "recipients.binding");
    const bool own_name = settings.policy.identity != trust::IdentitySource::service;
    const std::string name = "have a certificate issued in another person's name";
    if (own_name)
        rows.add("service", name, Power::none, "names must be those of the proved person", "policy.identity");
    else
        rows.add("service", name, Power::open,
                 "its word is taken, within " + joined(settings.policy.allowed_mail_domains) + "; " +
                     limit(limits.issue_per_day, "a day"),
                 "policy.identity");
    if (settings.policy.allow_security_identifier)
        rows.add("service", "have a certificate that signs in to Windows as another account",
                 own_name ? Power::none : Power::open,
                 !own_name ? "its word is taken"
                 : settings.policy.identity == trust::IdentitySource::directory
                     ? "only the directory's own for that person"
                     : "no device certificate proves a security identifier",
                 "policy.allow_security_identifier");
}

void service_and_store(Rows& rows, const config::Settings& settings) {
    const std::string slip = "slip in an encryption certificate of its own";
    switch (settings.importer.rules.signatures) {
        case trust::SignatureRule::required:
            rows.add("service", slip, Power::none, "an importer must have signed it", "importer.signatures");
            break;
        case trust::SignatureRule::adopted:
            rows.add("service", slip, Power::limited, "only what it makes look older than the adoption",
                     "importer.signatures");
            break;
        case trust::SignatureRule::off:
            rows.add("service", slip, Power::open, "what it stores is taken", "importer.signatures");
            break;
    }
    rows.add("service", "revoke certificates", Power::limited,
             "only what this connector issued; " + limit(settings.limits.revoke_per_day, "a day"),
             "limits.revoke_per_day");
    rows.add("service", "read a key, a PFX or its password", Power::none,
             "between here and the device there is only ciphertext", "");
    rows.add("service", "withhold, delay or repeat requests", Power::open, "it has the queue", "");
}

void authorities(Rows& rows, const config::Settings& settings) {
    rows.add("device authority", "name any device as somebody's, and so receive that person's keys",
             settings.recipients.rules.binding == Binding::certificate ? Power::open : Power::limited,
             settings.recipients.rules.binding == Binding::certificate
                 ? "what it certifies is the proof"
                 : "it certifies the device; whose it is must be said elsewhere",
             "recipients.ca_file");
    rows.add("importer", "give anybody an encryption certificate",
             settings.importer.rules.address == trust::AddressRule::off ? Power::open : Power::limited,
             settings.importer.rules.address == trust::AddressRule::strict
                 ? "only with that person's own mailboxes in it"
             : settings.importer.rules.address == trust::AddressRule::domain ? "only within policy.allowed_mail_domains"
                                                                             : "with any mailbox in it",
             settings.importer.rules.address == trust::AddressRule::strict ? "importer.signers" : "importer.address");
    if (settings.recipients.rules.binding == Binding::statement)
        rows.add("statement signer",
                 "state that any device is somebody's, and so have that person's keys wrapped for it", Power::open,
                 "what it signs is the proof; the device authority must have certified that device",
                 "recipients.statement_signers");
    const bool owners = settings.recipients.rules.binding == Binding::directory;
    const bool names = settings.policy.identity == trust::IdentitySource::directory;
    if (owners)
        rows.add("directory", "name somebody as a device's owner, and so have that person's keys wrapped for it",
                 Power::open,
                 "whoever may write " + settings.directory.owner_attribute + " below " +
                     settings.directory.device_base + "; also device entries that the cloud writes back",
                 "directory.device_base");
    if (names)
        rows.add("directory", "give a person another mailbox or name, and so have it certified", Power::limited,
                 "whoever may write persons below " + settings.directory.user_base + "; only within " +
                     joined(settings.policy.allowed_mail_domains),
                 "directory.user_base");
    for (const auto& [name, authority] : settings.authorities)
        rows.add("authority " + name, "certify a mailbox for a key of its own", Power::open,
                 authority.type == config::AuthorityType::local
                     ? "its key lies on this machine; its certificate confines it to its own mail domains"
                     : "every authority can, for whoever trusts it",
                 "authority." + name);
}

void local(Rows& rows, const config::Settings& settings) {
    rows.add("root, the daemon's account", "open every imported key, and certify anybody", Power::open,
             "the keys are here; keep the machine to few people", "sealing.key, import.NAME.key");
    rows.add("group " + settings.control.group, "approve held requests, open enrolment windows, raise and freeze",
             Power::open, "each of it stands in the audit log with the account", "control.group");
    rows.add("other local accounts", "read keys, or speak with the daemon", Power::none,
             "files are 0600, folders 0700; the socket asks who it is", "control.socket");
    const bool remote = !settings.health.address.empty() && !settings.health.loopback;
    std::string shown = settings.health.page == config::HealthPage::off ? "counters" : "counters and the page";
    if (settings.health.token) shown += "; persons and devices only with health.token";
    rows.add(remote ? "network" : "local accounts", "read how much is delivered, and what fails",
             settings.health.address.empty() ? Power::none : Power::open,
             settings.health.address.empty()
                 ? "health.listen is empty"
                 : shown + " at " + settings.health.listen +
                       (remote && settings.health.tls_certificate.empty() ? ", in clear" : ""),
             "health.listen");
}

void network(Rows& rows, const config::Settings& settings) {
    rows.add("network", "pass for the service", settings.management.ca_system ? Power::limited : Power::none,
             settings.management.ca_system ? "whoever gets a certificate for its name from any public authority"
                                           : "only what management.ca_file certified passes",
             "management.ca_file");
    rows.add("network", "read or change what is sent", Power::none, "TLS 1.2 or newer, end to end, through a proxy too",
             "");
    if (!settings.management.proxy.empty())
        rows.add("proxy", "see whom we speak with, and how much; cut it off", Power::open, "it carries the connection",
                 "management.proxy");
}

}  // namespace

std::string_view to_string(Power power) noexcept {
    switch (power) {
        case Power::none: return "no";
        case Power::limited: return "limited";
        case Power::open: return "yes";
    }
    return "yes";
}

std::vector<Ability> who_could(const config::Settings& settings) {
    Rows rows;
    service_and_devices(rows, settings);
    service_and_store(rows, settings);
    authorities(rows, settings);
    local(rows, settings);
    network(rows, settings);
    return rows.take();
}

boost::json::value to_json(const std::vector<Ability>& abilities) {
    boost::json::array rows;
    for (const Ability& ability : abilities) {
        boost::json::object row;
        row["who"] = ability.who;
        row["what"] = ability.what;
        row["could"] = boost::json::string(to_string(ability.power));
        row["because"] = ability.because;
        row["key"] = ability.key;
        rows.push_back(std::move(row));
    }
    return rows;
}

}  // namespace connector::doctor
