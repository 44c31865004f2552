// clock show, clock accept.
#include "daemon/cli/command.hpp"
#include "daemon/cli/remote.hpp"
#include "daemon/cli/view.hpp"

#include <boost/json/object.hpp>

#include <memory>

namespace connector::cli {
namespace json = boost::json;

void add_clock_commands(CLI::App& app, Chosen& chosen) {
    auto* group = add_group(app, "clock", "this machine's clock against the newest time that was seen here");
    chosen.on(add_command(*group, "show", "the clock, the newest time seen, and whether it is behind",
                          "pfx-connector clock show"),
              [](const Invocation& call) {
                  return ask(call, "clock.show", {},
                             [&call](const json::value& answer) { show_fields(call.terminal, answer); });
              });
    auto reason = std::make_shared<std::string>();
    auto* accepting =
        add_command(*group, "accept", "the clock is right now, and the newest time seen was not; audited (SVC-5035)",
                    "pfx-connector clock accept --reason \"the BIOS battery was empty, it had said 2036\"");
    accepting->add_option("--reason", *reason, "for the audit log")->required();
    chosen.on(accepting, [reason](const Invocation& call) {
        json::object arguments;
        arguments["reason"] = *reason;
        return ask(call, "clock.accept", arguments,
                   [&call](const json::value& answer) { show_fields(call.terminal, answer); });
    });
}

}  // namespace connector::cli
