// The importing tool's judgement, apart from files, network and terminal: a PFX is opened, held against its user and
// purpose, packed anew, its password wrapped for the import key, and the whole signed by the importer.
// Follows the management API, "Imported certificates". Stricter than the connector is when it reads: what is wrong is
// best seen by the person who imports it.
// Refuses: a certificate of somebody else, a purpose that cannot work, key and certificate that do not belong together.
// One thread; computes for up to a second.
//
// Decision: a certificate that the newest list names stays in the next one, whether the store shows it or not: a
// service that hides a record from the importer must not get a list without it. `import remove` and `inventory
// --publish` take it out, by a person's act. Decision: older records are not signed again when a certificate is added.
// Each statement lists the history as the importer knew it then; completeness is judged by the statement with the
// highest sequence, and an older one proves no more than its own record. Signing them again would need every PFX's blob
// hash, which the administrator's list does not give, and would let one import rewrite all that was said before.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/ports/pfx_opener.hpp"
#include "core/trust/signed_list.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace connector::importer {

struct ImportOrder {
    std::string user_principal_name;
    request::Purpose purpose = request::Purpose::unassigned;
    std::vector<std::string> addresses;   // mailboxes that are his as well, in the importer's word
    std::vector<Bytes> chain_candidates;  // issuers that the PFX may lack, DER
};

// Opened and found to fit; holds the private key.
struct Opened {
    SecretBytes pkcs8;
    CertificateFacts certificate;
    std::vector<Bytes> chain;            // the leaf's issuer first, as far as it is known
    std::vector<std::string> mailboxes;  // the certificate's, normalised and sorted
    std::vector<std::string> warnings;   // RC2, expired, an issuer missing, …
};
// code importUndecryptable or importInvalid, naming what was found.
[[nodiscard]] Result<Opened> open_and_judge(const ports::Crypto& crypto, const ports::PfxOpener& opener, ByteView pfx,
                                            const SecretBytes& password, const ImportOrder& order, UtcTime now);
// The same for a file that is open already. code importInvalid.
[[nodiscard]] Result<Opened> judge(const ports::Crypto& crypto, ports::Identity identity, const ImportOrder& order,
                                   UtcTime now);

struct WrappingKey {
    std::string provider_name;
    std::string key_name;
    Bytes spki;  // DER
};
// A fresh password and AES-256; the password under RSA-OAEP-SHA-512; signed where there is a `signer`. `history`: all
// of the user's certificates for that purpose, this one among them.
[[nodiscard]] Result<trust::ImportedRecord> make_record(const ports::Crypto& crypto, const Opened& opened,
                                                        const ImportOrder& order, const WrappingKey& key,
                                                        const ports::Signer* signer, std::vector<Sha256> history,
                                                        std::uint64_t sequence, UtcTime now);
// Signs what the record holds already: for records that were made elsewhere, after a look at them.
[[nodiscard]] Result<void> sign_record(const ports::Crypto& crypto, trust::ImportedRecord& record, const Opened& opened,
                                       const ports::Signer& signer, std::vector<Sha256> history, std::uint64_t sequence,
                                       UtcTime now);

// What the store says of a user, as far as an importer whose certificate is among `trusted` has signed it.
struct SignedRecord {
    trust::ImportedRecord record;
    std::optional<trust::ImporterStatement> statement;  // of this record's owner and purpose, by a trusted signer
};
[[nodiscard]] std::vector<SignedRecord> read_store(const ports::Crypto& crypto,
                                                   std::vector<trust::ImportedRecord> records,
                                                   const std::vector<Bytes>& trusted);

// The stored record of the same user, purpose and thumbprint, or nullptr.
[[nodiscard]] const SignedRecord* find_same(const std::vector<SignedRecord>& store, const ImportOrder& order,
                                            const Thumbprint& thumbprint);
// It says the same as a new import would: the certificate and mailboxes signed by a trusted importer, under the same
// import key. Blob and password differ with every packing and say nothing. Without a hand to sign with (`signs`), an
// unsigned record of the same certificate, dates and key is the same.
[[nodiscard]] bool says_the_same(const SignedRecord& stored, const Opened& opened, const WrappingKey& key, bool signs);

// The newest list that trusted importers have signed for this owner and purpose, as far as the store shows it.
[[nodiscard]] std::optional<trust::SignedList> newest_list(const std::vector<SignedRecord>& store,
                                                           const std::string& user, request::Purpose purpose);
// The record's statement anew, with another list: what it says of the record itself stays. code importUnsigned where
// nobody trusted has signed the record.
[[nodiscard]] Result<void> sign_list(const ports::Crypto& crypto, trust::ImportedRecord& record,
                                     const std::vector<Bytes>& trusted, const ports::Signer& signer,
                                     std::vector<Sha256> certificates, std::uint64_t sequence, UtcTime now);

struct History {
    std::vector<Sha256> certificates;  // sorted, unique; what the newest list names is carried on
    std::size_t left_out = 0;          // named by it, and not shown by the store
    std::uint64_t newest = 0;          // its sequence: the next one's has to be above
    std::size_t unsigned_records = 0;  // whose certificates cannot be named: nobody vouches for them
};
// Records of that owner and purpose with a signature of somebody who is not trusted here, but for those in `but`: a
// list that is signed without a colleague's records would hide them. code importerUnknown.
[[nodiscard]] Result<void> names_everything(const std::vector<SignedRecord>& store, const std::string& user,
                                            request::Purpose purpose, const std::vector<std::string>& but = {});
// The store's certificates for the order's purpose, with those that are being added (or replaced).
[[nodiscard]] History history_of(const std::vector<SignedRecord>& store, const ImportOrder& order,
                                 const std::vector<const Opened*>& added);

}  // namespace connector::importer
