#include "storage/async_ledger.hpp"

#include "unit/storage/ledger_fixture.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <atomic>
#include <thread>

namespace connector::storage::test {
namespace {

namespace asio = boost::asio;
using ports::Commit;
using request::Stage;

class AsyncLedgerTest : public LedgerTest {
protected:
    void start(std::size_t queue_limit = 10'000) {
        async = std::make_unique<AsyncLedger>(std::move(ledger), queue_limit);
    }
    void spawn(asio::awaitable<void> job) {
        asio::co_spawn(io, std::move(job), [this](std::exception_ptr error) {
            ++ended;
            if (error) ++thrown;
        });
    }
    asio::awaitable<void> work_one(std::string id) {
        const auto home = std::this_thread::get_id();
        std::vector<ports::LeasedRequest> batch{leased(id)};
        const auto taken = co_await async->accept(std::move(batch), k_now);
        EXPECT_TRUE(taken);
        EXPECT_EQ(std::this_thread::get_id(), home);
        auto key = *RequestId::parse(id);
        auto found = co_await async->get(key);
        EXPECT_TRUE(found && *found);
        for (int i = 0; i < 3; ++i) {
            Commit commit;
            commit.record = **found;
            commit.record.version = static_cast<std::uint64_t>(1 + i);
            commit.record.stage = Stage::keyed;
            commit.charges.push_back({"issue_per_hour", "", id, 1h, 0, false});
            const auto saved = co_await async->save(std::move(commit), k_now);
            EXPECT_TRUE(saved);
            EXPECT_EQ(saved ? *saved : 0, static_cast<std::uint64_t>(2 + i));
            EXPECT_EQ(std::this_thread::get_id(), home);
        }
        ++finished;
    }

    asio::awaitable<void> ask_register() {
        const auto user = *UserId::parse("u");
        const auto device = *DeviceId::parse("d");
        const auto key = hash_of("k");
        trust::Block block{trust::BlockedThing::device, "d", "root", k_now};
        const auto block_answer = co_await async->block(block);
        EXPECT_TRUE(block_answer);
        trust::Approval approval{user, "anna@example.com", device, key, "root", k_now, k_now + 1h};
        const auto approve_answer = co_await async->approve(approval);
        EXPECT_TRUE(approve_answer);
        trust::EnrolmentWindow window{k_now, k_now + 1h, 1, 0, "root"};
        const auto open_window_answer = co_await async->open_window(window);
        EXPECT_TRUE(open_window_answer);
        std::string name = "u";
        const auto view = co_await async->look_up(device, user, name, key, k_now);
        EXPECT_TRUE(view && view->block && view->approval && view->window);
        const auto blocks_answer = co_await async->blocks();
        EXPECT_EQ(blocks_answer->size(), 1U);
        const auto open_answer = co_await async->window();
        EXPECT_TRUE(*open_answer);
        const auto pins_answer = co_await async->pins();
        EXPECT_TRUE(pins_answer->empty());
        std::string issuer = "CN=x";
        std::string serial = "01";
        const auto issued_answer = co_await async->issued(10);
        EXPECT_TRUE(issued_answer->empty());
        const auto find_issued_answer = co_await async->find_issued(issuer, serial);
        EXPECT_FALSE(*find_issued_answer);
        std::string reason = "keyCompromise";
        const auto mark_revoked_answer = co_await async->mark_revoked(key, reason, k_now);
        EXPECT_FALSE(mark_revoked_answer);
        ++finished;
    }
    asio::awaitable<void> ask_requests() {
        const auto user = *UserId::parse("u");
        const auto device = *DeviceId::parse("d");
        const auto id = *RequestId::parse("u1");
        const auto lease = *LeaseId::parse("l1");
        request::Failure failure{"invalidRequest", "text", false, std::nullopt};
        const auto accept_unreadable_answer = co_await async->accept_unreadable(id, lease, failure, k_now);
        EXPECT_TRUE(accept_unreadable_answer);
        const auto outbox_answer = co_await async->outbox(k_now, 10);
        EXPECT_EQ(outbox_answer->size(), 1U);
        ports::TakeOrder wanted;
        wanted.limit = 10;
        const auto take_answer = co_await async->take(wanted, k_now);
        EXPECT_TRUE(take_answer->records.empty());
        const auto put_back_answer = co_await async->put_back(id);
        EXPECT_TRUE(put_back_answer);
        const auto recover_answer = co_await async->recover(k_now);
        EXPECT_TRUE(recover_answer->empty());
        const auto pull_back_answer = co_await async->pull_back(k_now, 1h);
        EXPECT_EQ(*pull_back_answer, 0U);
        const auto open_leases_answer = co_await async->open_leases();
        EXPECT_EQ(open_leases_answer->size(), 1U);
        request::Lease renewed{lease, k_now + 1h, 2};
        const auto renew_lease_answer = co_await async->renew_lease(id, renewed);
        EXPECT_TRUE(renew_lease_answer);
        ports::PageFilter filter;
        const auto page_answer = co_await async->page(filter);
        EXPECT_EQ(page_answer->size(), 1U);
        const auto open_of_answer = co_await async->open_of(user, device, k_now);
        EXPECT_TRUE(open_of_answer->empty());
        request::Charge charge{"refusals_per_hour", "", "r", 1h, 1, false};
        const auto count_answer = co_await async->count(charge, k_now);
        EXPECT_TRUE(count_answer);
        const auto meters_answer = co_await async->meters(k_now);
        EXPECT_EQ(meters_answer->size(), 1U);
        const auto counts_answer = co_await async->counts();
        EXPECT_EQ(counts_answer->by_stage.size(), 1U);
        const auto ended_answer = co_await async->ended_since(k_now - 1h, 1h);
        EXPECT_TRUE(ended_answer->empty());
        const auto purge_answer = co_await async->purge(k_now, k_now);
        EXPECT_TRUE(purge_answer);
        ++finished;
    }
    asio::awaitable<void> ask_the_rest() {
        const auto key = hash_of("k");
        const auto next_sequence_answer = co_await async->next_sequence(k_now);
        EXPECT_TRUE(next_sequence_answer);
        const auto audit_anchor_answer = co_await async->audit_anchor();
        EXPECT_FALSE(*audit_anchor_answer);
        async->set_audit_anchor({1, key});
        const auto flush_answer = co_await async->flush();
        EXPECT_TRUE(flush_answer);
        const auto audit_anchor_answer2 = co_await async->audit_anchor();
        EXPECT_EQ((**audit_anchor_answer2).sequence, 1U);
        const auto generation_answer = co_await async->generation();
        EXPECT_GT(*generation_answer, 0U);
        const auto quick_check_answer = co_await async->quick_check();
        EXPECT_EQ(*quick_check_answer, "");
        const auto accept_as_found_answer = co_await async->accept_as_found();
        EXPECT_TRUE(accept_as_found_answer);
        ++finished;
    }

