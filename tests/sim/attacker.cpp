#include "tests/sim/attacker.hpp"

#include "core/text.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <utility>

namespace connector::sim {

using namespace std::chrono_literals;
using request::CertificateRequest;

namespace {

constexpr std::string_view k_answers_alone = "answers alone";

}  // namespace

Attacker::Attacker(World& world, Random random) : world_(world), random_(random) {
    auto facts = plain_facts("Device CA", digest_of("spki", bytes_of("his authority")), 1);
    facts.issuer = facts.subject;
    facts.is_ca = true;
    ca_ = world_.labels.add_certificate(std::move(facts), {});
    signer_ = world_.labels.add_certificate(plain_facts("Importer", digest_of("spki", bytes_of("his signer")), 2), {});
}

const std::vector<std::string_view>& Attacker::arts(const RequestId& id) const {
    static const std::vector<std::string_view> k_none;
    const auto found = arts_.find(id);
    return found == arts_.end() ? k_none : found->second;
}

bool Attacker::lies() const {
    return world_.troubled();
}

void Attacker::note(const RequestId& id, std::string_view art) {
    world_.trace.line("attacker: " + id.text() + " " + std::string(art));
    auto& arts = arts_[id];
    if (std::find(arts.begin(), arts.end(), art) == arts.end()) arts.push_back(art);
}

// --- what he has at hand ---

const Holder& Attacker::anybody() {
    const auto& holders = world_.people.holders();
    return holders[random_.below(holders.size())];
}

const Holder& Attacker::another(const CertificateRequest& order) {
    const auto& holders = world_.people.holders();
    const auto first = random_.below(holders.size());
    for (std::size_t i = 0; i < holders.size(); ++i) {
        const auto& holder = holders[(first + i) % holders.size()];
        if (holder.user.id != order.user.id) return holder;
    }
    return holders.front();
}

CertificateFacts Attacker::facts_for(const std::string& device, const std::string& user) {
    const auto key = "his key " + std::to_string(++made_);
    return device_facts(device, user, digest_of("spki", bytes_of(key)), world_.utc(world_.timeline.now()));
}

Bytes Attacker::forged(CertificateFacts facts, Bytes issuer) {
    return world_.labels.add_certificate(std::move(facts), std::move(issuer));
}

trust::ImportedRecord Attacker::of_his_own(const request::User& user) {
    const auto now = world_.utc(world_.timeline.now());
    const auto number = ++made_;
    return record_about(world_.labels, user, "his-" + std::to_string(number), "HISPFX", 5000 + number,
                        now - std::chrono::days{1}, now + std::chrono::days{300});
}

void Attacker::corrupt(CertificateRequest& order) {
    // By arts_, for those that practise the profile's beside.
    const RequestId id = order.id;
    for (auto times = random_.chance(700) ? 1 : random_.between(2, 3); times > 0; --times)
        practise(order_arts(), id, order);
}

void Attacker::take(CertificateRequest& order) {
    if (!random_.chance(static_cast<unsigned>(world_.scenario.attacks))) return;
    // What is asked honestly can be answered with lies.
    if (random_.chance(300)) return note(order.id, k_answers_alone);
    corrupt(order);
}

void Attacker::change(CertificateRequest& order) {
    if (!took(order.id) || arts(order.id).front() == k_answers_alone || !lies() || !random_.chance(300)) return;
    corrupt(order);
    note(order.id, "another order under the same id");
}

// --- answers ---

const std::vector<Attacker::Art<ports::LeaseAnswer>>& Attacker::lease_arts() {
    static const std::vector<Art<ports::LeaseAnswer>> k_arts{
        {"a lease answer from another time",
         [](Attacker& self, auto& answer) {
             const std::int64_t years[] = {-60, -2, 2, 7000};
             answer.date = self.world_.utc(self.world_.timeline.now()) +
                           std::chrono::days{365 * years[self.random_.below(std::size(years))]};
             for (const auto& element : answer.requests)
                 if (const auto* leased = std::get_if<ports::LeasedRequest>(&element))
                     self.misdated_.insert(leased->request.id);
         }},
        {"leases of any length",
         [](Attacker& self, auto& answer) {
             for (auto& element : answer.requests)
                 if (auto* leased = std::get_if<ports::LeasedRequest>(&element);
                     leased != nullptr && self.took(leased->request.id))
                     leased->lease.expires_at = UtcTime{std::chrono::seconds{self.random_.between(0, 253402300799)}};
         }},
        {"an order twice in an answer",
         [](Attacker& self, auto& answer) {
             auto twice = answer.requests[self.random_.below(answer.requests.size())];
             if (auto* leased = std::get_if<ports::LeasedRequest>(&twice);
                 leased != nullptr && self.took(leased->request.id)) {
                 self.corrupt(leased->request);
                 leased->order_hash = digest_of("sha256", request::order_octets(leased->request));
                 answer.requests.push_back(std::move(twice));
             }
         }},
        {"counted otherwise",
         [](Attacker& self, auto& answer) {
             for (auto& element : answer.requests)
                 if (auto* leased = std::get_if<ports::LeasedRequest>(&element))
                     leased->lease.attempt = static_cast<std::uint32_t>(self.random_.next());
             answer.skipped = self.random_.below(1000);
         }},
    };
    return k_arts;
}

void Attacker::answer_lease(ports::LeaseAnswer& answer) {
    if (!lies()) return;
    std::vector<RequestId> taken;
    for (const auto& element : answer.requests)
        if (const auto* leased = std::get_if<ports::LeasedRequest>(&element);
            leased != nullptr && took(leased->request.id))
            taken.push_back(leased->request.id);
    if (taken.empty() || !random_.chance(300)) return;
    practise(lease_arts(), taken[random_.below(taken.size())], answer);
}

void Attacker::answer_renewal(const RequestId& id, ports::RenewedLease& lease) {
    if (!took(id) || !lies() || !random_.chance(300)) return;
    lease.expires_at = UtcTime{std::chrono::seconds{random_.between(0, 253402300799)}};
    note(id, "a renewal of any length");
}

const std::vector<Attacker::Art<ports::ResultOutcome>>& Attacker::result_arts() {
    static const std::vector<Art<ports::ResultOutcome>> k_arts{
        {"a result is called cancelled", [](Attacker&, auto& outcome) { outcome.outcome = "cancelled"; }},
        {"a result is called superseded", [](Attacker&, auto& outcome) { outcome.outcome = "superseded"; }},
        {"a result is called rejected", [](Attacker&, auto& outcome) { outcome.outcome = "rejected"; }},
        {"a result is called something", [](Attacker&, auto& outcome) { outcome.outcome = "quite\nso"; }},
        {"other certificates are called accepted",
         [](Attacker& self, auto& outcome) {
             outcome.outcome = self.random_.chance(500) ? "superseded" : "duplicate";
             outcome.accepted = {digest_of("sha256", bytes_of("another"))};
         }},
    };
    return k_arts;
}

void Attacker::answer_result(ports::ResultOutcome& outcome) {
    if (!took(outcome.request) || !lies() || !random_.chance(400)) return;
    const RequestId id = outcome.request;
    practise(result_arts(), id, outcome);
}

const std::vector<Attacker::Art<Attacker::History>>& Attacker::history_arts() {
    static const std::vector<Art<History>> k_arts{
        {"another's imports",
         [](Attacker& self, auto& history) {
             for (const auto& record : self.world_.people.history_of(self.anybody().user.id))
                 history.answer.records.push_back(record);
         }},
        {"another's imports under one's own name",
         [](Attacker& self, auto& history) {
             const auto& name = self.world_.people.find(history.user)->user.user_principal_name;
             for (auto record : self.world_.people.history_of(self.anybody().user.id)) {
                 record.user_principal_name = name;
                 history.answer.records.push_back(std::move(record));
             }
         }},
        {"another's PFX in one's own record",
         [](Attacker& self, auto& history) {
             for (const auto& other : self.world_.people.history_of(self.anybody().user.id))
                 for (auto& record : history.answer.records) {
                     record.pfx = other.pfx;
                     record.wrapped_password = other.wrapped_password;
                     if (self.random_.chance(500)) record.thumbprint = other.thumbprint;
                 }
         }},
        {"another's password in one's own record",
         [](Attacker& self, auto& history) {
             for (const auto& other : self.world_.people.history_of(self.anybody().user.id))
                 for (auto& record : history.answer.records) record.wrapped_password = other.wrapped_password;
         }},
        {"another's signature",
         [](Attacker& self, auto& history) {
             for (const auto& other : self.world_.people.history_of(self.anybody().user.id))
                 for (auto& record : history.answer.records) record.importer_signature = other.importer_signature;
         }},
        {"a certificate of his own",
         [](Attacker& self, auto& history) {
             auto record = self.of_his_own(self.world_.people.find(history.user)->user);
             if (self.random_.chance(500) && !history.answer.records.empty())
                 record.importer_signature = history.answer.records.front().importer_signature;
             history.answer.records.push_back(std::move(record));
         }},
        {"a certificate of his own, signed by himself",
         [](Attacker& self, auto& history) {
             auto record = self.of_his_own(self.world_.people.find(history.user)->user);
             const auto* own = self.world_.labels.certificate(self.world_.labels.pfx.at(record.pfx).certificate);
             auto statement = statement_of(self.world_.labels, record, {own->sha256}, record.start);
             statement.sequence = 1ULL << 40U;
             record.importer_signature = self.world_.labels.sign(trust::to_lines(statement), self.signer_);
             history.answer.records.push_back(std::move(record));
         }},
        {"no signatures",
         [](Attacker&, auto& history) {
             for (auto& record : history.answer.records) record.importer_signature.clear();
         }},
        {"another purpose",
         [](Attacker& self, auto& history) {
             for (auto& record : history.answer.records)
                 record.purpose = static_cast<request::Purpose>(self.random_.below(4));
         }},
        {"another thumbprint",
         [](Attacker&, auto& history) {
             for (auto& record : history.answer.records) record.thumbprint = std::string(40, 'a');
         }},
        {"another key or padding",
         [](Attacker& self, auto& history) {
             for (auto& record : history.answer.records) {
                 if (self.random_.chance(500))
                     record.padding_scheme = self.random_.chance(500) ? "pkcs1" : "oaepSha1";
                 else
                     record.key_name = "another";
             }
         }},
        {"nothing", [](Attacker&, auto& history) { history.answer.records.clear(); }},
        {"what was imported, left out",
         [](Attacker&, auto& history) {
             if (!history.answer.records.empty()) history.answer.records.pop_back();
         }},
        {"the same many times",
         [](Attacker&, auto& history) {
             const auto once = history.answer.records;
             for (int i = 0; i < 20; ++i)
                 history.answer.records.insert(history.answer.records.end(), once.begin(), once.end());
         }},
    };
    return k_arts;
}

void Attacker::answer_history(const RequestId& id, const UserId& user, ports::ImportedHistory& answer) {
    if (!took(id) || !lies() || world_.people.find(user) == nullptr || !random_.chance(700)) return;
    // Whole, whatever was asked for, and under a name of its own: other orders of this user get what is right.
    answer.not_modified = false;
    answer.etag = "his-" + std::to_string(++made_);
    answer.records = world_.people.history_of(user);
    History history{user, answer};
    for (auto times = random_.between(1, 2); times > 0; --times) practise(history_arts(), id, history);
}

std::vector<std::string_view> Attacker::all_arts() {
    std::vector<std::string_view> names{k_answers_alone, "another order under the same id", "a renewal of any length"};
    const auto add = [&](const auto& arts) {
        for (const auto& art : arts) names.push_back(art.name);
    };
    add(order_arts());
    add(profile_arts());
    add(lease_arts());
    add(result_arts());
    add(history_arts());
    return names;
}

}  // namespace connector::sim
