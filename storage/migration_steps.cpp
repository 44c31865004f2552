#include "storage/migration_steps.hpp"

#include "core/trust/register.hpp"
#include "storage/row_reader.hpp"

#include <map>
#include <tuple>
#include <utility>

namespace connector::storage {
namespace {

using detail::names;

// As they were; what has changed since has its columns in rows*.cpp.
constexpr auto k_state_columns_before = names({"slot", "generation", "sequence", "audit_seq", "audit_link", "meters",
                                               "meter_total", "pins", "blocks", "delivered", "failed", "stops"});
const Table k_state_1{"ledger_state", std::span(k_state_columns_before).first(11), 1};
const Table k_state_3{"ledger_state", k_state_columns_before, 1};
constexpr std::size_t k_pins = 7;
constexpr std::size_t k_blocks = 8;
constexpr std::size_t k_stops = 11;
constexpr auto k_high_water_columns_before = names({"slot", "newest_time", "lists"});
const Table k_high_water_4{"high_water", k_high_water_columns_before, 1};
constexpr auto k_delivered_columns_before = names(
    {"user_id", "device", "purpose", "sha256", "thumbprint", "not_before", "not_after", "first_at", "delivered_at"});
const Table k_delivered_2{"delivered_certificate", k_delivered_columns_before, 4};

// Keys from before schema 2 had no check value: they are taken as they are, this once.
Result<void> sign_generated_keys(Database& database, CheckedRows& rows) {
    {
        auto old = database.prepare("SELECT spki_sha256, request, made_at FROM generated_key_unsigned");
        if (!old) return old.error();
        for (;;) {
            const auto found = old->step();
            if (!found) return found.error();
            if (!*found) break;
            if (auto done = rows.put(tables::k_generated_key, old->values()); !done) return done;
        }
    }
    return database.execute("DROP TABLE generated_key_unsigned");
}

Result<void> add_stops(CheckedRows& rows) {
    const auto sound = rows.list(k_state_1, "", {});
    if (!sound) return sound.error();
    for (auto row : *sound) {
        row.emplace_back(std::int64_t{0});
        if (auto done = rows.put(k_state_3, row); !done) return done;
    }
    return {};
}

// Only beside a state that is sound, or in a new file: elsewhere it stays missing, and is found so.
Result<void> begin_high_water(Database& database, CheckedRows& rows) {
    const auto sound = rows.list(k_state_3, "", {});
    if (!sound) return sound.error();
    if (sound->empty()) {
        const auto any = database.number("SELECT EXISTS(SELECT 1 FROM ledger_state) + EXISTS(SELECT 1 FROM request)");
        if (!any) return any.error();
        if (*any != 0) return {};
    }
    return rows.put(k_high_water_4, {std::int64_t{1}, std::int64_t{0}, std::int64_t{0}});
}

// The name stood with the delivery alone.
Result<void> name_delivered(CheckedRows& rows) {
    const auto deliveries = rows.list(tables::k_delivery, "", {});
    if (!deliveries) return deliveries.error();
    std::map<std::tuple<Value, Value, Value>, std::string> whose;
    for (const auto& row : *deliveries)
        whose[{row[0], row[1], row[2]}] = trust::one_spelling_of_person(std::get<std::string>(row[3]));
    const auto certificates = rows.list(k_delivered_2, "", {});
    if (!certificates) return certificates.error();
    for (auto row : *certificates) {
        const auto found = whose.find({row[0], row[1], row[2]});
        if (found == whose.end()) continue;
        row.emplace_back(found->second);
        if (auto done = rows.put(tables::k_delivered_certificate, row); !done) return done;
    }
    return {};
}

// Of two that differ in letters alone, the one that was known first: the other was let in as if it were new.
Result<void> fold_devices(CheckedRows& rows, const Table& table, std::size_t device, std::size_t since) {
    const auto sound = rows.list(table, "", {});
    if (!sound) return sound.error();
    for (auto row : *sound) {
        const auto one = trust::one_spelling_of_device(std::get<std::string>(row[device]));
        if (std::get<std::string>(row[device]) == one) continue;
        const Values old_key(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.keys));
        if (auto done = rows.remove(table, old_key); !done) return done;
        row[device] = one;
        const Values key(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.keys));
        const auto there = rows.get(table, key);
        if (!there && there.error().kind != ErrorKind::integrity) return there.error();
        if (!there || (*there && (**there)[since] <= row[since])) continue;
        if (auto done = rows.put(table, row); !done) return done;
    }
    return {};
}

