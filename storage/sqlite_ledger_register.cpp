// SqliteLedger's other half: the register of devices, the register of certificates, the meters, the counts.
#include "storage/ledger_transaction.hpp"

#include "core/name.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace connector::storage {
namespace {

// User principal names are blocked and compared in lower case; identifiers are not touched.
std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return text;
}

bool same_issuer(const std::string& left, const std::string& right) {
    if (left == right) return true;
    const auto first = parse_name(left);
    const auto second = parse_name(right);
    return first && second && same_name(*first, *second);
}

Error incomplete(const char* what) {
    return {ErrorKind::integrity, "registerTampered", std::string(what) + " are missing from the register"};
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
    if (commit.uses_window) {
        if (auto done = use_window(now); !done) return done;
    }
    if (commit.generated_key) {
        if (auto done = note_key(*commit.generated_key, commit.record.request.id, now); !done) return done;
    }
    if (commit.pin) {
        if (auto done = put_pin(*commit.pin); !done) return done;
    }
    if (commit.issued) return put_issued(*commit.issued);
    return {};
}

Result<void> SqliteLedger::use_window(UtcTime now) {
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
    auto known = database_.prepare("SELECT request FROM generated_key WHERE spki_sha256=?");
    if (!known) return known.error();
    const auto found = known->bind(1, spki.view()).step();
    if (!found) return found.error();
    if (*found) {
        if (known->text(0) == request.text()) return {};
        return Error(ErrorKind::integrity, "keyReused", "a new key for " + request.text() + " was given out before");
    }
    auto insert = database_.prepare("INSERT INTO generated_key(spki_sha256,request,made_at) VALUES(?,?,?)");
    if (!insert) return insert.error();
    insert->bind(1, spki.view()).bind(2, std::string_view(request.text()));
    return insert->bind(3, seconds_of(now)).run();
}

Result<void> SqliteLedger::put_pin(const trust::Pin& pin) {
    const auto present = count_where("SELECT count(*) FROM pin WHERE device=?", {pin.device.text()});
    if (!present) return present.error();
    if (*present == 0) ++state_.pins;
    return rows_.put(tables::k_pin, to_row(pin));
}

// Said twice is said once: a repeated commit must not undo a revocation.
Result<void> SqliteLedger::put_issued(const ports::IssuedCertificate& certificate) {
    auto row = to_row(certificate);
    const auto known = rows_.get(tables::k_issued, {row.front()});
    if (!known) return known.error();
    if (*known) return {};
    return rows_.put(tables::k_issued, row);
}

