#include "core/engine/revocation.hpp"

#include <chrono>
#include <utility>

namespace connector::engine {
namespace {

using namespace std::chrono_literals;

void heard(Context& context, const std::vector<Error>& faults) {
    auto& check = context.status.revocation;
    if (faults.empty()) {
        if (check.state == Check::State::down)
            context.ports.events.raise(Event(event::k_crls_current).with("since", to_rfc3339(check.since)));
        context.set(check, Check::State::up, "");
        return;
    }
    std::string reasons;
    for (const auto& fault : faults) reasons += (reasons.empty() ? "" : "; ") + fault.message;
    const auto& code = faults.front().code;
    if (check.state != Check::State::down || check.detail != code)
        context.ports.events.raise(Event(event::k_crls_not_current).with("code", code).with("reason", reasons));
    context.set(check, Check::State::down, code);
}

}  // namespace

boost::asio::awaitable<void> watch_revocation(Context& context, const bool& ending) {
    auto& clock = context.ports.clock;
    while (!ending && context.ports.revocation != nullptr) {
        auto refreshing = context.ports.revocation->refresh();
        (void)co_await std::move(refreshing);
        heard(context, context.ports.revocation->faults(context.valid_now()));
        co_await clock.wait_until(clock.tick() + 1s);
    }
}

Error list_away(const trust::Revocation& revocation) {
    return {ErrorKind::unavailable, revocation.code,
            "the revocation list that is to say whether the device certificate still counts is not at hand"};
}

bool is_list_away(const Error& error) noexcept {
    return error.kind == ErrorKind::unavailable && error.code.starts_with("crl");
}

}  // namespace connector::engine
