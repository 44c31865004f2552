// The devices that are known: shown, let in by a window, kept out; and what a person says of them by hand: whose one
// is, one by one or as a list, and that one is not known any more. Pins change by these and by proofs alone.
#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "core/text.hpp"
#include "daemon/control/arguments.hpp"
#include "daemon/control/operations.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace connector::control {

namespace json = boost::json;

namespace {

constexpr std::size_t k_most_rows = 20'000;
constexpr std::size_t k_longest_name = 256;
constexpr std::size_t k_longest_shown = 100;

json::object row_of(const trust::Pin& pin) {
    json::object row;
    row["device"] = pin.device.text();
    row["user"] = pin.user.empty() ? json::value(nullptr) : json::value(pin.user.text());
    row["userPrincipalName"] = pin.user_principal_name;
    row["key"] = trust::key_known(pin) ? json::value(pin.spki_sha256.hex()) : json::value(nullptr);
    row["certificate"] =
        pin.certificate_sha256 == Sha256() ? json::value(nullptr) : json::value(pin.certificate_sha256.hex());
    row["source"] = pin.source;
    row["firstSeen"] = to_rfc3339(pin.first_seen);
    row["lastSeen"] = to_rfc3339(pin.last_seen);
    return row;
}

// One row of a list, or what was given to `bind`: "FIELD: WHY" where it cannot be right.
Result<trust::Pin> pin_of(const json::object& row, const std::string& source, UtcTime now) {
    trust::Pin pin;
    const auto device = text(row, "device").value_or("");
    const auto id = DeviceId::parse(device);
    if (!id)
        return usage("device: \"" + printable(device, k_longest_shown) +
                     "\" is no device id: 1 to 128 of A-Z a-z 0-9 . _ : @ + -");
    pin.device = *id;
    pin.user_principal_name = text(row, "userPrincipalName").value_or("");
    const auto& name = pin.user_principal_name;
    const auto at = name.find('@');
    const bool named = at != std::string::npos && at != 0 && at + 1 < name.size() && name.size() <= k_longest_name &&
                       is_utf8(name) && !has_control(name) && name.find_first_of(" ,;\"'=") == std::string::npos;
    if (!named)
        return usage("userPrincipalName: \"" + printable(name, k_longest_shown) +
                     "\" is none, such as alice@corp.example");
    if (const auto user = text(row, "user"); user && !user->empty()) {
        const auto user_id = UserId::parse(*user);
        if (!user_id) return usage("user: \"" + printable(*user, k_longest_shown) + "\" is no user id");
        pin.user = *user_id;
    }
    if (const auto key = text(row, "key"); key && !key->empty()) {
        const auto digest = Sha256::from_hex_text(*key);
        if (!digest || *digest == Sha256())
            return usage("key: \"" + printable(*key, k_longest_shown) +
                         "\" is no SHA-256 fingerprint: 64 hexadecimal digits");
        pin.spki_sha256 = *digest;
    }
    pin.source = source;
    pin.first_seen = now;
    pin.last_seen = now;
    return pin;
}

bool truth(const json::object& arguments, std::string_view name) {
    const auto* found = arguments.if_contains(name);
    return found != nullptr && found->is_bool() && found->get_bool();
}

// Nothing new: it was written so before.
bool says_nothing_new(const std::optional<trust::Pin>& before, const trust::Pin& wanted) {
    return before && trust::same_binding(*before, wanted) && (!trust::key_known(wanted) || trust::key_known(*before)) &&
           (wanted.user.empty() || !before->user.empty());
}

Event bound(const trust::Pin& pin, const std::optional<trust::Pin>& before, const std::string& by) {
    Event event(event::k_recipient_bound);
    event.with("device", pin.device.text()).with("user", pin.user_principal_name);
    event.with("key", trust::key_known(pin) ? pin.spki_sha256.hex() : std::string("the first that comes"));
    if (before)
        event.with("before", before->user_principal_name + ", key " +
                                 (trust::key_known(*before) ? before->spki_sha256.hex() : std::string("not seen")));
    event.with("source", pin.source).with("by", by);
    return event;
}

}  // namespace

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
    for (const auto& pin : *pins) rows.push_back(row_of(pin));
    json::array blocked;
    for (const auto& one : *blocks) {
        json::object row;
        row["thing"] = std::string(to_string(one.thing));
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
    wanted.value = ascii_lower(wanted.value);
    wanted.by = caller.account;
    wanted.since = parts_.clock.utc();
    std::set<std::string> values{wanted.value};
    if (wanted.thing == trust::BlockedThing::user) {
        // The next order may call him by another id: he is blocked by the names that he was proved by.
        auto pinning = parts_.ledger.pins();
        const auto pins = co_await std::move(pinning);
        if (!pins) co_return pins.error();
        for (const auto& pin : *pins)
            if (ascii_equal(pin.user.text(), wanted.value))
                values.insert(trust::one_spelling_of_person(pin.user_principal_name));
        if (values.size() == 1 && wanted.value.find('@') == std::string::npos)
            co_return usage("--user: nobody is known here by the id " + printable(wanted.value, k_longest_shown) +
                            "; give the userPrincipalName, since an id is what the service says");
    }
    const std::string thing(to_string(wanted.thing));
    json::object answer;
    answer["thing"] = thing;
    answer["value"] = wanted.value;
    json::array names;
    for (const auto& value : values) {
        auto one = wanted;
        one.value = value;
        auto blocking = parts_.ledger.block(std::move(one));
        const auto done = co_await std::move(blocking);
        if (!done) co_return done.error();
        parts_.events.raise(
            Event(event::k_recipient_blocked).with("thing", thing).with("value", value).with("by", caller.account));
        if (value != wanted.value) names.emplace_back(value);
    }
    if (!names.empty()) answer["userPrincipalNames"] = std::move(names);
    co_return json::value(std::move(answer));
}

