// One question to the daemon: configuration, control socket, answer, exit code. Main thread.
#pragma once

#include "daemon/cli/command.hpp"

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <functional>
#include <string>

namespace connector::cli {

// `show` is called with the answer's result where it came, unless JSON is wanted.
[[nodiscard]] int ask(const Invocation& call, const std::string& command, const boost::json::object& arguments,
                      const std::function<void(const boost::json::value&)>& show);

}  // namespace connector::cli
