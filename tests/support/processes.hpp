// Other processes as /proc shows them, for tests of programs that start programs. Linux.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

namespace connector::test {

[[nodiscard]] std::vector<pid_t> children_of(pid_t parent);
// The content of /proc/PID/NAME, "" where the process has gone.
[[nodiscard]] std::string proc_file(pid_t pid, const std::string& name);
// It has locked itself in and has computed since.
[[nodiscard]] bool is_confined_at_work(pid_t pid);
// Looks again and again for up to a minute.
[[nodiscard]] bool eventually(const std::function<bool()>& true_now);

}  // namespace connector::test
