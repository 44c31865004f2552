// The codec. Each type says once, in fields(), what it is made of; Writer and Reader walk the same description, so
// that encoding, decoding and the order's hash cannot drift apart. One value has exactly one encoding: integers are
// eight octets, most significant first; texts and octets are led by their length, lists by their count, optional
// values by 0 or 1; enumerations stand as the management API's words, which outlive a reordered enum.
#include "core/request/record.hpp"

#include "core/request/word.hpp"

#include <concepts>
#include <initializer_list>
#include <limits>
#include <type_traits>
#include <utility>

namespace connector::request {
namespace {

// Grows when fields() of a type changes; rows of the versions before must then still be read.
constexpr std::uint8_t k_version = 1;

template <class T, class Wanted>
concept Is = std::same_as<std::remove_const_t<T>, Wanted>;

template <class A, Is<User> T>
void fields(A& archive, T& user) {
    archive(user.id, user.user_principal_name, user.mail, user.other_mails, user.proxy_addresses, user.display_name,
            user.given_name, user.surname, user.on_premises_sam_account_name, user.on_premises_distinguished_name,
            user.on_premises_security_identifier);
}
template <class A, Is<Device> T>
void fields(A& archive, T& device) {
    archive(device.id, device.platform, device.os_version, device.name, device.serial_number, device.imei,
            device.azure_ad_device_id, device.recipient_certificate, device.binding, device.key_change_proof);
}
template <class A, Is<Delivery> T>
void fields(A& archive, T& delivery) {
    archive(delivery.format, delivery.pkcs12, delivery.apple, delivery.windows);
}
template <class A, Is<SanTemplate> T>
void fields(A& archive, T& san) {
    archive(san.type, san.value);
}
template <class A, Is<Profile> T>
void fields(A& archive, T& profile) {
    archive(profile.authority, profile.template_alias, profile.subject, profile.subject_alt_names, profile.key_type,
            profile.key_usage, profile.extended_key_usage, profile.validity_days, profile.renewal_threshold_percent,
            profile.include_security_identifier);
}
template <class A, Is<PreviousCertificate> T>
void fields(A& archive, T& previous) {
    archive(previous.serial_number, previous.issuer);
}
template <class A, Is<Issue> T>
void fields(A& archive, T& order) {
    archive(order.profile, order.delivery);
}
template <class A, Is<Renew> T>
void fields(A& archive, T& order) {
    archive(order.profile, order.previous, order.delivery);
}
template <class A, Is<DeliverImported> T>
void fields(A& archive, T& order) {
    archive(order.purpose, order.thumbprints, order.delivery);
}
template <class A, Is<Withdraw> T>
void fields(A& archive, T& order) {
    archive(order.reason);
}
template <class A, Is<Revoke> T>
void fields(A& archive, T& order) {
    archive(order.authority, order.issuer, order.serial_number, order.reason);
}
template <class A, Is<CertificateRequest> T>
void fields(A& archive, T& request) {
    archive(request.id, request.created_at, request.user, request.device, request.order);
}
template <class A, Is<DeliveredCertificate> T>
void fields(A& archive, T& certificate) {
    archive(certificate.der, certificate.renew_after);
}
template <class A, Is<Omitted> T>
void fields(A& archive, T& omitted) {
    archive(omitted.thumbprint, omitted.code, omitted.message);
}
template <class A, Is<Package> T>
void fields(A& archive, T& package) {
    archive(package.certificates, package.chain, package.omitted, package.format, package.envelope);
}

template <class Tag>
void parse_word(std::string_view word, std::optional<Id<Tag>>& id) {
    // An order need not name a device or user; an absent id is the empty one.
    id = word.empty() ? Id<Tag>() : Id<Tag>::parse(word);
}
void parse_word(std::string_view word, std::optional<Platform>& value) {
    value = parse_platform(word);
}
void parse_word(std::string_view word, std::optional<DeliveryFormat>& value) {
    value = parse_delivery_format(word);
}
void parse_word(std::string_view word, std::optional<Pkcs12Choice>& value) {
    value = parse_pkcs12_choice(word);
}
void parse_word(std::string_view word, std::optional<SanType>& value) {
    value = parse_san_type(word);
}
void parse_word(std::string_view word, std::optional<KeyType>& value) {
    value = parse_key_type(word);
}
void parse_word(std::string_view word, std::optional<Purpose>& value) {
    value = parse_purpose(word);
}
void parse_word(std::string_view word, std::optional<Kind>& value) {
    value = parse_kind(word);
}

class Writer {
public:
    explicit Writer(Bytes& out) : out_(out) {}

