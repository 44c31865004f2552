#include "core/engine/worker.hpp"

#include "core/engine/directory.hpp"
#include "core/engine/revocation.hpp"
#include "core/request/limits.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using request::Stage;
using request::Step;

Worker::Worker(Context& context, HistoryCache& cache, request::RequestRecord record)
    : context_(context), cache_(cache), record_(std::move(record)), stage_entered_(context.ports.clock.tick()) {}

asio::awaitable<void> Worker::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    // Each step moves the record on or ends the work; the bound is for a fault of ours.
    constexpr int k_most_steps = 32;
    for (int i = 0; i < k_most_steps; ++i) {
        if (stopped()) co_return;
        bool going = false;
        switch (request::next(record_)) {
            case Step::admit: going = co_await admit(); break;
            case Step::submit: going = co_await submit(false); break;
            case Step::find: going = unsent_ ? co_await submit(false) : co_await find(); break;
            case Step::poll: going = co_await poll(); break;
            case Step::pack: going = co_await pack(); break;
            case Step::deliver: going = co_await deliver(); break;
            case Step::withdraw: going = co_await withdraw(); break;
            case Step::revoke: going = co_await revoke(); break;
            case Step::report: context_.report_waiting.call(); co_return;
            case Step::rest: co_return;
        }
        // By the mark, not by the clock: a pause may be over before its commit is, and what goes on then without the
        // mark has no deaths.
        if (!going || !record_.in_work || context_.status.draining || context_.status.ledger_barred) {
            const auto step = request::next(record_);
            if (step == Step::report) context_.report_waiting.call();
            co_return;
        }
    }
    context_.ports.events.raise(
        about(event::k_internal_fault, record_).with("reason", "a request did not come to rest"));
}

bool Worker::stopped() const noexcept {
    const bool revoking = record_.stage == Stage::revoking;
    return context_.stopping.stopped(revoking ? request::Kind::certificate_revoke : record_.request.kind());
}

Worker::Going Worker::save(request::Outcome outcome) {
    ports::Commit commit;
    auto saving = save_with(std::move(outcome), std::move(commit));
    co_return co_await std::move(saving);
}

Worker::Going Worker::save_with(request::Outcome outcome, ports::Commit commit) {
    const auto before = record_.stage;
    if (request::limit_waived(record_))
        for (auto& charge : commit.charges) charge.waived = true;
    commit.record = request::after(record_, outcome, context_.rules.retry, context_.now(), context_.jitter());
    auto next_record = commit.record;
    const bool wrapped = commit.wrapped_for.has_value();
    Bytes certificate = wrapped ? next_record.certificate : Bytes();
    auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
    const auto saved = co_await std::move(saving);
    if (saved) {
        context_.ledger_works();
        record_ = std::move(next_record);
        record_.version = *saved;
        if (record_.stage != before) {
            const auto now = context_.ports.clock.tick();
            context_.ports.telemetry.stage_took(before, now - stage_entered_);
            stage_entered_ = now;
        }
        co_return true;
    }
    const Error& error = saved.error();
    if (wrapped && error.kind == ErrorKind::refused) {  // blocked between the look and the commit
        auto failing = fail(error, std::move(certificate));
        co_await std::move(failing);
        co_return false;
    }
    if (error.kind == ErrorKind::throttled) {
        auto looking = context_.look_at_stops();
        co_await std::move(looking);
        if (error.code == "kindStopped") co_return false;
        context_.ports.events.raise(about(event::k_limit_reached, record_).with("reason", error.message));
        trust::Hold over{request::HeldReason::limit, error.message};
        auto holding = hold(std::move(over));
        co_return co_await std::move(holding);
    }
    if (error.kind == ErrorKind::refused) {
        // The window's last place went to another device meanwhile: the proof is made anew and says what holds this
        // one. Where it passes after all it is due again.
        auto proving = proved("intake");
        const auto proof = co_await std::move(proving);
        co_return false;
    }
    // conflict: somebody else has taken the record over, or its device has become known meanwhile. Anything else: it
    // stays as it is in the ledger and is due again.
    context_.ledger_failed(error, "saving a request");
    co_return false;
}

