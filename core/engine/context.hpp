// What every room of the engine works with: the ports, the operator's rules, and the state that is watched.
// All of it belongs to cc-io; pool jobs get values.
#pragma once

#include "core/async/wake.hpp"
#include "core/engine/breaker.hpp"
#include "core/engine/clock_floor.hpp"
#include "core/engine/clock_watch.hpp"
#include "core/engine/lease_watch.hpp"
#include "core/engine/stopping.hpp"
#include "core/event_ids.hpp"
#include "core/ports/authority.hpp"
#include "core/ports/clock.hpp"
#include "core/ports/crypto.hpp"
#include "core/ports/directory.hpp"
#include "core/ports/event_sink.hpp"
#include "core/ports/key_service.hpp"
#include "core/ports/ledger.hpp"
#include "core/ports/management_api.hpp"
#include "core/ports/offload.hpp"
#include "core/ports/packager.hpp"
#include "core/ports/pfx_opener.hpp"
#include "core/ports/revocation.hpp"
#include "core/ports/sealer.hpp"
#include "core/ports/statements.hpp"
#include "core/ports/telemetry.hpp"
#include "core/request/machine.hpp"
#include "core/request/policy.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace connector::engine {

// The operator's choices, as far as they steer the engine.
struct Rules {
    std::string version;
    std::vector<request::Kind> kinds;
    request::PolicyRules policy;
    trust::RecipientRules recipients;
    trust::ImporterRules importer;
    request::Limits limits;
    std::vector<std::string> protected_users;  // UPNs, mailboxes or ids
    std::uint32_t approvers = 1;
    request::RetryRules retry;
    std::map<std::string, AuthorityRules, std::less<>> authorities;
    std::chrono::seconds poll_wait{30};
    std::size_t batch = 100;
    std::size_t in_flight = 64;
    std::size_t max_pending = 100000;
    std::chrono::hours hold{std::chrono::hours{24 * 7}};
    std::chrono::hours keep_undelivered{std::chrono::hours{24 * 14}};
    std::chrono::hours keep_closed{std::chrono::hours{24 * 30}};
    bool legacy_pkcs12 = true;
};

struct Ports {
    ports::Clock& clock;
    ports::Offload& offload;
    const ports::Crypto& crypto;
    const ports::PfxOpener& pfx_opener;
    const ports::KeyService& keys;
    const ports::Sealer& sealer;
    const ports::Packager& packager;
    ports::ManagementApi& management;
    ports::ImportSource& imports;
    ports::Ledger& ledger;
    ports::EventSink& events;
    ports::Telemetry& telemetry;
    std::map<std::string, ports::Authority*, std::less<>> authorities;
    ports::Directory* directory = nullptr;               // there where binding or identity ask it
    ports::RevocationSource* revocation = nullptr;       // there where [recipients] names lists
    const ports::StatementReader* statements = nullptr;  // there where the binding is by statement
};

// One thing that may be up or down, since when, and why.
struct Check {
    enum class State { unknown, up, down } state = State::unknown;
    UtcTime since;
    std::string detail;  // a code or an age; never a name
};

// What health, heartbeat and `status` show.
struct Status {
    UtcTime started_at;
    bool draining = false;
    // Each has its own witness and is cleared by nothing else: a service may answer the one and not the other.
    Check service;      // heartbeats
    Check lease_calls;  // down from one that failed to the next that is answered; one that is put off says nothing
    Check ledger;
    Check directory;
    Check revocation;  // the device authorities' lists
    std::optional<UtcTime> last_lease_at;
    std::optional<UtcTime> last_delivery_at;
    std::optional<UtcTime> certificate_expires_at;
    std::set<RequestId> in_flight;
    std::map<RequestId, LeaseId> lease_lost;  // told so, and not written yet. Nothing of theirs is sent
    ports::Counts counts;                     // as of the housekeeper's last look
    std::vector<request::MeterUse> meters;
    std::uint64_t imports_expiring = 0;  // users' newest encryption certificates that end within 30 days
    bool leasing_paused = false;
    // Damaged or restored: nothing is worked until a person has decided; suspect: until it was found sound.
    bool ledger_barred = false;
    bool credential_refused = false;  // no leasing until a heartbeat is answered 204
};

