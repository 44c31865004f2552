// The local register's vocabulary: which device is whose, as known here and changed by local acts alone.
// No request of the service changes a pin, a block, an approval or a window.
// Values only, any thread. The ledger keeps them; trust/recipient judges by them.
#pragma once

#include "core/bytes.hpp"
#include "core/ids.hpp"
#include "core/time.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace connector::trust {

// One spelling of each person and device, for what is counted and looked up by them: a request chooses the letters, and
// with user_identity "san-email" also how a mailbox's domain is written. Lower case; a domain in A-labels.
[[nodiscard]] std::string one_spelling_of_person(std::string_view user_principal_name);
// Certificates name a device without regard to case, so pins, blocks and approvals have to.
[[nodiscard]] std::string one_spelling_of_device(std::string_view device);

// A device key seen and accepted for one user.
struct Pin {
    DeviceId device;
    UserId user;
    std::string user_principal_name;
    Sha256 spki_sha256;
    Sha256 certificate_sha256;
    std::string source;  // certificate | register:window | register:approval | register:bind | service
    UtcTime first_seen;
    UtcTime last_seen;
};

// Bound by hand before anybody has seen its key: the first that its certificate proves is its key.
[[nodiscard]] inline bool key_known(const Pin& pin) noexcept {
    return pin.spki_sha256 != Sha256();
}
// A second binding by hand that says nothing else: the same user, and the key or user id that is known, if it names
// one.
[[nodiscard]] bool same_binding(const Pin& known, const Pin& wanted) noexcept;
// What is known stays, and what was not is filled in; for same_binding() alone.
[[nodiscard]] Pin completed(const Pin& known, const Pin& wanted);

enum class BlockedThing { device, user, key };
[[nodiscard]] std::string_view to_string(BlockedThing thing) noexcept;
struct Block {
    BlockedThing thing = BlockedThing::device;
    std::string value;  // device id, user id or UPN (lower case), SPKI SHA-256 in hex
    std::string by;     // the local account
    UtcTime since;
};

// A person's word: this user by id and name, this device, this key. Ends by itself.
struct Approval {
    UserId user;
    std::string user_principal_name;  // the id is the service's word, and says nothing about whose history it asks for
    DeviceId device;
    Sha256 spki_sha256;
    std::string by;
    UtcTime given;
    UtcTime expires;
};

// One account's word for one held request as it stood: its order, its key and why it was held. Enough of them, each of
// another account, let it go on. Ends by itself.
struct Vote {
    RequestId request;
    Sha256 about;  // SHA-256 of what the account was shown: the hold's detail
    std::string by;
    Sha256 order_hash;
    Sha256 spki_sha256;
    UtcTime given;
    UtcTime expires;
};

// A bounded time in which a first use is accepted.
struct EnrolmentWindow {
    UtcTime opened;
    UtcTime until;
    std::uint32_t max = 0;
    std::uint32_t used = 0;
    std::string by;
    [[nodiscard]] bool open_at(UtcTime now) const noexcept { return now < until && used < max; }
};

// All that the register knows about one claim of user, device and key.
struct RegisterView {
    std::optional<Pin> pin;             // of the device
    std::uint32_t devices_of_user = 0;  // other devices, not blocked, pinned for that user's id or UPN
    std::optional<Block> block;         // the first that fits device, user or key
    std::optional<Approval> approval;   // for exactly this user, device and key, not expired
    std::optional<EnrolmentWindow> window;
    bool key_is_ours = false;          // generated or certified here
    bool pinned_key_blocked = false;   // where it is another than the claim's
    std::optional<Pin> key_elsewhere;  // another device that the claim's key is pinned for
};

}  // namespace connector::trust
