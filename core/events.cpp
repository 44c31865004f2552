#include "core/events.hpp"

#include "core/event_catalogue.hpp"
#include "core/text.hpp"

namespace connector {

std::string_view to_string(Severity severity) noexcept {
    switch (severity) {
        case Severity::debug: return "debug";
        case Severity::info: return "info";
        case Severity::warning: return "warning";
        case Severity::error: return "error";
    }
    return "error";
}

std::span<const EventDefinition> event_catalogue() noexcept {
    static const std::vector<EventDefinition> all = [] {
        std::vector<EventDefinition> joined(request_events().begin(), request_events().end());
        joined.insert(joined.end(), house_events().begin(), house_events().end());
        return joined;
    }();
    return all;
}

const EventDefinition* find_event(std::string_view id) noexcept {
    for (const EventDefinition& event : event_catalogue())
        if (ascii_equal(id, event.id)) return &event;
    return nullptr;
}

std::string catalogue_markdown() {
    std::string text =
        "# Events\n\n"
        "<!-- Printed from core/event_catalogue; change it there. -->\n\n"
        "Each log line of consequence has one of these ids; `pfx-connector explain ID` prints its paragraph. An id "
        "keeps its\n"
        "meaning for ever. *Audited* events also stand in the audit log.\n\n| id | severity | audited | what happened "
        "|\n|---|---|---|---|\n";
    for (const EventDefinition& event : event_catalogue()) {
        const std::string id(event.id);
        text += "| [" + id + "](#" + ascii_lower(id) + ") | " + std::string(to_string(event.severity)) + " | " +
                (event.audited ? "yes" : "") + " | " + std::string(event.headline) +
                (not_raised_before(event.id).empty() ? "" : " *Not raised yet.*") + " |\n";
    }
    for (const EventDefinition& event : event_catalogue()) {
        text += "\n### " + std::string(event.id) + "\n**" + std::string(event.headline) + "** " +
                std::string(event.meaning) + "\n\n*What to do:* " + std::string(event.action) + "\n";
        if (const auto feature = not_raised_before(event.id); !feature.empty())
            text += "\n*Not raised yet:* " + std::string(feature) + " is not built.\n";
    }
    return text;
}

}  // namespace connector
