// The register's, the meters' and the state's rows.
#include "storage/row_reader.hpp"

#include <algorithm>
#include <utility>

namespace connector::storage {

using namespace detail;

namespace {

constexpr auto k_pin_columns = names({"device", "user_id", "user_principal_name", "spki_sha256", "certificate_sha256",
                                      "source", "first_seen", "last_seen"});
constexpr auto k_block_columns = names({"thing", "value", "by", "since"});
constexpr auto k_approval_columns =
    names({"user_id", "device", "spki_sha256", "user_principal_name", "by", "given", "expires"});
constexpr auto k_window_columns = names({"slot", "opened", "until", "max", "used", "by"});
constexpr auto k_issued_columns =
    names({"sha256", "authority", "issuer", "serial_number", "spki_sha256", "user_id", "device", "request", "issued_at",
           "not_after", "revoked_at", "revocation_reason"});
constexpr auto k_generated_key_columns = names({"spki_sha256", "request", "made_at"});
constexpr auto k_delivery_columns = names(
    {"user_id", "device", "purpose", "user_principal_name", "request", "delivered_at", "certificates", "omitted"});
constexpr auto k_delivered_certificate_columns =
    names({"user_id", "device", "purpose", "sha256", "thumbprint", "not_before", "not_after", "first_at",
           "delivered_at", "user_principal_name"});
constexpr auto k_meter_columns =
    names({"name", "scope", "first", "last", "window_seconds", "limit_last", "counts_subjects"});
constexpr auto k_meter_entry_columns = names({"meter", "scope", "n", "subject", "at"});
constexpr auto k_state_columns = names({"slot", "generation", "sequence", "audit_seq", "audit_link", "meters",
                                        "meter_total", "delivered", "failed", "digests"});

}  // namespace

namespace tables {
const Table k_pin{"pin", k_pin_columns, 1, 0};
const Table k_block{"block", k_block_columns, 2, 1};
const Table k_approval{"approval", k_approval_columns, 3, 2};
const Table k_window{"enrolment_window", k_window_columns, 1, 3};
const Table k_issued{"issued", k_issued_columns, 1, 4};
const Table k_generated_key{"generated_key", k_generated_key_columns, 1, 5};
const Table k_delivery{"delivery", k_delivery_columns, 3};
const Table k_delivered_certificate{"delivered_certificate", k_delivered_certificate_columns, 4};
const Table k_meter{"meter", k_meter_columns, 2};
const Table k_meter_entry{"meter_entry", k_meter_entry_columns, 3};
const Table k_state{"ledger_state", k_state_columns, 1};

std::span<const Table* const, k_digests> deciding() noexcept {
    static constexpr std::array<const Table*, k_digests> k_tables{
        &k_pin,  &k_block, &k_approval, &k_window, &k_issued,      &k_generated_key,
        &k_stop, &k_raise, &k_thaw,     &k_vote,   &k_signed_list, &k_high_water};
    return k_tables;
}
}  // namespace tables

Values to_row(const trust::Pin& pin) {
    return {trust::one_spelling_of_device(pin.device.text()),
            pin.user.text(),
            pin.user_principal_name,
            blob_of(pin.spki_sha256),
            blob_of(pin.certificate_sha256),
            pin.source,
            seconds_of(pin.first_seen),
            seconds_of(pin.last_seen)};
}

Result<trust::Pin> pin_from(const Values& row) {
    Reader reader(row);
    trust::Pin pin;
    pin.device = reader.id<DeviceId>();
    pin.user = reader.id<UserId>();
    pin.user_principal_name = reader.text();
    pin.spki_sha256 = reader.digest<Sha256>();
    pin.certificate_sha256 = reader.digest<Sha256>();
    pin.source = reader.text();
    pin.first_seen = reader.time();
    pin.last_seen = reader.time();
    if (!reader.good()) return unreadable("pin");
    return pin;
}

Values to_row(const trust::Block& block) {
    return {std::string(to_string(block.thing)), block.value, block.by, seconds_of(block.since)};
}

Result<trust::Block> block_from(const Values& row) {
    Reader reader(row);
    trust::Block block;
    const auto thing = reader.text();
    bool known = false;
    for (const auto candidate : {trust::BlockedThing::device, trust::BlockedThing::user, trust::BlockedThing::key}) {
        if (thing != to_string(candidate)) continue;
        block.thing = candidate;
        known = true;
    }
    block.value = reader.text();
    block.by = reader.text();
    block.since = reader.time();
    if (!reader.good() || !known) return unreadable("block");
    return block;
}

Values to_row(const trust::Approval& approval) {
    return {approval.user.text(),
            trust::one_spelling_of_device(approval.device.text()),
            blob_of(approval.spki_sha256),
            approval.user_principal_name,
            approval.by,
            seconds_of(approval.given),
            seconds_of(approval.expires)};
}

Result<trust::Approval> approval_from(const Values& row) {
    Reader reader(row);
    trust::Approval approval;
    approval.user = reader.id<UserId>();
    approval.device = reader.id<DeviceId>();
    approval.spki_sha256 = reader.digest<Sha256>();
    approval.user_principal_name = reader.text();
    approval.by = reader.text();
    approval.given = reader.time();
    approval.expires = reader.time();
    if (!reader.good()) return unreadable("approval");
    return approval;
}

Values to_row(const trust::EnrolmentWindow& window) {
    return {std::int64_t{1},          seconds_of(window.opened), seconds_of(window.until),
            std::int64_t{window.max}, std::int64_t{window.used}, window.by};
}

Result<trust::EnrolmentWindow> window_from(const Values& row) {
    Reader reader(row);
    trust::EnrolmentWindow window;
    reader.require(reader.number() == 1);
    window.opened = reader.time();
    window.until = reader.time();
    window.max = reader.small();
    window.used = reader.small();
    window.by = reader.text();
    if (!reader.good()) return unreadable("enrolment_window");
    return window;
}

std::string serial_form(std::string_view hex) {
    std::string form(hex);
    std::ranges::transform(form, form.begin(),
                           [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c + 32) : c; });
    const auto digit = form.find_first_not_of('0');
    return digit == std::string::npos ? "0" : form.substr(digit);
}

