// The one outlet encoding for texts that come from outside: what it gives back is valid UTF-8 on one line, and moves
// no cursor, hides nothing and reverses nothing (threat: security review M8). Every sink uses it before its own syntax.
// Escaped: C0 and C1 controls, DEL, line and paragraph separators, bidi controls, zero-width and tag characters,
// private-use and noncharacters, and every octet that is not UTF-8. Backslashes stay: it is for reading, not for
// reversing. Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace connector {

// Longer texts end with `…` after the last whole character that fits.
[[nodiscard]] std::string printable(std::string_view text, std::size_t longest = 1024);
// printable() as a JSON string with its quotes: a reader that decodes it and prints it raw is still unharmed.
[[nodiscard]] std::string printable_json(std::string_view text, std::size_t longest = 1024);
// printable() as one word of a line: in quotes with `\` and `"` escaped where it is empty or has a space, `"`, `=` or
// `\`.
[[nodiscard]] std::string printable_word(std::string_view text, std::size_t longest = 1024);

}  // namespace connector
