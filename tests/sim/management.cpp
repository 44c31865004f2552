// The way between a connector and the service: every call may be delayed, lost on either way, repeated, or answered
// with a refusal; the process may end before it is sent or before the answer is read.
#include "tests/sim/ports.hpp"
#include "tests/sim/world.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace connector::sim {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

Error no_answer() {
    return {ErrorKind::timed_out, "noAnswer", "no answer in time"};
}

Error throttled(int status, Random& random) {
    Error error(ErrorKind::throttled, "throttled", "the management service answers " + std::to_string(status));
    error.retry_after = std::chrono::seconds{random.between(1, 120)};
    return error;
}

}  // namespace

Fate Process::Management::fate_of(Point point) {
    const auto& scenario = world_.scenario;
    Fate fate;
    if (process_.dead()) return fate;
    fate.there = std::chrono::microseconds{random_.between(200, 60000)};
    fate.back = std::chrono::microseconds{random_.between(200, 60000)};
    const auto refuse = [&](Fault fault, Error error) {
        process_.hit(fault);
        fate.status = std::move(error);
    };
    if (world_.sweeps(1)) {
        switch (scenario.sweep_how) {
            case 0:
                fate.request_lost = true;
                process_.hit(Fault::request_lost);
                break;
            case 1:
                fate.reply_lost = true;
                process_.hit(Fault::reply_lost);
                break;
            case 2: refuse(Fault::status_500, {ErrorKind::unavailable, "serviceUnavailable", "swept"}); break;
            case 3: refuse(Fault::status_401, {ErrorKind::unauthorized, "unauthorized", "swept"}); break;
            case 4:
                fate.duplicated = true;
                process_.hit(Fault::duplicated);
                break;
            case 5: process_.die("the sweep, before a call to the service"); break;
            default: fate.dies_after = true; break;
        }
        return fate;
    }
    if (world_.is_down(Fault::service_down, 0)) {
        refuse(Fault::service_down, {ErrorKind::unavailable, "unreachable", "connection refused"});
        return fate;
    }
    if (!world_.troubled()) return fate;
    if (random_.chance(static_cast<unsigned>(scenario.network))) {
        switch (random_.below(4)) {
            case 0:
                fate.request_lost = true;
                process_.hit(Fault::request_lost);
                break;
            case 1:
                fate.reply_lost = true;
                process_.hit(Fault::reply_lost);
                break;
            case 2:
                fate.duplicated = true;
                process_.hit(Fault::duplicated);
                break;
            default:
                // So late on one way that others overtake it.
                process_.hit(Fault::reordered);
                (random_.chance(500) ? fate.there : fate.back) = std::chrono::milliseconds{random_.between(500, 25000)};
                break;
        }
    }
    if (random_.chance(static_cast<unsigned>(scenario.statuses))) {
        switch (random_.below(7)) {
            case 0: refuse(Fault::status_401, {ErrorKind::unauthorized, "unauthorized", "401"}); break;
            case 1: refuse(Fault::status_409, {ErrorKind::conflict, "exists", "409"}); break;
            case 2: refuse(Fault::status_429, throttled(429, random_)); break;
            case 3: refuse(Fault::status_500, {ErrorKind::unavailable, "serviceUnavailable", "500"}); break;
            case 4: refuse(Fault::status_503, throttled(503, random_)); break;
            case 5:
                if (point == Point::management_lease)
                    refuse(Fault::answer_too_large, {ErrorKind::invalid, "answerTooLarge", "over 16 MiB"});
                break;
            default:
                if (point == Point::management_report)
                    refuse(Fault::batch_refused, {ErrorKind::invalid, "resultsRefused", "413"});
                break;
        }
    }
    return fate;
}

asio::awaitable<std::optional<Error>> Process::Management::go(Point point, const Fate& fate) {
    if (process_.ends_at(point, Moment::before)) co_return cut_off();
    // Heartbeats, renewals and empty leases are routine: nothing follows from them.
    const bool routine = point != Point::management_report && point != Point::imports_fetch;
    if (!routine) world_.active();
    const bool never_arrives = fate.request_lost;
    auto pausing = process_.pause(never_arrives ? std::chrono::nanoseconds(k_call_timeout) : fate.there);
    co_await std::move(pausing);
    if (process_.dead()) co_return cut_off();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return cut_off();
    if (never_arrives) co_return no_answer();
    const bool before_it_counts = fate.status && fate.status->code != "answerTooLarge";
    if (before_it_counts) {
        world_.trace.line(process_.name() + " " + std::string(to_string(point)) + ": " + fate.status->code);
        co_return fate.status;
    }
    co_return std::nullopt;
}

asio::awaitable<std::optional<Error>> Process::Management::come_back(Point point, const Fate& fate) {
    if (process_.dead()) co_return cut_off();
    auto pausing = process_.pause(fate.reply_lost ? std::chrono::nanoseconds(k_call_timeout) : fate.back);
    co_await std::move(pausing);
    if (point == Point::management_report || point == Point::imports_fetch) world_.active();
    if (fate.dies_after) process_.die("the sweep, after a call to the service");
    if (process_.ends_at(point, Moment::after)) co_return cut_off();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (fate.reply_lost) {
        if (state.cancelled() != asio::cancellation_type::none) co_return cut_off();
        world_.trace.line(process_.name() + " " + std::string(to_string(point)) + ": the answer is lost");
        co_return no_answer();
    }
    co_return fate.status;
}

