#include "storage/checked_rows.hpp"

#include "storage/rows.hpp"

#include <algorithm>
#include <utility>

namespace connector::storage {
namespace {

void append_number(Bytes& to, std::uint64_t number) {
    for (int shift = 56; shift >= 0; shift -= 8) to.push_back(static_cast<std::uint8_t>(number >> shift));
}

void append_field(Bytes& to, char type, ByteView octets) {
    to.push_back(static_cast<std::uint8_t>(type));
    append_number(to, octets.size());
    to.insert(to.end(), octets.begin(), octets.end());
}

// Type, length and content of each: no two rows have the same octets, and nothing can slide from column to column.
Bytes encode_row(std::string_view table, std::span<const Value> row) {
    std::size_t size = 64 + table.size();
    for (const auto& value : row) {
        size += 17;
        if (const auto* text = std::get_if<std::string>(&value)) size += text->size();
        if (const auto* blob = std::get_if<Bytes>(&value)) size += blob->size();
    }
    Bytes octets;
    octets.reserve(size);
    append_field(octets, 'n', bytes_of(table));
    for (const auto& value : row) {
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            Bytes eight;
            append_number(eight, static_cast<std::uint64_t>(*number));
            append_field(octets, 'i', eight);
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            append_field(octets, 't', bytes_of(*text));
        } else if (const auto* blob = std::get_if<Bytes>(&value)) {
            append_field(octets, 'b', *blob);
        } else {
            append_field(octets, '0', {});
        }
    }
    return octets;
}

std::string joined(std::span<const std::string_view> names, std::string_view between, std::string_view after_each) {
    std::string text;
    for (const auto name : names) {
        if (!text.empty()) text += between;
        text.append(name).append(after_each);
    }
    return text;
}

// Modulo 2^256, the last octet the lowest. Not XOR: a row that is put back twice would cancel itself.
void add(Sha256& sum, const Sha256& member) {
    unsigned carry = 0;
    for (std::size_t i = sum.octets.size(); i-- > 0;) {
        carry += unsigned{sum.octets[i]} + member.octets[i];
        sum.octets[i] = static_cast<std::uint8_t>(carry & 0xFFU);
        carry >>= 8U;
    }
}

void subtract(Sha256& sum, const Sha256& member) {
    unsigned borrow = 0;
    for (std::size_t i = sum.octets.size(); i-- > 0;) {
        const unsigned left = unsigned{sum.octets[i]} + 0x100U - member.octets[i] - borrow;
        sum.octets[i] = static_cast<std::uint8_t>(left & 0xFFU);
        borrow = left < 0x100U ? 1 : 0;
    }
}

std::string where_key(const Table& table) {
    return " WHERE " + joined(table.columns.first(table.keys), " AND ", "=?");
}

std::string upsert(const Table& table) {
    std::string places = "?";
    for (std::size_t i = 0; i < table.columns.size(); ++i) places += ",?";
    auto sql = "INSERT INTO " + std::string(table.name) + "(" + joined(table.columns, ",", "") +
               ",check_value) VALUES(" + places + ") ON CONFLICT(" + joined(table.columns.first(table.keys), ",", "") +
               ") DO UPDATE SET ";
    for (const auto column : table.columns.subspan(table.keys)) {
        sql.append(column).append("=excluded.").append(column).append(",");
    }
    return sql + "check_value=excluded.check_value";
}

std::string select(const Table& table) {
    return "SELECT " + joined(table.columns, ",", "") + ",check_value FROM " + std::string(table.name);
}

}  // namespace

Bytes Digests::octets() const {
    Bytes all;
    all.reserve(value.size() * sizeof(Sha256::octets));
    for (const auto& one : value) all.insert(all.end(), one.octets.begin(), one.octets.end());
    return all;
}

std::optional<Digests> Digests::from(ByteView octets) {
    constexpr std::size_t k_size = sizeof(Sha256::octets);
    if (octets.size() != k_digests * k_size) return std::nullopt;
    Digests digests;
    for (std::size_t i = 0; i < k_digests; ++i) digests.value[i] = *Sha256::from(octets.subspan(i * k_size, k_size));
    return digests;
}