Operations::Answer Operations::show_recipient(json::object arguments) {
    const auto wanted = text(arguments, "device").value_or("");
    if (wanted.empty()) co_return usage("a device's id is needed");
    auto pinning = parts_.ledger.pins();
    const auto pins = co_await std::move(pinning);
    if (!pins) co_return pins.error();
    auto blocking = parts_.ledger.blocks();
    const auto blocks = co_await std::move(blocking);
    if (!blocks) co_return blocks.error();
    const auto found =
        std::ranges::find_if(*pins, [&](const auto& pin) { return ascii_equal(pin.device.text(), wanted); });
    if (found == pins->end())
        co_return Error(ErrorKind::refused, "notFound",
                        "no device " + printable(wanted, k_longest_shown) + " is known");
    json::object answer = row_of(*found);
    json::array others;
    for (const auto& pin : *pins)
        if (&pin != &*found && ascii_equal(pin.user_principal_name, found->user_principal_name))
            others.push_back(json::value(pin.device.text()));
    answer["otherDevices"] = std::move(others);
    json::array blocked;
    for (const auto& block : *blocks) {
        const bool fits = ascii_equal(block.value, found->device.text()) ||
                          ascii_equal(block.value, found->user_principal_name) ||
                          (!found->user.empty() && ascii_equal(block.value, found->user.text())) ||
                          block.value == found->spki_sha256.hex();
        if (fits) blocked.push_back(json::value(block.value + " by " + block.by + " since " + to_rfc3339(block.since)));
    }
    answer["blocked"] = std::move(blocked);
    co_return json::value(std::move(answer));
}

// What waits because these devices were not known, or otherwise, is proved once more.
ports::Async<std::uint64_t> Operations::release_devices(std::set<std::string> devices) {
    constexpr std::size_t k_page = 500;
    std::uint64_t released = 0;
    ports::PageFilter filter;
    filter.stage = request::Stage::held;
    filter.limit = k_page;
    for (;;) {
        auto paging = parts_.ledger.page(filter);
        const auto page = co_await std::move(paging);
        if (!page) co_return page.error();
        for (const auto& record : *page) {
            using request::HeldReason;
            const bool by_pin =
                record.held_reason == HeldReason::new_recipient || record.held_reason == HeldReason::key_change ||
                record.held_reason == HeldReason::user_change || record.held_reason == HeldReason::too_many_devices;
            if (!by_pin || !devices.contains(trust::one_spelling_of_device(record.request.device.id.text()))) continue;
            request::Outcome outcome(request::Released{});
            auto changing = change(record, std::move(outcome));
            const auto changed = co_await std::move(changing);
            if (changed) ++released;
        }
        if (page->size() < k_page) co_return released;
        filter.after = page->back().request.id.text();
    }
}

// A binding lets a device in as an approval does, and held requests with it: it takes as many accounts.
ports::Async<std::size_t> Operations::words_for(const std::vector<trust::Pin>& pins, bool replace, std::string by) {
    constexpr auto k_valid = std::chrono::hours{24 * 7};
    std::string what = replace ? "recipients bind --replace" : "recipients bind";
    for (const auto& pin : pins)
        what += "\n" + trust::one_spelling_of_device(pin.device.text()) + "\n" + ascii_lower(pin.user_principal_name) +
                "\n" + pin.user.text() + "\n" + pin.spki_sha256.hex();
    const auto about = parts_.crypto.sha256(bytes_of(what));
    const auto id = *RequestId::parse("binding-" + about.hex());
    const auto now = parts_.clock.utc();
    auto voting = vote(trust::Vote{id, about, std::move(by), about, Sha256(), now, now + k_valid});
    co_return co_await std::move(voting);
}

