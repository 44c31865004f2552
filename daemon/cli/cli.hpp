// The command line: one program, one tree of commands (operator contract, "Program").
// Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 a check found a fault, 75 try again later.
// Refuses: secrets in arguments. Everything it prints goes through printable(). Main thread.
#pragma once

#include "core/time.hpp"
#include "daemon/control/client.hpp"

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

namespace connector::cli {

inline constexpr int k_done = 0;
inline constexpr int k_failed = 1;
inline constexpr int k_usage = 2;
inline constexpr int k_fault_found = 3;
inline constexpr int k_try_later = 75;

// What the commands reach beyond their arguments and files; tests put their own in.
struct Environment {
    std::ostream& out;
    std::ostream& err;
    std::size_t columns = 80;
    bool colour = false;
    std::function<control::Answer(const config::Settings&, const std::string&, const boost::json::object&)> call;
    std::function<int(const config::Settings&, bool accept_restore)> run_daemon;
    std::function<UtcTime()> now;
    // control::ask_running: of a running daemon alone.
    std::function<std::optional<control::Answer>(const config::Settings&, const std::string&,
                                                 const boost::json::object&)>
        ask_running{};
    bool terminal = false;  // standard output is one: it can be redrawn
    bool progress = false;  // a bar on `err`
};

// `arguments` without the program's name.
[[nodiscard]] int run_cli(const std::vector<std::string>& arguments, const Environment& environment);
// The real thing: standard streams, the control socket, the system's clock. All that main() has to call.
[[nodiscard]] int run_cli(int argc, char** argv);

}  // namespace connector::cli
