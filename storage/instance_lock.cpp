#include "storage/instance_lock.hpp"

#include "storage/private_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>

namespace connector::storage {
namespace {

constexpr std::string_view k_command = " command";
constexpr std::chrono::seconds k_patience{10};
constexpr std::chrono::milliseconds k_between_looks{20};
constexpr std::chrono::milliseconds k_until_named{200};  // a new holder has not written its name yet

std::string text_of_lock(int descriptor) {
    std::array<char, 64> text{};
    const auto size = ::pread(descriptor, text.data(), text.size(), 0);
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0U};
}

std::string name_of(const std::string& holder) {
    const auto digits = holder.find_first_not_of("0123456789");
    const auto pid = holder.substr(0, digits);
    return pid.empty() ? "another process" : "process " + pid;
}

}  // namespace

Result<InstanceLock> InstanceLock::acquire(const std::filesystem::path& state_directory, Holder holder) {
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
    const auto began = std::chrono::steady_clock::now();
    while (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
        const auto other = text_of_lock(descriptor);
        const auto patience = other.find(k_command) == std::string::npos ? k_until_named : k_patience;
        if (std::chrono::steady_clock::now() - began > patience)
            return Error(ErrorKind::conflict, "alreadyRunning",
                         directory->string() + " is in use by " + name_of(other));
        std::this_thread::sleep_for(k_between_looks);
    }
    auto pid = std::to_string(::getpid());
    if (holder == Holder::command) pid += k_command;
    pid += "\n";
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
