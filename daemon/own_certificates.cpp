#include "daemon/own_certificates.hpp"

#include "core/event_ids.hpp"

#include <algorithm>
#include <chrono>

namespace connector::daemon {

using namespace std::chrono_literals;

bool ends_soon(const OwnCertificate& certificate, UtcTime now) noexcept {
    constexpr std::chrono::seconds k_month = std::chrono::days{30};
    const std::chrono::seconds third = (certificate.not_after - certificate.not_before) / 3;
    return certificate.not_after - now < std::min(third, k_month);
}

boost::asio::awaitable<void> watch_certificates(const std::vector<OwnCertificate>& certificates, ports::Clock& clock,
                                                ports::EventSink& events, const bool& ending) {
    while (!ending) {
        for (const auto& one : certificates)
            if (ends_soon(one, clock.utc()))
                events.raise(Event(event::k_certificate_expiring)
                                 .with("which", one.which)
                                 .with("not_after", to_rfc3339(one.not_after)));
        const Tick next = clock.tick() + 24h;
        while (!ending && clock.tick() < next) co_await clock.wait_until(std::min(next, clock.tick() + 1s));
    }
}

}  // namespace connector::daemon
