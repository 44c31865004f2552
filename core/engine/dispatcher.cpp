#include "core/engine/dispatcher.hpp"

#include <boost/asio/this_coro.hpp>

#include <utility>

namespace connector::engine {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> Dispatcher::run() {
    co_await asio::this_coro::throw_if_cancelled(false);
    auto& status = context_.status;
    auto& clock = context_.ports.clock;
    while (!status.draining) {
        bool more = false;
        if (status.in_flight.size() < context_.rules.in_flight && status.ledger.state != Check::State::down) {
            // Those in flight are due as well, as the ledger sees it: room for them in the answer.
            const std::size_t room = context_.rules.in_flight;
            auto asking = context_.ports.ledger.due(context_.now(), room + status.in_flight.size());
            auto due = co_await std::move(asking);
            if (due) {
                for (auto& record : *due) {
                    if (status.in_flight.size() >= context_.rules.in_flight) {
                        more = true;
                        break;
                    }
                    if (!status.in_flight.insert(record.request.id).second) continue;
                    auto job = work(std::move(record));
                    workers_.spawn(std::move(job));
                }
            } else {
                context_.ledger_failed(due.error(), "looking for due requests");
            }
        }
        // A worker that ends calls; so does the poller. The second is for what becomes due by time alone.
        auto waiting = context_.work_arrived.wait(clock, clock.tick() + (more ? 50ms : 1s));
        co_await std::move(waiting);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

asio::awaitable<void> Dispatcher::work(request::RequestRecord record) {
    const RequestId id = record.request.id;
    Worker worker(context_, cache_, std::move(record));
    auto running = worker.run();
    co_await std::move(running);
    context_.status.in_flight.erase(id);
    context_.work_arrived.call();
}

}  // namespace connector::engine
