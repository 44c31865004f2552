// One life of one connector: the real engine on simulated ports. It ends by a crash (die), by SIGTERM (stop), or at the
// end of the world. After die() nothing of it reaches the world any more: every port answers an error without effect,
// so that the engine's coroutines run out in a sealed box and everything they hold is destroyed. Connector is what
// outlives a process: the state directory, the wall clock, and what the judge remembers of it.
#pragma once

#include "core/engine/engine.hpp"
#include "tests/sim/labels.hpp"
#include "tests/sim/ledger.hpp"
#include "tests/sim/tally.hpp"
#include "tests/sim/timeline.hpp"

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace connector::sim {

class World;
class Process;

struct CrashPlan {
    std::optional<Point> point;  // nullopt: any
    Moment moment = Moment::before;
    std::uint64_t countdown = 1;
};

struct Connector {
    std::size_t index = 0;
    std::filesystem::path directory;
    std::chrono::seconds wall_offset{0};
    unsigned lives = 0;
    std::unique_ptr<Process> process;  // null while it is down
    std::vector<CrashPlan> crashes;
    // The judge's.
    Tick disturbed{};  // the last fault that could delay its work
    std::set<std::uint64_t> sequences;
    std::map<DeviceId, Sha256> pins;
    std::set<DeviceId> blocked;
    std::set<std::pair<DeviceId, Sha256>> approved;
    std::vector<request::MeterUse> meters_at_crash;
    UtcTime crashed_at;
    bool meters_known = false;
    std::vector<request::Stop> stops_at_crash;
    bool thawed_since = false;       // the operator has, since they were noted
    std::set<request::Kind> frozen;  // durably
    std::map<RequestId, std::set<std::string>> votes;
    std::map<std::string, std::vector<std::pair<UtcTime, std::string>>> counted;  // by meter: when, what
};

// Simulated network, as one call meets it.
struct Fate {
    std::chrono::nanoseconds there{};
    std::chrono::nanoseconds back{};
    bool request_lost = false;
    bool reply_lost = false;
    bool duplicated = false;
    bool dies_after = false;  // the sweep's
    std::optional<Error> status;
};

class Process final : public ports::Clock {
public:
    Process(World& the_world, Connector& the_home);
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;
    ~Process() override;

    [[nodiscard]] bool start();
    void die(std::string_view where);
    void stop();
    [[nodiscard]] bool dead() const noexcept { return dead_; }
    // Its engine has come to its end, one way or the other.
    [[nodiscard]] bool over() const noexcept { return over_; }
    [[nodiscard]] bool stopping() const noexcept { return stopping_; }
    [[nodiscard]] const engine::Engine& engine() const { return *engine_; }
    // For the operator, as the control socket has it.
    [[nodiscard]] engine::Context& context() { return engine_->context(); }

    UtcTime utc() const override;
    Tick tick() const override;
    boost::asio::awaitable<void> wait_until(Tick when) override;

    // Counts an await point; true where the process ends here (it is dead when this returns).
    [[nodiscard]] bool ends_at(Point point, Moment moment);
    void hit(Fault fault);
    [[nodiscard]] boost::asio::awaitable<void> pause(std::chrono::nanoseconds how_long,
                                                     Timeline::Weight weight = Timeline::Weight::event);
    [[nodiscard]] std::string name() const;
    // The service has told it that these leases are lost.
    void is_told(const std::vector<LeaseId>& lost);

    World& world;
    Connector& home;
    // The judge's: when the service told it that a lease is lost of an order that had not been submitted.
    std::map<RequestId, Tick> told_lost;
    std::set<request::Kind> frozen;  // by the operator, since it was said to this process

private:
    friend class SimLedger;
    class Events;
    class Pool;
    class Management;
    class Packages;
    class Keys;
    class Opener;
    class AuthorityPort;
    class Silence;

    [[nodiscard]] engine::Rules rules() const;
    [[nodiscard]] boost::asio::awaitable<void> lead();

    const unsigned number_;
    bool dead_ = false;
    bool over_ = false;
    bool stopping_ = false;
    Random random_;
    LabelCrypto crypto_;
    SimLedger ledger_;
    std::unique_ptr<Events> events_;
    std::unique_ptr<Pool> pool_;
    std::unique_ptr<Management> management_;
    std::unique_ptr<Packages> packages_;
    std::unique_ptr<Keys> keys_;
    std::unique_ptr<Opener> opener_;
    std::unique_ptr<Silence> silence_;
    std::vector<std::unique_ptr<AuthorityPort>> authorities_;
    std::unique_ptr<engine::Engine> engine_;

public:
    [[nodiscard]] SimLedger& ledger() noexcept { return ledger_; }
    [[nodiscard]] bool has_open(const RequestId& id) const { return ledger_.is_open(id); }
};

}  // namespace connector::sim
