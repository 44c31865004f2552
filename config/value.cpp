#include "config/value.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <stdexcept>

namespace connector::config {
namespace {

namespace fs = std::filesystem;

std::string_view kind_of(const toml::node& node) {
    switch (node.type()) {
        case toml::node_type::string: return "a text";
        case toml::node_type::integer: return "a whole number";
        case toml::node_type::floating_point: return "a number with a fraction";
        case toml::node_type::boolean: return "true or false";
        case toml::node_type::array: return "a list";
        case toml::node_type::table: return "a table";
        case toml::node_type::date:
        case toml::node_type::time:
        case toml::node_type::date_time: return "a date or time";
        case toml::node_type::none: break;
    }
    return "nothing";
}

std::string in_quotes(std::string_view text) {
    return '"' + printable(text, 100) + '"';
}

std::string list_of(std::span<const Choice> choices, bool built) {
    std::string text;
    for (const Choice& choice : choices) {
        if (choice.built != built) continue;
        text += (text.empty() ? "" : ", ") + std::string(choice.word);
    }
    return text;
}

// RFC 7512 names that put a PIN, or foreign code, into a URI.
bool names_pin_or_module(std::string_view uri) {
    const std::string lower = ascii_lower(uri);
    for (const auto* name : {"pin-value", "pin-source", "module-path", "module-name"})
        if (lower.find(name) != std::string::npos) return true;
    return false;
}

class Reader {
public:
    Reader(const Key& key, const fs::path& base) : key_(key), base_(base) {}

    Reading read(const toml::node& node) {
        switch (key_.type) {
            case ValueType::text:
                if (const auto* text = as_text(node)) read_text(node, *text);
                break;
            case ValueType::integer: read_integer(node); break;
            case ValueType::boolean:
                if (const auto* flag = node.as_boolean())
                    reading_.value.flag = flag->get();
                else
                    wrong_type(node);
                break;
            case ValueType::choice:
                if (const auto* text = as_text(node))
                    if (const auto index = choice_of(node, *text)) reading_.value.choice = *index;
                break;
            case ValueType::path:
                if (const auto* text = as_text(node))
                    if (const auto path = path_of(node, *text)) {
                        reading_.value.text = *text;
                        reading_.value.path = *path;
                    }
                break;
            case ValueType::secret:
            case ValueType::key_file: read_secret_ref(node); break;
            case ValueType::choice_list:
            case ValueType::text_list:
            case ValueType::path_list: read_list(node); break;
        }
        return std::move(reading_);
    }

private:
    void complain(const toml::node& node, std::string message, std::string hint = "") {
        const auto where = node.source().begin;
        reading_.complaints.push_back({where.line, where.column, std::move(message), std::move(hint)});
    }
    void wrong_type(const toml::node& node) {
        complain(node, "must be " + expected_form(key_) + ", and is " + std::string(kind_of(node)));
    }

    const std::string* as_text(const toml::node& node) {
        const auto* text = node.as_string();
        if (text == nullptr) {
            wrong_type(node);
            return nullptr;
        }
        if (printable(text->get(), text->get().size() + 1) != text->get()) {
            complain(node, "has characters that cannot be seen", "write the value anew by hand");
            return nullptr;
        }
        if (text->get().size() > 4096) {
            complain(node, "is longer than 4096 octets");
            return nullptr;
        }
        return &text->get();
    }

    bool check(const toml::node& node, const std::string& text) {
        if (key_.check == nullptr || (text.empty() && key_.may_be_empty)) return true;
        const auto wanted = key_.check(text);
        if (wanted) complain(node, "must be " + *wanted + ", and is " + in_quotes(text));
        return !wanted;
    }

    void read_text(const toml::node& node, const std::string& text) {
        if (check(node, text)) reading_.value.text = text;
    }

    void read_integer(const toml::node& node) {
        const auto* number = node.as_integer();
        if (number == nullptr) return wrong_type(node);
        if (number->get() < key_.least || number->get() > key_.most)
            return complain(node, "must be " + expected_form(key_) + ", and is " + std::to_string(number->get()));
        reading_.value.number = number->get();
    }

