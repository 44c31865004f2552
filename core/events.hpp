// The event catalogue: each log line of consequence has a stable id and a paragraph here: what happened, what it means,
// what to do. `explain`, docs/events.md, alert rules and Windows event ids come from this one table.
// Blocks follow Microsoft's connector where it has a number. Values only, any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector {

enum class Severity { debug, info, warning, error };
[[nodiscard]] std::string_view to_string(Severity severity) noexcept;

struct EventDefinition {
    std::string_view id;  // "PKCS-1050"
    Severity severity;
    bool audited;               // a decision about a key, a certificate, a recipient or a limit
    std::string_view headline;  // one line
    std::string_view meaning;
    std::string_view action;
};
[[nodiscard]] std::span<const EventDefinition> event_catalogue() noexcept;
// nullptr for an unknown id; case-insensitive.
[[nodiscard]] const EventDefinition* find_event(std::string_view id) noexcept;

// One occurrence. Field values are made harmless by each sink, not here.
struct Event {
    std::string_view id;
    std::vector<std::pair<std::string, std::string>>
        fields;  // ("request", …), ("user", …), ("device", …), ("reason", …)

    explicit Event(std::string_view event_id) : id(event_id) {}
    Event& with(std::string_view name, std::string_view value) & {
        fields.emplace_back(name, value);
        return *this;
    }
    Event&& with(std::string_view name, std::string_view value) && {
        fields.emplace_back(name, value);
        return std::move(*this);
    }
};

}  // namespace connector
