#include "tests/sweep/paths.hpp"

#include "tests/sim/world.hpp"

#include <memory>
#include <optional>
#include <utility>

namespace connector::sim {
namespace {

using namespace std::chrono_literals;
using request::Stage;

const RequestId& first() {
    static const RequestId k_first = *RequestId::parse("r1");
    return k_first;
}

// As it stands in a living connector's ledger; nullptr: in none.
const Shadow* record_of(const World& world) {
    for (const auto& connector : world.connectors) {
        if (!connector->process || connector->process->dead()) continue;
        const auto& shadow = connector->process->ledger().shadow();
        if (const auto found = shadow.find(first()); found != shadow.end()) return &found->second;
    }
    return nullptr;
}
bool stands_at(const World& world, Stage stage) {
    const auto* record = record_of(world);
    return record != nullptr && record->stage == stage;
}
bool is_issued(const World& world) {
    const auto& entries = world.authorities.front()->entries;
    return !entries.empty() && entries.front().state == SimAuthority::State::issued;
}
SimService::State state_of(const World& world) {
    return world.service.orders().front().state;
}

// Once, at the first moment at which `when` holds.
template <class When, class What>
std::function<void(World&)> at_once(When when, What what) {
    return [when, what](World& world) {
        world.watch = [when, what, done = false](World& now) mutable {
            if (done || !when(now)) return;
            done = true;
            what(now);
            now.active();
        };
    };
}

void withdraw(World& world) {
    SimService::Order order;
    order.arrives = world.timeline.now();
    order.request = world.service.orders().front().request;
    order.request.id = *RequestId::parse("r2");
    order.request.created_at = world.utc(order.arrives);
    order.request.order = request::Withdraw{"unenrolled"};
    world.service.add(std::move(order));
    world.service.keep_time();
}

// The operator's hand on the record, past the engine.
void act(World& world, const std::function<void(request::RequestRecord&)>& change) {
    for (const auto& connector : world.connectors) {
        if (!connector->process || connector->process->dead()) continue;
        auto& ledger = connector->process->ledger();
        auto found = ledger.file()->get(first());
        if (!found || !*found) continue;
        ports::Commit commit;
        commit.record = std::move(**found);
        change(commit.record);
        if (!ledger.act(commit)) world.judge.broken("the operator's act is written down", first().text());
    }
}

// The authority is dead, and once the request has got that far the service is too; a person revives what was given up.
void revive_before_the_report(World& world) {
    world.begin({Fault::authority_down, 0, Tick{}, Tick{} + 24h});
    world.watch = [step = 0](World& now) mutable {
        if (step == 0 && stands_at(now, Stage::keyed)) {
            now.begin({Fault::service_down, 0, now.timeline.now(), Tick{} + 24h});
            ++step;
        }
        const auto* record = record_of(now);
        if (step != 1 || record == nullptr || record->stage != Stage::abandoned || record->reported) return;
        ++step;
        act(now, [&now](request::RequestRecord& one) {
            one = request::after(std::move(one), request::Outcome(request::Revived{}), {}, now.utc(now.timeline.now()),
                                 0.0);
        });
        now.end(Fault::authority_down);
        // Later, so that no report which is under way just now comes through.
        now.timeline.at(now.timeline.now() + 60s, [&now] { now.end(Fault::service_down); });
    };
}

void give_up_for_good(World& world) {
    world.begin({Fault::authority_down, 0, Tick{}, Tick{} + 24h});
    world.watch = [done = false](World& now) mutable {
        if (done || state_of(now) != SimService::State::ended) return;
        done = true;
        now.end(Fault::authority_down);
    };
}

// `requests retry` of one that a worker has: its record is another one when the certificate comes.
void ask_at_once(World& world) {
    act(world, [&world](request::RequestRecord& one) {
        one = request::after(std::move(one), request::Outcome(request::Postponed{0s}), {},
                             world.utc(world.timeline.now()), 0.0);
    });
}

// No way of the engine's leads here today: its own worker keeps others off. Whatever else may close a record, a
// certificate that comes afterwards is not lost.
void close_while_it_is_issued(World& world) {
    world.watch = [done = false](World& now) mutable {
        if (done || !is_issued(now)) return;
        done = true;
        now.service.cancel(0);
        if (!stands_at(now, Stage::submitting)) return;
        act(now, [](request::RequestRecord& record) {
            record.stage = Stage::closed;
            record.outcome = "cancelled";
            record.sealed_key.clear();
        });
    };
}

std::vector<Path> make() {
    const auto leased = [](const World& world) {
        return is_issued(world) && state_of(world) == SimService::State::leased;
    };
    const auto cancel = [](World& world) { world.service.cancel(0); };
    const auto take_back = [](World& world) { world.service.take_back(0); };
    const auto about_to_submit = [](const World& world) {
        return stands_at(world, Stage::submitting) && world.authorities.front()->entries.empty();
    };
    const auto at_authority = [](const World& world) { return stands_at(world, Stage::at_authority); };
    const auto being_issued = [](const World& world) {
        return is_issued(world) && stands_at(world, Stage::submitting);
    };
    const auto accepted = [](const World& world) { return stands_at(world, Stage::accepted); };
    const auto ended = [](const World& world) { return state_of(world) == SimService::State::ended; };

    std::vector<Path> all;
    all.push_back({"pkcs.issue, authority searches", "finds=1 idempotent=0", {1, 0, 0, 0}, {18, 4, 1}, 4, 1, 0});
    all.push_back({"pkcs.issue, authority is idempotent", "binding=2 idempotent=1", {1, 0, 0, 0}, {18, 4, 1}, 4, 1, 0});
    all.push_back({"pkcs.issue, authority can neither", "", {1, 0, 0, 0}, {18, 4, 1}, 4, 1, 0, {}, true});
    all.push_back(
        {"pkcs.issue, authority takes a minute", "finds=1 idempotent=1 pending=60", {1, 0, 0, 0}, {26, 6, 4}, 4, 1, 0});
    all.push_back({"pkcs.issue, asked again after a minute",
                   "idempotent=1 repeats=1 pending=60",
                   {1, 0, 0, 0},
                   {28, 6, 4},
                   4,
                   1,
                   0});
    // A person with history, so that an import delivers something: the seed decides.
    all.push_back({"pfx.deliver", "imports=1000 finds=1 idempotent=1", {1, 0, 0, 0}, {18, 5, 0}});
    all.push_back({"held, then approved", "binding=1 finds=1 approve_all=1", {1, 0, 0, 0}, {23, 21, 1}, 5, 1, 0});
    all.push_back({"withdrawn before it is submitted",
                   "finds=1",
                   {0, 1, 0, 1},
                   {21, 5, 0},
                   4,
                   0,
                   0,
                   at_once(accepted, withdraw)});
    all.push_back({"withdrawn while it is submitted",
                   "finds=1",
                   {0, 1, 0, 1},
                   {27, 7, 2},
                   4,
                   1,
                   1,
                   at_once(about_to_submit, withdraw)});
    all.push_back({"withdrawn while the authority thinks",
                   "finds=1 pending=60",
                   {0, 1, 0, 1},
                   {34, 6, 6},
                   4,
                   1,
                   1,
                   at_once(at_authority, withdraw)});
    all.push_back({"withdrawn while it thinks, no searching",
                   "idempotent=1 pending=60",
                   {0, 1, 0, 1},
                   {34, 6, 6},
                   4,
                   1,
                   1,
                   at_once(at_authority, withdraw)});
    // Nobody orders anew what nobody wants; REV-3051 tells of it.
    all.push_back({"withdrawn while it thinks, asked again",
                   "idempotent=1 repeats=1 pending=60",
                   {0, 1, 0, 1},
                   {30, 6, 2},
                   4,
                   1,
                   0,
                   at_once(at_authority, withdraw)});
    all.push_back(
        {"withdrawn after its delivery", "finds=1", {1, 1, 0, 0}, {24, 7, 1}, 4, 1, 0, at_once(ended, withdraw)});
    all.push_back(
        {"pfx.deliver withdrawn", "imports=1000", {0, 1, 0, 1}, {21, 6, 0}, 4, 0, 0, at_once(accepted, withdraw)});
    all.push_back(
        {"orphan: cancelled after issuance", "finds=1", {0, 0, 0, 1}, {21, 4, 2}, 4, 1, 1, at_once(leased, cancel)});
    all.push_back({"orphan, authority cannot revoke",
                   "finds=1 revokes=0",
                   {0, 0, 0, 1},
                   {19, 4, 1},
                   4,
                   1,
                   0,
                   at_once(leased, cancel)});
    all.push_back({"orphan: superseded by another connector",
                   "finds=1 connectors=2 pending=60",
                   {1, 0, 0, 0},
                   {56, 13, 9},
                   4,
                   2,
                   1,
                   at_once(at_authority, take_back)});
    all.push_back({"orphan: record closed meanwhile",
                   "idempotent=1",
                   {0, 0, 0, 1},
                   {21, 3, 2},
                   4,
                   1,
                   1,
                   close_while_it_is_issued});
    all.push_back({"asked for at once while it is issued",
                   "",
                   {1, 0, 0, 0},
                   {20, 4, 1},
                   4,
                   1,
                   0,
                   at_once(being_issued, ask_at_once),
                   true});
    all.push_back({"dead letter, revived before its report",
                   "finds=1 patience=60",
                   {1, 0, 0, 0},
                   {103, 36, 5},
                   4,
                   1,
                   0,
                   revive_before_the_report,
                   false,
                   Ending{0, 0, 1, 0}});
    all.push_back({"dead letter, told", "finds=1 patience=60", {0, 0, 1, 0}, {87, 9, 4}, 4, 0, 0, give_up_for_good});
    return all;
}

}  // namespace

const std::vector<Path>& paths() {
    static const std::vector<Path> k_paths = make();
    return k_paths;
}

}  // namespace connector::sim
