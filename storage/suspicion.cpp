#include "storage/suspicion.hpp"

#include "storage/private_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace connector::storage {
namespace {

std::filesystem::path mark_in(const std::filesystem::path& directory) {
    return directory / "connector.suspect";
}

}  // namespace

Result<void> suspect(const std::filesystem::path& directory) {
    if (const auto made = private_file(mark_in(directory)); !made) return made.error();
    return sync_file(directory);
}

bool is_suspect(const std::filesystem::path& directory) {
    struct stat facts {};
    return ::lstat(mark_in(directory).c_str(), &facts) == 0 || errno != ENOENT;
}

Result<void> clear_suspicion(const std::filesystem::path& directory) {
    if (!is_suspect(directory)) return {};
    std::error_code failure;
    std::filesystem::remove(mark_in(directory), failure);
    if (failure)
        return Error(ErrorKind::unavailable, "storageUnavailable",
                     mark_in(directory).string() + ": " + failure.message());
    return sync_file(directory);
}

}  // namespace connector::storage
