// Text as the domain compares it: UTF-8, ASCII case, control characters. Showing it is core/printable's business.
// Case is folded for ASCII only: what locale tables would equate, a certificate's reader may not.
// Any thread; values only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace connector {

// RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF.
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;
// Characters (code points) of valid UTF-8: RFC 5280's bounds count these, not octets.
[[nodiscard]] std::size_t character_count(std::string_view text) noexcept;
// C0, DEL, C1, line and paragraph separators, and the directional overrides that make one name look like another.
// Text that is not UTF-8 counts as control characters.
[[nodiscard]] bool has_control(std::string_view text) noexcept;
[[nodiscard]] bool is_ascii(std::string_view text) noexcept;
[[nodiscard]] std::string joined(const std::vector<std::string>& texts, std::string_view between = ", ",
                                 std::string_view where_none = "");
[[nodiscard]] std::string ascii_lower(std::string_view text);
[[nodiscard]] bool ascii_equal(std::string_view left, std::string_view right) noexcept;
// RFC 5280 7.1, as far as ASCII goes: lower case, no outer spaces, each run of spaces one space.
[[nodiscard]] std::string folded(std::string_view text);

}  // namespace connector