    asio::io_context io{1};
    std::unique_ptr<AsyncLedger> async;
    int ended = 0;
    int thrown = 0;
    int finished = 0;
};

TEST_F(AsyncLedgerTest, ManyAtOnceComeHomeAndShareCommits) {
    start();
    constexpr int k_many = 60;
    for (int i = 0; i < k_many; ++i) spawn(work_one("r" + std::to_string(i)));
    io.run();
    EXPECT_EQ(ended, k_many);
    EXPECT_EQ(finished, k_many);
    EXPECT_EQ(thrown, 0);
    async.reset();
    open();
    EXPECT_EQ(ledger->page({})->size(), static_cast<std::size_t>(k_many));
    EXPECT_EQ(ledger->meters(k_now)->front().used, 3U * k_many);
    // 60 accepts, and 180 saves in far fewer commits.
    EXPECT_LT(ledger->generation(), 60U + 180U);
    EXPECT_TRUE(reported.empty());
}

// The service gave it out once more before it took our result, and the answer is read just before that is noted: the
// save must not get ahead of it, or its record is closed and the order begun anew.
TEST_F(AsyncLedgerTest, AnOrderThatComesAgainIsTakenBeforeWhatClosesIt) {
    const auto record = accepted("r1");
    start();
    Raw busy(folder.database());
    busy.execute("BEGIN IMMEDIATE");
    std::vector<ports::Intake> again;
    auto first = [&]() -> asio::awaitable<void> {
        std::vector<ports::LeasedRequest> batch{leased("r2")};
        auto accepting = async->accept(std::move(batch), k_now);
        EXPECT_TRUE(co_await std::move(accepting));
    };
    auto comes_again = [&]() -> asio::awaitable<void> {
        std::vector<ports::LeasedRequest> batch{leased("r1")};
        batch.front().lease.id = *LeaseId::parse("lease-b");
        auto accepting = async->accept(std::move(batch), k_now);
        auto answer = co_await std::move(accepting);
        if (answer) again = std::move(*answer);
    };
    auto closes = [&]() -> asio::awaitable<void> {
        Commit commit;
        commit.record = record;
        commit.record.stage = Stage::closed;
        auto saving = async->save(std::move(commit), k_now);
        EXPECT_TRUE(co_await std::move(saving));
    };
    // The ledger's thread waits for the lock with the first; the other two come behind it together.
    spawn(first());
    spawn(comes_again());
    spawn(closes());
    io.poll();
    busy.execute("COMMIT");
    io.run();
    EXPECT_EQ(again, std::vector{ports::Intake::known});
    async.reset();
    open();
    EXPECT_EQ(this->record("r1").stage, Stage::closed);
}

TEST_F(AsyncLedgerTest, CancelledSaveIsDoneAndAnswered) {
    const auto record = accepted("r1");
    start();
    asio::cancellation_signal stop;
    bool answered = false;
    auto job = [&]() -> asio::awaitable<void> {
        Commit commit;
        commit.record = record;
        commit.record.stage = Stage::held;
        auto saving = async->save(std::move(commit), k_now);
        const auto saved = co_await std::move(saving);
        answered = saved.has_value();
        EXPECT_NE((co_await asio::this_coro::cancellation_state).cancelled(), asio::cancellation_type::none);
    };
    auto running = job();
    asio::co_spawn(io, std::move(running), asio::bind_cancellation_slot(stop.slot(), [](std::exception_ptr) {}));
    asio::post(io, [&] { stop.emit(asio::cancellation_type::terminal); });
    io.run();
    EXPECT_TRUE(answered);
    async.reset();
    open();
    EXPECT_EQ(this->record("r1").stage, Stage::held);
}

TEST_F(AsyncLedgerTest, CancelledWhileManyRun) {
    for (int after = 0; after < 4; ++after) {
        if (!ledger) open();
        start();
        std::vector<std::unique_ptr<asio::cancellation_signal>> stops;
        int done = 0;
        for (int i = 0; i < 20; ++i) {
            auto& stop = *stops.emplace_back(std::make_unique<asio::cancellation_signal>());
            auto job = work_one("r" + std::to_string(after) + "-" + std::to_string(i));
            asio::co_spawn(io, std::move(job),
                           asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr) { ++done; }));
        }
        for (int i = 0; i < after * 10; ++i) io.run_one();
        for (const auto& stop : stops) stop->emit(asio::cancellation_type::terminal);
        io.run();
        io.restart();
        EXPECT_EQ(done, 20);
        async.reset();
    }
}

