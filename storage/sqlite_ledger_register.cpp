// SqliteLedger's other half: the register of devices, the register of certificates, the meters, the counts.
#include "storage/ledger_transaction.hpp"

#include "core/name.hpp"
#include "core/text.hpp"
#include "core/trust/recipient.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace connector::storage {
namespace {

bool same_issuer(const std::string& left, const std::string& right) {
    if (left == right) return true;
    const auto first = parse_name(left);
    const auto second = parse_name(right);
    return first && second && same_name(*first, *second);
}

template <class T, class Rows, class From>
Result<std::vector<T>> all_from(const Rows& rows, From from) {
    if (!rows) return rows.error();
    std::vector<T> list;
    list.reserve(rows->size());
    for (const auto& row : *rows) {
        auto item = from(row);
        if (!item) return item.error();
        list.push_back(std::move(*item));
    }
    return list;
}

}  // namespace

Result<std::int64_t> SqliteLedger::count_where(std::string_view sql, const Values& parameters) {
    auto statement = database_.prepare(sql);
    if (!statement) return statement.error();
    const auto row = statement->bind_all(parameters).step();
    if (!row) return row.error();
    return *row ? statement->integer(0) : 0;
}

// The order matters: what may be refused comes first, though the savepoint would undo it all the same.
Result<void> SqliteLedger::save_claims(const ports::Commit& commit, UtcTime now) {
    if (commit.wrapped_for) {
        if (!is_whole(tables::k_block)) return incomplete("blocks");
        const auto& whom = *commit.wrapped_for;
        const auto block = block_of(whom.device, whom.user, whom.user_principal_name, whom.spki_sha256);
        if (!block) return block.error();
        if (*block) return trust::blocked_here((*block)->thing);
    }
    // Before the window: a device that is known by now is proved again, and then needs no place.
    if (commit.pin) {
        if (!is_whole(tables::k_pin)) return incomplete("pins");
        if (auto done = room_for(*commit.pin, commit.most_devices); !done) return done;
        if (commit.key_alone) {
            const auto other = key_elsewhere(commit.pin->device, commit.pin->spki_sha256);
            if (!other) return other.error();
            if (*other)
                return Error(ErrorKind::conflict, "pinChanged",
                             "device " + (*other)->device.text() + " has got this key while the request was proved");
        }
        if (auto done = put_pin(*commit.pin, commit.pin_seen); !done) return done;
    }
    if (commit.uses_window) {
        if (auto done = use_window(now); !done) return done;
    }
    if (commit.generated_key) {
        if (auto done = note_key(*commit.generated_key, commit.record.request.id, now); !done) return done;
    }
    if (commit.delivered_import) {
        if (auto done = put_delivery(*commit.delivered_import); !done) return done;
    }
    if (!commit.issued) return {};
    if (commit.wrapped_for)
        if (auto fresh = is_only_one(*commit.issued); !fresh) return fresh;
    return put_issued(*commit.issued);
}

Result<void> SqliteLedger::use_window(UtcTime now) {
    if (!is_whole(tables::k_window)) return incomplete("enrolment windows");
    const auto row = rows_.get(tables::k_window, {std::int64_t{1}});
    if (!row) return row.error();
    if (!*row) return Error(ErrorKind::refused, "windowClosed", "no enrolment window was opened");
    auto window = window_from(**row);
    if (!window) return window.error();
    if (!window->open_at(now))
        return Error(ErrorKind::refused, "windowClosed", "the enrolment window is closed or full");
    ++window->used;
    return rows_.put(tables::k_window, to_row(*window));
}

// One key for two requests: a machine was cloned or a random generator repeats itself.
Result<void> SqliteLedger::note_key(const Sha256& spki, const RequestId& request, UtcTime now) {
    const auto row = to_row(spki, request, now);
    const auto known = rows_.get(tables::k_generated_key, {row[0]});
    if (!known) return known.error();
    if (*known) {
        if ((**known)[1] == row[1]) return {};
        return Error(ErrorKind::integrity, "keyReused", "a new key for " + request.text() + " was given out before");
    }
    return rows_.put(tables::k_generated_key, row);
}

Result<std::optional<trust::Pin>> SqliteLedger::pin_of(const DeviceId& device) {
    const auto row = rows_.get(tables::k_pin, {trust::one_spelling_of_device(device.text())});
    if (!row) return row.error();
    if (!*row) return std::optional<trust::Pin>();
    auto read = pin_from(**row);
    if (!read) return read.error();
    return std::optional(std::move(*read));
}

