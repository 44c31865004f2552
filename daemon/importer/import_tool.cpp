#include "daemon/importer/import_tool.hpp"

#include "core/crypto/oaep.hpp"
#include "core/crypto/pfx_outline.hpp"
#include "core/request/mailbox.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace connector::importer {
namespace {

constexpr std::size_t k_longest_chain = 6;

Error unfit(const std::string& why) {
    return {ErrorKind::refused, "importInvalid", why};
}

bool is_for_mail(request::Purpose purpose) {
    return purpose == request::Purpose::smime_encryption || purpose == request::Purpose::smime_signing;
}

Result<void> check_address(const Opened& opened, const ImportOrder& order) {
    const auto is_his = [&order](const std::string& mailbox) {
        if (request::same_mailbox(mailbox, order.user_principal_name)) return true;
        return std::any_of(order.addresses.begin(), order.addresses.end(),
                           [&mailbox](const std::string& address) { return request::same_mailbox(mailbox, address); });
    };
    if (std::any_of(opened.mailboxes.begin(), opened.mailboxes.end(), is_his)) return {};
    if (!opened.mailboxes.empty())
        return unfit("the certificate is for " + joined(opened.mailboxes) + ", not for " + order.user_principal_name +
                     "; if one of these is his too, say so with --address");
    const auto& names = opened.certificate.alternative_names;
    const bool by_upn = std::any_of(names.begin(), names.end(), [&order](const GeneralName& name) {
        return name.form == NameForm::upn && ascii_equal(name.value, order.user_principal_name);
    });
    if (by_upn && !is_for_mail(order.purpose)) return {};
    return unfit("the certificate names no mailbox");
}

// The usual export of an older Windows or OpenSSL: RC2-40 around the certificates, 3DES around the key.
bool key_was_better_kept(ByteView pfx) {
    const auto outline = crypto::outline_pfx(pfx);
    if (!outline) return false;
    bool shows = false;
    for (const auto& layer : outline->layers) {
        if (layer.holds != "key") continue;
        if (layer.algorithm == "none" || layer.algorithm.find("RC2") != std::string::npos) return false;
        shows = true;
    }
    return shows;
}

// From the leaf upwards, by signature; a self-signed issuer ends it.
std::vector<Bytes> build_chain(const ports::Crypto& crypto, const Bytes& leaf, const std::vector<Bytes>& candidates,
                               bool& complete) {
    std::vector<Bytes> chain;
    const Bytes* below = &leaf;
    complete = crypto.issued_by(leaf, leaf);
    while (!complete && chain.size() < k_longest_chain) {
        const auto issuer = std::find_if(candidates.begin(), candidates.end(), [&](const Bytes& candidate) {
            return candidate != *below && crypto.issued_by(*below, candidate);
        });
        if (issuer == candidates.end()) break;
        chain.push_back(*issuer);
        below = &*issuer;
        complete = crypto.issued_by(*issuer, *issuer);
    }
    return chain;
}

}  // namespace

Result<Opened> open_and_judge(const ports::Crypto& crypto, const ports::PfxOpener& opener, ByteView pfx,
                              const SecretBytes& password, const ImportOrder& order, UtcTime now) {
    auto identity = opener.open_pfx(pfx, password);
    if (!identity) return identity.error();
    const bool only_certificates = identity->weak_encryption && key_was_better_kept(pfx);
    if (only_certificates) identity->weak_encryption = false;
    auto opened = judge(crypto, std::move(*identity), order, now);
    if (opened && only_certificates)
        opened->warnings.emplace_back(
            "its certificates were hardly encrypted (RC2), its key was better kept: whoever had "
            "the file can read whose it is");
    return opened;
}

