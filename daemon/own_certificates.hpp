// The certificates that the daemon itself needs and that end: said once a day from the time on when a new one is due.
// cc-io.
#pragma once

#include "core/ports/clock.hpp"
#include "core/ports/event_sink.hpp"
#include "core/time.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>
#include <vector>

namespace connector::daemon {

struct OwnCertificate {
    std::string which;  // connector | delivery
    UtcTime not_before;
    UtcTime not_after;
};

// Whether a new one is due: in the last third of a short life, in the last month of a long one. `doctor` judges alike.
[[nodiscard]] bool ends_soon(const OwnCertificate& certificate, UtcTime now) noexcept;

// Until `ending`. `certificates`: those in force at each look.
[[nodiscard]] boost::asio::awaitable<void> watch_certificates(const std::vector<OwnCertificate>& certificates,
                                                              ports::Clock& clock, ports::EventSink& events,
                                                              const bool& ending);

}  // namespace connector::daemon
