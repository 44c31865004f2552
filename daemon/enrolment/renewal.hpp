// Renewal: the connector's own certificate, renewed while the daemon runs, from the day the service has named, or in
// its last third, or its last month. A new key; in force only once the service has answered to it, and until then the
// one before works on. Asked for at most hourly; an end of the process in the middle loses nothing.
// Follows the management API, "Enrolment". cc-io; files are read and written on the pool.
#pragma once

#include "core/ports/event_sink.hpp"
#include "core/ports/management_api.hpp"
#include "core/ports/offload.hpp"
#include "daemon/enrolment/own_pair.hpp"
#include "daemon/net/http_client.hpp"
#include "daemon/net/resolver.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>

namespace connector::enrolment {

// One heartbeat: the first call that the service judges a certificate by. `http` has it.
[[nodiscard]] ports::Async<void> first_heartbeat(net::HttpClient& http, ports::Clock& clock,
                                                 const config::Settings& settings, net::Url service,
                                                 ConnectorId connector, ports::Heartbeat beat);

[[nodiscard]] net::TlsIdentity identity_of(const Candidate& candidate);

class Renewal {
public:
    struct Parts {
        ports::Offload& offload;
        ports::Clock& clock;
        net::Resolver& resolver;
        ports::EventSink& events;
        net::HttpClient& http;  // with the pair in force
        ConnectorId connector;
        std::function<std::shared_ptr<const config::Settings>()> settings;
        std::function<ports::Heartbeat()> beat;
        std::function<Sha256()> in_use;  // the certificate that the daemon calls with
        std::function<bool()> works;     // the service has answered to that one when it was last asked
        // The pair in force is another: what uses it has to read it again, and the one before is refused from now on.
        std::function<void()> installed;
    };
    explicit Renewal(Parts parts) : parts_(std::move(parts)) {}

    // Until `ending`.
    [[nodiscard]] boost::asio::awaitable<void> run(const bool& ending);

private:
    [[nodiscard]] boost::asio::awaitable<void> look();
    [[nodiscard]] ports::Async<Candidate> order(std::shared_ptr<const config::Settings> settings);
    [[nodiscard]] ports::Async<void> put_in_force(std::shared_ptr<const config::Settings> settings,
                                                  std::shared_ptr<const Candidate> candidate);

    Parts parts_;
    Tick next_look_{};
    Tick next_order_{};
    bool refused_ = false;  // the candidate, by the service
};

}  // namespace connector::enrolment
