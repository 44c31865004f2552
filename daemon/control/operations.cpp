#include "daemon/control/operations.hpp"

#include "core/request/orphan.hpp"
#include "daemon/control/arguments.hpp"
#include "daemon/control/deliveries.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <set>
#include <utility>

namespace connector::control {

namespace json = boost::json;
using request::RequestRecord;
using request::Stage;

namespace {

bool is_open(Stage stage) {
    return stage != Stage::closed;
}

json::object summary(const RequestRecord& record) {
    json::object row;
    row["id"] = record.request.id.text();
    row["kind"] = view(to_string(record.request.kind()));
    row["stage"] = view(to_string(record.stage));
    row["user"] = record.request.user.user_principal_name;
    row["device"] = record.request.device.id.text();
    row["acceptedAt"] = to_rfc3339(record.accepted_at);
    row["updatedAt"] = to_rfc3339(record.updated_at);
    row["dueAt"] = is_open(record.stage) ? json::value(to_rfc3339(record.due_at)) : json::value(nullptr);
    row["tries"] = record.tries;
    const bool held = record.stage == Stage::held && record.held_reason;
    row["heldReason"] = held ? json::value(view(to_string(*record.held_reason))) : json::value(nullptr);
    row["code"] = record.failure ? json::value(record.failure->code) : json::value(nullptr);
    return row;
}

json::object order_of(const request::CertificateRequest& request) {
    json::object order;
    if (const auto* profile = request.profile()) {
        order["authority"] = profile->authority;
        order["template"] = profile->template_alias ? json::value(*profile->template_alias) : json::value(nullptr);
        order["subject"] = profile->subject;
        json::array names;
        for (const auto& name : profile->subject_alt_names)
            names.push_back(json::value(std::string(to_string(name.type)) + ":" + name.value));
        order["subjectAltNames"] = std::move(names);
        order["keyType"] = view(to_string(profile->key_type));
    }
    if (const auto* deliver = std::get_if<request::DeliverImported>(&request.order))
        order["purpose"] = view(to_string(deliver->purpose));
    if (const auto* withdraw = std::get_if<request::Withdraw>(&request.order)) order["reason"] = withdraw->reason;
    if (const auto* delivery = request.delivery()) order["format"] = view(to_string(delivery->format));
    return order;
}

}  // namespace

json::value anchor_json(const daemon::AuditHead& head) {
    if (head.sequence == 0) return nullptr;
    json::object answer;
    answer["sequence"] = head.sequence;
    answer["link"] = head.link.hex();
    return json::value(std::move(answer));
}

ports::Async<json::value> Operations::perform(std::string command, json::object arguments, Caller caller) {
    const auto id_text = text(arguments, "id");
    const auto id = id_text ? RequestId::parse(*id_text) : std::nullopt;
    if (command == "status") co_return co_await status();
    if (command == "requests.list") co_return co_await list(std::move(arguments));
    if (command == "recipients.list") co_return co_await recipients();
    if (command == "recipients.show") co_return co_await show_recipient(std::move(arguments));
    if (command == "recipients.bind") co_return co_await bind(std::move(arguments), std::move(caller));
    if (command == "recipients.import") co_return co_await import_recipients(std::move(arguments), std::move(caller));
    if (command == "recipients.forget") co_return co_await forget(std::move(arguments), std::move(caller));
    if (command == "recipients.window") co_return co_await window(std::move(arguments), std::move(caller));
    if (command == "recipients.block") co_return co_await block(std::move(arguments), std::move(caller));
    if (command == "issued.list") co_return co_await issued(std::move(arguments));
    if (command == "deliveries") co_return co_await deliveries(std::move(arguments));
    if (command == "limits.show") co_return co_await limits();
    if (command == "limits.raise") co_return co_await raise(std::move(arguments), std::move(caller));
    if (command == "freeze") co_return co_await freeze(std::move(arguments), std::move(caller));
    if (command == "thaw") co_return co_await thaw(std::move(arguments), std::move(caller));
    if (command == "clock.show") co_return co_await clock();
    if (command == "clock.accept") co_return co_await accept_clock(std::move(arguments), std::move(caller));
    if (command == "audit.anchor") co_return parts_.audit_anchor();
    if (command == "issued.revoked") co_return co_await note_revoked(std::move(arguments), std::move(caller));
    if (command == "doctor" && parts_.doctor) co_return co_await parts_.doctor(std::nullopt);
    if (command == "authority.list") co_return co_await authorities();
    if (command == "authority.test" || command == "authority.resume") {
        auto name = text(arguments, "name").value_or("");
        if (command == "authority.test") co_return co_await test_authority(std::move(name));
        co_return co_await resume_authority(std::move(name), std::move(caller));
    }
    if (command == "backup.note") {
        parts_.events.raise(
            Event(event::k_backed_up).with("file", text(arguments, "file").value_or("")).with("by", caller.account));
        co_return json::value(json::object());
    }
    if (command == "enrolment.note") co_return note_enrolment(arguments, caller);
    // `unenroll` removes the pair once the daemon is gone.
    if (command == "enrolment.end") {
        if (!caller.owner) {
            parts_.events.raise(Event(event::k_control_refused).with("command", "unenroll").with("by", caller.account));
            co_return usage("only root and the daemon's own account may end it");
        }
        parts_.events.raise(Event(event::k_control_done).with("command", "unenroll").with("by", caller.account));
        if (parts_.end) parts_.end();
        co_return json::value(json::object{{"ends", static_cast<bool>(parts_.end)}});
    }
    const bool needs_id = command == "requests.show" || command == "requests.retry" || command == "requests.abandon" ||
                          command == "requests.approve";
    if (!needs_id) co_return usage("unknown command: " + command);
    if (!id) co_return usage("a request's id is needed: 1 to 128 of A-Z a-z 0-9 . _ : @ + -");
    if (command == "requests.show") co_return co_await show(*id);
    if (command == "requests.retry") co_return co_await retry(*id, std::move(caller));
    if (command == "requests.abandon") co_return co_await abandon(*id, std::move(caller));
    co_return co_await approve(*id, text(arguments, "key").value_or(""), std::move(caller));
}

// `enroll` has done it. A daemon reads the pair in force anew: the one that it has is refused from now on.
Result<json::value> Operations::note_enrolment(const json::object& arguments, const Caller& caller) {
    const auto what = text(arguments, "what").value_or("");
    std::string_view id;
    if (what == "enrolled") id = event::k_enrolled;
    if (what == "renewed") id = event::k_connector_renewed;
    if (what == "failed") id = event::k_enrolment_failed;
    if (what == "unenrolled") id = event::k_unenrolled;
    if (id.empty()) return usage("what: enrolled, renewed, failed or unenrolled");
    Event event(id);
    for (const std::string_view name : {"connector", "key", "reason"})
        if (const auto value = text(arguments, name)) event.with(name, *value);
    event.with("by", caller.account);
    parts_.events.raise(event);
    const bool reloads = parts_.reload && (what == "enrolled" || what == "renewed");
    if (reloads) parts_.reload();
    json::object answer;
    answer["reloads"] = reloads;
    return json::value(std::move(answer));
}

std::uint32_t Operations::approvers() const noexcept {
    return parts_.engine == nullptr ? parts_.approvers : parts_.engine->rules.approvers;
}
const request::Limits& Operations::limits_in_force() const noexcept {
    return parts_.engine == nullptr ? parts_.limits : parts_.engine->rules.limits;
}

Operations::Answer Operations::status() {
    auto counting = parts_.ledger.counts();
    const auto counts = co_await std::move(counting);
    json::object answer = parts_.status();
    if (!counts) {
        answer["ledger"] = counts.error().message;
        co_return json::value(std::move(answer));
    }
    json::object queue;
    for (const auto& [stage, number] : counts->by_stage) queue[view(to_string(stage))] = number;
    answer["queue"] = std::move(queue);
    json::object held_by;
    std::uint64_t held = 0;
    for (const auto& [reason, number] : counts->held) {
        held_by[view(to_string(reason))] = number;
        held += number;
    }
    answer["held"] = held;
    answer["heldBy"] = std::move(held_by);
    answer["delivered"] = counts->delivered;
    answer["failed"] = counts->failed;
    answer["quarantined"] = counts->quarantined;
    auto limiting = limits();
    auto metered = co_await std::move(limiting);
    if (metered) {
        answer["limits"] = metered->as_object()["limits"];
        answer["stops"] = metered->as_object()["stops"];
    }
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::list(json::object arguments) {
    ports::PageFilter filter;
    if (const auto stage = text(arguments, "stage")) {
        filter.stage = request::parse_stage(*stage);
        if (!filter.stage) co_return usage("--stage: no such stage: " + *stage);
    }
    filter.user = text(arguments, "user");
    filter.device = text(arguments, "device");
    if (const auto since = text(arguments, "since")) {
        const auto time = from_rfc3339(*since);
        if (!time) co_return usage("--since: " + time.error().message);
        filter.since = *time;
    }
    filter.after = text(arguments, "after").value_or("");
    constexpr std::size_t k_most = 1000;
    if (const auto* limit = arguments.if_contains("limit"); limit != nullptr && limit->is_number())
        filter.limit = std::clamp<std::size_t>(limit->to_number<std::size_t>(), 1, k_most);
    const std::size_t wanted = filter.limit;
    auto paging = parts_.ledger.page(std::move(filter));
    const auto page = co_await std::move(paging);
    if (!page) co_return page.error();
    json::array rows;
    for (const auto& one : *page) rows.push_back(summary(one));
    json::object answer;
    answer["next"] = page->size() == wanted ? json::value(page->back().request.id.text()) : json::value(nullptr);
    answer["requests"] = std::move(rows);
    co_return json::value(std::move(answer));
}

// What was delivered, and what else is known of this user's orders: one that waits or failed is why something is
// missing.
Operations::Answer Operations::deliveries(json::object arguments) {
    const auto user = text(arguments, "user");
    if (!user || user->empty()) co_return usage("--user: a user's id or userPrincipalName is needed");
    auto asking = parts_.ledger.deliveries_of(*user);
    const auto delivered = co_await std::move(asking);
    if (!delivered) co_return delivered.error();
    ports::PageFilter filter;
    filter.user = user;
    filter.limit = 1000;
    auto paging = parts_.ledger.page(std::move(filter));
    const auto page = co_await std::move(paging);
    if (!page) co_return page.error();
    json::array open;
    json::array failed;
    for (const auto& one : *page) {
        if (one.request.kind() != request::Kind::pfx_deliver) continue;
        json::object row = summary(one);
        if (is_open(one.stage)) {
            open.push_back(std::move(row));
        } else if (one.failure) {
            row["message"] = one.failure->message;
            failed.push_back(std::move(row));
        }
    }
    json::object answer;
    answer["user"] = *user;
    answer["deliveries"] = deliveries_json(*delivered);
    answer["open"] = std::move(open);
    answer["failed"] = std::move(failed);
    co_return json::value(std::move(answer));
}

ports::Async<RequestRecord> Operations::record(RequestId id) {
    auto reading = parts_.ledger.get(id);
    auto found = co_await std::move(reading);
    if (!found) co_return found.error();
    if (!*found) co_return Error(ErrorKind::refused, "notFound", "no request " + id.text() + " is known here");
    co_return std::move(**found);
}

ports::Async<RequestRecord> Operations::change(RequestRecord old, request::Outcome outcome) {
    const request::RetryRules rules = parts_.engine == nullptr ? request::RetryRules{} : parts_.engine->rules.retry;
    ports::Commit commit;
    commit.record = request::after(std::move(old), outcome, rules, parts_.clock.utc(), 0.0);
    RequestRecord changed = commit.record;
    auto saving = parts_.ledger.save(std::move(commit), parts_.clock.utc());
    const auto saved = co_await std::move(saving);
    if (!saved) {
        if (saved.error().kind == ErrorKind::conflict)
            co_return Error(ErrorKind::unavailable, "busy", "the request is being worked on; try again");
        co_return saved.error();
    }
    if (parts_.engine != nullptr) {
        parts_.engine->work_arrived.call();
        parts_.engine->report_waiting.call();
    }
    co_return changed;
}

Operations::Answer Operations::show(RequestId id) {
    auto reading = record(id);
    const auto found = co_await std::move(reading);
    if (!found) co_return found.error();
    json::object row = details(*found);
    auto asking = parts_.ledger.votes(id, parts_.clock.utc());
    const auto votes = co_await std::move(asking);
    if (!votes) co_return votes.error();
    json::array accounts;
    for (const auto& vote : *votes) {
        const json::value account(vote.by);
        if (vote.order_hash == found->order_hash &&
            std::find(accounts.begin(), accounts.end(), account) == accounts.end())
            accounts.push_back(account);
    }
    row["approvedBy"] = std::move(accounts);
    co_return json::value(std::move(row));
}

// What a person needs to know of one order: who says so, which key, what would be sent.
json::object Operations::details(const RequestRecord& record) const {
    const auto* found = &record;
    json::object row = summary(record);
    row["leaseId"] = found->lease.id.text();
    const bool closed = record.stage == Stage::closed;
    row["orderHash"] = closed ? json::value(nullptr) : json::value(found->order_hash.hex());
    row["heldDetail"] = found->held_detail;
    row["heldSince"] = time_or_null(found->stage == Stage::held ? found->waiting_since : std::nullopt);
    if (found->failure) {
        json::object failure;
        failure["code"] = found->failure->code;
        failure["message"] = found->failure->message;
        failure["retryable"] = found->failure->retryable;
        row["failure"] = std::move(failure);
    }
    row["outcome"] = found->outcome ? json::value(*found->outcome) : json::value(nullptr);
    if (const auto facts = parts_.crypto.inspect(found->request.device.recipient_certificate)) {
        row["key"] = facts->key.spki_sha256.hex();
        row["recipientCertificate"] = facts->sha256.hex();
        row["recipientIssuer"] = to_text(facts->issuer);
    }
    json::object person;
    person["userPrincipalName"] = record.request.user.user_principal_name;
    person["mail"] = record.request.user.mail ? json::value(*record.request.user.mail) : json::value(nullptr);
    row["person"] = std::move(person);
    // Of a closed order only the row's head is kept.
    row["order"] = record.stage == Stage::closed ? json::object() : order_of(record.request);
    return row;
}

Operations::Answer Operations::retry(RequestId id, Caller caller) {
    auto reading = record(id);
    auto found = co_await std::move(reading);
    if (!found) co_return found.error();
    if (!is_open(found->stage))
        co_return Error(ErrorKind::refused, "closed",
                        "request " + id.text() + " is over; the service has to ask again");
    if (found->stage == Stage::held)
        co_return Error(ErrorKind::refused, "held", "request " + id.text() + " waits for `requests approve`");
    if (parts_.engine != nullptr) parts_.engine->results_quiet_until = {};
    request::Outcome outcome(request::Postponed{std::chrono::seconds{0}});
    if (found->stage == Stage::abandoned) outcome = request::Revived{};
    if (const auto* profile = found->request.profile(); profile != nullptr && parts_.engine != nullptr) {
        const auto breaker = parts_.engine->breakers.find(profile->authority);
        if (breaker != parts_.engine->breakers.end()) breaker->second.resume(parts_.clock.tick());
    }
    auto changing = change(std::move(*found), std::move(outcome));
    const auto changed = co_await std::move(changing);
    if (!changed) co_return changed.error();
    parts_.events.raise(
        engine::about(event::k_control_done, *changed).with("command", "requests retry").with("by", caller.account));
    json::object answer;
    answer["id"] = id.text();
    answer["stage"] = view(to_string(changed->stage));
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::abandon(RequestId id, Caller caller) {
    auto reading = record(id);
    auto found = co_await std::move(reading);
    if (!found) co_return found.error();
    if (!is_open(found->stage) || request::is_past_its_order(*found))
        co_return Error(ErrorKind::refused, "closed", "request " + id.text() + " is over already");
    const bool had_package = found->stage == Stage::packaged;
    request::Dropped dropped{request::Failure{"abandoned", "abandoned by the operator", false, std::nullopt}};
    auto changing = change(std::move(*found), request::Outcome(std::move(dropped)));
    const auto changed = co_await std::move(changing);
    if (!changed) co_return changed.error();
    parts_.events.raise(
        engine::about(event::k_control_done, *changed).with("command", "requests abandon").with("by", caller.account));
    if (had_package) parts_.events.raise(engine::about(event::k_report_abandoned, *changed).with("by", caller.account));
    json::object answer;
    answer["id"] = id.text();
    answer["stage"] = view(to_string(changed->stage));
    co_return json::value(std::move(answer));
}

ports::Async<std::size_t> Operations::vote(trust::Vote own) {
    auto voting = parts_.ledger.vote(own);
    const auto voted = co_await std::move(voting);
    if (!voted) co_return voted.error();
    auto counting = parts_.ledger.votes(own.request, own.given);
    const auto votes = co_await std::move(counting);
    if (!votes) co_return votes.error();
    std::set<std::string> accounts;
    for (const auto& vote : *votes)
        if (vote.about == own.about && vote.order_hash == own.order_hash && vote.spki_sha256 == own.spki_sha256)
            accounts.insert(vote.by);
    co_return accounts.size();
}

Operations::Answer Operations::approve(RequestId id, std::string key, Caller caller) {
    constexpr std::size_t k_shortest_key = 4;
    auto reading = record(id);
    auto found = co_await std::move(reading);
    if (!found) co_return found.error();
    if (found->stage != Stage::held)
        co_return Error(ErrorKind::refused, "notHeld",
                        "request " + id.text() + " is not held; it is " + std::string(to_string(found->stage)));
    const auto facts = parts_.crypto.inspect(found->request.device.recipient_certificate);
    if (!facts) co_return facts.error();
    const std::string fingerprint = facts->key.spki_sha256.hex();
    std::transform(key.begin(), key.end(), key.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (key.size() < k_shortest_key || fingerprint.compare(0, key.size(), key) != 0) {
        parts_.events.raise(engine::about(event::k_control_refused, *found)
                                .with("command", "requests approve")
                                .with("by", caller.account));
        co_return usage(
            "--key: give at least the first four characters of the new key's fingerprint; compare it with what the "
            "device shows (`requests show " +
            id.text() + "` prints the one that was claimed)");
    }
    constexpr auto k_valid = std::chrono::hours{24 * 7};
    const auto now = parts_.clock.utc();
    // For this order and this key, as it is held now.
    trust::Vote own{id,
                    parts_.crypto.sha256(bytes_of(found->held_detail)),
                    caller.account,
                    found->order_hash,
                    facts->key.spki_sha256,
                    now,
                    now + k_valid};
    auto voting = vote(std::move(own));
    const auto accounts = co_await std::move(voting);
    if (!accounts) co_return accounts.error();
    if (*accounts < approvers()) {
        parts_.events.raise(engine::about(event::k_control_done, *found)
                                .with("command", "requests approve")
                                .with("approvals", std::to_string(*accounts) + " of " + std::to_string(approvers()))
                                .with("key", fingerprint)
                                .with("by", caller.account));
        json::object answer = details(*found);
        answer["approvals"] = *accounts;
        answer["approvalsNeeded"] = approvers();
        co_return json::value(std::move(answer));
    }
    trust::Approval approval{found->request.user.id,
                             found->request.user.user_principal_name,
                             found->request.device.id,
                             facts->key.spki_sha256,
                             caller.account,
                             now,
                             now + k_valid};
    auto approving = parts_.ledger.approve(std::move(approval));
    const auto approved = co_await std::move(approving);
    if (!approved) co_return approved.error();
    const std::string why = found->held_detail;
    auto changing = change(std::move(*found), request::Outcome(request::Released{}));
    const auto changed = co_await std::move(changing);
    if (!changed) co_return changed.error();
    parts_.events.raise(
        engine::about(event::k_request_approved, *changed).with("key", fingerprint).with("by", caller.account));
    json::object answer = details(*changed);
    answer["heldDetail"] = why;
    answer["approvals"] = *accounts;
    answer["approvalsNeeded"] = approvers();
    co_return json::value(std::move(answer));
}

}  // namespace connector::control
