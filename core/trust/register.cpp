#include "core/trust/register.hpp"

#include "core/request/mailbox.hpp"
#include "core/text.hpp"

namespace connector::trust {

std::string_view to_string(BlockedThing thing) noexcept {
    switch (thing) {
        case BlockedThing::device: return "device";
        case BlockedThing::user: return "user";
        case BlockedThing::key: break;
    }
    return "key";
}

std::string one_spelling_of_person(std::string_view user_principal_name) {
    const auto mailbox = request::parse_mailbox(user_principal_name);
    return ascii_lower(mailbox ? mailbox->text() : std::string(user_principal_name));
}

std::string one_spelling_of_device(std::string_view device) {
    return ascii_lower(device);
}

bool same_binding(const Pin& known, const Pin& wanted) noexcept {
    return ascii_equal(known.user_principal_name, wanted.user_principal_name) &&
           (wanted.user.empty() || known.user.empty() || known.user == wanted.user) &&
           (!key_known(wanted) || !key_known(known) || known.spki_sha256 == wanted.spki_sha256);
}

Pin completed(const Pin& known, const Pin& wanted) {
    Pin pin = known;
    if (!key_known(known)) pin.spki_sha256 = wanted.spki_sha256;
    if (known.user.empty()) pin.user = wanted.user;
    return pin;
}

}  // namespace connector::trust
