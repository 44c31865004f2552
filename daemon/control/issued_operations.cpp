// The register of certificates issued here: shown, and told of what an authority has revoked by somebody's hand.
#include "daemon/control/arguments.hpp"
#include "daemon/control/operations.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <utility>

namespace connector::control {

namespace json = boost::json;

Operations::Answer Operations::issued(json::object arguments) {
    std::size_t limit = 100;
    if (const auto* given = arguments.if_contains("limit"); given != nullptr && given->is_number())
        limit = std::clamp<std::size_t>(given->to_number<std::size_t>(), 1, 10000);
    auto asking = parts_.ledger.issued(limit);
    const auto certificates = co_await std::move(asking);
    if (!certificates) co_return certificates.error();
    json::array rows;
    for (const auto& one : *certificates) {
        json::object row;
        row["authority"] = one.authority;
        row["issuer"] = one.issuer;
        row["serialNumber"] = one.serial_number;
        row["sha256"] = one.sha256.hex();
        row["user"] = one.user.text();
        row["device"] = one.device.text();
        row["request"] = one.request.text();
        row["issuedAt"] = to_rfc3339(one.issued_at);
        row["notAfter"] = to_rfc3339(one.not_after);
        row["revokedAt"] = time_or_null(one.revoked_at);
        rows.push_back(std::move(row));
    }
    json::object answer;
    answer["issued"] = std::move(rows);
    co_return json::value(std::move(answer));
}

// An authority has revoked what it issued, by somebody's hand and not by ours: the register and the audit log hear of
// it.
Operations::Answer Operations::note_revoked(json::object arguments, Caller caller) {
    const auto issuer = text(arguments, "issuer").value_or("");
    const auto serial = text(arguments, "serialNumber").value_or("");
    const auto reason = text(arguments, "reason").value_or("");
    if (issuer.empty() || serial.empty() || reason.empty())
        co_return usage("issuer, serialNumber and reason are needed");
    auto finding = parts_.ledger.find_issued(issuer, serial);
    const auto found = co_await std::move(finding);
    if (!found) co_return found.error();
    const bool before = *found && (*found)->revoked_at;
    Event event(event::k_revoked);
    if (*found) {
        event.with("request", (*found)->request.text())
            .with("user", (*found)->user.text())
            .with("device", (*found)->device.text());
        event.with("authority", (*found)->authority);
    }
    event.with("issuer", issuer).with("serial", serial).with("reason", reason).with("by", caller.account);
    if (*found && !before) {
        auto marking = parts_.ledger.mark_revoked((*found)->sha256, reason, parts_.clock.utc());
        const auto marked = co_await std::move(marking);
        if (!marked) co_return marked.error();
    }
    if (!before) parts_.events.raise(event);
    json::object answer;
    answer["known"] = found->has_value();
    answer["already"] = before;
    answer["request"] = *found ? json::value((*found)->request.text()) : json::value(nullptr);
    answer["user"] = *found ? json::value((*found)->user.text()) : json::value(nullptr);
    answer["device"] = *found ? json::value((*found)->device.text()) : json::value(nullptr);
    co_return json::value(std::move(answer));
}

}  // namespace connector::control