struct Context {
    Ports ports;
    Rules rules;
    Status status;
    std::map<std::string, Breaker, std::less<>> breakers;  // one each authority
    // Of authorities that are configured no more, for those who have not left them.
    std::map<std::string, Breaker, std::less<>> left_breakers;
    ClockWatch clock_watch;
    LeaseWatch lease_watch;
    ClockFloor clock_floor;
    Stopping stopping;
    // When the service took our last word on a request: a lease asked for before that is older than our result.
    std::map<RequestId, Tick> told;
    // Nothing is told before: the service has asked for quiet, or does not answer. A person may end it.
    Tick results_quiet_until{};
    // Housekeeping's calls to the ledger that have not been answered: a disk that hangs fails none of them.
    std::multiset<Tick> asked_at;
    async::Wake work_arrived;    // the dispatcher waits here
    async::Wake report_waiting;  // the reporter
    async::Wake state_changed;   // the housekeeper: a heartbeat is due

    Context(const boost::asio::any_io_executor& executor, Ports the_ports, Rules the_rules)
        : ports(std::move(the_ports)),
          rules(std::move(the_rules)),
          clock_watch(ports.clock.utc(), ports.clock.tick()),
          work_arrived(executor),
          report_waiting(executor),
          state_changed(executor) {
        for (const auto& [name, authority] : ports.authorities) breakers.emplace(name, Breaker(rules_of(name)));
    }

    [[nodiscard]] UtcTime now() const { return ports.clock.utc(); }
    // Of an authority that a worker has; also of one that a reload has taken away since.
    [[nodiscard]] Breaker& breaker(std::string_view authority);
    // Other rules and other authorities from now on; who is parked may try again. The authorities that were there
    // before stay alive: workers may have them.
    void use(Rules the_rules, std::map<std::string, ports::Authority*, std::less<>> authorities);
    // For validities: a clock that was set back makes nothing valid again.
    [[nodiscard]] UtcTime valid_now() const { return clock_floor.at_least(now()); }
    [[nodiscard]] AuthorityRules rules_of(std::string_view authority) const;
    // In [0,1), from the operating system's generator.
    [[nodiscard]] double jitter() const;
    // Sets a check and calls for a heartbeat when it changed.
    void set(Check& check, Check::State state, std::string detail);
    // A call of `check`'s kind was answered. Told where the service is wholly back by it.
    void answered(Check& check);
    // Whether a lease call may be made, as far as it does not hang on how much is open. The first heartbeat comes
    // before the first lease; a refused credential is only knocked at by heartbeats.
    [[nodiscard]] bool leasing_allowed() const;
    // Notes what a ledger call's failure means for health; gives true where the call failed. A damaged file bars it.
    bool ledger_failed(const Error& error, std::string_view doing);
    // A write has succeeded: what a read says nothing about.
    void ledger_works();
    // Whatever can still be written: nothing is leased, worked or reported from now on.
    void bar_ledger(std::string_view code);
    // The list in force from now on; tells of limits that have tripped.
    void stops_are(std::vector<request::Stop> stops);
    // Asks the ledger, after it has been told what it could not take before.
    [[nodiscard]] boost::asio::awaitable<void> look_at_stops();
    // Holds the clock against the newest time seen, stops what hangs on it, notes a newer one.
    // `lifting`: the ledger is about to be let go on, and is looked at all the same.
    [[nodiscard]] boost::asio::awaitable<void> look_at_clock_floor(bool lifting = false);
    [[nodiscard]] ports::State state() const;
    // One call to the ledger, watched (asked_at).
    template <class T>
    [[nodiscard]] boost::asio::awaitable<T> ask(boost::asio::awaitable<T> call);
};

template <class T>
boost::asio::awaitable<T> Context::ask(boost::asio::awaitable<T> call) {
    struct Asking {
        std::multiset<Tick>& all;
        std::multiset<Tick>::iterator place;
        ~Asking() { all.erase(place); }
    };
    const Asking asking{asked_at, asked_at.insert(ports.clock.tick())};
    co_return co_await std::move(call);
}

// An event that names the request it is about, and its user and device.
[[nodiscard]] Event about(std::string_view event_id, const request::RequestRecord& record);

}  // namespace connector::engine
