// A statement of binding: somebody whom the operator pinned has signed that a device and its key are a user's, for a
// time (management API, "binding").
// Values and their judgement; pure; any thread. Who has signed is crypto's word, what it says is the wire's.
#pragma once

#include "core/error.hpp"
#include "core/ids.hpp"
#include "core/request/request.hpp"
#include "core/time.hpp"

#include <optional>
#include <string>

namespace connector::trust {

// As it stands in the JSON.
struct BindingStatement {
    std::string device;
    std::string user_principal_name;
    Sha256 spki_sha256;  // of the device certificate's key
    UtcTime not_before;
    UtcTime not_after;  // the last second at which it holds
};

// A statement whose signature is good, and the pinned certificate that made it.
struct SignedBinding {
    BindingStatement statement;
    std::string signer;  // its subject, RFC 4514
    UtcTime signer_not_before;
    UtcTime signer_not_after;
};

// kind refused, code recipientUnbound: of another device, user or key, or not in force at `now`; the signer's own
// certificate has to be in its time too. What a user reads names the field.
[[nodiscard]] std::optional<Error> judge_statement(const SignedBinding& made, const request::CertificateRequest& order,
                                                   const Sha256& spki_sha256, UtcTime now);

// kind refused, code recipientUnbound: "/device/binding: WHY".
[[nodiscard]] Error binding_refused(const std::string& why);

}  // namespace connector::trust
