#include "daemon/parser/parser_process.hpp"

#include "core/crypto/pfx.hpp"
#include "daemon/parser/keeper.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

namespace connector::parser {
namespace {

using namespace std::chrono_literals;

// A keeper begins within a tenth of a second; a machine that is overloaded is no fault of a file.
constexpr auto k_patience_to_start = 30s;
// What the keeper needs to tell of a parser whose time is over.
constexpr auto k_patience_after_the_end = 10s;
constexpr int k_tries = 3;

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return value_; }

private:
    int value_ = -1;
};

Error unavailable(const std::string& why) {
    return Error(ErrorKind::unavailable, "internal", "no process to parse a PFX in: " + why);
}
Error unavailable(const char* doing, int number) {
    return unavailable(std::string(doing) + ": " + ::strerrordesc_np(number));
}

Result<std::pair<Descriptor, Descriptor>> socket_pair(int type) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends.data()) != 0) return unavailable("socketpair", errno);
    return std::pair(Descriptor(ends[0]), Descriptor(ends[1]));
}

// The parser broke: what a person is told, and the service.
Error broken(const std::string& how) {
    return Error(ErrorKind::internal, "importInvalid", "PFX: " + how);
}

Error broken(const Ended& ended, const Limits& limits) {
    switch (ended.how) {
        case End::too_late: break;
        case End::signalled: {
            if (ended.number == SIGXCPU)
                return broken("parsing it took more than " + std::to_string(limits.processor.count()) +
                              " s of processor time");
            const char* name = ::sigdescr_np(ended.number);
            return broken("the process that parsed it was ended by signal " + std::to_string(ended.number) + " (" +
                          (name == nullptr ? "unknown" : name) + ")");
        }
        case End::exited:
        case End::not_started:
            if (ended.number == k_exit_out_of_memory)
                return broken("parsing it took more than " + std::to_string(limits.memory / 1024 / 1024) +
                              " MiB of memory");
            return broken("the process that parsed it ended with code " + std::to_string(ended.number));
    }
    // Of processor time it had less: either it slept, or the machine gave it none.
    return broken("parsing it took longer than " + std::to_string(limits.wall.count() / 1000) +
                  " s; if this machine is overloaded, try again when it is not");
}

}  // namespace