    template <class... T>
    void operator()(const T&... values) {
        (write(values), ...);
    }

private:
    void write_number(std::uint64_t number) {
        for (unsigned shift = 64; shift != 0;) {
            shift -= 8;
            out_.push_back(static_cast<std::uint8_t>(number >> shift));
        }
    }
    void write_octets(ByteView octets) {
        write_number(octets.size());
        out_.insert(out_.end(), octets.begin(), octets.end());
    }

    void write(const Bytes& octets) { write_octets(octets); }
    void write(const std::string& text) { write_octets(bytes_of(text)); }
    template <class Tag>
    void write(const Id<Tag>& id) {
        write_octets(bytes_of(id.text()));
    }
    void write(bool flag) { out_.push_back(flag ? 1 : 0); }
    void write(unsigned number) { write_number(number); }
    void write(UtcTime time) { write_number(static_cast<std::uint64_t>(time.time_since_epoch().count())); }
    void write(KeyUsage usage) { write_number(usage.bits()); }
    template <class E>
    requires std::is_enum_v<E>
    void write(E value) { write_octets(bytes_of(to_string(value))); }
    template <class T>
    void write(const std::optional<T>& value) {
        write(value.has_value());
        if (value) write(*value);
    }
    template <class T>
    void write(const std::vector<T>& list) {
        write_number(list.size());
        for (const auto& element : list) write(element);
    }
    void write(const Order& order) {
        std::visit(
            [this](const auto& its) {
                write(std::decay_t<decltype(its)>::k_kind);
                write(its);
            },
            order);
    }
    template <class T>
    requires requires(Writer& archive, const T& value) { fields(archive, value); }
    void write(const T& value) { fields(*this, value); }

    Bytes& out_;
};

class Reader {
public:
    explicit Reader(ByteView in) : in_(in) {}

    template <class... T>
    void operator()(T&... values) {
        (read(values), ...);
    }
    [[nodiscard]] bool consumed_all() const noexcept { return good_ && in_.empty(); }

private:
    std::uint64_t read_number() {
        const ByteView octets = take(8);
        std::uint64_t number = 0;
        for (const auto octet : octets) number = (number << 8U) | octet;
        return number;
    }
    // Never more than is there: a false length costs nothing.
    ByteView take(std::uint64_t size) {
        if (!good_ || size > in_.size()) {
            good_ = false;
            return {};
        }
        const ByteView octets = in_.first(size);
        in_ = in_.subspan(octets.size());
        return octets;
    }
    std::string_view take_text() { return text_of(take(read_number())); }

    void read(Bytes& octets) {
        const ByteView source = take(read_number());
        octets.assign(source.begin(), source.end());
    }
    void read(std::string& text) { text = take_text(); }
    void read(bool& flag) {
        const ByteView octet = take(1);
        if (octet.empty() || octet[0] > 1) good_ = false;
        flag = good_ && octet[0] == 1;
    }
    void read(unsigned& number) {
        const std::uint64_t value = read_number();
        if (value > std::numeric_limits<unsigned>::max()) good_ = false;
        number = good_ ? static_cast<unsigned>(value) : 0;
    }
    void read(UtcTime& time) { time = UtcTime(std::chrono::seconds(static_cast<std::int64_t>(read_number()))); }
    void read(KeyUsage& usage) {
        constexpr std::uint64_t k_all = 0x1FF;
        const std::uint64_t value = read_number();
        if (value > k_all) good_ = false;
        usage = KeyUsage(good_ ? static_cast<std::uint16_t>(value) : std::uint16_t{0});
    }
    template <class T>
    requires requires(std::string_view word, std::optional<T>& value) { parse_word(word, value); }
    void read(T& value) {
        std::optional<T> parsed;
        parse_word(take_text(), parsed);
        if (!parsed) good_ = false;
        if (good_) value = std::move(*parsed);
    }
    template <class T>
    void read(std::optional<T>& value) {
        bool present = false;
        read(present);
        value.reset();
        if (present) read(value.emplace());
    }
    template <class T>
    void read(std::vector<T>& list) {
        list.clear();
        for (std::uint64_t left = read_number(); good_ && left != 0; --left) read(list.emplace_back());
    }
    void read(Order& order) {
        Kind kind{};
        read(kind);
        if (!good_) return;
        switch (kind) {
            case Kind::pkcs_issue: return read(order.emplace<Issue>());
            case Kind::pkcs_renew: return read(order.emplace<Renew>());
            case Kind::pfx_deliver: return read(order.emplace<DeliverImported>());
            case Kind::pfx_withdraw: return read(order.emplace<Withdraw>());
            case Kind::certificate_revoke: return read(order.emplace<Revoke>());
        }
    }
    template <class T>
    requires requires(Reader& archive, T& value) { fields(archive, value); }
    void read(T& value) { fields(*this, value); }

