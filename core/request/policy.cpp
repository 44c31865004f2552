#include "core/request/policy.hpp"

#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "core/request/profile_error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace connector::request {
namespace {

Error refused(std::string_view pointer, const std::string& message) {
    return Error(ErrorKind::refused, "policyRefused",
                 std::string(pointer) + ": " + printable(message, k_longest_message));
}

template <class T, class List>
bool among(const T& value, const List& list) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

// By whom the person's facts are proved, for messages.
std::string proof_of(const trust::Person& person) {
    switch (person.source()) {
        case trust::IdentitySource::directory: return "the directory";
        case trust::IdentitySource::certificate: return "the device certificate";
        case trust::IdentitySource::service: return "the request";
    }
    return "nothing";
}

// --- what a person proves ---

bool proves_upn(const trust::Person& person, std::string_view value) {
    return !value.empty() && ascii_equal(value, person.user_principal_name());
}

bool proves_login(const trust::Person& person, std::string_view value) {
    const auto& upn = person.user_principal_name();
    return proves_upn(person, value) || ascii_equal(value, std::string_view(upn).substr(0, upn.find('@'))) ||
           (person.sam_account_name() && ascii_equal(value, *person.sam_account_name()));
}

bool proves(const std::optional<std::string>& proved, std::string_view value) {
    return proved && folded(*proved) == folded(value);
}

// The forms in which people's names are written; each is made of proved parts alone.
bool proves_personal_name(const trust::Person& person, std::string_view value) {
    if (proves(person.display_name(), value)) return true;
    if (!person.given_name() || !person.surname()) return false;
    const std::string given = folded(*person.given_name());
    const std::string surname = folded(*person.surname());
    const std::string wanted = folded(value);
    const auto joined = [](std::string first, std::string_view between, const std::string& second) {
        return first.append(between).append(second);
    };
    return wanted == joined(given, " ", surname) || wanted == joined(surname, " ", given) ||
           wanted == joined(surname, ", ", given);
}

bool proves_distinguished_name(const trust::Person& person, std::string_view value) {
    if (!person.distinguished_name()) return false;
    const auto proved = parse_name(*person.distinguished_name());
    const auto wanted = parse_name(value);
    return proved && wanted && same_name(*proved, *wanted);
}

bool is_personal(std::string_view type) {
    return among(type, std::initializer_list<std::string_view>{
                           oid::k_common_name, oid::k_surname, oid::k_given_name, oid::k_name, oid::k_initials,
                           oid::k_generation_qualifier, oid::k_pseudonym, oid::k_display_name, oid::k_user_id});
}

bool is_of_device(Claim claim) {
    switch (claim) {
        case Claim::device_id:
        case Claim::device_name:
        case Claim::serial_number:
        case Claim::imei:
        case Claim::azure_ad_device_id: return true;
        case Claim::user_principal_name:
        case Claim::mail:
        case Claim::given_name:
        case Claim::surname:
        case Claim::display_name:
        case Claim::sam_account_name:
        case Claim::distinguished_name:
        case Claim::security_identifier: return false;
    }
    return false;
}

// Percent-encoding undone, so that `tag:%6Dicrosoft.com,` and `mailto:ceo%40corp.example` are seen for what they are.
std::string percent_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size()) {
            if (const auto octet = from_hex(text.substr(i + 1, 2))) {
                decoded += text_of(*octet);
                i += 2;
                continue;
            }
        }
        decoded += text[i];
    }
    return decoded;
}

bool begins_with_any_case(std::string_view text, std::string_view prefix) {
    return text.size() >= prefix.size() && ascii_equal(text.substr(0, prefix.size()), prefix);
}

std::string not_among(std::string_view what, std::string_view key) {
    return "[policy] " + std::string(key) + " does not list " + std::string(what);
}

class Judge {
public:
    Judge(const CertificateRequest& request, const Profile& profile, const trust::Person& person,
          const PolicyRules& rules)
        : request_(request), profile_(profile), person_(person), rules_(rules) {}