Result<std::optional<trust::Block>> SqliteLedger::block_of(const DeviceId& device, const UserId& user,
                                                           const std::string& user_principal_name, const Sha256& spki) {
    const std::array<std::pair<trust::BlockedThing, std::string>, 4> things{
        // Certificates name a device without regard to case, so a block must too.
        {{trust::BlockedThing::device, lower(device.text())},
         {trust::BlockedThing::user, lower(user.text())},
         {trust::BlockedThing::user, lower(user_principal_name)},
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

Result<bool> SqliteLedger::key_is_ours(const Sha256& spki) {
    const Bytes key(spki.octets.begin(), spki.octets.end());
    const auto rows = count_where(
        "SELECT EXISTS(SELECT 1 FROM generated_key WHERE spki_sha256=?1) + EXISTS(SELECT 1 FROM issued WHERE "
        "spki_sha256=?1)",
        {key});
    if (!rows) return rows.error();
    return *rows > 0;
}

Result<trust::RegisterView> SqliteLedger::look_up(const DeviceId& device, const UserId& user,
                                                  const std::string& user_principal_name, const Sha256& spki,
                                                  UtcTime now) {
    return read([&]() -> Result<trust::RegisterView> {
        if (!blocks_complete_) return incomplete("blocks");
        trust::RegisterView view;
        auto block = block_of(device, user, user_principal_name, spki);
        if (!block) return block.error();
        view.block = std::move(*block);

        const auto pin_row = rows_.get(tables::k_pin, {device.text()});
        if (!pin_row) return pin_row.error();
        if (*pin_row) {
            auto pin = pin_from(**pin_row);
            if (!pin) return pin.error();
            view.pin = std::move(*pin);
        } else if (!pins_complete_) {
            return incomplete("pins");
        }
        const auto others = count_where(
            "SELECT count(*) FROM pin WHERE user_id=? AND device<>?"
            " AND NOT EXISTS(SELECT 1 FROM block WHERE thing='device' AND value=lower(pin.device))",
            {user.text(), device.text()});
        if (!others) return others.error();
        view.devices_of_user = static_cast<std::uint32_t>(*others);

        // Without a sound approval or window there is none: that only holds what would have passed.
        const Bytes key(spki.octets.begin(), spki.octets.end());
        const auto approval_row = rows_.get(tables::k_approval, {user.text(), device.text(), key});
        if (approval_row && *approval_row) {
            auto approval = approval_from(**approval_row);
            if (!approval) return approval.error();
            if (now < approval->expires) view.approval = std::move(*approval);
        } else if (!approval_row && approval_row.error().kind != ErrorKind::integrity) {
            return approval_row.error();
        }
        const auto window_row = rows_.get(tables::k_window, {std::int64_t{1}});
        if (window_row && *window_row) {
            auto window = window_from(**window_row);
            if (!window) return window.error();
            view.window = std::move(*window);
        } else if (!window_row && window_row.error().kind != ErrorKind::integrity) {
            return window_row.error();
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

Result<std::vector<trust::Block>> SqliteLedger::blocks() {
    return read(
        [&] { return all_from<trust::Block>(rows_.list(tables::k_block, "ORDER BY thing, value", {}), block_from); });
}

Result<void> SqliteLedger::block(const trust::Block& block) {
    return write([&]() -> Result<void> {
        auto stated = block;
        stated.value = lower(stated.value);
        const auto row = to_row(stated);
        const auto present = count_where("SELECT count(*) FROM block WHERE thing=? AND value=?", {row[0], row[1]});
        if (!present) return present.error();
        if (*present == 0) ++state_.blocks;
        return rows_.put(tables::k_block, row);
    });
}

Result<void> SqliteLedger::approve(const trust::Approval& approval) {
    return write([&] { return rows_.put(tables::k_approval, to_row(approval)); });
}

Result<void> SqliteLedger::open_window(const trust::EnrolmentWindow& window) {
    return write([&] { return rows_.put(tables::k_window, to_row(window)); });
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
    using Found = std::optional<ports::IssuedCertificate>;
    return read([&]() -> Result<Found> {
        const Values parameters{serial_form(serial_number)};
        auto list = all_from<ports::IssuedCertificate>(
            rows_.list(tables::k_issued, "WHERE serial_number=? ORDER BY rowid", parameters), issued_from);
        if (!list) return list.error();
        for (auto& certificate : *list) {
            if (same_issuer(certificate.issuer, issuer)) return Found(std::move(certificate));
        }
        return Found();
    });
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

Result<std::vector<request::MeterUse>> SqliteLedger::meters(UtcTime now) {
    return read([&] { return book_.uses(now); });
}

Result<void> SqliteLedger::count(const request::Charge& charge, UtcTime now) {
    return write([&] { return book_.count(charge, now, state_); });
}

// Numbers for people: counted from the columns as they are.
Result<ports::Counts> SqliteLedger::counts() {
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
        "SELECT held_reason, count(*) FROM request WHERE stage <> 'closed' AND stage = 'held' GROUP BY held_reason");
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
        "SELECT count(*) FROM pin WHERE EXISTS(SELECT 1 FROM block WHERE (thing='device' AND value=lower(pin.device))"
        " OR (thing='user' AND value IN (pin.user_id, lower(pin.user_principal_name)))"
        " OR (thing='key' AND value=lower(hex(pin.spki_sha256))))",
        {});
    if (!blocked) return blocked.error();
    const auto pins = count_where("SELECT count(*) FROM pin", {});
    if (!pins) return pins.error();
    counts.pins_by_state["blocked"] = static_cast<std::uint64_t>(*blocked);
    counts.pins_by_state["pinned"] = static_cast<std::uint64_t>(*pins - *blocked);
    return counts;
}

Result<void> SqliteLedger::accept_as_found() {
    // First into the quarantine with all that is unsound, so that it is emptied of everything.
    for (const auto* table : {&tables::k_meter, &tables::k_meter_entry}) {
        if (auto rows = rows_.list(*table, "", {}); !rows) return rows.error();
    }
    settle();
    const bool was_sound = state_sound_;
    auto done = write([&]() -> Result<void> {
        if (auto emptied = database_.execute("DELETE FROM quarantine"); !emptied) return emptied;
        if (auto rebuilt = book_.rebuild(state_); !rebuilt) return rebuilt;
        const auto pins = count_where("SELECT count(*) FROM pin", {});
        if (!pins) return pins.error();
        const auto blocks = count_where("SELECT count(*) FROM block", {});
        if (!blocks) return blocks.error();
        state_.pins = static_cast<std::uint64_t>(*pins);
        state_.blocks = static_cast<std::uint64_t>(*blocks);
        state_sound_ = true;
        return {};
    });
    if (!done) {
        state_sound_ = was_sound;
        return done;
    }
    return judge_register();
}

}  // namespace connector::storage
