#include "tests/sim/process.hpp"

#include "tests/sim/ports.hpp"
#include "tests/sim/world.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>
#include <exception>
#include <utility>

namespace connector::sim {

namespace asio = boost::asio;
using namespace std::chrono_literals;

Process::Process(World& the_world, Connector& the_home)
    : world(the_world),
      home(the_home),
      number_(the_home.lives++),
      random_(the_world.random.fork(1000 + the_home.index * 100 + number_)),
      crypto_(the_world.labels, random_.fork(1)),
      ledger_(*this, random_.fork(2)),
      events_(std::make_unique<Events>(*this)),
      pool_(std::make_unique<Pool>(*this, random_.fork(3))),
      management_(std::make_unique<Management>(*this, random_.fork(4))),
      packages_(std::make_unique<Packages>(*this)),
      keys_(std::make_unique<Keys>(*this)),
      opener_(std::make_unique<Opener>(*this)),
      silence_(std::make_unique<Silence>()) {
    for (std::size_t i = 0; i < world.authorities.size(); ++i)
        authorities_.push_back(std::make_unique<AuthorityPort>(*this, *world.authorities[i], i, random_.fork(10 + i)));
}

Process::~Process() = default;

std::string Process::name() const {
    return "c" + std::to_string(home.index) + "#" + std::to_string(number_);
}

bool Process::start() {
    world.trace.line(name() + " starts");
    home.disturbed = world.timeline.now();
    if (!ledger_.open()) return false;
    world.judge.opened_again(home, *ledger_.file());
    engine::Ports ports{*this,        *pool_,  crypto_,  *opener_,  *keys_, world.sealer, *packages_, *management_,
                        *management_, ledger_, *events_, *silence_, {}};
    for (const auto& authority : authorities_) ports.authorities.emplace(authority->name(), authority.get());
    engine_ = std::make_unique<engine::Engine>(world.io.get_executor(), std::move(ports), rules());
    auto leading = lead();
    auto ended = [this](std::exception_ptr fault) {
        over_ = true;
        if (fault) {
            try {
                std::rethrow_exception(fault);
            } catch (const std::exception& thrown) {
                world.judge.broken("the engine throws nothing", thrown.what());
            }
        }
    };
    asio::co_spawn(world.io, std::move(leading), std::move(ended));
    return true;
}

asio::awaitable<void> Process::lead() {
    auto running = engine_->run();
    co_await std::move(running);
    ledger_.close();
}

void Process::die(std::string_view where) {
    if (dead_) return;
    world.trace.line(name() + " is gone: " + std::string(where));
    if (!world.ending()) hit(stopping_ ? Fault::stop : Fault::crash);
    if (auto* file = world.ending() ? nullptr : ledger_.file()) {
        home.crashed_at = utc();
        const auto meters = file->meters(home.crashed_at);
        home.meters_known = meters.has_value();
        if (meters) home.meters_at_crash = *meters;
        const auto stops = file->stops();
        home.stops_at_crash = stops ? *stops : std::vector<request::Stop>();
        home.thawed_since = false;
    }
    dead_ = true;
    if (world.ending()) {
        ledger_.close();
    } else {
        ledger_.crash();
        world.judge.scan(home);
    }
    world.timeline.wake(this);
    if (engine_) engine_->drain(0s);
}

void Process::stop() {
    if (dead_ || stopping_) return;
    world.trace.line(name() + " is asked to stop");
    hit(Fault::stop);
    stopping_ = true;
    world.active();
    engine_->drain(std::chrono::seconds{random_.between(1, 25)});
}

UtcTime Process::utc() const {
    return world.utc(world.timeline.now()) + home.wall_offset;
}
Tick Process::tick() const {
    return world.timeline.now();
}

asio::awaitable<void> Process::wait_until(Tick when) {
    if (ends_at(Point::clock, Moment::before) || dead_) when = world.timeline.now();
    auto sleeping = world.timeline.sleep_until(when, Timeline::Weight::poll, this);
    co_await std::move(sleeping);
    (void)ends_at(Point::clock, Moment::after);
}

bool Process::ends_at(Point point, Moment moment) {
    if (dead_) return true;
    if (point == Point::ledger_other) return false;
    ++world.tally.passed[static_cast<std::size_t>(point)][static_cast<std::size_t>(moment)];
    if (!world.troubled()) return false;
    for (auto plan = home.crashes.begin(); plan != home.crashes.end(); ++plan) {
        if (plan->point && (*plan->point != point || plan->moment != moment)) continue;
        if (--plan->countdown != 0) continue;
        home.crashes.erase(plan);
        ++world.tally.crashed[static_cast<std::size_t>(point)][static_cast<std::size_t>(moment)];
        die(std::string(moment == Moment::before ? "before " : "after ") + std::string(to_string(point)));
        return true;
    }
    return false;
}

void Process::hit(Fault fault) {
    if (dead_) return;
    home.disturbed = world.timeline.now();
    ++world.tally.fault_times[static_cast<std::size_t>(fault)];
    for (const auto& [id, record] : ledger_.shadow())
        if (!record.rests())
            ++world.tally.faults[static_cast<std::size_t>(record.stage)][static_cast<std::size_t>(fault)];
}

void Process::is_told(const std::vector<LeaseId>& lost) {
    using request::Stage;
    for (const auto& [id, record] : ledger_.shadow()) {
        const bool unsubmitted = record.stage == Stage::accepted || record.stage == Stage::keyed ||
                                 (record.stage == Stage::held && record.certificate.empty());
        if (unsubmitted && std::find(lost.begin(), lost.end(), record.lease) != lost.end())
            told_lost[id] = world.timeline.now();
    }
}

asio::awaitable<void> Process::pause(std::chrono::nanoseconds how_long, Timeline::Weight weight) {
    auto sleeping = world.timeline.sleep_until(world.timeline.now() + how_long, weight, this);
    co_await std::move(sleeping);
}

engine::Rules Process::rules() const {
    const auto& scenario = world.scenario;
    engine::Rules rules;
    rules.version = "simulated";
    rules.kinds = {request::Kind::pkcs_issue, request::Kind::pfx_deliver, request::Kind::pfx_withdraw};
    rules.policy.allowed_mail_domains = {"example.com"};
    rules.recipients.issuers = {world.people.device_ca()};
    rules.recipients.dedicated_ca = !world.marks_devices();
    if (world.marks_devices()) rules.recipients.required_eku = {std::string(eku::k_client_auth)};
    rules.recipients.binding = scenario.binding == 0   ? trust::Binding::certificate
                               : scenario.binding == 1 ? trust::Binding::register_
                                                       : trust::Binding::service;
    rules.importer.signatures =
        world.people.importer().empty() ? trust::SignatureRule::off : trust::SignatureRule::required;
    if (!world.people.importer().empty()) rules.importer.signers = {world.people.importer()};
    if (scenario.tight_limits != 0) {
        rules.limits.issue_per_hour = 3;
        rules.limits.unwrap_users_per_hour = 2;
        rules.limits.revoke_per_hour = 2;
        rules.limits.new_recipients_per_day = 6;
    }
    if (scenario.protects != 0) rules.protected_users = {std::string(k_protected)};
    rules.approvers = scenario.protects != 0 ? static_cast<std::uint32_t>(scenario.protects) : 1;
    rules.retry.budget = 6h;
    if (scenario.patience != 0) rules.retry.budget = std::chrono::seconds{scenario.patience};
    rules.retry.backoff.longest = 600s;
    if (scenario.rare_stages != 0) rules.retry.fewest_tries = 2;
    for (const auto& authority : world.authorities)
        rules.authorities[authority->options().name] = {scenario.crowd != 0 ? 1U : 2U, 3, 30s};
    rules.batch = 10;
    rules.in_flight = 8;
    rules.max_pending = 20;
    rules.hold = 2h;
    return rules;
}

// --- small ports ---

void Process::Events::raise(const Event& event) {
    if (process_.dead_) return;
    std::string line = process_.name() + " " + std::string(event.id);
    for (const auto& [name, value] : event.fields) {
        if (name == "request") world_.judge.told(value, event.id);
        world_.judge.no_secret("an event", value);
        if (event.id == event::k_storage_failed && value.find("has not answered for 15 s") != std::string::npos)
            world_.judge.disk_hangs(process_.ledger_, process_.tick());
        if (name == "request" || name == "reason" || name == "outcome") line += " " + name + "=" + value;
    }
    if (event.id == event::k_limit_tripped) world_.note_tripped(process_.home);
    if (event.id == event::k_clock_held) world_.note_clock_held(process_.home);
    if (find_event(event.id) == nullptr)
        world_.judge.broken("every event stands in the catalogue", std::string(event.id));
    if (event.id == event::k_possible_duplicate)
        for (const auto& [name, value] : event.fields)
            if (name == "request") world_.judge.announced(process_, value);
    if (event.id == event::k_internal_fault) world_.judge.broken("no internal fault", line);
    world_.trace.line(line);
}

asio::awaitable<void> Process::Pool::post(std::function<void()> work) {
    if (!process_.ends_at(Point::offload, Moment::before)) {
        world_.active();
        const bool slow = world_.troubled() && random_.chance(static_cast<unsigned>(world_.scenario.slow_work));
        auto pausing =
            process_.pause(std::chrono::milliseconds{slow ? random_.between(1000, 90000) : random_.between(1, 300)});
        co_await std::move(pausing);
    }
    // The value is owed even where nobody will look at it; a dead process's job touches nothing (Packages).
    work();
    world_.active();
    (void)process_.ends_at(Point::offload, Moment::after);
}

bool Process::Keys::has(std::string_view provider, std::string_view key_name) const {
    return process_.world.keys.has(provider, key_name);
}
Result<SecretBytes> Process::Keys::unwrap(std::string_view provider, std::string_view key_name, ByteView ciphertext,
                                          ports::OaepHash hash) const {
    if (!process_.dead_) process_.world.judge.acts(process_, request::Kind::pfx_deliver, "unwraps");
    return process_.world.keys.unwrap(provider, key_name, ciphertext, hash);
}

Result<ports::Identity> Process::Opener::open_pfx(ByteView pfx, const SecretBytes& password) const {
    if (!process_.dead_) process_.world.judge.parses(process_, pfx);
    return process_.crypto_.open_pfx(pfx, password);
}

Result<Bytes> Process::Packages::package(const trust::Recipient& recipient, ports::PackageContent content) const {
    if (process_.dead_) return Error(ErrorKind::unavailable, "processGone", "this process is no more");
    world_.judge.wrapped(process_, recipient, content);
    Labels::Envelope envelope;
    envelope.recipient_certificate = recipient.certificate().der;
    envelope.request = content.request_id;
    envelope.purpose = content.purpose;
    envelope.sequence = content.sequence;
    for (const auto& identity : content.identities)
        envelope.identities.emplace_back(identity.pfx.der, std::string(identity.pfx.password.reveal_text()));
    Bytes label = world_.labels.fresh("ENVELOPE");
    world_.labels.envelopes.emplace(label, std::move(envelope));
    return label;
}

}  // namespace connector::sim