// Several orders of one device may be proved side by side, all of them as its first use. The first commit makes it
// known; the others rest on what is no longer so and are proved again, as the uses of a known device that they are.
Result<void> SqliteLedger::put_pin(const trust::Pin& pin, const std::optional<trust::Pin>& seen) {
    const auto read = pin_of(pin.device);
    if (!read) return read.error();
    const auto& present = *read;
    const bool as_seen = present.has_value() == seen.has_value() &&
                         (!present || (present->spki_sha256 == seen->spki_sha256 && present->user == seen->user &&
                                       present->user_principal_name == seen->user_principal_name));
    if (!as_seen)
        return Error(ErrorKind::conflict, "pinChanged",
                     "what is known of device " + pin.device.text() + " changed while the request was proved");
    return rows_.put(tables::k_pin, to_row(pin));
}

// RFC 5280 4.1.2.2: issuer and serial number name one certificate. Mail is encrypted to that name, and a list revokes
// it.
Result<void> SqliteLedger::is_only_one(const ports::IssuedCertificate& certificate) {
    const auto known = issued_as(certificate.issuer, certificate.serial_number);
    if (!known) return known.error();
    if (!*known || (**known).sha256 == certificate.sha256) return {};
    return Error(ErrorKind::refused, "certificateMismatch",
                 "serialNumber: " + certificate.serial_number + " is that of another certificate of this authority");
}

// Said twice is said once: a repeated commit must not undo a revocation.
Result<void> SqliteLedger::put_issued(const ports::IssuedCertificate& certificate) {
    auto row = to_row(certificate);
    const auto known = rows_.get(tables::k_issued, {row.front()});
    if (!known) return known.error();
    if (*known) return {};
    return rows_.put(tables::k_issued, row);
}

Result<void> SqliteLedger::put_delivery(const ports::DeliveredImport& delivery) {
    auto stated = delivery;
    stated.in_last = delivery.certificates.size();
    if (auto done = rows_.put(tables::k_delivery, to_row(stated)); !done) return done;
    for (auto certificate : delivery.certificates) {
        certificate.first_at = certificate.delivered_at = delivery.delivered_at;
        const auto row = to_row(delivery, certificate);
        const auto known = rows_.get(tables::k_delivered_certificate, {row.begin(), row.begin() + 4});
        // An unsound row is replaced: it says nothing that decides.
        if (!known && known.error().kind != ErrorKind::integrity) return known.error();
        if (known && *known) {
            const auto before = delivered_certificate_from(**known);
            if (before) certificate.first_at = before->certificate.first_at;
        }
        if (auto done = rows_.put(tables::k_delivered_certificate, to_row(delivery, certificate)); !done) return done;
    }
    return {};
}

Result<std::optional<trust::Block>> SqliteLedger::block_of(const DeviceId& device, const UserId& user,
                                                           const std::string& user_principal_name, const Sha256& spki) {
    const std::array<std::pair<trust::BlockedThing, std::string>, 4> things{
        {{trust::BlockedThing::device, trust::one_spelling_of_device(device.text())},
         {trust::BlockedThing::user, ascii_lower(user.text())},
         {trust::BlockedThing::user, trust::one_spelling_of_person(user_principal_name)},
         {trust::BlockedThing::key, spki.hex()}}};
    for (const auto& [thing, value] : things) {
        const auto row = rows_.get(tables::k_block, {std::string(to_string(thing)), value});
        if (!row) return row.error();
        if (!*row) continue;
        auto block = block_from(**row);
        if (!block) return block.error();
        return std::optional(std::move(*block));
    }
    return std::optional<trust::Block>();
}

// By both: the id is the service's word, and a fresh one for each device would else count none of them.
Result<std::int64_t> SqliteLedger::other_devices(const DeviceId& device, const UserId& user,
                                                 const std::string& user_principal_name) {
    return count_where(
        "SELECT count(*) FROM pin WHERE (user_id=?1 OR user_principal_name=?2 COLLATE NOCASE) AND device<>?3"
        " AND NOT EXISTS(SELECT 1 FROM block WHERE thing='device' AND value=pin.device)",
        {user.text(), user_principal_name, trust::one_spelling_of_device(device.text())});
}