ports::Async<json::object> Operations::bind_all(std::vector<trust::Pin> pins, bool replace, std::string by) {
    if (approvers() > 1) {
        auto asking = words_for(pins, replace, by);
        const auto words = co_await std::move(asking);
        if (!words) co_return words.error();
        if (*words < approvers()) {
            const auto said = std::to_string(*words) + " of " + std::to_string(approvers());
            for (const auto& pin : pins)
                parts_.events.raise(Event(event::k_control_done)
                                        .with("command", "recipients bind")
                                        .with("device", pin.device.text())
                                        .with("user", pin.user_principal_name)
                                        .with("approvals", said)
                                        .with("by", by));
            json::object answer;
            answer["bound"] = 0;
            answer["approvals"] = *words;
            answer["approvalsNeeded"] = approvers();
            co_return answer;
        }
    }
    auto wanted = pins;
    auto binding = parts_.ledger.bind(std::move(pins), replace);
    const auto before = co_await std::move(binding);
    if (!before) {
        if (before.error().code == "recipientKnown")
            co_return usage(before.error().message + "; nothing was changed. --replace binds it anew");
        co_return before.error();
    }
    std::set<std::string> devices;
    std::uint64_t changed = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        devices.insert(trust::one_spelling_of_device(wanted[i].device.text()));
        if (says_nothing_new((*before)[i], wanted[i])) continue;
        ++changed;
        parts_.events.raise(bound(wanted[i], (*before)[i], by));
    }
    auto releasing = release_devices(std::move(devices));
    const auto released = co_await std::move(releasing);
    json::object answer;
    answer["bound"] = changed;
    answer["unchanged"] = wanted.size() - changed;
    answer["released"] = released ? *released : 0;
    co_return answer;
}

Operations::Answer Operations::bind(json::object arguments, Caller caller) {
    auto pin = pin_of(arguments, "register:bind", parts_.clock.utc());
    if (!pin) co_return pin.error();
    std::vector<trust::Pin> pins{std::move(*pin)};
    auto binding = bind_all(std::move(pins), truth(arguments, "replace"), caller.account);
    auto done = co_await std::move(binding);
    if (!done) co_return done.error();
    co_return json::value(std::move(*done));
}

// All of it or nothing: the first row that cannot be right is named, and nothing has changed.
Operations::Answer Operations::import_recipients(json::object arguments, Caller caller) {
    const auto* rows = arguments.if_contains("rows");
    if (rows == nullptr || !rows->is_array() || rows->get_array().empty()) co_return usage("the list has no rows");
    if (rows->get_array().size() > k_most_rows) co_return usage("more than 20000 rows; split the list");
    const auto now = parts_.clock.utc();
    std::vector<trust::Pin> pins;
    std::map<std::string, std::string> seen;  // device in lower case, and where
    for (const auto& element : rows->get_array()) {
        const auto* row = element.if_object();
        if (row == nullptr) co_return usage("a row is no object");
        const auto* number = row->if_contains("line");
        const std::string where =
            "line " + (number != nullptr && number->is_number() ? std::to_string(number->to_number<std::uint64_t>())
                                                                : std::to_string(pins.size() + 1));
        auto pin = pin_of(*row, "register:import", now);
        if (!pin) co_return usage(where + ": " + pin.error().message);
        const auto [known, fresh] = seen.emplace(ascii_lower(pin->device.text()), where);
        if (!fresh)
            co_return usage(where + ": device: " + pin->device.text() + " stands in " + known->second + " already");
        pins.push_back(std::move(*pin));
    }
    auto binding = bind_all(std::move(pins), truth(arguments, "replace"), caller.account);
    auto done = co_await std::move(binding);
    if (!done) co_return done.error();
    parts_.events.raise(Event(event::k_control_done)
                            .with("command", "recipients import")
                            .with("rows", std::to_string(rows->get_array().size()))
                            .with("by", caller.account));
    co_return json::value(std::move(*done));
}

Operations::Answer Operations::forget(json::object arguments, Caller caller) {
    const auto name = text(arguments, "device").value_or("");
    const auto device = DeviceId::parse(name);
    if (!device) co_return usage("a device's id is needed");
    auto forgetting = parts_.ledger.forget(*device);
    const auto before = co_await std::move(forgetting);
    if (!before) co_return before.error();
    if (!*before)
        co_return Error(ErrorKind::refused, "notFound",
                        "no device " + device->text() + " is known; nothing was changed");
    const auto& pin = **before;
    parts_.events.raise(Event(event::k_recipient_forgotten)
                            .with("device", pin.device.text())
                            .with("user", pin.user_principal_name)
                            .with("key", trust::key_known(pin) ? pin.spki_sha256.hex() : std::string("not seen"))
                            .with("by", caller.account));
    co_return json::value(row_of(pin));
}

}  // namespace connector::control
