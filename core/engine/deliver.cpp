// pfx.deliver: the user's imported certificates, opened under the import key and packed anew for one proved device.
#include "core/engine/worker.hpp"

#include "core/request/limits.hpp"
#include "core/request/policy.hpp"

#include <algorithm>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

namespace connector::engine {
namespace {

namespace asio = boost::asio;

struct Opened {
    std::vector<OpenedImport> good;
    std::vector<request::Omitted> faults;
    std::vector<ErrorKind> kinds;  // of the faults, one each
    std::optional<Error> newest_fault;
    UtcTime newest_start{};
    std::vector<request::Omitted> parser_broken;  // of the faults
    std::optional<Error> no_parser;
    std::size_t unopened = 0;    // of the faults: a password was tried and did not open
    bool stopped = false;        // by a person or a limit, in the middle
    bool too_many_fail = false;  // as many as may in an hour did not open: the rest was not tried
};

bool older(const OpenedImport& left, const OpenedImport& right) {
    return std::tie(left.facts.not_before, left.facts.not_after, left.facts.sha256) <
           std::tie(right.facts.not_before, right.facts.not_after, right.facts.sha256);
}

// Beside IMP-2060, for the faults that have a remedy of their own.
std::string_view reason_of(std::string_view code, ErrorKind kind) noexcept {
    if (code == "importUnsigned") return event::k_import_unsigned;
    if (code != "importUndecryptable") return {};
    return kind == ErrorKind::misconfigured ? event::k_import_key_unknown : event::k_import_undecryptable;
}

}  // namespace

// When the store was read anew, so not with every delivery. What the service shows but cannot be read is not gone.
asio::awaitable<void> Worker::note_vanished(const ports::ImportedHistory& history, request::Purpose purpose,
                                            std::string person) {
    auto asking = context_.ports.ledger.deliveries_of(std::move(person));
    const auto deliveries = co_await std::move(asking);
    if (!deliveries) {
        context_.ledger_failed(deliveries.error(), "looking for imported certificates that are gone");
        co_return;
    }
    std::set<std::string> there;
    for (const auto& record : history.records) there.insert(record.thumbprint);
    for (const auto& unreadable : history.unreadable) there.insert(unreadable.thumbprint);
    for (const auto& delivery : *deliveries) {
        if (delivery.purpose != purpose) continue;
        for (const auto& certificate : delivery.certificates)
            if (there.insert(certificate.thumbprint.hex()).second)
                context_.ports.events.raise(about(event::k_import_vanished, record_)
                                                .with("thumbprint", certificate.thumbprint.hex())
                                                .with("delivered", to_rfc3339(certificate.first_at)));
    }
}

void Worker::note_omitted(const request::Omitted& omitted) {
    context_.ports.events.raise(about(event::k_record_omitted, record_)
                                    .with("thumbprint", omitted.thumbprint)
                                    .with("code", omitted.code)
                                    .with("reason", omitted.message));
}

Worker::Going Worker::deliver() {
    const auto& order = std::get<request::DeliverImported>(record_.request.order);
    if (order.delivery.format != request::DeliveryFormat::cms) {
        Error error(ErrorKind::refused, "unsupported",
                    "/delivery/format: " + std::string(to_string(order.delivery.format)) +
                        " is not supported by this connector");
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    const auto style = request::choose_style(order.delivery.pkcs12, record_.request.device.platform,
                                             record_.request.device.os_version, context_.rules.legacy_pkcs12);
    if (!style) {
        Error error = style.error();
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    auto proving = proved("intake");
    auto proof = co_await std::move(proving);
    if (!proof) co_return false;

    const auto whose = trust::one_spelling_of_person(proof->person.user_principal_name());
    const auto& user = record_.request.user.id;
    auto fetching =
        context_.ports.imports.fetch(user, order.purpose, record_.lease.id, cache_.etag(user, order.purpose));
    auto fetched = co_await std::move(fetching);
    if (!fetched) {
        // Whatever keeps us from reading the store today is no verdict on the order: it is tried again within its
        // budget.
        Error error(ErrorKind::unavailable, fetched.error().code, fetched.error().message);
        error.retry_after = fetched.error().retry_after;
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    if (!fetched->not_modified) {
        cache_.store(user, order.purpose, *fetched);
        auto comparing = note_vanished(*fetched, order.purpose, whose);
        co_await std::move(comparing);
    }
    const ports::ImportedHistory* cached = fetched->not_modified ? cache_.find(user, order.purpose) : &*fetched;
    if (cached == nullptr) {
        Error error(ErrorKind::unavailable, "internal", "the service says nothing changed, but nothing is known here");
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    auto selection = std::make_shared<const Selection>(select_records(*cached, order, context_.now()));
    // All of the user's records decide what `adopted` means, also those that are not asked for.
    const bool migrating = context_.rules.importer.signatures == trust::SignatureRule::adopted;
    auto all = std::make_shared<const std::vector<trust::ImportedRecord>>(
        migrating ? cached->records : std::vector<trust::ImportedRecord>());
    // What is cached may be another's by the time this comes back: it is copied above, and not looked at again.
    auto judging = judge_lists(*cached, order.purpose, proof->person, !fetched->not_modified);
    const auto list_seen = co_await std::move(judging);
    if (!list_seen) co_return false;
    const auto& unreadable = selection->unreadable;
    if (selection->records.empty() && unreadable.empty()) {
        const std::string_view which =
            order.thumbprints.empty() ? "the store has no " : "/thumbprints: the store has none of these as a ";
        Error none(ErrorKind::refused, "importNotFound",
                   std::string(which) + std::string(to_string(order.purpose)) + " certificate for this user");
        auto failing = fail(std::move(none));
        co_return co_await std::move(failing);
    }

    // Counted durably before a single key is opened; a crash cannot give the count back.
    ports::Commit counted;
    counted.charges = request::unwrap_charges(context_.rules.limits, whose, record_.request.id.text());
    if (proof->new_recipient)
        counted.charges.push_back(
            request::new_recipient_charge(context_.rules.limits, proof->recipient.certificate().key.spki_sha256.hex()));
    counted.charges.push_back(request::unwrap_failure_room(context_.rules.limits, record_.request.id.text()));
    counted.pin = proof->pin;
    counted.pin_seen = proof->pin_seen;
    counted.uses_window = proof->uses_window;
    counted.most_devices = proof->most_devices;
    counted.key_alone = proof->key_alone;
    auto counting = save_with(request::Outcome(request::Counted{}), std::move(counted));
    const bool going = co_await std::move(counting);
    if (!going || record_.stage != request::Stage::accepted) co_return false;
    note(*proof);
    if (stopped()) co_return false;

    // The meter's own number bounds what one request may try; a person who let it go on has waived that.
    const std::size_t most_failures =
        request::limit_waived(record_) ? 0 : context_.rules.limits.unwrap_failures_per_hour;
    auto job = [most_failures, list_seen = *list_seen, flags = context_.stopping.flags, selection, all,
                purpose = order.purpose, person = proof->person, pfx_style = *style, rules = context_.rules.importer,
                &crypto = context_.ports.crypto, &opener = context_.ports.pfx_opener, &keys = context_.ports.keys] {
        auto opened = std::make_shared<Opened>();
        auto applied = rules;
        applied.signatures = rule_for(*all, rules, crypto);
        // A signed list was seen: who takes all signatures away puts nobody back among those who wait for theirs.
        if (list_seen && applied.signatures == trust::SignatureRule::adopted)
            applied.signatures = trust::SignatureRule::required;
        for (const auto& record : selection->records) {
            if (flags->stopped(request::Kind::pfx_deliver)) {
                opened->stopped = true;
                break;
            }
            if (most_failures != 0 && opened->unopened >= most_failures) {
                opened->too_many_fail = true;
                break;
            }
            auto one = open_imported(record, purpose, person, applied, pfx_style, crypto, opener, keys);
            if (one) {
                opened->good.push_back(std::move(*one));
                continue;
            }
            if (one.error().kind == ErrorKind::unavailable) {
                opened->no_parser = one.error();
                break;
            }
            opened->faults.push_back({record.thumbprint, one.error().code, one.error().message});
            opened->kinds.push_back(one.error().kind);
            // A key that is not configured here has told nobody anything.
            if (one.error().code == "importUndecryptable" && one.error().kind != ErrorKind::misconfigured)
                ++opened->unopened;
            if (ports::is_parser_broken(one.error())) opened->parser_broken.push_back(opened->faults.back());
            if (!opened->newest_fault || record.start >= opened->newest_start) {
                opened->newest_fault = one.error();
                opened->newest_start = record.start;
            }
        }
        std::sort(opened->good.begin(), opened->good.end(), older);
        const auto same = [](const auto& left, const auto& right) { return left.facts.sha256 == right.facts.sha256; };
        opened->good.erase(std::unique(opened->good.begin(), opened->good.end(), same), opened->good.end());
        return opened;
    };
    auto opening = context_.ports.offload.run(std::move(job));
    auto opened = co_await std::move(opening);

    if (opened->no_parser) {
        Error error = *opened->no_parser;
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    for (const auto& fault : opened->parser_broken)
        context_.ports.events.raise(
            about(event::k_parser_broken, record_).with("thumbprint", fault.thumbprint).with("reason", fault.message));
    for (std::size_t i = 0; i < opened->faults.size(); ++i) {
        const auto& fault = opened->faults[i];
        note_omitted(fault);
        if (const auto why = reason_of(fault.code, opened->kinds[i]); !why.empty())
            context_.ports.events.raise(
                about(why, record_).with("thumbprint", fault.thumbprint).with("reason", fault.message));
    }
    for (std::size_t i = 0; i < opened->unopened; ++i) {
        auto counting_failure = count_unopened();
        co_await std::move(counting_failure);
    }
    if (opened->stopped) co_return false;
    if (opened->too_many_fail) {
        auto looking = context_.look_at_stops();
        co_await std::move(looking);
        trust::Hold over{request::HeldReason::limit,
                         "unwrap_failures_per_hour: " + std::to_string(most_failures) +
                             " records of this request did not open; the rest was not tried"};
        auto holding = hold(std::move(over));
        co_return co_await std::move(holding);
    }
    for (const auto& fault : selection->missing) note_omitted(fault);
    for (const auto& fault : unreadable) note_omitted(fault);
    if (opened->good.empty()) {
        Error error = opened->newest_fault.value_or(
            Error(ErrorKind::refused, unreadable.empty() ? "importNotFound" : unreadable.back().code,
                  unreadable.empty() ? "no record" : unreadable.back().message));
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }

    // What correspondents will encrypt to from now on.
    const auto& last = opened->good.back().facts;
    const ports::CurrentImport newest{last.not_before, last.not_after, last.sha256};
    std::optional<std::string> change;
    // An order that names certificates brings a part on purpose; what is newer than all before is a change all the
    // same.
    if (order.purpose == request::Purpose::smime_encryption) {
        auto asking = context_.ports.ledger.current_import(whose);
        const auto current = co_await std::move(asking);
        if (!current) {
            context_.ledger_failed(current.error(), "looking for a person's current certificate");
            co_return false;
        }
        if (*current && (order.thumbprints.empty() ? **current != newest : **current < newest))
            change = "the current encryption certificate changes from " + (**current).sha256.hex() + " to " +
                     newest.sha256.hex();
    }
    if (change && trust::is_named(proof->person, record_.request.user, context_.rules.protected_users)) {
        auto approving = approvals(context_, record_, proof->recipient.certificate().key.spki_sha256, change);
        const auto given = co_await std::move(approving);
        if (!given) co_return false;
        if (*given < context_.rules.approvers) {
            trust::Hold unsure{request::HeldReason::approval, *change};
            auto holding = hold(std::move(unsure));
            co_return co_await std::move(holding);
        }
    }

    // Keys are open: who may have them is asked again, at this very moment.
    auto proving_again = proved("wrapping");
    auto proof_now = co_await std::move(proving_again);
    if (!proof_now || stopped()) co_return false;

    request::Package package;
    std::vector<ports::PackedIdentity> identities;
    for (auto& one : opened->good) {
        if (one.weak_encryption)
            context_.ports.events.raise(
                about(event::k_weak_encryption_opened, record_).with("thumbprint", one.facts.thumbprint.hex()));
        if (one.facts.not_after <= context_.now())
            context_.ports.events.raise(
                about(event::k_import_expired_delivered, record_).with("thumbprint", one.facts.thumbprint.hex()));
        package.certificates.push_back(request::DeliveredCertificate{one.facts.der, std::nullopt});
        for (auto& issuer : one.chain)
            if (std::find(package.chain.begin(), package.chain.end(), issuer) == package.chain.end())
                package.chain.push_back(std::move(issuer));
        identities.push_back(std::move(one.identity));
    }
    package.omitted = selection->missing;
    package.omitted.insert(package.omitted.end(), unreadable.begin(), unreadable.end());
    package.omitted.insert(package.omitted.end(), opened->faults.begin(), opened->faults.end());
    const std::size_t delivered = identities.size();
    auto wrapping =
        wrap(proof_now->recipient, std::string(to_string(order.purpose)), std::move(identities), std::move(package));
    auto wrapped = co_await std::move(wrapping);
    if (!wrapped) {
        if (stopped()) co_return false;
        Error error = wrapped.error();
        auto failing = fail(std::move(error));
        co_return co_await std::move(failing);
    }
    if (change) context_.ports.events.raise(about(event::k_current_import_changed, record_).with("reason", *change));
    context_.ports.events.raise(about(event::k_repacked, record_).with("certificates", std::to_string(delivered)));
    note_wrapped(proof_now->recipient, *wrapped);
    ports::Commit commit;
    commit.wrapped_for = addressee(proof_now->recipient);
    request::Packed packed{std::move(wrapped->sealed), {}};
    request::Outcome outcome(std::move(packed));
    auto saving = save_with(std::move(outcome), std::move(commit));
    co_return co_await std::move(saving);
}

}  // namespace connector::engine
