#include "storage/row_reader.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace connector::storage {

using namespace detail;

namespace {

using request::RequestRecord;
using request::Stage;

constexpr std::size_t k_closed_row_octets = 300;
constexpr std::size_t k_check_octets = 32;
constexpr std::string_view k_unreadable = "unreadable";

constexpr std::size_t k_failure_message_column = 30;

constexpr auto k_request_columns = names({"id",
                                          "kind",
                                          "user_id",
                                          "user_principal_name",
                                          "device_id",
                                          "created_at",
                                          "stage",
                                          "version",
                                          "accepted_at",
                                          "updated_at",
                                          "due_at",
                                          "tries",
                                          "deaths",
                                          "in_work",
                                          "failing_since",
                                          "authority",
                                          "held_reason",
                                          "held_detail",
                                          "held_since",  // waiting_since, of `packaged` as well
                                          "order_hash",
                                          "request",
                                          "sealed_key",
                                          "csr",
                                          "submission_nonce",
                                          "spki_sha256",
                                          "authority_request_id",
                                          "certificate",
                                          "chain",
                                          "sealed_package",
                                          "failure_code",
                                          "failure_message",
                                          "failure_retryable",
                                          "failure_status",
                                          "outcome",
                                          "revoke_certificate"});
constexpr auto k_lease_columns = names({"request", "id", "expires_at", "attempt"});
Bytes encode_list(const std::vector<Bytes>& list) {
    Bytes octets;
    for (const auto& item : list) {
        for (int shift = 24; shift >= 0; shift -= 8) octets.push_back(static_cast<std::uint8_t>(item.size() >> shift));
        octets.insert(octets.end(), item.begin(), item.end());
    }
    return octets;
}

std::optional<std::vector<Bytes>> decode_list(ByteView octets) {
    std::vector<Bytes> list;
    while (!octets.empty()) {
        if (octets.size() < 4) return std::nullopt;
        std::size_t size = 0;
        for (const auto octet : octets.first(4)) size = size << 8U | octet;
        octets = octets.subspan(4);
        if (size > octets.size()) return std::nullopt;
        const auto item = octets.first(size);
        list.emplace_back(item.begin(), item.end());
        octets = octets.subspan(size);
    }
    return list;
}

// The service's last word, and behind it what it said it has: words of one column, because they came together.
std::string outcome_text(const RequestRecord& record) {
    std::string text = record.outcome.value_or("");
    for (const auto& held : record.held_by_service) text += " " + held.hex();
    return text;
}

bool read_outcome(std::string_view text, RequestRecord& record) {
    auto end = text.find(' ');
    record.outcome = std::string(text.substr(0, end));
    while (end != std::string_view::npos) {
        text.remove_prefix(end + 1);
        end = text.find(' ');
        const auto held = Sha256::from_hex_text(text.substr(0, end));
        if (!held) return false;
        record.held_by_service.push_back(*held);
    }
    return true;
}

// SQLite's record format (fileformat2, 2.1), of a row with its check value.
std::size_t stored_octets(const Values& row) {
    const auto varint = [](std::size_t number) {
        std::size_t octets = 1;
        while (number >= 128) {
            number >>= 7U;
            ++octets;
        }
        return octets;
    };
    std::size_t header = 2 + varint(2 * k_check_octets + 12);
    std::size_t body = k_check_octets;
    for (const auto& value : row) {
        std::size_t size = 0;
        if (const auto* number = std::get_if<std::int64_t>(&value)) {
            const auto fits = [&](int bits) { return *number >= -(1LL << (bits - 1)) && *number < 1LL << (bits - 1); };
            size = *number == 0 || *number == 1 ? 0
                   : fits(8)                    ? 1
                   : fits(16)                   ? 2
                   : fits(24)                   ? 3
                   : fits(32)                   ? 4
                   : fits(48)                   ? 6
                                                : 8;
            header += 1;
        } else if (const auto* text = std::get_if<std::string>(&value)) {
            size = text->size();
            header += varint(2 * size + 13);
        } else if (const auto* blob = std::get_if<Bytes>(&value)) {
            size = blob->size();
            header += varint(2 * size + 12);
        } else {
            header += 1;
        }
        body += size;
    }
    return header + body;
}

// At most `octets`, and not in the middle of a UTF-8 character.
std::string cut(std::string text, std::size_t octets) {
    if (text.size() <= octets) return text;
    while (octets > 0 && (static_cast<unsigned char>(text[octets]) & 0xC0U) == 0x80U) --octets;
    text.resize(octets);
    return text;
}

// What a closed row does not keep.
RequestRecord trimmed(const RequestRecord& record) {
    RequestRecord kept;
    kept.request.id = record.request.id;
    kept.request.user.id = record.request.user.id;
    kept.request.user.user_principal_name = record.request.user.user_principal_name;
    kept.request.device.id = record.request.device.id;
    kept.request.created_at = record.request.created_at;
    kept.request.order = record.request.order;
    kept.stage = record.stage;
    kept.version = record.version;
    kept.accepted_at = record.accepted_at;
    kept.updated_at = record.updated_at;
    kept.failure = record.failure;
    kept.outcome = record.outcome;
    return kept;
}

Values full_row(const RequestRecord& record, bool nameless) {
    const auto& order = record.request;
    const bool bare = nameless || record.stage == Stage::closed;
    Values row;
    row.reserve(k_request_columns.size());
    row.emplace_back(order.id.text());
    row.emplace_back(std::string(nameless ? k_unreadable : to_string(order.kind())));
    row.emplace_back(order.user.id.text());
    row.emplace_back(order.user.user_principal_name);
    row.emplace_back(order.device.id.text());
    row.emplace_back(seconds_of(order.created_at));
    row.emplace_back(std::string(to_string(record.stage)));
    row.emplace_back(number_of(record.version));
    row.emplace_back(seconds_of(record.accepted_at));
    row.emplace_back(seconds_of(record.updated_at));
    row.emplace_back(seconds_of(record.due_at));
    row.emplace_back(std::int64_t{record.tries});
    row.emplace_back(std::int64_t{record.deaths});
    row.emplace_back(std::int64_t{record.in_work});
    row.push_back(or_null(record.failing_since));
    const auto* profile = bare ? nullptr : order.profile();
    row.push_back(profile == nullptr ? Value() : or_null(profile->authority));
    row.push_back(record.held_reason ? Value(std::string(to_string(*record.held_reason))) : Value());
    row.push_back(or_null(record.held_detail));
    row.push_back(or_null(record.waiting_since));
    row.push_back(bare ? Value() : blob_of(record.order_hash));
    row.push_back(bare ? Value() : Value(encode(order)));
    row.push_back(or_null(record.sealed_key));
    row.push_back(or_null(record.csr));
    row.push_back(or_null(record.submission_nonce));
    row.push_back(record.spki_sha256 ? blob_of(*record.spki_sha256) : Value());
    row.push_back(or_null(record.authority_request_id));
    row.push_back(or_null(record.certificate));
    row.push_back(or_null(encode_list(record.chain)));
    row.push_back(or_null(record.sealed_package));
    row.push_back(record.failure ? Value(record.failure->code) : Value());
    row.push_back(record.failure ? Value(record.failure->message) : Value());
    row.push_back(record.failure ? Value(std::int64_t{record.failure->retryable}) : Value());
    row.push_back(record.failure ? or_null(record.failure->authority_status) : Value());
    row.push_back(record.outcome ? Value(outcome_text(record)) : Value());
    row.emplace_back(std::int64_t{record.revoke_certificate});
    return row;
}

std::optional<request::Order> bare_order(std::string_view kind) {
    const auto known = request::parse_kind(kind);
    if (!known) return std::nullopt;
    switch (*known) {
        case request::Kind::pkcs_issue: return request::Issue{};
        case request::Kind::pkcs_renew: return request::Renew{};
        case request::Kind::pfx_deliver: return request::DeliverImported{};
        case request::Kind::pfx_withdraw: return request::Withdraw{};
        case request::Kind::certificate_revoke: return request::Revoke{};
    }
    return std::nullopt;
}

}  // namespace

