#include "core/engine/poller.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

bool asked_for(request::Kind kind, const std::vector<request::Kind>& kinds) noexcept {
    return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

// A service that gives out what was not asked for: nobody here would work it, and its lease would be renewed for ever.
ports::UnreadableRequest not_asked_for(const ports::LeasedRequest& leased) {
    const std::string kind(request::to_string(leased.request.kind()));
    return {leased.request.id,
            leased.lease.id,
            {"unsupported", "/kind: " + kind + " was not asked for; [connector] kinds does not list it", false, {}}};
}

}  // namespace

std::size_t Poller::open_here() const {
    std::size_t open = 0;
    for (const auto& [stage, count] : context_.status.counts.by_stage) open += count;
    return open;
}

bool Poller::may_lease() {
    auto& status = context_.status;
    if (!context_.leasing_allowed()) return false;
    const auto open = open_here();
    const auto most = context_.rules.max_pending;
    if (!status.leasing_paused && open >= most) {
        status.leasing_paused = true;
        context_.ports.events.raise(Event(event::k_leasing_paused).with("pending", std::to_string(open)));
        context_.state_changed.call();
    } else if (status.leasing_paused && open * 5 <= most * 4) {
        status.leasing_paused = false;
        context_.ports.events.raise(Event(event::k_leasing_resumed).with("pending", std::to_string(open)));
        context_.state_changed.call();
    }
    return !status.leasing_paused;
}