// A mailbox's domain in A-labels, as it is asked for.
Result<void> fold_blocked_persons(CheckedRows& rows) {
    const auto sound = rows.list(tables::k_block, "WHERE thing = 'user'", {});
    if (!sound) return sound.error();
    for (auto row : *sound) {
        const auto one = trust::one_spelling_of_person(std::get<std::string>(row[1]));
        if (std::get<std::string>(row[1]) == one) continue;
        if (auto done = rows.remove(tables::k_block, {row[0], row[1]}); !done) return done;
        row[1] = one;
        if (auto done = rows.put(tables::k_block, row); !done) return done;
    }
    return {};
}

Result<bool> counted(Database& database, std::string_view table, const Value& number) {
    const auto rows = database.number("SELECT count(*) FROM " + std::string(table));
    if (!rows) return rows.error();
    return Value(*rows) == number;
}

// A table whose rows are not so many as were counted begins with a digest that fits nothing.
Result<void> begin_digests(Database& database, CheckedRows& rows) {
    const auto states = rows.list(k_state_3, "", {});
    if (!states) return states.error();
    const auto marks = rows.list(k_high_water_4, "", {});
    if (!marks) return marks.error();

    std::vector<std::tuple<const Table*, std::string_view, Value>> counts;
    if (!states->empty()) {
        const auto& state = states->front();
        counts = {{&tables::k_pin, "pin", state[k_pins]},
                  {&tables::k_block, "block", state[k_blocks]},
                  {&tables::k_stop, "stop", state[k_stops]}};
    }
    counts.emplace_back(&tables::k_signed_list, "signed_list", marks->empty() ? Value() : marks->front()[2]);
    std::vector<const Table*> short_of_rows;
    for (const auto& [table, name, number] : counts) {
        const auto right = counted(database, name, number);
        if (!right) return right.error();
        if (!*right) short_of_rows.push_back(table);
    }
    if (marks->empty()) short_of_rows.push_back(&tables::k_high_water);

    // Before they are folded the rows are as many as were counted.
    if (auto done = fold_devices(rows, tables::k_pin, 0, 6); !done) return done;
    if (auto done = fold_devices(rows, tables::k_approval, 1, 5); !done) return done;
    if (auto done = fold_blocked_persons(rows); !done) return done;
    if (auto done = database.execute("ALTER TABLE ledger_state DROP COLUMN pins;"
                                     "ALTER TABLE ledger_state DROP COLUMN blocks;"
                                     "ALTER TABLE ledger_state DROP COLUMN stops;"
                                     "ALTER TABLE high_water DROP COLUMN lists");
        !done)
        return done;
    for (const auto& mark : *marks)
        if (auto done = rows.put(tables::k_high_water, {mark[0], mark[1]}); !done) return done;
    if (states->empty()) return {};
    auto digests = rows.digests_now();
    if (!digests) return digests.error();
    for (const auto* table : short_of_rows) digests->value[table->digest].octets[0] ^= 1U;
    auto row = states->front();
    row.erase(row.begin() + k_stops);
    row.erase(row.begin() + k_pins, row.begin() + k_blocks + 1);
    row.emplace_back(digests->octets());
    return rows.put(tables::k_state, row);
}

}  // namespace

Result<void> complete_step(Database& database, const ports::Sealer& sealer, std::size_t schema) {
    CheckedRows rows(database, sealer, {});
    if (schema == 2) return sign_generated_keys(database, rows);
    if (schema == 3) return add_stops(rows);
    if (schema == 4) return begin_high_water(database, rows);
    if (schema != 6) return {};
    if (auto done = name_delivered(rows); !done) return done;
    return begin_digests(database, rows);
}

}  // namespace connector::storage
