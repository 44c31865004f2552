#include "core/printable.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>

namespace connector {
namespace {

struct Range {
    char32_t first;
    char32_t last;
};
// Unicode's controls, invisible and reordering characters, and code points that are nobody's; in ascending order.
constexpr std::array<Range, 17> k_unfit{{{0x0000, 0x001F},
                                         {0x007F, 0x009F},
                                         {0x00AD, 0x00AD},
                                         {0x034F, 0x034F},
                                         {0x061C, 0x061C},
                                         {0x115F, 0x1160},
                                         {0x17B4, 0x17B5},
                                         {0x180E, 0x180E},
                                         {0x200B, 0x200F},
                                         {0x2028, 0x202E},
                                         {0x2060, 0x206F},
                                         {0x3164, 0x3164},
                                         {0xE000, 0xF8FF},
                                         {0xFDD0, 0xFDEF},
                                         {0xFEFF, 0xFEFF},
                                         {0xFFA0, 0xFFA0},
                                         {0xFFF0, 0xFFFB}}};

bool fit(char32_t point) {
    if (point >= 0xE0000 || (point & 0xFFFEU) == 0xFFFEU) return false;  // tags, planes for private use, noncharacters
    return std::none_of(k_unfit.begin(), k_unfit.end(),
                        [point](const Range& range) { return point >= range.first && point <= range.last; });
}

struct Decoded {
    char32_t point = 0;
    std::size_t size = 0;  // 0: not UTF-8
};

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
Decoded decode(std::string_view text) {
    const auto octet = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t first = octet(0);
    if (first < 0x80) return {first, 1};
    std::size_t size = 0;
    char32_t point = 0;
    char32_t least = 0;
    if ((first & 0xE0U) == 0xC0) {
        size = 2;
        point = first & 0x1FU;
        least = 0x80;
    } else if ((first & 0xF0U) == 0xE0) {
        size = 3;
        point = first & 0x0FU;
        least = 0x800;
    } else if ((first & 0xF8U) == 0xF0) {
        size = 4;
        point = first & 0x07U;
        least = 0x10000;
    }
    if (size == 0 || text.size() < size) return {};
    for (std::size_t i = 1; i < size; ++i) {
        if ((octet(i) & 0xC0U) != 0x80) return {};
        point = (point << 6U) | (octet(i) & 0x3FU);
    }
    if (point < least || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return {};
    return {point, size};
}

std::string escaped(char32_t point) {
    switch (point) {
        case '\n': return "\\n";
        case '\r': return "\\r";
        case '\t': return "\\t";
        default: break;
    }
    std::array<char, 16> text{};
    std::snprintf(text.data(), text.size(), point < 0x80 ? "\\x%02x" : "\\u{%x}", static_cast<unsigned>(point));
    return text.data();
}

}  // namespace

std::string printable(std::string_view text, std::size_t longest) {
    static constexpr std::string_view k_cut = "…";
    std::string clean;
    clean.reserve(std::min(text.size(), longest) + k_cut.size());
    while (!text.empty()) {
        const Decoded next = decode(text);
        std::string piece;
        if (next.size == 0) {
            std::array<char, 8> octet{};
            std::snprintf(octet.data(), octet.size(), "\\x%02x",
                          static_cast<unsigned>(static_cast<std::uint8_t>(text[0])));
            piece = octet.data();
        } else {
            piece = fit(next.point) ? std::string(text.substr(0, next.size)) : escaped(next.point);
        }
        if (clean.size() + piece.size() > longest) return clean.append(k_cut);
        clean += piece;
        text.remove_prefix(std::max<std::size_t>(next.size, 1));
    }
    return clean;
}

namespace {

std::string in_quotes(std::string_view clean) {
    std::string quoted = "\"";
    for (const char c : clean) {
        if (c == '"' || c == '\\') quoted += '\\';
        quoted += c;
    }
    return quoted + '"';
}

}  // namespace

std::string printable_json(std::string_view text, std::size_t longest) {
    return in_quotes(printable(text, longest));
}

std::string printable_word(std::string_view text, std::size_t longest) {
    std::string clean = printable(text, longest);
    if (!clean.empty() && clean.find_first_of(" \"=\\") == std::string::npos) return clean;
    return in_quotes(clean);
}

}  // namespace connector
