// Person: a proved identity with its source. Only prove_person() makes one; names in a certificate and the addresses
// an imported certificate may carry are taken from it, never from the request.
// Follows the operator contract, [policy] identity. Pure; any thread.
#pragma once

#include "core/trust/recipient.hpp"

#include <optional>
#include <string>
#include <vector>

namespace connector::trust {

enum class IdentitySource { directory, certificate, service };
[[nodiscard]] std::string_view to_string(IdentitySource source) noexcept;

class Person {
public:
    [[nodiscard]] const std::string& user_principal_name() const noexcept { return user_principal_name_; }
    // Normalised (request/mailbox): domain as lower-case A-labels, local part as it is.
    [[nodiscard]] const std::vector<std::string>& mailboxes() const noexcept { return mailboxes_; }
    [[nodiscard]] const std::optional<std::string>& given_name() const noexcept { return given_name_; }
    [[nodiscard]] const std::optional<std::string>& surname() const noexcept { return surname_; }
    [[nodiscard]] const std::optional<std::string>& display_name() const noexcept { return display_name_; }
    [[nodiscard]] const std::optional<std::string>& sam_account_name() const noexcept { return sam_account_name_; }
    [[nodiscard]] const std::optional<std::string>& distinguished_name() const noexcept { return distinguished_name_; }
    [[nodiscard]] const std::optional<std::string>& security_identifier() const noexcept {
        return security_identifier_;
    }
    [[nodiscard]] IdentitySource source() const noexcept { return source_; }
    [[nodiscard]] bool has_mailbox(std::string_view normalised) const;

private:
    Person() = default;
    friend class PersonProof;
    std::string user_principal_name_;
    std::vector<std::string> mailboxes_;
    std::optional<std::string> given_name_;
    std::optional<std::string> surname_;
    std::optional<std::string> display_name_;
    std::optional<std::string> sam_account_name_;
    std::optional<std::string> distinguished_name_;
    std::optional<std::string> security_identifier_;
    IdentitySource source_ = IdentitySource::certificate;
};

// certificate: `user_identity`'s value of the recipient's certificate is UPN and mailbox, givenName and surname where
// its subject has them. service: what the request says. directory: what its one entry of that UPN says (`directory`,
// asked for this request); an account that does not count at `now` is nobody.
// A UPN that contradicts the proof: recipientUnbound, naming /user/userPrincipalName.
[[nodiscard]] Result<Person> prove_person(const request::CertificateRequest& request, const Recipient& recipient,
                                          IdentitySource source, UserIdentity user_identity,
                                          const DirectoryView* directory = nullptr, UtcTime now = {});

// Whether one of `names` (UPNs, mailboxes or ids, as somebody wrote them) is this person's, as claimed or as proved.
// ASCII case and the form of a mailbox's domain make no difference.
[[nodiscard]] bool is_named(const Person& person, const request::User& user, const std::vector<std::string>& names);

}  // namespace connector::trust
