// The order at the authority: sent, looked for, polled, answered; and the place there that each of these takes.
#include "core/engine/order.hpp"

#include "core/engine/worker.hpp"

#include "core/request/orphan.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;

ports::Submission submission_of(const request::RequestRecord& record) {
    ports::Submission submission;
    submission.csr = record.csr;
    submission.nonce = record.submission_nonce;
    submission.template_alias = record.request.profile()->template_alias;
    submission.validity_days = record.request.profile()->validity_days.value_or(0);
    return submission;
}

ports::IssuedCertificate registered(const std::string& authority, const CertificateFacts& leaf,
                                    const request::RequestRecord& record, UtcTime now) {
    ports::IssuedCertificate entry;
    entry.authority = authority;
    entry.issuer = to_text(leaf.issuer);
    entry.serial_number = leaf.serial_number;
    entry.sha256 = leaf.sha256;
    entry.spki_sha256 = leaf.key.spki_sha256;
    entry.user = record.request.user.id;
    entry.device = record.request.device.id;
    entry.request = request::order_of(record);
    entry.issued_at = now;
    entry.not_after = leaf.not_after;
    return entry;
}

Error no_longer_configured(const request::RequestRecord& record) {
    return {ErrorKind::misconfigured, "authorityMisconfigured",
            "/profile/authority: no longer configured: " + record.request.profile()->authority};
}

ports::Authority* Worker::authority() const {
    const auto found = context_.ports.authorities.find(record_.request.profile()->authority);
    return found == context_.ports.authorities.end() ? nullptr : found->second;
}

Worker::Going Worker::submit(bool again) {
    auto* issuer = authority();
    if (issuer == nullptr) {
        auto failing = fail(no_longer_configured(record_), {}, again);
        co_return co_await std::move(failing);
    }
    auto entering = enter(issuer->name(), !again);
    const bool entered = co_await std::move(entering);
    if (!entered) co_return false;
    const auto lost = [&] { return context_.status.lease_lost.contains(record_.request.id); };
    if (lost()) {
        auto leaving = leave_unsent(issuer->name(), std::chrono::seconds{1}, !again);
        co_return co_await std::move(leaving);
    }
    auto& breaker = context_.breaker(issuer->name());
    if (record_.stage != request::Stage::submitting) {
        auto saving = save(request::Outcome(request::SubmissionBegins{}));
        const bool begun = co_await std::move(saving);
        if (!begun) {
            breaker.left();
            co_return false;
        }
    }
    // Between the writing down, which may take a disk's time, and the sending. After a thaw it is sent as it is.
    if (lost() || stopped()) {
        auto leaving = leave_unsent(issuer->name(), std::chrono::seconds{lost() ? 1 : 0}, !again);
        co_return co_await std::move(leaving);
    }
    if (again) context_.ports.events.raise(about(event::k_possible_duplicate, record_));
    unsent_ = false;
    auto submission = submission_of(record_);
    auto submitting = issuer->submit(std::move(submission));
    auto answer = co_await std::move(submitting);
    note_unknown(answer);
    auto answering = answered(std::move(answer), again);
    co_return co_await std::move(answering);
}

// A place at the authority. A busy one is waited for a moment, a place is soon free; for a dead one the request is put
// off.
Worker::Going Worker::enter(std::string_view name, bool never_sent) {
    using namespace std::chrono_literals;
    constexpr auto k_longest_look = 500ms;
    auto& clock = context_.ports.clock;
    auto& breaker = context_.breaker(name);
    const Tick latest = clock.tick() + 60s;
    Tick::duration between = 20ms;
    auto wait = breaker.enter(clock.tick());
    const bool waits = wait.has_value();
    while (wait && breaker.state() != Breaker::State::down && !context_.status.draining && clock.tick() < latest) {
        co_await clock.wait_until(clock.tick() + between);
        between = std::min<Tick::duration>(between * 2, k_longest_look);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return false;
        wait = breaker.enter(clock.tick());
    }
    if (!wait && waits) {
        // Withdrawn, abandoned or taken back while it waited: then nothing may be sent any more.
        auto reading = context_.ports.ledger.get(record_.request.id);
        const auto there = co_await std::move(reading);
        if (!there) context_.ledger_failed(there.error(), "looking at a request that waited for its authority");
        const bool ours = there && *there && (*there)->version == record_.version;
        if (!ours) breaker.left();
        co_return ours;
    }
    if (!wait) co_return true;
    request::Postponed postponed{context_.status.draining ? 0s : *wait, never_sent};
    request::Outcome outcome(postponed);
    auto saving = save(std::move(outcome));
    co_await std::move(saving);
    co_return false;
}

