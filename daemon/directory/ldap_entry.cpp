#include "daemon/directory/ldap_entry.hpp"

#include "core/text.hpp"

#include <ldap.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace connector::directory {
namespace {

using Attributes = std::map<std::string, std::vector<std::string>, std::less<>>;

// What is asked for beside the configured names: whether an entry counts.
constexpr std::string_view k_object_class = "objectclass";
constexpr std::string_view k_account_control = "useraccountcontrol";
constexpr std::string_view k_account_expires = "accountexpires";
constexpr std::string_view k_account_lock = "nsaccountlock";
constexpr std::string_view k_login_disabled = "logindisabled";
constexpr std::string_view k_locked_time = "pwdaccountlockedtime";
constexpr std::string_view k_shadow_expire = "shadowexpire";
constexpr std::array k_standing{k_object_class,   k_account_control, k_account_expires, k_account_lock,
                                k_login_disabled, k_locked_time,     k_shadow_expire};

const std::vector<std::string>& values_of(const Entry& entry, std::string_view name) {
    static const std::vector<std::string> k_none;
    if (name.empty()) return k_none;
    const auto found = entry.attributes.find(ascii_lower(name));
    return found == entry.attributes.end() ? k_none : found->second;
}

// A name that people could not tell from another is left out.
bool fit(const std::string& value) {
    constexpr std::size_t k_longest = 1024;
    return !value.empty() && value.size() <= k_longest && !has_control(value);
}

std::vector<std::string> fit_values(const Entry& entry, std::string_view name) {
    std::vector<std::string> values;
    for (const auto& value : values_of(entry, name))
        if (fit(value)) values.push_back(value);
    return values;
}

// Two values leave it open which is meant.
std::optional<std::string> only_value(const Entry& entry, std::string_view name) {
    const auto& values = values_of(entry, name);
    if (values.size() != 1 || !fit(values[0])) return std::nullopt;
    return values[0];
}

std::optional<std::int64_t> number_of(std::string_view text) {
    std::int64_t number = 0;
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

bool is_true(const std::vector<std::string>& values) {
    return std::any_of(values.begin(), values.end(), [](const auto& value) { return ascii_equal(value, "TRUE"); });
}

template <class Kind>
bool is_one(const Entries& found, Kind& kind) {
    const bool several = found.more || found.entries.size() > 1;
    kind.found = several ? trust::Found::several : found.entries.empty() ? trust::Found::none : trust::Found::one;
    if (kind.found != trust::Found::one) return false;
    kind.entry = standing_of(found.entries[0]);
    return true;
}

void add(std::vector<std::string>& names, std::string_view name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

// FILETIME: tenths of microseconds since 1601.
std::optional<UtcTime> time_of_file_time(std::int64_t ticks) {
    constexpr std::int64_t k_per_second = 10'000'000;
    constexpr std::int64_t k_from_1601_to_1970 = 11'644'473'600;
    return UtcTime{std::chrono::seconds{ticks / k_per_second - k_from_1601_to_1970}};
}

}  // namespace

std::string filled_filter(std::string_view pattern, std::string_view place, std::string_view value) {
    std::string raw(value);
    berval in{raw.size(), raw.data()};
    berval out{0, nullptr};
    std::string escaped;
    if (!raw.empty() && ::ldap_bv2escaped_filter_value(&in, &out) == 0) {
        escaped.assign(out.bv_val, out.bv_len);
        // The library gives its input back where nothing needed an escape.
        if (out.bv_val != raw.data()) ::ldap_memfree(out.bv_val);
    }
    std::string filled;
    for (;;) {
        const auto at = pattern.find(place);
        filled += pattern.substr(0, at);
        if (at == std::string_view::npos) return filled;
        filled += escaped;
        pattern.remove_prefix(at + place.size());
    }
}

std::string canonical_name(const std::string& text) {
    char* out = nullptr;
    if (text.empty() || ::ldap_dn_normalize(text.c_str(), LDAP_DN_FORMAT_LDAPV3, &out, LDAP_DN_FORMAT_LDAPV3) != 0)
        return "";
    std::string name(out == nullptr ? "" : out);
    ::ldap_memfree(out);
    return name;
}

std::vector<std::string> person_attributes(const config::Directory& settings) {
    std::vector<std::string> names(k_standing.begin(), k_standing.end());
    for (const auto& name : {settings.upn_attribute, settings.given_name_attribute, settings.surname_attribute,
                             settings.display_name_attribute, settings.account_attribute, settings.sid_attribute})
        add(names, name);
    for (const auto& name : settings.mail_attributes) add(names, name);
    return names;
}

std::vector<std::string> device_attributes(const config::Directory& settings) {
    std::vector<std::string> names(k_standing.begin(), k_standing.end());
    add(names, settings.owner_attribute);
    return names;
}

trust::DirectoryEntry standing_of(const Entry& entry) {
    constexpr std::int64_t k_account_disable = 0x2;  // [MS-ADTS] 2.2.16
    constexpr std::int64_t k_never = INT64_MAX;
    trust::DirectoryEntry standing;
    standing.distinguished_name = entry.distinguished_name;
    const auto disable = [&](std::string why) {
        if (!standing.disabled) standing.disabled = std::move(why);
    };
    const auto end_at = [&](UtcTime when) {
        if (!standing.valid_until || when < *standing.valid_until) standing.valid_until = when;
    };
    const auto& classes = values_of(entry, k_object_class);
    // Computers of Active Directory are users, too.
    const bool of_active_directory =
        std::any_of(classes.begin(), classes.end(), [](const auto& name) { return ascii_equal(name, "user"); });
    const auto& control = values_of(entry, k_account_control);
    if (control.empty() && of_active_directory)
        disable("userAccountControl cannot be read, so that a disabled account would not be seen");
    for (const auto& value : control) {
        const auto bits = number_of(value);
        if (!bits || (*bits & k_account_disable) != 0) disable("it is disabled (userAccountControl)");
    }
    for (const auto& value : values_of(entry, k_account_expires)) {
        const auto ticks = number_of(value);
        if (!ticks || *ticks < 0)
            disable("accountExpires is not a time");
        else if (*ticks != 0 && *ticks != k_never)
            end_at(*time_of_file_time(*ticks));
    }
    if (is_true(values_of(entry, k_account_lock))) disable("it is disabled (nsAccountLock)");
    if (is_true(values_of(entry, k_login_disabled))) disable("it is disabled (loginDisabled)");
    for (const auto& value : values_of(entry, k_locked_time))
        // For good, by an administrator; any other time is of wrong passwords, which anybody can type.
        if (value.starts_with("000001010000")) disable("it is disabled (pwdAccountLockedTime)");
    for (const auto& value : values_of(entry, k_shadow_expire)) {
        const auto days = number_of(value);
        if (!days || *days > 1'000'000)
            disable("shadowExpire is not a day");
        else if (*days >= 0)
            end_at(UtcTime{std::chrono::hours{24 * *days}});
    }
    return standing;
}

trust::DirectoryPerson person_of(const Entries& found, const config::Directory& settings) {
    trust::DirectoryPerson person;
    if (!is_one(found, person)) return person;
    const Entry& entry = found.entries[0];
    person.user_principal_names = fit_values(entry, settings.upn_attribute);
    for (const auto& name : settings.mail_attributes)
        for (auto& value : fit_values(entry, name)) person.mailboxes.push_back(std::move(value));
    person.given_name = only_value(entry, settings.given_name_attribute);
    person.surname = only_value(entry, settings.surname_attribute);
    person.display_name = only_value(entry, settings.display_name_attribute);
    person.sam_account_name = only_value(entry, settings.account_attribute);
    if (const auto& values = values_of(entry, settings.sid_attribute); values.size() == 1)
        person.security_identifier = security_identifier_of(values[0]);
    return person;
}

trust::DirectoryDevice device_of(const Entries& found, const config::Directory& settings) {
    trust::DirectoryDevice device;
    if (!is_one(found, device)) return device;
    // A value that is left out would make one owner of two.
    for (const auto& value : values_of(found.entries[0], settings.owner_attribute)) {
        const auto name = canonical_name(value);
        device.owners.push_back(name.empty() ? value : name);
    }
    return device;
}

std::optional<std::string> security_identifier_of(std::string_view value) {
    constexpr std::size_t k_head = 8;
    constexpr std::size_t k_most_parts = 15;
    if (value.starts_with("S-1-")) {
        const bool plain = value.size() <= 184 && std::all_of(value.begin() + 4, value.end(), [](char c) {
                               return (c >= '0' && c <= '9') || c == '-';
                           });
        return plain ? std::optional<std::string>(value) : std::nullopt;
    }
    const ByteView octets = bytes_of(value);
    if (octets.size() < k_head || octets[0] != 1) return std::nullopt;
    const std::size_t parts = octets[1];
    if (parts == 0 || parts > k_most_parts || octets.size() != k_head + 4 * parts) return std::nullopt;
    std::uint64_t authority = 0;
    for (std::size_t i = 2; i < k_head; ++i) authority = authority << 8U | octets[i];
    std::string text = "S-1-" + std::to_string(authority);
    for (std::size_t part = 0; part < parts; ++part) {
        std::uint32_t number = 0;
        for (std::size_t i = 4; i-- > 0;) number = number << 8U | octets[k_head + 4 * part + i];
        text += "-" + std::to_string(number);
    }
    return text;
}

}  // namespace connector::directory
