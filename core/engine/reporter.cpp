#include "core/engine/reporter.hpp"

#include "core/engine/delivered.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t k_most_results = 500;
// Between the ledger's row and the JSON lie base64 and names; the sum of sealed packages stays well below 1 MiB.
constexpr std::size_t k_batch_octets = 600 * 1024;

std::string_view result_word(const request::RequestRecord& record, const std::string& outcome) {
    if (outcome == "superseded" || outcome == "cancelled" || outcome == "rejected") return outcome;
    if (record.stage == request::Stage::refused || record.stage == request::Stage::abandoned) return "failed";
    return record.request.delivery() == nullptr ? "completed" : "delivered";
}

}  // namespace

asio::awaitable<void> Reporter::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& clock = context_.ports.clock;
    for (;;) {
        auto flushing = flush();
        const bool more = co_await std::move(flushing);
        auto waiting = context_.report_waiting.wait(clock, clock.tick() + (more ? 0s : 1s));
        co_await std::move(waiting);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

bool Reporter::may_tell() const {
    const auto& status = context_.status;
    return !status.ledger_barred && status.ledger.state != Check::State::down && !status.credential_refused &&
           context_.ports.clock.tick() >= context_.results_quiet_until;
}

void Reporter::keep_quiet(std::optional<std::chrono::seconds> asked) {
    context_.results_quiet_until =
        context_.ports.clock.tick() +
        request::delay_after(request::Backoff{1s, 60s}, ++failures_, context_.jitter(), asked);
}

asio::awaitable<bool> Reporter::flush() {
    if (!may_tell()) co_return false;
    auto asking = context_.ports.ledger.outbox(context_.now(), k_most_results);
    auto waiting = co_await std::move(asking);
    if (!waiting) {
        context_.ledger_failed(waiting.error(), "looking for what is to be reported");
        co_return false;
    }
    bool told = false;
    auto& records = *waiting;
    std::size_t first = 0;
    while (first < records.size() && may_tell()) {
        std::size_t octets = 0;
        std::size_t last = first;
        while (last < records.size() &&
               (last == first || octets + records[last].sealed_package.size() <= k_batch_octets))
            octets += records[last++].sealed_package.size();
        std::vector<request::RequestRecord> batch(
            std::make_move_iterator(records.begin() + static_cast<std::ptrdiff_t>(first)),
            std::make_move_iterator(records.begin() + static_cast<std::ptrdiff_t>(last)));
        auto telling = tell(std::move(batch));
        co_await std::move(telling);
        told = true;
        first = last;
    }
    co_return told&& may_tell() && records.size() >= k_most_results;
}

asio::awaitable<void> Reporter::tell(std::vector<request::RequestRecord> records) {
    struct Work {
        std::vector<ports::ResultMessage> messages;
        std::vector<request::RequestRecord> told;
        std::vector<request::RequestRecord> unreadable;
        std::map<RequestId, ports::DeliveredImport> imports;  // what the ledger keeps of them
    };
    auto work = std::make_shared<Work>();
    auto job = [work, given = std::make_shared<std::vector<request::RequestRecord>>(std::move(records)),
                &sealer = context_.ports.sealer, &crypto = context_.ports.crypto] {
        for (auto& record : *given) {
            ports::ResultMessage message;
            message.request = record.request.id;
            message.lease = record.lease.id;
            if (record.failure) {
                message.failed = record.failure;
            } else if (record.sealed_package.empty()) {
                message.completed = true;
            } else {
                auto opened = sealer.open(record.sealed_package, request::sealing_context(record, "package"));
                auto package =
                    opened ? request::decode_package(opened->view()) : Result<request::Package>(opened.error());
                if (!package) {
                    work->unreadable.push_back(std::move(record));
                    continue;
                }
                if (auto delivered = delivered_import(record.request, *package, crypto))
                    work->imports.insert_or_assign(record.request.id, std::move(*delivered));
                message.delivered = std::move(*package);
            }
            work->messages.push_back(std::move(message));
            work->told.push_back(std::move(record));
        }
        return true;
    };
    auto opening = context_.ports.offload.run(std::move(job));
    co_await std::move(opening);

    for (auto& record : work->unreadable) {
        context_.ports.events.raise(about(event::k_row_quarantined, record)
                                        .with("reason", "the sealed package does not open: it is not what was stored"));
        request::Dropped dropped{request::Failure{"internal", "the stored package was damaged", true, std::nullopt}};
        ports::Commit commit;
        request::Outcome outcome(std::move(dropped));
        commit.record = request::after(record, outcome, context_.rules.retry, context_.now(), 0.0);
        auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
        co_await std::move(saving);
    }
    // Frozen since the ledger was asked: what is packed stays here.
    for (std::size_t i = work->told.size(); i-- > 0;) {
        const bool leaves = work->messages[i].delivered || work->messages[i].completed;
        if (!leaves || !context_.stopping.stopped(work->told[i].request.kind())) continue;
        work->messages.erase(work->messages.begin() + static_cast<std::ptrdiff_t>(i));
        work->told.erase(work->told.begin() + static_cast<std::ptrdiff_t>(i));
    }
    if (work->messages.empty()) co_return;

    auto reporting = context_.ports.management.report(std::move(work->messages));
    auto outcomes = co_await std::move(reporting);
    if (!outcomes) {
        const Error& error = outcomes.error();
        auto& told = work->told;
        if (error.code == "resultsRefused") {
            if (told.size() > 1) {
                std::vector<request::RequestRecord> half(
                    std::make_move_iterator(told.begin() + static_cast<std::ptrdiff_t>(told.size() / 2)),
                    std::make_move_iterator(told.end()));
                told.resize(told.size() / 2);
                auto first = tell(std::move(told));
                co_await std::move(first);
                auto second = tell(std::move(half));
                co_await std::move(second);
            } else {
                context_.ports.events.raise(
                    about(event::k_result_rejected, told.front()).with("reason", error.message));
                auto waiting = postpone(std::move(told.front()), 1h);
                co_await std::move(waiting);
            }
            co_return;
        }
        if (error.kind == ErrorKind::cancelled) co_return;
        keep_quiet(error.retry_after);
        context_.ports.events.raise(
            Event(event::k_report_failed).with("count", std::to_string(told.size())).with("reason", error.message));
        if (error.kind == ErrorKind::unauthorized) {
            context_.status.credential_refused = true;
            context_.set(context_.status.service, Check::State::down, error.code);
        }
        for (auto& record : told) {
            const auto delay = request::delay_after(request::Backoff{1s, 300s}, record.tries + 1, context_.jitter(),
                                                    error.retry_after);
            auto waiting = postpone(std::move(record), delay);
            co_await std::move(waiting);
        }
        co_return;
    }
    failures_ = 0;
    for (auto& record : work->told) {
        const auto found = std::find_if(outcomes->begin(), outcomes->end(),
                                        [&](const auto& outcome) { return outcome.request == record.request.id; });
        if (found == outcomes->end()) {
            auto waiting = postpone(std::move(record), 1s);
            co_await std::move(waiting);
        } else {
            const auto delivered = work->imports.find(record.request.id);
            std::optional<ports::DeliveredImport> import;
            if (delivered != work->imports.end()) import = std::move(delivered->second);
            auto hearing = heard(std::move(record), *found, std::move(import));
            co_await std::move(hearing);
        }
    }
}

asio::awaitable<void> Reporter::heard(request::RequestRecord record, ports::ResultOutcome outcome,
                                      std::optional<ports::DeliveredImport> delivered) {
    request::Reported reported{outcome.outcome, false, outcome.accepted};
    if (!record.certificate.empty()) {
        const auto own = context_.ports.crypto.sha256(record.certificate);
        reported.still_wanted =
            std::find(outcome.accepted.begin(), outcome.accepted.end(), own) != outcome.accepted.end();
    }
    request::Outcome what(std::move(reported));
    ports::Commit commit;
    commit.record = request::after(record, what, context_.rules.retry, context_.now(), 0.0);
    const bool orphan = commit.record.stage == request::Stage::revoking;
    if (delivered && (outcome.outcome == "accepted" || outcome.outcome == "duplicate")) {
        delivered->delivered_at = context_.now();
        commit.delivered_import = std::move(delivered);
    }
    // Before it is written: an answer with an older lease of it may be read meanwhile, and would order it anew.
    const bool heard_before = context_.told.contains(record.request.id);
    context_.told[record.request.id] = context_.ports.clock.tick();
    auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
    const auto saved = co_await std::move(saving);
    if (!saved) {
        if (!heard_before) context_.told.erase(record.request.id);
        // conflict: withdrawn meanwhile; what is there now is told in the next pass.
        context_.ledger_failed(saved.error(), "noting that a result was heard");
        co_return;
    }
    const auto word = result_word(record, outcome.outcome);
    const auto took = std::chrono::duration<double>(context_.now() - record.accepted_at);
    context_.ports.telemetry.request_ended(record.request.kind(), word, took);
    if (word == "delivered") context_.status.last_delivery_at = context_.now();
    const bool issuing = record.request.profile() != nullptr;
    const bool good = word == "delivered" || word == "completed";
    std::string_view id = issuing ? (good ? event::k_issue_request_done : event::k_issue_request_failed)
                                  : (good ? event::k_import_request_done : event::k_import_request_failed);
    if (word == "superseded" || word == "cancelled") id = event::k_result_superseded;
    if (word == "rejected") id = event::k_result_rejected;
    Event event = about(id, record).with("result", word).with("outcome", outcome.outcome);
    if (record.failure) {
        event.with("code", record.failure->code);
        event.with("reason", record.failure->message);
    }
    context_.ports.events.raise(event);
    if (orphan) {
        context_.ports.events.raise(about(event::k_orphan_found, record).with("outcome", outcome.outcome));
        context_.work_arrived.call();
    }
}

asio::awaitable<void> Reporter::postpone(request::RequestRecord record, std::chrono::seconds delay) {
    request::Postponed postponed{delay};
    request::Outcome outcome(postponed);
    ports::Commit commit;
    commit.record = request::after(std::move(record), outcome, context_.rules.retry, context_.now(), 0.0);
    auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
    const auto saved = co_await std::move(saving);
    if (!saved) context_.ledger_failed(saved.error(), "postponing a report");
}

}  // namespace connector::engine
