// Reload: reads the configuration again and puts it in force, or leaves everything as it is and says why. Each fault is
// a line of the log, and one event says how it ended. What is in work goes on with what it began with.
// cc-io; reading and building are done on the pool.
#pragma once

#include "core/async/wake.hpp"
#include "daemon/assembly.hpp"
#include "daemon/log_sink.hpp"
#include "daemon/parser/parser_process.hpp"
#include "daemon/service/lockdown.hpp"
#include "daemon/service/manager.hpp"

#include <boost/asio/awaitable.hpp>

#include <functional>
#include <memory>
#include <string>

namespace connector::daemon {

class Reload {
public:
    struct Parts {
        Surroundings surroundings;
        const parser::ParserProcess& parsers;
        const service::Lockdown& lockdown;
        service::Manager& manager;
        LogSink& log;
        ConnectorId connector;
        // What is in force just now, and the line for the service manager.
        std::function<std::shared_ptr<const config::Settings>()> settings;
        std::function<bool()> has_directory;
        std::function<std::string()> state;
        // Puts it in force; cannot fail.
        std::function<void(Assembly)> use;
    };
    Reload(const boost::asio::any_io_executor& executor, Parts parts)
        : parts_(std::move(parts)), asked_for_(executor) {}

    // Several askings while one is under way come to one more.
    void ask() {
        wanted_ = true;
        asked_for_.call();
    }
    // The files that the settings in force name, and not the settings themselves: the connector's certificate is
    // another.
    void ask_for_files() {
        files_changed_ = true;
        asked_for_.call();
    }
    // Until `ending`.
    [[nodiscard]] boost::asio::awaitable<void> run(const bool& ending);

private:
    // nullptr: the configuration's file says them anew.
    [[nodiscard]] ports::Async<Assembly> read(std::shared_ptr<const config::Settings> settings);
    // What cannot be had without a restart.
    [[nodiscard]] std::optional<Error> beyond_reach(const Assembly& fresh) const;

    Parts parts_;
    async::Wake asked_for_;
    bool wanted_ = false;
    bool files_changed_ = false;
};

}  // namespace connector::daemon