    std::optional<std::size_t> choice_of(const toml::node& node, const std::string& word) {
        const auto found = std::find_if(key_.choices.begin(), key_.choices.end(),
                                        [&](const Choice& choice) { return choice.word == word; });
        if (found == key_.choices.end()) {
            complain(node, "must be " + expected_form(key_) + ", and is " + in_quotes(word),
                     is_left_open(key_) ? choices_explained(key_.choices) : "");
            return std::nullopt;
        }
        if (!found->built) {
            complain(node, in_quotes(word) + " is not built yet", "built are: " + list_of(key_.choices, true));
            return std::nullopt;
        }
        return static_cast<std::size_t>(found - key_.choices.begin());
    }

    std::optional<fs::path> path_of(const toml::node& node, const std::string& text) {
        if (text.empty() && key_.may_be_empty) return fs::path();
        if (text.empty()) {
            complain(node, "must be " + expected_form(key_) + ", and is empty");
            return std::nullopt;
        }
        return (base_ / text).lexically_normal();
    }

    // No message here holds the value: it may be the secret itself, written where only its place belongs.
    void read_secret_ref(const toml::node& node) {
        const std::string form = expected_form(key_);
        const auto* found = node.as_string();
        if (found == nullptr) return wrong_type(node);
        const std::string& text = found->get();
        const auto begins = [&](std::string_view prefix) { return std::string_view(text).starts_with(prefix); };
        const auto rest = [&](std::string_view prefix) { return text.substr(prefix.size()); };
        SecretRef& secret = reading_.value.secret;

        if (begins("credential:")) {
            const std::string name = rest("credential:");
            if (name.empty() || name.find('/') != std::string::npos || name[0] == '.' || printable(name) != name)
                return complain(node, "must be " + form + "; a credential's name is not empty and has no `/`");
            secret = {SecretRef::Source::credential, name, {}};
            return;
        }
        if (begins("pkcs11:") && names_pin_or_module(text))
            return complain(node, "must not name a PIN or a module: what stands here is printed and logged",
                            "pkcs11: is not built yet; use " + form);
        for (const std::string_view scheme : {"pkcs11:", "dpapi:", "cng:"})
            if (begins(scheme)) return complain(node, std::string(scheme) + " is not built yet", "use " + form);

        const bool plain_path = key_.type == ValueType::key_file && !begins("file:");
        const std::string path = plain_path ? text : begins("file:") ? rest("file:") : "";
        if (path.empty() || path.find("-----BEGIN") != std::string::npos || printable(path, path.size() + 1) != path)
            return complain(node, "must be " + form, "the secret itself does not belong into this file");
        secret = {SecretRef::Source::file, {}, (base_ / path).lexically_normal()};
    }

    void read_list(const toml::node& node) {
        const auto* list = node.as_array();
        if (list == nullptr) return wrong_type(node);
        std::vector<std::string_view> seen;
        for (const toml::node& element : *list) {
            const auto* text = as_text(element);
            if (text == nullptr) continue;
            if (std::find(seen.begin(), seen.end(), *text) != seen.end()) {
                complain(element, in_quotes(*text) + " stands there twice");
                continue;
            }
            seen.push_back(*text);
            if (key_.type == ValueType::choice_list) {
                if (const auto index = choice_of(element, *text)) reading_.value.choices.push_back(*index);
            } else if (key_.type == ValueType::path_list) {
                if (auto path = path_of(element, *text)) reading_.value.paths.push_back(std::move(*path));
            } else if (check(element, *text)) {
                reading_.value.texts.push_back(*text);
            }
        }
    }

    const Key& key_;
    const fs::path& base_;
    Reading reading_;
};

}  // namespace

Reading read_value(const Key& key, const toml::node& node, const fs::path& base) {
    return Reader(key, base).read(node);
}

Value default_of(const Key& key, const fs::path& base) {
    const toml::table table = toml::parse("default = " + std::string(key.default_value));
    Reading reading = read_value(key, *table.get("default"), base);
    if (!reading.complaints.empty())
        throw std::logic_error("the default of " + std::string(key.section) + "." + std::string(key.name) +
                               " is unfit");
    return std::move(reading.value);
}

}  // namespace connector::config
