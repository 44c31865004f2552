// What a run has met: each fault in each stage of an open record, and each await point with and without a crash.
// Printed at the end of a run; a cell that stays empty is a hole in the simulation, not a success.
#pragma once

#include "core/request/record.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace connector::sim {

// Where the engine hands over to the outside: the process may end before or after each.
enum class Point {
    ledger_accept,
    ledger_accept_unreadable,
    ledger_save,
    ledger_take,
    ledger_put_back,
    ledger_recover,
    ledger_pull_back,
    ledger_outbox,
    ledger_get,
    ledger_page,
    ledger_open_of,
    ledger_open_leases,
    ledger_counts,
    ledger_purge,
    ledger_look_up,
    ledger_mark_revoked,
    ledger_meters,
    ledger_count,
    ledger_next_sequence,
    ledger_expiring_imports,
    ledger_current_import,
    ledger_votes,
    ledger_freeze,
    management_lease,
    management_renew,
    management_report,
    management_heartbeat,
    imports_fetch,
    authority_submit,
    authority_poll,
    authority_find,
    authority_revoke,
    offload,
    clock,
    ledger_other,  // the operator's calls, which the engine does not make
};
inline constexpr std::size_t k_points = static_cast<std::size_t>(Point::ledger_other);
enum class Moment { before, after };
[[nodiscard]] std::string_view to_string(Point point) noexcept;

enum class Fault {
    request_lost,
    reply_lost,
    duplicated,
    reordered,
    status_401,
    status_409,
    status_429,
    status_500,
    status_503,
    answer_too_large,
    batch_refused,
    lease_ran_out,
    lease_stolen,
    unreadable_element,
    order_changed,
    cancelled_by_service,
    superseded,
    duplicate_result,
    rejected_result,
    service_down,
    authority_down,
    authority_slow,
    authority_pending,
    authority_refused,
    authority_unauthorized,
    authority_request_lost,
    authority_reply_lost,
    authority_wrong_certificate,
    disk_full,
    disk_io_error,
    disk_busy,
    crash,
    stop,
    clock_forward,
    clock_back,
    blocked,
    withdrawn,
};
inline constexpr std::size_t k_faults = static_cast<std::size_t>(Fault::withdrawn) + 1;
[[nodiscard]] std::string_view to_string(Fault fault) noexcept;

struct Tally {
    static constexpr std::size_t k_stages = static_cast<std::size_t>(request::Stage::closed);

    std::array<std::array<std::uint64_t, k_faults>, k_stages> faults{};
    std::array<std::array<std::uint64_t, 2>, k_points> passed{};
    std::array<std::array<std::uint64_t, 2>, k_points> crashed{};
    std::array<std::uint64_t, k_faults> fault_times{};  // without regard to stages
    std::uint64_t seeds = 0;
    std::uint64_t orders = 0;
    std::uint64_t delivered = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t cancelled = 0;
    std::uint64_t issued = 0;
    std::uint64_t revoked = 0;
    std::uint64_t left_unknowable = 0;  // live certificates that no connector can know of
    std::uint64_t frozen = 0;
    std::uint64_t tripped = 0;
    std::uint64_t ledger_calls = 0;
    std::uint64_t simulated_seconds = 0;
    std::map<std::string, std::map<std::string, std::uint64_t>> attacks;  // art, how the order ended, how often

    void add(const Tally& other);
    [[nodiscard]] std::string table() const;
    // The empty cells that a run of 20,000 seeds must not have.
    [[nodiscard]] std::vector<std::string> holes() const;
    [[nodiscard]] std::string attack_table() const;
};

}  // namespace connector::sim