Result<void> SqliteLedger::room_for(const trust::Pin& pin, std::uint32_t most) {
    if (most == 0) return {};
    const auto others = other_devices(pin.device, pin.user, pin.user_principal_name);
    if (!others) return others.error();
    if (*others < std::int64_t{most}) return {};
    return Error(ErrorKind::conflict, "pinChanged",
                 pin.user_principal_name + " has got other devices while the request was proved");
}

Result<std::optional<trust::Pin>> SqliteLedger::key_elsewhere(const DeviceId& device, const Sha256& spki) {
    const auto rows =
        rows_.list(tables::k_pin, "WHERE spki_sha256=? AND device<>? ORDER BY first_seen LIMIT 1",
                   {Bytes(spki.octets.begin(), spki.octets.end()), trust::one_spelling_of_device(device.text())});
    if (!rows) return rows.error();
    if (rows->empty()) return std::optional<trust::Pin>();
    auto pin = pin_from(rows->front());
    if (!pin) return pin.error();
    return std::optional(std::move(*pin));
}

Result<bool> SqliteLedger::key_is_ours(const Sha256& spki) {
    const Bytes key(spki.octets.begin(), spki.octets.end());
    const auto made = rows_.get(tables::k_generated_key, {key});
    if (!made) return made.error();
    if (*made) return true;
    const auto issued = count_where("SELECT EXISTS(SELECT 1 FROM issued WHERE spki_sha256=?)", {key});
    if (!issued) return issued.error();
    if (*issued > 0) return true;
    // Whose key a lost row was cannot be told any more: it may be this one.
    if (!is_whole(tables::k_generated_key)) return incomplete("keys made here");
    return false;
}

Result<trust::RegisterView> SqliteLedger::look_up(const DeviceId& device, const UserId& user,
                                                  const std::string& user_principal_name, const Sha256& spki,
                                                  UtcTime now) {
    return read([&]() -> Result<trust::RegisterView> {
        if (!is_whole(tables::k_block)) return incomplete("blocks");
        trust::RegisterView view;
        auto block = block_of(device, user, user_principal_name, spki);
        if (!block) return block.error();
        view.block = std::move(*block);

        if (!is_whole(tables::k_pin)) return incomplete("pins");
        auto pin = pin_of(device);
        if (!pin) return pin.error();
        view.pin = std::move(*pin);
        auto elsewhere = key_elsewhere(device, spki);
        if (!elsewhere) return elsewhere.error();
        view.key_elsewhere = std::move(*elsewhere);
        const auto others = other_devices(device, user, user_principal_name);
        if (!others) return others.error();
        view.devices_of_user = static_cast<std::uint32_t>(*others);

        // Without a sound approval or window there is none: that only holds what would have passed.
        const Bytes key(spki.octets.begin(), spki.octets.end());
        const auto approval_row =
            rows_.get(tables::k_approval, {user.text(), trust::one_spelling_of_device(device.text()), key});
        if (approval_row && *approval_row && is_whole(tables::k_approval)) {
            auto approval = approval_from(**approval_row);
            if (!approval) return approval.error();
            if (now < approval->expires) view.approval = std::move(*approval);
        } else if (!approval_row && approval_row.error().kind != ErrorKind::integrity) {
            return approval_row.error();
        }
        const auto window_row = rows_.get(tables::k_window, {std::int64_t{1}});
        if (window_row && *window_row && is_whole(tables::k_window)) {
            auto window = window_from(**window_row);
            if (!window) return window.error();
            view.window = std::move(*window);
        } else if (!window_row && window_row.error().kind != ErrorKind::integrity) {
            return window_row.error();
        }
        if (view.pin && view.pin->spki_sha256 != spki) {
            const auto blocked = rows_.get(
                tables::k_block, {std::string(to_string(trust::BlockedThing::key)), view.pin->spki_sha256.hex()});
            if (!blocked) return blocked.error();
            view.pinned_key_blocked = blocked->has_value();
        }
        const auto ours = key_is_ours(spki);
        if (!ours) return ours.error();
        view.key_is_ours = *ours;
        return view;
    });
}

Result<std::vector<trust::Pin>> SqliteLedger::pins() {
    return read([&] { return all_from<trust::Pin>(rows_.list(tables::k_pin, "ORDER BY device", {}), pin_from); });
}

