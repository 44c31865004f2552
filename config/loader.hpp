// TOML to Settings: either all of it is right, or every fault is told at once with its place and the way out.
// Follows the table (table.hpp) for single keys; what concerns several keys together is in rules.cpp.
// Looks at files it names (there and readable), never into them. Any thread.
#pragma once

#include "config/settings.hpp"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::config {

struct Problem {
    std::string file;
    std::uint32_t line = 0;    // from 1; 0: the file as a whole
    std::uint32_t column = 0;  // from 1; 0: the line as a whole
    std::string key;           // "management.url", or ""
    std::string message;       // one printable line, never a secret
    std::string hint;          // what to do, or ""

    // `connector.toml:3:8: management.url: must be … (hint)`
    [[nodiscard]] std::string text() const;
};

// An import key as the file names it, whatever else is wrong there, and where: whoever looks into key files (the loader
// has no cryptography) can tell the place of what he finds.
struct NamedKey {
    Problem place;
    ImportKey key;
};

struct Loaded {
    std::optional<Settings> settings;   // set where `problems` is empty
    std::vector<Problem> problems;      // in the file's order
    std::vector<Problem> warnings;      // loads, and is worth a look
    std::vector<NamedKey> import_keys;  // whose values are well-formed
    [[nodiscard]] bool ok() const noexcept { return settings.has_value(); }
};

// Whether the files that it names are looked at; `doctor` does that itself, each with a verdict of its own.
enum class NamedFiles { looked_at, left_alone };

[[nodiscard]] Loaded load(const std::filesystem::path& file, Need need, NamedFiles named = NamedFiles::looked_at);
// The same for text in memory; relative paths are relative to `file`, which need not exist.
[[nodiscard]] Loaded load_text(std::string_view text, const std::filesystem::path& file, Need need);

}  // namespace connector::config