// It gives its place back, and stands where it stood before it was to be sent.
Worker::Going Worker::leave_unsent(const std::string& name, std::chrono::seconds delay, bool never_sent) {
    context_.breaker(name).left();
    request::Postponed postponed{delay, never_sent};
    request::Outcome outcome(postponed);
    auto saving = save(std::move(outcome));
    co_await std::move(saving);
    co_return false;
}

// Stopped while it waited for its place, which it gives back.
bool Worker::left_stopped(const std::string& name) {
    if (!stopped()) return false;
    context_.breaker(name).left();
    return true;
}

Worker::Going Worker::find() {
    auto* issuer = authority();
    if (issuer == nullptr || !issuer->traits().finds) {
        // The same CSR again is the best that can be done.
        auto submitting = submit(true);
        co_return co_await std::move(submitting);
    }
    auto entering = enter(issuer->name());
    const bool entered = co_await std::move(entering);
    if (!entered || left_stopped(issuer->name())) co_return false;
    auto submission = submission_of(record_);
    auto finding = issuer->find(std::move(submission));
    auto found = co_await std::move(finding);
    if (found && !*found) {
        came_back(issuer->name(), std::nullopt);
        auto saving = save(request::Outcome(request::NeverArrived{}));
        co_return co_await std::move(saving);
    }
    // Not knowing is not "it never arrived": the record stays `submitting` and is looked for again. A no is known.
    const auto not_found = [&found] {
        const Error& error = found.error();
        return error.kind == ErrorKind::refused ? error : Error(ErrorKind::unknown, error.code, error.message);
    };
    Result<ports::AuthorityAnswer> answer =
        found ? Result<ports::AuthorityAnswer>(std::move(**found)) : Result<ports::AuthorityAnswer>(not_found());
    if (found) context_.ports.events.raise(about(event::k_submission_found, record_).with("authority", issuer->name()));
    auto answering = answered(std::move(answer));
    co_return co_await std::move(answering);
}

Worker::Going Worker::poll() {
    auto* issuer = authority();
    if (issuer == nullptr) {
        auto failing = fail(no_longer_configured(record_), {}, true);
        co_return co_await std::move(failing);
    }
    auto entering = enter(issuer->name());
    const bool entered = co_await std::move(entering);
    if (!entered || left_stopped(issuer->name())) co_return false;
    if (issuer->traits().polls_by_repeating) {  // an order like the first, so its intent is durable like the first's
        auto saving = save(request::Outcome(request::SubmissionBegins{}));
        const bool begun = co_await std::move(saving);
        if (!begun) {
            context_.breaker(issuer->name()).left();
            co_return false;
        }
        if (stopped()) {
            auto leaving = leave_unsent(issuer->name(), std::chrono::seconds{0}, true);
            co_return co_await std::move(leaving);
        }
    }
    auto polling = issuer->poll(record_.authority_request_id);
    auto answer = co_await std::move(polling);
    note_unknown(answer);
    auto answering = answered(std::move(answer));
    co_return co_await std::move(answering);
}

// Once for each order that was sent; not for each look for it.
void Worker::note_unknown(const Result<ports::AuthorityAnswer>& answer) {
    if (answer || answer.error().kind != ErrorKind::unknown) return;
    context_.ports.events.raise(about(event::k_submission_unknown, record_)
                                    .with("authority", record_.request.profile()->authority)
                                    .with("reason", answer.error().message));
}