Result<std::vector<std::optional<trust::Pin>>> SqliteLedger::bind(const std::vector<trust::Pin>& pins, bool replace) {
    using Before = std::vector<std::optional<trust::Pin>>;
    return write([&]() -> Result<Before> {
        Before before;
        before.reserve(pins.size());
        for (const auto& pin : pins) {
            auto present = pin_of(pin.device);
            if (!present) return present.error();
            if (*present && !replace && !trust::same_binding(**present, pin))
                return Error(ErrorKind::conflict, "recipientKnown",
                             "device " + pin.device.text() + " is known as that of " + (*present)->user_principal_name +
                                 (trust::key_known(**present) ? " with the key " + (*present)->spki_sha256.hex() : ""));
            const bool same = *present && trust::same_binding(**present, pin);
            const auto stated = same ? trust::completed(**present, pin) : pin;
            if (auto done = rows_.put(tables::k_pin, to_row(stated)); !done) return done.error();
            before.push_back(std::move(*present));
        }
        return before;
    });
}

Result<std::optional<trust::Pin>> SqliteLedger::forget(const DeviceId& device) {
    return write([&]() -> Result<std::optional<trust::Pin>> {
        auto present = pin_of(device);
        if (!present || !*present) return present;
        if (auto done = rows_.remove(tables::k_pin, {trust::one_spelling_of_device(device.text())}); !done)
            return done.error();
        return present;
    });
}

Result<std::vector<trust::Block>> SqliteLedger::blocks() {
    return read(
        [&] { return all_from<trust::Block>(rows_.list(tables::k_block, "ORDER BY thing, value", {}), block_from); });
}

Result<void> SqliteLedger::block(const trust::Block& block) {
    return write([&]() -> Result<void> {
        auto stated = block;
        stated.value = stated.thing == trust::BlockedThing::user ? trust::one_spelling_of_person(stated.value)
                                                                 : ascii_lower(stated.value);
        const auto row = to_row(stated);
        return rows_.put(tables::k_block, row);
    });
}

Result<void> SqliteLedger::approve(const trust::Approval& approval) {
    return write([&]() -> Result<void> {
        if (!is_whole(tables::k_approval)) return incomplete("approvals");
        return rows_.put(tables::k_approval, to_row(approval));
    });
}

Result<void> SqliteLedger::open_window(const trust::EnrolmentWindow& window) {
    return write([&]() -> Result<void> {
        if (!is_whole(tables::k_window)) return incomplete("enrolment windows");
        return rows_.put(tables::k_window, to_row(window));
    });
}

Result<std::optional<trust::EnrolmentWindow>> SqliteLedger::window() {
    using Window = std::optional<trust::EnrolmentWindow>;
    return read([&]() -> Result<Window> {
        const auto row = rows_.get(tables::k_window, {std::int64_t{1}});
        if (!row) return row.error();
        if (!*row) return Window();
        auto window = window_from(**row);
        if (!window) return window.error();
        return Window(std::move(*window));
    });
}

Result<std::vector<ports::IssuedCertificate>> SqliteLedger::issued(std::size_t limit) {
    return read([&] {
        const Values parameters{static_cast<std::int64_t>(limit)};
        return all_from<ports::IssuedCertificate>(
            rows_.list(tables::k_issued, "ORDER BY issued_at DESC, rowid DESC LIMIT ?", parameters), issued_from);
    });
}

Result<std::optional<ports::IssuedCertificate>> SqliteLedger::find_issued(const std::string& issuer,
                                                                          const std::string& serial_number) {
    return read([&] { return issued_as(issuer, serial_number); });
}

Result<std::optional<ports::IssuedCertificate>> SqliteLedger::issued_as(const std::string& issuer,
                                                                        const std::string& serial_number) {
    using Found = std::optional<ports::IssuedCertificate>;
    const Values parameters{serial_form(serial_number)};
    auto list = all_from<ports::IssuedCertificate>(
        rows_.list(tables::k_issued, "WHERE serial_number=? ORDER BY rowid", parameters), issued_from);
    if (!list) return list.error();
    for (auto& certificate : *list) {
        if (same_issuer(certificate.issuer, issuer)) return Found(std::move(certificate));
    }
    return Found();
}

