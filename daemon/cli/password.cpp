#include "daemon/cli/password.hpp"

#include "config/credentials.hpp"
#include "daemon/keys/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <utility>

namespace connector::cli {
namespace {

constexpr std::array k_signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
constexpr const char* k_terminal = "/dev/tty";

volatile std::sig_atomic_t caught = 0;
extern "C" void note_signal(int number) {
    caught = number;
}

// These signals only note themselves, and only while ppoll() waits: none comes between a look and the wait.
class NotedSignals {
public:
    NotedSignals() {
        caught = 0;
        struct sigaction action {};
        action.sa_handler = note_signal;
        ::sigemptyset(&blocked_);
        for (std::size_t i = 0; i < k_signals.size(); ++i) {
            ::sigaddset(&blocked_, k_signals[i]);
            ::sigaction(k_signals[i], &action, &actions_[i]);
            // Who lets a signal be ignored (nohup) wants it ignored here too.
            if (actions_[i].sa_handler == SIG_IGN) ::sigaction(k_signals[i], &actions_[i], nullptr);
        }
        ::pthread_sigmask(SIG_BLOCK, &blocked_, &before_);
    }
    NotedSignals(const NotedSignals&) = delete;
    NotedSignals& operator=(const NotedSignals&) = delete;
    ~NotedSignals() {
        for (std::size_t i = 0; i < k_signals.size(); ++i) ::sigaction(k_signals[i], &actions_[i], nullptr);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    [[nodiscard]] const sigset_t& outside() const noexcept { return before_; }

private:
    sigset_t blocked_{};
    sigset_t before_{};
    std::array<struct sigaction, k_signals.size()> actions_{};
};

class WithoutEcho {
public:
    explicit WithoutEcho(int terminal) : terminal_(terminal) {
        if (::tcgetattr(terminal_, &before_) != 0) return;
        struct termios silent = before_;
        silent.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHOE | ECHOK | ECHONL);
        silent.c_lflag |= ICANON;
        works_ = ::tcsetattr(terminal_, TCSAFLUSH, &silent) == 0;
    }
    WithoutEcho(const WithoutEcho&) = delete;
    WithoutEcho& operator=(const WithoutEcho&) = delete;
    ~WithoutEcho() {
        if (works_) (void)::tcsetattr(terminal_, TCSAFLUSH, &before_);
    }
    [[nodiscard]] bool works() const noexcept { return works_; }

private:
    int terminal_;
    struct termios before_ {};
    bool works_ = false;
};

class Descriptor {
public:
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

void say(int terminal, std::string_view text) {
    while (!text.empty()) {
        const ssize_t sent = ::write(terminal, text.data(), text.size());
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
}

Error too_long() {
    return {ErrorKind::invalid, "invalidRequest", "the password is longer than 1024 octets"};
}

// Octet for octet, so that nothing after the line is taken from whoever reads on. False: the input ended before one.
Result<bool> read_line(int input, SecretBytes& line, const sigset_t* outside) {
    std::array<char, 1> one{};
    bool any = false;
    for (;;) {
        struct pollfd wanted {
            input, POLLIN, 0
        };
        if (outside != nullptr && ::ppoll(&wanted, 1, nullptr, outside) < 0) {
            if (errno != EINTR) break;
            if (caught != 0) return false;
            continue;
        }
        const ssize_t count = ::read(input, one.data(), 1);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        any = true;
        if (one[0] == '\n') break;
        line.append(std::string_view(one.data(), 1));
        if (line.size() > k_longest_password + 4) return too_long();
    }
    one[0] = '\0';
    return any;
}

Result<SecretBytes> ask_on(int terminal, int said, std::string_view question) {
    for (;;) {
        SecretBytes line;
        Result<bool> got = false;
        {
            const NotedSignals signals;
            const WithoutEcho silence(terminal);
            if (!silence.works())
                return Error(ErrorKind::invalid, "invalidRequest",
                             "the terminal cannot be kept from showing a password; use --password-file");
            say(said, question);
            got = read_line(terminal, line, &signals.outside());
            say(said, "\n");
        }
        // The terminal is as it was before the signal does what it does. Stopped and gone on: the question again.
        if (const int number = std::exchange(caught, 0); number != 0) {
            (void)::raise(number);
            if (number == SIGTSTP) continue;
        }
        if (!got) return got.error();
        if (!*got) return Error(ErrorKind::invalid, "invalidRequest", "no password was given");
        if (auto kept = keep_first_line(line, "the password"); !kept) return kept.error();
        return line;
    }
}

Result<SecretBytes> password_from_stdin() {
    if (::isatty(STDIN_FILENO) == 1) return ask_on(STDIN_FILENO, STDERR_FILENO, "Password (not shown): ");
    SecretBytes line;
    if (const auto got = read_line(STDIN_FILENO, line, nullptr); !got) return got.error();
    if (auto kept = keep_first_line(line, "the password on standard input"); !kept) return kept.error();
    return line;
}

}  // namespace

Result<void> keep_first_line(SecretBytes& secret, std::string_view called) {
    if (auto done = config::drop_byte_order_mark(secret, called); !done) return done;
    const auto text = secret.reveal_text();
    auto end = std::min(text.find('\n'), text.size());
    if (end > 0 && text[end - 1] == '\r') --end;
    if (end > k_longest_password)
        return Error(ErrorKind::invalid, "invalidRequest",
                     std::string(called) + ": its first line is longer than 1024 octets");
    secret.truncate(end);
    return {};
}

Result<SecretBytes> read_password(const PasswordChoice& choice) {
    if (choice.standard_input) return password_from_stdin();
    auto password = keys::read_secret_file(choice.file, false);
    if (!password) return password;
    if (auto kept = keep_first_line(*password, choice.file); !kept) return kept.error();
    return password;
}

Result<SecretBytes> read_secret_line(const std::string& file) {
    auto secret = read_password({file, false});
    if (secret && secret->empty())
        return Error(ErrorKind::misconfigured, "fileUnreadable", file + ": its first line is empty");
    return secret;
}

bool somebody_can_be_asked() {
    if (::isatty(STDIN_FILENO) != 1 && ::isatty(STDERR_FILENO) != 1) return false;
    const Descriptor terminal(::open(k_terminal, O_RDWR | O_CLOEXEC | O_NOCTTY));
    return terminal.get() >= 0;
}

Result<SecretBytes> ask_password(std::string_view question) {
    const Descriptor terminal(::open(k_terminal, O_RDWR | O_CLOEXEC | O_NOCTTY));
    if (terminal.get() < 0)
        return Error(ErrorKind::misconfigured, "usage",
                     "there is no terminal to ask for the password; use --password-file or --password-stdin");
    return ask_on(terminal.get(), terminal.get(), question);
}

}  // namespace connector::cli
