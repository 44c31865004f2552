#include "tests/sim/judge.hpp"

#include "core/text.hpp"
#include "tests/sim/world.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace connector::sim {

using namespace std::chrono_literals;
using request::Stage;

void Judge::broken(std::string_view invariant, std::string detail) {
    world_.trace.line("BROKEN: " + std::string(invariant) + ": " + detail);
    violations_.push_back({std::string(invariant), std::move(detail)});
}

void Judge::no_secret(std::string_view where, std::string_view text) {
    if (holds_canary(text))
        broken("no secret in events, database or reports", std::string(where) + ": " + std::string(text));
}

// A disk that is slow, call by call, does not hang.
void Judge::disk_hangs(const SimLedger& ledger, Tick now) {
    const auto asked = ledger.asked_at();
    if (!asked || now - *asked < std::chrono::seconds{15})
        broken("a disk is said to hang when a call has not been answered for 15 s", asked ? "sooner" : "none is asked");
}

namespace {

// A certificate names its device without regard to case.
DeviceId one_spelling(const DeviceId& device) {
    return DeviceId::parse(trust::one_spelling_of_device(device.text())).value_or(device);
}

}  // namespace

// What each stage may still hold, and that pins change by a local act alone.
void Judge::committed(Process& process, const ports::Commit& commit, const Shadow* before) {
    const auto& record = commit.record;
    const std::string what =
        process.name() + " " + record.request.id.text() + " " + std::string(to_string(record.stage));
    if (record.stage == Stage::revoking) to_revoke_.insert(record.certificate);
    const bool after_key = record.stage == Stage::packaged || record.stage == Stage::refused ||
                           record.stage == Stage::revoking || record.stage == Stage::closed;
    if (after_key && !record.sealed_key.empty()) broken("no key outlives its delivery", what + " still has its key");
    if (after_key && record.stage != Stage::packaged && !record.sealed_package.empty())
        broken("no key outlives its delivery", what + " still has its package");
    const bool packed_now = record.stage == Stage::packaged && !record.sealed_package.empty() &&
                            (before == nullptr || before->stage != Stage::packaged);
    if (packed_now && process.home.blocked.contains(one_spelling(record.request.device.id)))
        broken("no package is kept for who is blocked", what);
    // But for what the authority gave after all.
    const bool late = record.stage == Stage::revoking && !record.certificate.empty();
    if (before != nullptr && before->stage == Stage::closed && !late) broken("a closed record stays closed", what);
    no_secret("a record's failure", record.failure ? record.failure->message : std::string());
    no_secret("a record's key", text_of(record.sealed_key));
    no_secret("a record's package", text_of(record.sealed_package));
    no_secret("a hold's detail", record.held_detail);
    if (!commit.pin) return;
    auto& pins = process.home.pins;
    const auto device = one_spelling(commit.pin->device);
    const auto known = pins.find(device);
    const bool changed = known != pins.end() && known->second != commit.pin->spki_sha256;
    if (changed && world_.scenario.binding != 0 && !process.home.approved.contains({device, commit.pin->spki_sha256}))
        broken("pins change by a local act only", what + " changed the key of " + commit.pin->device.text());
    pins[device] = commit.pin->spki_sha256;
}

void Judge::acts(Process& process, request::Kind kind, const std::string& what) {
    if (process.frozen.contains(kind) || process.home.frozen.contains(kind))
        broken("nothing is done after a freeze", process.name() + " " + what);
    const auto& stops = process.engine().context().stopping.stops;
    const bool known = std::any_of(stops.begin(), stops.end(), [kind](const auto& stop) { return stop.kind == kind; });
    if (known) broken("nothing is done after a freeze", process.name() + " " + what + ", and knows that it is stopped");
}

