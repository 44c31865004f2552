#include "core/trust/person.hpp"

#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "core/text.hpp"
#include "core/trust/refusal.hpp"

#include <algorithm>
#include <utility>

namespace connector::trust {
namespace {

// The value of an attribute that stands exactly once: two would leave it open which is meant.
std::optional<std::string> only_value(const Name& name, std::string_view type) {
    std::optional<std::string> value;
    for (const auto& rdn : name.rdns)
        for (const auto& attribute : rdn)
            if (attribute.type == type) {
                if (value) return std::nullopt;
                value = attribute.value;
            }
    return value;
}

// Exchange writes `SMTP:` for the primary address and `smtp:` for the others; other kinds (x500:, sip:) are no
// mailboxes.
std::optional<std::string_view> proxied_mailbox(std::string_view address) {
    constexpr std::string_view k_smtp = "smtp:";
    const auto colon = address.find(':');
    if (colon == std::string_view::npos) return address;
    if (!ascii_equal(address.substr(0, colon + 1), k_smtp)) return std::nullopt;
    return address.substr(k_smtp.size());
}

}  // namespace

// The one maker of Persons.
class PersonProof {
public:
    static Person by_certificate(const CertificateFacts& certificate, std::string user) {
        Person person;
        person.source_ = IdentitySource::certificate;
        add_mailbox(person, user);
        person.user_principal_name_ = std::move(user);
        person.given_name_ = only_value(certificate.subject, oid::k_given_name);
        person.surname_ = only_value(certificate.subject, oid::k_surname);
        return person;
    }

    static Person by_service(const request::User& user) {
        Person person;
        person.source_ = IdentitySource::service;
        person.user_principal_name_ = user.user_principal_name;
        if (user.mail) add_mailbox(person, *user.mail);
        add_mailbox(person, user.user_principal_name);
        for (const auto& mail : user.other_mails) add_mailbox(person, mail);
        for (const auto& address : user.proxy_addresses)
            if (const auto mailbox = proxied_mailbox(address)) add_mailbox(person, *mailbox);
        person.given_name_ = user.given_name;
        person.surname_ = user.surname;
        person.display_name_ = user.display_name;
        person.sam_account_name_ = user.on_premises_sam_account_name;
        person.distinguished_name_ = user.on_premises_distinguished_name;
        person.security_identifier_ = user.on_premises_security_identifier;
        return person;
    }

    static Person by_directory(const DirectoryPerson& entry, std::string_view claimed) {
        Person person;
        person.source_ = IdentitySource::directory;
        // As the directory writes it; the claim only chose which of its spellings.
        for (const auto& name : entry.user_principal_names)
            if (person.user_principal_name_.empty() && ascii_equal(name, claimed)) person.user_principal_name_ = name;
        for (const auto& address : entry.mailboxes)
            if (const auto mailbox = proxied_mailbox(address)) add_mailbox(person, *mailbox);
        person.given_name_ = entry.given_name;
        person.surname_ = entry.surname;
        person.display_name_ = entry.display_name;
        person.sam_account_name_ = entry.sam_account_name;
        person.distinguished_name_ = entry.entry.distinguished_name;
        person.security_identifier_ = entry.security_identifier;
        return person;
    }

private:
    // What is no mailbox is nobody's: it is left out, and a name that needs it is refused by name.
    static void add_mailbox(Person& person, std::string_view text) {
        const auto mailbox = request::parse_mailbox(text);
        if (mailbox && !person.has_mailbox(mailbox->text())) person.mailboxes_.push_back(mailbox->text());
    }
};

std::string_view to_string(IdentitySource source) noexcept {
    switch (source) {
        case IdentitySource::directory: return "directory";
        case IdentitySource::certificate: return "certificate";
        case IdentitySource::service: return "service";
    }
    return "unknown";
}

bool Person::has_mailbox(std::string_view normalised) const {
    return std::any_of(mailboxes_.begin(), mailboxes_.end(),
                       [&](const auto& mailbox) { return request::same_mailbox(mailbox, normalised); });
}

Result<Person> prove_person(const request::CertificateRequest& request, const Recipient& recipient,
                            IdentitySource source, UserIdentity user_identity, const DirectoryView* directory,
                            UtcTime now) {
    if (recipient.user() != request.user.id || recipient.device() != request.device.id ||
        !ascii_equal(recipient.user_principal_name(), request.user.user_principal_name))
        return Error(ErrorKind::internal, "internal", "the recipient is another request's");
    switch (source) {
        case IdentitySource::directory:
            if (directory == nullptr) return Error(ErrorKind::internal, "internal", "the directory was not asked");
            if (auto fault = judge_person_entry(directory->person, request.user.user_principal_name, now))
                return std::move(*fault);
            return PersonProof::by_directory(directory->person, request.user.user_principal_name);
        case IdentitySource::service: return PersonProof::by_service(request.user);
        case IdentitySource::certificate: break;
    }
    const auto& claimed = request.user.user_principal_name;
    const bool by_upn = user_identity == UserIdentity::san_upn;
    auto user = named_user(recipient.certificate(), user_identity);
    if (!user)
        return unbound(
            std::string("the device certificate, which is to prove who the user is, does not name exactly one ") +
            (by_upn ? "UPN" : "mailbox"));
    if (by_upn ? !ascii_equal(*user, claimed) : !request::same_mailbox(*user, claimed))
        return unbound("the device certificate names " + printable(*user, k_longest_shown) + ", not " +
                       printable(claimed, k_longest_shown));
    return PersonProof::by_certificate(recipient.certificate(), std::move(*user));
}

bool is_named(const Person& person, const request::User& user, const std::vector<std::string>& names) {
    auto his = person.mailboxes();
    his.insert(his.end(), {user.id.text(), user.user_principal_name, person.user_principal_name()});
    return std::ranges::any_of(names, [&his](const std::string& name) {
        return std::ranges::any_of(his, [&name](const std::string& one) {
            return ascii_equal(name, one) || request::same_mailbox(name, one);
        });
    });
}

}  // namespace connector::trust
