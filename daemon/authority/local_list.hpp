// The local CA's revocation list: ca.crl in its directory, and a copy where it is published. Written with every
// revocation and again when half of its life is over, so that nobody who verifies meets one whose time has passed.
// Its number only grows (RFC 5280 5.2.3), whoever writes: daemon and command line hold the database's write lock
// meanwhile. Blocking; the store's owner locks.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"
#include "daemon/authority/local_signer.hpp"
#include "daemon/authority/local_store.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace connector::authority {

// Long enough for a bad week-end, short enough to mean something.
inline constexpr std::chrono::days k_list_life{7};

struct ListRules {
    std::chrono::days life = k_list_life;  // from now to nextUpdate
    std::filesystem::path published;       // also written there, DER, 0644; empty: nowhere
};

struct CrlMade {
    Bytes der;
    std::uint64_t number = 0;
    std::size_t entries = 0;
    UtcTime next_update;
    std::optional<Error> unpublished;  // ca.crl was written, its copy was not
};
// A new one. kind: as the store has them; misconfigured where ca.crl cannot be written.
[[nodiscard]] Result<CrlMade> write_list(const std::filesystem::path& directory, const LocalSigner& signer,
                                         LocalStore& store, const ListRules& rules, UtcTime now);

// What lies there, as far as it is this CA's.
struct ListFound {
    std::optional<std::uint64_t> number;
    std::optional<UtcTime> next_update;
    std::size_t entries = 0;
    Bytes der;
    std::string due;  // "" or why it is time for a new one
};
// `store` nullptr: what it knows is not compared.
[[nodiscard]] ListFound look_at_list(const std::filesystem::path& directory, const LocalSigner& signer,
                                     LocalStore* store, UtcTime now);
// The copy is what lies in the directory; true where there is none to be.
[[nodiscard]] bool is_published(const ListFound& found, const ListRules& rules);
[[nodiscard]] Result<void> publish_list(ByteView der, const ListRules& rules);

}  // namespace connector::authority
