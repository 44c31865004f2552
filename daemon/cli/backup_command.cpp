// backup: a copy of the database, beside a running daemon or without one.
#include "daemon/cli/command.hpp"
#include "storage/backup.hpp"

#include <boost/json/object.hpp>

namespace connector::cli {
namespace {

int back_up(const Invocation& call, const std::string& file) {
    const auto settings = call.settings(config::Need::control);
    if (!settings) return k_usage;
    if (const auto done = storage::back_up(settings->storage.directory, file); !done) return call.fail(done.error());
    boost::json::object arguments;
    arguments["file"] = file;
    // The copy is there; what could not be noted is told and changes nothing.
    const auto noted = call.environment.call(*settings, "backup.note", arguments);
    if (noted.exit_code != k_done) call.terminal.warning("not noted in the audit log: " + noted.error);
    if (call.json) {
        call.terminal.json(arguments);
    } else {
        call.terminal.line("copied and checked: " + file);
    }
    return k_done;
}

}  // namespace

void add_backup_command(CLI::App& app, Chosen& chosen) {
    auto file = std::make_shared<std::string>();
    auto* command = add_command(app, "backup", "a consistent copy of the database, while the daemon runs",
                                "pfx-connector backup /var/backups/connector.db");
    command->add_option("FILE", *file, "where to; must not exist")->required();
    chosen.on(command, [file](const Invocation& call) { return back_up(call, *file); });
}

}  // namespace connector::cli
