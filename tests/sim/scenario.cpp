#include "tests/sim/scenario.hpp"

#include "tests/sim/random.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace connector::sim {
namespace {

// Most scenarios are small, so that many of them are run; each kind of trouble is there in about half of them, so that
// each is also seen alone.
std::uint64_t some(Random& random, unsigned permille, std::int64_t low, std::int64_t high) {
    const bool there = random.chance(permille);
    const auto value = static_cast<std::uint64_t>(random.between(low, high));
    return there ? value : 0;
}

std::uint64_t number_of_requests(Random& random) {
    const auto dice = random.below(100);
    const auto few = static_cast<std::uint64_t>(random.between(1, 4));
    const auto more = static_cast<std::uint64_t>(random.between(5, 12));
    const auto many = static_cast<std::uint64_t>(random.between(13, 40));
    if (dice < 75) return few;
    return dice < 96 ? more : many;
}

// Whatever goes wrong, is refused or held by anybody but the service.
constexpr std::array k_troubles{&Scenario::network,
                                &Scenario::statuses,
                                &Scenario::quirks,
                                &Scenario::disk,
                                &Scenario::authority_faults,
                                &Scenario::authority_verdicts,
                                &Scenario::crashes,
                                &Scenario::stops,
                                &Scenario::clock_jumps,
                                &Scenario::outages,
                                &Scenario::protects,
                                &Scenario::tight_limits,
                                &Scenario::withdraws,
                                &Scenario::blocks,
                                &Scenario::slow_work,
                                &Scenario::rare_stages,
                                &Scenario::rare_crashes,
                                &Scenario::slow_disk,
                                &Scenario::patience,
                                &Scenario::freezes,
                                &Scenario::crowd};

}  // namespace

const std::vector<std::pair<std::string_view, std::uint64_t Scenario::*>>& Scenario::fields() {
    static const std::vector<std::pair<std::string_view, std::uint64_t Scenario::*>> k_fields{
        {"requests", &Scenario::requests},
        {"connectors", &Scenario::connectors},
        {"authorities", &Scenario::authorities},
        {"faults_until", &Scenario::faults_until},
        {"lease_seconds", &Scenario::lease_seconds},
        {"binding", &Scenario::binding},
        {"finds", &Scenario::finds},
        {"revokes", &Scenario::revokes},
        {"idempotent", &Scenario::idempotent},
        {"network", &Scenario::network},
        {"statuses", &Scenario::statuses},
        {"quirks", &Scenario::quirks},
        {"disk", &Scenario::disk},
        {"authority_faults", &Scenario::authority_faults},
        {"authority_verdicts", &Scenario::authority_verdicts},
        {"crashes", &Scenario::crashes},
        {"stops", &Scenario::stops},
        {"clock_jumps", &Scenario::clock_jumps},
        {"outages", &Scenario::outages},
        {"imports", &Scenario::imports},
        {"withdraws", &Scenario::withdraws},
        {"key_changes", &Scenario::key_changes},
        {"blocks", &Scenario::blocks},
        {"tight_limits", &Scenario::tight_limits},
        {"slow_work", &Scenario::slow_work},
        {"rare_stages", &Scenario::rare_stages},
        {"rare_crashes", &Scenario::rare_crashes},
        {"freezes", &Scenario::freezes},
        {"protects", &Scenario::protects},
        {"crowd", &Scenario::crowd},
        {"pending", &Scenario::pending},
        {"slow_disk", &Scenario::slow_disk},
        {"repeats", &Scenario::repeats},
        {"patience", &Scenario::patience},
        {"approve_all", &Scenario::approve_all},
        {"attacks", &Scenario::attacks},
        {"unsigned_imports", &Scenario::unsigned_imports},
        {"bare", &Scenario::bare},
        {"again", &Scenario::again},
        {"sweep_kind", &Scenario::sweep_kind},
        {"sweep_step", &Scenario::sweep_step},
        {"sweep_how", &Scenario::sweep_how},
    };
    return k_fields;
}

