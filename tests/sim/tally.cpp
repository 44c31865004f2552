#include "tests/sim/tally.hpp"

#include <algorithm>
#include <cstdio>

namespace connector::sim {
namespace {

using request::Stage;

template <std::size_t N, std::size_t M>
void add_all(std::array<std::array<std::uint64_t, M>, N>& to, const std::array<std::array<std::uint64_t, M>, N>& from) {
    for (std::size_t i = 0; i < N; ++i)
        for (std::size_t j = 0; j < M; ++j) to[i][j] += from[i][j];
}

std::string padded(std::string_view text, int width) {
    std::string cell(text);
    const auto wide = static_cast<std::size_t>(width < 0 ? -width : width);
    while (cell.size() < wide) width < 0 ? cell.push_back(' ') : static_cast<void>(cell.insert(cell.begin(), ' '));
    return cell;
}
std::string padded(std::uint64_t number, int width) {
    return padded(std::to_string(number), width);
}

}  // namespace

std::string_view to_string(Point point) noexcept {
    static constexpr std::array<std::string_view, k_points + 1> k_names{"ledger.accept",
                                                                        "ledger.accept_unreadable",
                                                                        "ledger.save",
                                                                        "ledger.take",
                                                                        "ledger.put_back",
                                                                        "ledger.recover",
                                                                        "ledger.pull_back",
                                                                        "ledger.outbox",
                                                                        "ledger.get",
                                                                        "ledger.page",
                                                                        "ledger.open_of",
                                                                        "ledger.open_leases",
                                                                        "ledger.counts",
                                                                        "ledger.purge",
                                                                        "ledger.look_up",
                                                                        "ledger.mark_revoked",
                                                                        "ledger.meters",
                                                                        "ledger.count",
                                                                        "ledger.next_sequence",
                                                                        "ledger.expiring_imports",
                                                                        "ledger.current_import",
                                                                        "ledger.votes",
                                                                        "ledger.freeze",
                                                                        "management.lease",
                                                                        "management.renew",
                                                                        "management.report",
                                                                        "management.heartbeat",
                                                                        "imports.fetch",
                                                                        "authority.submit",
                                                                        "authority.poll",
                                                                        "authority.find",
                                                                        "authority.revoke",
                                                                        "offload",
                                                                        "clock",
                                                                        "ledger.other"};
    return k_names[static_cast<std::size_t>(point)];
}

std::string_view to_string(Fault fault) noexcept {
    static constexpr std::array<std::string_view, k_faults> k_names{"request lost",
                                                                    "reply lost",
                                                                    "duplicated",
                                                                    "reordered",
                                                                    "401",
                                                                    "409",
                                                                    "429",
                                                                    "500",
                                                                    "503",
                                                                    "answer too large",
                                                                    "batch refused",
                                                                    "lease ran out",
                                                                    "lease stolen",
                                                                    "unreadable",
                                                                    "order changed",
                                                                    "cancelled",
                                                                    "superseded",
                                                                    "duplicate",
                                                                    "rejected",
                                                                    "service down",
                                                                    "authority down",
                                                                    "authority slow",
                                                                    "authority pending",
                                                                    "authority refused",
                                                                    "authority 401",
                                                                    "submission lost",
                                                                    "issued, reply lost",
                                                                    "wrong certificate",
                                                                    "disk full",
                                                                    "I/O error",
                                                                    "disk busy",
                                                                    "crash",
                                                                    "stop",
                                                                    "clock forward",
                                                                    "clock back",
                                                                    "blocked",
                                                                    "withdrawn"};
    return k_names[static_cast<std::size_t>(fault)];
}

void Tally::add(const Tally& other) {
    add_all(faults, other.faults);
    add_all(passed, other.passed);
    add_all(crashed, other.crashed);
    for (std::size_t i = 0; i < k_faults; ++i) fault_times[i] += other.fault_times[i];
    seeds += other.seeds;
    orders += other.orders;
    delivered += other.delivered;
    completed += other.completed;
    failed += other.failed;
    cancelled += other.cancelled;
    issued += other.issued;
    revoked += other.revoked;
    left_unknowable += other.left_unknowable;
    frozen += other.frozen;
    tripped += other.tripped;
    ledger_calls += other.ledger_calls;
    simulated_seconds += other.simulated_seconds;
    for (const auto& [art, ends] : other.attacks)
        for (const auto& [end, times] : ends) attacks[art][end] += times;
}

std::string Tally::table() const {
    std::string text = "Stage × fault: how often a fault came while a record stood in that stage\n" + padded("", -20) +
                       padded("times", 9);
    for (std::size_t stage = 0; stage < k_stages; ++stage) {
        text += padded(request::to_string(static_cast<Stage>(stage)), 13);
    }
    text += "\n";
    for (std::size_t fault = 0; fault < k_faults; ++fault) {
        text += padded(to_string(static_cast<Fault>(fault)), -20) + padded(fault_times[fault], 9);
        for (std::size_t stage = 0; stage < k_stages; ++stage) text += padded(faults[stage][fault], 13);
        text += "\n";
    }
    text += "\nAwait point × crash\n" + padded("", -26) + padded("passed", 12) + padded("crash before", 14) +
            padded("crash after", 14) + "\n";
    for (std::size_t point = 0; point < k_points; ++point)
        text += padded(to_string(static_cast<Point>(point)), -26) + padded(passed[point][0], 12) +
                padded(crashed[point][0], 14) + padded(crashed[point][1], 14) + "\n";
    text += "\n" + std::to_string(seeds) + " seeds: " + std::to_string(orders) + " orders, " +
            std::to_string(delivered) + " delivered, " + std::to_string(completed) + " completed, " +
            std::to_string(failed) + " failed, " + std::to_string(cancelled) + " cancelled by the service; " +
            std::to_string(issued) + " certificates issued, " + std::to_string(revoked) + " revoked, " +
            std::to_string(left_unknowable) + " live ones that no connector can know of; frozen " +
            std::to_string(frozen) + " times, tripped " + std::to_string(tripped) + " times; " +
            std::to_string(ledger_calls) + " ledger calls, " + std::to_string(simulated_seconds / 3600) +
            " simulated hours\n";
    return text;
}

std::string Tally::attack_table() const {
    std::string text = "What the attacker did with an order, and how it ended\n";
    for (const auto& [art, ends] : attacks) {
        text += padded(art, -52);
        for (const auto& [end, times] : ends) text += " " + end + " " + std::to_string(times);
        text += "\n";
    }
    return text;
}

std::vector<std::string> Tally::holes() const {
    std::vector<std::string> empty;
    for (std::size_t stage = 0; stage < k_stages; ++stage) {
        for (std::size_t fault = 0; fault < k_faults; ++fault)
            if (faults[stage][fault] == 0)
                empty.push_back(std::string(request::to_string(static_cast<Stage>(stage))) + " × " +
                                std::string(to_string(static_cast<Fault>(fault))));
    }
    for (std::size_t point = 0; point < k_points; ++point)
        for (const auto moment : {0U, 1U})
            if (crashed[point][moment] == 0)
                empty.push_back(std::string(to_string(static_cast<Point>(point))) + " × crash " +
                                (moment == 0 ? "before" : "after"));
    return empty;
}

}  // namespace connector::sim
