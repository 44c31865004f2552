#include "core/text.hpp"

#include <algorithm>
#include <cstdint>

namespace connector {
namespace {

struct Character {
    std::uint32_t code = 0;
    std::size_t size = 0;  // 0: not UTF-8
};

// The character at `at`, by RFC 3629 4.
Character character_at(std::string_view text, std::size_t at) noexcept {
    const auto octet = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
    const std::uint32_t lead = octet(at);
    if (lead < 0x80) return {lead, 1};
    std::size_t size = 0;
    std::uint32_t smallest = 0;
    std::uint32_t code = 0;
    if ((lead & 0xE0U) == 0xC0U) {
        size = 2, smallest = 0x80, code = lead & 0x1FU;
    } else if ((lead & 0xF0U) == 0xE0U) {
        size = 3, smallest = 0x800, code = lead & 0x0FU;
    } else if ((lead & 0xF8U) == 0xF0U) {
        size = 4, smallest = 0x10000, code = lead & 0x07U;
    } else {
        return {};
    }
    if (at + size > text.size()) return {};
    for (std::size_t i = 1; i < size; ++i) {
        const std::uint32_t next = octet(at + i);
        if ((next & 0xC0U) != 0x80U) return {};
        code = (code << 6U) | (next & 0x3FU);
    }
    if (code < smallest || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) return {};
    return {code, size};
}

bool is_control(std::uint32_t code) noexcept {
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x2028 || code == 0x2029 ||
           (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        const auto character = character_at(text, at);
        if (character.size == 0) return false;
        at += character.size;
    }
    return true;
}

std::size_t character_count(std::string_view text) noexcept {
    return static_cast<std::size_t>(std::count_if(
        text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool has_control(std::string_view text) noexcept {
    for (std::size_t at = 0; at < text.size();) {
        const auto character = character_at(text, at);
        if (character.size == 0 || is_control(character.code)) return true;
        at += character.size;
    }
    return false;
}

bool is_ascii(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string joined(const std::vector<std::string>& texts, std::string_view between, std::string_view where_none) {
    std::string all;
    for (const std::string& text : texts) all.append(all.empty() ? "" : between).append(text);
    return std::string(texts.empty() ? where_none : all);
}

std::string ascii_lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), lower);
    return result;
}

bool ascii_equal(std::string_view left, std::string_view right) noexcept {
    return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                      [](char a, char b) { return lower(a) == lower(b); });
}

std::string folded(std::string_view text) {
    std::string result;
    result.reserve(text.size());
    for (const char c : text) {
        if (c == ' ' && (result.empty() || result.back() == ' ')) continue;
        result.push_back(lower(c));
    }
    if (!result.empty() && result.back() == ' ') result.pop_back();
    return result;
}

}  // namespace connector