Scenario Scenario::of(std::uint64_t seed) {
    Random random(seed * 0x9E3779B97F4A7C15ULL + 1);
    Scenario scenario;
    scenario.seed = seed;
    scenario.requests = number_of_requests(random);
    scenario.connectors = random.chance(650) ? 1 : static_cast<std::uint64_t>(random.between(2, 3));
    scenario.authorities = static_cast<std::uint64_t>(random.between(1, 2));
    scenario.faults_until =
        static_cast<std::uint64_t>(random.chance(850) ? random.between(30, 400) : random.between(400, 7200));
    scenario.lease_seconds =
        static_cast<std::uint64_t>(random.chance(700) ? random.between(600, 7200) : random.between(60, 600));
    scenario.binding = random.below(3);
    scenario.finds = random.below(4);
    scenario.revokes = random.chance(800) ? 3 : random.below(4);
    scenario.idempotent = random.below(4);
    scenario.network = some(random, 500, 10, 250);
    scenario.statuses = some(random, 450, 10, 250);
    scenario.quirks = some(random, 450, 20, 300);
    scenario.disk = some(random, 350, 2, 60);
    scenario.authority_faults = some(random, 500, 20, 500);
    scenario.authority_verdicts = some(random, 500, 50, 600);
    scenario.crashes = some(random, 600, 1, 4);
    scenario.stops = some(random, 150, 1, 2);
    scenario.clock_jumps = some(random, 200, 1, 3);
    scenario.outages = some(random, 250, 1, 2);
    scenario.imports = some(random, 500, 200, 1000);
    scenario.withdraws = some(random, 300, 50, 500);
    scenario.key_changes = some(random, 300, 50, 500);
    scenario.blocks = some(random, 120, 1, 1);
    scenario.tight_limits = some(random, 150, 1, 1);
    scenario.slow_work = some(random, 200, 50, 400);
    scenario.rare_stages = some(random, 150, 1, 1);
    scenario.rare_crashes = some(random, 250, 1, 2);
    scenario.slow_disk = some(random, 150, 5, 100);
    scenario.repeats = random.below(4);
    scenario.bare = some(random, 250, 1, 3);
    scenario.again = some(random, 250, 200, 1000);
    if (scenario.rare_stages != 0) {
        scenario.authority_faults = std::max<std::uint64_t>(scenario.authority_faults, 300);
        scenario.disk = std::max<std::uint64_t>(scenario.disk, 20);
        scenario.quirks = std::max<std::uint64_t>(scenario.quirks, 300);
        scenario.authority_verdicts = std::max<std::uint64_t>(scenario.authority_verdicts, 150);
        scenario.blocks = 1;
        scenario.patience = 20;
        scenario.requests = std::max<std::uint64_t>(scenario.requests, 5);
    }
    scenario.freezes = some(random, 250, 1, 3);
    scenario.protects = some(random, 200, 1, 2);
    scenario.crowd = some(random, 120, 1, 1);
    if (scenario.crowd != 0) {
        scenario.requests = std::max<std::uint64_t>(scenario.requests, 8);
        scenario.authority_faults = std::max<std::uint64_t>(scenario.authority_faults, 300);
        scenario.withdraws = std::max<std::uint64_t>(scenario.withdraws, 500);
        // What is given up while others are on their way to an authority.
        if (random.chance(500)) scenario.patience = 20;
    }
    return scenario;
}

Scenario Scenario::attacked(std::uint64_t seed) {
    Scenario scenario = of(seed);
    Random random(seed * 0x9E3779B97F4A7C15ULL + 2);
    scenario.attacks = static_cast<std::uint64_t>(random.between(200, 1000));
    scenario.unsigned_imports = some(random, 250, 1, 1);
    scenario.requests = std::max<std::uint64_t>(scenario.requests, 3);
    scenario.binding = random.below(2);
    if (random.chance(600)) scenario.imports = static_cast<std::uint64_t>(random.between(300, 900));
    // A clock is not the service's to set, and one that is years off takes what is over for current.
    scenario.clock_jumps = 0;
    // In every other seed nothing else goes wrong, so that honest orders have to come to their end.
    if (random.chance(500))
        for (const auto field : k_troubles) scenario.*field = 0;
    return scenario;
}

bool Scenario::quiet() const {
    return std::all_of(k_troubles.begin(), k_troubles.end(), [this](const auto field) { return this->*field == 0; });
}

std::string Scenario::difference(const Scenario& other) const {
    std::string text;
    for (const auto& [name, field] : fields())
        if (this->*field != other.*field)
            text += (text.empty() ? "" : " ") + std::string(name) + "=" + std::to_string(this->*field);
    return text;
}

std::string Scenario::text() const {
    std::string all;
    for (const auto& [name, field] : fields())
        if (this->*field != 0) all += (all.empty() ? "" : " ") + std::string(name) + "=" + std::to_string(this->*field);
    return all;
}

Result<void> Scenario::set(std::string_view assignments) {
    while (!assignments.empty()) {
        const auto end = assignments.find_first_of(" ,");
        const auto word = assignments.substr(0, end);
        assignments = end == std::string_view::npos ? std::string_view() : assignments.substr(end + 1);
        if (word.empty()) continue;
        const auto equals = word.find('=');
        const auto name = word.substr(0, equals);
        const auto found =
            std::find_if(fields().begin(), fields().end(), [&](const auto& field) { return field.first == name; });
        std::uint64_t value = 0;
        const auto number = equals == std::string_view::npos ? std::string_view() : word.substr(equals + 1);
        const auto [last, fault] = std::from_chars(number.data(), number.data() + number.size(), value);
        if (found == fields().end() || fault != std::errc() || last != number.data() + number.size())
            return Error(ErrorKind::invalid, "scenario", "not a scenario's figure: " + std::string(word));
        this->*(found->second) = value;
    }
    return {};
}

}  // namespace connector::sim
