#include "tests/sim/people.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <utility>

namespace connector::sim {

CertificateFacts device_facts(const std::string& device, const std::string& user, const Sha256& spki, UtcTime now) {
    auto facts = plain_facts("", spki, 7);
    facts.not_before = UtcTime{} + std::chrono::days{3650};
    // A clock that is years ahead finds it expired.
    facts.not_after = now + std::chrono::days{700};
    facts.alternative_names = {{NameForm::uri, "urn:device:" + device}, {NameForm::upn, user}};
    facts.key_usage = KeyUsage(KeyUsage::k_key_encipherment);
    facts.extended_key_usage = std::vector<std::string>{std::string(eku::k_client_auth)};
    return facts;
}

void People::make_device_ca() {
    auto ca = plain_facts("Device CA", digest_of("spki", bytes_of("device-ca")), 1);
    ca.issuer = ca.subject;
    ca.is_ca = true;
    device_ca_ = labels_.add_certificate(std::move(ca), {});
}

Bytes People::device_certificate(const Holder& holder, const std::string& key) {
    const auto spki = digest_of("spki", bytes_of(key));
    keys_.emplace(spki, holder.user.user_principal_name);
    return labels_.add_certificate(device_facts(holder.device.id.text(), holder.user.user_principal_name, spki, now_),
                                   device_ca_);
}

trust::ImportedRecord record_about(Labels& labels, const request::User& user, const std::string& name,
                                   std::string_view pfx, std::uint64_t serial, UtcTime from, UtcTime to) {
    auto facts = plain_facts("", digest_of("spki", bytes_of(name)), serial);
    facts.not_before = from;
    facts.not_after = to;
    facts.alternative_names = {{NameForm::email, user.user_principal_name}};
    facts.key_usage = KeyUsage(KeyUsage::k_key_encipherment);
    facts.extended_key_usage = std::vector<std::string>{std::string(eku::k_email_protection)};
    const std::string key = labels.add_key(facts.key.spki_sha256);
    trust::ImportedRecord record;
    record.start = facts.not_before;
    record.expiration = facts.not_after;
    const Bytes certificate = labels.add_certificate(std::move(facts), {});
    record.id = name;
    record.thumbprint = labels.certificate(certificate)->thumbprint.hex();
    record.purpose = request::Purpose::smime_encryption;
    record.user_principal_name = user.user_principal_name;
    record.provider_name = "provider";
    record.key_name = "key";
    record.padding_scheme = "oaepSha512";
    const std::string password = std::string(k_canary) + "-IMPORT-" + name;
    record.pfx = labels.fresh(pfx);
    record.wrapped_password = labels.fresh("WRAPPED");
    labels.pfx.emplace(record.pfx, Labels::PfxContent{key, certificate, {}, password});
    labels.wrapped_passwords.emplace(record.wrapped_password, password);
    return record;
}

trust::ImporterStatement statement_of(const Labels& labels, const trust::ImportedRecord& record,
                                      std::vector<Sha256> history, UtcTime now) {
    const auto* facts = labels.certificate(labels.pfx.at(record.pfx).certificate);
    trust::ImporterStatement statement;
    statement.user_principal_name = ascii_lower(record.user_principal_name);
    statement.purpose = record.purpose;
    statement.certificate = facts->sha256;
    statement.blob = digest_of("sha256", record.pfx);
    statement.mailboxes = trust::mailboxes_of(*facts);
    statement.history = std::move(history);
    statement.sequence = 1;
    statement.signed_at = now;
    return statement;
}

trust::ImportedRecord People::imported(const request::User& user, std::size_t number, bool opens) {
    auto record =
        record_about(labels_, user, user.id.text() + "-old-" + std::to_string(number), "OLDPFX", 1000 + number,
                     now_ - std::chrono::days{100 * static_cast<int>(number + 1)}, now_ + std::chrono::days{200});
    if (!opens) labels_.wrapped_passwords.erase(record.wrapped_password);
    blobs_.insert(record.pfx);
    return record;
}

void People::add(Random& dice) {
    if (device_ca_.empty()) make_device_ca();
    const std::string number = std::to_string(holders_.size());
    Holder holder;
    holder.user.id = *UserId::parse("user" + number);
    holder.user.user_principal_name = "user" + number + "@example.com";
    holder.device.id = *DeviceId::parse("device" + number);
    holder.device.platform = request::Platform::linux_pc;
    holder.device.recipient_certificate = device_certificate(holder, "key" + number);
    holder.other_certificate = device_certificate(holder, "other" + number);
    const auto old = dice.below(3);
    for (std::size_t k = 0; k < old; ++k)
        histories_[holder.user.id].push_back(imported(holder.user, k, !dice.chance(100)));
    holders_.push_back(std::move(holder));
}

void People::sign_imports() {
    importer_ = labels_.add_certificate(plain_facts("Importer", digest_of("spki", bytes_of("importer")), 2), {});
    for (auto& [user, records] : histories_) {
        std::vector<Sha256> history;
        for (const auto& record : records)
            history.push_back(labels_.certificate(labels_.pfx.at(record.pfx).certificate)->sha256);
        std::sort(history.begin(), history.end());
        for (auto& record : records)
            record.importer_signature =
                labels_.sign(trust::to_lines(statement_of(labels_, record, history, now_)), importer_);
    }
}

std::optional<std::string> People::holder_of(const Sha256& spki) const {
    const auto found = keys_.find(spki);
    return found == keys_.end() ? std::nullopt : std::optional(found->second);
}

const Holder* People::find(const UserId& user) const {
    const auto found =
        std::find_if(holders_.begin(), holders_.end(), [&](const Holder& holder) { return holder.user.id == user; });
    return found == holders_.end() ? nullptr : &*found;
}

bool People::is_of(const Sha256& spki, const request::User& user, const DeviceId& device) const {
    const auto* holder = find(user.id);
    return holder != nullptr && holder->device.id == device &&
           holder->user.user_principal_name == user.user_principal_name && holder_of(spki) == user.user_principal_name;
}

bool People::was_imported(ByteView pfx) const {
    return blobs_.contains(Bytes(pfx.begin(), pfx.end()));
}

const std::vector<trust::ImportedRecord>& People::history_of(const UserId& user) const {
    static const std::vector<trust::ImportedRecord> k_none;
    const auto found = histories_.find(user);
    return found == histories_.end() ? k_none : found->second;
}

}  // namespace connector::sim
