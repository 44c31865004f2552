// The command line over the real streams, socket and clock. A file of its own, so that tests need no daemon.
#include "core/crypto/secure_heap.hpp"
#include "daemon/app.hpp"
#include "daemon/cli/cli.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>

namespace connector::cli {
namespace {

std::size_t terminal_columns() {
    winsize size{};
    if (::isatty(STDOUT_FILENO) == 1 && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 40)
        return size.ws_col;
    // A file or a pipe has no width: nothing is cut off there.
    constexpr std::size_t k_terminal = 80;
    constexpr std::size_t k_unbounded = 100000;
    return ::isatty(STDOUT_FILENO) == 1 ? k_terminal : k_unbounded;
}

bool colours_wanted() {
    const char* refused = std::getenv("NO_COLOR");
    return ::isatty(STDOUT_FILENO) == 1 && (refused == nullptr || *refused == '\0');
}

}  // namespace

int run_cli(int argc, char** argv) {
    crypto::protect_memory();
    const Environment environment{
        std::cout,
        std::cerr,
        terminal_columns(),
        colours_wanted(),
        &control::call,
        [](const config::Settings& settings, bool accept_restore) {
            return daemon::run_daemon(settings, daemon::RunOptions{accept_restore});
        },
        [] { return std::chrono::time_point_cast<std::chrono::seconds>(std::chrono::system_clock::now()); },
        &control::ask_running,
        ::isatty(STDOUT_FILENO) == 1,
        ::isatty(STDERR_FILENO) == 1};
    const int code =
        run_cli(argc > 0 ? std::vector<std::string>(argv + 1, argv + argc) : std::vector<std::string>(), environment);
    std::cout.flush();
    // A full disk or a closed pipe: what was asked for did not arrive.
    return code == k_done && !std::cout ? k_failed : code;
}

}  // namespace connector::cli
