#include "support/processes.hpp"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

namespace connector::test {
namespace {

// The fields of /proc/PID/stat from the third on; the second, a name, may hold blanks.
std::vector<std::string> stat_fields(pid_t pid) {
    const std::string text = proc_file(pid, "stat");
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos) return {};
    std::istringstream rest(text.substr(name_end + 1));
    std::vector<std::string> fields;
    for (std::string field; rest >> field;) fields.push_back(field);
    return fields;
}

}  // namespace

std::string proc_file(pid_t pid, const std::string& name) {
    std::ifstream stream("/proc/" + std::to_string(pid) + "/" + name, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return stream ? text.str() : std::string();
}

std::vector<pid_t> children_of(pid_t parent) {
    std::vector<pid_t> found;
    std::error_code gone;
    for (const auto& entry : std::filesystem::directory_iterator("/proc", gone)) {
        const std::string name = entry.path().filename();
        if (name.find_first_not_of("0123456789") != std::string::npos) continue;
        const auto pid = static_cast<pid_t>(std::stol(name));
        const auto fields = stat_fields(pid);
        if (fields.size() > 1 && fields[0] != "Z" && fields[1] == std::to_string(parent)) found.push_back(pid);
    }
    return found;
}

bool is_confined_at_work(pid_t pid) {
    if (proc_file(pid, "status").find("Seccomp:\t2") == std::string::npos) return false;
    const auto fields = stat_fields(pid);
    return fields.size() > 11 && std::stol(fields[11]) >= 2;  // user time, in hundredths of a second
}

bool eventually(const std::function<bool()>& true_now) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (!true_now()) {
        if (std::chrono::steady_clock::now() > end) return false;
        std::this_thread::yield();
    }
    return true;
}

}  // namespace connector::test
