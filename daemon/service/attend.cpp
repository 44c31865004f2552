#include "daemon/service/manager.hpp"

#include <algorithm>

namespace connector::service {

boost::asio::awaitable<void> attend(Manager& manager, ports::Clock& clock, std::function<std::string()> state,
                                    const bool& ending) {
    constexpr Tick::duration k_between_looks = std::chrono::seconds{1};
    Tick::duration pause = k_between_looks;
    if (const auto patience = manager.patience()) pause = std::min<Tick::duration>(pause, *patience / 2);
    std::string said = state();
    manager.ready(said);
    while (!ending) {
        manager.alive();
        if (std::string now = state(); now != said) {
            manager.status(now);
            said = std::move(now);
        }
        co_await clock.wait_until(clock.tick() + pause);
    }
}

}  // namespace connector::service
