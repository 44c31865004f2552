#include "daemon/reload.hpp"

#include "config/loader.hpp"
#include "core/event_ids.hpp"

#include <utility>

namespace connector::daemon {

using namespace std::chrono_literals;

namespace {

Error only_at_the_start(const std::string& what) {
    return {ErrorKind::misconfigured, "restartNeeded", what + ": restart the daemon for that"};
}

bool delivers(const config::Settings& settings) {
    return settings.connector.does(request::Kind::pfx_deliver);
}

}  // namespace

boost::asio::awaitable<void> Reload::run(const bool& ending) {
    auto& clock = parts_.surroundings.clock;
    auto& events = parts_.surroundings.events;
    while (!ending) {
        auto waiting = asked_for_.wait(clock, clock.tick() + 1s);
        co_await std::move(waiting);
        if ((!wanted_ && !files_changed_) || ending) continue;
        const bool whole = std::exchange(wanted_, false);
        files_changed_ = false;
        parts_.manager.reloading();
        auto reading = read(whole ? nullptr : parts_.settings());
        auto fresh = co_await std::move(reading);
        if (fresh) {
            Event event(event::k_configuration_reloaded);
            event.with("file", fresh->settings->file.string());
            if (const auto keys = needs_restart(*parts_.settings(), *fresh->settings); !keys.empty())
                event.with("needs_restart", keys);
            parts_.use(std::move(*fresh));
            events.raise(event);
        } else {
            events.raise(
                Event(event::k_reload_refused).with("code", fresh.error().code).with("reason", fresh.error().message));
        }
        parts_.manager.ready(parts_.state());
    }
}

ports::Async<Assembly> Reload::read(std::shared_ptr<const config::Settings> settings) {
    auto job = [settings = std::move(settings), file = parts_.settings()->file, &parts = parts_]() -> Result<Assembly> {
        if (settings) return assemble(settings, parts.surroundings);
        auto loaded = config::load(file, config::Need::run);
        for (const auto& warning : loaded.warnings) parts.log.log(Severity::warning, warning.text());
        for (const auto& problem : loaded.problems) parts.log.log(Severity::error, problem.text());
        if (!loaded.ok()) {
            const auto more = loaded.problems.size() - 1;
            return Error(ErrorKind::misconfigured, "configurationFaulty",
                         loaded.problems.front().text() +
                             (more == 0 ? "" : " (and " + std::to_string(more) + " more: `check-config`)"));
        }
        const bool begins_to_deliver = delivers(*loaded.settings) && !delivers(*parts.settings());
        auto made = assemble(std::make_shared<const config::Settings>(std::move(*loaded.settings)), parts.surroundings);
        if (made && begins_to_deliver)
            if (auto ready = parts.parsers.start(); !ready) return ready.error();
        return made;
    };
    auto building = parts_.surroundings.offload.run(std::move(job));
    auto made = co_await std::move(building);
    if (!made) co_return made.error();
    if (auto fault = beyond_reach(*made)) co_return std::move(*fault);
    co_return std::move(made);
}

std::optional<Error> Reload::beyond_reach(const Assembly& fresh) const {
    const auto old = parts_.settings();
    const auto& directory = fresh.settings->directory;
    if (*fresh.connector != parts_.connector)
        return only_at_the_start("[management] certificate is that of the connector " + fresh.connector->text() +
                                 ", and this one is " + parts_.connector.text());
    if (const auto path = parts_.lockdown.outside(*fresh.settings); !path.empty())
        return only_at_the_start(path + ": the daemon has bound itself to the folders that it wrote to at its start");
    if (fresh.directory && !parts_.has_directory())
        return only_at_the_start("[directory] was asked for nothing until now");
    // Kerberos takes its keytab from the environment, which running threads read.
    if (fresh.directory && directory.bind == config::DirectoryBind::gssapi &&
        (old->directory.bind != directory.bind || old->directory.credential != directory.credential))
        return only_at_the_start("[directory] credential: another keytab");
    return std::nullopt;
}

}  // namespace connector::daemon
