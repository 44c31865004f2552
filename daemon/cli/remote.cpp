#include "daemon/cli/remote.hpp"

namespace connector::cli {

int ask(const Invocation& call, const std::string& command, const boost::json::object& arguments,
        const std::function<void(const boost::json::value&)>& show) {
    const auto settings = call.settings(config::Need::control);
    if (!settings) return k_usage;
    const control::Answer answer = call.environment.call(*settings, command, arguments);
    if (answer.exit_code != k_done) {
        call.terminal.error(answer.error.empty() ? command + ": failed" : answer.error);
        return answer.exit_code;
    }
    if (call.json)
        call.terminal.json(answer.result);
    else
        show(answer.result);
    return k_done;
}

}  // namespace connector::cli