    Result<CertificatePlan> run() {
        if (auto fault = judge_key()) return *fault;
        if (auto fault = judge_usage()) return *fault;
        if (auto fault = judge_validity()) return *fault;
        for (std::size_t i = 0; i < profile_.subject_alt_names.size(); ++i)
            if (!among(profile_.subject_alt_names[i].type, rules_.allowed_san_types))
                return refused("/profile/subjectAltNames/" + std::to_string(i) + "/type",
                               not_among(to_string(profile_.subject_alt_names[i].type), "allowed_san_types"));
        auto names = fill_names(profile_, request_.user, request_.device);
        if (!names) return names.error();
        for (const auto& use : names->claims)
            if (auto fault = judge_claim(use)) return *fault;
        for (const auto& rdn : names->subject.rdns)
            for (const auto& attribute : rdn)
                if (auto fault = judge_attribute(attribute, *names)) return *fault;
        bool has_mailbox = false;
        for (std::size_t i = 0; i < names->alternative_names.size(); ++i) {
            const auto& name = names->alternative_names[i];
            if (auto fault = judge_alternative_name(name, names->pointers[i])) return *fault;
            has_mailbox = has_mailbox || name.form == NameForm::email || name.form == NameForm::smtp_utf8;
        }
        const bool for_mail = among(std::string(eku::k_email_protection), profile_.extended_key_usage);
        if (for_mail && !has_mailbox) return refused("/profile/subjectAltNames", "emailProtection needs an email name");
        if (names->subject.empty() && names->alternative_names.empty())
            return refused(k_subject, "a certificate without any name");
        if (names->security_identifier) {
            const std::string_view pointer = "/profile/includeSecurityIdentifier";
            if (auto fault = judge_security_identifier(*names->security_identifier, pointer)) return *fault;
        }
        return plan(std::move(*names));
    }

private:
    std::optional<Error> judge_key() const {
        if (among(profile_.key_type, rules_.key_types)) return std::nullopt;
        return refused("/profile/keyType", not_among(to_string(profile_.key_type), "key_types"));
    }

    std::optional<Error> judge_usage() const {
        const std::string_view usage = "/profile/keyUsage";
        if (profile_.key_usage == KeyUsage()) return refused(usage, "none is asked for");
        for (const auto word : profile_.key_usage.words()) {
            const KeyUsage one = KeyUsage::parse_one(word).value_or(KeyUsage());
            // No configuration makes a certification authority of a mail user.
            if (one.any_of(KeyUsage::k_key_cert_sign | KeyUsage::k_crl_sign))
                return refused(usage, std::string(word) + " is a certification authority's; no policy lets it pass");
            if (!one.within(rules_.allowed_key_usages)) return refused(usage, not_among(word, "allowed_key_usages"));
        }
        const bool ec = profile_.key_type == KeyType::ec_p256 || profile_.key_type == KeyType::ec_p384;
        // RFC 5480 3, RFC 3279 2.3.1.
        if (ec && profile_.key_usage.any_of(KeyUsage::k_key_encipherment | KeyUsage::k_data_encipherment))
            return invalid(usage, "an EC key cannot encipher; keyAgreement is its usage for encryption");
        if (!ec && profile_.key_usage.any_of(KeyUsage::k_key_agreement))
            return invalid(usage, "an RSA key has no keyAgreement");

        const std::string_view extended = "/profile/extendedKeyUsage";
        if (profile_.extended_key_usage.empty()) return refused(extended, "none is asked for, which would mean any");
        for (const auto& purpose : profile_.extended_key_usage) {
            if (!is_dotted_oid(purpose)) return invalid(extended, "\"" + purpose + "\" is not a dotted OID");
            if (purpose == eku::k_any) return refused(extended, purpose + " is any purpose; no policy lets it pass");
            if (!among(purpose, rules_.allowed_extended_key_usages))
                return refused(extended, not_among(purpose, "allowed_extended_key_usages"));
        }
        return std::nullopt;
    }

    std::optional<Error> judge_validity() const {
        constexpr unsigned k_highest_percent = 99;
        if (profile_.renewal_threshold_percent > k_highest_percent)
            return invalid("/profile/renewalThresholdPercent", "it is at most 99");
        if (!profile_.validity_days) return std::nullopt;
        if (*profile_.validity_days == 0) return invalid("/profile/validityDays", "it is at least 1");
        if (*profile_.validity_days > rules_.max_validity_days)
            return refused("/profile/validityDays", std::to_string(*profile_.validity_days) +
                                                        " days; [policy] max_validity_days is " +
                                                        std::to_string(rules_.max_validity_days));
        return std::nullopt;
    }

