#include "daemon/parser/keeper.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/pfx.hpp"
#include "daemon/parser/confinement.hpp"
#include "daemon/parser/wire.hpp"

#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <new>
#include <utility>

namespace connector::parser {
namespace {

using Clock = std::chrono::steady_clock;

void say(int socket, const Ended& ended) {
    const std::array<std::uint8_t, 3> message{static_cast<std::uint8_t>(Word::ended),
                                              static_cast<std::uint8_t>(ended.how), ended.number};
    // Nobody listens any more where the answer was complete; a peer that does not read is none of ours.
    (void)::send(socket, message.data(), message.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

// ---- the parser: one file -------------------------------------------------------------------------------------------

[[noreturn]] void end_with(int code) {
    ::_exit(code);
}

void parse_one() {
    Channel channel(k_parser_descriptor);
    const auto must = [](bool done) {
        if (!done) end_with(k_exit_hung_up);
    };
    constexpr Word k_ready = Word::ready;
    must(channel.write(&k_ready, sizeof k_ready) == Channel::Result::done);
    Sizes sizes;
    must(channel.read(&sizes, sizeof sizes) == Channel::Result::done);
    must(sizes.password <= k_largest_password && sizes.pfx <= crypto::k_pfx_largest);
    SecretBytes password(sizes.password);
    must(channel.read(password.data(), password.size()) == Channel::Result::done);
    Bytes pfx(sizes.pfx);
    must(channel.read(pfx.data(), pfx.size()) == Channel::Result::done);

    const auto identity = crypto::open_pfx(pfx, password);
    if (identity) {
        // What would break the next reader of this certificate breaks this one.
        (void)crypto::inspect(identity->certificate);
        must(send_identity(channel, *identity));
        return;
    }
    const auto fault = crypto::fault_of(identity.error());
    const std::array<std::uint8_t, 2> answer{static_cast<std::uint8_t>(Word::refused),
                                             fault ? static_cast<std::uint8_t>(*fault) : k_no_fault_of_the_file};
    must(channel.write(answer.data(), answer.size()) == Channel::Result::done);
}

[[noreturn]] void be_parser(const Confinement& confinement, const Order& order, int socket, pid_t keeper) {
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (::getppid() != keeper) end_with(k_exit_hung_up);
    // No handler of anybody's runs in a process that has gone wrong.
    for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU}) (void)::signal(number, SIG_DFL);
    if (::dup2(socket, k_parser_descriptor) != k_parser_descriptor || !confinement.enter(order))
        end_with(k_exit_not_confined);
    try {
        parse_one();
    } catch (const std::bad_alloc&) {
        end_with(k_exit_out_of_memory);
    }
    // At once: the kernel takes the memory with all that stood in it.
    end_with(0);
}

// ---- the keeper -----------------------------------------------------------------------------------------------------

struct Parser {
    pid_t pid = -1;
    int socket = -1;
    Clock::time_point deadline;
    bool late = false;
};

class Keeper {
public:
    explicit Keeper(Confinement confinement) : confinement_(std::move(confinement)) {}
    ~Keeper() {
        for (const auto& parser : parsers_) (void)::kill(parser.pid, SIGKILL);
    }
    Keeper(const Keeper&) = delete;
    Keeper& operator=(const Keeper&) = delete;

    int run() {
        sigset_t blocked;
        sigset_t none;
        sigemptyset(&none);
        sigemptyset(&blocked);
        sigaddset(&blocked, SIGCHLD);
        (void)::sigprocmask(SIG_BLOCK, &blocked, nullptr);
        (void)::signal(SIGCHLD, [](int) {});
        for (;;) {
            reap();
            pollfd control{k_control_descriptor, POLLIN, 0};
            const auto pause = until_next_deadline();
            const int ready = ::ppoll(&control, 1, pause ? &*pause : nullptr, &none);
            if (ready < 0 && errno != EINTR) return 1;
            end_late_ones();
            if (ready > 0 && !take_order()) return 0;
        }
    }

private:
    // False: the control socket is closed.
    bool take_order() {
        Order order;
        iovec piece{&order, sizeof order};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
        msghdr message{};
        message.msg_iov = &piece;
        message.msg_iovlen = 1;
        message.msg_control = space.data();
        message.msg_controllen = space.size();
        const ssize_t got = ::recvmsg(k_control_descriptor, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0) return errno == EINTR || errno == EAGAIN;
        if (got == 0) return false;
        const cmsghdr* attached = CMSG_FIRSTHDR(&message);
        if (attached == nullptr || attached->cmsg_level != SOL_SOCKET || attached->cmsg_type != SCM_RIGHTS) return true;
        int socket = -1;
        std::copy_n(CMSG_DATA(attached), sizeof socket, static_cast<unsigned char*>(static_cast<void*>(&socket)));
        if (got != static_cast<ssize_t>(sizeof order)) {
            ::close(socket);
            return true;
        }
        start(order, socket);
        return true;
    }

    void start(const Order& order, int socket) {
        const pid_t keeper = ::getpid();
        const pid_t pid = ::fork();
        if (pid == 0) be_parser(confinement_, order, socket, keeper);
        if (pid < 0) {
            say(socket, Ended{End::not_started, static_cast<std::uint8_t>(errno)});
            ::close(socket);
            return;
        }
        parsers_.push_back({pid, socket, Clock::now() + std::chrono::milliseconds(order.wall_milliseconds), false});
    }

    void reap() {
        int status = 0;
        for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
            const auto found =
                std::find_if(parsers_.begin(), parsers_.end(), [pid](const auto& parser) { return parser.pid == pid; });
            if (found == parsers_.end()) continue;
            Ended ended{End::exited, static_cast<std::uint8_t>(WEXITSTATUS(status))};
            if (WIFSIGNALED(status)) ended = {End::signalled, static_cast<std::uint8_t>(WTERMSIG(status))};
            if (found->late) ended = {End::too_late, 0};
            say(found->socket, ended);
            ::close(found->socket);
            parsers_.erase(found);
        }
    }

    void end_late_ones() {
        const auto now = Clock::now();
        for (auto& parser : parsers_) {
            if (parser.late || now < parser.deadline) continue;
            parser.late = true;
            (void)::kill(parser.pid, SIGKILL);
        }
    }

    std::optional<timespec> until_next_deadline() const {
        std::optional<Clock::time_point> next;
        for (const auto& parser : parsers_)
            if (!parser.late && (!next || parser.deadline < *next)) next = parser.deadline;
        if (!next) return std::nullopt;
        const auto left = std::max(Clock::duration::zero(), *next - Clock::now());
        const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
        return timespec{seconds.count(), (left - seconds).count()};
    }

    Confinement confinement_;
    std::vector<Parser> parsers_;
};

}  // namespace

int keep_parsers() {
    int type = 0;
    socklen_t size = sizeof type;
    if (::getsockopt(k_control_descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_SEQPACKET) {
        std::cerr << "pfx-connector: " << k_keeper_command << " is started by the connector itself" << std::endl;
        return 2;
    }
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) (void)::signal(number, SIG_IGN);
    // Without RC2 the rest can still be opened; a file that has it is refused by name.
    (void)crypto::prepare_to_open_pfx();
    auto confinement = Confinement::prepare();
    if (!confinement) return 1;
    // A parser that tidies up the heap that it was born with copies it, page by page.
    (void)::malloc_trim(0);
    const int code = Keeper(std::move(*confinement)).run();
    // No leak check, no destructors of statics: nothing here is worth either.
    ::_exit(code);
}

}  // namespace connector::parser