Worker::Going Worker::fail(Error error, Bytes certificate, bool may_be_there) {
    const bool by_the_clock = error.by_the_clock || error.code == "certificateMismatch";
    if (by_the_clock && error.kind == ErrorKind::refused &&
        context_.clock_watch.doubtful(context_.now(), context_.ports.clock.tick())) {
        error.kind = ErrorKind::unavailable;
        error.message += " (asked again: the clock is doubtful)";
    }
    const bool final = request::is_final(record_, error, context_.rules.retry, context_.now());
    const bool issuing = record_.request.kind() == request::Kind::pkcs_issue;
    ports::Commit commit;
    if (final) {
        context_.ports.telemetry.refused(error.code);
        if (auto charge = charge_of_refusal(error)) commit.charges.push_back(std::move(*charge));
    }
    const auto event_id = final ? (issuing ? event::k_issue_failed : event::k_repack_failed)
                                : (issuing ? event::k_issue_will_retry : event::k_repack_will_retry);
    const Event told = about(event_id, record_).with("code", error.code).with("reason", error.message);
    // Beyond the meter of refusals it is held instead, and has not failed.
    const bool metered = !commit.charges.empty();
    if (!metered) context_.ports.events.raise(told);
    request::Failed failed{std::move(error), std::move(certificate), may_be_there};
    request::Outcome outcome(std::move(failed));
    auto saving = save_with(std::move(outcome), std::move(commit));
    const bool going = co_await std::move(saving);
    if (metered && record_.stage != Stage::held) context_.ports.events.raise(told);
    co_return going;
}

Worker::Going Worker::hold(trust::Hold what) {
    context_.ports.events.raise(
        about(event::k_request_held, record_).with("reason", to_string(what.reason)).with("detail", what.detail));
    request::Held held{std::move(what)};
    request::Outcome outcome(std::move(held));
    auto saving = save(std::move(outcome));
    co_await std::move(saving);
    co_return false;
}

// A refusal takes a place on the meter of refusals with the commit that writes it down; where there is none left, the
// request is held instead, and whoever tries things out learns nothing more.
std::optional<request::Charge> Worker::charge_of_refusal(const Error& error) {
    if (error.code != "recipientUntrusted" && error.code != "recipientUnbound" && error.code != "policyRefused")
        return std::nullopt;
    const auto event_id = error.code == "policyRefused" ? event::k_policy_refused : event::k_recipient_refused;
    context_.ports.events.raise(about(event_id, record_).with("code", error.code).with("reason", error.message));
    if (error.code == "recipientUnbound")
        context_.ports.events.raise(about(event::k_person_refused, record_).with("reason", error.message));
    return request::refusal_charge(context_.rules.limits, record_.request.id.text());
}

asio::awaitable<void> Worker::count_unopened() {
    auto charge = request::unwrap_failure_charge(context_.rules.limits, record_.request.id.text());
    auto counting = context_.ports.ledger.count(std::move(charge), context_.now());
    const auto counted = co_await std::move(counting);
    if (!counted) context_.ledger_failed(counted.error(), "counting what did not open");
}

asio::awaitable<std::optional<Proved>> Worker::proved(std::string_view when) {
    if (context_.clock_watch.astray(context_.now(), context_.ports.clock.tick())) {
        request::Postponed until_it_is_right{std::chrono::seconds{30}};
        request::Outcome outcome(until_it_is_right);
        auto saving = save(std::move(outcome));
        co_await std::move(saving);
        co_return std::nullopt;
    }
    auto proving = prove(context_, record_, when != "intake");
    auto proof = co_await std::move(proving);
    if (const auto* away = std::get_if<Error>(&proof);
        away != nullptr && (is_directory_away(*away) || is_list_away(*away))) {
        auto waiting = wait_for_proof(*away);
        co_await std::move(waiting);
        co_return std::nullopt;
    }
    if (auto* held = std::get_if<trust::Hold>(&proof)) {
        auto holding = hold(std::move(*held));
        co_await std::move(holding);
        co_return std::nullopt;
    }
    if (auto* error = std::get_if<Error>(&proof)) {
        Error named = *error;
        if (when != "intake" && named.kind == ErrorKind::refused)
            named.message += std::string(" (at ") + std::string(when) + ")";
        Bytes certificate = record_.certificate;
        auto failing = fail(std::move(named), std::move(certificate));
        co_await std::move(failing);
        co_return std::nullopt;
    }
    std::optional<Proved> answer(std::move(std::get<Proved>(proof)));
    co_return answer;
}