    // A claim is used only after something the service cannot write has confirmed it.
    std::optional<Error> judge_claim(const ClaimUse& use) const {
        const auto pointer = pointer_of(use.claim);
        if (is_of_device(use.claim)) {
            const std::string shown(pointer);
            if (is_personal(use.attribute))
                return refused(use.pointer, shown + " is a device's word and cannot stand in " +
                                                attribute_name(use.attribute) + ", a person's name");
            // The recipient's proof shows the device's id; the rest of a device is hearsay.
            if (use.claim != Claim::device_id && person_.source() != trust::IdentitySource::service)
                return refused(pointer, "used in " + use.pointer + ", but not proved by " + proof_of(person_));
            return std::nullopt;
        }
        if (confirmed(use.claim)) return std::nullopt;
        return refused(pointer, "used in " + use.pointer + ", but not what " + proof_of(person_) + " proves for " +
                                    person_.user_principal_name());
    }

    [[nodiscard]] bool confirmed(Claim claim) const {
        const auto& user = request_.user;
        switch (claim) {
            case Claim::user_principal_name: return proves_upn(person_, user.user_principal_name);
            case Claim::mail: return user.mail && person_.has_mailbox(*user.mail);
            case Claim::given_name: return user.given_name && proves(person_.given_name(), *user.given_name);
            case Claim::surname: return user.surname && proves(person_.surname(), *user.surname);
            case Claim::display_name: return user.display_name && proves_personal_name(person_, *user.display_name);
            case Claim::sam_account_name:
                return user.on_premises_sam_account_name &&
                       proves(person_.sam_account_name(), *user.on_premises_sam_account_name);
            case Claim::distinguished_name:
                return user.on_premises_distinguished_name &&
                       proves_distinguished_name(person_, *user.on_premises_distinguished_name);
            case Claim::security_identifier:
                return user.on_premises_security_identifier &&
                       person_.security_identifier() == user.on_premises_security_identifier;
            case Claim::device_id:
            case Claim::device_name:
            case Claim::serial_number:
            case Claim::imei:
            case Claim::azure_ad_device_id: return false;
        }
        return false;
    }

    std::optional<Error> judge_attribute(const Attribute& attribute, const FilledNames& names) const {
        const std::string shown = attribute_name(attribute.type);
        if (attribute.type == oid::k_email_address) return judge_mailbox(attribute.value, k_subject);
        // What looks like a mailbox is read as one, wherever it stands.
        if (attribute.value.find('@') != std::string::npos) {
            if (is_personal(attribute.type) && proves_upn(person_, attribute.value)) return std::nullopt;
            const bool display_name =
                attribute.type == oid::k_common_name && proves_personal_name(person_, attribute.value);
            if (display_name && !parse_mailbox(attribute.value)) return std::nullopt;
            return judge_mailbox(attribute.value, k_subject);
        }
        if (!is_personal(attribute.type)) return std::nullopt;
        const bool whole_subject = among(Claim::distinguished_name, claims_of(names));
        if (whole_subject || proves_name_attribute(attribute)) return std::nullopt;
        return refused(k_subject, shown + " is \"" + attribute.value + "\", which " + proof_of(person_) +
                                      " does not prove for " + person_.user_principal_name());
    }

    static std::vector<Claim> claims_of(const FilledNames& names) {
        std::vector<Claim> claims;
        for (const auto& use : names.claims) claims.push_back(use.claim);
        return claims;
    }

    [[nodiscard]] bool proves_name_attribute(const Attribute& attribute) const {
        if (attribute.type == oid::k_given_name) return proves(person_.given_name(), attribute.value);
        if (attribute.type == oid::k_surname) return proves(person_.surname(), attribute.value);
        if (attribute.type == oid::k_user_id) return proves_login(person_, attribute.value);
        // Nothing states a person's initials or generation: refused like any other unproved name.
        if (attribute.type == oid::k_initials || attribute.type == oid::k_generation_qualifier) return false;
        return proves_personal_name(person_, attribute.value) || proves_login(person_, attribute.value);
    }

