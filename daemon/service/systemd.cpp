// systemd's side of the port: datagrams to $NOTIFY_SOCKET (sd_notify(3)), and $WATCHDOG_USEC (sd_watchdog_enabled(3)).
// The protocol is spoken here and not by libsystemd: it is a few lines of text that systemd promises to keep, and the
// library brings five others (lz4, lzma, zstd, gcrypt, cap) into a process that holds keys.
#include "core/printable.hpp"
#include "daemon/service/manager.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace connector::service {
namespace {

constexpr std::size_t k_longest_state = 512;

std::string taken(const char* name) {
    const char* value = std::getenv(name);
    std::string text = value == nullptr ? "" : value;
    (void)::unsetenv(name);
    return text;
}

template <class Number>
std::optional<Number> number_in(const std::string& text) {
    Number number{};
    const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return number;
}

class Nobody final : public Manager {
public:
    void ready(std::string_view) override {}
    void status(std::string_view) override {}
    void reloading() override {}
    void stopping(std::chrono::seconds) override {}
    void alive() override {}
    [[nodiscard]] std::optional<std::chrono::microseconds> patience() const override { return std::nullopt; }
};

class Systemd final : public Manager {
public:
    Systemd(int socket, const sockaddr_un& address, socklen_t size, std::optional<std::chrono::microseconds> patience)
        : socket_(socket), address_(address), size_(size), patience_(patience) {}
    ~Systemd() override { ::close(socket_); }
    Systemd(const Systemd&) = delete;
    Systemd& operator=(const Systemd&) = delete;

    void ready(std::string_view state) override { tell("READY=1\nSTATUS=" + one_line(state), 0); }
    void status(std::string_view state) override { tell("STATUS=" + one_line(state), MSG_DONTWAIT); }
    void reloading() override {
        timespec now{};
        (void)::clock_gettime(CLOCK_MONOTONIC, &now);
        const auto since = std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
        const auto count = std::chrono::duration_cast<std::chrono::microseconds>(since).count();
        tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(count) + "\nSTATUS=reading the configuration again", 0);
    }
    void stopping(std::chrono::seconds most) override {
        tell("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(std::chrono::microseconds{most}.count()) +
                 "\nSTATUS=draining: what is in work is finished and saved",
             0);
    }
    void alive() override {
        if (patience_) tell("WATCHDOG=1", MSG_DONTWAIT);
    }
    [[nodiscard]] std::optional<std::chrono::microseconds> patience() const override { return patience_; }

private:
    static std::string one_line(std::string_view text) { return printable(text, k_longest_state); }

    // What is said once waits for room; what is said again and again does not hold up the state thread.
    void tell(const std::string& message, int flags) const {
        const void* peer = &address_;
        [[maybe_unused]] const auto sent = ::sendto(socket_, message.data(), message.size(), flags | MSG_NOSIGNAL,
                                                    static_cast<const sockaddr*>(peer), size_);
    }

    int socket_;
    sockaddr_un address_;
    socklen_t size_;
    std::optional<std::chrono::microseconds> patience_;
};

// Meant for us, and more than nothing.
std::optional<std::chrono::microseconds> patience_in_environment() {
    const auto microseconds = number_in<std::int64_t>(taken("WATCHDOG_USEC"));
    const std::string process = taken("WATCHDOG_PID");
    if (!microseconds || *microseconds <= 0) return std::nullopt;
    if (!process.empty() && number_in<pid_t>(process) != ::getpid()) return std::nullopt;
    return std::chrono::microseconds{*microseconds};
}

}  // namespace

std::unique_ptr<Manager> find_manager() {
    const std::string path = taken("NOTIFY_SOCKET");
    const auto patience = patience_in_environment();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool abstract = path.starts_with('@');
    if ((!abstract && !path.starts_with('/')) || path.size() >= sizeof address.sun_path)
        return std::make_unique<Nobody>();
    std::memcpy(address.sun_path, path.data(), path.size());
    if (abstract) address.sun_path[0] = '\0';
    const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return std::make_unique<Nobody>();
    // The name of an abstract socket has no end mark: its length is the address's.
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
    return std::make_unique<Systemd>(socket, address, size, patience);
}

}  // namespace connector::service
