#include "daemon/cli/import_stored.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace connector::cli {
namespace json = boost::json;

Result<std::unique_ptr<StoredRecords>> StoredRecords::open(const config::Settings& settings,
                                                           const RecordChoice& choice) {
    if (settings.import_keys.empty())
        return Error(ErrorKind::misconfigured, "notConfigured",
                     "no [import.NAME] here: this command opens records and runs where the import key is, on the "
                     "connector's host");
    std::unique_ptr<StoredRecords> opened(new StoredRecords);
    auto keys = keys::SoftwareKeys::load(settings.import_keys);
    if (!keys) return keys.error();
    opened->keys_ = std::move(*keys);
    auto trusted = trusted_importers(settings);
    if (!trusted) return trusted.error();
    opened->trusted_ = std::move(*trusted);
    auto session = ImportSession::open(settings);
    if (!session) return session.error();
    opened->session_ = std::move(*session);
    auto list = fetch_store(settings, *opened->session_, choice.user);
    if (!list) return list.error();
    opened->list_ = std::move(*list);
    const bool anything = std::any_of(opened->list_.begin(), opened->list_.end(),
                                      [&choice](const auto& stored) { return choice.holds(stored.record); });
    if (!anything && choice.chooses())
        return Error(ErrorKind::refused, "notFound", "the store has no such record; import list shows what it has");
    return opened;
}

Result<trust::ImportedRecord> StoredRecords::read(std::size_t index) {
    auto record = session_->wait(session_->calls().read(list_.at(index).record));
    has_read_ = has_read_ || record.has_value();
    return record;
}

Result<std::size_t> StoredRecords::learn_signatures() {
    const crypto::OpenSslCrypto crypto;
    std::size_t learned = 0;
    for (std::size_t i = 0; i < list_.size(); ++i) {
        if (list_[i].statement) continue;
        const auto whole = read(i);
        if (!whole) {
            if (!concerns_one(whole.error())) return whole.error();
            unread_.insert(i);
            continue;
        }
        auto signature = importer::check_signature(crypto, *whole, trusted_);
        if (!signature.statement) continue;
        list_[i].statement = std::move(signature.statement);
        ++learned;
    }
    return learned;
}

Result<void> StoredRecords::may_sign_a_list(const std::string& user, request::Purpose purpose,
                                            const std::vector<std::string>& signing) const {
    for (const std::size_t i : unread_)
        if (list_[i].record.purpose == purpose && ascii_equal(list_[i].record.user_principal_name, user))
            return Error(ErrorKind::refused, "answerInvalid",
                         "a record of this user and purpose, " + list_[i].record.thumbprint +
                             ", cannot be read, and a list that is signed now might not name what it names");
    return importer::names_everything(list_, user, purpose, signing);
}

bool StoredRecords::concerns_one(const Error& error) const noexcept {
    return error.code == "answerInvalid" || (error.code == "notFound" && has_read_);
}

Result<void> StoredRecords::replace(trust::ImportedRecord record) {
    const auto kept = session_->wait(session_->calls().replace(std::move(record)));
    if (!kept) return kept.error();
    return {};
}

Result<void> learn_signatures(const Invocation& call, StoredRecords& stored) {
    const auto learned = stored.learn_signatures();
    if (!learned) return learned.error();
    if (*learned != 0)
        call.terminal.warning(std::to_string(*learned) +
                              " records are signed by a trusted importer, and the service listed them without their "
                              "signature");
    return {};
}

bool RecordChoice::holds(const trust::ImportedRecord& record) const {
    return (user.empty() || ascii_equal(user, record.user_principal_name)) &&
           (thumbprint.empty() || ascii_equal(thumbprint, record.thumbprint)) &&
           (purpose.empty() || purpose == request::to_string(record.purpose));
}

void add_record_options(CLI::App& command, RecordChoice& choice) {
    command.add_option("--user", choice.user, "a userPrincipalName (default: everybody)");
    add_thumbprint_option(command, choice.thumbprint, "only this certificate's SHA-1 thumbprint");
    command.add_option("--purpose", choice.purpose, "only this purpose")->check(known_purpose);
}

json::object record_json(const trust::ImportedRecord& record) {
    json::object row;
    row["id"] = record.id;
    row["userPrincipalName"] = record.user_principal_name;
    row["purpose"] = std::string(request::to_string(record.purpose));
    row["thumbprint"] = record.thumbprint;
    row["notBefore"] = to_rfc3339(record.start);
    row["notAfter"] = to_rfc3339(record.expiration);
    row["providerName"] = record.provider_name;
    row["keyName"] = record.key_name;
    row["paddingScheme"] = record.padding_scheme;
    return row;
}

}  // namespace connector::cli
