// Imported certificates: which of a user's records an order means, and how one is opened and packed anew.
// open_imported() computes and runs on the pool; HistoryCache belongs to cc-io.
#pragma once

#include "core/ports/crypto.hpp"
#include "core/ports/key_service.hpp"
#include "core/ports/management_api.hpp"
#include "core/ports/packager.hpp"
#include "core/ports/pfx_opener.hpp"
#include "core/trust/importer.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::engine {

// One fetch serves all of a user's devices, as long as the service's ETag holds. Bounded; holds no key in clear.
class HistoryCache {
public:
    [[nodiscard]] std::string etag(const UserId& user, request::Purpose purpose) const;
    [[nodiscard]] const ports::ImportedHistory* find(const UserId& user, request::Purpose purpose) const;
    void store(const UserId& user, request::Purpose purpose, ports::ImportedHistory history);
    void forget(const UserId& user);

private:
    std::map<std::pair<UserId, request::Purpose>, ports::ImportedHistory> histories_;
};

struct OpenedImport {
    ports::PackedIdentity identity;
    CertificateFacts facts;
    std::vector<Bytes> chain;  // issuers as far as the PFX held them
    bool weak_encryption = false;
    bool is_unsigned = false;
};

// What `adopted` means for the records of one user and purpose: signatures are required as soon as one of them all
// carries a trusted importer's. Other rules stay as they are. Verifies signatures; pool.
[[nodiscard]] trust::SignatureRule rule_for(const std::vector<trust::ImportedRecord>& all,
                                            const trust::ImporterRules& rules, const ports::Crypto& crypto);

// What importers have signed of a history, whoever's record it is beside. Verifies signatures; pool.
[[nodiscard]] std::vector<trust::ImporterStatement> read_statements(const std::vector<trust::ImportedRecord>& records,
                                                                    request::Purpose purpose,
                                                                    const trust::ImporterRules& rules,
                                                                    const ports::Crypto& crypto);

// Signature, key, password, PFX, address, purpose; then packed again under a fresh password.
// Error codes: importUnsigned, importUndecryptable, importInvalid, unsupported. kind unavailable: no verdict on the
// record.
[[nodiscard]] Result<OpenedImport> open_imported(const trust::ImportedRecord& record, request::Purpose purpose,
                                                 const trust::Person& person, const trust::ImporterRules& rules,
                                                 ports::PfxStyle style, const ports::Crypto& crypto,
                                                 const ports::PfxOpener& opener, const ports::KeyService& keys);

// What an order without a list means, and what a list means: the records to open, what the list names in vain, and what
// is there but could not be read.
struct Selection {
    std::vector<trust::ImportedRecord> records;
    std::vector<request::Omitted> missing;
    std::vector<request::Omitted> unreadable;
};
[[nodiscard]] Selection select_records(const ports::ImportedHistory& history, const request::DeliverImported& order,
                                       UtcTime now);

}  // namespace connector::engine
