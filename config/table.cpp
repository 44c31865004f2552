#include "config/table.hpp"

#include "config/rows.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace connector::config {
namespace {

constexpr unsigned k_run = bit(Need::run);
constexpr unsigned k_import = bit(Need::import_tool);
constexpr unsigned k_enroll = bit(Need::enroll);
constexpr unsigned k_local_ca = bit(Need::local_ca);
constexpr unsigned k_control = bit(Need::control);

constexpr std::array<Section, 20> k_sections{{
    {"management", "The management service: where requests come from.", k_run | k_import | k_enroll},
    {"connector", "This connector.", k_run | k_enroll},
    {"storage", "The database.", k_run | k_enroll | k_local_ca | k_control},
    {"sealing", "The key that seals the database.", k_run | k_control},
    {"delivery", "What signs deliveries.", k_run},
    {"recipients", "Which device may receive, and whose it is.", k_run},
    {"policy", "What may be certified.", k_run},
    {"directory", "The directory (LDAP), where recipients.binding or policy.identity ask it.", k_run, true, true},
    {"importer", "Who may import certificates.", k_run | k_import},
    {"limits", "How much may happen: 0 is no limit, above it is held, at twice the kind stops until `thaw`.", k_run},
    {"import.*", "An import key. A record's key is the table whose two names both equal the record's.",
     k_run | k_import},
    {"crypto", "How keys are made.", k_run},
    {"authority.*", "A certification authority, called NAME by the service.", k_run | k_local_ca},
    {"authority.*.breaker", "When an authority that fails is left alone.", k_run | k_local_ca},
    {"authority.*.template.*", "What the service calls ALIAS.", k_run | k_local_ca},
    {"log", "The log.", k_run | k_local_ca},
    {"audit", "The audit log.", k_run | k_local_ca | k_control},
    {"health", "Health, metrics and the page.", k_run},
    {"control", "The command line's way to the daemon.", k_run | k_control},
    {"notify", "Mail about events.", k_run, true, true},
}};

// Edits (insert, delete, replace, swap of neighbours) between two short words.
std::size_t distance(std::string_view left, std::string_view right) {
    std::vector<std::vector<std::size_t>> cost(left.size() + 1, std::vector<std::size_t>(right.size() + 1));
    for (std::size_t i = 0; i <= left.size(); ++i) cost[i][0] = i;
    for (std::size_t j = 0; j <= right.size(); ++j) cost[0][j] = j;
    for (std::size_t i = 1; i <= left.size(); ++i)
        for (std::size_t j = 1; j <= right.size(); ++j) {
            const std::size_t other = left[i - 1] == right[j - 1] ? 0 : 1;
            cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + other});
            if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
                cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
        }
    return cost[left.size()][right.size()];
}

// `-` and capitals are slips of the hand, not other names.
std::string as_key(std::string_view text) {
    std::string plain = ascii_lower(text.substr(0, 64));
    std::replace(plain.begin(), plain.end(), '-', '_');
    return plain;
}

class Nearest {
public:
    explicit Nearest(std::string_view wanted) : wanted_(as_key(wanted)) {}
    void look_at(std::string_view name) {
        const std::size_t edits = distance(wanted_, name);
        // A word and its longer form are near, however long the rest: `domains`, `allowed_mail_domains`.
        const bool part = wanted_.size() >= 4 && (name.find(wanted_) != std::string_view::npos ||
                                                  (name.size() >= 4 && wanted_.find(name) != std::string::npos));
        const std::size_t allowed = std::max<std::size_t>(1, std::max(wanted_.size(), name.size()) / 3);
        const std::size_t rank = edits <= allowed ? edits
                                 : part           ? 100 + edits
                                                  : std::numeric_limits<std::size_t>::max();
        if (rank < best_) {
            best_ = rank;
            name_ = name;
        }
    }
    [[nodiscard]] std::string_view name() const { return name_; }

private:
    std::string wanted_;
    std::string_view name_;
    std::size_t best_ = std::numeric_limits<std::size_t>::max();
};

std::string words_of(std::span<const Choice> choices, bool built_only) {
    std::vector<std::string_view> words;
    for (const Choice& choice : choices)
        if (choice.built || !built_only) words.push_back(choice.word);
    std::string text;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i != 0) text += i + 1 == words.size() ? " or " : ", ";
        text += '"' + std::string(words[i]) + '"';
    }
    return text;
}

}  // namespace

std::span<const Section> sections() noexcept {
    return k_sections;
}

std::span<const Key> keys() noexcept {
    static const std::vector<Key> all = [] {
        std::vector<Key> joined;
        for (const Section& section : k_sections)
            for (const auto part : {daemon_keys(), request_keys(), directory_keys(), notify_keys()})
                std::copy_if(part.begin(), part.end(), std::back_inserter(joined),
                             [&](const Key& key) { return key.section == section.name; });
        return joined;
    }();
    return all;
}