Result<void> SqliteLedger::mark_revoked(const Sha256& certificate, const std::string& reason, UtcTime now) {
    return write([&]() -> Result<void> {
        const Bytes key(certificate.octets.begin(), certificate.octets.end());
        const auto row = rows_.get(tables::k_issued, {key});
        if (!row) return row.error();
        if (!*row) {
            return Error(ErrorKind::conflict, "certificateUnknown",
                         certificate.hex() + " is not in the register of issued certificates");
        }
        auto known = issued_from(**row);
        if (!known) return known.error();
        if (known->revoked_at) return {};
        known->revoked_at = now;
        known->revocation_reason = reason;
        return rows_.put(tables::k_issued, to_row(*known));
    });
}

Result<std::vector<ports::DeliveredImport>> SqliteLedger::deliveries_of(const std::string& user) {
    using Deliveries = std::vector<ports::DeliveredImport>;
    return read([&]() -> Result<Deliveries> {
        auto list = all_from<ports::DeliveredImport>(
            rows_.list(tables::k_delivery,
                       "WHERE user_id=?1 COLLATE NOCASE OR user_principal_name=?1 ORDER BY user_id, device, purpose",
                       {user}),
            delivery_from);
        if (!list) return list.error();
        for (auto& delivery : *list) {
            const Values key{delivery.user.text(), delivery.device.text(),
                             std::string(request::to_string(delivery.purpose))};
            auto rows = all_from<DeliveredRow>(
                rows_.list(tables::k_delivered_certificate,
                           "WHERE user_id=? AND device=? AND purpose=? ORDER BY not_before, not_after, sha256", key),
                delivered_certificate_from);
            if (!rows) return rows.error();
            for (auto& row : *rows) delivery.certificates.push_back(row.certificate);
        }
        return std::move(*list);
    });
}

// Newest is what the management API calls so: by start, end, then hash.
Result<std::vector<ports::ExpiringImport>> SqliteLedger::expiring_imports(UtcTime now, UtcTime until) {
    using Expiring = std::vector<ports::ExpiringImport>;
    return read([&]() -> Result<Expiring> {
        const auto purpose = std::string(request::to_string(request::Purpose::smime_encryption));
        auto rows = all_from<DeliveredRow>(
            rows_.list(tables::k_delivered_certificate,
                       "AS held WHERE purpose=?1 AND not_after>?2 AND not_after<=?3 AND NOT EXISTS(SELECT 1 FROM"
                       " delivered_certificate AS newer WHERE newer.user_id=held.user_id AND newer.purpose=held.purpose"
                       " AND (newer.not_before, newer.not_after, newer.sha256)"
                       " > (held.not_before, held.not_after, held.sha256)) ORDER BY not_after, user_id, device",
                       {purpose, seconds_of(now), seconds_of(until)}),
            delivered_certificate_from);
        if (!rows) return rows.error();
        Expiring expiring;
        for (auto& row : *rows) {
            const auto same = [&row](const auto& known) {
                return known.user == row.user && known.sha256 == row.certificate.sha256;
            };
            // The devices of one user follow one another.
            if (!expiring.empty() && same(expiring.back())) continue;
            expiring.push_back(
                {row.user, row.certificate.sha256, row.certificate.thumbprint, row.certificate.not_after});
        }
        return expiring;
    });
}

Result<std::vector<request::MeterUse>> SqliteLedger::meters(UtcTime now) {
    return read([&] { return book_.uses(now); });
}

Result<void> SqliteLedger::count(const request::Charge& charge, UtcTime now) {
    return write([&]() -> Result<void> {
        const auto raised = stops_.as_raised(charge, now);
        if (auto done = book_.count(raised, now, state_); !done) return done;
        return trip_beyond(raised, now);
    });
}