Values to_row(const ports::IssuedCertificate& certificate) {
    return {blob_of(certificate.sha256),
            certificate.authority,
            certificate.issuer,
            serial_form(certificate.serial_number),
            blob_of(certificate.spki_sha256),
            certificate.user.text(),
            certificate.device.text(),
            certificate.request.text(),
            seconds_of(certificate.issued_at),
            seconds_of(certificate.not_after),
            or_null(certificate.revoked_at),
            certificate.revocation_reason};
}

Result<ports::IssuedCertificate> issued_from(const Values& row) {
    Reader reader(row);
    ports::IssuedCertificate certificate;
    certificate.sha256 = reader.digest<Sha256>();
    certificate.authority = reader.text();
    certificate.issuer = reader.text();
    certificate.serial_number = reader.text();
    certificate.spki_sha256 = reader.digest<Sha256>();
    certificate.user = reader.id<UserId>();
    certificate.device = reader.id<DeviceId>();
    certificate.request = reader.id<RequestId>();
    certificate.issued_at = reader.time();
    certificate.not_after = reader.time();
    certificate.revoked_at = reader.optional_time();
    certificate.revocation_reason = reader.text();
    if (!reader.good()) return unreadable("issued");
    return certificate;
}

Values to_row(const Sha256& spki, const RequestId& request, UtcTime made_at) {
    return {blob_of(spki), request.text(), seconds_of(made_at)};
}

Values to_row(const ports::DeliveredImport& delivery) {
    request::Package omissions;  // their encoding is the package's
    omissions.omitted = delivery.omitted;
    return {delivery.user.text(),         delivery.device.text(),    std::string(request::to_string(delivery.purpose)),
            delivery.user_principal_name, delivery.request.text(),   seconds_of(delivery.delivered_at),
            number_of(delivery.in_last),  request::encode(omissions)};
}

