#include "daemon/cli/bulk_state_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace connector::cli {
namespace {

constexpr std::size_t k_largest = 64UL * 1024 * 1024;

Error unusable(const std::filesystem::path& path, const std::string& why) {
    return {ErrorKind::misconfigured, "fileUnwritable", "state file " + path.string() + ": " + why};
}
bool write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::write(descriptor, text.data(), text.size());
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

}  // namespace

Result<std::unique_ptr<BulkStateFile>> BulkStateFile::open(const std::filesystem::path& path) {
    for (int attempt = 0; attempt < 10; ++attempt) {
        const int descriptor =
            ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (descriptor < 0)
            return unusable(path, std::generic_category().message(errno) + "; name another one with --state");
        std::unique_ptr<BulkStateFile> file(new BulkStateFile(path, descriptor));
        if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
            if (errno != EWOULDBLOCK) return unusable(path, std::generic_category().message(errno));
            return Error(ErrorKind::throttled, "inUse",
                         "state file " + path.string() + ": another import of this list is running");
        }
        struct stat status {};
        if (::fstat(descriptor, &status) != 0) return unusable(path, std::generic_category().message(errno));
        if (!S_ISREG(status.st_mode)) return unusable(path, "no regular file");
        // The run before has just ended and removed it.
        if (status.st_nlink == 0) continue;
        if (auto done = file->read(); !done) return done.error();
        return file;
    }
    return unusable(path, "it comes and goes");
}

BulkStateFile::~BulkStateFile() {
    ::close(descriptor_);
}

Result<void> BulkStateFile::read() {
    std::string text;
    std::string block(64UL * 1024, '\0');
    for (;;) {
        const ssize_t count = ::read(descriptor_, block.data(), block.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return unusable(path_, std::generic_category().message(errno));
        if (count == 0) break;
        text.append(block, 0, static_cast<std::size_t>(count));
        if (text.size() > k_largest) return unusable(path_, "larger than 64 MiB");
    }
    auto state = importer::BulkState::parse(text);
    if (!state) return state.error().in("state file " + path_.string());
    before_ = std::move(*state);
    const auto end = text.rfind('\n');
    const std::size_t whole = end == std::string::npos ? 0 : end + 1;
    if (whole != text.size() && ::ftruncate(descriptor_, static_cast<off_t>(whole)) != 0)
        return unusable(path_, std::generic_category().message(errno));
    if (whole == 0 && !write_all(descriptor_, importer::BulkState::first_line()))
        return unusable(path_, std::generic_category().message(errno));
    return {};
}

bool BulkStateFile::append(const Sha256& work, const Sha256& certificate) {
    const std::string line = importer::BulkState::line_of(work, certificate);
    const std::lock_guard lock(appending_);
    return write_all(descriptor_, line);
}

void BulkStateFile::remove() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

}  // namespace connector::cli
