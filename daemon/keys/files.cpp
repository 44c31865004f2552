#include "daemon/keys/files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <system_error>
#include <utility>

namespace connector::keys {
namespace fs = std::filesystem;
namespace {

class Descriptor {
public:
    explicit Descriptor(int value) noexcept : value_(value) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() { (void)close_now(); }
    [[nodiscard]] int value() const noexcept { return value_; }
    [[nodiscard]] bool open() const noexcept { return value_ >= 0; }
    // False where the system reports that what was written is not there.
    [[nodiscard]] bool close_now() noexcept {
        if (value_ < 0) return true;
        return ::close(std::exchange(value_, -1)) == 0;
    }

private:
    int value_;
};

std::string reason(int code) {
    return std::error_code(code, std::generic_category()).message();
}

Error unreadable(const fs::path& path, const std::string& why) {
    return {ErrorKind::misconfigured, "fileUnreadable", path.string() + ": " + why};
}
Error unwritable(const fs::path& path, const std::string& why) {
    return {ErrorKind::misconfigured, "fileUnwritable", path.string() + ": " + why};
}

bool write_all(int descriptor, ByteView content) {
    std::size_t done = 0;
    while (done < content.size()) {
        const ssize_t count = ::write(descriptor, content.data() + done, content.size() - done);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        done += static_cast<std::size_t>(count);
    }
    return true;
}

void sync_directory(const fs::path& directory) {
    const fs::path place = directory.empty() ? fs::path(".") : directory;
    const Descriptor handle(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (handle.open()) (void)::fsync(handle.value());
}

// Reads into `sink` (append(ByteView)); the buffer on the way is wiped.
template <class Sink>
Result<void> read_into(const fs::path& path, Sink&& sink, bool mode_matters, std::size_t largest = k_largest_file) {
    const Descriptor handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!handle.open()) return unreadable(path, reason(errno));
    struct stat facts {};
    if (::fstat(handle.value(), &facts) != 0) return unreadable(path, reason(errno));
    if (!S_ISREG(facts.st_mode)) return unreadable(path, "not a regular file");
    if (mode_matters && (facts.st_mode & 077U) != 0)
        return Error(ErrorKind::misconfigured, "fileModeOpen",
                     path.string() + ": others may read or write it; chmod 600 it");
    constexpr std::size_t k_mebibyte = 1024UL * 1024;
    if (static_cast<std::uint64_t>(facts.st_size) > largest)
        return unreadable(path, "larger than " + std::to_string(largest / k_mebibyte) + " MiB");
    std::array<std::uint8_t, 4096> buffer{};
    std::size_t total = 0;
    int failure = 0;
    for (;;) {
        const ssize_t count = ::read(handle.value(), buffer.data(), buffer.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) failure = errno;
        if (count <= 0) break;
        total += static_cast<std::size_t>(count);
        if (total > largest) {
            failure = EFBIG;
            break;
        }
        sink(ByteView(buffer.data(), static_cast<std::size_t>(count)));
    }
    wipe(buffer.data(), buffer.size());
    if (failure != 0) return unreadable(path, reason(failure));
    return {};
}

Result<void> write_to(const fs::path& path, ByteView content, mode_t mode, const std::optional<Owner>& owner) {
    Descriptor handle(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
    if (!handle.open()) {
        if (errno == EEXIST)
            return Error(ErrorKind::conflict, "fileExists",
                         path.string() + ": is there already; nothing is overwritten");
        return unwritable(path, reason(errno));
    }
    int failure = 0;
    // The mode is set again because the umask may have taken bits away.
    if (::fchmod(handle.value(), mode) != 0) failure = errno;
    if (failure == 0 && owner && ::geteuid() == 0 && ::fchown(handle.value(), owner->user, owner->group) != 0)
        failure = errno;
    if (failure == 0 && !write_all(handle.value(), content)) failure = errno == 0 ? EIO : errno;
    if (failure == 0 && ::fsync(handle.value()) != 0) failure = errno;
    if (!handle.close_now() && failure == 0) failure = errno;
    if (failure != 0) {
        (void)::unlink(path.c_str());
        return unwritable(path, reason(failure));
    }
    sync_directory(path.parent_path());
    return {};
}

}  // namespace

std::optional<Owner> owner_of(const fs::path& path) {
    struct stat facts {};
    if (::stat(path.c_str(), &facts) != 0) return std::nullopt;
    return Owner{facts.st_uid, facts.st_gid};
}

Result<void> give_to(const fs::path& path, const Owner& owner) {
    if (::geteuid() != 0) return {};
    if (::lchown(path.c_str(), owner.user, owner.group) != 0) return unwritable(path, reason(errno));
    return {};
}

Result<std::string> read_text_file(const fs::path& path) {
    std::string text;
    const auto add = [&text](ByteView more) { text.append(text_of(more)); };
    if (auto done = read_into(path, add, false); !done) return done.error();
    return text;
}

Result<Bytes> read_file(const fs::path& path, std::size_t largest) {
    Bytes octets;
    const auto add = [&octets](ByteView more) { octets.insert(octets.end(), more.begin(), more.end()); };
    if (auto done = read_into(path, add, false, largest); !done) return done.error();
    return octets;
}

Result<SecretBytes> read_secret_file(const fs::path& path, bool mode_matters) {
    SecretBytes secret;
    const auto add = [&secret](ByteView more) { secret.append(more); };
    if (auto done = read_into(path, add, mode_matters); !done) return done.error();
    return secret;
}

Result<SecretBytes> read_secret_line(const fs::path& path, bool mode_matters) {
    auto secret = read_secret_file(path, mode_matters);
    if (!secret) return secret;
    const std::string_view text = secret->reveal_text();
    std::size_t end = text.find('\n');
    if (end == std::string_view::npos) end = text.size();
    if (end > 0 && text[end - 1] == '\r') --end;
    secret->truncate(end);
    if (secret->empty()) return unreadable(path, "its first line is empty");
    return secret;
}

Result<void> write_new_file(const fs::path& path, ByteView content, mode_t mode, const std::optional<Owner>& owner) {
    return write_to(path, content, mode, owner);
}

Result<void> replace_file(const fs::path& path, ByteView content, mode_t mode, const std::optional<Owner>& owner) {
    static std::atomic<unsigned> counter{0};
    fs::path beside = path;
    beside += ".new-" + std::to_string(::getpid()) + "-" + std::to_string(counter.fetch_add(1));
    if (auto written = write_to(beside, content, mode, owner); !written) return written.error();
    if (::rename(beside.c_str(), path.c_str()) != 0) {
        const int failure = errno;
        (void)::unlink(beside.c_str());
        return unwritable(path, reason(failure));
    }
    sync_directory(path.parent_path());
    return {};
}

Result<void> make_private_directory(const fs::path& path, const std::optional<Owner>& owner) {
    std::error_code failure;
    if (fs::is_directory(path, failure)) return {};
    const fs::path parent = path.parent_path();
    if (!parent.empty() && parent != path && !fs::exists(parent, failure)) {
        if (auto made = make_private_directory(parent, owner); !made) return made.error();
    }
    if (::mkdir(path.c_str(), 0700) != 0) return unwritable(path, reason(errno));
    if (owner) return give_to(path, *owner);
    return {};
}

}  // namespace connector::keys
