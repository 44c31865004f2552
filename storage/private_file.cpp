#include "storage/private_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

namespace connector::storage {
namespace {

constexpr mode_t k_others = S_IRWXG | S_IRWXO;

Error exposed(const std::filesystem::path& path, const std::string& what) {
    return {ErrorKind::misconfigured, "stateExposed", path.string() + ": " + what};
}

Error failed(const std::filesystem::path& path, int number) {
    return {ErrorKind::unavailable, "storageUnavailable",
            path.string() + ": " + std::error_code(number, std::generic_category()).message()};
}

std::string octal(mode_t mode) {
    std::array<char, 8> text{};
    std::snprintf(text.data(), text.size(), "%04o", mode & 07777U);
    return text.data();
}

Result<void> check_mode(const std::filesystem::path& path, const struct stat& facts, const char* wanted) {
    if ((facts.st_mode & k_others) != 0) {
        return exposed(path,
                       "mode " + octal(facts.st_mode) + " lets others in; run: chmod " + wanted + " " + path.string());
    }
    return {};
}

Result<void> check_file(const std::filesystem::path& file, const struct stat& facts) {
    if (!S_ISREG(facts.st_mode)) return exposed(file, "is not a regular file");
    struct stat folder {};
    if (::stat(file.parent_path().c_str(), &folder) != 0) return failed(file.parent_path(), errno);
    if (facts.st_uid != folder.st_uid) {
        return exposed(file, "belongs to user " + std::to_string(facts.st_uid) + ", its folder to user " +
                                 std::to_string(folder.st_uid) +
                                 "; run: chown --reference=" + file.parent_path().string() + " " + file.string());
    }
    return check_mode(file, facts, "0600");
}

}  // namespace

Result<std::filesystem::path> private_directory(const std::filesystem::path& directory) {
    std::error_code error;
    if (!std::filesystem::exists(directory, error) && ::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
        return failed(directory, errno);
    }
    const auto real = std::filesystem::canonical(directory, error);
    if (error) return failed(directory, error.value());
    struct stat facts {};
    if (::stat(real.c_str(), &facts) != 0) return failed(real, errno);
    if (!S_ISDIR(facts.st_mode)) return exposed(real, "is not a directory");
    if (::geteuid() != 0 && facts.st_uid != ::geteuid()) {
        return exposed(real, "belongs to user " + std::to_string(facts.st_uid) + ", this is user " +
                                 std::to_string(::geteuid()) + "; run as its owner, or: chown " +
                                 std::to_string(::geteuid()) + " " + real.string());
    }
    if (auto mode = check_mode(real, facts, "0700"); !mode) return mode.error();
    return real;
}

Result<bool> private_file(const std::filesystem::path& file) {
    const int made = ::open(file.c_str(), O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (made >= 0) {
        // Root on behalf of the service: the service must be able to use it afterwards.
        struct stat folder {};
        const bool foreign = ::stat(file.parent_path().c_str(), &folder) == 0 && folder.st_uid != ::geteuid();
        const bool given = !foreign || ::fchown(made, folder.st_uid, folder.st_gid) == 0;
        const int number = errno;
        ::close(made);
        if (!given) return failed(file, number);
        return true;
    }
    if (errno != EEXIST) return failed(file, errno);
    if (auto checked = check_private_file(file); !checked) return checked.error();
    return false;
}

Result<void> check_private_file(const std::filesystem::path& file) {
    struct stat facts {};
    if (::lstat(file.c_str(), &facts) != 0) {
        if (errno == ENOENT) return {};
        return failed(file, errno);
    }
    return check_file(file, facts);
}

Result<void> sync_file(const std::filesystem::path& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int number = errno;
    if (descriptor >= 0) ::close(descriptor);
    if (synced) return {};
    return failed(path, number);
}

}  // namespace connector::storage
