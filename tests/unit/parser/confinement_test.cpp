// What a parser can still do once it has locked itself in: tried in processes of the test's own.
#include "daemon/parser/confinement.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <new>

namespace connector::parser {
namespace {

constexpr std::uint64_t k_memory = 32UL * 1024 * 1024;

// How a process ended that was locked in and then did `act`; its answers go to the socket, in `said`.
struct Ending {
    bool signalled = false;
    int number = 0;
    std::string said;
};
Ending confined(int (*act)()) {
    const auto confinement = Confinement::prepare();
    if (!confinement) throw std::runtime_error("no filter");
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) throw std::runtime_error("no sockets");
    const pid_t pid = ::fork();
    if (pid == 0) {
        for (const int number : {SIGSEGV, SIGBUS, SIGABRT}) (void)::signal(number, SIG_DFL);
        if (::dup2(ends[1], k_parser_descriptor) != k_parser_descriptor ||
            !confinement->enter(Order{1, 1000, k_memory}))
            ::_exit(99);
        ::_exit(act());
    }
    ::close(ends[1]);
    Ending ending;
    std::array<char, 100> text{};
    const ssize_t size = ::read(ends[0], text.data(), text.size());
    if (size > 0) ending.said.assign(text.data(), static_cast<std::size_t>(size));
    ::close(ends[0]);
    int status = 0;
    ::waitpid(pid, &status, 0);
    ending.signalled = WIFSIGNALED(status);
    ending.number = ending.signalled ? WTERMSIG(status) : WEXITSTATUS(status);
    return ending;
}

TEST(Confinement, AnswersOnItsSocketAndEnds) {
    const auto ending = confined([] {
        Bytes memory(1024 * 1024);
        memory[5] = 1;
        return ::write(0, "fine", 4) == 4 ? memory[5] : 2;
    });
    EXPECT_FALSE(ending.signalled);
    EXPECT_EQ(ending.number, 1);
    EXPECT_EQ(ending.said, "fine");
}

TEST(Confinement, EverythingElseEndsIt) {
    struct Case {
        const char* name;
        int (*act)();
    };
    for (const auto& one : {
             Case{"open", [] { return ::open("/etc/passwd", O_RDONLY) >= 0 ? 0 : 1; }},
             Case{"create", [] { return ::open("/tmp/x", O_CREAT | O_WRONLY, 0600) >= 0 ? 0 : 1; }},
             Case{"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0 ? 0 : 1; }},
             Case{"send on its socket with a descriptor", [] { return ::send(0, "x", 1, 0) == 1 ? 0 : 1; }},
             Case{"fork", [] { return ::fork() >= 0 ? 0 : 1; }},
             Case{"kill", [] { return ::kill(::getppid(), 0); }},
             Case{"execute", [] { return ::execl("/bin/true", "true", nullptr); }},
             Case{"write elsewhere", [] { return ::write(1, "x", 1) == 1 ? 0 : 1; }},
             Case{"read elsewhere",
                  [] {
                      char octet = 0;
                      return ::read(5, &octet, 1) == 1 ? 0 : 1;
                  }},
             Case{"duplicate its socket", [] { return ::dup(0) >= 0 ? 0 : 1; }},
             Case{"run what it wrote",
                  [] {
                      const void* page =
                          ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                      return page == MAP_FAILED ? 1 : 0;
                  }},
             Case{"make memory runnable",
                  [] {
                      void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                      return ::mprotect(page, 4096, PROT_READ | PROT_EXEC);
                  }},
             Case{"wait for ever", [] { return static_cast<int>(::sleep(1000)); }},
         }) {
        SCOPED_TRACE(one.name);
        const auto ending = confined(one.act);
        EXPECT_TRUE(ending.signalled) << "ended with " << ending.number;
        EXPECT_EQ(ending.number, SIGSYS);
    }
}

TEST(Confinement, EndlessWorkIsEndedByTheProcessorLimit) {
    const auto ending = confined([] {
        volatile unsigned long turns = 0;
        for (;;) turns = ::getpid() < 0 ? 0UL : 1UL;
        return static_cast<int>(turns);
    });
    EXPECT_TRUE(ending.signalled);
    EXPECT_EQ(ending.number, SIGXCPU);
}

TEST(Confinement, MemoryBeyondTheLimitIsNotThere) {
    const auto ending = confined([] {
        void* within = ::mmap(nullptr, k_memory / 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (within == MAP_FAILED) return 2;
        void* beyond = ::mmap(nullptr, k_memory, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return beyond == MAP_FAILED ? 3 : 4;
    });
    EXPECT_FALSE(ending.signalled);
    EXPECT_EQ(ending.number, 3);
}

TEST(Confinement, AnOverflowingStackEndsIt) {
    const auto ending = confined([] {
        struct Deep {
            static int go(int depth) {
                volatile char room[4096];
                room[0] = static_cast<char>(depth);
                return depth == 0 ? 0 : go(depth + 1) + room[0];
            }
        };
        return Deep::go(1);
    });
    EXPECT_TRUE(ending.signalled);
}

}  // namespace
}  // namespace connector::parser
