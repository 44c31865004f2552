// The housekeeper keeps time: heartbeats, holds that lasted too long, purging, and the
// figures that health shows. cc-io.
#pragma once

#include "core/engine/context.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace connector::engine {

class Housekeeper {
public:
    explicit Housekeeper(Context& context) : context_(context) {}

    // Until cancelled, each: what needs the ledger, and what has to go on though the ledger does not answer.
    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] boost::asio::awaitable<void> pulse();
    [[nodiscard]] boost::asio::awaitable<void> beat();

private:
    [[nodiscard]] boost::asio::awaitable<void> look_around();
    void watch_ledger();
    void watch_leasing();
    [[nodiscard]] boost::asio::awaitable<void> watch_clock();
    // Nothing ends by age while the wall clock is not believed; it is looked at all the same, for rows that were
    // edited.
    [[nodiscard]] bool ages_count(UtcTime now) const {
        return context_.clock_watch.believed(now, context_.ports.clock.tick());
    }
    [[nodiscard]] boost::asio::awaitable<void> count();
    [[nodiscard]] boost::asio::awaitable<void> probe();
    [[nodiscard]] boost::asio::awaitable<void> end(const request::RequestRecord& record, request::Failure failure,
                                                   std::string_view event_id);
    // Some of those in a stage, in turn: once each in a few minutes, however many there are.
    struct Round {
        request::Stage stage;
        std::string after{};
        Tick next{};
    };
    [[nodiscard]] ports::Async<std::vector<request::RequestRecord>> next_of(Round& round);
    [[nodiscard]] boost::asio::awaitable<void> end_old_holds();
    [[nodiscard]] boost::asio::awaitable<void> drop_uncollected();
    [[nodiscard]] boost::asio::awaitable<void> purge(UtcTime now);
    [[nodiscard]] boost::asio::awaitable<void> look_at_window();
    void tell_state();
    [[nodiscard]] boost::asio::awaitable<void> look_at_expiring_imports();

    Context& context_;
    Tick next_beat_{};
    Tick no_beat_before_{};  // the service has asked for quiet
    // Nothing is to wait longer than this; tried until the ledger has done it.
    std::optional<std::chrono::seconds> pull_to_;
    std::chrono::seconds jumped_{0};  // of the wall clock, and what waits has not been moved yet
    Tick next_pull_{};
    Tick next_purge_{};
    Round held_{request::Stage::held};
    Round packaged_{request::Stage::packaged};
    Tick next_probe_{};
    Tick next_expiry_look_{};
    std::uint64_t delivered_at_look_ = 0;
    Tick next_window_look_{};
    bool window_seen_ = false;
    std::optional<UtcTime> closed_window_;  // when the window was opened whose end is known
    ports::State told_state_ = ports::State::not_ready;
    std::map<std::pair<UserId, Sha256>, Tick> expiry_said_;
};

}  // namespace connector::engine