Worker::Going Worker::wait_for_proof(Error error) {
    using namespace std::chrono_literals;
    const auto now = context_.now();
    const bool of_list = is_list_away(error);
    if (now - record_.accepted_at >= context_.rules.hold) {
        // What is not decided by a person ends as what a person did not decide does.
        Error over(ErrorKind::misconfigured, "approvalNeeded",
                   of_list ? "no current revocation list was there in all this time to say that the device "
                             "certificate still counts"
                           : "the directory, which is to prove whose this is, could not be asked in all this time");
        Bytes certificate = record_.certificate;
        auto failing = fail(std::move(over), std::move(certificate));
        co_return co_await std::move(failing);
    }
    // The longer it is away, the longer they wait; yet never so long that people notice once it is back.
    const auto& check = of_list ? context_.status.revocation : context_.status.directory;
    // Not looked at yet: the first answer is on its way.
    const auto away = check.state == Check::State::down
                          ? std::chrono::duration_cast<std::chrono::seconds>(now - check.since)
                          : std::chrono::seconds{0};
    const auto longest = std::clamp<std::chrono::seconds>(away / 4, 2s, 120s);
    const auto seconds = static_cast<std::int64_t>(static_cast<double>(longest.count()) * context_.jitter());
    context_.ports.events.raise(about(of_list ? event::k_waits_for_crl : event::k_waits_for_directory, record_)
                                    .with("code", error.code)
                                    .with("reason", error.message));
    request::Postponed later{std::chrono::seconds{1 + seconds}};
    auto saving = save(request::Outcome(later));
    co_await std::move(saving);
    co_return false;
}

// After the commit, which holds only where nothing of the device has changed since the proof: once for each change.
void Worker::note(const Proved& proof) {
    // As proved: where a notification to the person goes.
    const auto mailbox = proof.person.mailboxes().empty() ? std::string() : proof.person.mailboxes().front();
    if (proof.new_recipient)
        context_.ports.events.raise(about(event::k_recipient_pinned, record_)
                                        .with("key", proof.recipient.certificate().key.spki_sha256.hex())
                                        .with("source", proof.recipient.source())
                                        .with("mailbox", mailbox));
    if (proof.uses_window)
        context_.ports.events.raise(
            about(event::k_window_used, record_).with("key", proof.recipient.certificate().key.spki_sha256.hex()));
    for (const auto& text : proof.notes)
        context_.ports.events.raise(
            about(event::k_recipient_changed, record_).with("reason", text).with("mailbox", mailbox));
}

asio::awaitable<Result<Worker::Wrapped>> Worker::wrap(const trust::Recipient& recipient, std::string purpose,
                                                      std::vector<ports::PackedIdentity> identities,
                                                      request::Package package) {
    auto numbering = context_.ports.ledger.next_sequence(context_.now());
    const auto sequence = co_await std::move(numbering);
    if (!sequence) {
        context_.ledger_failed(sequence.error(), "numbering a package");
        co_return sequence.error();
    }
    ports::PackageContent content;
    content.request_id = record_.request.id;
    content.user_id = recipient.user();
    content.user_principal_name = recipient.user_principal_name();
    content.purpose = std::move(purpose);
    content.created_at = context_.now();
    content.not_after = content.created_at + context_.rules.keep_undelivered;
    content.sequence = *sequence;
    content.identities = std::move(identities);

    struct Work {
        ports::PackageContent content;
        request::Package package;
    };
    auto work = std::make_shared<Work>();
    work->content = std::move(content);
    work->package = std::move(package);
    auto job = [work, kind = record_.request.kind(), flags = context_.stopping.flags, &recipient,
                &packager = context_.ports.packager, &sealer = context_.ports.sealer,
                binding = request::sealing_context(record_, "package")]() -> Result<Bytes> {
        if (flags->stopped(kind)) return Error(ErrorKind::cancelled, "kindStopped", "stopped before it was wrapped");
        auto envelope = packager.package(recipient, std::move(work->content));
        if (!envelope) return envelope.error();
        work->package.envelope = std::move(*envelope);
        return sealer.seal(request::encode(work->package), binding);
    };
    auto running = context_.ports.offload.run(std::move(job));
    auto sealed = co_await std::move(running);
    if (!sealed) co_return sealed.error();
    Wrapped wrapped{std::move(*sealed), *sequence};
    co_return wrapped;
}

void Worker::note_wrapped(const trust::Recipient& recipient, const Wrapped& wrapped) {
    context_.ports.events.raise(about(event::k_package_wrapped, record_)
                                    .with("recipient", recipient.certificate().sha256.hex())
                                    .with("proof", recipient.source())
                                    .with("sequence", std::to_string(wrapped.sequence)));
}

}  // namespace connector::engine
