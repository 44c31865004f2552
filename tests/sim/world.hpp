// A world: one scenario lived through, from the first order to rest. It owns time, service, authorities and connectors,
// plays the operator and the faults that come by themselves, and stops at the first broken invariant.
// One thread; nothing outside the scenario decides anything.
#pragma once

#include "tests/sim/attacker.hpp"
#include "tests/sim/authority.hpp"
#include "tests/sim/judge.hpp"
#include "tests/sim/labels.hpp"
#include "tests/sim/people.hpp"
#include "tests/sim/process.hpp"
#include "tests/sim/random.hpp"
#include "tests/sim/scenario.hpp"
#include "tests/sim/service.hpp"
#include "tests/sim/tally.hpp"
#include "tests/sim/timeline.hpp"

#include <boost/asio/io_context.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace connector::sim {

// What happened, as one hash and, where asked for, as text.
class Trace {
public:
    Trace(const Timeline& timeline, bool keep) : timeline_(timeline), keep_(keep) {}
    void line(std::string_view text);
    [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
    [[nodiscard]] const std::vector<std::string>& lines() const noexcept { return lines_; }

private:
    const Timeline& timeline_;
    bool keep_;
    std::uint64_t hash_ = 14695981039346656037ULL;
    std::vector<std::string> lines_;
};

struct Outage {
    Fault what;             // service_down, authority_down, disk_full, disk_io_error
    std::size_t which = 0;  // authority or connector
    Tick from;
    Tick to;
};

class World {
public:
    // `directory`: empty, in memory-backed storage; one folder for each connector is made in it.
    World(const Scenario& the_scenario, std::filesystem::path directory, bool keep_trace);
    World(const World&) = delete;
    World& operator=(const World&) = delete;
    ~World();

    void run();

    [[nodiscard]] Tick epoch() const noexcept { return {}; }
    // The true time; a connector's own clock may differ.
    [[nodiscard]] UtcTime utc(Tick when) const;
    // The devices' authority makes other certificates as well: theirs carry a mark.
    [[nodiscard]] bool marks_devices() const { return attacker && (scenario.seed & 2U) != 0; }
    [[nodiscard]] bool troubled() const { return timeline.now() < troubled_until_; }
    [[nodiscard]] bool is_down(Fault what, std::size_t which) const;
    // Something happened that is no idle look: time is not to be jumped over at once.
    void active() noexcept { active_at_ = timeline.now(); }
    void hit_holders(const SimService::Order& order, Fault fault);
    // For the sweep: true for the one call that is to fail.
    [[nodiscard]] bool sweeps(std::uint64_t kind);
    [[nodiscard]] bool ending() const noexcept { return ending_; }
    void note_held(const Connector& connector, const RequestId& id);
    // A limit has stopped something: the operator lets it go on after a while.
    void note_tripped(Connector& connector);
    void note_clock_held(const Connector& connector);
    void begin(const Outage& outage) { outages_.push_back(outage); }
    void end(Fault what);

    const Scenario scenario;
    boost::asio::io_context io;
    Timeline timeline;
    Trace trace;
    Tally tally;
    Labels labels;
    Random random;
    Judge judge;
    SimService service;
    std::vector<std::unique_ptr<SimAuthority>> authorities;
    std::vector<std::unique_ptr<Connector>> connectors;
    LabelSealer sealer;
    LabelKeys keys;
    People people;
    std::unique_ptr<Attacker> attacker;                             // null: the service is honest
    std::map<Bytes, std::pair<std::size_t, RequestId>> csr_owners;  // as committed
    std::uint64_t sweep_calls = 0;
    // Looked at whenever something may have happened: a path's own events (withdraw now, cancel now).
    std::function<void(World&)> watch;

private:
    void make_authorities();
    void make_orders();
    void make_connectors();
    void plan_faults();
    void plan_crashes();
    void start(Connector& connector);
    void reap();
    void jump();
    [[nodiscard]] Tick horizon() const;
    [[nodiscard]] std::optional<Tick> next_renewal() const;
    [[nodiscard]] bool at_rest();
    void drive_out();
    void operate(std::size_t connector, const RequestId& id, bool approve);
    void block(const DeviceId& device);
    void freeze(std::size_t connector, std::vector<request::Kind> kinds, std::chrono::seconds lasts);
    void thaw(std::size_t connector);
    void accept_clock(std::size_t connector);

    std::filesystem::path directory_;
    Tick troubled_until_;
    Tick deadline_;
    Tick active_at_{};
    std::vector<Outage> outages_;
    std::size_t held_ = 0;  // operator's acts that are still to come
    bool ending_ = false;
};

}  // namespace connector::sim