Result<ports::DeliveredImport> delivery_from(const Values& row) {
    Reader reader(row);
    ports::DeliveredImport delivery;
    delivery.user = reader.id<UserId>();
    delivery.device = reader.id<DeviceId>();
    const auto purpose = request::parse_purpose(reader.text());
    delivery.user_principal_name = reader.text();
    delivery.request = reader.id<RequestId>();
    delivery.delivered_at = reader.time();
    delivery.in_last = reader.count();
    auto omissions = request::decode_package(reader.blob());
    if (!reader.good() || !purpose || !omissions) return unreadable("delivery");
    delivery.purpose = *purpose;
    delivery.omitted = std::move(omissions->omitted);
    return delivery;
}

Values to_row(const ports::DeliveredImport& delivery, const ports::DeliveredImport::Certificate& certificate) {
    return {delivery.user.text(),
            delivery.device.text(),
            std::string(request::to_string(delivery.purpose)),
            blob_of(certificate.sha256),
            certificate.thumbprint.hex(),
            seconds_of(certificate.not_before),
            seconds_of(certificate.not_after),
            seconds_of(certificate.first_at),
            seconds_of(certificate.delivered_at),
            trust::one_spelling_of_person(delivery.user_principal_name)};
}

Result<DeliveredRow> delivered_certificate_from(const Values& row) {
    Reader reader(row);
    DeliveredRow delivered;
    delivered.user = reader.id<UserId>();
    delivered.device = reader.id<DeviceId>();
    const auto purpose = request::parse_purpose(reader.text());
    delivered.certificate.sha256 = reader.digest<Sha256>();
    const auto thumbprint = Thumbprint::from(from_hex(reader.text()).value_or(Bytes()));
    delivered.certificate.not_before = reader.time();
    delivered.certificate.not_after = reader.time();
    delivered.certificate.first_at = reader.time();
    delivered.certificate.delivered_at = reader.time();
    static_cast<void>(reader.text());
    if (!reader.good() || !purpose || !thumbprint) return unreadable("delivered_certificate");
    delivered.purpose = *purpose;
    delivered.certificate.thumbprint = *thumbprint;
    return delivered;
}

Values to_row(const MeterHead& head) {
    return {head.name,
            head.scope,
            number_of(head.first),
            number_of(head.last),
            std::int64_t{head.window.count()},
            std::int64_t{head.limit},
            std::int64_t{head.distinct}};
}

Result<MeterHead> meter_from(const Values& row) {
    Reader reader(row);
    MeterHead head;
    head.name = reader.text();
    head.scope = reader.text();
    head.first = reader.count();
    head.last = reader.count();
    head.window = std::chrono::seconds(reader.number());
    head.limit = reader.small();
    head.distinct = reader.flag();
    if (!reader.good()) return unreadable("meter");
    return head;
}

Values to_row(const MeterHead& head, const MeterEntry& entry) {
    return {head.name, head.scope, number_of(entry.n), entry.subject, seconds_of(entry.at)};
}

Result<MeterEntry> meter_entry_from(const Values& row) {
    Reader reader(row);
    MeterEntry entry;
    reader.text();
    reader.text();
    entry.n = reader.count();
    entry.subject = reader.text();
    entry.at = reader.time();
    if (!reader.good()) return unreadable("meter_entry");
    return entry;
}

Values to_row(const LedgerState& state) {
    return {std::int64_t{1},
            number_of(state.generation),
            number_of(state.sequence),
            number_of(state.audit_seq),
            blob_of(state.audit_link),
            number_of(state.meters),
            number_of(state.meter_total),
            number_of(state.delivered),
            number_of(state.failed),
            state.digests.octets()};
}

Result<LedgerState> state_from(const Values& row) {
    Reader reader(row);
    LedgerState state;
    reader.require(reader.number() == 1);
    state.generation = reader.count();
    state.sequence = reader.count();
    state.audit_seq = reader.count();
    state.audit_link = reader.digest<Sha256>();
    state.meters = reader.count();
    state.meter_total = reader.count();
    state.delivered = reader.count();
    state.failed = reader.count();
    const auto digests = Digests::from(reader.blob());
    if (!reader.good() || !digests) return unreadable("ledger_state");
    state.digests = *digests;
    return state;
}

}  // namespace connector::storage
