// HealthServer: GET and HEAD of /livez /readyz /healthz /metrics and a page for people, on the loopback address, or
// under TLS on another.
// Follows the operator contract, "Health endpoint". Nothing can be changed through it. Persons, devices and requests
// are named on the full page alone, to who has the token: as Bearer (RFC 6750), or as the password of Basic (RFC 7617),
// which is what a browser can do.
// Refuses: another Host than loopback or a listed one (421), cross-site fetches (403), other methods (405), the full
// page without its token (401); more than 32 connections, more than 5 s or 4 KiB of header each. Everything is answered
// with no-store. On cc-io; what it serves comes from a HealthView, called there.
#pragma once

#include "core/error.hpp"
#include "core/events.hpp"
#include "core/ports/async.hpp"
#include "core/ports/clock.hpp"
#include "core/secret.hpp"
#include "core/time.hpp"
#include "daemon/health/metrics.hpp"
#include "daemon/net/tls_context.hpp"

#include <boost/asio/any_io_executor.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace connector::health {

struct HealthCheck {
    std::string name;    // service, ledger, keys, authorities, …
    std::string status;  // ok | degraded | failed
    UtcTime since;
    std::string detail;           // "" where there is nothing to say; names no person, device or request
    bool gates_readiness = true;  // a failed one makes /readyz answer 503
};
// A choice of the operator's that has no default; not `good` where the service's word is taken.
struct Choice {
    std::string name;
    bool good = true;
    std::string note;
};
struct AuthorityHealth {
    std::string name;
    std::string state;  // up | down | unknown
    std::optional<UtcTime> last_success_at;
};

// What was ended in a stretch of time, from the ledger.
struct Ended {
    UtcTime begin;
    std::uint64_t done = 0;  // delivered, completed
    std::uint64_t failed = 0;
};
// A warning or an error that was told: what `explain` says of it, when last, how often since the start.
struct Told {
    const EventDefinition* event = nullptr;
    UtcTime last;
    std::uint64_t times = 0;
};

// What is known now; made on cc-io for each question.
struct HealthSnapshot {
    std::string status;  // ready | degraded | draining | notReady
    std::string version;
    UtcTime started_at;
    std::vector<HealthCheck> checks;
    std::map<std::string, std::uint64_t> queue;  // stage -> number
    std::uint64_t held = 0;
    std::map<std::string, std::uint64_t> held_by;  // reason -> number
    std::vector<std::string> frozen;               // kinds that a person or a limit has stopped
    std::optional<UtcTime> last_lease_at;
    std::optional<UtcTime> last_delivery_at;
    std::uint64_t oldest_pending_seconds = 0;
    std::optional<std::chrono::seconds> clock_skew;  // ours minus the service's
    std::vector<AuthorityHealth> authorities;
    std::vector<Choice> choices;  // for the page and `status`
    // For the page.
    std::vector<Ended> history;  // stretches of equal length without a gap, the newest last
    std::vector<Told> told;      // the newest first
    UtcTime now;
    std::optional<UtcTime> certificate_expires_at;
};
using HealthView = std::function<HealthSnapshot()>;

// A request, for the full page.
struct Named {
    std::string request;
    std::string kind;
    std::string user;
    std::string device;
    std::string why;  // what it waits for, or failed with
    UtcTime since;
};
struct Names {
    std::vector<Named> held;
    std::vector<Named> abandoned;  // reported as failed; `requests retry` revives them
    std::vector<Named> failed;     // closed since yesterday, the newest first
    std::string unknown;           // why they are not known, or ""
};
using NamesView = std::function<ports::Async<Names>()>;

// What a reload exchanges. What is under way goes on with what it began with.
struct HealthAccess {
    std::shared_ptr<const SecretBytes> token;    // null: nobody is shown the full page
    std::shared_ptr<const net::TlsContext> tls;  // null: in clear
};

struct HealthOptions {
    std::string listen = "127.0.0.1:9464";  // port 0: any free one (tests)
    std::vector<std::string> hosts;         // further Host values that are answered, without port
    bool page = true;
    bool full_page = false;
    bool allow_remote = false;  // else an address that is not loopback needs TLS

    HealthOptions() = default;
};

class HealthServer {
public:
    // Borrows clock and metrics. `view` is called for every answer but /livez and /metrics, `names` for the full page.
    HealthServer(boost::asio::any_io_executor executor, ports::Clock& clock, const Metrics& metrics, HealthView view,
                 NamesView names, HealthOptions options);
    ~HealthServer();
    HealthServer(const HealthServer&) = delete;
    HealthServer& operator=(const HealthServer&) = delete;

    // Never less than what the address that is listened on needs.
    void use(HealthAccess access);
    // Binds and begins to answer. kind: misconfigured, code healthListen.
    [[nodiscard]] Result<void> start();
    // Closes the listener and every connection; nothing is answered afterwards. Also done by the destructor.
    void stop() noexcept;
    // The port that is listened on; 0 before start.
    [[nodiscard]] std::uint16_t port() const noexcept;

private:
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// /healthz, and what `status` prints.
[[nodiscard]] std::string to_json(const HealthSnapshot& snapshot);
// 200 or 503 is decided by it.
[[nodiscard]] bool is_ready(const HealthSnapshot& snapshot) noexcept;

}  // namespace connector::health
