#include "core/name.hpp"

#include "core/bytes.hpp"
#include "core/printable.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace connector {
namespace {

struct AttributeType {
    std::string_view oid;
    std::string_view name;
    std::size_t bound;
    bool ascii;
};
constexpr std::array k_types{
    AttributeType{oid::k_common_name, "CN", 64, false},
    AttributeType{oid::k_surname, "SN", 32768, false},
    AttributeType{oid::k_serial_number, "serialNumber", 64, true},
    AttributeType{oid::k_country, "C", 2, true},
    AttributeType{"2.5.4.7", "L", 128, false},
    AttributeType{"2.5.4.8", "ST", 128, false},
    AttributeType{"2.5.4.9", "STREET", 128, false},
    AttributeType{"2.5.4.10", "O", 64, false},
    AttributeType{"2.5.4.11", "OU", 64, false},
    AttributeType{"2.5.4.12", "title", 64, false},
    AttributeType{"2.5.4.15", "businessCategory", 128, false},
    AttributeType{"2.5.4.17", "postalCode", 40, false},
    AttributeType{oid::k_name, "name", 32768, false},
    AttributeType{oid::k_given_name, "givenName", 32768, false},
    AttributeType{oid::k_initials, "initials", 32768, false},
    AttributeType{oid::k_generation_qualifier, "generationQualifier", 32768, false},
    AttributeType{"2.5.4.46", "dnQualifier", 0, true},
    AttributeType{oid::k_pseudonym, "pseudonym", 128, false},
    AttributeType{"2.5.4.97", "organizationIdentifier", 0, false},
    AttributeType{oid::k_user_id, "UID", 256, false},
    AttributeType{oid::k_domain_component, "DC", 63, true},
    AttributeType{oid::k_email_address, "emailAddress", 255, true},
    AttributeType{oid::k_display_name, "displayName", 0, false},
};

// Other spellings: RFC 4519's long names, and those that certificate tools write.
constexpr std::array<std::pair<std::string_view, std::string_view>, 19> k_aliases{{
    {"commonName", oid::k_common_name},
    {"surname", oid::k_surname},
    {"countryName", oid::k_country},
    {"localityName", "2.5.4.7"},
    {"stateOrProvinceName", "2.5.4.8"},
    {"S", "2.5.4.8"},
    {"streetAddress", "2.5.4.9"},
    {"organizationName", "2.5.4.10"},
    {"organizationalUnitName", "2.5.4.11"},
    {"T", "2.5.4.12"},
    {"G", oid::k_given_name},
    {"GN", oid::k_given_name},
    {"I", oid::k_initials},
    {"userId", oid::k_user_id},
    {"domainComponent", oid::k_domain_component},
    {"E", oid::k_email_address},
    {"Email", oid::k_email_address},
    {"generation", oid::k_generation_qualifier},
    {"OI", "2.5.4.97"},
}};

const AttributeType* find_type(std::string_view oid) {
    const auto* found = std::find_if(k_types.begin(), k_types.end(), [&](const auto& type) { return type.oid == oid; });
    return found == k_types.end() ? nullptr : found;
}

Error not_a_name(const std::string& message) {
    constexpr std::size_t k_longest_message = 400;
    return Error(ErrorKind::invalid, "invalidRequest", printable(message, k_longest_message));
}

// RFC 4514 2.4: these stand in a string value only behind a backslash. `;` separated names in RFC 1779; it is refused
// rather than guessed at.
bool needs_escape(char c) {
    return std::string_view("\"+,;<>\\").find(c) != std::string_view::npos;
}

class Parser {
public:
    explicit Parser(std::string_view text) : text_(text) {}

