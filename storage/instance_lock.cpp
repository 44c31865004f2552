#include "storage/instance_lock.hpp"

#include "storage/private_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

namespace connector::storage {
namespace {

std::string holder_of(int descriptor) {
    std::array<char, 32> text{};
    const auto size = ::pread(descriptor, text.data(), text.size() - 1, 0);
    std::string pid;
    for (ssize_t i = 0; i < size; ++i) {
        const char digit = text[static_cast<std::size_t>(i)];
        if (digit < '0' || digit > '9') break;
        pid.push_back(digit);
    }
    return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

Result<InstanceLock> InstanceLock::acquire(const std::filesystem::path& state_directory) {
    auto directory = private_directory(state_directory);
    if (!directory) return directory.error();
    const auto file = *directory / "connector.lock";
    if (auto made = private_file(file); !made) return made.error();
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (descriptor < 0) {
        return Error(ErrorKind::unavailable, "storageUnavailable",
                     file.string() + ": " + std::error_code(errno, std::generic_category()).message());
    }
    InstanceLock lock(*directory, descriptor);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        return Error(ErrorKind::conflict, "alreadyRunning",
                     directory->string() + " is in use by " + holder_of(descriptor));
    }
    const auto pid = std::to_string(::getpid()) + "\n";
    // The pid only informs: a disk too full to take it must not keep the connector from starting.
    if (::ftruncate(descriptor, 0) == 0) {
        const auto written = ::pwrite(descriptor, pid.data(), pid.size(), 0);
        static_cast<void>(written);
    }
    return lock;
}

InstanceLock::~InstanceLock() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace connector::storage
