// The way between a connector and an authority. Kinds as ports/authority.hpp states them: what cannot have arrived is
// unavailable, what may have arrived is unknown.
#include "tests/sim/ports.hpp"
#include "tests/sim/world.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace connector::sim {

namespace asio = boost::asio;
using namespace std::chrono_literals;

namespace {

// Given up on the way: it may arrive.
Error given_up(bool orders) {
    return {orders ? ErrorKind::unknown : ErrorKind::cancelled, "cancelled", "we are stopping"};
}

}  // namespace

ports::AuthorityTraits Process::AuthorityPort::traits() const {
    ports::AuthorityTraits traits;
    traits.finds = authority_.options().finds;
    traits.revokes = authority_.options().revokes;
    traits.polls_by_repeating = authority_.options().repeats;
    traits.anchors = {authority_.certificate()};
    return traits;
}

UtcTime Process::AuthorityPort::utc() const {
    return world_.utc(world_.timeline.now());
}

Fate Process::AuthorityPort::fate_of(bool submits) {
    const auto& scenario = world_.scenario;
    Fate fate;
    if (process_.dead()) return fate;
    fate.there = std::chrono::microseconds{random_.between(500, 200000)};
    fate.back = std::chrono::microseconds{random_.between(500, 200000)};
    const auto refuse = [&](Fault fault, Error error) {
        process_.hit(fault);
        fate.status = std::move(error);
    };
    const auto lose_request = [&] {
        process_.hit(Fault::authority_request_lost);
        fate.request_lost = true;
    };
    const auto lose_reply = [&] {
        process_.hit(submits ? Fault::authority_reply_lost : Fault::reply_lost);
        fate.reply_lost = true;
    };
    if (world_.sweeps(2)) {
        switch (scenario.sweep_how) {
            case 0: lose_request(); break;
            case 1: lose_reply(); break;
            case 2: refuse(Fault::authority_down, {ErrorKind::unavailable, "unreachable", "swept"}); break;
            case 3: refuse(Fault::authority_unauthorized, {ErrorKind::unauthorized, "unauthorized", "swept"}); break;
            case 4: process_.die("the sweep, before a call to the authority"); break;
            default: fate.dies_after = true; break;
        }
        return fate;
    }
    if (world_.is_down(Fault::authority_down, index_)) {
        refuse(Fault::authority_down, {ErrorKind::unavailable, "unreachable", "connection refused"});
        return fate;
    }
    if (scenario.crowd != 0) fate.there = std::chrono::milliseconds{random_.between(500, 20000)};
    if (!world_.troubled() || !random_.chance(static_cast<unsigned>(scenario.authority_faults))) return fate;
    switch (random_.below(6)) {
        case 0: lose_request(); break;
        case 1:
        case 2: lose_reply(); break;
        case 3:
            process_.hit(Fault::authority_slow);
            fate.there = std::chrono::milliseconds{random_.between(1000, 120000)};
            break;
        case 4:
            refuse(Fault::authority_unauthorized,
                   {ErrorKind::unauthorized, "unauthorized", "its credential is refused"});
            break;
        default: refuse(Fault::authority_down, {ErrorKind::unavailable, "unreachable", "connection refused"}); break;
    }
    return fate;
}

bool Process::AuthorityPort::orders(Point point) const {
    return point == Point::authority_submit || (point == Point::authority_poll && authority_.options().repeats);
}

asio::awaitable<std::optional<Error>> Process::AuthorityPort::go(Point point, const Fate& fate) {
    if (process_.ends_at(point, Moment::before)) co_return cut_off();
    world_.active();
    auto pausing = process_.pause(fate.request_lost ? std::chrono::nanoseconds(k_call_timeout) : fate.there);
    co_await std::move(pausing);
    world_.active();
    if (process_.dead()) co_return cut_off();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return given_up(orders(point));
    if (fate.status) {
        world_.trace.line(process_.name() + " " + std::string(to_string(point)) + ": " + fate.status->code);
        co_return fate.status;
    }
    // Sent, and nothing came back: the sender cannot tell this from a lost answer.
    if (fate.request_lost)
        co_return Error(orders(point) ? ErrorKind::unknown : ErrorKind::timed_out, "noAnswer", "no answer in time");
    co_return std::nullopt;
}

