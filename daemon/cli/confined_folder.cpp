#include "daemon/cli/confined_folder.hpp"

#include "daemon/cli/password.hpp"
#include "daemon/importer/bulk_rows.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

namespace connector::cli {
namespace {

class Descriptor {
public:
    explicit Descriptor(int value) noexcept : value_(value) {}
    Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(value_, other.value_);
        return *this;
    }
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    [[nodiscard]] int value() const noexcept { return value_; }
    [[nodiscard]] int release() noexcept { return std::exchange(value_, -1); }

private:
    int value_;
};

Error refused(std::string_view file, const std::string& why) {
    return {ErrorKind::refused, "pathRefused", "\"" + std::string(file) + "\" " + why};
}
Error not_opened(std::string_view file, int code) {
    if (code == ELOOP) return refused(file, "is a link, or lies behind one; put the file itself into the folder");
    return {ErrorKind::refused, "fileUnreadable",
            "\"" + std::string(file) + "\": " + std::generic_category().message(code)};
}

// A link to a folder answers ENOTDIR where O_DIRECTORY is asked for.
bool is_link(int folder, const std::string& name) {
    struct stat status {};
    return ::fstatat(folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
}

struct OpenFile {
    Descriptor descriptor;
    std::size_t size = 0;
};
Result<OpenFile> open_below(int folder, std::string_view relative) {
    const auto steps = importer::steps_below(relative);
    if (!steps) return steps.error();
    Descriptor at(-1);
    for (std::size_t i = 0; i < steps->size(); ++i) {
        const bool last = i + 1 == steps->size();
        const int from = i == 0 ? folder : at.value();
        // O_NONBLOCK: a pipe would wait for its writer.
        Descriptor next(::openat(from, (*steps)[i].c_str(),
                                 O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | (last ? 0 : O_DIRECTORY)));
        if (next.value() < 0) {
            const int code = errno;
            return not_opened(relative, code == ENOTDIR && is_link(from, (*steps)[i]) ? ELOOP : code);
        }
        at = std::move(next);
    }
    struct stat status {};
    if (::fstat(at.value(), &status) != 0) return not_opened(relative, errno);
    if (!S_ISREG(status.st_mode)) return refused(relative, "is no regular file");
    return OpenFile{std::move(at), static_cast<std::size_t>(status.st_size)};
}

// Reads to the end, or until `room` is full.
Result<std::size_t> read_up_to(int descriptor, std::uint8_t* room, std::size_t size, std::string_view file) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count = ::read(descriptor, room + done, size - done);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return not_opened(file, errno);
        if (count == 0) break;
        done += static_cast<std::size_t>(count);
    }
    return done;
}

using Folder = std::unique_ptr<DIR, int (*)(DIR*)>;

}  // namespace

Result<ConfinedFolder> ConfinedFolder::open(const std::filesystem::path& folder) {
    const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return Error(ErrorKind::misconfigured, "fileUnreadable",
                     folder.string() + ": " + std::generic_category().message(errno));
    return ConfinedFolder(descriptor);
}

ConfinedFolder::ConfinedFolder(ConfinedFolder&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

ConfinedFolder::~ConfinedFolder() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

Result<Bytes> ConfinedFolder::read(std::string_view relative, std::size_t largest) const {
    const auto file = open_below(descriptor_, relative);
    if (!file) return file.error();
    const auto too_large = [&] {
        return Error(ErrorKind::refused, "fileTooLarge",
                     "\"" + std::string(relative) + "\" is larger than " + std::to_string(largest / 1024) + " KiB");
    };
    if (file->size > largest) return too_large();
    Bytes octets(file->size + 1);  // one more: it may be growing
    const auto size = read_up_to(file->descriptor.value(), octets.data(), octets.size(), relative);
    if (!size) return size.error();
    if (*size > largest) return too_large();
    octets.resize(*size);
    return octets;
}

Result<SecretBytes> ConfinedFolder::read_password(std::string_view relative) const {
    const auto file = open_below(descriptor_, relative);
    if (!file) return file.error();
    constexpr std::size_t k_around = 5;  // a byte order mark, the line's end
    SecretBytes text(k_longest_password + k_around);
    const auto size = read_up_to(file->descriptor.value(), text.data(), text.size(), relative);
    if (!size) return size.error();
    text.truncate(*size);
    if (auto kept = keep_first_line(text, "\"" + std::string(relative) + "\""); !kept) return kept.error();
    return text;
}

Result<std::vector<std::string>> ConfinedFolder::files(std::size_t deepest, std::size_t most) const {
    std::vector<std::string> found;
    struct Pending {
        std::string path;
        std::size_t depth = 0;
    };
    std::vector<Pending> pending{{"", 0}};
    while (!pending.empty()) {
        const Pending at = std::move(pending.back());
        pending.pop_back();
        Descriptor next(::openat(descriptor_, at.path.empty() ? "." : at.path.c_str(),
                                 O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
        if (next.value() < 0)
            return Error(ErrorKind::misconfigured, "fileUnreadable",
                         at.path + ": " + std::generic_category().message(errno));
        const Folder folder(::fdopendir(next.value()), &::closedir);
        if (!folder)
            return Error(ErrorKind::misconfigured, "fileUnreadable",
                         at.path + ": " + std::generic_category().message(errno));
        (void)next.release();
        while (const dirent* entry = ::readdir(folder.get())) {
            const std::string name = entry->d_name;
            if (name.starts_with('.')) continue;
            struct stat status {};
            if (::fstatat(::dirfd(folder.get()), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
            std::string path = at.path.empty() ? name : at.path + "/" + name;
            if (S_ISDIR(status.st_mode) && at.depth < deepest)
                pending.push_back({std::move(path), at.depth + 1});
            else if (S_ISREG(status.st_mode))
                found.push_back(std::move(path));
            if (found.size() + pending.size() > most)
                return Error(ErrorKind::invalid, "tooManyFiles",
                             "more than " + std::to_string(most) + " files; divide the folder");
        }
    }
    std::sort(found.begin(), found.end());
    return found;
}

}  // namespace connector::cli