const Section* find_section(std::string_view name) noexcept {
    const auto* found = std::find_if(k_sections.begin(), k_sections.end(),
                                     [&](const Section& section) { return section.name == name; });
    return found == k_sections.end() ? nullptr : found;
}

const Key* find_key(std::string_view section, std::string_view name) noexcept {
    for (const Key& key : keys())
        if (key.section == section && key.name == name) return &key;
    return nullptr;
}

std::string nearest_key(std::string_view section, std::string_view name) {
    // The very name in another table: it was put into the wrong one.
    for (const Key& key : keys())
        if (key.section != section && key.name == as_key(name) && key.section.find('*') == std::string_view::npos &&
            find_key(section, as_key(name)) == nullptr)
            return std::string(key.section) + "." + std::string(key.name);
    Nearest nearest(name);
    for (const Key& key : keys())
        if (key.section == section) nearest.look_at(key.name);
    return std::string(nearest.name());
}

std::string nearest_section(std::string_view name) {
    Nearest nearest(name);
    for (const Section& section : k_sections) nearest.look_at(section.name.substr(0, section.name.find('.')));
    return std::string(nearest.name());
}

std::string expected_form(const Key& key) {
    const auto with = [&](std::string_view base) {
        return std::string(base) + (key.constraint.empty() ? "" : " (" + std::string(key.constraint) + ")");
    };
    switch (key.type) {
        case ValueType::text: return with("a text in quotes");
        case ValueType::integer: {
            const std::string least = std::to_string(key.least);
            return "a whole number from " + least + " to " + std::to_string(key.most);
        }
        case ValueType::boolean: return "true or false";
        case ValueType::choice: return words_of(key.choices, true);
        case ValueType::choice_list: return "a list of " + words_of(key.choices, true);
        case ValueType::text_list: return with("a list of texts");
        case ValueType::path: return with("a path in quotes");
        case ValueType::path_list: return "a list of paths";
        case ValueType::secret: return R"("credential:NAME" or "file:PATH")";
        case ValueType::key_file: return R"(a path, "credential:NAME" or "file:PATH")";
    }
    return "";
}

std::string choices_explained(std::span<const Choice> choices) {
    std::string built;
    std::string later;
    for (const Choice& choice : choices) {
        std::string& list = choice.built ? built : later;
        if (!list.empty()) list += "; ";
        list += '"' + std::string(choice.word) + '"';
        if (!choice.meaning.empty()) list += ": " + std::string(choice.meaning);
    }
    return "choose " + built + (later.empty() ? "" : ". Not built yet: " + later);
}

bool is_left_open(const Key& key) noexcept {
    return key.type == ValueType::choice && key.required != nullptr && key.default_value.empty() &&
           key.section.find('*') == std::string_view::npos;
}

namespace when {
namespace {
bool on(const Settings& settings, std::initializer_list<request::Kind> kinds) noexcept {
    return std::any_of(kinds.begin(), kinds.end(), [&](request::Kind kind) { return settings.connector.does(kind); });
}
}  // namespace

bool run(const Settings&, Need need) noexcept {
    return need == Need::run;
}
bool service_is_called(const Settings&, Need need) noexcept {
    return need == Need::run || need == Need::enroll || need == Need::import_tool;
}
bool import_tool(const Settings&, Need need) noexcept {
    return need == Need::import_tool;
}
bool keys_are_delivered(const Settings& settings, Need need) noexcept {
    using request::Kind;
    return need == Need::run && on(settings, {Kind::pkcs_issue, Kind::pkcs_renew, Kind::pfx_deliver});
}
bool names_are_certified(const Settings& settings, Need need) noexcept {
    using request::Kind;
    return need == Need::run && on(settings, {Kind::pkcs_issue, Kind::pkcs_renew});
}
bool directory_is_asked(const Settings& settings, Need need) noexcept {
    return device_owner_is_asked(settings, need) ||
           (keys_are_delivered(settings, need) && settings.policy.identity == trust::IdentitySource::directory);
}
bool device_owner_is_asked(const Settings& settings, Need need) noexcept {
    return keys_are_delivered(settings, need) && settings.recipients.rules.binding == trust::Binding::directory;
}
bool statements_are_asked(const Settings& settings, Need need) noexcept {
    return keys_are_delivered(settings, need) && settings.recipients.rules.binding == trust::Binding::statement;
}
bool mail_domains_decide(const Settings& settings, Need need) noexcept {
    return names_are_certified(settings, need) || (need == Need::run && on(settings, {request::Kind::pfx_deliver}) &&
                                                   settings.importer.rules.address == trust::AddressRule::domain);
}
bool signatures_are_checked(const Settings& settings, Need need) noexcept {
    return need == Need::run && on(settings, {request::Kind::pfx_deliver}) &&
           settings.importer.rules.signatures != trust::SignatureRule::off;
}

}  // namespace when

}  // namespace connector::config
