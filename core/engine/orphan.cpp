// Certificates that nobody is to have: kept from being lost, looked for, revoked.
#include "core/engine/order.hpp"
#include "core/engine/worker.hpp"

#include "core/request/orphan.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;

// The record as it has to be for the certificate not to be lost; nullopt: it has one, or is no longer this order's.
std::optional<request::RequestRecord> Worker::with_issued(request::RequestRecord there,
                                                          const request::RequestRecord& stored) const {
    using request::Stage;
    const RequestId id = there.request.id;
    const bool closed = there.stage == Stage::closed;  // its row keeps nothing that could be compared
    const bool delivered = closed && !there.failure && (there.outcome == "accepted" || there.outcome == "duplicate");
    if (delivered || !there.certificate.empty() || (!closed && there.csr != stored.csr) ||
        there.accepted_at != stored.accepted_at)
        return std::nullopt;
    switch (there.stage) {
        case Stage::accepted:
        case Stage::keyed:
        case Stage::submitting:
        case Stage::at_authority: {
            // Nobody has dropped it: the disk failed, or a person asked for it to be done at once.
            request::IssuedHere here{record_.certificate, record_.chain};
            return request::after(std::move(there), request::Outcome(std::move(here)), context_.rules.retry,
                                  context_.now(), 0.0);
        }
        case Stage::closed:
            there.request = stored.request;
            there.request.id = id;
            there.order_hash = stored.order_hash;
            there.csr = stored.csr;
            there.submission_nonce = stored.submission_nonce;
            there.spki_sha256 = stored.spki_sha256;
            there.stage = Stage::revoking;
            there.due_at = context_.now();
            break;
        case Stage::issued:
        case Stage::packaged:
        case Stage::refused:
        case Stage::held:
        case Stage::abandoned:
        case Stage::revoking: break;
    }
    there.certificate = record_.certificate;
    there.chain = record_.chain;
    there.revoke_certificate = there.stage != Stage::held;
    return there;
}

