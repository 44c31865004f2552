#include "daemon/cli/watch.hpp"

#include <boost/json/object.hpp>

#include <csignal>
#include <ctime>
#include <optional>
#include <ostream>

namespace connector::cli {
namespace json = boost::json;
namespace {

// Waiting for the signals themselves: none comes in between a look and the next wait.
class Interruption {
public:
    Interruption() {
        ::sigemptyset(&signals_);
        ::sigaddset(&signals_, SIGINT);
        ::sigaddset(&signals_, SIGTERM);
        ::pthread_sigmask(SIG_BLOCK, &signals_, &before_);
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
    ~Interruption() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

    [[nodiscard]] bool came_within(std::chrono::seconds time) const {
        const struct timespec wait { time.count(), 0 };
        return ::sigtimedwait(&signals_, nullptr, &wait) > 0;
    }

private:
    sigset_t signals_{};
    sigset_t before_{};
};

json::value stopped(const std::optional<control::Answer>& answer) {
    json::object status;
    status["status"] = answer ? "unknown" : "stopped";
    if (answer) status["reason"] = answer->error;
    return status;
}

}  // namespace

json::value steady_part(const json::value& status) {
    json::value copy = status;
    if (auto* object = copy.if_object())
        for (const char* name : {"lastLeaseAt", "oldestPendingSeconds", "clockSkewSeconds", "limits"})
            object->erase(name);
    return copy;
}

int watch_status(const Invocation& call, const config::Settings& settings, std::chrono::seconds interval,
                 const std::function<void(const json::value&)>& show) {
    // On a terminal the cursor goes home and what stood below is wiped; the scroll-back stays as it is.
    constexpr const char* k_redraw = "\x1b[H\x1b[2J";
    const Interruption interruption;
    std::ostream& out = call.environment.out;
    std::optional<json::value> last;
    do {
        const auto answer = call.environment.ask_running(settings, "status", {});
        const json::value status = answer && answer->exit_code == k_done ? answer->result : stopped(answer);
        const json::value steady = steady_part(status);
        const bool redrawn = call.environment.terminal && !call.json;
        if (redrawn || !last || *last != steady) {
            if (redrawn)
                out << k_redraw;
            else if (last && !call.json)
                out << '\n';
            const std::string now = to_rfc3339(call.environment.now());
            if (!call.json) call.terminal.heading(now + (redrawn ? "   (Ctrl-C ends)" : ""));
            show(status);
            out.flush();
            // Whoever read it is gone.
            if (!out) return k_failed;
        }
        last = steady;
    } while (!interruption.came_within(interval));
    return k_done;
}

}  // namespace connector::cli