// One keeper process; its end is this object's end.
class ParserProcess::Keeper {
public:
    Keeper(pid_t pid, Descriptor control) : pid_(pid), control_(std::move(control)) {}
    ~Keeper() {
        // It holds no state; its parsers go with it.
        (void)::kill(pid_, SIGKILL);
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    static Result<std::shared_ptr<Keeper>> start(const std::filesystem::path& program) {
        auto ends = socket_pair(SOCK_SEQPACKET);
        if (!ends) return ends.error();
        const timeval patience{k_patience_to_start.count(), 0};
        (void)::setsockopt(ends->first.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);

        posix_spawn_file_actions_t files{};
        posix_spawnattr_t attributes{};
        sigset_t none;
        sigemptyset(&none);
        ::posix_spawn_file_actions_init(&files);
        ::posix_spawnattr_init(&attributes);
        ::posix_spawn_file_actions_adddup2(&files, ends->second.get(), k_control_descriptor);
        for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            ::posix_spawn_file_actions_addopen(&files, standard, "/dev/null", O_RDWR, 0);
        ::posix_spawn_file_actions_addclosefrom_np(&files, k_control_descriptor + 1);
        ::posix_spawnattr_setsigmask(&attributes, &none);
        ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        std::string name = "pfx-connector";
        std::string command = k_keeper_command;
        const std::array<char*, 3> arguments{name.data(), command.data(), nullptr};
        const std::array<char*, 1> environment{nullptr};
        pid_t pid = -1;
        const int fault =
            ::posix_spawn(&pid, program.c_str(), &files, &attributes, arguments.data(), environment.data());
        ::posix_spawnattr_destroy(&attributes);
        ::posix_spawn_file_actions_destroy(&files);
        if (fault != 0) return unavailable("it could not be started", fault);
        return std::make_shared<Keeper>(pid, std::move(ends->first));
    }

    // False: it has gone.
    [[nodiscard]] bool send(const Order& order, int socket) const {
        iovec piece{const_cast<Order*>(&order), sizeof order};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = space.data();
        message.msg_controllen = space.size();
        cmsghdr* attached = CMSG_FIRSTHDR(&message);
        attached->cmsg_level = SOL_SOCKET;
        attached->cmsg_type = SCM_RIGHTS;
        attached->cmsg_len = CMSG_LEN(sizeof socket);
        std::memcpy(CMSG_DATA(attached), &socket, sizeof socket);
        ssize_t sent = 0;
        do sent = ::sendmsg(control_.get(), &message, MSG_NOSIGNAL);
        while (sent < 0 && errno == EINTR);
        return sent == static_cast<ssize_t>(sizeof order);
    }

private:
    pid_t pid_;
    Descriptor control_;
};

struct ParserProcess::Line {
    Descriptor socket;
    std::shared_ptr<Keeper> keeper;
};

ParserProcess::ParserProcess(Limits limits, std::filesystem::path program)
    : limits_(limits), program_(std::move(program)) {}

ParserProcess::~ParserProcess() = default;

Result<std::shared_ptr<ParserProcess::Keeper>> ParserProcess::keeper() const {
    const std::lock_guard lock(mutex_);
    if (keeper_) return keeper_;
    auto started = Keeper::start(program_);
    if (!started) return started.error();
    keeper_ = std::move(*started);
    return keeper_;
}

void ParserProcess::forget(const std::shared_ptr<Keeper>& gone) const {
    const std::lock_guard lock(mutex_);
    if (keeper_ == gone) keeper_ = nullptr;
}

Result<ParserProcess::Line> ParserProcess::call_parser(std::chrono::milliseconds patience) const {
    const Order order{static_cast<std::uint64_t>(limits_.processor.count()),
                      static_cast<std::uint64_t>(limits_.wall.count()), limits_.memory};
    for (int tried = 0; tried < k_tries; ++tried) {
        auto keeping = keeper();
        if (!keeping) return keeping.error();
        auto ends = socket_pair(SOCK_STREAM);
        if (!ends) return ends.error();
        const bool sent = (*keeping)->send(order, ends->second.get());
        ends->second = Descriptor();
        if (!sent) {
            forget(*keeping);
            continue;
        }
        Channel channel(ends->first.get(), std::chrono::steady_clock::now() + patience);
        const auto instead = read_ready(channel);
        if (!instead) return Line{std::move(ends->first), std::move(*keeping)};
        if (const auto* ended = std::get_if<Ended>(&*instead)) {
            if (ended->how == End::not_started) return unavailable("fork", ended->number);
            if (ended->how == End::exited && ended->number == k_exit_not_confined)
                return unavailable("it could not lock itself in (seccomp, resource limits)");
            return unavailable("it ended before it began");
        }
        if (std::holds_alternative<Late>(*instead)) {
            forget(*keeping);
            return unavailable("it did not begin within " +
                               std::to_string(std::chrono::duration_cast<std::chrono::seconds>(patience).count()) +
                               " s");
        }
        forget(*keeping);
    }
    return unavailable("it ends as soon as it is started");
}

Result<void> ParserProcess::start() const {
    const auto line = call_parser(k_patience_to_start);
    if (!line) return line.error();
    return {};
}

Result<ports::Identity> ParserProcess::open_pfx(ByteView pfx, const SecretBytes& password) const {
    if (pfx.size() > crypto::k_pfx_largest) return crypto::error_of(crypto::PfxFault::too_large);
    if (password.size() > k_largest_password) return crypto::error_of(crypto::PfxFault::undecryptable);
    for (int tried = 0; tried < k_tries; ++tried) {
        auto line = call_parser(k_patience_to_start);
        if (!line) return line.error();
        Channel channel(line->socket.get(), std::chrono::steady_clock::now() + limits_.wall + k_patience_after_the_end);
        // Not all of it was read: how that came is said in the answer.
        (void)send_file(channel, pfx, password);
        auto answer = read_answer(channel);
        if (auto* identity = std::get_if<ports::Identity>(&answer)) return std::move(*identity);
        if (const auto* refused = std::get_if<Refused>(&answer)) {
            const auto error = crypto::error_of(static_cast<crypto::PfxFault>(refused->fault));
            if (error.kind == ErrorKind::invalid) return error;
            return broken("the process that parsed it met a fault of its own");
        }
        // After a death the next file meets another keeper: every parser of one keeper has the same addresses, and
        // whoever guesses at them must begin anew. Where there was no word it has gone, which no parser can bring
        // about, and the parser with it.
        forget(line->keeper);
        if (const auto* ended = std::get_if<Ended>(&answer)) return broken(*ended, limits_);
        if (std::holds_alternative<Late>(answer)) return broken(Ended{End::too_late, 0}, limits_);
        if (std::holds_alternative<Garbage>(answer))
            return broken("the process that parsed it gave an answer that is none");
    }
    return unavailable("it was ended from outside again and again");
}

}  // namespace connector::parser
