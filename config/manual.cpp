#include "config/table.hpp"

#include <algorithm>
#include <array>

namespace connector::config {
namespace {

// `authority.*.template.*` as people write it: `authority.NAME.template.ALIAS`.
std::string heading(std::string_view section) {
    static constexpr std::array<std::string_view, 2> k_names{"NAME", "ALIAS"};
    std::string text;
    std::size_t named = 0;
    for (const char c : section) {
        if (c == '*')
            text += k_names.at(named++);
        else
            text += c;
    }
    return text;
}

std::string_view type_word(ValueType type) {
    switch (type) {
        case ValueType::text: return "text";
        case ValueType::integer: return "number";
        case ValueType::boolean: return "true/false";
        case ValueType::choice: return "word";
        case ValueType::choice_list: return "list of words";
        case ValueType::text_list: return "list of texts";
        case ValueType::path: return "path";
        case ValueType::path_list: return "list of paths";
        case ValueType::secret: return "secret";
        case ValueType::key_file: return "path or secret";
    }
    return "";
}

std::string allowed(const Key& key) {
    if (key.type == ValueType::integer) return std::to_string(key.least) + "–" + std::to_string(key.most);
    std::string text;
    for (const Choice& choice : key.choices) {
        if (!text.empty()) text += ", ";
        text += "`" + std::string(choice.word) + "`";
        std::string about = choice.built ? "" : "not built yet";
        if (!choice.meaning.empty()) about += (about.empty() ? "" : ": ") + std::string(choice.meaning);
        if (!about.empty()) text += " (" + about + ")";
    }
    return text.empty() ? std::string(key.constraint) : text;
}

std::string default_text(const Key& key) {
    if (!key.default_note.empty()) return std::string(key.default_note);
    if (key.default_value.empty() || key.default_value == R"("")") return "";
    return "`" + std::string(key.default_value) + "`";
}

std::string cell(std::string text) {
    for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
    return text;
}

// A value to show where there is no default.
std::string_view placeholder(const Key& key) {
    switch (key.type) {
        case ValueType::secret: return R"("credential:NAME")";
        case ValueType::key_file: return R"("file:PATH")";
        case ValueType::path: return R"("PATH")";
        case ValueType::text:
        case ValueType::integer:
        case ValueType::boolean:
        case ValueType::choice:
        case ValueType::choice_list:
        case ValueType::text_list:
        case ValueType::path_list: break;
    }
    return R"("")";
}

std::string example_value(const Key& key) {
    if (is_left_open(key)) return R"("")";
    if (!key.sample.empty()) return std::string(key.sample);
    if (!key.default_value.empty()) return std::string(key.default_value);
    if (key.type == ValueType::choice) return '"' + std::string(key.choices.front().word) + '"';
    return std::string(placeholder(key));
}

// Lines of at most 110 octets that begin with `# `.
void add_comment(std::string& text, std::string_view words) {
    constexpr std::size_t k_width = 110;
    std::string line = "#";
    while (!words.empty()) {
        const std::string_view word = words.substr(0, words.find(' '));
        words.remove_prefix(std::min(words.size(), word.size() + 1));
        if (line.size() > 1 && line.size() + 1 + word.size() > k_width) {
            text += line + "\n";
            line = "#";
        }
        line += ' ';
        line += word;
    }
    text += line + "\n";
}

std::string comment_of(const Key& key) {
    std::string text(key.description);
    const std::string choices = allowed(key);
    if (!choices.empty()) text += " Allowed: " + choices + ".";
    if (!key.default_note.empty()) text += " Default: " + std::string(key.default_note) + ".";
    if (!key.needed_by.empty()) text += " Needed by " + std::string(key.needed_by) + ".";
    return text;
}

}  // namespace

std::string manual_markdown() {
    std::string text =
        "# Configuration\n\n"
        "<!-- Printed from config/table; change it there. -->\n\n"
        "TOML. Relative paths are relative to the file. A secret is `credential:NAME` (a file of that name in\n"
        "`$CREDENTIALS_DIRECTORY`, systemd's `LoadCredential=`) or `file:PATH` of mode 0400 or 0600; its value never\n"
        "stands in the file. `pfx-connector check-config` tells every fault at once, with line and column.\n";
    for (const Section& section : sections()) {
        text += "\n## [" + heading(section.name) + "]\n" + std::string(section.description) +
                (section.built ? "" : " Not built yet: a file that has this table is refused.") +
                "\n\n| key | type | default | allowed | needed by | meaning |\n|---|---|---|---|---|---|\n";
        for (const Key& key : keys()) {
            if (key.section != section.name) continue;
            text += "| `" + std::string(key.name) + "` | " + std::string(type_word(key.type)) + " | " +
                    cell(default_text(key)) + " | " + cell(allowed(key)) + " | " + std::string(key.needed_by) + " | " +
                    cell(std::string(key.description)) +
                    (key.built || !section.built ? "" : " Not built yet: only the default is taken.") + " |\n";
        }
    }
    return text;
}

std::string example_toml() {
    std::string text =
        "# pfx-connector, example configuration. Printed from config/table; change it there.\n"
        "# What stands without `#` has to be filled in: the two empty words are yours to choose, the other values are "
        "samples.\n"
        "# Everything else shows its default. `pfx-connector check-config` tells what is still missing.\n"
        "# Relative paths are relative to this file. Secrets are \"credential:NAME\" or \"file:PATH\".\n";
    for (const Section& section : sections()) {
        if (!section.built) continue;
        // Tables that carry a name of the operator's choice exist only where he makes them.
        const bool named = section.name.find('*') != std::string_view::npos || section.optional;
        text += "\n";
        add_comment(text, section.description);
        text += (named ? "#[" : "[") + heading(section.name) + "]\n";
        for (const Key& key : keys()) {
            if (key.section != section.name || !key.built) continue;
            add_comment(text, comment_of(key));
            text += ((key.sample.empty() && !is_left_open(key)) || named ? "#" : "") + std::string(key.name) + " = " +
                    example_value(key) + "\n";
        }
    }
    return text;
}

}  // namespace connector::config