std::string key_text(std::span<const Value> key) {
    std::string text;
    for (const auto& value : key) {
        if (!text.empty()) text += '/';
        if (const auto* number = std::get_if<std::int64_t>(&value)) text += std::to_string(*number);
        if (const auto* words = std::get_if<std::string>(&value)) text += *words;
        if (const auto* blob = std::get_if<Bytes>(&value)) text += to_hex(*blob);
    }
    return text;
}

CheckedRows::CheckedRows(Database& database, const ports::Sealer& sealer, QuarantineReport report)
    : database_(&database), sealer_(&sealer), report_(std::move(report)) {}

Sha256 CheckedRows::check_of(const Table& table, std::span<const Value> row) const {
    return sealer_->check_value(encode_row(table.name, row));
}

bool CheckedRows::sound(const Table& table, const Values& row_and_check) const {
    const auto* check = std::get_if<Bytes>(&row_and_check.back());
    if (check == nullptr) return false;
    const auto expected = check_of(table, std::span(row_and_check).first(row_and_check.size() - 1));
    return std::ranges::equal(expected.octets, *check);
}

// No row's own check has a name like this.
Sha256 CheckedRows::member(const Table& table, std::span<const Value> key_and_check) const {
    return sealer_->check_value(encode_row("member of " + std::string(table.name), key_and_check));
}

Result<Sha256> CheckedRows::members(const Table& table, const std::string& rest, const Values& parameters) {
    auto statement = database_->prepare("SELECT " + joined(table.columns.first(table.keys), ",", "") +
                                        ",check_value FROM " + std::string(table.name) + " " + rest);
    if (!statement) return statement.error();
    statement->bind_all(parameters);
    Sha256 sum;
    for (;;) {
        const auto found = statement->step();
        if (!found) return found.error();
        if (!*found) return sum;
        add(sum, member(table, statement->values()));
    }
}

Result<void> CheckedRows::leave_digest(const Table& table, const std::string& rest, const Values& parameters) {
    if (digests_ == nullptr || table.digest == k_no_digest) return {};
    const auto leaving = members(table, rest, parameters);
    if (!leaving) return leaving.error();
    subtract(digests_->value[table.digest], *leaving);
    return {};
}

Result<Digests> CheckedRows::digests_now() {
    Digests digests;
    for (const auto* table : tables::deciding()) {
        const auto sum = members(*table, "", {});
        if (!sum) return sum.error();
        digests.value[table->digest] = *sum;
    }
    return digests;
}

Result<void> CheckedRows::compare() {
    const auto found = digests_now();
    if (!found) return found.error();
    for (std::size_t i = 0; i < k_digests; ++i)
        if (found->value[i] != digests_->value[i]) digests_->broken[i] = true;
    return {};
}

Result<void> CheckedRows::take_as_found(const Table& table) {
    const auto sum = members(table, "", {});
    if (!sum) return sum.error();
    digests_->value[table.digest] = *sum;
    digests_->broken[table.digest] = false;
    return {};
}

Result<void> CheckedRows::put(const Table& table, const Values& row) {
    const Values key(row.begin(), row.begin() + static_cast<std::ptrdiff_t>(table.keys));
    if (auto left = leave_digest(table, where_key(table), key); !left) return left;
    auto statement = database_->prepare(upsert(table));
    if (!statement) return statement.error();
    const auto check = check_of(table, row);
    statement->bind_all(row).bind(static_cast<int>(row.size()) + 1, check.view());
    if (auto done = statement->run(); !done) return done;
    if (digests_ == nullptr || table.digest == k_no_digest) return {};
    auto key_and_check = key;
    key_and_check.emplace_back(Bytes(check.octets.begin(), check.octets.end()));
    add(digests_->value[table.digest], member(table, key_and_check));
    return {};
}