void Judge::counted(Process& process, const ports::Commit& commit) {
    // A clock that jumps makes the windows of two counts differ.
    if (world_.scenario.clock_jumps != 0) return;
    const auto now = process.utc();
    for (const auto& charge : commit.charges) {
        if (!charge.takes) continue;
        auto& entries = process.home.counted[charge.meter + "/" + charge.scope];
        std::erase_if(entries, [&](const auto& entry) { return entry.first <= now - charge.window; });
        std::set<std::string> subjects;
        for (const auto& [when, subject] : entries) subjects.insert(subject);
        const bool known = charge.distinct && subjects.contains(charge.subject);
        const auto used = charge.distinct ? subjects.size() : entries.size();
        if (charge.limit != 0 && !charge.waived && !known && used >= charge.limit)
            broken("no limit is passed", process.name() + " " + charge.meter + ": " + std::to_string(used + 1));
        entries.emplace_back(now, charge.subject);
    }
}

void Judge::approved(Process& process, const RequestId& id, const Sha256& device_key, const std::string& what) {
    if (world_.scenario.protects == 0 || world_.people.holder_of(device_key) != k_protected) return;
    if (process.home.votes[id].size() < world_.scenario.protects)
        broken("nothing goes to a protected user unapproved", process.name() + " " + what + " " + id.text());
}

void Judge::looked_up(Process& process, const DeviceId& device, const UserId& /*user*/, const Sha256& spki,
                      bool blocked) {
    if (!blocked) proofs_[{process.home.index, device, spki}] = {&process, world_.timeline.now()};
}

void Judge::submitted(Process& process, const ports::Submission& submission, std::string_view authority) {
    const auto& shadow = process.ledger().shadow();
    const auto found = std::find_if(shadow.begin(), shadow.end(), [&](const auto& entry) {
        return entry.second.csr == submission.csr && entry.second.nonce == submission.nonce;
    });
    if (found == shadow.end() || found->second.stage != Stage::submitting) {
        broken("the intent is durable before the act", process.name() + " submits " +
                                                           std::string(text_of(submission.csr)) + " to " +
                                                           std::string(authority) + " without having written it down");
        return;
    }
    acts(process, request::Kind::pkcs_issue, "submits " + found->first.text());
    asked_in_the_name_of(process, found->first, world_.labels.csrs.at(submission.csr).content);
    // Told at `when` that the lease is gone, while nothing had been submitted: the work stops at the next step.
    constexpr auto k_next_step = 10s;
    const auto lost = process.told_lost.find(found->first);
    if (lost != process.told_lost.end() && world_.timeline.now() - lost->second > k_next_step)
        broken("a lost lease stops what was not submitted", process.name() + " submits " + found->first.text());
}

void Judge::acts(Process& process, const Bytes& csr, std::string_view what) {
    if (process.ledger().end_expected()) return;
    for (const auto& [id, shadow] : process.ledger().shadow())
        if (shadow.csr == csr && !shadow.in_work &&
            (shadow.stage == Stage::submitting || shadow.stage == Stage::at_authority))
            broken("what is worked is marked", process.name() + " " + std::string(what) + " " + id.text());
}

void Judge::sends(Process& process, const Bytes& csr) {
    const auto& sent = sent_[csr];
    if (sent.announced < sent.unanswered)
        broken("a repetition is announced before it is sent", process.name() + " sends " + std::string(text_of(csr)));
}
void Judge::may_have_arrived(const Bytes& csr) {
    ++sent_[csr].unanswered;
}
void Judge::answered(const Bytes& csr, const Result<ports::AuthorityAnswer>& answer) {
    if (answer && std::holds_alternative<ports::IssuedAnswer>(*answer)) return;
    auto& unanswered = sent_[csr].unanswered;
    unanswered -= std::min(unanswered, 1U);
}
void Judge::announced(Process& process, const std::string& request) {
    for (const auto& [id, shadow] : process.ledger().shadow())
        if (id.text() == request) ++sent_[shadow.csr].announced;
}

