// What he makes of an order.
#include "tests/sim/attacker.hpp"
#include "tests/sim/world.hpp"

#include <utility>

namespace connector::sim {

using request::CertificateRequest;
using request::Profile;

namespace {

constexpr std::string_view k_smart_card_logon = "1.3.6.1.4.1.311.20.2.2";
constexpr std::string_view k_security_identifier = "S-1-5-21-1004336348-1177238915-682003330-500";

Bytes octets_of(std::string_view text) {
    const auto view = bytes_of(text);
    return {view.begin(), view.end()};
}

}  // namespace

void Attacker::pass_for_another(CertificateRequest& order, Bytes issuer) {
    const auto& victim = another(order);
    order.user = victim.user;
    order.device = victim.device;
    order.device.recipient_certificate =
        forged(facts_for(victim.device.id.text(), victim.user.user_principal_name), std::move(issuer));
}

const std::vector<Attacker::Art<CertificateRequest>>& Attacker::order_arts() {
    static const std::vector<Art<CertificateRequest>> k_arts{
        {"another's history to one's own device",
         [](Attacker& self, auto& order) { order.user = self.another(order).user; }},
        {"another's name",
         [](Attacker& self, auto& order) {
             order.user.user_principal_name = self.another(order).user.user_principal_name;
         }},
        {"another's name in capitals",
         [](Attacker& self, auto& order) {
             auto name = self.another(order).user.user_principal_name;
             for (auto& c : name)
                 if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
             order.user.user_principal_name = name;
         }},
        {"another's user id", [](Attacker& self, auto& order) { order.user.id = self.another(order).user.id; }},
        {"another's mailboxes",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order).user.user_principal_name;
             order.user.mail = victim;
             order.user.other_mails = {victim};
             order.user.proxy_addresses = {"SMTP:" + victim};
             order.user.display_name = victim;
         }},
        {"another's device", [](Attacker& self, auto& order) { order.device = self.another(order).device; }},
        {"another's device id", [](Attacker& self, auto& order) { order.device.id = self.another(order).device.id; }},
        {"another's device certificate",
         [](Attacker& self, auto& order) {
             order.device.recipient_certificate = self.another(order).device.recipient_certificate;
         }},
        {"another's user and device, one's own certificate",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order);
             const auto own = order.device.recipient_certificate;
             order.user = victim.user;
             order.device = victim.device;
             order.device.recipient_certificate = own;
         }},
        {"a certificate of one's own authority, for another",
         [](Attacker& self, auto& order) { self.pass_for_another(order, self.ca_); }},
        {"a certificate signed by itself, for another",
         [](Attacker& self, auto& order) { self.pass_for_another(order, {}); }},
        {"a certificate of two devices",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order);
             auto facts = self.facts_for(order.device.id.text(), victim.user.user_principal_name);
             facts.alternative_names.push_back({NameForm::uri, "urn:device:" + victim.device.id.text()});
             order.user = victim.user;
             if (self.random_.chance(500)) order.device.id = victim.device.id;
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a certificate of two users",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order);
             auto facts = self.facts_for(order.device.id.text(), order.user.user_principal_name);
             facts.alternative_names.push_back({NameForm::upn, victim.user.user_principal_name});
             order.user = victim.user;
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a certificate that nearly names the device",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order);
             const auto& name = victim.device.id.text();
             const std::string near[] = {name + ".", " " + name, name + "x", "x" + name, name.substr(1), name + "\n"};
             auto facts = self.facts_for(near[self.random_.below(std::size(near))], victim.user.user_principal_name);
             order.user = victim.user;
             order.device.id = victim.device.id;
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a certificate that names a mailbox for a user",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order);
             auto facts = self.facts_for(order.device.id.text(), victim.user.user_principal_name);
             facts.alternative_names.back().form = NameForm::email;
             order.user = victim.user;
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a mail certificate made here",
         [](Attacker& self, auto& order) {
             for (const auto& authority : self.world_.authorities)
                 for (const auto& entry : authority->entries)
                     if (!entry.certificate.empty()) order.device.recipient_certificate = entry.certificate;
         }},
        {"an authority's own certificate",
         [](Attacker& self, auto& order) { order.device.recipient_certificate = self.world_.people.device_ca(); }},
        {"a certificate for other ends",
         [](Attacker& self, auto& order) {
             auto facts = self.facts_for(order.device.id.text(), order.user.user_principal_name);
             switch (self.random_.below(self.world_.marks_devices() ? 5 : 4)) {
                 case 0:
                     facts.extended_key_usage = std::vector<std::string>{std::string(eku::k_email_protection)};
                     break;
                 case 4: facts.extended_key_usage = std::vector<std::string>{"1.3.6.1.5.5.7.3.1"}; break;
                 case 1: facts.extended_key_usage = std::vector<std::string>{std::string(eku::k_any)}; break;
                 case 2: facts.is_ca = true; break;
                 default: facts.key_usage = KeyUsage(KeyUsage::k_digital_signature); break;
             }
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a weak key",
         [](Attacker& self, auto& order) {
             auto facts = self.facts_for(order.device.id.text(), order.user.user_principal_name);
             switch (self.random_.below(4)) {
                 case 0: facts.key.bits = 1024; break;
                 case 1: facts.key.exponent_fit = false; break;
                 case 2: facts.key.algorithm = KeyAlgorithm::other; break;
                 default: facts.signature_strong = false; break;
             }
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a certificate out of its time",
         [](Attacker& self, auto& order) {
             auto facts = self.facts_for(order.device.id.text(), order.user.user_principal_name);
             if (self.random_.chance(500))
                 facts.not_after = facts.not_before + std::chrono::days{1};
             else
                 facts.not_before = facts.not_after - std::chrono::days{1};
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a certificate that ends in a moment",
         [](Attacker& self, auto& order) {
             const auto* holder = self.world_.people.find(order.user.id);
             if (holder == nullptr) return;
             order.user = holder->user;
             order.device = holder->device;
             auto facts = self.facts_for(order.device.id.text(), order.user.user_principal_name);
             facts.not_after =
                 self.world_.utc(self.world_.timeline.now()) + std::chrono::seconds{self.random_.between(0, 600)};
             self.world_.people.give(facts.key.spki_sha256, order.user.user_principal_name);
             order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
         }},
        {"a device's certificate over a key made here",
         [](Attacker& self, auto& order) {
             // A sister's keys nobody knows here.
             if (self.world_.scenario.connectors != 1) return;
             for (const auto& authority : self.world_.authorities)
                 for (const auto& entry : authority->entries) {
                     auto facts = self.facts_for(order.device.id.text(), order.user.user_principal_name);
                     facts.key.spki_sha256 = self.world_.labels.csrs.at(entry.csr).spki;
                     order.device.recipient_certificate = self.forged(std::move(facts), self.world_.people.device_ca());
                 }
         }},
        {"one's own device in other letters",
         [](Attacker&, auto& order) {
             auto name = order.device.id.text();
             for (auto& c : name)
                 if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
             order.device.id = *DeviceId::parse(name);
         }},
        {"no certificate", [](Attacker&, auto& order) { order.device.recipient_certificate.clear(); }},
        {"octets for a certificate",
         [](Attacker&, auto& order) { order.device.recipient_certificate = octets_of("no certificate at all"); }},
        {"octets for proofs",
         [](Attacker&, auto& order) {
             order.device.binding = octets_of("says so");
             order.device.key_change_proof = octets_of("says so");
         }},
        {"another time",
         [](Attacker& self, auto& order) {
             order.created_at = UtcTime{std::chrono::seconds{self.random_.between(0, 253402300799)}};
         }},
        {"another platform",
         [](Attacker& self, auto& order) {
             order.device.platform = static_cast<request::Platform>(self.random_.below(5));
             order.device.os_version = self.random_.chance(500) ? "1.0" : "99.9";
         }},
        {"another delivery",
         [](Attacker& self, auto& order) {
             request::Delivery delivery;
             delivery.format = static_cast<request::DeliveryFormat>(self.random_.below(3));
             delivery.pkcs12 = static_cast<request::Pkcs12Choice>(self.random_.below(3));
             delivery.apple = R"({"mail":{"host":"mail.evil.example"}})";
             if (auto* issue = std::get_if<request::Issue>(&order.order)) issue->delivery = delivery;
             if (auto* deliver = std::get_if<request::DeliverImported>(&order.order)) deliver->delivery = delivery;
         }},
        {"another's imports by name",
         [](Attacker& self, auto& order) {
             request::DeliverImported deliver;
             for (const auto& record : self.world_.people.history_of(self.another(order).user.id))
                 deliver.thumbprints.push_back(record.thumbprint);
             deliver.thumbprints.emplace_back(40, '0');
             order.order = std::move(deliver);
         }},
        {"imports of another purpose",
         [](Attacker& self, auto& order) {
             request::DeliverImported deliver;
             deliver.purpose = static_cast<request::Purpose>(self.random_.below(4));
             order.order = std::move(deliver);
         }},
        {"a withdrawal for another",
         [](Attacker& self, auto& order) {
             const auto& victim = self.another(order);
             order.user = victim.user;
             order.device = victim.device;
             order.order = request::Withdraw{"unenrolled"};
         }},
        {"a kind that was not asked for",
         [](Attacker& self, auto& order) {
             if (self.random_.chance(500)) {
                 order.order = request::Revoke{"ca0", "CN=Authority ca0", "4000000000000001", "keyCompromise"};
                 return;
             }
             request::Renew renew;
             if (const auto* profile = order.profile()) renew.profile = *profile;
             renew.previous = {"4000000000000001", "CN=Authority ca0"};
             order.order = std::move(renew);
         }},
        {"a certificate with other content",
         [](Attacker& self, auto& order) {
             if (!std::holds_alternative<request::Issue>(order.order)) {
                 request::Issue issue;
                 issue.profile.authority = "ca0";
                 issue.profile.subject = "CN={{UserPrincipalName}}";
                 issue.profile.subject_alt_names = {{request::SanType::email, "{{UserPrincipalName}}"}};
                 order.order = std::move(issue);
             }
             // Whoever's name he writes there also stands in the claims that variables are filled from.
             const auto& victim = self.another(order).user.user_principal_name;
             if (self.random_.chance(500)) {
                 order.user.mail = victim;
                 order.user.display_name = victim;
                 order.user.given_name = "user0";
                 order.user.surname = "Chief";
                 order.user.on_premises_sam_account_name = "user0";
                 order.user.on_premises_distinguished_name = "CN=user0,DC=example,DC=com";
                 order.user.on_premises_security_identifier = k_security_identifier;
                 order.device.name = victim;
                 order.device.serial_number = victim;
             }
             auto& profile = std::get<request::Issue>(order.order).profile;
             for (auto times = self.random_.between(1, 3); times > 0; --times)
                 self.practise(profile_arts(), order.id, profile);
         }},
    };
    return k_arts;
}

const std::vector<Attacker::Art<Profile>>& Attacker::profile_arts() {
    static const std::vector<Art<Profile>> k_arts{
        {"subject: another's name",
         [](Attacker& self, auto& profile) {
             const auto& victim = self.anybody().user.user_principal_name;
             const std::string subjects[] = {"CN=" + victim,
                                             "E=" + victim,
                                             "CN=Chief+UID=" + victim,
                                             "SN=Chief,G=" + victim.substr(0, victim.find('@')),
                                             "O=" + victim,
                                             "CN={{UserPrincipalName}},CN=" + victim};
             profile.subject = subjects[self.random_.below(std::size(subjects))];
         }},
        {"subject: variables",
         [](Attacker& self, auto& profile) {
             const std::string_view names[] = {
                 "EmailAddress", "DeviceName",  "UserName",     "OnPremisesSamAccountName",  "GivenName",
                 "SurName",      "DisplayName", "SerialNumber", "OnPrem_Distinguished_Name", "Nothing"};
             profile.subject = "CN={{" + std::string(names[self.random_.below(std::size(names))]) + "}}";
         }},
        {"alternative name: another's",
         [](Attacker& self, auto& profile) {
             const auto& victim = self.anybody().user.user_principal_name;
             const std::string values[] = {victim,       "{{EmailAddress}}",          "\"" + victim + "\"@example.com",
                                           victim + ".", victim + ",ceo@example.com", "user%30@example.com"};
             profile.subject_alt_names.push_back(
                 {request::SanType::email, values[self.random_.below(std::size(values))]});
         }},
        {"alternative name: of another form",
         [](Attacker& self, auto& profile) {
             const request::SanTemplate names[] = {
                 {request::SanType::upn, "{{UserPrincipalName}}"},
                 {request::SanType::upn, self.anybody().user.user_principal_name},
                 {request::SanType::dns, "mail.example.com"},
                 {request::SanType::uri, "tag:microsoft.com,2022-09-14:sid:" + std::string(k_security_identifier)},
                 {request::SanType::uri, "tag:%6Dicrosoft.com,2022-09-14:sid:" + std::string(k_security_identifier)},
                 {request::SanType::uri, "mailto:" + self.anybody().user.user_principal_name}};
             profile.subject_alt_names.push_back(names[self.random_.below(std::size(names))]);
         }},
        {"alternative name: a foreign domain",
         [](Attacker& self, auto& profile) {
             const std::string_view names[] = {"user0@evilexample.com", "user0@example.com.evil.example",
                                               "user0@sub.example.com", "user0@exаmple.com", "user0@[192.0.2.1]"};
             profile.subject_alt_names = {
                 {request::SanType::email, std::string(names[self.random_.below(std::size(names))])}};
         }},
        {"no alternative name", [](Attacker&, auto& profile) { profile.subject_alt_names.clear(); }},
        {"other extended key usages",
         [](Attacker& self, auto& profile) {
             const std::vector<std::string> sets[] = {
                 {},
                 {std::string(eku::k_any)},
                 {std::string(eku::k_client_auth)},
                 {std::string(eku::k_email_protection), std::string(k_smart_card_logon)},
                 {"1.3.6.1.5.2.3.4"},
                 {"no oid"}};
             profile.extended_key_usage = sets[self.random_.below(std::size(sets))];
         }},
        {"other key usages",
         [](Attacker& self, auto& profile) {
             profile.key_usage = KeyUsage(static_cast<std::uint16_t>(self.random_.below(512)));
         }},
        {"a security identifier", [](Attacker&, auto& profile) { profile.include_security_identifier = true; }},
        {"another validity",
         [](Attacker& self, auto& profile) {
             const unsigned days[] = {0, 1, 825, 36500};
             profile.validity_days = days[self.random_.below(std::size(days))];
         }},
        {"another template or authority",
         [](Attacker& self, auto& profile) {
             const std::string_view words[] = {"../admin", "a;b", "default\r\nX: y", "User", "SubCA"};
             if (self.random_.chance(500))
                 profile.template_alias = std::string(words[self.random_.below(std::size(words))]);
             else
                 profile.authority = "ca9";
         }},
        {"another key type",
         [](Attacker& self, auto& profile) { profile.key_type = static_cast<KeyType>(self.random_.below(5)); }},
    };
    return k_arts;
}

}  // namespace connector::sim