// Numbers for people: counted from the columns as they are.
Result<ports::Counts> SqliteLedger::counts() {
    return read([&]() -> Result<ports::Counts> {
        ports::Counts counts;
        counts.delivered = state_.delivered;
        counts.failed = state_.failed;
        auto stages = database_.prepare("SELECT stage, count(*) FROM request WHERE stage <> 'closed' GROUP BY stage");
        if (!stages) return stages.error();
        for (;;) {
            const auto row = stages->step();
            if (!row) return row.error();
            if (!*row) break;
            const auto stage = request::parse_stage(stages->text(0));
            if (stage) counts.by_stage[*stage] = static_cast<std::uint64_t>(stages->integer(1));
        }
        auto held = database_.prepare(
            "SELECT held_reason, count(*) FROM request WHERE stage <> 'closed' AND stage = 'held' GROUP BY "
            "held_reason");
        if (!held) return held.error();
        for (;;) {
            const auto row = held->step();
            if (!row) return row.error();
            if (!*row) break;
            const auto reason = request::parse_held_reason(held->text(0));
            if (reason) counts.held[*reason] = static_cast<std::uint64_t>(held->integer(1));
        }
        auto oldest = database_.prepare(
            "SELECT min(accepted_at) FROM request WHERE stage <> 'closed' AND stage NOT IN ('held', 'abandoned')");
        if (!oldest) return oldest.error();
        const auto row = oldest->step();
        if (!row) return row.error();
        if (*row && oldest->value(0).index() != 0) {
            counts.oldest_pending = UtcTime(std::chrono::seconds(oldest->integer(0)));
        }
        const auto quarantined = rows_.quarantined();
        if (!quarantined) return quarantined.error();
        counts.quarantined = static_cast<std::uint64_t>(*quarantined);
        const auto blocked = count_where(
            "SELECT count(*) FROM pin WHERE EXISTS(SELECT 1 FROM block WHERE (thing='device' AND value=pin.device)"
            " OR (thing='user' AND value IN (pin.user_id, lower(pin.user_principal_name)))"
            " OR (thing='key' AND value=lower(hex(pin.spki_sha256))))",
            {});
        if (!blocked) return blocked.error();
        const auto pins = count_where("SELECT count(*) FROM pin", {});
        if (!pins) return pins.error();
        counts.pins_by_state["blocked"] = static_cast<std::uint64_t>(*blocked);
        counts.pins_by_state["pinned"] = static_cast<std::uint64_t>(*pins - *blocked);
        return counts;
    });
}

Result<std::vector<EndedIn>> SqliteLedger::ended_since(UtcTime since, std::chrono::seconds stretch) {
    return read([&]() -> Result<std::vector<EndedIn>> {
        auto closed = database_.prepare(
            "SELECT updated_at / ?2 * ?2, count(iif(failure_code IS NULL AND (outcome LIKE 'accepted%' OR outcome LIKE "
            "'duplicate%'), 1, NULL)), count(failure_code)"
            " FROM request WHERE stage = 'closed' AND updated_at >= ?1 GROUP BY 1 ORDER BY 1");
        if (!closed) return closed.error();
        closed->bind(1, since.time_since_epoch().count());
        closed->bind(2, stretch.count());
        std::vector<EndedIn> found;
        for (;;) {
            const auto row = closed->step();
            if (!row) return row.error();
            if (!*row) return found;
            found.push_back({UtcTime(std::chrono::seconds(closed->integer(0))),
                             static_cast<std::uint64_t>(closed->integer(1)),
                             static_cast<std::uint64_t>(closed->integer(2))});
        }
    });
}

Result<std::vector<request::RequestRecord>> SqliteLedger::failed_since(UtcTime since, std::size_t limit) {
    return records(
        "WHERE stage = 'closed' AND updated_at >= ? AND failure_code IS NOT NULL ORDER BY updated_at DESC LIMIT ?",
        {seconds_of(since), static_cast<std::int64_t>(limit)});
}

Result<void> SqliteLedger::accept_as_found() {
    // First into the quarantine with all that is unsound, so that it is emptied of everything.
    for (const auto* table :
         {&tables::k_meter, &tables::k_meter_entry, &tables::k_signed_list, &tables::k_high_water}) {
        if (auto rows = rows_.list(*table, "", {}); !rows) return rows.error();
    }
    if (auto loaded = stops_.load(); !loaded) return loaded;
    settle();
    const bool was_sound = state_sound_;
    auto done = write([&]() -> Result<void> {
        if (auto emptied = database_.execute("DELETE FROM quarantine"); !emptied) return emptied;
        if (auto rebuilt = book_.rebuild(state_); !rebuilt) return rebuilt;
        if (auto marked = rebuild_high_water(); !marked) return marked;
        for (const auto* table : tables::deciding())
            if (auto taken = rows_.take_as_found(*table); !taken) return taken;
        state_sound_ = true;
        return {};
    });
    if (!done) {
        state_sound_ = was_sound;
        return done;
    }
    stops_.judge(true);
    return stops_.load();
}

}  // namespace connector::storage