asio::awaitable<std::optional<Error>> Process::AuthorityPort::come_back(Point point, const Fate& fate,
                                                                        ErrorKind arrived) {
    if (process_.dead()) co_return cut_off();
    auto pausing = process_.pause(fate.reply_lost ? std::chrono::nanoseconds(k_call_timeout) : fate.back);
    co_await std::move(pausing);
    world_.active();
    if (fate.dies_after) process_.die("the sweep, after a call to the authority");
    if (process_.ends_at(point, Moment::after)) co_return cut_off();
    if (fate.reply_lost) {
        world_.trace.line(process_.name() + " " + std::string(to_string(point)) + ": the answer is lost");
        co_return Error(arrived, "noAnswer", "no answer in time");
    }
    co_return std::nullopt;
}

void Process::AuthorityPort::told(const Result<ports::AuthorityAnswer>& answer, const Bytes& csr) {
    const char* word = !answer ? "no" : std::holds_alternative<ports::PendingAnswer>(*answer) ? "pending" : "issued";
    if (!answer) process_.hit(Fault::authority_refused);
    if (answer && std::holds_alternative<ports::PendingAnswer>(*answer)) process_.hit(Fault::authority_pending);
    if (answer && std::holds_alternative<ports::IssuedAnswer>(*answer))
        for (const auto& entry : authority_.entries)
            if (entry.wrong && entry.certificate == std::get<ports::IssuedAnswer>(*answer).certificate)
                process_.hit(Fault::authority_wrong_certificate);
    world_.trace.line("authority " + name() + " to " + process_.name() + ": " + word + " " + std::string(text_of(csr)));
}

void Process::AuthorityPort::knocks(Point point) {
    ++inside_;
    const auto rules = process_.rules().authorities.at(name());
    if (process_.dead() || failures_ < rules.failures) return;
    // Who went in while it was up, and then waited seconds for the disk to write the intent down, knocks late.
    if (world_.scenario.slow_disk != 0) return;
    // The same with the milliseconds of a disk that is well.
    if (inside_ <= 1 && world_.timeline.now() - failed_at_ < 10ms) return;
    if (inside_ > 1 || world_.timeline.now() - failed_at_ < rules.open)
        world_.judge.broken("a dead authority costs one probe at a time",
                            process_.name() + " " + std::string(to_string(point)) + ": " + std::to_string(inside_) +
                                " at once, " + std::to_string((world_.timeline.now() - failed_at_) / 1ms) +
                                " ms after the last failure");
}

void Process::AuthorityPort::left(const std::optional<Error>& error) {
    --inside_;
    if (!error || error->kind == ErrorKind::refused || error->kind == ErrorKind::invalid) {
        failures_ = 0;
    } else if (error->kind != ErrorKind::cancelled && error->kind != ErrorKind::misconfigured) {
        ++failures_;
        failed_at_ = world_.timeline.now();
    }
}

ports::Async<ports::AuthorityAnswer> Process::AuthorityPort::submit(ports::Submission submission) {
    const bool searched_by_nobody = !authority_.options().finds;
    if (!process_.dead()) {
        world_.judge.submitted(process_, submission, name());
        world_.judge.acts(process_, submission.csr, "submits");
        if (searched_by_nobody) world_.judge.sends(process_, submission.csr);
    }
    knocks(Point::authority_submit);
    const Fate fate = fate_of(true);
    auto going = go(Point::authority_submit, fate);
    auto error = co_await std::move(going);
    if (searched_by_nobody && !fate.status) world_.judge.may_have_arrived(submission.csr);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    RequestId whose;
    if (const auto owner = world_.csr_owners.find(submission.csr); owner != world_.csr_owners.end())
        whose = owner->second.second;
    auto answer =
        authority_.take(submission, process_.home.index, whose, world_.timeline.now(), utc(), world_.troubled());
    told(answer, submission.csr);
    auto coming = come_back(Point::authority_submit, fate, ErrorKind::unknown);
    error = co_await std::move(coming);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    left(answer ? std::nullopt : std::optional<Error>(answer.error()));
    if (searched_by_nobody) world_.judge.answered(submission.csr, answer);
    co_return answer;
}

