// The lease keeper renews leases before they end, and writes down those that the service took back. Renewing asks the
// service alone and bookkeeping the ledger alone, each in a loop of its own: a disk that hangs costs no lease. cc-io.
#pragma once

#include "core/engine/context.hpp"
#include "core/engine/lease_book.hpp"

#include <boost/asio/awaitable.hpp>

namespace connector::engine {

class LeaseKeeper {
public:
    LeaseKeeper(Context& context, LeaseBook& leases) : context_(context), leases_(leases) {}

    // Both until cancelled.
    [[nodiscard]] boost::asio::awaitable<void> renew();
    [[nodiscard]] boost::asio::awaitable<void> keep_book();

private:
    using Step = boost::asio::awaitable<void> (LeaseKeeper::*)();
    [[nodiscard]] boost::asio::awaitable<void> each_second(Step step);
    [[nodiscard]] bool may_ask() const;
    [[nodiscard]] boost::asio::awaitable<void> renew_due();
    [[nodiscard]] boost::asio::awaitable<void> compare_book();
    [[nodiscard]] boost::asio::awaitable<void> write_lost();
    [[nodiscard]] boost::asio::awaitable<bool> lost(const RequestId& id, const LeaseId& lease);

    Context& context_;
    LeaseBook& leases_;
    Tick next_renewal_{};
    Tick asked_at_{};     // the last one that failed
    Tick quiet_until_{};  // as the service asked then
    Tick next_listing_{};
};

}  // namespace connector::engine
