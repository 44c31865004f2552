#include "config/credentials.hpp"

#include "core/printable.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <system_error>

namespace connector::config {
namespace {

namespace fs = std::filesystem;

Error unreadable(std::string message) {
    return {ErrorKind::misconfigured, "secretUnreadable", std::move(message)};
}

class Descriptor {
public:
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

enum class Guard {
    own_modes,       // our own file: mode and owner are looked at
    service_manager  // systemd made it, with an ACL that shows as group bits; its folder is its guard
};

std::optional<std::string> unfit(const struct stat& about, Guard guard, OwnerRule owners) {
    if (!S_ISREG(about.st_mode)) return "is not a plain file";
    if (about.st_size == 0) return "is empty";
    if (about.st_size > static_cast<off_t>(k_largest_secret)) return "is larger than 64 KiB, which no secret is";
    if (guard == Guard::service_manager) return std::nullopt;
    // 0400 or 0600: whoever else may read it, has it; whoever else may write it, chooses it.
    const auto mode = about.st_mode & 07777U;
    if (mode != 0400U && mode != 0600U) {
        std::string octal = "0000";
        for (std::size_t i = 0; i < 4; ++i) octal[3 - i] = static_cast<char>('0' + ((mode >> (3U * i)) & 7U));
        return "has mode " + octal + " and must have 0400 or 0600 (chmod 0600)";
    }
    if (owners == OwnerRule::us_or_root && about.st_uid != ::geteuid() && about.st_uid != 0)
        return "belongs to user " + std::to_string(about.st_uid) +
               "; it must belong to root or to the account that reads it (chown)";
    return std::nullopt;
}

std::string reason_of(int error) {
    if (error == ELOOP) return "is a symbolic link; name the file itself";
    if (error == ENOENT) return "does not exist";
    if (error == EACCES) return "may not be read by this account";
    return "cannot be opened: " + std::generic_category().message(error);
}

// The only code here that knows modes, owners and descriptors; Windows gets a sister of its own.
Result<SecretBytes> read_file(const fs::path& path, const std::string& called, Guard guard, OwnerRule owners,
                              bool content) {
    // O_NONBLOCK: a FIFO in its place must not hold us up.
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) return unreadable(called + " " + reason_of(errno));
    struct stat about {};
    if (::fstat(file.get(), &about) != 0) return unreadable(called + " " + reason_of(errno));
    if (const auto fault = unfit(about, guard, owners)) return unreadable(called + " " + *fault);
    if (!content) return SecretBytes();

    SecretBytes secret(static_cast<std::size_t>(about.st_size));
    std::size_t have = 0;
    while (have < secret.size()) {
        const ssize_t got = ::read(file.get(), secret.data() + have, secret.size() - have);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return unreadable(called + " " + reason_of(errno));
        if (got == 0) break;
        have += static_cast<std::size_t>(got);
    }
    if (have != secret.size()) return unreadable(called + " changed while it was being read");
    return secret;
}

Result<SecretBytes> read_credential(const SecretRef& where) {
    // Environment and name come from the operator; a `/` would lead out of the folder.
    if (where.name.empty() || where.name.find('/') != std::string::npos || where.name == "." || where.name == "..")
        return unreadable(printable(where.text()) + ": a credential's name is not empty and has no `/`");
    const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
    if (folder == nullptr || *folder == '\0')
        return unreadable(printable(where.text()) +
                          ": there is no $CREDENTIALS_DIRECTORY. systemd sets it for a unit with LoadCredential=" +
                          printable(where.name) + ":PATH; outside of a unit use file:PATH");
    const fs::path path = fs::path(folder) / where.name;
    return read_file(path, printable(where.text()) + " (" + printable(path.string()) + ")", Guard::service_manager,
                     OwnerRule::anyone, true);
}

}  // namespace

Result<SecretBytes> read_secret(const SecretRef& where) {
    switch (where.source) {
        case SecretRef::Source::credential: return read_credential(where);
        case SecretRef::Source::file:
            return read_file(where.path, printable(where.path.string()), Guard::own_modes, OwnerRule::us_or_root, true);
        case SecretRef::Source::pkcs11:
        case SecretRef::Source::dpapi:
        case SecretRef::Source::cng: break;
    }
    return unreadable(printable(where.text()) + " is not built yet; use credential:NAME or file:PATH");
}

Result<SecretBytes> read_password(const SecretRef& where) {
    auto secret = read_secret(where);
    if (!secret) return secret;
    if (const auto text = drop_byte_order_mark(*secret, printable(where.text())); !text)
        return unreadable(text.error().message);
    std::size_t size = secret->size();
    if (size > 0 && secret->data()[size - 1] == '\n') --size;
    if (size > 0 && size < secret->size() && secret->data()[size - 1] == '\r') --size;
    if (size == 0) return unreadable(printable(where.text()) + " holds nothing but a line end");
    secret->truncate(size);
    return secret;
}

Result<void> drop_byte_order_mark(SecretBytes& text, std::string_view called) {
    constexpr std::string_view k_utf8_mark = "\xEF\xBB\xBF";
    const std::string_view all = text.reveal_text();
    // No password, PIN or token has a NUL; UTF-16 has one for each Latin letter.
    if (all.starts_with("\xFF\xFE") || all.starts_with("\xFE\xFF") || all.find('\0') != std::string_view::npos)
        return Error(ErrorKind::invalid, "notUtf8", std::string(called) + " is UTF-16; save it as UTF-8");
    if (!all.starts_with(k_utf8_mark)) return {};
    const std::size_t rest = text.size() - k_utf8_mark.size();
    std::memmove(text.data(), text.data() + k_utf8_mark.size(), rest);
    text.truncate(rest);
    return {};
}

Result<SecretBytes> read_sealing_key(const SecretRef& where) {
    auto secret = read_secret(where);
    if (!secret) return secret;
    if (secret->size() != k_sealing_key_size)
        return unreadable(printable(where.text()) + " has " + std::to_string(secret->size()) +
                          " octets; a sealing key has exactly 32 (pfx-connector sealing create FILE)");
    return secret;
}

Result<void> check_secret_file(const fs::path& path, OwnerRule owners) {
    const auto looked = read_file(path, printable(path.string()), Guard::own_modes, owners, false);
    if (!looked) return looked.error();
    return {};
}

}  // namespace connector::config
