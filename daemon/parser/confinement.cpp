#include "daemon/parser/confinement.hpp"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <memory>
#include <type_traits>

namespace connector::parser {
namespace {

struct Release {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

bool allow(scmp_filter_ctx filter, int call, std::initializer_list<scmp_arg_cmp> only = {}) {
    const std::vector<scmp_arg_cmp> conditions(only);
    return ::seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, static_cast<unsigned>(conditions.size()),
                                    conditions.data()) == 0;
}

// sigaltstack: what a sanitised build calls before it exits; without a handler it means nothing.
bool describe(scmp_filter_ctx filter) {
    const scmp_arg_cmp own_socket{0, SCMP_CMP_EQ, static_cast<scmp_datum_t>(k_parser_descriptor), 0};
    const scmp_arg_cmp not_runnable{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0};
    const scmp_arg_cmp no_file{3, SCMP_CMP_MASKED_EQ, MAP_ANONYMOUS, MAP_ANONYMOUS};
    bool fine = allow(filter, SCMP_SYS(read), {own_socket}) && allow(filter, SCMP_SYS(write), {own_socket}) &&
                allow(filter, SCMP_SYS(mmap), {not_runnable, no_file}) &&
                allow(filter, SCMP_SYS(mprotect), {not_runnable});
    for (const int call : {SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
                           SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2), SCMP_SYS(munlock), SCMP_SYS(futex),
                           SCMP_SYS(getrandom), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(getpid),
                           SCMP_SYS(gettid), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack)})
        fine = fine && allow(filter, call);
    return fine;
}

// libseccomp 2.5 writes a filter to descriptors only.
std::vector<sock_filter> written(scmp_filter_ctx filter) {
    const int file = ::memfd_create("filter", MFD_CLOEXEC);
    if (file < 0) return {};
    std::vector<sock_filter> program;
    if (::seccomp_export_bpf(filter, file) == 0) {
        const off_t size = ::lseek(file, 0, SEEK_END);
        program.resize(static_cast<std::size_t>(size) / sizeof(sock_filter));
        if (size <= 0 || ::pread(file, program.data(), static_cast<std::size_t>(size), 0) != size) program.clear();
    }
    ::close(file);
    return program;
}

std::optional<rlim_t> address_space() {
    const int file = ::open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    if (file < 0) return std::nullopt;
    std::array<char, 128> text{};
    const ssize_t size = ::read(file, text.data(), text.size() - 1);
    ::close(file);
    unsigned long long pages = 0;
    if (size <= 0 || std::sscanf(text.data(), "%llu", &pages) != 1) return std::nullopt;
    return static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

bool limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
    const struct rlimit both { soft, hard };
    return ::setrlimit(resource, &both) == 0;
}

}  // namespace

std::optional<Confinement> Confinement::prepare() {
    const Filter filter(::seccomp_init(SCMP_ACT_KILL_PROCESS));
    if (!filter || !describe(filter.get())) return std::nullopt;
    Confinement confinement;
    confinement.filter_ = written(filter.get());
    if (confinement.filter_.empty()) return std::nullopt;
    return confinement;
}

bool Confinement::enter(const Order& order) const {
    const auto now = address_space();
    if (!now) return false;
    if (::close_range(k_parser_descriptor + 1, ~0U, 0) != 0) return false;
    // Above what it has: a sanitised build has reserved terabytes that are nobody's memory.
    if (!limit(RLIMIT_AS, *now + order.memory, *now + order.memory)) return false;
    if (!limit(RLIMIT_CPU, order.processor_seconds, order.processor_seconds + 1)) return false;
    if (!limit(RLIMIT_CORE, 0, 0) || !limit(RLIMIT_FSIZE, 0, 0) || !limit(RLIMIT_NOFILE, 0, 0) ||
        !limit(RLIMIT_NPROC, 0, 0))
        return false;
    // Set when the program began; to be relied upon here.
    if (::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
    std::vector<sock_filter> filter = filter_;
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

}  // namespace connector::parser