Result<std::optional<Values>> CheckedRows::get(const Table& table, const Values& key) {
    auto statement = database_->prepare(select(table) + where_key(table));
    if (!statement) return statement.error();
    const auto found = statement->bind_all(key).step();
    if (!found) return found.error();
    if (!*found) return std::optional<Values>();
    auto row = statement->values();
    if (!sound(table, row)) {
        note(table, std::move(row));
        return Error(ErrorKind::integrity, "rowTampered",
                     std::string(table.name) + " " + key_text(key) + " is not what was stored");
    }
    row.pop_back();
    return std::optional<Values>(std::move(row));
}

Result<std::vector<Values>> CheckedRows::list(const Table& table, std::string_view rest, const Values& parameters) {
    auto statement = database_->prepare(select(table) + " " + std::string(rest));
    if (!statement) return statement.error();
    statement->bind_all(parameters);
    std::vector<Values> rows;
    for (;;) {
        const auto found = statement->step();
        if (!found) return found.error();
        if (!*found) return rows;
        auto row = statement->values();
        if (sound(table, row)) {
            row.pop_back();
            rows.push_back(std::move(row));
        } else {
            note(table, std::move(row));
        }
    }
}

Result<void> CheckedRows::remove(const Table& table, const Values& key) {
    return remove_where(table, where_key(table), key);
}

Result<void> CheckedRows::remove_where(const Table& table, std::string_view where, const Values& parameters) {
    const std::string rest(where);
    if (auto left = leave_digest(table, rest, parameters); !left) return left;
    auto statement = database_->prepare("DELETE FROM " + std::string(table.name) + " " + rest);
    if (!statement) return statement.error();
    return statement->bind_all(parameters).run();
}

void CheckedRows::condemn(const Table& table, Values row) {
    const auto check = check_of(table, row);
    row.emplace_back(Bytes(check.octets.begin(), check.octets.end()));
    note(table, std::move(row));
}

// Once each, however often it is met before it can be moved.
void CheckedRows::note(const Table& table, Values row) {
    const auto same = [&](const Noted& known) { return known.table.name == table.name && known.row == row; };
    if (std::ranges::none_of(noted_, same)) noted_.push_back({table, std::move(row)});
}

// The row may have been overwritten by a sound one since: only the very row that was met is taken away. It stays in its
// table's digest, which fits no more from then on: that it is missing has to show at the next start too.
Result<void> CheckedRows::move(const Noted& noted) {
    const auto key = std::span(noted.row).first(noted.table.keys);
    auto insert = database_->prepare("INSERT OR REPLACE INTO quarantine(source,key,octets) VALUES(?,?,?)");
    if (!insert) return insert.error();
    insert->bind(1, noted.table.name).bind(2, key_text(key)).bind(3, ByteView(encode_row(noted.table.name, noted.row)));
    if (auto done = insert->run(); !done) return done;
    auto remove = database_->prepare("DELETE FROM " + std::string(noted.table.name) + where_key(noted.table) +
                                     " AND check_value IS ?");
    if (!remove) return remove.error();
    return remove->bind_all({key.begin(), key.end()})
        .bind_value(static_cast<int>(key.size()) + 1, noted.row.back())
        .run();
}

void CheckedRows::settle() {
    if (noted_.empty()) return;
    const auto moving = [this]() -> Result<void> {
        auto transaction = Transaction::begin(*database_);
        if (!transaction) return transaction.error();
        for (const auto& noted : noted_) {
            if (auto done = move(noted); !done) return done;
        }
        return transaction->commit();
    };
    if (!moving()) return;
    const auto moved = std::exchange(noted_, {});
    for (const auto& noted : moved)
        if (digests_ != nullptr && noted.table.digest != k_no_digest) digests_->broken[noted.table.digest] = true;
    for (const auto& noted : moved) report(noted.table.name, key_text(std::span(noted.row).first(noted.table.keys)));
}

Result<std::int64_t> CheckedRows::quarantined() {
    return database_->number("SELECT count(*) FROM quarantine");
}

Result<bool> CheckedRows::is_quarantined(std::string_view table, const Values& key) {
    auto statement = database_->prepare("SELECT 1 FROM quarantine WHERE source=? AND key=?");
    if (!statement) return statement.error();
    return statement->bind(1, table).bind(2, key_text(key)).step();
}

}  // namespace connector::storage
