// A folder whose files may be read, and nothing beside it: what a row of a list names is opened step by step from the
// folder's own descriptor, and no step may be a link. So neither "..", nor a link, nor a folder that is swapped
// meanwhile leads out. Refuses: links, devices, pipes, files beyond the size that is asked for.
// Any thread; several at once.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace connector::cli {

// Of a folder and those beneath it; more than an organisation has.
inline constexpr std::size_t k_most_files = 400'000;

class ConfinedFolder {
public:
    // kind: misconfigured.
    [[nodiscard]] static Result<ConfinedFolder> open(const std::filesystem::path& folder);
    ConfinedFolder(ConfinedFolder&& other) noexcept;
    ConfinedFolder& operator=(ConfinedFolder&&) = delete;
    ~ConfinedFolder();

    // kind refused, code pathRefused (a link on the way, no regular file), fileTooLarge, fileUnreadable.
    [[nodiscard]] Result<Bytes> read(std::string_view relative, std::size_t largest) const;
    // The first line without its end, at most 1024 octets; an empty one is a password too.
    [[nodiscard]] Result<SecretBytes> read_password(std::string_view relative) const;
    // Regular files down to `deepest` folders below, sorted; names that begin with a dot and links are left out.
    // kind invalid, code tooManyFiles.
    [[nodiscard]] Result<std::vector<std::string>> files(std::size_t deepest, std::size_t most) const;

private:
    explicit ConfinedFolder(int descriptor) noexcept : descriptor_(descriptor) {}
    int descriptor_;
};

}  // namespace connector::cli
