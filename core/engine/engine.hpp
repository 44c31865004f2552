// The engine: drives the machine with coroutines on one thread. Starts the rooms, drains them, ends them.
// cc-io only.
#pragma once

#include "core/engine/dispatcher.hpp"
#include "core/engine/housekeeper.hpp"
#include "core/engine/lease_keeper.hpp"
#include "core/engine/poller.hpp"
#include "core/engine/reporter.hpp"

namespace connector::engine {

class Engine {
public:
    Engine(const boost::asio::any_io_executor& executor, Ports ports, Rules rules);

    // First heartbeat, then leasing and working; comes back when drained.
    [[nodiscard]] boost::asio::awaitable<void> run();
    // No new leases, steps in progress finish and are saved, what can be told is told; at most `most`.
    void drain(std::chrono::seconds most);

    // A ledger that was barred at the start is sound: what its earlier process had in work is taken up, then all that
    // was barred begins. On failure it stays barred.
    [[nodiscard]] ports::Async<void> lift_bar();

    [[nodiscard]] Context& context() noexcept { return context_; }
    [[nodiscard]] const Context& context() const noexcept { return context_; }

private:
    [[nodiscard]] boost::asio::awaitable<void> expect_end();
    [[nodiscard]] boost::asio::awaitable<void> beat_last();
    [[nodiscard]] boost::asio::awaitable<void> tell_last();
    // What hangs is left at `latest`.
    [[nodiscard]] boost::asio::awaitable<void> join_farewell(Tick latest);
    // What the end of an earlier process means for what it had in work; until the ledger can be read and written.
    [[nodiscard]] boost::asio::awaitable<void> recover();
    [[nodiscard]] ports::Async<void> recover_once();

    Context context_;
    HistoryCache cache_;
    LeaseBook leases_;
    async::TaskGroup pollers_;
    async::TaskGroup rooms_;
    async::TaskGroup farewell_;
    Poller poller_;
    Dispatcher dispatcher_;
    Reporter reporter_;
    Housekeeper housekeeper_;
    LeaseKeeper lease_keeper_;
    async::Wake drain_asked_;
    std::chrono::seconds drain_most_{25};
};

}  // namespace connector::engine