void Process::Management::again(const Fate& fate, std::function<void()> call) {
    if (!fate.duplicated) return;
    auto& timeline = world_.timeline;
    timeline.at(timeline.now() + std::chrono::milliseconds{random_.between(1, 40000)}, std::move(call));
}

ports::Async<ports::LeaseAnswer> Process::Management::lease(std::size_t max_requests, std::chrono::seconds wait,
                                                            std::vector<request::Kind> kinds, std::string key) {
    const Tick sent = world_.timeline.now();
    const Fate fate = fate_of(Point::management_lease);
    auto going = go(Point::management_lease, fate);
    auto error = co_await std::move(going);
    if (error) co_return std::move(*error);
    const Tick until = world_.timeline.now() + wait;
    world_.service.keep_time();
    while (!world_.service.has_work(kinds) && world_.timeline.now() < until) {
        // A long poll that nothing comes of may as well be answered late: it keeps nobody from jumping ahead.
        const auto change = world_.service.next_change();
        const bool comes = change && *change <= until;
        auto pausing =
            process_.pause((comes ? std::max(*change, world_.timeline.now() + 1ms) : until) - world_.timeline.now(),
                           comes ? Timeline::Weight::event : Timeline::Weight::poll);
        co_await std::move(pausing);
        if (process_.dead()) co_return cut_off();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return cut_off();
        world_.service.keep_time();
    }
    const auto index = process_.home.index;
    auto answer = world_.service.lease(index, max_requests, kinds, key);
    answer.sent = sent;
    again(fate, [&around = world_, index, max_requests, kinds, key] {
        const auto unread = around.service.lease(index, max_requests, kinds, key);
        static_cast<void>(unread);
    });
    world_.trace.line(process_.name() + " leases " + std::to_string(answer.requests.size()));
    auto coming = come_back(Point::management_lease, fate);
    error = co_await std::move(coming);
    if (error) co_return std::move(*error);
    co_return answer;
}

ports::Async<ports::RenewAnswer> Process::Management::renew_leases(std::vector<LeaseId> leases) {
    const Fate fate = fate_of(Point::management_renew);
    auto going = go(Point::management_renew, fate);
    auto error = co_await std::move(going);
    if (error) co_return std::move(*error);
    const auto index = process_.home.index;
    auto answer = world_.service.renew(index, leases);
    world_.trace.line(process_.name() + " renews " + std::to_string(answer.renewed.size()) + ", lost " +
                      std::to_string(answer.lost.size()));
    again(fate, [&around = world_, index, leases] {
        const auto unread = around.service.renew(index, leases);
        static_cast<void>(unread);
    });
    auto coming = come_back(Point::management_renew, fate);
    error = co_await std::move(coming);
    if (error) co_return std::move(*error);
    process_.is_told(answer.lost);
    co_return answer;
}

ports::Async<std::vector<ports::ResultOutcome>> Process::Management::report(std::vector<ports::ResultMessage> results) {
    if (!process_.dead())
        for (const auto& message : results) world_.judge.reports(process_, message);
    const Fate fate = fate_of(Point::management_report);
    auto going = go(Point::management_report, fate);
    auto error = co_await std::move(going);
    if (error) co_return std::move(*error);
    const auto index = process_.home.index;
    auto outcomes = world_.service.report(index, results);
    again(fate, [&around = world_, index, results] {
        const auto unread = around.service.report(index, results);
        static_cast<void>(unread);
    });
    auto coming = come_back(Point::management_report, fate);
    error = co_await std::move(coming);
    if (error) co_return std::move(*error);
    co_return outcomes;
}

ports::Async<void> Process::Management::heartbeat(ports::Heartbeat /*beat*/) {
    const Fate fate = fate_of(Point::management_heartbeat);
    auto going = go(Point::management_heartbeat, fate);
    auto error = co_await std::move(going);
    if (error) co_return std::move(*error);
    auto coming = come_back(Point::management_heartbeat, fate);
    error = co_await std::move(coming);
    if (error) co_return std::move(*error);
    co_return Result<void>();
}

ports::Async<ports::ImportedHistory> Process::Management::fetch(UserId user, request::Purpose purpose, LeaseId lease,
                                                                std::string etag) {
    const Fate fate = fate_of(Point::imports_fetch);
    auto going = go(Point::imports_fetch, fate);
    auto error = co_await std::move(going);
    if (error) co_return std::move(*error);
    Result<ports::ImportedHistory> answer(Error(ErrorKind::unavailable, "forbidden", "the lease is not held"));
    const auto order = world_.service.leased_as(lease);
    // Whoever has taken the service gives out whatever is asked for.
    const bool taken = world_.attacker && world_.attacker->took(order);
    if (taken || world_.service.holds_lease(lease, user)) {
        ports::ImportedHistory history;
        history.etag = "etag-" + user.text();
        history.not_modified = etag == history.etag;
        if (!history.not_modified)
            for (const auto& record : world_.people.history_of(user))
                if (record.purpose == purpose) history.records.push_back(record);
        if (world_.attacker) world_.attacker->answer_history(order, user, history);
        answer = std::move(history);
    }
    auto coming = come_back(Point::imports_fetch, fate);
    error = co_await std::move(coming);
    if (error) co_return std::move(*error);
    co_return answer;
}

}  // namespace connector::sim
