#include "tests/sim/evil.hpp"

#include "tests/sim/world.hpp"

#include <algorithm>

namespace connector::sim {

namespace {

constexpr std::string_view k_readable = "no key becomes readable outside the proved set";
constexpr std::string_view k_named = "a certificate names its device's person alone";

}  // namespace

bool Evil::on() const noexcept {
    return world_.scenario.evil != 0;
}

bool Evil::strikes() {
    return random_.chance(static_cast<unsigned>(world_.scenario.evil));
}

void Evil::knows(const Person& person) {
    people_.push_back(person);
    if (const auto* facts = world_.labels.certificate(person.device.recipient_certificate))
        holds(facts->key.spki_sha256, person.user.user_principal_name);
}

Person Evil::accomplice() {
    mallory_.user.id = *UserId::parse("mallory");
    mallory_.user.user_principal_name = "mallory@example.com";
    mallory_.device.id = *DeviceId::parse("mallorys");
    const auto certify = [&](const Bytes& issuer, const std::vector<GeneralName>& names, std::string_view purpose,
                             std::string_view key) {
        auto facts = plain_facts("", digest_of("spki", bytes_of(key)), 9);
        facts.not_before = UtcTime{} + std::chrono::days{3650};
        facts.not_after = UtcTime{} + std::chrono::days{50000};
        facts.alternative_names = names;
        facts.key_usage = KeyUsage(KeyUsage::k_key_encipherment);
        facts.extended_key_usage = std::vector<std::string>{std::string(purpose)};
        holds(facts.key.spki_sha256, mallory_.user.user_principal_name);
        return world_.labels.add_certificate(std::move(facts), issuer);
    };
    const auto named = [](const DeviceId& device, const std::string& upn) {
        return std::vector<GeneralName>{{NameForm::uri, "urn:device:" + device.text()}, {NameForm::upn, upn}};
    };
    const auto& own_upn = mallory_.user.user_principal_name;
    mallory_.device.recipient_certificate =
        certify(world_.device_ca, named(mallory_.device.id, own_upn), eku::k_client_auth, "mallorys-key");
    auto sub = plain_facts("Other Device CA", digest_of("spki", bytes_of("other-device-ca")), 3);
    sub.is_ca = true;
    const Bytes sub_ca = world_.labels.add_certificate(sub, world_.device_ca);
    const Bytes foreign_ca = world_.labels.add_certificate(std::move(sub), {});
    for (const auto& victim : people_) {
        const auto theirs = named(victim.device.id, victim.user.user_principal_name);
        certificates_.push_back(certify(sub_ca, theirs, eku::k_client_auth, "mallory-sub"));
        certificates_.push_back(certify(foreign_ca, theirs, eku::k_client_auth, "mallory-foreign"));
        // The device CA says what is true, and something beside it: two devices, two people, a mail address.
        auto both = named(mallory_.device.id, own_upn);
        both.push_back(theirs[0]);
        certificates_.push_back(certify(world_.device_ca, both, eku::k_client_auth, "mallory-two-devices"));
        both = named(mallory_.device.id, own_upn);
        both.push_back(theirs[1]);
        certificates_.push_back(certify(world_.device_ca, both, eku::k_client_auth, "mallory-two-people"));
        both = named(mallory_.device.id, own_upn);
        both.push_back({NameForm::email, victim.user.user_principal_name});
        certificates_.push_back(certify(world_.device_ca, both, eku::k_client_auth, "mallory-mail"));
    }
    certificates_.push_back(mallory_.device.recipient_certificate);
    knows(mallory_);
    return mallory_;
}

bool Evil::is_true(const request::User& user, const Sha256& spki) const {
    const auto holder = holders_.find(spki);
    return holder != holders_.end() && holder->second == user.user_principal_name &&
           std::any_of(people_.begin(), people_.end(), [&](const Person& one) {
               return one.user.id == user.id && one.user.user_principal_name == user.user_principal_name;
           });
}

const Person& Evil::somebody() {
    return people_[random_.below(people_.size())];
}

// --- the attack ---

void Evil::spoil(request::CertificateRequest& request) {
    if (!on() || !strikes()) return;
    const Person victim = somebody();
    for (auto times = random_.between(1, 3); times > 0; --times) claim(request, victim);
    world_.trace.line("the service is evil with " + request.id.text());
}

void Evil::claim(request::CertificateRequest& request, const Person& victim) {
    auto* issue = std::get_if<request::Issue>(&request.order);
    switch (random_.below(12)) {
        case 0: request.user = victim.user; break;
        case 1: request.device = mallory_.device; break;
        case 2: request.device.recipient_certificate = certificates_[random_.below(certificates_.size())]; break;
        case 3: request.device.id = victim.device.id; break;
        case 4: request.user.id = victim.user.id; break;  // whose history is fetched
        case 5: request.user.user_principal_name = victim.user.user_principal_name; break;
        case 6:
            request.user.mail = victim.user.user_principal_name;
            request.user.other_mails = {victim.user.user_principal_name};
            request.user.proxy_addresses = {"SMTP:" + victim.user.user_principal_name};
            break;
        case 7:
            request.user.display_name = victim.user.user_principal_name;
            request.user.given_name = "Chief";
            request.user.on_premises_distinguished_name = "CN=Chief,DC=example";
            break;
        case 8:
            if (issue != nullptr)
                issue->profile.subject_alt_names = {
                    {random_.chance(500) ? request::SanType::email : request::SanType::upn,
                     random_.chance(500) ? victim.user.user_principal_name : "{{EmailAddress}}"}};
            break;
        case 9:
            if (issue != nullptr)
                issue->profile.subject = random_.chance(500) ? "CN=" + victim.user.user_principal_name
                                                             : "CN={{UserPrincipalName}},E={{EmailAddress}}";
            break;
        case 10: request.order = request::DeliverImported{request::Purpose::smime_encryption, {}, {}}; break;
        default:
            request.user = victim.user;
            request.device = victim.device;
            request.device.recipient_certificate = certificates_[random_.below(certificates_.size())];
            break;
    }
}

void Evil::swap(request::CertificateRequest& request) {
    request.device = mallory_.device;
    if (random_.chance(500)) request.user = mallory_.user;
    swapped_[request.id] = mallory_.device.recipient_certificate;
}

bool Evil::handed(const RequestId& id, const Bytes& certificate) const {
    const auto found = swapped_.find(id);
    return found != swapped_.end() && found->second == certificate;
}

void Evil::spoil(const UserId& asked, std::vector<trust::ImportedRecord>& records) {
    if (!on() || !strikes()) return;
    const Person victim = somebody();
    const auto found = world_.histories.find(victim.user.id);
    auto theirs = found != world_.histories.end() ? found->second : std::vector<trust::ImportedRecord>();
    if (random_.chance(500))
        for (const auto& one : people_)
            if (one.user.id == asked)
                for (auto& record : theirs) record.user_principal_name = one.user.user_principal_name;
    switch (random_.below(3)) {
        case 0: records = std::move(theirs); break;
        case 1: records.insert(records.end(), theirs.begin(), theirs.end()); break;
        default:
            // The names of the one, the file of the other.
            for (std::size_t i = 0; i < std::min(records.size(), theirs.size()); ++i) {
                records[i].pfx = theirs[i].pfx;
                records[i].wrapped_password = theirs[i].wrapped_password;
                if (random_.chance(500)) records[i].thumbprint = theirs[i].thumbprint;
            }
            break;
    }
    world_.trace.line("the service is evil with the history of " + asked.text());
}

// --- the invariant ---

// Also of what the service does not accept: it has the envelope all the same.
void Evil::arrives(const ports::ResultMessage& message) {
    if (!on() || !message.delivered) return;
    const auto found = world_.labels.envelopes.find(message.delivered->envelope);
    if (found == world_.labels.envelopes.end()) return;
    const auto* recipient = world_.labels.certificate(found->second.recipient_certificate);
    const auto holder = recipient != nullptr ? holders_.find(recipient->key.spki_sha256) : holders_.end();
    const std::string reader = holder != holders_.end() ? holder->second : "nobody";
    for (const auto& [pfx, password] : found->second.identities) {
        const auto content = world_.labels.pfx.find(pfx);
        if (content == world_.labels.pfx.end() || content->second.password != password) continue;
        const auto* facts = world_.labels.certificate(content->second.certificate);
        if (facts == nullptr) continue;
        const auto owner = owners_.find(content->second.key);
        const std::string whose = owner != owners_.end() ? owner->second : reader;
        if (whose != reader)
            world_.judge.broken(k_readable, message.request.text() + ": a key of " + whose + " for " + reader);
        for (const auto& name : facts->alternative_names)
            if (name.value != reader)
                world_.judge.broken(k_named, message.request.text() + ": " + name.value + " for " + reader);
        holds(facts->key.spki_sha256, reader);
        if (reader == mallory_.user.user_principal_name) certificates_.push_back(content->second.certificate);
    }
}

// What was certified, whoever had it in the end.
void Evil::at_the_end() {
    if (!on()) return;
    for (const auto& authority : world_.authorities) {
        for (const auto& entry : authority->entries) {
            const auto csr = world_.labels.csrs.find(entry.csr);
            const auto* order = world_.service.find(entry.request);
            // Who was served under which face is the envelope's business, arrives().
            if (csr == world_.labels.csrs.end() || order == nullptr || swapped_.contains(entry.request)) continue;
            const auto* recipient = world_.labels.certificate(order->request.device.recipient_certificate);
            const auto holder = recipient != nullptr ? holders_.find(recipient->key.spki_sha256) : holders_.end();
            for (const auto& name : csr->second.content.alternative_names)
                if (holder == holders_.end() || name.value != holder->second)
                    world_.judge.broken(k_named, entry.request.text() + " was submitted with " + name.value);
            for (const auto& rdn : csr->second.content.subject.rdns)
                for (const auto& attribute : rdn)
                    if (holder == holders_.end() || attribute.value != holder->second)
                        world_.judge.broken(k_named, entry.request.text() + " was submitted with " + attribute.value);
        }
    }
}

}  // namespace connector::sim
