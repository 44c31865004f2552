#include "core/engine/directory.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto k_between_probes = 5min;
constexpr auto k_while_down = 10s;

void heard(Context& context, const std::optional<Error>& error) {
    auto& check = context.status.directory;
    if (!error) {
        if (check.state == Check::State::down)
            context.ports.events.raise(Event(event::k_directory_up).with("since", to_rfc3339(check.since)));
        context.set(check, Check::State::up, "");
        return;
    }
    if (error->kind == ErrorKind::cancelled) return;
    // Said once for each cause: a changed one (it answers now, and refuses us) is news.
    if (check.state != Check::State::down || check.detail != error->code) {
        const bool refused = error->kind == ErrorKind::unauthorized || error->kind == ErrorKind::misconfigured;
        context.ports.events.raise(Event(refused ? event::k_directory_refused_us : event::k_directory_down)
                                       .with("code", error->code)
                                       .with("reason", error->message));
    }
    context.set(check, Check::State::down, error->code);
}

template <class T>
std::optional<Error> fault_of(const Result<T>& answer) {
    return answer ? std::nullopt : std::optional<Error>(answer.error());
}

}  // namespace

bool asks_directory(const Rules& rules) noexcept {
    return rules.recipients.binding == trust::Binding::directory ||
           rules.policy.identity == trust::IdentitySource::directory;
}

bool is_directory_away(const Error& error) noexcept {
    return error.kind == ErrorKind::unavailable && error.code.starts_with("directory");
}

ports::Async<trust::DirectoryView> ask_directory(Context& context, const Rules& rules,
                                                 const request::RequestRecord& record, bool fresh) {
    if (context.ports.directory == nullptr)
        co_return Error(ErrorKind::internal, "internal", "there is no directory to ask");
    ports::DirectoryQuestion question;
    question.user_principal_name = record.request.user.user_principal_name;
    if (rules.recipients.binding == trust::Binding::directory) question.device = record.request.device.id.text();
    question.fresh = fresh;
    auto asking = context.ports.directory->ask(std::move(question));
    auto answer = co_await std::move(asking);
    heard(context, fault_of(answer));
    if (answer) co_return std::move(*answer);
    // Its own words may name hosts and accounts: they are for the log, not for the service.
    const auto kind = answer.error().kind == ErrorKind::cancelled ? ErrorKind::cancelled : ErrorKind::unavailable;
    co_return Error(kind, answer.error().code, "the directory, which is to prove this, cannot be asked at the moment");
}

boost::asio::awaitable<void> watch_directory(Context& context, const bool& ending) {
    auto& clock = context.ports.clock;
    Tick next = clock.tick();
    while (!ending && context.ports.directory != nullptr) {
        if (clock.tick() >= next) {
            auto probing = context.ports.directory->probe();
            const auto answer = co_await std::move(probing);
            heard(context, fault_of(answer));
            next = clock.tick() + (answer ? Tick::duration(k_between_probes) : Tick::duration(k_while_down));
        }
        // A request may have found it dead since.
        if (context.status.directory.state == Check::State::down)
            next = std::min(next, clock.tick() + Tick::duration(k_while_down));
        co_await clock.wait_until(clock.tick() + 1s);
    }
}

}  // namespace connector::engine
