#include "daemon/doctor/account.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace connector::doctor {

Result<void> become_owner_of(const std::filesystem::path& state_directory) {
    struct stat about {};
    if (::geteuid() != 0 || ::stat(state_directory.c_str(), &about) != 0 || about.st_uid == 0) return {};
    std::array<char, 16384> buffer{};
    struct passwd entry {};
    struct passwd* found = nullptr;
    const bool known =
        ::getpwuid_r(about.st_uid, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr;
    const gid_t group = known ? found->pw_gid : about.st_gid;
    // The groups first: without root's rights they could not be changed any more.
    const bool done = (known ? ::initgroups(found->pw_name, group) : ::setgroups(0, nullptr)) == 0 &&
                      ::setresgid(group, group, group) == 0 &&
                      ::setresuid(about.st_uid, about.st_uid, about.st_uid) == 0;
    if (!done)
        return Error(ErrorKind::internal, "internal",
                     "cannot look as the daemon's account: " + std::generic_category().message(errno));
    return {};
}

}  // namespace connector::doctor
