#include "tests/sim/world.hpp"

#include "storage/schema.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace connector::sim {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using request::Stage;

void Trace::line(std::string_view text) {
    const auto when = std::to_string(timeline_.now().time_since_epoch() / 1us);
    for (const auto part : {std::string_view(when), text})
        for (const char c : part) hash_ = (hash_ ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
    if (keep_) lines_.push_back(when.substr(0, when.size() < 4 ? 0 : when.size() - 3) + " ms  " + std::string(text));
}

World::World(const Scenario& the_scenario, fs::path directory, bool keep_trace)
    : scenario(the_scenario),
      io(1),
      timeline(io),
      trace(timeline, keep_trace),
      random(scenario.seed ^ 0x5DEECE66DULL),
      judge(*this),
      service(*this, random.fork(1), std::chrono::seconds{scenario.lease_seconds}),
      sealer(scenario.seed),
      keys(labels),
      people(labels, utc({})),
      directory_(std::move(directory)),
      troubled_until_(Tick{} + std::chrono::seconds{scenario.faults_until}),
      deadline_(troubled_until_ + 24h * 6) {
    fs::create_directories(directory_);
    make_authorities();
    make_orders();
    make_connectors();
    plan_faults();
    plan_crashes();
}

World::~World() {
    for (auto& connector : connectors) connector->process.reset();
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
}

UtcTime World::utc(Tick when) const {
    constexpr UtcTime k_start{std::chrono::seconds{1790000000}};
    return k_start + std::chrono::floor<std::chrono::seconds>(when.time_since_epoch());
}

bool World::is_down(Fault what, std::size_t which) const {
    const Tick now = timeline.now();
    return std::any_of(outages_.begin(), outages_.end(), [&](const Outage& outage) {
        return outage.what == what && outage.which == which && outage.from <= now && now < outage.to;
    });
}

void World::end(Fault what) {
    for (auto& outage : outages_)
        if (outage.what == what) outage.to = std::min(outage.to, timeline.now());
    active();
}

void World::hit_holders(const SimService::Order& order, Fault fault) {
    for (const auto holder : order.holders) {
        auto* process = connectors[holder]->process.get();
        if (process != nullptr && process->has_open(order.request.id)) process->hit(fault);
    }
}

bool World::sweeps(std::uint64_t kind) {
    if (scenario.sweep_step == 0 || kind != scenario.sweep_kind) return false;
    return ++sweep_calls == scenario.sweep_step;
}

// --- how it begins ---

void World::make_authorities() {
    for (std::uint64_t i = 0; i < scenario.authorities; ++i) {
        SimAuthority::Options options;
        options.name = "ca" + std::to_string(i);
        options.finds = ((scenario.finds >> i) & 1U) != 0;
        options.revokes = ((scenario.revokes >> i) & 1U) != 0;
        options.idempotent = ((scenario.idempotent >> i) & 1U) != 0;
        options.repeats = !options.finds && ((scenario.repeats >> i) & 1U) != 0;
        options.bare = ((scenario.bare >> i) & 1U) != 0;
        options.verdicts = scenario.authority_verdicts;
        options.lease = std::chrono::seconds{scenario.lease_seconds};
        options.pending = std::chrono::seconds{scenario.pending};
        authorities.push_back(std::make_unique<SimAuthority>(labels, random.fork(20 + i), std::move(options), utc({})));
    }
}

void World::make_orders() {
    Random dice = random.fork(2);
    const std::size_t count = 1 + scenario.requests / 3;
    for (std::size_t i = 0; i < count; ++i) people.add(dice);
    if (scenario.attacks != 0) {
        if (scenario.unsigned_imports == 0) people.sign_imports();
        attacker = std::make_unique<Attacker>(*this, random.fork(7));
    }
    std::uint64_t number = 0;
    const auto quirk = [&] { return dice.chance(static_cast<unsigned>(scenario.quirks)); };
    for (std::uint64_t i = 0; i < scenario.requests; ++i) {
        const auto& holder = people.holders()[dice.below(people.holders().size())];
        SimService::Order order;
        order.arrives =
            Tick{} + std::chrono::milliseconds{dice.between(0, static_cast<std::int64_t>(scenario.faults_until) * 700)};
        order.request.id = *RequestId::parse("r" + std::to_string(++number));
        order.request.created_at = utc(order.arrives);
        order.request.user = holder.user;
        order.request.device = holder.device;
        if (dice.chance(static_cast<unsigned>(scenario.key_changes)))
            order.request.device.recipient_certificate = holder.other_certificate;
        if (dice.chance(static_cast<unsigned>(scenario.imports))) {
            order.request.order = request::DeliverImported{request::Purpose::smime_encryption, {}, {}};
        } else {
            request::Issue issue;
            issue.profile.authority = "ca" + std::to_string(dice.below(scenario.authorities));
            issue.profile.subject = "CN={{UserPrincipalName}}";
            issue.profile.subject_alt_names = {{request::SanType::email, "{{UserPrincipalName}}"}};
            order.request.order = std::move(issue);
        }
        order.unreadable = quirk() && dice.chance(scenario.rare_stages != 0 ? 900 : 500);
        order.changes = quirk();
        order.rejects = quirk() && dice.chance(400);
        const Tick later = order.arrives + std::chrono::seconds{dice.between(1, 60)};
        const auto index = service.orders().size();
        if (quirk()) timeline.at(later, [this, index] { service.take_back(index); });
        if (quirk() && dice.chance(500)) timeline.at(later + 5s, [this, index] { service.cancel(index); });
        const bool withdrawn = dice.chance(static_cast<unsigned>(scenario.withdraws));
        service.add(order);
        if (!withdrawn) continue;
        SimService::Order withdraw;
        withdraw.arrives = order.arrives + std::chrono::milliseconds{dice.between(10, 120000)};
        withdraw.request = order.request;
        withdraw.request.id = *RequestId::parse("r" + std::to_string(++number));
        withdraw.request.created_at = utc(withdraw.arrives);
        withdraw.request.order = request::Withdraw{"unenrolled"};
        service.add(std::move(withdraw));
    }
}

void World::make_connectors() {
    // Migrated once for all worlds of a runner: opening it is part of every test, building the tables is not.
    const fs::path folder = directory_.parent_path() / "template";
    const fs::path migrated = folder / "connector.db";
    if (!fs::exists(migrated)) {
        const auto lock = storage::InstanceLock::acquire(folder, storage::InstanceLock::Holder::daemon);
        if (!lock) judge.broken("a state directory can be made", lock.error().message);
        if (lock) {
            const auto made = storage::SqliteLedger::open(*lock, sealer, [](std::string_view, std::string_view) {});
            if (!made) judge.broken("a ledger can be made", made.error().message);
        }
    }
    for (std::uint64_t i = 0; i < scenario.connectors; ++i) {
        auto connector = std::make_unique<Connector>();
        connector->index = i;
        connector->directory = directory_ / ("c" + std::to_string(i));
        fs::create_directory(connector->directory);
        fs::permissions(connector->directory, fs::perms::owner_all);
        fs::copy_file(migrated, connector->directory / "connector.db");
        connectors.push_back(std::move(connector));
    }
}

// --- what comes by itself ---

void World::plan_faults() {
    Random dice = random.fork(3);
    const auto moment = [&] {
        return Tick{} +
               std::chrono::milliseconds{dice.between(100, static_cast<std::int64_t>(scenario.faults_until) * 1000)};
    };
    for (std::uint64_t i = 0; i < scenario.outages; ++i) {
        Outage outage;
        outage.from = moment();
        outage.to = std::min(troubled_until_,
                             outage.from + std::chrono::seconds{dice.between(5, dice.chance(200) ? 3600 : 240)});
        switch (dice.below(4)) {
            case 0: outage.what = Fault::service_down; break;
            case 1:
                outage.what = Fault::authority_down;
                outage.which = dice.below(scenario.authorities);
                break;
            case 2:
                outage.what = Fault::disk_full;
                outage.which = dice.below(scenario.connectors);
                break;
            default:
                outage.what = Fault::disk_io_error;
                outage.which = dice.below(scenario.connectors);
                break;
        }
        timeline.at(outage.to, [this] { active(); });
        outages_.push_back(outage);
    }
    for (std::uint64_t i = 0; i < scenario.stops; ++i) {
        const auto which = dice.below(scenario.connectors);
        timeline.at(moment(), [this, which] {
            if (connectors[which]->process) connectors[which]->process->stop();
        });
    }
    for (std::uint64_t i = 0; i < scenario.clock_jumps; ++i) {
        auto* connector = connectors[dice.below(scenario.connectors)].get();
        const bool back = dice.chance(500);
        const auto far = dice.chance(500) ? std::chrono::hours{dice.between(1, 48)}
                                          : std::chrono::hours{24 * dice.between(30, 1000)};
        timeline.at(moment(), [this, connector, back, far] {
            trace.line("the clock of c" + std::to_string(connector->index) + (back ? " falls back " : " jumps ahead ") +
                       std::to_string(far.count()) + " h");
            connector->wall_offset += back ? -far : far;
            if (connector->process) connector->process->hit(back ? Fault::clock_back : Fault::clock_forward);
            active();
        });
    }
    timeline.at(troubled_until_, [this] {
        trace.line("the faults stop");
        for (auto& connector : connectors) {
            connector->disturbed = timeline.now();
            if (connector->wall_offset != 0s && connector->process)
                connector->process->hit(connector->wall_offset > 0s ? Fault::clock_back : Fault::clock_forward);
            connector->wall_offset = 0s;
        }
        active();
    });
    Random button = random.fork(6);
    for (std::uint64_t i = 0; i < scenario.freezes; ++i) {
        const auto which = button.below(scenario.connectors);
        const auto when = Tick{} + std::chrono::milliseconds{
                                       button.between(100, static_cast<std::int64_t>(scenario.faults_until) * 1000)};
        auto kinds = request::all_kinds();
        if (button.chance(600)) kinds = {kinds[button.below(kinds.size())]};
        const auto lasts = std::chrono::seconds{button.between(3, 1200)};
        timeline.at(when, [this, which, kinds, lasts] { freeze(which, kinds, lasts); });
    }
    for (std::uint64_t i = 0; i < scenario.blocks && !service.orders().empty(); ++i) {
        const DeviceId device = service.orders()[dice.below(service.orders().size())].request.device.id;
        timeline.at(moment(), [this, device] { block(device); });
    }
}

void World::plan_crashes() {
    Random dice = random.fork(4);
    for (std::uint64_t i = 0; i < scenario.crashes; ++i) {
        CrashPlan plan;
        if (dice.chance(600)) plan.point = static_cast<Point>(dice.below(k_points));
        plan.moment = dice.chance(500) ? Moment::before : Moment::after;
        plan.countdown =
            static_cast<std::uint64_t>(plan.point ? dice.between(1, dice.chance(500) ? 3 : 20) : dice.between(1, 600));
        connectors[dice.below(scenario.connectors)]->crashes.push_back(plan);
    }
    constexpr std::array k_rare{
        Point::ledger_accept_unreadable, Point::ledger_put_back, Point::ledger_get,      Point::ledger_open_of,
        Point::ledger_mark_revoked,      Point::ledger_count,    Point::authority_poll,  Point::authority_find,
        Point::authority_revoke,         Point::imports_fetch,   Point::management_renew};
    for (std::uint64_t i = 0; i < scenario.rare_crashes; ++i) {
        CrashPlan plan;
        plan.point = k_rare[dice.below(k_rare.size())];
        plan.moment = dice.chance(500) ? Moment::before : Moment::after;
        plan.countdown = 1;
        connectors[dice.below(scenario.connectors)]->crashes.push_back(plan);
    }
}

void World::block(const DeviceId& device) {
    trace.line("the operator blocks " + device.text());
    for (auto& connector : connectors) {
        auto* process = connector->process.get();
        if (process == nullptr || process->dead() || process->ledger().file() == nullptr) continue;
        process->hit(Fault::blocked);
        const auto done =
            process->ledger().file()->block({trust::BlockedThing::device, device.text(), "root", process->utc()});
        if (!done) judge.broken("a device can be blocked", done.error().message);
        connector->blocked.insert(device);
    }
}

// As the control socket does it: in memory first, then in the ledger.
void World::freeze(std::size_t index, std::vector<request::Kind> kinds, std::chrono::seconds lasts) {
    auto& connector = *connectors[index];
    auto* process = connector.process.get();
    if (process == nullptr || process->dead() || process->ledger().file() == nullptr) {
        timeline.at(timeline.now() + 1s, [this, index, kinds, lasts] { freeze(index, kinds, lasts); });
        return;
    }
    trace.line("the operator freezes c" + std::to_string(index));
    ++tally.frozen;
    auto& context = process->context();
    for (const auto kind : kinds) {
        request::Stop stop;
        stop.kind = kind;
        stop.by = "root";
        stop.since = process->utc();
        context.stopping.unwritten.push_back(stop);
        process->frozen.insert(kind);
    }
    context.stops_are(context.stopping.stops);
    active();
    timeline.at(timeline.now() + lasts, [this, index] { thaw(index); });
}

void World::thaw(std::size_t index) {
    auto& connector = *connectors[index];
    auto* process = connector.process.get();
    if (process == nullptr || process->dead() || process->ledger().file() == nullptr ||
        is_down(Fault::disk_full, index) || is_down(Fault::disk_io_error, index) ||
        !process->context().stopping.unwritten.empty()) {
        timeline.at(timeline.now() + 1s, [this, index] { thaw(index); });
        return;
    }
    trace.line("the operator thaws c" + std::to_string(index));
    const auto done = process->ledger().file()->thaw(request::all_kinds(), process->utc());
    if (!done) judge.broken("what is stopped can be thawed", done.error().message);
    process->context().stops_are({});
    process->frozen.clear();
    connector.frozen.clear();
    connector.thawed_since = true;
    active();
}

void World::note_tripped(Connector& connector) {
    ++tally.tripped;
    Random dice = random.fork(
        digest_of("tripped", bytes_of(std::to_string(timeline.now().time_since_epoch().count()))).octets[0]);
    timeline.at(timeline.now() + std::chrono::seconds{dice.between(5, 3000)},
                [this, index = connector.index] { thaw(index); });
}

// A clock that fell back by more than a day stays so here: a person says that it is right.
void World::note_clock_held(const Connector& connector) {
    Random dice =
        random.fork(digest_of("clock", bytes_of(std::to_string(timeline.now().time_since_epoch().count()))).octets[0]);
    timeline.at(timeline.now() + std::chrono::seconds{dice.between(5, 3000)},
                [this, index = connector.index] { accept_clock(index); });
}

void World::accept_clock(std::size_t index) {
    auto* process = connectors[index]->process.get();
    if (process == nullptr || process->dead() || process->ledger().file() == nullptr ||
        is_down(Fault::disk_full, index) || is_down(Fault::disk_io_error, index)) {
        timeline.at(timeline.now() + 1s, [this, index] { accept_clock(index); });
        return;
    }
    trace.line("the operator accepts the clock of c" + std::to_string(index));
    const auto done = process->ledger().file()->accept_time(process->utc());
    if (!done) judge.broken("a clock can be accepted", done.error().message);
    // As the command does: what comes after it is told anew.
    process->context().clock_floor.noted(process->utc());
    process->context().clock_floor.told = engine::ClockFloor::State::good;
    active();
}

// What waits for a person: let go after a while, or left until the hold is over.
void World::note_held(const Connector& connector, const RequestId& id) {
    Random dice = random.fork(
        digest_of("held", bytes_of(id.text() + std::to_string(timeline.now().time_since_epoch().count()))).octets[0]);
    ++held_;
    timeline.at(timeline.now() + std::chrono::seconds{dice.between(5, 5000)},
                [this, index = connector.index, id, approve = dice.chance(700) || scenario.approve_all != 0] {
                    operate(index, id, approve);
                });
}

void World::operate(std::size_t index, const RequestId& id, bool approve) {
    auto& connector = *connectors[index];
    auto* process = connector.process.get();
    if (process == nullptr || process->dead() || process->ledger().file() == nullptr) {
        timeline.at(timeline.now() + 60s, [this, index, id, approve] { operate(index, id, approve); });
        return;
    }
    --held_;
    auto& file = *process->ledger().file();
    const auto found = file.get(id);
    if (!approve || !found || !*found || (*found)->stage != Stage::held) return;
    const auto& device = (*found)->request.device;
    const auto* facts = labels.certificate(device.recipient_certificate);
    if (facts == nullptr) return;
    // Whoever approves has looked whose device it is.
    if (attacker && !people.is_of(facts->key.spki_sha256, (*found)->request.user, device.id)) return;
    const auto now = process->utc();
    const auto approved = file.approve({(*found)->request.user.id, (*found)->request.user.user_principal_name,
                                        device.id, facts->key.spki_sha256, "root", now, now + 24h * 7});
    if (!approved) return;
    connector.approved.insert({device.id, facts->key.spki_sha256});
    const auto about = digest_of("sha256", bytes_of((*found)->held_detail));
    for (const auto* who : {"root", "second"}) {
        if (std::string_view(who) == "second" && scenario.protects < 2) continue;
        const auto voted =
            file.vote({id, about, who, (*found)->order_hash, facts->key.spki_sha256, now, now + 24h * 7});
        if (!voted) return;
        connector.votes[id].insert(who);
    }
    ports::Commit commit;
    commit.record = request::after(std::move(**found), request::Outcome(request::Released{}), {}, now, 0.0);
    trace.line("the operator lets " + id.text() + " go on");
    process->ledger().act(commit);
    active();
}

// --- how it runs ---

void World::start(Connector& connector) {
    connector.process = std::make_unique<Process>(*this, connector);
    active();
    if (!connector.process->start()) return;  // a broken invariant, noted
    // A first use within a window is taken as it comes: that is what an operator opens it for.
    if (connector.lives != 1 || scenario.binding != 1 || (scenario.seed & 1U) != 0 || attacker) return;
    const auto now = connector.process->utc();
    const auto opened = connector.process->ledger().file()->open_window({now, now + 1h, 1, 0, "root"});
    if (!opened) judge.broken("an enrolment window can be opened", opened.error().message);
}

void World::reap() {
    for (auto& connector : connectors) {
        if (!connector->process || !connector->process->over()) continue;
        connector->process.reset();
        trace.line("c" + std::to_string(connector->index) + " is down");
        if (ending_) continue;
        Random dice = random.fork(500 + connector->index * 100 + connector->lives);
        auto* which = connector.get();
        timeline.at(timeline.now() + std::chrono::milliseconds{dice.between(100, 60000)},
                    [this, which] { start(*which); });
    }
}

// When a connector that lives and still works on an order ought to look after its lease again; one that the service
// does not hear, now and then.
std::optional<Tick> World::next_renewal() const {
    std::optional<Tick> next;
    const bool service_up = !is_down(Fault::service_down, 0);
    for (const auto& order : service.orders()) {
        if (order.state != SimService::State::leased) continue;
        auto* process = connectors[order.holder]->process.get();
        if (process == nullptr || process->dead()) continue;
        const auto& shadow = process->ledger().shadow();
        const auto record = shadow.find(order.request.id);
        if (record == shadow.end() || record->second.rests() || record->second.lease != order.lease) continue;
        const Tick due = order.lease_granted + (order.lease_ends - order.lease_granted) * 2 / 3;
        const Tick when = service_up ? std::max(due, timeline.now()) : std::max(due, timeline.now() + 20s);
        if (!next || when < *next) next = when;
    }
    return next;
}

Tick World::horizon() const {
    const Tick now = timeline.now();
    Tick until = now + (held_ != 0 ? 10min : 60min);
    if (const auto event = timeline.next_event()) until = std::min(until, *event);
    for (const auto& connector : connectors) {
        if (!connector->process || connector->process->dead()) continue;
        const auto& process = *connector->process;
        if (process.stopping()) return now;
        const auto& status = process.engine().context().status;
        if (status.ledger.state == engine::Check::State::down) continue;
        const auto utc_now = process.utc();
        const bool stopped = !process.engine().context().stopping.stops.empty();
        for (const auto& [id, record] : connector->process->ledger().shadow()) {
            if (record.rests() || record.stage == Stage::held) continue;
            if (status.in_flight.contains(id)) continue;
            // What is stopped is due and waits all the same.
            if (record.due_at <= utc_now && stopped) {
                until = std::min(until, now + 30s);
                continue;
            }
            if (record.due_at <= utc_now) return now;
            until = std::min(until, now + (record.due_at - utc_now));
        }
    }
    if (const auto renewal = next_renewal()) until = std::min(until, *renewal);
    return until;
}

void World::jump() {
    constexpr auto k_round = 1010ms;  // every room has looked once
    if (timeline.now() - active_at_ < k_round) return;
    const Tick until = horizon();
    if (until <= timeline.now() + k_round) return;
    timeline.jump(until);
    // Whoever would call a service that is down has to find that out: what he cannot do is then no fault of his.
    if (is_down(Fault::service_down, 0)) active();
}

bool World::at_rest() {
    if (troubled() || !service.all_over()) return false;
    return std::all_of(connectors.begin(), connectors.end(), [](const auto& connector) {
        if (!connector->process || connector->process->dead() || connector->process->stopping()) return false;
        const auto& shadow = connector->process->ledger().shadow();
        return std::all_of(shadow.begin(), shadow.end(), [](const auto& entry) { return entry.second.rests(); });
    });
}

void World::run() {
    for (auto& connector : connectors) start(*connector);
    for (;;) {
        io.restart();
        io.poll();
        reap();
        if (watch) watch(*this);
        if (!judge.violations().empty() || at_rest()) break;
        if (timeline.now() > deadline_) {
            std::string open;
            for (const auto& order : service.orders())
                if (order.state != SimService::State::ended && order.state != SimService::State::cancelled)
                    open += " " + order.request.id.text() + " waits at the service,";
            for (const auto& connector : connectors)
                if (connector->process)
                    for (const auto& [id, record] : connector->process->ledger().shadow())
                        if (!record.rests())
                            open += " " + id.text() + " is " + std::string(to_string(record.stage)) + " in c" +
                                    std::to_string(connector->index) + ",";
            judge.broken("everything comes to rest once the faults stop", "after six days:" + open);
            break;
        }
        jump();
        if (!timeline.advance()) {
            judge.broken("everything comes to rest once the faults stop", "nothing more happens");
            break;
        }
    }
    if (judge.violations().empty()) judge.at_the_end();
    tally.seeds = 1;
    tally.simulated_seconds = static_cast<std::uint64_t>(timeline.now().time_since_epoch() / 1s);
    drive_out();
}

// Every coroutine comes to its end before the world does.
void World::drive_out() {
    ending_ = true;
    for (auto& connector : connectors)
        if (connector->process) connector->process->die("the world ends");
    constexpr int k_most_rounds = 100000;
    for (int round = 0; round < k_most_rounds; ++round) {
        io.restart();
        io.poll();
        reap();
        const bool all = std::all_of(connectors.begin(), connectors.end(),
                                     [](const auto& connector) { return !connector->process; });
        if (all) return;
        if (!timeline.advance()) break;
    }
    judge.broken("the engine ends when it is told to", "it does not");
    std::fprintf(stderr, "SEED %llu: the engine does not end when it is told to\n",
                 static_cast<unsigned long long>(scenario.seed));
    std::abort();
}

}  // namespace connector::sim
