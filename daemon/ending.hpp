// How the process ends, on a thread of its own (cc-end), so that it holds whatever else hangs, and until the process is
// gone: also when the loop is over and destructors wait for what is still at work.
// The first SIGTERM or SIGINT asks the loop to end; a second one ends the process at once. Once the end was asked for
// there is a deadline; what is under way then is found again in the ledger.
// Make it before everything that may hang, so that it is destroyed last. Its functions: the main thread, which runs the
// loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

namespace connector::daemon {

class Ending {
public:
    struct Asked {
        std::function<void()> end;     // SIGTERM, SIGINT; on the loop. It calls begin()
        std::function<void()> reload;  // SIGHUP; on the loop, and never once the end has begun
    };

    Ending() = default;
    Ending(const Ending&) = delete;
    Ending& operator=(const Ending&) = delete;
    ~Ending();

    // Listens from now on. `farewell` is said by a process that is late, on any thread, until forget_farewell().
    void listen(boost::asio::any_io_executor loop, Asked asked, std::chrono::seconds most,
                std::function<void()> farewell);
    // The end was asked for: the deadline runs.
    void begin();
    // It was said in order, and what it touches is about to go. Waits for one that is being said.
    void forget_farewell();

private:
    void wait_for_signal();
    void heard(int number);
    void run_deadline();
    void end_late();

    boost::asio::io_context io_{1};
    boost::asio::signal_set signals_{io_};
    boost::asio::steady_timer deadline_{io_};
    boost::asio::any_io_executor loop_;
    Asked asked_;
    std::chrono::seconds most_{};
    bool signalled_ = false;  // cc-end's
    std::mutex mutex_;
    bool begun_ = false;  // from then on nothing is posted to the loop, which may be gone
    std::mutex farewell_mutex_;
    std::function<void()> farewell_;
    std::jthread thread_;  // last: it uses all of the above
};

}  // namespace connector::daemon
