#include "daemon/service/lockdown.hpp"

#include "core/crypto/secure_heap.hpp"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <type_traits>

namespace connector::service {
namespace {

namespace fs = std::filesystem;

// Newer than the headers of Debian 12 (Landlock 3).
constexpr std::uint64_t k_truncate = 1ULL << 14U;

std::string reason(const std::string& what) {
    return what + ": " + std::generic_category().message(errno);
}

// ---- system calls ---------------------------------------------------------------------------------------------------

struct Release {
    void operator()(void* filter) const { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

// What would look into other processes, change the machine, or leave the namespaces; no library that we use has a
// need of it. Left alone on purpose: keyctl (Kerberos' credential caches may lie in the kernel's keyring), execve (the
// parsers' keeper), sched_* and setpriority (key generation at low priority).
constexpr std::array k_forbidden{SCMP_SYS(ptrace),
                                 SCMP_SYS(process_vm_readv),
                                 SCMP_SYS(process_vm_writev),
                                 SCMP_SYS(kcmp),
                                 SCMP_SYS(pidfd_getfd),
                                 SCMP_SYS(bpf),
                                 SCMP_SYS(perf_event_open),
                                 SCMP_SYS(userfaultfd),
                                 SCMP_SYS(kexec_load),
                                 SCMP_SYS(kexec_file_load),
                                 SCMP_SYS(init_module),
                                 SCMP_SYS(finit_module),
                                 SCMP_SYS(delete_module),
                                 SCMP_SYS(mount),
                                 SCMP_SYS(umount2),
                                 SCMP_SYS(pivot_root),
                                 SCMP_SYS(chroot),
                                 SCMP_SYS(move_mount),
                                 SCMP_SYS(open_tree),
                                 SCMP_SYS(fsopen),
                                 SCMP_SYS(fsconfig),
                                 SCMP_SYS(fsmount),
                                 SCMP_SYS(fspick),
                                 SCMP_SYS(mount_setattr),
                                 SCMP_SYS(swapon),
                                 SCMP_SYS(swapoff),
                                 SCMP_SYS(reboot),
                                 SCMP_SYS(sethostname),
                                 SCMP_SYS(setdomainname),
                                 SCMP_SYS(settimeofday),
                                 SCMP_SYS(clock_settime),
                                 SCMP_SYS(adjtimex),
                                 SCMP_SYS(clock_adjtime),
                                 SCMP_SYS(iopl),
                                 SCMP_SYS(ioperm),
                                 SCMP_SYS(acct),
                                 SCMP_SYS(quotactl),
                                 SCMP_SYS(unshare),
                                 SCMP_SYS(setns),
                                 SCMP_SYS(open_by_handle_at),
                                 SCMP_SYS(io_uring_setup),
                                 SCMP_SYS(modify_ldt),
                                 SCMP_SYS(vhangup),
                                 SCMP_SYS(syslog)};

bool refuse(scmp_filter_ctx filter, int call, int answer) {
    return ::seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<std::uint32_t>(answer)), call, 0) == 0;
}

std::string filter_system_calls() {
    const Filter filter(::seccomp_init(SCMP_ACT_ALLOW));
    if (!filter) return "not filtered: no memory";
    bool fine = true;
    for (const int call : k_forbidden) fine = fine && refuse(filter.get(), call, EPERM);
    constexpr scmp_datum_t k_new_namespaces =
        CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;
    for (unsigned bit = 0; bit < 32; ++bit) {
        const scmp_datum_t flag = scmp_datum_t{1} << bit;
        if ((k_new_namespaces & flag) == 0) continue;
        const scmp_arg_cmp set{0, SCMP_CMP_MASKED_EQ, flag, flag};
        fine = fine && ::seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, &set) == 0;
    }
    // Its flags stand in memory, where a filter cannot look; the C library falls back to clone.
    fine = fine && refuse(filter.get(), SCMP_SYS(clone3), ENOSYS);
    if (!fine) return "not filtered: libseccomp does not know a call";
    if (const int fault = ::seccomp_load(filter.get()); fault != 0)
        return "not filtered: " + std::generic_category().message(-fault);
    return "filtered";
}

// ---- files ----------------------------------------------------------------------------------------------------------

// Resolved, and where it is not there yet the nearest folder above that is.
fs::path existing(fs::path path) {
    std::error_code ignored;
    while (!fs::is_directory(path, ignored) && path.has_relative_path()) path = path.parent_path();
    auto real = fs::canonical(path, ignored);
    return ignored ? path : real;
}

// Every folder in which the daemon makes or changes files.
std::vector<fs::path> folders_of(const config::Settings& settings) {
    std::vector<fs::path> folders{settings.storage.directory, settings.audit.file.parent_path(),
                                  settings.control.socket.parent_path(),
                                  // Replaced when it is renewed.
                                  settings.management.certificate.parent_path(), settings.management.key.parent_path()};
    if (!settings.log.file.empty()) folders.push_back(settings.log.file.parent_path());
    for (const auto& [name, authority] : settings.authorities) {
        if (!authority.directory.empty()) folders.push_back(authority.directory);
        if (!authority.crl_file.empty()) folders.push_back(authority.crl_file.parent_path());
    }
    return folders;
}

bool below(const fs::path& path, const fs::path& folder) {
    const auto [end, ignored] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
    return end == folder.end();
}

class Descriptor {
public:
    explicit Descriptor(long number) noexcept : number_(static_cast<int>(number)) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

bool allow_writing(const Descriptor& rules, const fs::path& path, std::uint64_t access) {
    const Descriptor place(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (place.get() < 0) return false;
    landlock_path_beneath_attr beneath{};
    beneath.allowed_access = access;
    beneath.parent_fd = place.get();
    return ::syscall(SYS_landlock_add_rule, rules.get(), LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) == 0;
}

// Reading stays free: where certificates, names and time zones lie is the system's business, and the unit's.
std::string confine_writing(const std::vector<fs::path>& folders) {
    const long version = ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
    if (version < 1) return reason("not confined: this kernel has no Landlock");
    std::uint64_t writing = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                            LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                            LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;
    if (version >= 2) writing |= LANDLOCK_ACCESS_FS_REFER;
    if (version >= 3) writing |= k_truncate;
    landlock_ruleset_attr attributes{};
    attributes.handled_access_fs = writing;
    const Descriptor rules(::syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0));
    if (rules.get() < 0) return reason("not confined");
    for (const auto& folder : folders)
        if (!allow_writing(rules, folder, writing)) return reason("not confined: " + folder.string());
    // What libraries open to throw away.
    (void)allow_writing(rules, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
    if (::syscall(SYS_landlock_restrict_self, rules.get(), 0) != 0) return reason("not confined");
    return "confined";
}

}  // namespace

bool Lockdown::complete() const {
    return no_core_dumps && no_new_privileges && memory_locked && system_calls == "filtered" &&
           file_writes == "confined";
}

std::string Lockdown::text() const {
    return std::string(no_core_dumps ? "no core dumps" : "core dumps possible") +
           (no_new_privileges ? ", no new privileges" : ", new privileges possible") +
           (memory_locked ? ", memory for keys locked" : ", memory for keys not locked") + ", system calls " +
           system_calls + ", writing " + file_writes;
}

std::string Lockdown::outside(const config::Settings& settings) const {
    if (writable.empty()) return "";
    for (const auto& folder : folders_of(settings)) {
        const auto real = existing(folder);
        const bool inside =
            std::any_of(writable.begin(), writable.end(), [&real](const fs::path& each) { return below(real, each); });
        if (!inside) return folder.string();
    }
    return "";
}

Lockdown lock_down(const config::Settings& settings) {
    Lockdown done;
    // These three were done first thing in main(); here is what came of them.
    struct rlimit core {};
    done.no_core_dumps =
        ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0 && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
    done.no_new_privileges = ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    done.memory_locked = crypto::protect_memory().secure_heap == crypto::SecureHeapState::locked;

#ifdef CONNECTOR_COVERAGE
    done.file_writes = "not confined: this build writes down its coverage";
#else
    std::vector<fs::path> folders = folders_of(settings);
    for (auto& folder : folders) folder = existing(folder);
    done.file_writes = confine_writing(folders);
    if (done.file_writes == "confined") done.writable = std::move(folders);
#endif
    // Last: it forbids nothing that Landlock needs, and it is to hold whatever came before.
    done.system_calls = filter_system_calls();
    return done;
}

}  // namespace connector::service