Result<Opened> judge(const ports::Crypto& crypto, ports::Identity identity, const ImportOrder& order, UtcTime now) {
    auto facts = crypto.inspect(identity.certificate);
    if (!facts) return unfit("its certificate cannot be read: " + facts.error().message);
    if (!crypto.key_fits(identity.pkcs8, identity.certificate))
        return unfit("its private key does not belong to its certificate");

    Opened opened;
    opened.pkcs8 = std::move(identity.pkcs8);
    opened.certificate = std::move(*facts);
    opened.mailboxes = trust::mailboxes_of(opened.certificate);
    if (auto fit = trust::check_purpose(opened.certificate, order.purpose); !fit) return fit.error();
    if (auto fit = check_address(opened, order); !fit) return fit.error();

    std::vector<Bytes> candidates = std::move(identity.chain);
    candidates.insert(candidates.end(), order.chain_candidates.begin(), order.chain_candidates.end());
    bool complete = false;
    opened.chain = build_chain(crypto, opened.certificate.der, candidates, complete);
    if (identity.weak_encryption)
        opened.warnings.emplace_back("was hardly encrypted (RC2 or none): whoever had the file can have the key");
    if (opened.certificate.not_after < now)
        opened.warnings.push_back("expired on " + to_rfc3339(opened.certificate.not_after) +
                                  "; it is imported so that old mail stays readable");
    if (now < opened.certificate.not_before)
        opened.warnings.push_back("is not valid before " + to_rfc3339(opened.certificate.not_before));
    if (!complete && opened.chain.empty())
        opened.warnings.emplace_back("its issuer's certificate is missing; give it with --chain");
    if (!opened.certificate.signature_strong)
        opened.warnings.push_back("is signed with " + opened.certificate.signature_algorithm);
    return opened;
}

Result<trust::ImportedRecord> make_record(const ports::Crypto& crypto, const Opened& opened, const ImportOrder& order,
                                          const WrappingKey& key, const ports::Signer* signer,
                                          std::vector<Sha256> history, std::uint64_t sequence, UtcTime now) {
    auto packed = crypto.pack(opened.pkcs8, opened.certificate.der, opened.chain, ports::PfxStyle::aes256);
    if (!packed) return packed.error();
    auto wrapped = crypto::wrap_oaep(key.spki, packed->password, ports::OaepHash::sha512);
    if (!wrapped) return wrapped.error();

    trust::ImportedRecord record;
    record.thumbprint = opened.certificate.thumbprint.hex();
    record.purpose = order.purpose;
    record.user_principal_name = order.user_principal_name;
    record.start = opened.certificate.not_before;
    record.expiration = opened.certificate.not_after;
    record.provider_name = key.provider_name;
    record.key_name = key.key_name;
    record.padding_scheme = "oaepSha512";
    record.pfx = std::move(packed->der);
    record.wrapped_password = std::move(*wrapped);
    if (signer == nullptr) return record;

    auto signing = sign_record(crypto, record, opened, *signer, std::move(history), sequence, now);
    if (!signing) return signing.error();
    return record;
}

Result<void> sign_record(const ports::Crypto& crypto, trust::ImportedRecord& record, const Opened& opened,
                         const ports::Signer& signer, std::vector<Sha256> history, std::uint64_t sequence,
                         UtcTime now) {
    trust::ImporterStatement statement;
    statement.user_principal_name = ascii_lower(record.user_principal_name);
    statement.purpose = record.purpose;
    statement.certificate = opened.certificate.sha256;
    statement.blob = crypto.sha256(record.pfx);
    statement.mailboxes = opened.mailboxes;
    statement.history = std::move(history);
    statement.sequence = sequence;
    statement.signed_at = now;
    const auto signature = crypto.sign_attached(bytes_of(trust::to_lines(statement)), signer);
    if (!signature) return signature.error();
    record.importer_signature.assign(signature->view().begin(), signature->view().end());
    return {};
}

std::vector<SignedRecord> read_store(const ports::Crypto& crypto, std::vector<trust::ImportedRecord> records,
                                     const std::vector<Bytes>& trusted) {
    std::vector<SignedRecord> store;
    for (trust::ImportedRecord& record : records) {
        SignedRecord read{std::move(record), std::nullopt};
        if (!read.record.importer_signature.empty()) {
            const auto content = crypto.verify_attached(read.record.importer_signature, trusted);
            auto statement =
                content ? trust::parse_statement(content->content) : Result<trust::ImporterStatement>(content.error());
            // A genuine statement beside another record is no word about this one.
            if (statement && statement->purpose == read.record.purpose &&
                ascii_equal(statement->user_principal_name, read.record.user_principal_name))
                read.statement = std::move(*statement);
        }
        store.push_back(std::move(read));
    }
    return store;
}

const SignedRecord* find_same(const std::vector<SignedRecord>& store, const ImportOrder& order,
                              const Thumbprint& thumbprint) {
    const std::string wanted = thumbprint.hex();
    const auto found = std::find_if(store.begin(), store.end(), [&](const SignedRecord& stored) {
        return stored.record.purpose == order.purpose && ascii_equal(stored.record.thumbprint, wanted) &&
               ascii_equal(stored.record.user_principal_name, order.user_principal_name);
    });
    return found == store.end() ? nullptr : &*found;
}

