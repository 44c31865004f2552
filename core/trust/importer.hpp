// What an importer signed, and whether a stored record is what he signed.
// Follows the management API, "Imported certificates". The CMS signature itself is crypto's business; here the
// statement is read and compared: owner, purpose and blob before the blob is parsed, certificate and mailboxes after.
// Pure; any thread.
#pragma once

#include "core/trust/person.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace connector::trust {

enum class SignatureRule { required, adopted, off };
enum class AddressRule { strict, domain, off };

// [importer], as the operator chose.
struct ImporterRules {
    SignatureRule signatures = SignatureRule::required;
    std::vector<Bytes> signers;  // DER; each is itself trusted
    AddressRule address = AddressRule::strict;
    std::vector<std::string> mail_domains;  // for AddressRule::domain
};

// One record of the service's store, decoded but not opened.
struct ImportedRecord {
    std::string id;
    std::string thumbprint;  // lower-case hex; a claim
    request::Purpose purpose = request::Purpose::unassigned;
    std::string user_principal_name;
    UtcTime start;
    UtcTime expiration;
    std::string provider_name;
    std::string key_name;
    std::string padding_scheme;
    Bytes pfx;
    Bytes wrapped_password;
    Bytes importer_signature;  // DER of CMS SignedData, or empty
    std::string etag;          // of the single record, where the service gave one (admin calls)
};

struct ImporterStatement {
    std::string user_principal_name;  // lower case
    request::Purpose purpose = request::Purpose::unassigned;
    Sha256 certificate;
    Sha256 blob;
    std::vector<std::string> mailboxes;  // sorted
    std::vector<Sha256> history;         // all of the user's certificates for that purpose, sorted
    std::uint64_t sequence = 0;
    UtcTime signed_at;
};

// The nine lines, each ended by LF. parse: kind refused, code importUnsigned.
[[nodiscard]] std::string to_lines(const ImporterStatement& statement);
[[nodiscard]] Result<ImporterStatement> parse_statement(ByteView content);

// The record's owner is the person: his UPN, or a mailbox of his (an older UPN). To be asked before the blob is parsed;
// check_opened() asks again. code importInvalid.
[[nodiscard]] Result<void> check_owner(const ImportedRecord& record, const Person& person);
// Before the blob is parsed. code importUnsigned.
[[nodiscard]] Result<void> check_sealed(const ImporterStatement& statement, const ImportedRecord& record,
                                        const Sha256& blob_sha256);
// After it is opened: the statement's certificate and mailboxes (where there is a statement), the owner's address,
// and a purpose that can work. A certificate without any mailbox (wifi) is its owner's by the UPN.
// code importUnsigned or importInvalid.
[[nodiscard]] Result<void> check_opened(const ImporterStatement* statement, const ImportedRecord& record,
                                        const CertificateFacts& certificate, const Person& person,
                                        const ImporterRules& rules);
// KU and EKU fit the purpose: smimeEncryption needs keyEncipherment or keyAgreement, smimeSigning digitalSignature or
// nonRepudiation, both emailProtection where an EKU extension is there; wifi clientAuth. code importInvalid.
[[nodiscard]] Result<void> check_purpose(const CertificateFacts& certificate, request::Purpose purpose);
// Every mailbox of a certificate: rfc822Names, SmtpUTF8Mailboxes, and the DN's emailAddress; normalised, in lower case,
// sorted, unique.
[[nodiscard]] std::vector<std::string> mailboxes_of(const CertificateFacts& certificate);

}  // namespace connector::trust
