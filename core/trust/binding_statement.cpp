#include "core/trust/binding_statement.hpp"

#include "core/printable.hpp"
#include "core/text.hpp"
#include "core/trust/refusal.hpp"

namespace connector::trust {

Error binding_refused(const std::string& why) {
    return {ErrorKind::refused, "recipientUnbound", "/device/binding: " + why};
}

std::optional<Error> judge_statement(const SignedBinding& made, const request::CertificateRequest& order,
                                     const Sha256& spki_sha256, UtcTime now) {
    const auto& said = made.statement;
    if (!ascii_equal(said.device, order.device.id.text()))
        return binding_refused("the statement is of the device \"" + printable(said.device, k_longest_shown) +
                               "\", not of /device/id");
    if (!ascii_equal(said.user_principal_name, order.user.user_principal_name))
        return binding_refused("the statement is of the user " + printable(said.user_principal_name, k_longest_shown) +
                               ", not of " + printable(order.user.user_principal_name, k_longest_shown));
    if (said.spki_sha256 != spki_sha256)
        return binding_refused("the statement is of another key than /device/recipientCertificate has");
    if (now < said.not_before)
        return binding_refused("the statement does not hold before " + to_rfc3339(said.not_before));
    if (now > said.not_after) return binding_refused("the statement held until " + to_rfc3339(said.not_after));
    if (now < made.signer_not_before || now > made.signer_not_after)
        return binding_refused("the certificate of its signer is not in its time");
    return std::nullopt;
}

}  // namespace connector::trust
