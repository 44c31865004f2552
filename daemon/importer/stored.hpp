// The importing tool's judgement of what is in the store already: whether the connector could use a record, whether it
// should be packed anew, which of a person's certificates runs out. Records are claims of the service; where the
// importer's signature holds, they are not. Pure but for the import key's work; any thread.
//
// Decision: `adopted` is a time of migration. A user's unsigned records of a purpose pass only while none of his
// records of that purpose carries a trusted importer's signature: nothing unsigned is slipped in beside what is signed.
// The connector remembers who had a signed list: who strips all of a user's signatures gains nothing there any more.
#pragma once

#include "core/ports/key_service.hpp"
#include "daemon/importer/import_tool.hpp"

#include <optional>
#include <string>
#include <vector>

namespace connector::importer {

// "oaepSha256" …; nullopt for what the connector does not unwrap.
[[nodiscard]] std::optional<ports::OaepHash> oaep_hash(std::string_view padding_scheme) noexcept;

// Opened under its import key; its certificate and purpose are as the record says. An address that is not the UPN is
// no fault here: who the person is, the connector knows. codes importUndecryptable, importInvalid, unsupported.
struct OpenedStored {
    Opened opened;
    bool human_password = false;  // not 32 of A–Z a–z 0–9
};
[[nodiscard]] Result<OpenedStored> open_stored(const ports::Crypto& crypto, const ports::PfxOpener& opener,
                                               const ports::KeyService& keys, const trust::ImportedRecord& record,
                                               UtcTime now);

enum class SignatureState { good, none, foreign };
[[nodiscard]] std::string_view to_string(SignatureState state) noexcept;
struct CheckedSignature {
    SignatureState state = SignatureState::none;
    std::optional<trust::ImporterStatement> statement;  // good: of this owner, purpose and blob
    std::string reason;                                 // foreign: why it counts for nothing
};
// Of a whole record: owner, purpose and blob.
[[nodiscard]] CheckedSignature check_signature(const ports::Crypto& crypto, const trust::ImportedRecord& record,
                                               const std::vector<Bytes>& trusted);
// "" where a record with this signature passes; `adopted`: one of his records of that purpose is signed.
[[nodiscard]] std::string against_rule(const CheckedSignature& signature, trust::SignatureRule rule, bool adopted);
// One of the user's records of that purpose carries a trusted signature.
[[nodiscard]] bool is_adopted(const std::vector<SignedRecord>& store, const trust::ImportedRecord& record);
// The statement is of what was opened. code importUnsigned.
[[nodiscard]] Result<void> check_statement(const trust::ImporterStatement& statement, const Opened& opened);

// Why it should be packed anew; empty where it need not.
[[nodiscard]] std::vector<std::string> reasons_to_upgrade(const trust::ImportedRecord& record,
                                                          const OpenedStored& stored);

// The certificates that trusted importers have named for this owner and purpose, those of the newest list that the
// store does not show among them, and `added`.
[[nodiscard]] std::vector<Sha256> history_with(const std::vector<SignedRecord>& store, const std::string& user,
                                               request::Purpose purpose, std::vector<Sha256> added);

struct Expiring {
    trust::ImportedRecord newest;
    std::size_t records = 0;  // of the user and purpose
};
// Users whose newest certificate for that purpose (the one that is valid longest) is over by `until`; the first to end
// is first.
[[nodiscard]] std::vector<Expiring> expiring_by(const std::vector<SignedRecord>& store, request::Purpose purpose,
                                                UtcTime until);

// Records of one owner and purpose, in the order in which each owner first appears.
[[nodiscard]] std::vector<std::vector<std::size_t>> group_stored(const std::vector<SignedRecord>& store);

}  // namespace connector::importer
