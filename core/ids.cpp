#include "core/ids.hpp"

#include <algorithm>

namespace connector {

bool is_usable_id(std::string_view text) noexcept {
    constexpr std::size_t k_longest = 128;
    if (text.empty() || text.size() > k_longest) return false;
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view("._:@+-").find(c) != std::string_view::npos;
    });
}

}  // namespace connector
