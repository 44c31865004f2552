// The poller leases: long polls, repeats a lost call under its old key, pauses above the high-water mark, and writes
// what it got into the ledger before anybody works on it. cc-io.
#pragma once

#include "core/engine/context.hpp"
#include "core/engine/lease_book.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace connector::engine {

class Poller {
public:
    Poller(Context& context, LeaseBook& leases) : context_(context), leases_(leases) {}

    // Until cancelled. Waits for the first heartbeat to be answered.
    [[nodiscard]] boost::asio::awaitable<void> run();

private:
    // `asked`: the kinds that stood in the call; a reload may have changed them since.
    [[nodiscard]] boost::asio::awaitable<void> take(ports::LeaseAnswer answer, std::vector<request::Kind> asked);
    [[nodiscard]] boost::asio::awaitable<void> tell(RequestId id, LeaseId lease, request::Failure failure);
    [[nodiscard]] boost::asio::awaitable<void> refused(Error error);
    [[nodiscard]] bool may_lease();
    // Open requests, as of the last count.
    [[nodiscard]] std::size_t open_here() const;

    Context& context_;
    LeaseBook& leases_;
    std::string key_;       // of the call under way or lost
    Tick first_sent_;       // when it was first sent: its answer may be as old as that
    std::size_t most_ = 0;  // halved where an answer was too large
    std::size_t asked_ = 0;
    std::uint32_t failures_ = 0;
};

}  // namespace connector::engine
