// Port: whoever started the daemon and watches it (systemd; on Windows the service control manager). It is told of the
// start, of each change of state, of a reload and of the end; and, where it asks for that, that the state thread lives.
// Refuses: to wait for it. What it does not take is lost, and the daemon goes on. cc-io.
#pragma once

#include "core/ports/clock.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace connector::service {

class Manager {
public:
    virtual ~Manager() = default;
    // `state`: one line for people, without names of persons, devices or requests.
    virtual void ready(std::string_view state) = 0;
    virtual void status(std::string_view state) = 0;
    // Ends with ready(), whatever came of it.
    virtual void reloading() = 0;
    // `most`: how long it may take.
    virtual void stopping(std::chrono::seconds most) = 0;
    virtual void alive() = 0;
    // How long it waits for alive() until it takes us for stuck; nullopt: it does not.
    [[nodiscard]] virtual std::optional<std::chrono::microseconds> patience() const = 0;
};

// The one that this process was started by, or one that nobody listens to. Takes what concerns it out of the
// environment, so that no child speaks in our name: call it once, before there is a second thread.
[[nodiscard]] std::unique_ptr<Manager> find_manager();

// Says that the daemon is ready, then each new state and twice in its patience that we live, until `ending`. Runs where
// the state is touched: a loop that is stuck there falls silent, and a peer that is slow does not make it so.
[[nodiscard]] boost::asio::awaitable<void> attend(Manager& manager, ports::Clock& clock,
                                                  std::function<std::string()> state, const bool& ending);

}  // namespace connector::service
