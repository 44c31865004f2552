// The operations that look at or change what the ledger knows beside requests: devices and certificates.
#include "daemon/control/arguments.hpp"
#include "daemon/control/operations.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <utility>

namespace connector::control {

namespace json = boost::json;

Operations::Answer Operations::recipients() {
    auto pinning = parts_.ledger.pins();
    const auto pins = co_await std::move(pinning);
    if (!pins) co_return pins.error();
    auto blocking = parts_.ledger.blocks();
    const auto blocks = co_await std::move(blocking);
    if (!blocks) co_return blocks.error();
    auto opening = parts_.ledger.window();
    const auto open = co_await std::move(opening);
    if (!open) co_return open.error();
    json::array rows;
    for (const auto& pin : *pins) {
        json::object row;
        row["device"] = pin.device.text();
        row["user"] = pin.user.text();
        row["userPrincipalName"] = pin.user_principal_name;
        row["key"] = trust::key_known(pin) ? json::value(pin.spki_sha256.hex()) : json::value(nullptr);
        row["source"] = pin.source;
        row["firstSeen"] = to_rfc3339(pin.first_seen);
        row["lastSeen"] = to_rfc3339(pin.last_seen);
        rows.push_back(std::move(row));
    }
    json::array blocked;
    for (const auto& one : *blocks) {
        json::object row;
        row["thing"] = one.thing == trust::BlockedThing::device ? "device"
                       : one.thing == trust::BlockedThing::user ? "user"
                                                                : "key";
        row["value"] = one.value;
        row["by"] = one.by;
        row["since"] = to_rfc3339(one.since);
        blocked.push_back(std::move(row));
    }
    json::object answer;
    answer["recipients"] = std::move(rows);
    answer["blocks"] = std::move(blocked);
    answer["window"] = nullptr;
    if (*open) {
        json::object row;
        row["opened"] = to_rfc3339((*open)->opened);
        row["until"] = to_rfc3339((*open)->until);
        row["max"] = (*open)->max;
        row["used"] = (*open)->used;
        row["by"] = (*open)->by;
        answer["window"] = std::move(row);
    }
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::window(json::object arguments, Caller caller) {
    constexpr auto k_longest = std::chrono::hours{24 * 31};
    constexpr std::uint64_t k_most_devices = 100000;
    const auto now = parts_.clock.utc();
    const auto until_text = text(arguments, "until");
    if (!until_text) co_return usage("--until is needed: 2026-12-24T18:00:00Z");
    const auto until = from_rfc3339(*until_text);
    if (!until) co_return usage("--until: " + until.error().message);
    if (*until <= now || *until - now > k_longest)
        co_return usage("--until: must lie in the future, at most 31 days ahead");
    const auto* most = arguments.if_contains("max");
    if (most == nullptr || !most->is_number()) co_return usage("--max is needed: how many first uses may pass");
    const auto number = most->to_number<std::uint64_t>();
    if (number == 0 || number > k_most_devices) co_return usage("--max: 1 to 100000");
    trust::EnrolmentWindow opened{now, *until, static_cast<std::uint32_t>(number), 0, caller.account};
    auto opening = parts_.ledger.open_window(std::move(opened));
    const auto done = co_await std::move(opening);
    if (!done) co_return done.error();
    parts_.events.raise(Event(event::k_window_opened)
                            .with("until", to_rfc3339(*until))
                            .with("max", std::to_string(number))
                            .with("by", caller.account));
    json::object answer;
    answer["until"] = to_rfc3339(*until);
    answer["max"] = number;
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::block(json::object arguments, Caller caller) {
    trust::Block wanted;
    int given = 0;
    if (auto device = text(arguments, "device")) {
        wanted.thing = trust::BlockedThing::device;
        wanted.value = std::move(*device);
        ++given;
    }
    if (auto user = text(arguments, "user")) {
        wanted.thing = trust::BlockedThing::user;
        wanted.value = std::move(*user);
        ++given;
    }
    if (auto key = text(arguments, "key")) {
        wanted.thing = trust::BlockedThing::key;
        wanted.value = std::move(*key);
        ++given;
        if (!Sha256::from_hex_text(wanted.value))
            co_return usage("--key: the whole SHA-256 fingerprint, 64 hexadecimal digits");
    }
    if (given != 1 || wanted.value.empty()) co_return usage("exactly one of --device, --user and --key is needed");
    std::transform(wanted.value.begin(), wanted.value.end(), wanted.value.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    wanted.by = caller.account;
    wanted.since = parts_.clock.utc();
    const std::string thing = wanted.thing == trust::BlockedThing::device ? "device"
                              : wanted.thing == trust::BlockedThing::user ? "user"
                                                                          : "key";
    const std::string value = wanted.value;
    auto blocking = parts_.ledger.block(std::move(wanted));
    const auto done = co_await std::move(blocking);
    if (!done) co_return done.error();
    parts_.events.raise(
        Event(event::k_recipient_blocked).with("thing", thing).with("value", value).with("by", caller.account));
    json::object answer;
    answer["thing"] = thing;
    answer["value"] = value;
    co_return json::value(std::move(answer));
}

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