bool says_the_same(const SignedRecord& stored, const Opened& opened, const WrappingKey& key, bool signs) {
    const auto& record = stored.record;
    if (record.provider_name != key.provider_name || record.key_name != key.key_name) return false;
    if (stored.statement)
        return stored.statement->certificate == opened.certificate.sha256 &&
               stored.statement->mailboxes == opened.mailboxes;
    return !signs && record.importer_signature.empty() && record.thumbprint == opened.certificate.thumbprint.hex() &&
           record.start == opened.certificate.not_before && record.expiration == opened.certificate.not_after;
}

std::optional<trust::SignedList> newest_list(const std::vector<SignedRecord>& store, const std::string& user,
                                             request::Purpose purpose) {
    std::optional<trust::SignedList> newest;
    for (const SignedRecord& stored : store) {
        if (!stored.statement || stored.record.purpose != purpose ||
            !ascii_equal(stored.record.user_principal_name, user))
            continue;
        const auto list = trust::list_of(*stored.statement);
        newest = newest ? trust::newer(*newest, list) : list;
    }
    return newest;
}

Result<void> sign_list(const ports::Crypto& crypto, trust::ImportedRecord& record, const std::vector<Bytes>& trusted,
                       const ports::Signer& signer, std::vector<Sha256> certificates, std::uint64_t sequence,
                       UtcTime now) {
    const auto content = crypto.verify_attached(record.importer_signature, trusted);
    if (!content) return Error(ErrorKind::refused, "importUnsigned", content.error().message);
    auto statement = trust::parse_statement(content->content);
    if (!statement) return statement.error();
    if (auto sealed = trust::check_sealed(*statement, record, crypto.sha256(record.pfx)); !sealed) return sealed;
    statement->history = std::move(certificates);
    statement->sequence = sequence;
    statement->signed_at = now;
    const auto signature = crypto.sign_attached(bytes_of(trust::to_lines(*statement)), signer);
    if (!signature) return signature.error();
    record.importer_signature.assign(signature->view().begin(), signature->view().end());
    return {};
}

History history_of(const std::vector<SignedRecord>& store, const ImportOrder& order,
                   const std::vector<const Opened*>& added) {
    History history;
    for (const Opened* opened : added) history.certificates.push_back(opened->certificate.sha256);
    for (const SignedRecord& stored : store) {
        if (stored.record.purpose != order.purpose ||
            !ascii_equal(stored.record.user_principal_name, order.user_principal_name))
            continue;
        const bool is_added = std::any_of(added.begin(), added.end(), [&stored](const Opened* opened) {
            return ascii_equal(opened->certificate.thumbprint.hex(), stored.record.thumbprint);
        });
        if (stored.statement) {
            history.certificates.push_back(stored.statement->certificate);
        } else if (!is_added) {
            ++history.unsigned_records;
        }
    }
    auto& all = history.certificates;
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    if (const auto list = newest_list(store, order.user_principal_name, order.purpose)) {
        history.newest = list->sequence;
        const auto shown = all.size();
        all.insert(all.end(), list->certificates.begin(), list->certificates.end());
        std::sort(all.begin(), all.end());
        all.erase(std::unique(all.begin(), all.end()), all.end());
        history.left_out = all.size() - shown;
    }
    return history;
}

Result<void> names_everything(const std::vector<SignedRecord>& store, const std::string& user, request::Purpose purpose,
                              const std::vector<std::string>& but) {
    const auto foreign = std::count_if(store.begin(), store.end(), [&](const SignedRecord& stored) {
        const auto& record = stored.record;
        return !stored.statement && !record.importer_signature.empty() && record.purpose == purpose &&
               ascii_equal(record.user_principal_name, user) &&
               std::find(but.begin(), but.end(), record.id) == but.end();
    });
    if (foreign == 0) return {};
    return Error(ErrorKind::refused, "importerUnknown",
                 "the store has " + std::to_string(foreign) + (foreign == 1 ? " record" : " records") +
                     " of this user and purpose with the signature of an importer that is not known here, and the list "
                     "that is signed with a new one would not name them: put the certificates of all importers into "
                     "importer.signers, sign those records with import adopt, or take them out with import remove");
}

}  // namespace connector::importer
