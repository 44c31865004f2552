#include "daemon/authority/caretaker.hpp"

#include "core/event_ids.hpp"
#include "unit/authority/local_fixture.hpp"

#include <algorithm>

namespace connector::authority::test {
namespace {

using namespace std::chrono_literals;
using State = Caretaker::List::State;

class Heard final : public ports::EventSink {
public:
    std::vector<Event> events;
    void raise(const Event& event) override { events.push_back(event); }

    [[nodiscard]] std::size_t count(std::string_view id) const {
        return static_cast<std::size_t>(
            std::count_if(events.begin(), events.end(), [id](const Event& event) { return event.id == id; }));
    }
    [[nodiscard]] std::string field(std::string_view id, std::string_view name) const {
        for (auto event = events.rbegin(); event != events.rend(); ++event)
            if (event->id == id)
                for (const auto& [key, value] : event->fields)
                    if (key == name) return value;
        return "";
    }
};

class MovedClock final : public ports::Clock {
public:
    UtcTime now = k_now;
    Tick at{1h};
    UtcTime end = UtcTime::max();
    bool over = false;
    void pass(std::chrono::seconds time) {
        now += time;
        at += time;
    }
    [[nodiscard]] UtcTime utc() const override { return now; }
    [[nodiscard]] Tick tick() const override { return at; }
    [[nodiscard]] boost::asio::awaitable<void> wait_until(Tick when) override {
        pass(std::chrono::ceil<std::chrono::seconds>(when - at));
        over = now >= end;
        co_return;
    }
};

class CaretakerTest : public LocalCaTest {
protected:
    CaretakerTest() { authorities_.emplace("corp", must(LocalAuthority::open(settings(), offload_, moved_))); }
    Tick::duration look() {
        const Tick before = moved_.tick();
        boost::asio::io_context io(1);
        Tick next{};
        auto looking = caretaker_.look();
        boost::asio::co_spawn(io, std::move(looking), [&next](std::exception_ptr failure, Tick given) {
            if (failure) std::rethrow_exception(failure);
            next = given;
        });
        io.run();
        return next - before;
    }
    void spoil() {
        std::filesystem::remove(directory() / "ca.crl");
        std::filesystem::create_directory(directory() / "ca.crl");
    }

    MovedClock moved_;
    Heard heard_;
    AuthorityMap authorities_;
    Caretaker caretaker_{authorities_, moved_, heard_};
};

TEST_F(CaretakerTest, tells_a_new_list_once_and_looks_again_in_an_hour) {
    EXPECT_EQ(look(), 1h);
    EXPECT_EQ(heard_.count(event::k_crl_written), 1U);
    EXPECT_EQ(heard_.field(event::k_crl_written, "authority"), "corp");
    EXPECT_EQ(heard_.field(event::k_crl_written, "number"), "1");
    EXPECT_EQ(caretaker_.lists().at("corp").state, State::good);
    moved_.pass(1h);
    EXPECT_EQ(look(), 1h);
    EXPECT_EQ(heard_.events.size(), 1U);
}

TEST_F(CaretakerTest, tells_a_failure_and_looks_sooner_until_it_is_mended) {
    look();
    spoil();
    moved_.pass(1h);
    EXPECT_EQ(look(), 5min);
    EXPECT_EQ(heard_.count(event::k_crl_failed), 1U);
    EXPECT_EQ(heard_.field(event::k_crl_failed, "state"), "ended") << "nothing lies there";
    EXPECT_EQ(caretaker_.lists().at("corp").state, State::ended);
    const UtcTime since = caretaker_.lists().at("corp").since;
    moved_.pass(5min);
    look();
    EXPECT_EQ(heard_.count(event::k_crl_failed), 1U) << "said once an hour";
    EXPECT_EQ(caretaker_.lists().at("corp").since, since);
    moved_.pass(55min);
    look();
    EXPECT_EQ(heard_.count(event::k_crl_failed), 2U);
    std::filesystem::remove(directory() / "ca.crl");
    EXPECT_EQ(look(), 1h);
    EXPECT_EQ(heard_.count(event::k_crl_written), 2U);
    EXPECT_EQ(caretaker_.lists().at("corp").state, State::good);
}

TEST_F(CaretakerTest, a_list_that_ends_meanwhile_is_told_again_at_once) {
    auto wanted = settings();
    wanted.list.published = folder_.path() / "nowhere" / "www.crl";
    authorities_.clear();
    authorities_.emplace("corp", must(LocalAuthority::open(std::move(wanted), offload_, moved_)));
    look();
    EXPECT_EQ(heard_.field(event::k_crl_failed, "state"), "valid") << "its copy alone is missing";
    EXPECT_EQ(caretaker_.lists().at("corp").state, State::stale);
    spoil();
    moved_.pass(5min);
    look();
    EXPECT_EQ(heard_.count(event::k_crl_failed), 2U);
    EXPECT_EQ(heard_.field(event::k_crl_failed, "state"), "ended");
}

TEST_F(CaretakerTest, runs_until_the_end_and_looks_each_hour) {
    auto wanted = settings();
    wanted.list.life = std::chrono::days(1);
    authorities_.clear();
    authorities_.emplace("corp", must(LocalAuthority::open(std::move(wanted), offload_, moved_)));
    moved_.end = k_now + 25h;
    boost::asio::io_context io(1);
    auto running = caretaker_.run(moved_.over);
    boost::asio::co_spawn(io, std::move(running), [](std::exception_ptr failure) {
        if (failure) std::rethrow_exception(failure);
    });
    io.run();
    EXPECT_EQ(heard_.count(event::k_crl_written), 3U) << "at start, after half a day, after a day";
    EXPECT_EQ(heard_.events.size(), 3U);
}

}  // namespace
}  // namespace connector::authority::test
