// Caretaker: has each authority keep fresh what it publishes, at start and hourly, sooner after a failure. Says by
// events when that was done, failed, or is too late, and keeps what health shows. Reaches them only through their port.
// cc-io; what blocks is done on the pool by the authority itself.
#pragma once

#include "core/ports/authority.hpp"
#include "core/ports/clock.hpp"
#include "core/ports/event_sink.hpp"
#include "daemon/authority/factory.hpp"

#include <boost/asio/awaitable.hpp>

#include <map>
#include <string>

namespace connector::authority {

class Caretaker {
public:
    // All three outlive it.
    Caretaker(const AuthorityMap& authorities, ports::Clock& clock, ports::EventSink& events) noexcept
        : authorities_(authorities), clock_(clock), events_(events) {}

    // Until `ending`.
    [[nodiscard]] boost::asio::awaitable<void> run(const bool& ending);
    // Everybody once; the time of the next look.
    [[nodiscard]] boost::asio::awaitable<Tick> look();

    // One authority's list; a summary of all for health.
    struct List {
        ports::RevocationList last;
        UtcTime since;  // of `state`
        enum class State { good, stale, ended } state = State::good;
    };
    [[nodiscard]] const std::map<std::string, List, std::less<>>& lists() const noexcept { return lists_; }

private:
    void heard(const std::string& name, const Result<ports::Upkeep>& answer);
    void tell_failed(const std::string& name, const List& list);

    const AuthorityMap& authorities_;
    ports::Clock& clock_;
    ports::EventSink& events_;
    std::map<std::string, List, std::less<>> lists_;
    std::map<std::string, Tick, std::less<>> said_;  // when a failure was told last
};

}  // namespace connector::authority