// Nothing but this worker's memory has the certificate: the record was taken over while the authority was issuing, or
// the disk failed. As long as the process lives it is written down as soon as that can be done.
asio::awaitable<void> Worker::keep_issued(request::RequestRecord stored) {
    using namespace std::chrono_literals;
    auto& clock = context_.ports.clock;
    for (auto pause = 1s;; pause = std::min<std::chrono::seconds>(pause * 2, 30s)) {
        auto reading = context_.ports.ledger.get(stored.request.id);
        auto there = co_await std::move(reading);
        const bool other =
            there && *there &&
            ((*there)->accepted_at != stored.accepted_at || (!(*there)->csr.empty() && (*there)->csr != stored.csr));
        if (other) {
            // Ordered anew meanwhile: what was left of this order has an id of its own.
            auto reading_apart = context_.ports.ledger.get(request::id_apart(stored));
            there = co_await std::move(reading_apart);
        }
        std::optional<Error> fault;
        if (there) {
            auto kept = *there ? with_issued(**there, stored) : std::nullopt;
            if (!kept) co_return;
            const bool dropped = kept->stage != request::Stage::issued && kept->stage != request::Stage::held;
            ports::Commit commit;
            commit.record = std::move(*kept);
            auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
            const auto saved = co_await std::move(saving);
            if (saved) {
                context_.ledger_works();
                if (dropped) context_.ports.events.raise(about(event::k_orphan_found, stored));
                co_return;
            }
            if (saved.error().kind == ErrorKind::conflict) continue;  // changed between the look and the commit
            fault = saved.error();
        } else {
            fault = there.error();
        }
        context_.ledger_failed(*fault, "saving a certificate");
        if (fault->kind != ErrorKind::unavailable || context_.status.ledger_barred) co_return;
        co_await clock.wait_until(clock.tick() + pause);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

// For an orphan: what became of the order, by whatever way there is to ask without ordering anew.
ports::Async<std::optional<ports::AuthorityAnswer>> Worker::look_for_order(ports::Authority& issuer,
                                                                           ports::Submission submission) {
    if (issuer.traits().finds) {
        auto finding = issuer.find(std::move(submission));
        co_return co_await std::move(finding);
    }
    auto polling = issuer.poll(record_.authority_request_id);
    auto answer = co_await std::move(polling);
    if (!answer) co_return answer.error();
    co_return std::optional<ports::AuthorityAnswer>(std::move(*answer));
}

bool Worker::held_by_service() const {
    const auto& held = record_.held_by_service;
    return !record_.certificate.empty() && !held.empty() &&
           std::find(held.begin(), held.end(), context_.ports.crypto.sha256(record_.certificate)) != held.end();
}

// No orphan: what we gave up, or forgot with a restored database, has reached its device.
Worker::Going Worker::spare() {
    auto saving = save(request::Outcome(request::RevokedNow{}));
    const bool saved = co_await std::move(saving);
    if (saved)
        context_.ports.events.raise(
            about(event::k_result_superseded, record_)
                .with("result", "superseded")
                .with("outcome", record_.outcome.value_or(""))
                .with("reason", "the certificate that was looked for is the one the service has"));
    co_return saved;
}

// Whoever revokes it by hand finds it in the register, though it may never have been packed.
void Worker::register_orphan(ports::Commit& commit, Event& told) const {
    const auto& name = record_.request.profile()->authority;
    told.with("authority", name);
    const auto facts = context_.ports.crypto.inspect(record_.certificate);
    if (!facts) return;
    commit.issued = registered(name, *facts, record_, context_.now());
    told.with("serial", facts->serial_number);
}

// Its authority is not configured, by mistake or for good. The certificate lives, so nothing is given up.
Worker::Going Worker::await_authority() {
    ports::Commit commit;
    Error gone = no_longer_configured(record_);
    Event told = about(event::k_revoke_will_retry, record_).with("reason", gone.message);
    register_orphan(commit, told);
    context_.ports.events.raise(told);
    request::Outcome outcome(request::Failed{std::move(gone), {}, false});
    auto saving = save_with(std::move(outcome), std::move(commit));
    co_await std::move(saving);
    co_return false;
}

Worker::Going Worker::revoke() {
    if (held_by_service()) co_return co_await spare();
    auto* issuer = authority();
    if (issuer == nullptr) {
        auto awaiting = await_authority();
        co_return co_await std::move(awaiting);
    }
    if (!issuer->traits().revokes) {
        ports::Commit commit;
        Event failed = about(event::k_revoke_failed, record_).with("reason", "the authority cannot revoke");
        register_orphan(commit, failed);
        context_.ports.events.raise(failed);
        request::Outcome outcome(request::RevokedNow{});
        auto saving = save_with(std::move(outcome), std::move(commit));
        co_return co_await std::move(saving);
    }
    const auto traits = issuer->traits();
    const bool can_ask = traits.finds || (!record_.authority_request_id.empty() && !traits.polls_by_repeating);
    if (record_.certificate.empty() && !can_ask) {
        context_.ports.events.raise(
            about(event::k_revoke_failed, record_)
                .with("authority", issuer->name())
                .with("reason", "the authority cannot be asked whether it issued a certificate"));
        auto saving = save(request::Outcome(request::RevokedNow{}));
        co_return co_await std::move(saving);
    }
    if (record_.certificate.empty()) {
        auto entering = enter(issuer->name());
        const bool entered = co_await std::move(entering);
        if (!entered || left_stopped(issuer->name())) co_return false;
        auto submission = submission_of(record_);
        auto looking = look_for_order(*issuer, std::move(submission));
        auto found = co_await std::move(looking);
        came_back(issuer->name(), found ? std::nullopt : std::optional<Error>(found.error()));
        // One that said no has issued nothing.
        const bool never =
            !found && found.error().kind == ErrorKind::refused && found.error().code != "certificateMismatch";
        if (!found && !never) {
            auto failing = fail(found.error());
            co_return co_await std::move(failing);
        }
        const auto* answer = found && *found ? &**found : nullptr;
        if (const auto* pending = answer == nullptr ? nullptr : std::get_if<ports::PendingAnswer>(answer)) {
            // It may be issued yet; nobody else will look.
            request::Postponed later{std::clamp<std::chrono::seconds>(pending->retry_after, std::chrono::seconds{1},
                                                                      std::chrono::hours{24})};
            request::Outcome outcome(later);
            auto saving = save(std::move(outcome));
            co_await std::move(saving);
            co_return false;
        }
        const auto* issued = answer == nullptr ? nullptr : std::get_if<ports::IssuedAnswer>(answer);
        if (issued == nullptr) {
            auto saving = save(request::Outcome(request::RevokedNow{}));
            co_return co_await std::move(saving);
        }
        record_.certificate = issued->certificate;
        if (held_by_service()) co_return co_await spare();
    }
    auto facts = context_.ports.crypto.inspect(record_.certificate);
    if (!facts) {
        auto failing = fail(facts.error());
        co_return co_await std::move(failing);
    }
    auto entering = enter(issuer->name());
    const bool entered = co_await std::move(entering);
    if (!entered || left_stopped(issuer->name())) co_return false;
    // Counted before the act; above the limit it waits, and the certificate is listed as a live orphan until then.
    ports::Commit counted;
    counted.record = record_;
    counted.charges = request::revoke_charges(context_.rules.limits, request::id_apart(record_).text());
    // An orphan that was never packed is not in the register yet.
    counted.issued = registered(issuer->name(), *facts, record_, context_.now());
    auto counting = context_.ports.ledger.save(std::move(counted), context_.now());
    const auto version = co_await std::move(counting);
    if (!version) {
        context_.breaker(issuer->name()).left();
        if (version.error().kind == ErrorKind::throttled) {
            auto looking = context_.look_at_stops();
            co_await std::move(looking);
            if (version.error().code == "kindStopped") co_return false;
            context_.ports.events.raise(about(event::k_limit_reached, record_).with("reason", version.error().message));
            Error over(ErrorKind::throttled, "limitReached", version.error().message);
            over.retry_after = std::chrono::seconds{600};
            // It lives on until there is room: whoever looks finds it in the register.
            ports::Commit kept;
            kept.issued = registered(issuer->name(), *facts, record_, context_.now());
            request::Failed failed{std::move(over), {}, false};
            request::Outcome outcome(std::move(failed));
            auto saving = save_with(std::move(outcome), std::move(kept));
            co_await std::move(saving);
        } else {
            context_.ledger_failed(version.error(), "counting a revocation");
        }
        co_return false;
    }
    record_.version = *version;
    if (left_stopped(issuer->name())) co_return false;
    ports::Revocation revocation{to_text(facts->issuer), facts->serial_number, record_.certificate,
                                 "cessationOfOperation"};
    auto revoking = issuer->revoke(std::move(revocation));
    auto revoked = co_await std::move(revoking);
    came_back(issuer->name(), revoked ? std::nullopt : std::optional<Error>(revoked.error()));
    if (!revoked) {
        context_.ports.events.raise(about(event::k_revoke_will_retry, record_).with("reason", revoked.error().message));
        auto failing = fail(revoked.error());
        co_return co_await std::move(failing);
    }
    context_.ports.events.raise(about(event::k_revoked, record_)
                                    .with("authority", issuer->name())
                                    .with("serial", facts->serial_number)
                                    .with("reason", "cessationOfOperation"));
    auto marking = context_.ports.ledger.mark_revoked(facts->sha256, "cessationOfOperation", context_.now());
    const auto marked = co_await std::move(marking);
    if (!marked) {  // the register would go on calling it live
        context_.ledger_failed(marked.error(), "noting a revocation");
        co_return false;
    }
    auto saving = save(request::Outcome(request::RevokedNow{}));
    co_return co_await std::move(saving);
}

}  // namespace connector::engine
