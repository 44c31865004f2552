// The keeper: this program, started anew by ParserProcess as `pfx-connector parse-pfx`, before it has seen any secret.
// It is ready to open PFX files and opens none: for each file it forks a parser, which locks itself in, opens that one
// file and ends. So no parser has ever seen another person's key, nor another file's. The keeper measures its time, and
// tells how it ended where it could not do so itself. One thread. It ends when its control socket is closed, that is
// with the process that started it; SIGTERM and SIGINT are for that one.
#pragma once

namespace connector::parser {

inline constexpr const char* k_keeper_command = "parse-pfx";
inline constexpr int k_control_descriptor = 3;

// Gives the exit code; 2 where it was started by somebody else.
[[nodiscard]] int keep_parsers();

}  // namespace connector::parser