namespace tables {
const Table k_request{"request", k_request_columns, 1};
const Table k_lease{"lease", k_lease_columns, 1};
}  // namespace tables

bool is_unreadable(const RequestRecord& record) noexcept {
    return record.order_hash == Sha256{};
}

Values to_row(const RequestRecord& record) {
    const bool nameless = is_unreadable(record);
    if (record.stage != Stage::closed) return full_row(record, nameless);
    auto short_record = trimmed(record);
    if (short_record.failure) {
        // The service had the long text; the status belongs to it.
        short_record.failure->authority_status.reset();
        const auto message = std::exchange(short_record.failure->message, {});
        auto row = full_row(short_record, nameless);
        const auto used = stored_octets(row) + 1;  // a text of 58 octets and more has a length of two
        const auto room = used < k_closed_row_octets ? k_closed_row_octets - used : 0;
        row[k_failure_message_column] = cut(message, room);
        return row;
    }
    return full_row(short_record, nameless);
}

Result<RequestRecord> request_from(const Values& row) {
    RequestRecord record;
    Reader reader(row);
    const auto id = reader.id<RequestId>();
    const auto kind = reader.text();
    request::User user;
    user.id = reader.id<UserId>();
    user.user_principal_name = reader.text();
    const auto device = reader.id<DeviceId>();
    const auto created_at = reader.time();
    const auto stage = request::parse_stage(reader.text());
    record.stage = stage.value_or(Stage::held);
    record.version = reader.count();
    record.accepted_at = reader.time();
    record.updated_at = reader.time();
    record.due_at = reader.time();
    record.tries = reader.small();
    record.deaths = reader.small();
    record.in_work = reader.flag();
    record.failing_since = reader.optional_time();
    const auto authority = reader.text_or_empty();
    if (const auto word = reader.optional_text()) {
        record.held_reason = request::parse_held_reason(*word);
        reader.require(record.held_reason.has_value());
    }
    record.held_detail = reader.text_or_empty();
    record.waiting_since = reader.optional_time();
    record.order_hash = reader.optional_digest().value_or(Sha256{});
    const auto octets = reader.blob_or_empty();
    record.sealed_key = reader.blob_or_empty();
    record.csr = reader.blob_or_empty();
    record.submission_nonce = reader.blob_or_empty();
    record.spki_sha256 = reader.optional_digest();
    record.authority_request_id = reader.text_or_empty();
    record.certificate = reader.blob_or_empty();
    auto chain = decode_list(reader.blob_or_empty());
    if (chain) record.chain = std::move(*chain);
    record.sealed_package = reader.blob_or_empty();
    if (auto code = reader.optional_text()) {
        request::Failure failure;
        failure.code = std::move(*code);
        failure.message = reader.text();
        failure.retryable = reader.flag();
        failure.authority_status = reader.optional_text();
        record.failure = std::move(failure);
    } else {
        for (int i = 0; i < 3; ++i) reader.require(reader.skip_null());
    }
    if (const auto text = reader.optional_text()) reader.require(read_outcome(*text, record));
    record.revoke_certificate = reader.flag();
    if (!reader.good() || !stage || !chain || id.empty()) return unreadable("request");

    if (!octets.empty()) {
        auto order = request::decode_request(octets);
        if (!order) return order.error();
        // The columns are searched by; they must say what the order says.
        if (order->id != id || to_string(order->kind()) != kind || order->user.id != user.id ||
            order->user.user_principal_name != user.user_principal_name || order->device.id != device ||
            order->created_at != created_at ||
            (order->profile() == nullptr ? std::string() : order->profile()->authority) != authority) {
            return unreadable("request");
        }
        record.request = std::move(*order);
        return record;
    }
    auto order = kind == k_unreadable ? request::Order(request::Issue{}) : bare_order(kind);
    if (!order) return unreadable("request");
    record.request.id = id;
    record.request.created_at = created_at;
    record.request.user = std::move(user);
    record.request.device.id = device;
    record.request.order = std::move(*order);
    return record;
}

Values to_row(const RequestId& id, const request::Lease& lease) {
    return {id.text(), lease.id.text(), seconds_of(lease.expires_at), std::int64_t{lease.attempt}};
}

Result<std::pair<RequestId, request::Lease>> lease_from(const Values& row) {
    Reader reader(row);
    auto id = reader.id<RequestId>();
    request::Lease lease;
    lease.id = reader.id<LeaseId>();
    lease.expires_at = reader.time();
    lease.attempt = reader.small();
    if (!reader.good()) return unreadable("lease");
    return std::pair(std::move(id), std::move(lease));
}

}  // namespace connector::storage
