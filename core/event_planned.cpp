// Events whose feature is not built: they have their number and their paragraph, and nothing raises them. What gets
// built is taken out here; tests/lint/events.py compares with the sources.
#include "core/event_catalogue.hpp"
#include "core/event_ids.hpp"

#include <algorithm>
#include <array>

namespace connector {
namespace {

struct Planned {
    std::string_view id;
    std::string_view feature;
};
constexpr std::array k_planned{
    Planned{event::k_revoke_request_done, "the order certificate.revoke"},
    Planned{event::k_revoke_request_failed, "the order certificate.revoke"},
    Planned{event::k_not_issued_here, "the order certificate.revoke"},
    Planned{event::k_connector_added, "the watch over the service's list of connectors"},
    Planned{event::k_authority_suspended, "the suspension of an authority"},
    Planned{event::k_disk_low, "the pause before the disk is full"},
};

}  // namespace

std::string_view not_raised_before(std::string_view id) noexcept {
    const auto found =
        std::find_if(k_planned.begin(), k_planned.end(), [&](const Planned& planned) { return planned.id == id; });
    return found == k_planned.end() ? std::string_view() : found->feature;
}

}  // namespace connector
