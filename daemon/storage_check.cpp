#include "daemon/storage_check.hpp"

#include "core/event_ids.hpp"
#include "storage/inspect.hpp"

#include <chrono>
#include <utility>

namespace connector::daemon {

namespace asio = boost::asio;
using namespace std::chrono_literals;

StorageCheck::StorageCheck(engine::Engine& engine, storage::AsyncLedger& ledger, ports::Offload& offload,
                           std::filesystem::path directory, bool lifts)
    : engine_(engine), ledger_(ledger), offload_(offload), directory_(std::move(directory)), lifts_(lifts) {
    if (lifts_) engine_.context().bar_ledger("storageUnchecked");
}

asio::awaitable<void> StorageCheck::run(const bool& ending) {
    constexpr auto k_again = 30s;
    auto& clock = engine_.context().ports.clock;
    while (!ending) {
        auto checking = check();
        const auto checked = co_await std::move(checking);
        if (checked) {
            failure_.reset();
            co_return;
        }
        auto telling = tell(checked.error());
        co_await std::move(telling);
        const Tick next = clock.tick() + k_again;
        while (!ending && clock.tick() < next) co_await clock.wait_until(clock.tick() + 1s);
    }
}

ports::Async<void> StorageCheck::check() {
    auto looking = look();
    auto findings = co_await std::move(looking);
    if (!findings) co_return findings.error();
    Result<void> sound;
    if (findings->empty()) {
        auto clearing = ledger_.found_sound();
        sound = co_await std::move(clearing);
        if (sound && lifts_ && !engine_.context().status.draining) {
            auto lifting = engine_.lift_bar();
            sound = co_await std::move(lifting);
        }
        if (sound) co_return sound;
        // Not by this check, but met at work.
        if (sound.error().code != "storageCorrupt") co_return sound;
        findings = sound.error().message;
    }
    auto barring = bar(std::move(*findings));
    co_await std::move(barring);
    co_return Result<void>();
}

ports::Async<std::string> StorageCheck::look() {
    auto job = [directory = directory_]() -> Result<std::string> {
        const auto facts = storage::inspect_ledger(directory, nullptr, true);
        if (facts) return facts->findings;
        if (facts.error().kind == ErrorKind::integrity) return facts.error().message;
        return facts.error();
    };
    return offload_.run(std::move(job));
}

asio::awaitable<void> StorageCheck::bar(std::string findings) {
    engine_.context().ports.events.raise(Event(event::k_storage_corrupt).with("reason", findings));
    engine_.context().bar_ledger("storageCorrupt");
    auto suspecting = suspect();
    co_await std::move(suspecting);
}

asio::awaitable<void> StorageCheck::tell(Error failure) {
    const bool told = failure_ && failure_->code == failure.code;
    if (!failure_) failing_since_ = engine_.context().now();
    failure_ = failure;
    if (told) co_return;
    engine_.context().ports.events.raise(
        Event(event::k_storage_failed).with("doing", "checking the whole file").with("reason", failure.message));
    auto suspecting = suspect();
    co_await std::move(suspecting);
}

asio::awaitable<void> StorageCheck::suspect() {
    auto marking = ledger_.suspect();
    const auto marked = co_await std::move(marking);
    if (marked) co_return;
    engine_.context().ports.events.raise(Event(event::k_storage_failed)
                                             .with("doing", "noting that the database is suspect")
                                             .with("reason", marked.error().message));
}

void StorageCheck::add_to(health::HealthSnapshot& snapshot) const {
    if (!failure_) return;
    snapshot.checks.push_back(
        {"storageCheck", "degraded", failing_since_, "the whole file could not be checked: " + failure_->code, false});
    if (snapshot.status == "ready") snapshot.status = "degraded";
}

}  // namespace connector::daemon