    Result<Name> run() {
        Name name;
        skip_spaces();
        if (at_end()) return name;
        for (;;) {
            std::vector<Attribute> rdn;
            for (;;) {
                auto attribute = read_attribute();
                if (!attribute) return attribute.error();
                // X.501 9.3: no two values of one type in an RDN; a reader that takes the first would see another name.
                for (const auto& before : rdn)
                    if (before.type == attribute->type)
                        return not_a_name(attribute_name(before.type) + " stands twice in one RDN");
                rdn.push_back(std::move(*attribute));
                if (at_end() || text_[at_] != '+') break;
                ++at_;
            }
            name.rdns.push_back(std::move(rdn));
            if (at_end()) break;
            ++at_;  // the comma that read_attribute() stopped at
        }
        std::reverse(name.rdns.begin(), name.rdns.end());
        return name;
    }

private:
    [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
    void skip_spaces() {
        while (!at_end() && text_[at_] == ' ') ++at_;
    }

    Result<Attribute> read_attribute() {
        skip_spaces();
        const std::size_t first = at_;
        while (!at_end() && text_[at_] != '=' && !needs_escape(text_[at_])) ++at_;
        std::string_view type = text_.substr(first, at_ - first);
        while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
        if (at_end() || text_[at_] != '=') {
            if (type.empty()) return not_a_name("an attribute is missing beside a separator");
            return not_a_name("\"" + std::string(type) + "\" is not attribute=value (in a value \\, and \\+ are data)");
        }
        ++at_;
        std::string oid = attribute_oid(type);
        if (oid.empty()) return not_a_name("unknown attribute name \"" + std::string(type) + "\"");
        auto value = read_value(attribute_name(oid));
        if (!value) return value.error();
        return Attribute{std::move(oid), std::move(*value)};
    }

    Result<std::string> read_value(const std::string& attribute) {
        skip_spaces();
        std::string value;
        if (!at_end() && text_[at_] == '#')
            return not_a_name(attribute + ": #hex values are not taken, write the value as text");
        const bool quoted = !at_end() && text_[at_] == '"';
        if (auto fault = quoted ? read_quoted(attribute, value) : read_plain(attribute, value)) return *fault;
        if (value.empty()) return not_a_name(attribute + " has no value");
        if (has_control(value)) return not_a_name(attribute + " holds a control character or is not UTF-8");
        return value;
    }

    std::optional<Error> read_plain(const std::string& attribute, std::string& value) {
        std::size_t keep = 0;  // trailing spaces are the separator's, escaped ones the value's
        while (!at_end()) {
            const char c = text_[at_];
            if (c == ',' || c == '+') break;
            if (c == '\\') {
                if (auto fault = read_escape(attribute, value)) return fault;
                keep = value.size();
                continue;
            }
            if (needs_escape(c))
                return not_a_name(attribute + ": " + std::string(1, c) + " must be written \\" + std::string(1, c));
            value.push_back(c);
            if (c != ' ') keep = value.size();
            ++at_;
        }
        value.resize(keep);
        return std::nullopt;
    }

    std::optional<Error> read_quoted(const std::string& attribute, std::string& value) {
        ++at_;
        while (!at_end() && text_[at_] != '"') {
            if (text_[at_] == '\\') {
                if (auto fault = read_escape(attribute, value)) return fault;
            } else {
                value.push_back(text_[at_++]);
            }
        }
        if (at_end()) return not_a_name(attribute + ": a quoted value without its closing quote");
        ++at_;
        skip_spaces();
        if (!at_end() && text_[at_] != ',' && text_[at_] != '+')
            return not_a_name(attribute + ": text after a quoted value");
        return std::nullopt;
    }

    std::optional<Error> read_escape(const std::string& attribute, std::string& value) {
        const auto rest = text_.substr(at_ + 1);
        if (!rest.empty() && (needs_escape(rest[0]) || rest[0] == ' ' || rest[0] == '#' || rest[0] == '=')) {
            value.push_back(rest[0]);
            at_ += 2;
            return std::nullopt;
        }
        if (rest.size() >= 2) {
            if (const auto octets = from_hex(rest.substr(0, 2))) {
                value += text_of(*octets);
                at_ += 3;
                return std::nullopt;
            }
        }
        return not_a_name(attribute + ": a backslash that escapes nothing");
    }

    std::string_view text_;
    std::size_t at_ = 0;
};

std::string escaped(std::string_view value) {
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        const char c = value[i];
        const bool outer_space = c == ' ' && (i == 0 || i + 1 == value.size());
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
            text += '\\' + to_hex(bytes_of(value.substr(i, 1)));
        } else if (needs_escape(c) || outer_space || (c == '#' && i == 0)) {
            text += {'\\', c};
        } else {
            text += c;
        }
    }
    return text;
}

