// Recipient: a proved device key of a proved user. It can only come out of prove_recipient(); what wraps keys
// takes a Recipient, so what is not proved does not compile.
// Follows the management API, "When a device may receive". Pure; any thread.
#pragma once

#include "core/certificate.hpp"
#include "core/error.hpp"
#include "core/request/record.hpp"
#include "core/trust/binding_statement.hpp"
#include "core/trust/directory.hpp"
#include "core/trust/register.hpp"
#include "core/trust/revocation.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace connector::trust {

enum class Binding { certificate, directory, statement, register_, service };
enum class DeviceNaming { san_uri, san_dns, common_name };
enum class UserIdentity { san_upn, san_email };
enum class ChangeRule { hold, audit, allow };

// [recipients], as the operator chose.
struct RecipientRules {
    std::vector<Bytes> issuers;  // DER: the direct issuers that may sign device certificates
    bool dedicated_ca = false;
    std::vector<std::string> required_eku;
    std::vector<std::string> required_policy;
    DeviceNaming device = DeviceNaming::san_uri;
    Binding binding = Binding::certificate;
    UserIdentity user_identity = UserIdentity::san_upn;
    ChangeRule key_change = ChangeRule::hold;
    ChangeRule user_change = ChangeRule::hold;
    std::uint32_t max_per_user = 10;       // 0 = no limit
    std::vector<Bytes> statement_signers;  // DER: each is itself trusted, compared whole
};

// What others than the service said of the claim, as far as they were asked. Pointers may be null: not asked.
struct Evidence {
    const DirectoryView* directory = nullptr;
    // The signed statement in the request; kind refused where there is none or it does not count.
    const Result<SignedBinding>* statement = nullptr;
    // Whether the key that is pinned for the device has signed the new one; kind refused where it has not.
    const Result<void>* key_change = nullptr;
    // What the revocation lists say of the device certificate, where the operator named any. One that they cannot judge
    // is for the caller to keep waiting.
    const Revocation* revocation = nullptr;
};

class Recipient {
public:
    [[nodiscard]] const DeviceId& device() const noexcept { return device_; }
    [[nodiscard]] const UserId& user() const noexcept { return user_; }
    [[nodiscard]] const std::string& user_principal_name() const noexcept { return user_principal_name_; }
    [[nodiscard]] const CertificateFacts& certificate() const noexcept { return certificate_; }
    // How device and user were proved to belong together, for the audit log.
    [[nodiscard]] const std::string& source() const noexcept { return source_; }

private:
    Recipient() = default;
    friend class RecipientProof;
    DeviceId device_;
    UserId user_;
    std::string user_principal_name_;
    CertificateFacts certificate_;
    std::string source_;
};

struct Hold {
    request::HeldReason reason = request::HeldReason::approval;
    std::string detail;  // for the person who decides: what is new against what is known
};

struct RecipientVerdict {
    // Refused: recipientUntrusted, recipientUnbound or unsupported.
    std::variant<Recipient, Hold, Error> answer;
    std::optional<Pin> pin;    // to be written with the next commit, where the answer is a Recipient
    bool uses_window = false;  // one place of the enrolment window is taken by it
    // First use of this key for this user, let in by neither a window nor a person: counts as new_recipients_per_day.
    bool new_recipient = false;
    std::vector<std::string> notes;  // for the audit log: "key of a known device changed, proved by its certificate"
    // A further device of the user takes a place: so many he may have with it, or 0. For the commit, where several of
    // them may have been proved side by side.
    std::uint32_t most_devices = 0;
    // Nobody has said that the key may be another device's as well. For the commit, likewise.
    bool key_alone = false;
};

// The one user that a device certificate names in the configured way; nullopt where it names none or several.
[[nodiscard]] std::optional<std::string> named_user(const CertificateFacts& certificate, UserIdentity identity);

// kind refused, code recipientUntrusted: what such a recipient is told.
[[nodiscard]] Error blocked_here(BlockedThing thing);

// (1) to (6) alone, and blocks: what can be said of the certificate whoever the user is. nullopt: nothing against it.
[[nodiscard]] std::optional<Error> judge_certificate(const request::CertificateRequest& request,
                                                     const CertificateFacts& facts, bool directly_issued,
                                                     const RecipientRules& rules, const RegisterView& known,
                                                     UtcTime now, const Revocation* revocation = nullptr);

// kind refused, code recipientUnbound: the directory has not exactly one person of that UPN, or does not let it count.
[[nodiscard]] std::optional<Error> judge_person_entry(const DirectoryPerson& person, std::string_view claimed_upn,
                                                      UtcTime now);

// `facts` are those of the request's recipient certificate; `directly_issued` says whether one of rules.issuers
// signed it (crypto's word). Everything else is judged here. Called at intake and again when wrapping.
[[nodiscard]] RecipientVerdict prove_recipient(const request::CertificateRequest& request,
                                               const CertificateFacts& facts, bool directly_issued,
                                               const RecipientRules& rules, const RegisterView& known, UtcTime now,
                                               const Evidence& evidence = {});

}  // namespace connector::trust
