// The one table of configuration keys: name, type, default, constraint, what needs it, what it means, and where its
// value goes in Settings. Loading, the nearest known name of a misspelt key, the manual and the example file all come
// from it; the operator contract decides the names.
// Values only, any thread.
#pragma once

#include "config/settings.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace connector::config {

enum class ValueType { text, integer, boolean, choice, choice_list, text_list, path, path_list, secret, key_file };

// One word a key may have. What is not built yet is known, so that it gets an answer and not a guess.
struct Choice {
    std::string_view word;
    std::string_view meaning{};  // a sentence, where the choice needs explaining
    bool built = true;
};

// A value that has its type and its constraint; which member counts follows from Key::type.
struct Value {
    std::string text;
    std::int64_t number = 0;
    bool flag = false;
    std::vector<std::string> texts;
    std::size_t choice = 0;  // index into Key::choices
    std::vector<std::size_t> choices;
    std::filesystem::path path;
    std::vector<std::filesystem::path> paths;
    SecretRef secret;
};

// Where a value goes: the Settings, and inside map-style tables the element being read.
struct Target {
    Settings& settings;
    Authority* authority = nullptr;
    AuthorityTemplate* authority_template = nullptr;
    ImportKey* import_key = nullptr;
    std::optional<AuthorityType> authority_type{};  // of `authority`, where the file says it
};

struct Key {
    std::string_view section;  // "management"; "authority.*", "authority.*.template.*", "import.*" where * is a name
    std::string_view name;
    ValueType type = ValueType::text;
    // TOML, read through the same code as the operator's value; "" = none.
    std::string_view default_value{};
    // What stands in the manual where the default is not a constant: "storage.directory/connector.crt".
    std::string_view default_note{};
    std::int64_t least = 0;
    std::int64_t most = 0;
    std::span<const Choice> choices{};
    // A value that is part of the sentence "KEY must be …", or nullopt where the text is fit.
    std::optional<std::string> (*check)(std::string_view text) = nullptr;
    std::string_view constraint{};  // what `check` wants, for the manual
    bool may_be_empty = false;      // "" is taken, unchecked
    bool must_exist = false;        // a path: the file is there and readable
    // Required where this says so; `needed_by` is the same in words.
    bool (*required)(const Settings& settings, Need need) = nullptr;
    std::string_view needed_by{};
    std::string_view sample{};  // TOML for the example file, where the key has no default
    std::string_view description{};
    bool built = true;                        // false: only the default is taken
    std::optional<AuthorityType> only_for{};  // a key of that type of authority and of no other
    void (*set)(const Target& target, const Value& value) = nullptr;
};

struct Section {
    std::string_view name;
    std::string_view description;
    unsigned needs;  // bits of the Needs that look at it
    bool built = true;
    bool optional = false;  // most have no use for it: all of it is a comment in the example file
};
[[nodiscard]] constexpr unsigned bit(Need need) noexcept {
    return 1U << static_cast<unsigned>(need);
}

[[nodiscard]] std::span<const Section> sections() noexcept;
[[nodiscard]] std::span<const Key> keys() noexcept;
[[nodiscard]] const Section* find_section(std::string_view name) noexcept;
[[nodiscard]] const Key* find_key(std::string_view section, std::string_view name) noexcept;

// The nearest known name: "url" for "ulr"; "policy.max_validity_days" where the key belongs to another table; "" where
// nothing is near. `kind` of the names: keys of a section, or section names.
[[nodiscard]] std::string nearest_key(std::string_view section, std::string_view name);
[[nodiscard]] std::string nearest_section(std::string_view name);

// "text", "whole number 1 to 500", `"a" or "b"`: for messages and the manual.
[[nodiscard]] std::string expected_form(const Key& key);

// Who says what, and what it means: for the keys that have no default because they decide whom to believe.
[[nodiscard]] std::string choices_explained(std::span<const Choice> choices);
// Whether a key is such a one: nobody can choose for the operator.
[[nodiscard]] bool is_left_open(const Key& key) noexcept;

// docs/configuration.md.
[[nodiscard]] std::string manual_markdown();
// docs/connector.example.toml: what is needed stands there to be filled in, all else as a comment with its default.
[[nodiscard]] std::string example_toml();

}  // namespace connector::config
