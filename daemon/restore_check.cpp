#include "daemon/restore_check.hpp"

#include "core/event_ids.hpp"
#include "daemon/audit_line.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <fstream>

namespace connector::daemon {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds k_lag{60};
constexpr std::array k_after_a_commit{event::k_key_generated, event::k_issued, event::k_issue_request_done,
                                      event::k_import_request_done};

struct Told {
    UtcTime time;
    std::string event;
};

std::optional<Told> told_by(const AuditLine& line) {
    boost::system::error_code failure;
    const auto value = json::parse(std::string(line.content) + "}", failure);
    const auto* object = failure ? nullptr : value.if_object();
    if (object == nullptr) return std::nullopt;
    const auto* time = object->if_contains("time");
    const auto* event = object->if_contains("event");
    if (time == nullptr || !time->is_string() || event == nullptr || !event->is_string()) return std::nullopt;
    const auto when = from_rfc3339(std::string_view(time->get_string()));
    if (!when) return std::nullopt;
    return Told{*when, std::string(event->get_string())};
}

}  // namespace

std::string restored_since(const std::filesystem::path& audit_file, const ports::Sealer& sealer,
                           const std::optional<AuditHead>& anchor) {
    const std::uint64_t known = anchor ? anchor->sequence : 0;
    std::optional<UtcTime> first;
    for (const auto& file : audit_files(audit_file)) {
        std::ifstream stream(file, std::ios::binary);
        for (std::string text; std::getline(stream, text);) {
            const auto line = parse_audit_line(text);
            if (!line || line->sequence <= known) continue;
            const auto told = told_by(*line);
            if (!told || audit_link_of(sealer, line->previous, line->content) != line->link) continue;
            if (!first) first = told->time;
            const bool after_a_commit =
                std::find(k_after_a_commit.begin(), k_after_a_commit.end(), told->event) != k_after_a_commit.end();
            if (after_a_commit && told->time > *first + k_lag)
                return "the database knows the audit log up to line " + std::to_string(known) + "; line " +
                       std::to_string(line->sequence) + " of " + to_rfc3339(told->time) + " tells of a commit it does not have";
        }
    }
    return {};
}

}  // namespace connector::daemon