// It has a certificate then, which must not hang on the answer.
void Judge::asks_for_issuers(Process& process, std::string_view authority) {
    const auto& shadow = process.ledger().shadow();
    const bool written =
        std::any_of(shadow.begin(), shadow.end(), [](const auto& one) { return !one.second.certificate.empty(); });
    if (!process.dead() && !written)
        broken("a certificate is durable before more is asked",
               process.name() + " asks " + std::string(authority) + " for its issuers");
}

void Judge::revokes(Process& process, SimAuthority::Entry* entry, const ports::Revocation& revocation) {
    if (entry == nullptr) {
        broken("revocations are a subset of what was issued here",
               process.name() + " revokes " + revocation.serial_number);
        return;
    }
    const std::string what = process.name() + " revokes the certificate of " + entry->request.text();
    if (entry->connector != process.home.index)
        broken("revocations are a subset of what was issued here", what + " of another connector");
    for (const auto& order : world_.service.orders())
        if (order.accepted_certificates.contains(entry->certificate)) broken("nothing delivered is revoked", what);
    // Ever: an earlier call may have been long on its way.
    const bool written = to_revoke_.contains(entry->certificate);
    if (!written) broken("the intent is durable before the act", what + " without having written it down");
    ++world_.tally.revoked;
}

void Judge::wrapped(Process& process, const trust::Recipient& recipient, const ports::PackageContent& content) {
    const std::string what = process.name() + " wraps for " + recipient.device().text();
    acts(process, content.purpose == "pkcs" ? request::Kind::pkcs_issue : request::Kind::pfx_deliver, "wraps");
    approved(process, content.request_id, recipient.certificate().key.spki_sha256, "wraps for");
    const auto& facts = recipient.certificate();
    const auto proof = proofs_.find({process.home.index, recipient.device(), facts.key.spki_sha256});
    const bool proved = proof != proofs_.end() && proof->second.process == &process;
    if (!proved || world_.timeline.now() - proof->second.when > 1h) broken("no wrap without a live proof", what);
    // Who looked had a clock that was right.
    const auto looked = proved ? world_.utc(proof->second.when) : process.utc();
    if (world_.scenario.clock_jumps == 0 && (looked < facts.not_before || looked > facts.not_after))
        broken("no wrap without a live proof", what + ", whose certificate is over");
    if (world_.labels.certificate(facts.der) == nullptr)
        broken("no wrap without a live proof", what + ": no such certificate");
    const auto holder = world_.people.holder_of(facts.key.spki_sha256);
    for (const auto& identity : content.identities) {
        const auto packed = world_.labels.pfx.find(identity.pfx.der);
        const auto* certified =
            packed == world_.labels.pfx.end() ? nullptr : world_.labels.certificate(packed->second.certificate);
        const auto owners = certified == nullptr ? std::vector<std::string>() : trust::mailboxes_of(*certified);
        if (!holder || owners != std::vector{*holder})
            broken("a key is readable on its owner's devices alone",
                   what + ", whose key is " + holder.value_or("nobody's") + ", what " +
                       (owners.empty() ? "nobody" : owners.front()) + " owns");
    }
    if (!process.home.sequences.insert(content.sequence).second)
        broken("a package's number is given once", what + ": " + std::to_string(content.sequence));
}