    std::optional<Error> judge_mailbox(std::string_view value, std::string_view pointer) const {
        const auto mailbox = parse_mailbox(value);
        if (!mailbox) return refused(pointer, mailbox.error().message);
        if (!person_.has_mailbox(mailbox->text()))
            return refused(pointer, mailbox->text() + " is not a mailbox that " + proof_of(person_) + " proves for " +
                                        person_.user_principal_name());
        if (!domain_allowed(mailbox->domain, rules_.allowed_mail_domains))
            return refused(pointer, mailbox->domain + " is not in [policy] allowed_mail_domains");
        return std::nullopt;
    }

    std::optional<Error> judge_alternative_name(const GeneralName& name, const std::string& pointer) const {
        switch (name.form) {
            case NameForm::email:
            case NameForm::smtp_utf8: return judge_mailbox(name.value, pointer);
            case NameForm::upn:
                if (proves_upn(person_, name.value)) return std::nullopt;
                return refused(pointer,
                               name.value + " is not the user principal name that " + proof_of(person_) + " proves");
            case NameForm::uri: return judge_uri(name.value, pointer);
            case NameForm::dns: return std::nullopt;  // a literal that the operator allowed by its type
            case NameForm::other: break;
        }
        return refused(pointer, "a name of this kind is not allowed");
    }

    std::optional<Error> judge_uri(const std::string& value, const std::string& pointer) const {
        const std::string decoded = percent_decoded(value);
        if (begins_with_any_case(decoded, "tag:microsoft.com,")) {
            const std::string form = security_identifier_uri("");
            if (value.substr(0, form.size()) != form)
                return refused(pointer, "a security identifier in a form that is not Microsoft's");
            return judge_security_identifier(value.substr(form.size()), pointer);
        }
        // A certificate made here must never pass for a device's.
        if (begins_with_any_case(decoded, "urn:device:")) return refused(pointer, "it names a device");
        if (decoded.find('@') == std::string::npos) return std::nullopt;
        const std::string_view after_scheme = std::string_view(decoded).substr(decoded.find(':') + 1);
        const auto address = after_scheme.substr(0, after_scheme.find('?'));
        if (proves_upn(person_, address)) return std::nullopt;
        return judge_mailbox(address, pointer);
    }

    std::optional<Error> judge_security_identifier(std::string_view value, std::string_view pointer) const {
        if (!rules_.allow_security_identifier)
            return refused(pointer, "[policy] allow_security_identifier does not permit it");
        if (person_.security_identifier() && value == *person_.security_identifier()) return std::nullopt;
        return refused(pointer, "not a security identifier that " + proof_of(person_) + " proves for " +
                                    person_.user_principal_name());
    }

    [[nodiscard]] CertificatePlan plan(FilledNames names) const {
        CertificatePlan plan;
        plan.key_type = profile_.key_type;
        plan.csr.alternative_names_critical = names.subject.empty();
        plan.csr.subject = std::move(names.subject);
        plan.csr.alternative_names = std::move(names.alternative_names);
        plan.csr.key_usage = profile_.key_usage;
        for (const auto& purpose : profile_.extended_key_usage)
            if (!among(purpose, plan.csr.extended_key_usage)) plan.csr.extended_key_usage.push_back(purpose);
        plan.csr.security_identifier = std::move(names.security_identifier);
        plan.validity_days = profile_.validity_days.value_or(0);
        plan.renewal_threshold_percent = profile_.renewal_threshold_percent;
        return plan;
    }

    const CertificateRequest& request_;
    const Profile& profile_;
    const trust::Person& person_;
    const PolicyRules& rules_;
};

}  // namespace

Result<CertificatePlan> plan_certificate(const CertificateRequest& request, const trust::Person& person,
                                         const PolicyRules& rules) {
    const auto* profile = request.profile();
    if (profile == nullptr) return Error(ErrorKind::internal, "internal", "an order without a profile was planned");
    return Judge(request, *profile, person, rules).run();
}

UtcTime renew_after(const CertificateFacts& certificate, unsigned threshold_percent) {
    const auto lifetime = certificate.not_after - certificate.not_before;
    return certificate.not_after - lifetime * std::min(threshold_percent, 100U) / 100;
}

}  // namespace connector::request
