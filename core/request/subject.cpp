#include "core/request/subject.hpp"

#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "core/request/profile_error.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace connector::request {
namespace {

constexpr std::size_t k_most_alternative_names = 20;

enum class Part { whole, before_at };
struct Variable {
    std::string_view name;
    Claim claim;
    Part part;
};
// The management API's names first, then Microsoft's other spellings.
constexpr std::array k_variables{
    Variable{"UserName", Claim::user_principal_name, Part::before_at},
    Variable{"UserPrincipalName", Claim::user_principal_name, Part::whole},
    Variable{"EmailAddress", Claim::mail, Part::whole},
    Variable{"GivenName", Claim::given_name, Part::whole},
    Variable{"SurName", Claim::surname, Part::whole},
    Variable{"DisplayName", Claim::display_name, Part::whole},
    Variable{"OnPremisesSamAccountName", Claim::sam_account_name, Part::whole},
    Variable{"OnPremisesSecurityIdentifier", Claim::security_identifier, Part::whole},
    Variable{"OnPrem_Distinguished_Name", Claim::distinguished_name, Part::whole},
    Variable{"DeviceId", Claim::device_id, Part::whole},
    Variable{"DeviceName", Claim::device_name, Part::whole},
    Variable{"SerialNumber", Claim::serial_number, Part::whole},
    Variable{"Device_Serial", Claim::serial_number, Part::whole},
    Variable{"IMEI", Claim::imei, Part::whole},
    Variable{"IMEINumber", Claim::imei, Part::whole},
    Variable{"Device_IMEI", Claim::imei, Part::whole},
    Variable{"AAD_Device_ID", Claim::azure_ad_device_id, Part::whole},
    Variable{"AzureADDeviceId", Claim::azure_ad_device_id, Part::whole},
};

const Variable* find_variable(std::string_view name) {
    const auto* found = std::find_if(k_variables.begin(), k_variables.end(),
                                     [&](const auto& variable) { return ascii_equal(variable.name, name); });
    return found == k_variables.end() ? nullptr : found;
}

// /user/mail is user.mail to people.
std::string field_of(Claim claim) {
    std::string field(pointer_of(claim).substr(1));
    std::replace(field.begin(), field.end(), '/', '.');
    return field;
}

std::optional<std::string> claimed(Claim claim, const User& user, const Device& device) {
    switch (claim) {
        case Claim::user_principal_name: return user.user_principal_name;
        case Claim::mail: return user.mail;
        case Claim::given_name: return user.given_name;
        case Claim::surname: return user.surname;
        case Claim::display_name: return user.display_name;
        case Claim::sam_account_name: return user.on_premises_sam_account_name;
        case Claim::distinguished_name: return user.on_premises_distinguished_name;
        case Claim::security_identifier: return user.on_premises_security_identifier;
        case Claim::device_id: return device.id.text();
        case Claim::device_name: return device.name;
        case Claim::serial_number: return device.serial_number;
        case Claim::imei: return device.imei;
        case Claim::azure_ad_device_id: return device.azure_ad_device_id;
    }
    return std::nullopt;
}

// MS-DTYP 2.4.2.1: S-1-<authority>-<sub-authorities>.
bool is_security_identifier(std::string_view text) {
    if (text.substr(0, 4) != "S-1-" || text.size() > 184) return false;
    bool after_dash = true;
    for (const char c : text.substr(4)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (c != '-' || after_dash)) return false;
        after_dash = c == '-';
    }
    return !after_dash;
}

// RFC 3986 3: a scheme and something after it, in URI characters only.
bool is_absolute_uri(std::string_view text) {
    const auto alpha = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == text.size() || !alpha(text[0])) return false;
    const auto scheme = text.substr(0, colon);
    return std::all_of(scheme.begin(), scheme.end(),
                       [&](char c) { return alpha(c) || digit(c) || c == '+' || c == '-' || c == '.'; }) &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return alpha(c) || digit(c) ||
                      std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
           });
}

class Filler {
public:
    Filler(const User& user, const Device& device) : user_(user), device_(device) {}

