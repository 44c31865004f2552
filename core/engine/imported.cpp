#include "core/engine/imported.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <limits>

namespace connector::engine {
namespace {

constexpr std::size_t k_most_cached_histories = 256;

Result<ports::OaepHash> oaep_hash(const std::string& padding) {
    if (padding == "oaepSha256") return ports::OaepHash::sha256;
    if (padding == "oaepSha384") return ports::OaepHash::sha384;
    if (padding == "oaepSha512") return ports::OaepHash::sha512;
    return Error(ErrorKind::refused, "unsupported",
                 "paddingScheme " + padding + " is not supported; import the record again with oaepSha512");
}

}  // namespace

std::string HistoryCache::etag(const UserId& user, request::Purpose purpose) const {
    const auto* history = find(user, purpose);
    return history == nullptr ? std::string() : history->etag;
}

const ports::ImportedHistory* HistoryCache::find(const UserId& user, request::Purpose purpose) const {
    const auto found = histories_.find({user, purpose});
    return found == histories_.end() ? nullptr : &found->second;
}

void HistoryCache::store(const UserId& user, request::Purpose purpose, ports::ImportedHistory history) {
    if (history.etag.empty()) return;
    if (histories_.size() >= k_most_cached_histories) histories_.erase(histories_.begin());
    histories_.insert_or_assign({user, purpose}, std::move(history));
}

void HistoryCache::forget(const UserId& user) {
    std::erase_if(histories_, [&](const auto& entry) { return entry.first.first == user; });
}

Selection select_records(const ports::ImportedHistory& history, const request::DeliverImported& order, UtcTime now) {
    Selection selection;
    if (!order.thumbprints.empty()) {
        for (const auto& thumbprint : order.thumbprints) {
            const auto is_it = [&](const auto& record) { return ascii_equal(record.thumbprint, thumbprint); };
            const auto found = std::find_if(history.records.begin(), history.records.end(), is_it);
            const auto unread = std::find_if(history.unreadable.begin(), history.unreadable.end(), is_it);
            if (found != history.records.end())
                selection.records.push_back(*found);
            else if (unread != history.unreadable.end())
                selection.unreadable.push_back(*unread);
            else
                selection.missing.push_back({thumbprint, "importNotFound", "no record with this thumbprint"});
        }
        return selection;
    }
    selection.unreadable = history.unreadable;
    const bool whole_history = order.purpose == request::Purpose::smime_encryption;
    for (const auto& record : history.records)
        if (whole_history || (record.start <= now && now < record.expiration)) selection.records.push_back(record);
    return selection;
}

namespace {

Result<trust::ImporterStatement> signed_statement(const trust::ImportedRecord& record,
                                                  const trust::ImporterRules& rules, const ports::Crypto& crypto) {
    const auto content = crypto.verify_attached(record.importer_signature, rules.signers);
    if (!content)
        return Error(ErrorKind::refused, "importUnsigned",
                     "importerSignature: " + content.error().message + "; [importer] signers names who may sign");
    auto statement = trust::parse_statement(content->content);
    if (!statement) return statement.error();
    if (auto sealed = trust::check_sealed(*statement, record, crypto.sha256(record.pfx)); !sealed)
        return sealed.error();
    return statement;
}

}  // namespace

trust::SignatureRule rule_for(const std::vector<trust::ImportedRecord>& all, const trust::ImporterRules& rules,
                              const ports::Crypto& crypto) {
    if (rules.signatures != trust::SignatureRule::adopted) return rules.signatures;
    const bool adopted = std::any_of(all.begin(), all.end(), [&](const trust::ImportedRecord& record) {
        return !record.importer_signature.empty() && signed_statement(record, rules, crypto).has_value();
    });
    return adopted ? trust::SignatureRule::required : trust::SignatureRule::adopted;
}

std::vector<trust::ImporterStatement> read_statements(const std::vector<trust::ImportedRecord>& records,
                                                      request::Purpose purpose, const trust::ImporterRules& rules,
                                                      const ports::Crypto& crypto) {
    std::vector<trust::ImporterStatement> statements;
    for (const auto& record : records) {
        if (record.importer_signature.empty()) continue;
        const auto content = crypto.verify_attached(record.importer_signature, rules.signers);
        if (!content) continue;
        auto statement = trust::parse_statement(content->content);
        // Beyond the database's own numbers is beyond any clock's milliseconds.
        constexpr std::uint64_t k_most = std::numeric_limits<std::int64_t>::max();
        if (statement && statement->purpose == purpose && statement->sequence <= k_most)
            statements.push_back(std::move(*statement));
    }
    return statements;
}

Result<OpenedImport> open_imported(const trust::ImportedRecord& record, request::Purpose purpose,
                                   const trust::Person& person, const trust::ImporterRules& rules,
                                   ports::PfxStyle style, const ports::Crypto& crypto, const ports::PfxOpener& opener,
                                   const ports::KeyService& keys) {
    if (record.purpose != purpose)
        return Error(ErrorKind::refused, "importInvalid", "the record is tagged for another purpose");
    const auto hash = oaep_hash(record.padding_scheme);
    if (!hash) return hash.error();
    if (auto owned = trust::check_owner(record, person); !owned) return owned.error();

    std::optional<trust::ImporterStatement> statement;
    const bool may_be_unsigned = rules.signatures != trust::SignatureRule::required;
    if (rules.signatures != trust::SignatureRule::off && !(may_be_unsigned && record.importer_signature.empty())) {
        if (record.importer_signature.empty())
            return Error(ErrorKind::refused, "importUnsigned",
                         "the record has no importerSignature; sign it with `import adopt` or import it again");
        auto signed_by_importer = signed_statement(record, rules, crypto);
        if (!signed_by_importer) return signed_by_importer.error();
        statement = std::move(*signed_by_importer);
    }

    if (!keys.has(record.provider_name, record.key_name))
        return Error(ErrorKind::misconfigured, "importUndecryptable",
                     "no [import.NAME] table has provider_name \"" + record.provider_name + "\" and key_name \"" +
                         record.key_name + "\"");
    auto password = keys.unwrap(record.provider_name, record.key_name, record.wrapped_password, *hash);
    if (!password) return password.error();
    auto identity = opener.open_pfx(record.pfx, *password);
    if (!identity) return identity.error();
    auto facts = crypto.inspect(identity->certificate);
    if (!facts) return Error(ErrorKind::refused, "importInvalid", facts.error().message);
    if (!record.thumbprint.empty() && facts->thumbprint.hex() != record.thumbprint)
        return Error(ErrorKind::refused, "importInvalid", "the PFX holds another certificate than the record names");
    if (auto fits = trust::check_opened(statement ? &*statement : nullptr, record, *facts, person, rules); !fits)
        return fits.error();

    // The root is left out of a PFX; anchors reach a device on their own way.
    std::vector<Bytes> issuers;
    for (const auto& issuer : identity->chain)
        if (!crypto.issued_by(issuer, issuer)) issuers.push_back(issuer);
    auto pfx = crypto.pack(identity->pkcs8, identity->certificate, issuers, style);
    if (!pfx) return pfx.error();

    OpenedImport opened{ports::PackedIdentity{facts->thumbprint, facts->sha256, std::move(*pfx)}, std::move(*facts),
                        std::move(identity->chain), identity->weak_encryption, !statement.has_value()};
    return opened;
}

}  // namespace connector::engine