asio::awaitable<void> Poller::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& clock = context_.ports.clock;
    constexpr std::size_t k_key_size = 16;
    most_ = context_.rules.batch;
    while (!context_.status.draining) {
        if (!may_lease()) {
            co_await clock.wait_until(clock.tick() + 1s);
            const auto state = co_await asio::this_coro::cancellation_state;
            if (state.cancelled() != asio::cancellation_type::none) co_return;
            continue;
        }
        if (key_.empty()) {
            key_ = to_hex(context_.ports.crypto.random(k_key_size));
            first_sent_ = clock.tick();
            // No more than there is room for. Kept with the key: a call that is repeated is the same call.
            asked_ = std::min(most_, context_.rules.max_pending - open_here());
            std::erase_if(context_.told, [this](const auto& entry) { return entry.second < first_sent_; });
        }
        const auto asked = context_.rules.kinds;
        auto kinds = context_.stopping.going(asked);
        auto leasing = context_.ports.management.lease(asked_, context_.rules.poll_wait, std::move(kinds), key_);
        auto answer = co_await std::move(leasing);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (answer) {
            // Taken even while stopping: it is ours now.
            auto taking = take(std::move(*answer), asked);
            co_await std::move(taking);
        } else if (answer.error().kind != ErrorKind::cancelled && state.cancelled() == asio::cancellation_type::none) {
            auto refusing = refused(answer.error());
            co_await std::move(refusing);
        }
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

asio::awaitable<void> Poller::take(ports::LeaseAnswer answer, std::vector<request::Kind> asked) {
    auto& status = context_.status;
    auto& events = context_.ports.events;
    const auto now = context_.now();
    context_.clock_watch.compare(answer.date, now);
    std::vector<ports::LeasedRequest> batch;
    std::vector<ports::UnreadableRequest> unreadable;
    for (auto& element : answer.requests) {
        if (auto* leased = std::get_if<ports::LeasedRequest>(&element)) {
            // Given out before the service took our result, and over meanwhile. An order made anew under this id comes
            // again once this lease has run out.
            if (context_.told.contains(leased->request.id)) continue;
            if (!asked_for(leased->request.kind(), asked)) {
                unreadable.push_back(not_asked_for(*leased));
                continue;
            }
            batch.push_back(std::move(*leased));
        } else {
            unreadable.push_back(std::move(std::get<ports::UnreadableRequest>(element)));
        }
    }
    if (answer.skipped != 0)
        events.raise(Event(event::k_element_skipped).with("count", std::to_string(answer.skipped)));
    const std::vector<ports::LeasedRequest> leased = batch;
    std::vector<ports::Intake> intake;
    if (!batch.empty()) {
        auto accepting = context_.ports.ledger.accept(std::move(batch), now);
        auto accepted = co_await std::move(accepting);
        if (!accepted) {
            // The key is kept: once the ledger is back, the same call brings the same requests.
            context_.ledger_failed(accepted.error(), "accepting leased requests");
            co_await context_.ports.clock.wait_until(context_.ports.clock.tick() + 5s);
            co_return;
        }
        intake = std::move(*accepted);
        context_.ledger_works();
        // The housekeeper counts anew each second; until then the high-water mark must not be run over.
        status.counts.by_stage[request::Stage::accepted] +=
            static_cast<std::uint64_t>(std::count(intake.begin(), intake.end(), ports::Intake::created));
    }
    for (std::size_t i = 0; i < leased.size(); ++i) {
        const auto& one = leased[i];
        if (intake[i] == ports::Intake::order_changed) {
            events.raise(Event(event::k_order_changed)
                             .with("request", one.request.id.text())
                             .with("user", one.request.user.user_principal_name)
                             .with("device", one.request.device.id.text()));
            context_.ports.telemetry.refused("invalidRequest");
            auto charge = request::refusal_charge(context_.rules.limits, one.request.id.text());
            auto counting = context_.ports.ledger.count(std::move(charge), now);
            co_await std::move(counting);
            request::Failure changed{
                "invalidRequest", "/id: orderChanged: this id is open here under another order", false, {}};
            auto telling = tell(one.request.id, one.lease.id, std::move(changed));
            co_await std::move(telling);
            continue;
        }
        leases_.note(one.lease.id, one.request.id, lease_end(one.lease.expires_at, answer.date, now, answer.sent),
                     context_.ports.clock.tick());
    }
    for (auto& one : unreadable) {
        events.raise(Event(event::k_request_unreadable)
                         .with("request", one.id.text())
                         .with("code", one.failure.code)
                         .with("reason", one.failure.message));
        auto noting = context_.ports.ledger.accept_unreadable(one.id, one.lease, one.failure, now);
        const auto noted = co_await std::move(noting);
        if (!noted && noted.error().kind == ErrorKind::conflict) {
            // Open here as an order that could be read: that one stays as it is.
            events.raise(
                Event(event::k_order_changed).with("request", one.id.text()).with("reason", one.failure.message));
            auto telling = tell(one.id, one.lease, one.failure);
            co_await std::move(telling);
        } else if (!noted) {
            context_.ledger_failed(noted.error(), "noting an unreadable request");
        }
        context_.report_waiting.call();
    }
    if (!leased.empty()) {
        events.raise(Event(event::k_leased).with("count", std::to_string(leased.size())));
        context_.work_arrived.call();
    }
    status.last_lease_at = now;
    context_.lease_watch.answered();
    if (status.lease_calls.state == Check::State::down) context_.answered(status.lease_calls);
    key_.clear();
    failures_ = 0;
    most_ = std::min(context_.rules.batch, most_ * 2);
}

// Answers a lease of an id that is open under another order, which is not touched. Lost, it is answered when leased
// again.
asio::awaitable<void> Poller::tell(RequestId id, LeaseId lease, request::Failure failure) {
    ports::ResultMessage told;
    told.request = std::move(id);
    told.lease = std::move(lease);
    told.failed = std::move(failure);
    std::vector<ports::ResultMessage> results;
    results.push_back(std::move(told));
    auto reporting = context_.ports.management.report(std::move(results));
    const auto heard = co_await std::move(reporting);
    if (!heard)
        context_.ports.events.raise(
            Event(event::k_report_failed).with("count", "1").with("reason", heard.error().message));
}

asio::awaitable<void> Poller::refused(Error error) {
    auto& events = context_.ports.events;
    auto& clock = context_.ports.clock;
    ++failures_;
    if (error.code == "answerTooLarge" && asked_ > 1) {
        most_ = asked_ / 2;
        key_.clear();
        events.raise(Event(event::k_answer_unreadable).with("reason", error.message));
        co_return;
    }
    std::string_view id = event::k_lease_failed;
    if (error.kind == ErrorKind::unauthorized) id = event::k_unauthorized;
    if (error.kind == ErrorKind::throttled) id = event::k_throttled;
    if (error.kind == ErrorKind::invalid) id = event::k_answer_unreadable;
    events.raise(Event(id).with("code", error.code).with("reason", error.message));
    // Throttling is the service speaking; everything else means that it cannot be worked with.
    if (error.kind != ErrorKind::throttled) context_.set(context_.status.lease_calls, Check::State::down, error.code);
    if (error.kind == ErrorKind::unauthorized) {
        context_.status.credential_refused = true;
        context_.state_changed.call();  // a heartbeat asks at once whether it holds
    }
    // A key that the service would answer the same way for ever is of no use.
    constexpr std::uint32_t k_most_repeats = 8;
    if (failures_ % k_most_repeats == 0) key_.clear();
    const auto pause = request::delay_after(request::Backoff{1s, 60s}, failures_, context_.jitter(), error.retry_after);
    co_await clock.wait_until(clock.tick() + pause);
}

}  // namespace connector::engine