void Judge::asked_in_the_name_of(Process& process, const RequestId& id, const ports::CsrContent& asked) {
    constexpr std::string_view k_rule = "a certificate names only whom the device's own names";
    const std::string what = process.name() + " asks for " + id.text();
    const auto record = process.ledger().file()->get(id);
    if (!record || !*record) return broken(k_rule, what + ", which it does not know");
    const auto* device = world_.labels.certificate((*record)->request.device.recipient_certificate);
    const auto holder = device == nullptr ? std::nullopt : world_.people.holder_of(device->key.spki_sha256);
    if (!holder) return broken(k_rule, what + " for nobody's device");
    approved(process, id, device->key.spki_sha256, "submits");
    // The person's own names, as the device's certificate proves them, and nothing beside.
    const auto local = holder->substr(0, holder->find('@'));
    const auto own = [&](const std::string& value) {
        return ascii_equal(value, *holder) || ascii_equal(value, local) ||
               ascii_equal(value, (*record)->request.device.id.text());
    };
    for (const auto& rdn : asked.subject.rdns)
        for (const auto& attribute : rdn)
            if (!own(attribute.value)) broken(k_rule, what + " with " + attribute.value);
    bool has_mailbox = false;
    for (const auto& name : asked.alternative_names) {
        has_mailbox = has_mailbox || name.form == NameForm::email;
        if (name.form != NameForm::email || !ascii_equal(name.value, *holder))
            broken(k_rule, what + " with " + name.value);
    }
    if (!has_mailbox) broken(k_rule, what + " without a mailbox");
    if (asked.security_identifier) broken(k_rule, what + " with a security identifier");
    const std::vector<std::string> for_mail{std::string(eku::k_email_protection)};
    const KeyUsage usages(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation);
    if (asked.extended_key_usage != for_mail || !asked.key_usage.within(usages) || asked.key_usage == KeyUsage())
        broken("a certificate is for mail and nothing else", what);
}

void Judge::parses(Process& process, ByteView pfx) {
    if (world_.people.importer().empty()) return;
    const std::string what = process.name() + " parses " + std::string(text_of(pfx));
    if (!world_.people.was_imported(pfx)) return broken("what no importer signed is not parsed", what);
    const auto owner = trust::mailboxes_of(
        *world_.labels.certificate(world_.labels.pfx.at(Bytes(pfx.begin(), pfx.end())).certificate));
    for (const auto& id : process.engine().context().status.in_flight) {
        const auto record = process.ledger().file()->get(id);
        const auto* device =
            record && *record ? world_.labels.certificate((*record)->request.device.recipient_certificate) : nullptr;
        const auto holder = device == nullptr ? std::nullopt : world_.people.holder_of(device->key.spki_sha256);
        if (holder && owner == std::vector{*holder}) return;
    }
    broken("what is parsed is of somebody who is served", what + ", " + owner.front() + "'s");
}

void Judge::told(const std::string& request, std::string_view event) {
    if (const auto id = RequestId::parse(request)) told_[*id].emplace(event);
}

void Judge::reports(Process& process, const ports::ResultMessage& message) {
    if (!message.delivered && !message.completed) return;
    for (const auto& order : world_.service.orders())
        if (order.request.id == message.request)
            acts(process, order.request.kind(), "reports " + message.request.text());
    const auto& shadow = process.ledger().shadow();
    const auto found = shadow.find(message.request);
    // It may have been withdrawn or dropped between the look and the call; what it says was durable then.
    if (found == shadow.end() || (found->second.stage != Stage::packaged && found->second.stage != Stage::refused))
        broken("the intent is durable before the act", process.name() + " reports " + message.request.text());
}

void Judge::result_arrives(const ports::ResultMessage& message) {
    if (message.failed) {
        const auto& code = message.failed->code;
        const auto told = code == "recipientUntrusted" || code == "recipientUnbound" ? event::k_recipient_refused
                          : code == "policyRefused"                                  ? event::k_policy_refused
                                                                                     : std::string_view();
        const auto& events = told_[message.request];
        if (!told.empty() && !events.contains(std::string(told)))
            broken("a refusal is told", message.request.text() + ": " + code);
        no_secret("a result's message", message.failed->message);
        // Set aside after its third death, or given up after its budget: that is what the faults did, and it says so.
        const bool set_aside = message.failed->message.starts_with("the connector ended three times");
        if (message.failed->code == "internal" && !set_aside && !message.failed->retryable)
            broken("nothing fails by our own fault", message.request.text() + ": " + message.failed->message);
        const auto wrong = [&](const auto& authority) {
            return std::any_of(authority->entries.begin(), authority->entries.end(),
                               [&](const auto& entry) { return entry.wrong && entry.request == message.request; });
        };
        const bool blocked = message.failed->message.find("is blocked here") != std::string::npos;
        const bool attacked = world_.attacker && world_.attacker->took(message.request);
        const bool by_the_clock = (message.failed->code == "recipientUntrusted" && !blocked && !attacked) ||
                                  (message.failed->code == "certificateMismatch" &&
                                   std::none_of(world_.authorities.begin(), world_.authorities.end(), wrong));
        if (by_the_clock && !message.failed->retryable)
            broken("nobody is refused for a clock of ours", message.request.text() + ": " + message.failed->message);
    }
    if (!message.delivered) return;
    no_secret("a result's envelope", text_of(message.delivered->envelope));
    for (const auto& certificate : message.delivered->certificates)
        no_secret("a result's certificate", text_of(certificate.der));
    for (const auto& issuer : message.delivered->chain) no_secret("a result's chain", text_of(issuer));
    for (const auto& omitted : message.delivered->omitted) no_secret("a result's omission", omitted.message);
}