void Worker::came_back(const std::string& name, const std::optional<Error>& error) {
    auto& breaker = context_.breaker(name);
    const auto tell = [&](std::string_view id) {
        Event event(id);
        event.with("authority", name);
        if (error && id != event::k_authority_up) event.with("reason", error->message);
        context_.ports.events.raise(event);
        context_.state_changed.call();
    };
    const bool reached = !error || error->kind == ErrorKind::refused || error->kind == ErrorKind::invalid;
    if (reached) {
        if (breaker.succeeded(context_.now())) tell(event::k_authority_up);
    } else if (error->kind == ErrorKind::cancelled || error->kind == ErrorKind::misconfigured) {
        breaker.left();  // a template that is wrong for one order says nothing of the others
    } else if (error->kind == ErrorKind::unauthorized) {
        if (breaker.park(context_.ports.clock.tick(), context_.now(), context_.rules.retry.credential_probe))
            tell(event::k_authority_refused_us);
    } else {
        // Only these two speak for the authority as a whole; any other may be about this order.
        const bool whole = error->kind == ErrorKind::throttled || error->kind == ErrorKind::unavailable;
        const auto asked = whole ? error->retry_after : std::nullopt;
        if (breaker.failed(context_.ports.clock.tick(), context_.now(), asked)) tell(event::k_authority_down);
    }
}

Worker::Going Worker::answered(Result<ports::AuthorityAnswer> answer, bool may_be_there) {
    const std::string name = record_.request.profile()->authority;
    auto& telemetry = context_.ports.telemetry;
    came_back(name, answer ? std::nullopt : std::optional<Error>(answer.error()));
    if (!answer) {
        const auto kind = answer.error().kind;
        telemetry.authority_request(name, to_string(kind));
        // No certificate came, and yet it says that it issued one.
        const bool spoiled = answer.error().code == "certificateMismatch";
        if (kind == ErrorKind::refused || kind == ErrorKind::invalid)
            context_.ports.events.raise(
                about(spoiled ? event::k_certificate_mismatch : event::k_authority_rejected, record_)
                    .with("authority", name)
                    .with("reason", answer.error().message));
        Error error = answer.error();
        if (error.kind == ErrorKind::unavailable || error.kind == ErrorKind::timed_out ||
            error.kind == ErrorKind::unknown)
            error.code = "authorityUnreachable";
        if (error.kind == ErrorKind::unauthorized || error.kind == ErrorKind::misconfigured)
            error.code = "authorityMisconfigured";
        auto failing = fail(std::move(error), {}, may_be_there || spoiled);
        co_return co_await std::move(failing);
    }
    if (auto* pending = std::get_if<ports::PendingAnswer>(&*answer)) {
        telemetry.authority_request(name, "pending");
        request::TakenByAuthority taken{std::move(pending->authority_request_id), pending->retry_after};
        context_.ports.events.raise(about(event::k_issue_pending, record_).with("authority", name));
        request::Outcome outcome(std::move(taken));
        auto saving = save(std::move(outcome));
        co_return co_await std::move(saving);
    }
    telemetry.authority_request(name, "issued");
    auto& issued = std::get<ports::IssuedAnswer>(*answer);
    // In memory only: the commit that follows holds certificate, package and the key's end in one.
    request::IssuedHere here{std::move(issued.certificate), std::move(issued.chain)};
    const auto stored = record_;
    record_ = request::after(std::move(record_), request::Outcome(std::move(here)), context_.rules.retry,
                             context_.now(), 0.0);
    unsaved_ = true;
    auto packing = pack();
    const bool going = co_await std::move(packing);
    unsaved_ = false;
    if (record_.version == stored.version) {
        auto keeping = keep_issued(stored);
        co_await std::move(keeping);
    }
    co_return going;
}

}  // namespace connector::engine