    ByteView in_;
    bool good_ = true;
};

template <class T>
Bytes encode_as_version_one(const T& value) {
    Bytes octets{k_version};
    Writer archive(octets);
    archive(value);
    return octets;
}

template <class T>
Result<T> decode_as(ByteView octets, const char* what) {
    const Error unreadable(ErrorKind::integrity, "integrity", std::string("a stored ") + what + " does not read");
    if (octets.empty() || octets[0] != k_version) return unreadable;
    T value;
    Reader archive(octets.subspan(1));
    archive(value);
    if (!archive.consumed_all()) return unreadable;
    return value;
}

}  // namespace

std::string_view to_string(Stage stage) noexcept {
    switch (stage) {
        case Stage::accepted: return "accepted";
        case Stage::keyed: return "keyed";
        case Stage::submitting: return "submitting";
        case Stage::at_authority: return "at_authority";
        case Stage::issued: return "issued";
        case Stage::packaged: return "packaged";
        case Stage::refused: return "refused";
        case Stage::held: return "held";
        case Stage::abandoned: return "abandoned";
        case Stage::revoking: return "revoking";
        case Stage::closed: return "closed";
    }
    return "unknown";
}

std::optional<Stage> parse_stage(std::string_view text) noexcept {
    return find_word({Stage::accepted, Stage::keyed, Stage::submitting, Stage::at_authority, Stage::issued,
                      Stage::packaged, Stage::refused, Stage::held, Stage::abandoned, Stage::revoking, Stage::closed},
                     text);
}

std::string_view to_string(HeldReason reason) noexcept {
    switch (reason) {
        case HeldReason::new_recipient: return "new_recipient";
        case HeldReason::key_change: return "key_change";
        case HeldReason::user_change: return "user_change";
        case HeldReason::too_many_devices: return "too_many_devices";
        case HeldReason::limit: return "limit";
        case HeldReason::approval: return "approval";
    }
    return "unknown";
}

std::optional<HeldReason> parse_held_reason(std::string_view text) noexcept {
    return find_word({HeldReason::new_recipient, HeldReason::key_change, HeldReason::user_change,
                      HeldReason::too_many_devices, HeldReason::limit, HeldReason::approval},
                     text);
}

Bytes encode(const CertificateRequest& request) {
    return encode_as_version_one(request);
}

Result<CertificateRequest> decode_request(ByteView octets) {
    return decode_as<CertificateRequest>(octets, "request");
}

Bytes encode(const Package& package) {
    return encode_as_version_one(package);
}

Result<Package> decode_package(ByteView octets) {
    return decode_as<Package>(octets, "package");
}

Bytes order_octets(const CertificateRequest& request) {
    Bytes octets{k_version};
    Writer archive(octets);
    archive(request.user, request.device, request.order);
    return octets;
}

Bytes sealing_context(const RequestRecord& record, std::string_view field) {
    Bytes octets{k_version};
    Writer archive(octets);
    archive(std::string("pfx-connector-seal"), std::string(field), record.request);
    return octets;
}

}  // namespace connector::request