void Judge::accepted(const SimService::Order& order, std::size_t connector, const ports::ResultMessage& message) {
    if (!message.delivered) return;
    check_package(order, *message.delivered);
    if (order.request.profile() == nullptr) return;
    for (const auto& certificate : order.accepted_certificates) {
        bool known = false;
        for (const auto& authority : world_.authorities)
            for (const auto& entry : authority->entries)
                if (entry.certificate == certificate) {
                    known = true;
                    if (entry.revoked)
                        broken("nothing delivered is revoked", order.request.id.text() + " got a revoked certificate");
                    if (entry.wrong) broken("a wrong certificate is not delivered", order.request.id.text());
                    if (entry.request != order.request.id || entry.connector != connector)
                        broken("what is delivered was issued for it", order.request.id.text());
                }
        if (!known) broken("what is delivered was issued for it", order.request.id.text() + ": unknown certificate");
    }
}

void Judge::check_package(const SimService::Order& order, const request::Package& package) {
    const std::string what = order.request.id.text();
    const auto found = world_.labels.envelopes.find(package.envelope);
    if (found == world_.labels.envelopes.end()) {
        broken("what arrives opens", what + ": no envelope");
        return;
    }
    const auto& envelope = found->second;
    if (!order.recipients.contains(envelope.recipient_certificate) || envelope.request != order.request.id)
        broken("what arrives is for this device", what);
    std::set<Bytes> held;
    for (const auto& [pfx, password] : envelope.identities) {
        const auto content = world_.labels.pfx.find(pfx);
        const bool opens = content != world_.labels.pfx.end() && content->second.password == password;
        const auto* facts = opens ? world_.labels.certificate(content->second.certificate) : nullptr;
        const auto key = opens ? world_.labels.keys.find(content->second.key) : world_.labels.keys.end();
        if (facts == nullptr || key == world_.labels.keys.end() || key->second != facts->key.spki_sha256)
            broken("what arrives opens", what + ": key and certificate do not fit");
        else
            held.insert(content->second.certificate);
    }
    if (held != order.accepted_certificates)
        broken("what arrives opens", what + ": not the certificates that the result names");
}

// Whoever holds a lease undisturbed and still works on the order has it renewed in time.
void Judge::lease_ran_out(const SimService::Order& order) {
    if (world_.attacker && world_.attacker->lied_about_lease(order.request.id)) return;
    const auto& connector = *world_.connectors[order.holder];
    if (!connector.process || connector.process->dead() || connector.process->stopping()) return;
    if (connector.disturbed >= order.lease_granted) return;
    const auto& shadow = connector.process->ledger().shadow();
    const auto record = shadow.find(order.request.id);
    if (record == shadow.end() || record->second.rests() || record->second.stage == Stage::revoking ||
        record->second.lease != order.lease)
        return;
    broken("leases are renewed in time", connector.process->name() + " lost the lease of " + order.request.id.text() +
                                             ", which is " + std::string(to_string(record->second.stage)));
}

