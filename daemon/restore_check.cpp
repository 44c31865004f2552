#include "daemon/restore_check.hpp"

#include "core/event_ids.hpp"
#include "daemon/audit_line.hpp"

#include <boost/json/parse.hpp>

#include <algorithm>
#include <array>
#include <fstream>
#include <utility>

namespace connector::daemon {
namespace {

namespace json = boost::json;

// Raised when the commit that ends a request is on the disk, and not before.
constexpr std::array k_ends{event::k_issue_request_done, event::k_issue_request_failed, event::k_import_request_done,
                            event::k_import_request_failed};

struct Told {
    std::string event;
    std::string time;
    std::uint64_t generation = 0;
    std::optional<std::pair<RequestId, UtcTime>> end;  // of a request
};

std::optional<Told> told_by(const AuditLine& line) {
    boost::system::error_code failure;
    const auto value = json::parse(std::string(line.content) + "}", failure);
    const auto* object = failure ? nullptr : value.if_object();
    if (object == nullptr) return std::nullopt;
    const auto text = [object](std::string_view name) {
        const auto* found = object->if_contains(name);
        return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
    };
    Told told;
    told.event = text("event");
    told.time = text("time");
    const auto* generation = object->if_contains("generation");
    if (generation != nullptr && generation->is_number())
        told.generation = generation->to_number<std::uint64_t>(failure);
    const auto request = RequestId::parse(text("request"));
    const auto time = from_rfc3339(told.time);
    if (request && time && std::find(k_ends.begin(), k_ends.end(), told.event) != k_ends.end())
        told.end = std::pair(*request, *time);
    return told;
}

}  // namespace

bool knows_end(const request::RequestRecord& record, UtcTime told) noexcept {
    using request::Stage;
    const bool given_up = record.stage == Stage::abandoned && record.outcome.has_value();
    return record.stage == Stage::closed || record.stage == Stage::revoking || given_up || record.accepted_at >= told;
}

std::string restored_since(const std::filesystem::path& audit_file, const ports::Sealer& sealer,
                           const std::optional<AuditHead>& anchor, std::uint64_t generation, const KnowsEnd& knows) {
    const std::uint64_t known = anchor ? anchor->sequence : 0;
    std::uint64_t newest = 0;
    for (const auto& file : audit_files(audit_file)) {
        std::ifstream stream(file, std::ios::binary);
        for (std::string text; std::getline(stream, text);) {
            const auto line = parse_audit_line(text);
            if (!line || line->sequence <= known) continue;
            const auto told = told_by(*line);
            if (!told || audit_link_of(sealer, line->previous, line->content) != line->link) continue;
            const auto said = "line " + std::to_string(line->sequence) + " of the audit log tells of ";
            if (told->generation > generation)
                return said + told->event + " at " + told->time + ", after commit " + std::to_string(told->generation) +
                       " of the database; this one has had " + std::to_string(generation);
            // What is done while it waits for a person counts on from where the copy was taken.
            if (told->generation != 0 && told->generation < newest)
                return said + told->event + " at " + told->time + ", after commit " + std::to_string(told->generation) +
                       " of the database, which had had " + std::to_string(newest) + " before";
            newest = std::max(newest, told->generation);
            if (!told->end || knows(told->end->first, told->end->second)) continue;
            return said + "request " + told->end->first.text() + " that ended at " + told->time +
                   "; the database does not know of that";
        }
    }
    return {};
}

}  // namespace connector::daemon
