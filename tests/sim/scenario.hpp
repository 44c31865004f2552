// A scenario: everything that a seed decides before the first second. Each figure can be set from outside, which is
// how the minimiser and the regression list say "the same seed, but with one connector and no clock jumps".
#pragma once

#include "core/error.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::sim {

struct Scenario {
    std::uint64_t seed = 0;
    std::uint64_t requests = 1;
    std::uint64_t connectors = 1;
    std::uint64_t authorities = 1;
    std::uint64_t faults_until = 600;  // seconds; then everything works again
    std::uint64_t lease_seconds = 900;
    std::uint64_t binding = 0;  // 0 certificate, 1 register, 2 service
    std::uint64_t finds = 3;    // a bit for each authority
    std::uint64_t revokes = 3;
    std::uint64_t idempotent = 3;
    std::uint64_t again = 0;  // permille of failed orders that come again under their id
    std::uint64_t bare = 0;   // a bit for each authority: the certificate comes alone
    // Permille of calls.
    std::uint64_t network = 0;   // lost, duplicated, reordered
    std::uint64_t statuses = 0;  // 401 … 503, too large, batch refused
    std::uint64_t quirks = 0;    // orders: unreadable, changed, rejected, cancelled, lease taken early
    std::uint64_t disk = 0;
    std::uint64_t authority_faults = 0;
    std::uint64_t authority_verdicts = 0;  // pending, refused, wrong certificate
    // Numbers of events.
    std::uint64_t crashes = 0;
    std::uint64_t stops = 0;
    std::uint64_t clock_jumps = 0;
    std::uint64_t outages = 0;       // of service, authority or disk, for a while
    std::uint64_t imports = 0;       // permille of orders that are pfx.deliver
    std::uint64_t withdraws = 0;     // permille of orders that a withdraw follows
    std::uint64_t key_changes = 0;   // permille of orders with another key for a known device
    std::uint64_t blocks = 0;        // the operator's
    std::uint64_t tight_limits = 0;  // 1: meters that are reached
    std::uint64_t slow_work = 0;     // permille of long offload jobs
    std::uint64_t rare_stages = 0;   // 1: what makes the rare stages common
    std::uint64_t rare_crashes = 0;  // at the first call of a kind that is seldom made
    std::uint64_t slow_disk = 0;     // permille of ledger calls that take seconds
    std::uint64_t repeats = 0;       // bit for each authority that cannot search: polls are repetitions
    std::uint64_t patience = 0;      // seconds until a step that goes on failing is given up; 0: hours
    std::uint64_t freezes = 0;       // the operator's, of one kind or all, for a while
    std::uint64_t protects = 0;      // how many accounts have to approve what the first user gets
    std::uint64_t crowd = 0;  // 1: one place at an authority that is slow, and withdrawals while they wait for it
    // For chosen paths, so that only the fault decides what differs; no seed draws these.
    std::uint64_t pending = 0;           // seconds that an authority takes over each order
    std::uint64_t approve_all = 0;       // 1: a person lets go whatever is held
    std::uint64_t attacks = 0;           // permille of orders that the service, in an attacker's hand, makes others of
    std::uint64_t unsigned_imports = 0;  // 1: [importer] signatures = "off"
    // For the sweep: call number `step` of one kind fails. 0: none.
    std::uint64_t sweep_kind = 0;  // 0 ledger, 1 network, 2 authority
    std::uint64_t sweep_step = 0;
    std::uint64_t sweep_how = 0;  // which fault of that kind

    [[nodiscard]] static Scenario of(std::uint64_t seed);
    // The same in an attacker's hand. What is the service's word by the operator's choice is not attacked.
    [[nodiscard]] static Scenario attacked(std::uint64_t seed);
    // Nothing goes wrong of itself.
    [[nodiscard]] bool quiet() const;
    // "requests=2 connectors=1": only what differs from `other`.
    [[nodiscard]] std::string difference(const Scenario& other) const;
    [[nodiscard]] std::string text() const;
    // kind: invalid, naming the word.
    [[nodiscard]] Result<void> set(std::string_view assignments);
    [[nodiscard]] static const std::vector<std::pair<std::string_view, std::uint64_t Scenario::*>>& fields();
};

}  // namespace connector::sim