void Judge::opened_again(Connector& connector, storage::SqliteLedger& file) {
    if (!connector.meters_known) return;
    connector.meters_known = false;
    const auto stops = file.stops();
    if (!stops) broken("what is stopped stays stopped over a crash", stops.error().message);
    for (const auto& before : connector.stops_at_crash)
        if (stops && !connector.thawed_since && std::find(stops->begin(), stops->end(), before) == stops->end())
            broken("what is stopped stays stopped over a crash",
                   "c" + std::to_string(connector.index) + " " + std::string(to_string(before.kind)));
    const auto meters = file.meters(connector.crashed_at);
    if (!meters) {
        broken("meters never fall by a crash", meters.error().message);
        return;
    }
    for (const auto& before : connector.meters_at_crash) {
        const auto after =
            std::find_if(meters->begin(), meters->end(), [&](const auto& one) { return one.meter == before.meter; });
        if (before.used != 0 && (after == meters->end() || after->used < before.used))
            broken("meters never fall by a crash", "c" + std::to_string(connector.index) + " " + before.meter);
    }
}

void Judge::scan(const Connector& connector) {
    for (const auto* name : {"connector.db", "connector.db-wal"}) {
        std::error_code missing;
        const auto size = std::filesystem::file_size(connector.directory / name, missing);
        if (missing) continue;
        std::string octets(size, '\0');
        std::ifstream file(connector.directory / name, std::ios::binary);
        file.read(octets.data(), static_cast<std::streamsize>(size));
        if (holds_canary(octets))
            broken("no secret in events, database or reports", "c" + std::to_string(connector.index) + " " + name);
    }
}

void Judge::at_the_end() {
    for (const auto& order : world_.service.orders()) {
        ++world_.tally.orders;
        if (order.state == SimService::State::cancelled) ++world_.tally.cancelled;
        if (order.state != SimService::State::ended) continue;
        if (order.ended_as == "delivered") ++world_.tally.delivered;
        if (order.ended_as == "completed") ++world_.tally.completed;
        if (order.ended_as == "failed") ++world_.tally.failed;
    }
    check_honest_orders();
    check_certificates();
    check_registers();
    check_ledgers();
}

// Of an order that was left alone, where nothing goes wrong but what the attacker does.
bool Judge::may_fail(const SimService::Order& order, std::string_view end) const {
    const auto& user = order.request.user.id;
    // The service may take back whatever it likes: what it asks for comes to nobody then.
    if (end == "cancelled") return true;
    if (end == "withdrawn") return world_.service.withdrew(user, order.request.device.id);
    const auto& history = world_.people.history_of(user);
    if (end == "importNotFound") return history.empty();
    return end == "importUndecryptable" && std::none_of(history.begin(), history.end(), [&](const auto& record) {
               return world_.labels.wrapped_passwords.contains(record.wrapped_password);
           });
}

// Where nothing goes wrong but what the attacker does, who is left alone gets what is his.
void Judge::check_honest_orders() {
    if (!world_.attacker) return;
    // Under the register a first use waits for a person, who may not come.
    const bool quiet = world_.scenario.quiet() && world_.scenario.binding == 0;
    for (const auto& order : world_.service.orders()) {
        const auto& arts = world_.attacker->arts(order.request.id);
        const std::string end = order.state == SimService::State::cancelled ? "cancelled"
                                : order.ended_as == "failed"                ? order.code
                                                                            : order.ended_as;
        for (const auto art : arts.empty() ? std::vector<std::string_view>{"(none)"} : arts)
            ++world_.tally.attacks[std::string(art)][end];
        if (!quiet || !arts.empty()) continue;
        if (end != "delivered" && end != "completed" && !may_fail(order, end))
            broken("who is left alone is served", order.request.id.text() + " ended as " + end);
    }
}

