#include "daemon/importer/stored.hpp"

#include "core/crypto/pfx_outline.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace connector::importer {
namespace {

constexpr std::size_t k_password = 32;

bool is_made_by_us(std::string_view password) noexcept {
    return password.size() == k_password && std::all_of(password.begin(), password.end(), [](char c) {
               return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

bool same_owner(const trust::ImportedRecord& left, const trust::ImportedRecord& right) {
    return left.purpose == right.purpose && ascii_equal(left.user_principal_name, right.user_principal_name);
}

}  // namespace

std::optional<ports::OaepHash> oaep_hash(std::string_view scheme) noexcept {
    if (scheme == "oaepSha256") return ports::OaepHash::sha256;
    if (scheme == "oaepSha384") return ports::OaepHash::sha384;
    if (scheme == "oaepSha512") return ports::OaepHash::sha512;
    return std::nullopt;
}

Result<OpenedStored> open_stored(const ports::Crypto& crypto, const ports::PfxOpener& opener,
                                 const ports::KeyService& keys, const trust::ImportedRecord& record, UtcTime now) {
    const auto hash = oaep_hash(record.padding_scheme);
    if (!hash)
        return Error(ErrorKind::refused, "unsupported", "paddingScheme " + record.padding_scheme + " is not supported");
    if (!keys.has(record.provider_name, record.key_name))
        return Error(ErrorKind::refused, "importUndecryptable",
                     "no [import.NAME] table here has provider_name \"" + record.provider_name + "\" and key_name \"" +
                         record.key_name + "\"");
    const auto password = keys.unwrap(record.provider_name, record.key_name, record.wrapped_password, *hash);
    if (!password) return password.error();

    ImportOrder order;
    order.user_principal_name = record.user_principal_name;
    order.purpose = record.purpose;
    auto identity = opener.open_pfx(record.pfx, *password);
    if (!identity) return identity.error();
    const auto facts = crypto.inspect(identity->certificate);
    if (!facts) return Error(ErrorKind::refused, "importInvalid", facts.error().message);
    // Whose else the mailboxes may be is the connector's question.
    order.addresses = trust::mailboxes_of(*facts);
    OpenedStored stored;
    auto opened = judge(crypto, std::move(*identity), order, now);
    if (!opened) return opened.error();
    stored.opened = std::move(*opened);
    stored.human_password = !is_made_by_us(password->reveal_text());
    if (!record.thumbprint.empty() && stored.opened.certificate.thumbprint.hex() != record.thumbprint)
        return Error(ErrorKind::refused, "importInvalid", "the PFX holds another certificate than the record names");
    return stored;
}

std::string_view to_string(SignatureState state) noexcept {
    switch (state) {
        case SignatureState::good: return "yes";
        case SignatureState::none: return "no";
        case SignatureState::foreign: return "foreign";
    }
    return "";
}

CheckedSignature check_signature(const ports::Crypto& crypto, const trust::ImportedRecord& record,
                                 const std::vector<Bytes>& trusted) {
    CheckedSignature checked;
    if (record.importer_signature.empty()) return checked;
    checked.state = SignatureState::foreign;
    const auto content = crypto.verify_attached(record.importer_signature, trusted);
    if (!content) {
        checked.reason = content.error().message;
        return checked;
    }
    auto statement = trust::parse_statement(content->content);
    if (!statement) {
        checked.reason = statement.error().message;
        return checked;
    }
    if (const auto sealed = trust::check_sealed(*statement, record, crypto.sha256(record.pfx)); !sealed) {
        checked.reason = sealed.error().message;
        return checked;
    }
    checked.state = SignatureState::good;
    checked.statement = std::move(*statement);
    return checked;
}

std::string against_rule(const CheckedSignature& signature, trust::SignatureRule rule, bool adopted) {
    if (rule == trust::SignatureRule::off || signature.state == SignatureState::good) return {};
    if (signature.state == SignatureState::foreign) return signature.reason;
    if (rule == trust::SignatureRule::required) return "the record has no importerSignature; see import adopt";
    return adopted ? "the record has no importerSignature, others of this user have; see import adopt" : std::string();
}

bool is_adopted(const std::vector<SignedRecord>& store, const trust::ImportedRecord& record) {
    return std::any_of(store.begin(), store.end(), [&](const SignedRecord& stored) {
        return stored.statement && same_owner(stored.record, record);
    });
}

Result<void> check_statement(const trust::ImporterStatement& statement, const Opened& opened) {
    if (statement.certificate != opened.certificate.sha256)
        return Error(ErrorKind::refused, "importUnsigned", "the importer signed another certificate");
    std::vector<std::string> signed_ones;
    for (const std::string& mailbox : statement.mailboxes) signed_ones.push_back(ascii_lower(mailbox));
    std::sort(signed_ones.begin(), signed_ones.end());
    if (signed_ones != opened.mailboxes)
        return Error(ErrorKind::refused, "importUnsigned",
                     "the importer signed other mailboxes than the certificate's");
    return {};
}

std::vector<std::string> reasons_to_upgrade(const trust::ImportedRecord& record, const OpenedStored& stored) {
    std::vector<std::string> reasons;
    if (stored.human_password) reasons.emplace_back("a password that a person chose");
    const auto outline = crypto::outline_pfx(record.pfx);
    if (!outline || !outline->aes256()) {
        std::string ciphers;
        if (outline)
            for (const auto& layer : outline->layers)
                if (!layer.aes256 && ciphers.find(layer.algorithm) == std::string::npos)
                    ciphers += (ciphers.empty() ? "" : ", ") + layer.algorithm;
        reasons.push_back("encrypted with " + (ciphers.empty() ? std::string("something else than AES-256") : ciphers));
    }
    if (record.padding_scheme != "oaepSha512")
        reasons.push_back("its password is wrapped with " + record.padding_scheme);
    return reasons;
}

std::vector<Sha256> history_with(const std::vector<SignedRecord>& store, const std::string& user,
                                 request::Purpose purpose, std::vector<Sha256> added) {
    for (const SignedRecord& stored : store)
        if (stored.statement && stored.record.purpose == purpose &&
            ascii_equal(stored.record.user_principal_name, user))
            added.push_back(stored.statement->certificate);
    if (const auto list = newest_list(store, user, purpose))
        added.insert(added.end(), list->certificates.begin(), list->certificates.end());
    std::sort(added.begin(), added.end());
    added.erase(std::unique(added.begin(), added.end()), added.end());
    return added;
}

std::vector<Expiring> expiring_by(const std::vector<SignedRecord>& store, request::Purpose purpose, UtcTime until) {
    std::map<std::string, Expiring> newest;
    for (const SignedRecord& stored : store) {
        if (stored.record.purpose != purpose) continue;
        auto [place, fresh] = newest.try_emplace(ascii_lower(stored.record.user_principal_name));
        ++place->second.records;
        if (fresh || stored.record.expiration > place->second.newest.expiration) place->second.newest = stored.record;
    }
    std::vector<Expiring> found;
    for (auto& [user, expiring] : newest)
        if (expiring.newest.expiration <= until) found.push_back(std::move(expiring));
    std::stable_sort(found.begin(), found.end(), [](const Expiring& left, const Expiring& right) {
        return left.newest.expiration < right.newest.expiration;
    });
    return found;
}

std::vector<std::vector<std::size_t>> group_stored(const std::vector<SignedRecord>& store) {
    std::vector<std::vector<std::size_t>> groups;
    std::map<std::pair<std::string, request::Purpose>, std::size_t> known;
    for (std::size_t i = 0; i < store.size(); ++i) {
        const auto& record = store[i].record;
        const auto [place, fresh] =
            known.try_emplace({ascii_lower(record.user_principal_name), record.purpose}, groups.size());
        if (fresh) groups.emplace_back();
        groups[place->second].push_back(i);
    }
    return groups;
}

}  // namespace connector::importer
