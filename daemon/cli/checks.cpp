#include "daemon/cli/checks.hpp"

#include <boost/json/object.hpp>

#include <algorithm>

namespace connector::cli {
namespace {

using doctor::Check;
using doctor::Verdict;

Terminal::Mood mood_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::good: return Terminal::Mood::good;
        case Verdict::warning: return Terminal::Mood::doubtful;
        case Verdict::fault: return Terminal::Mood::bad;
    }
    return Terminal::Mood::bad;
}

}  // namespace

void show_check(const Terminal& terminal, const Check& check) {
    constexpr std::size_t k_hanging = 4;
    terminal.marked(mood_of(check.verdict),
                    check.name + ": " + check.detail + (check.mend.empty() ? "" : " → " + check.mend), k_hanging);
}

int report_checks(const Invocation& call, const std::vector<Check>& checks) {
    const auto number = [&checks](Verdict verdict) {
        return std::count_if(checks.begin(), checks.end(),
                             [verdict](const Check& one) { return one.verdict == verdict; });
    };
    const auto faults = number(Verdict::fault);
    if (call.json) {
        boost::json::object answer;
        answer["ok"] = faults == 0;
        answer["checks"] = doctor::to_json(checks);
        call.terminal.json(answer);
        return faults == 0 ? k_done : k_fault_found;
    }
    for (const Check& check : checks) show_check(call.terminal, check);
    call.terminal.line(doctor::count_of(faults, "fault") + ", " +
                       doctor::count_of(number(Verdict::warning), "warning") + ", " +
                       std::to_string(number(Verdict::good)) + " well");
    return faults == 0 ? k_done : k_fault_found;
}

}  // namespace connector::cli