TEST_F(AsyncLedgerTest, DestructionFinishesWhatIsQueued) {
    for (int i = 0; i < 20; ++i) accepted("r" + std::to_string(i));
    start();
    async->set_audit_anchor({9, hash_of("nine")});
    int answered = 0;
    auto save = [&](std::string id) -> asio::awaitable<void> {
        Commit commit;
        commit.record.request = order_of(id);
        commit.record.order_hash = hash_of(id);
        commit.record.version = 1;
        commit.record.stage = Stage::issued;
        const auto saved = co_await async->save(std::move(commit), k_now);
        EXPECT_TRUE(saved);
        ++answered;
    };
    for (int i = 0; i < 20; ++i) spawn(save("r" + std::to_string(i)));
    io.poll();
    async.reset();
    io.restart();
    io.run();
    EXPECT_EQ(answered, 20);
    open();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(record("r" + std::to_string(i)).stage, Stage::issued);
    EXPECT_EQ((*ledger->audit_anchor())->sequence, 9U);
}

TEST_F(AsyncLedgerTest, FullQueueIsBusy) {
    start(2);
    // Holds the thread until all have been asked for.
    std::atomic<bool> go = false;
    sealer.before_check = [&] { go.wait(false); };
    int busy = 0;
    int good = 0;
    auto ask = [&]() -> asio::awaitable<void> {
        const auto counts = co_await async->next_sequence(k_now);
        if (!counts && counts.error().code == "ledgerBusy") ++busy;
        if (counts) ++good;
    };
    for (int i = 0; i < 30; ++i) spawn(ask());
    asio::post(io, [&] {
        go = true;
        go.notify_all();
    });
    io.run();
    EXPECT_EQ(busy + good, 30);
    EXPECT_GE(busy, 20);
    EXPECT_GE(good, 2);
}

TEST_F(AsyncLedgerTest, ThePortsOtherCallsAreAnswered) {
    start();
    spawn(ask_register());
    io.run();
    io.restart();
    spawn(ask_requests());
    io.run();
    io.restart();
    spawn(ask_the_rest());
    io.run();
    EXPECT_EQ(finished, 3);
}

}  // namespace
}  // namespace connector::storage::test
