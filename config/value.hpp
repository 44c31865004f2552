// Inside config/ only: one TOML value held against one row of the table. Pure.
#pragma once

#include "config/table.hpp"

#include <toml++/toml.h>

#include <vector>

namespace connector::config {

struct Complaint {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string message;
    std::string hint;
};
// `value` counts where there are no complaints.
struct Reading {
    Value value;
    std::vector<Complaint> complaints;
};

// Relative paths are taken from `base`.
[[nodiscard]] Reading read_value(const Key& key, const toml::node& node, const std::filesystem::path& base);
// The row's default through the same code; only for rows that have one.
[[nodiscard]] Value default_of(const Key& key, const std::filesystem::path& base);

}  // namespace connector::config