ports::Async<ports::AuthorityAnswer> Process::AuthorityPort::poll(std::string authority_request_id) {
    const bool repeats = authority_.options().repeats;
    const auto* entry = authority_.named(authority_request_id);
    const Bytes csr = entry == nullptr ? Bytes{} : entry->csr;
    if (!process_.dead()) {
        world_.judge.acts(process_, csr, "polls for");
        if (repeats) world_.judge.sends(process_, csr);
    }
    knocks(Point::authority_poll);
    const Fate fate = fate_of(false);
    auto going = go(Point::authority_poll, fate);
    auto error = co_await std::move(going);
    if (repeats && !fate.status) world_.judge.may_have_arrived(csr);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    auto answer = authority_.poll(authority_request_id, world_.timeline.now(), utc(), world_.troubled());
    told(answer, Bytes{});
    auto coming = come_back(Point::authority_poll, fate, repeats ? ErrorKind::unknown : ErrorKind::timed_out);
    error = co_await std::move(coming);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    left(answer ? std::nullopt : std::optional<Error>(answer.error()));
    if (repeats) world_.judge.answered(csr, answer);
    co_return answer;
}

ports::Async<std::optional<ports::AuthorityAnswer>> Process::AuthorityPort::find(ports::Submission submission) {
    knocks(Point::authority_find);
    const Fate fate = fate_of(false);
    auto going = go(Point::authority_find, fate);
    auto error = co_await std::move(going);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    auto answer = authority_.options().finds
                      ? authority_.find(submission, world_.timeline.now(), utc())
                      : Result<std::optional<ports::AuthorityAnswer>>(
                            Error(ErrorKind::misconfigured, "authorityMisconfigured", "it cannot search"));
    world_.trace.line("authority " + name() + " to " + process_.name() + ": find " +
                      (answer ? (*answer ? "there" : "none") : "no"));
    auto coming = come_back(Point::authority_find, fate, ErrorKind::timed_out);
    error = co_await std::move(coming);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    left(answer ? std::nullopt : std::optional<Error>(answer.error()));
    co_return answer;
}

ports::Async<std::vector<Bytes>> Process::AuthorityPort::issuers(std::optional<std::string>) {
    world_.judge.asks_for_issuers(process_, name());
    knocks(Point::authority_find);
    const Fate fate = fate_of(false);
    auto going = go(Point::authority_find, fate);
    auto error = co_await std::move(going);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    auto coming = come_back(Point::authority_find, fate, ErrorKind::timed_out);
    error = co_await std::move(coming);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    left(std::nullopt);
    co_return std::vector<Bytes>{authority_.certificate()};
}

ports::Async<void> Process::AuthorityPort::revoke(ports::Revocation revocation) {
    if (!process_.dead()) process_.world.judge.acts(process_, request::Kind::certificate_revoke, "revokes");
    knocks(Point::authority_revoke);
    const Fate fate = fate_of(false);
    auto going = go(Point::authority_revoke, fate);
    auto error = co_await std::move(going);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    auto* entry = authority_.revoke(revocation);
    world_.judge.revokes(process_, entry, revocation);
    world_.trace.line("authority " + name() + " revokes " + revocation.serial_number + " for " + process_.name());
    auto coming = come_back(Point::authority_revoke, fate, ErrorKind::timed_out);
    error = co_await std::move(coming);
    if (error) {
        left(error);
        co_return std::move(*error);
    }
    left(std::nullopt);
    co_return Result<void>();
}

}  // namespace connector::sim