// An RDN is a set: its encoding order says nothing.
std::vector<std::pair<std::string, std::string>> comparable(const std::vector<Attribute>& rdn) {
    std::vector<std::pair<std::string, std::string>> values;
    values.reserve(rdn.size());
    for (const auto& attribute : rdn) values.emplace_back(attribute.type, folded(attribute.value));
    std::sort(values.begin(), values.end());
    return values;
}

}  // namespace

Result<Name> parse_name(std::string_view text) {
    return Parser(text).run();
}

std::string to_text(const Name& name) {
    std::string text;
    for (auto rdn = name.rdns.rbegin(); rdn != name.rdns.rend(); ++rdn) {
        if (rdn != name.rdns.rbegin()) text += ',';
        for (std::size_t i = 0; i < rdn->size(); ++i) {
            if (i != 0) text += '+';
            text += attribute_name((*rdn)[i].type) + '=' + escaped((*rdn)[i].value);
        }
    }
    return text;
}

bool same_name(const Name& left, const Name& right) {
    return std::equal(left.rdns.begin(), left.rdns.end(), right.rdns.begin(), right.rdns.end(),
                      [](const auto& a, const auto& b) { return comparable(a) == comparable(b); });
}

std::string attribute_oid(std::string_view name) {
    constexpr std::string_view k_prefix = "oid.";  // RFC 2253 4
    if (name.size() > k_prefix.size() && ascii_equal(name.substr(0, k_prefix.size()), k_prefix)) {
        name.remove_prefix(k_prefix.size());
        return is_dotted_oid(name) ? std::string(name) : std::string();
    }
    if (is_dotted_oid(name)) return std::string(name);
    for (const auto& type : k_types)
        if (ascii_equal(type.name, name)) return std::string(type.oid);
    for (const auto& [alias, oid] : k_aliases)
        if (ascii_equal(alias, name)) return std::string(oid);
    return {};
}

std::string attribute_name(std::string_view oid) {
    const auto* type = find_type(oid);
    return std::string(type == nullptr ? oid : type->name);
}

std::size_t upper_bound_of(std::string_view oid) {
    const auto* type = find_type(oid);
    return type == nullptr ? 0 : type->bound;
}

bool ascii_only(std::string_view oid) {
    const auto* type = find_type(oid);
    return type != nullptr && type->ascii;
}

bool is_dotted_oid(std::string_view text) {
    constexpr std::size_t k_longest = 128;
    if (text.size() > k_longest) return false;
    std::vector<std::string_view> arcs;
    for (std::size_t at = 0;;) {
        const auto dot = text.find('.', at);
        const auto arc = text.substr(at, dot == std::string_view::npos ? dot : dot - at);
        const bool digits = std::all_of(arc.begin(), arc.end(), [](char c) { return c >= '0' && c <= '9'; });
        if (arc.empty() || !digits || (arc.size() > 1 && arc[0] == '0')) return false;
        arcs.push_back(arc);
        if (dot == std::string_view::npos) break;
        at = dot + 1;
    }
    if (arcs.size() < 2 || arcs[0].size() != 1 || arcs[0][0] > '2') return false;
    const bool second_below_40 = arcs[1].size() == 1 || (arcs[1].size() == 2 && arcs[1][0] < '4');
    return arcs[0] == "2" || second_below_40;
}

}  // namespace connector