namespace {

// It waits for a person, under its order's id or under one of its own.
bool is_set_aside(Process& process, const SimAuthority::Entry& entry) {
    const auto& shadow = process.ledger().shadow();
    return std::any_of(shadow.begin(), shadow.end(), [&](const auto& one) {
        return one.second.stage == Stage::abandoned && (one.first == entry.request || one.second.nonce == entry.nonce);
    });
}

}  // namespace

// A certificate that its connector knew when it rested: a person must be able to find it there, whoever could revoke
// it.
void Judge::check_registers() {
    for (const auto& connector : world_.connectors) {
        auto* process = connector->process.get();
        auto* file = process != nullptr ? process->ledger().file() : nullptr;
        if (file == nullptr) continue;
        constexpr std::size_t k_all = 100000;
        const auto issued = file->issued(k_all);
        if (!issued) {
            broken("the ledger can be read at the end", issued.error().message);
            continue;
        }
        std::set<Sha256> registered;
        for (const auto& one : *issued) registered.insert(one.sha256);
        for (const auto& authority : world_.authorities) {
            for (const auto& entry : authority->entries) {
                if (entry.connector != connector->index || !entry.durably_known) continue;
                if (!is_set_aside(*process, entry) && !registered.contains(digest_of("sha256", entry.certificate)))
                    broken("every certificate known here stands in the register",
                           entry.request.text() + " of c" + std::to_string(entry.connector) + ": " +
                               std::string(text_of(entry.certificate)));
            }
        }
    }
}

void Judge::check_certificates() {
    std::set<Bytes> delivered;
    std::set<Bytes> lied_about;
    for (const auto& order : world_.service.orders()) {
        delivered.insert(order.accepted_certificates.begin(), order.accepted_certificates.end());
        lied_about.insert(order.lied_about.begin(), order.lied_about.end());
    }
    for (const auto& authority : world_.authorities) {
        for (const auto& entry : authority->entries) {
            // What still waits for an approval will be issued as well, whoever looks or not.
            const bool to_come =
                entry.state == SimAuthority::State::pending && entry.verdict == SimAuthority::State::issued;
            if (entry.state != SimAuthority::State::issued && !to_come) continue;
            ++world_.tally.issued;
            if (entry.revoked || delivered.contains(entry.certificate)) continue;
            if (lied_about.contains(entry.certificate)) continue;
            auto* process = world_.connectors[entry.connector]->process.get();
            if (process != nullptr && is_set_aside(*process, entry)) continue;
            // A pending order that is asked for by being ordered again is not asked for once nobody wants it.
            const bool knowable =
                authority->options().finds || entry.durably_known || (entry.named && !authority->options().repeats);
            if (authority->options().revokes && knowable) {
                broken("at most one live certificate for each request",
                       entry.request.text() + " of c" + std::to_string(entry.connector) + " left " +
                           std::string(text_of(entry.certificate)) + " alive" +
                           (entry.durably_known ? ", known here" : ""));
            } else {
                ++world_.tally.left_unknowable;
            }
        }
    }
}

void Judge::check_ledgers() {
    for (const auto& connector : world_.connectors) {
        auto* file = connector->process ? connector->process->ledger().file() : nullptr;
        if (file == nullptr) continue;
        ports::PageFilter everything;
        everything.limit = 100000;
        const auto page = file->page(everything);
        if (!page) {
            broken("the ledger can be read at the end", page.error().message);
            continue;
        }
        for (const auto& record : *page) {
            const std::string what = "c" + std::to_string(connector->index) + " " + record.request.id.text();
            // A revocation that three deaths set aside waits for a person.
            const bool set_aside = record.stage == Stage::abandoned && record.outcome;
            if (record.stage != Stage::closed && !set_aside)
                broken("everything comes to rest", what + " is " + std::string(to_string(record.stage)));
            if (!record.sealed_key.empty() || !record.sealed_package.empty())
                broken("no key outlives its delivery", what);
        }
        const auto sound = file->quick_check();
        if (!sound || !sound->empty()) broken("the database is sound", sound ? *sound : sound.error().message);
        scan(*connector);
    }
}

}  // namespace connector::sim