    Result<FilledNames> run(const Profile& profile) {
        if (auto fault = fill_subject(profile.subject)) return *fault;
        if (profile.subject_alt_names.size() > k_most_alternative_names)
            return invalid("/profile/subjectAltNames", "more than 20 names");
        for (std::size_t i = 0; i < profile.subject_alt_names.size(); ++i) {
            const std::string pointer = "/profile/subjectAltNames/" + std::to_string(i) + "/value";
            if (auto fault = fill_alternative_name(profile.subject_alt_names[i], pointer)) return *fault;
        }
        if (profile.include_security_identifier) {
            const std::string_view pointer = "/profile/includeSecurityIdentifier";
            auto value =
                value_of(*find_variable("OnPremisesSecurityIdentifier"), "OnPremisesSecurityIdentifier", pointer);
            if (!value) return value.error();
            names_.security_identifier = std::move(*value);
            names_.claims.push_back({Claim::security_identifier, std::string(pointer), ""});
        }
        return std::move(names_);
    }

private:
    struct Expanded {
        std::string text;
        std::vector<std::pair<Claim, std::string>> used;  // with the variable as the template wrote it
    };

    Result<std::string> value_of(const Variable& variable, std::string_view written, std::string_view pointer) const {
        const std::string shown = "{{" + std::string(written) + "}}";
        auto value = claimed(variable.claim, user_, device_);
        if (value && variable.part == Part::before_at) value->resize(std::min(value->size(), value->find('@')));
        if (!value || folded(*value).empty())
            return invalid(pointer, shown + " has no value (" + field_of(variable.claim) + ")");
        if (has_control(*value))
            return invalid(pointer, shown + " holds a control character (" + field_of(variable.claim) + ")");
        if (variable.claim == Claim::security_identifier && !is_security_identifier(*value))
            return invalid(pointer, shown + " is not of the form S-1-5-… (" + field_of(variable.claim) + ")");
        return std::move(*value);
    }

    // Values are put in as they are and not looked at again: a value that holds {{…}} is text.
    Result<Expanded> expand(std::string_view text, std::string_view pointer) const {
        Expanded expanded;
        for (;;) {
            const auto open = text.find("{{");
            expanded.text += text.substr(0, open);
            if (open == std::string_view::npos) return expanded;
            const auto close = text.find("}}", open);
            if (close == std::string_view::npos) return invalid(pointer, "a {{ without its }}");
            const auto name = text.substr(open + 2, close - open - 2);
            const auto* variable = find_variable(name);
            const std::string shown = "{{" + std::string(name) + "}}";
            if (variable == nullptr) return invalid(pointer, shown + " is not a variable");
            if (variable->claim == Claim::distinguished_name)
                return invalid(pointer, shown + " stands for a whole subject and nothing else");
            auto value = value_of(*variable, name, pointer);
            if (!value) return value.error();
            expanded.text += *value;
            expanded.used.emplace_back(variable->claim, shown);
            text.remove_prefix(close + 2);
        }
    }

    std::optional<Error> fill_subject(std::string_view text) {
        if (const auto* whole = whole_variable(text); whole != nullptr && whole->claim == Claim::distinguished_name) {
            const auto value = value_of(*whole, whole->name, k_subject);
            if (!value) return value.error();
            auto name = parse_name(*value);
            if (!name)
                return invalid(k_subject, "{{" + std::string(whole->name) + "}} (" + field_of(whole->claim) +
                                              ") is not a name: " + name.error().message);
            names_.subject = std::move(*name);
            names_.claims.push_back({whole->claim, std::string(k_subject), ""});
            for (auto& rdn : names_.subject.rdns)
                for (auto& attribute : rdn)
                    if (auto fault = check_attribute(attribute, " (" + field_of(whole->claim) + ")")) return fault;
            return std::nullopt;
        }
        auto name = parse_name(text);
        if (!name) return invalid(k_subject, name.error().message);
        for (auto& rdn : name->rdns) {
            for (auto& attribute : rdn) {
                auto expanded = expand(attribute.value, k_subject);
                if (!expanded) return expanded.error();
                attribute.value = std::move(expanded->text);
                std::string sources;
                for (const auto& [claim, shown] : expanded->used) {
                    names_.claims.push_back({claim, std::string(k_subject), attribute.type});
                    sources += (sources.empty() ? " (from " : ", ") + shown;
                }
                if (!sources.empty()) sources += ")";
                if (auto fault = check_attribute(attribute, sources)) return fault;
            }
        }
        names_.subject = std::move(*name);
        return std::nullopt;
    }

    // What the encoding could not hold is refused here, where it still has a name.
    static std::optional<Error> check_attribute(Attribute& attribute, const std::string& sources) {
        const std::string shown = attribute_name(attribute.type) + sources;
        const std::size_t bound = upper_bound_of(attribute.type);
        if (bound != 0 && character_count(attribute.value) > bound)
            return invalid(k_subject, shown + " is longer than " + std::to_string(bound) + " characters");
        if (attribute.type == oid::k_email_address) {
            auto mailbox = parse_mailbox(attribute.value);
            if (!mailbox) return invalid(k_subject, shown + ": " + mailbox.error().message);
            attribute.value = mailbox->text();
        }
        if (ascii_only(attribute.type) && !is_ascii(attribute.value))
            return invalid(k_subject, shown + " can hold ASCII only");
        if (attribute.type == oid::k_country && attribute.value.size() != 2)
            return invalid(k_subject, shown + " is a country code of two letters");
        return std::nullopt;
    }

    std::optional<Error> fill_alternative_name(const SanTemplate& san, const std::string& pointer) {
        auto expanded = expand(san.value, pointer);
        if (!expanded) return expanded.error();
        std::string& value = expanded->text;
        std::string sources;
        for (const auto& [claim, shown] : expanded->used) {
            names_.claims.push_back({claim, pointer, ""});
            sources += shown + ": ";
        }
        if (value.empty()) return invalid(pointer, "it is empty");
        if (has_control(value)) return invalid(pointer, "it holds a control character");
        switch (san.type) {
            case SanType::email: {
                const auto mailbox = parse_mailbox(value);
                if (!mailbox) return invalid(pointer, sources + mailbox.error().message);
                add(to_general_name(*mailbox), pointer);
                return std::nullopt;
            }
            case SanType::upn: add({NameForm::upn, std::move(value)}, pointer); return std::nullopt;
            case SanType::dns: {
                auto labels = to_a_labels(value);
                if (!labels) return invalid(pointer, sources + labels.error().message);
                add({NameForm::dns, std::move(*labels)}, pointer);
                return std::nullopt;
            }
            case SanType::uri: {
                const auto* whole = whole_variable(san.value);
                if (whole != nullptr && whole->claim == Claim::security_identifier)
                    value = security_identifier_uri(value);
                if (!is_absolute_uri(value)) return invalid(pointer, sources + "not a URI with a scheme");
                add({NameForm::uri, std::move(value)}, pointer);
                return std::nullopt;
            }
        }
        return std::nullopt;
    }

    // The variable that a template consists of, if it is just one.
    static const Variable* whole_variable(std::string_view text) {
        if (text.size() < 4 || text.substr(0, 2) != "{{" || text.substr(text.size() - 2) != "}}") return nullptr;
        return find_variable(text.substr(2, text.size() - 4));
    }

    void add(GeneralName name, const std::string& pointer) {
        const bool exact = name.form == NameForm::uri;
        const bool there =
            std::any_of(names_.alternative_names.begin(), names_.alternative_names.end(), [&](const auto& other) {
                return other.form == name.form &&
                       (exact ? other.value == name.value : ascii_equal(other.value, name.value));
            });
        if (there) return;
        names_.alternative_names.push_back(std::move(name));
        names_.pointers.push_back(pointer);
    }

    const User& user_;
    const Device& device_;
    FilledNames names_;
};

}  // namespace

std::string_view pointer_of(Claim claim) noexcept {
    switch (claim) {
        case Claim::user_principal_name: return "/user/userPrincipalName";
        case Claim::mail: return "/user/mail";
        case Claim::given_name: return "/user/givenName";
        case Claim::surname: return "/user/surname";
        case Claim::display_name: return "/user/displayName";
        case Claim::sam_account_name: return "/user/onPremisesSamAccountName";
        case Claim::distinguished_name: return "/user/onPremisesDistinguishedName";
        case Claim::security_identifier: return "/user/onPremisesSecurityIdentifier";
        case Claim::device_id: return "/device/id";
        case Claim::device_name: return "/device/name";
        case Claim::serial_number: return "/device/serialNumber";
        case Claim::imei: return "/device/imei";
        case Claim::azure_ad_device_id: return "/device/azureADDeviceId";
    }
    return "/";
}

Result<FilledNames> fill_names(const Profile& profile, const User& user, const Device& device) {
    return Filler(user, device).run(profile);
}

std::string security_identifier_uri(std::string_view security_identifier) {
    return "tag:microsoft.com,2022-09-14:sid:" + std::string(security_identifier);
}

}  // namespace connector::request
