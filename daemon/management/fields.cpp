#include "daemon/management/fields.hpp"

#include "core/crypto/encoding.hpp"
#include "core/name.hpp"
#include "core/printable.hpp"
#include "daemon/management/json.hpp"

#include <algorithm>

namespace connector::management {
namespace bj = boost::json;
namespace {

std::string_view view_of(const bj::string& text) noexcept {
    return {text.data(), text.size()};
}

}  // namespace

void Fault::raise(std::string_view code, const std::string& pointer, std::string_view why) {
    if (error_) return;
    const std::string message = pointer.empty() ? std::string(why) : pointer + ": " + std::string(why);
    error_.emplace(ErrorKind::invalid, std::string(code), printable(message, 500));
}

const bj::value* Fields::find(std::string_view key) const {
    if (object_ == nullptr) return nullptr;
    const bj::value* value = object_->if_contains(bj::string_view(key.data(), key.size()));
    return value == nullptr || value->is_null() ? nullptr : value;
}

std::string Fields::pointer_to(std::string_view key) const {
    return pointer_ + json::step(key);
}

void Fields::unsupported(std::string_view key, std::string_view what, std::string_view instead) const {
    fault_->raise("unsupported", pointer_to(key), printable(what, 64) + " is not supported; " + std::string(instead));
}

std::string Fields::text(std::string_view key) const {
    auto value = maybe_text(key);
    if (!value) raise(key, "missing");
    return value ? std::move(*value) : std::string();
}

std::string Fields::word(std::string_view key) const {
    std::string value = text(key);
    if (value.empty()) raise(key, "empty");
    return value;
}

std::optional<std::string> Fields::maybe_text(std::string_view key) const {
    const bj::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) {
        raise(key, "not a string");
        return std::nullopt;
    }
    return std::string(view_of(value->get_string()));
}

std::vector<std::string> Fields::texts(std::string_view key, std::size_t most) const {
    std::vector<std::string> values;
    const bj::value* value = find(key);
    if (value == nullptr) return values;
    const bj::array* list = value->if_array();
    if (list == nullptr ||
        !std::all_of(list->begin(), list->end(), [](const bj::value& one) { return one.is_string(); })) {
        raise(key, "not a list of strings");
        return values;
    }
    if (list->size() > most) {
        raise(key, "more than " + std::to_string(most));
        return values;
    }
    for (const bj::value& one : *list) values.emplace_back(view_of(one.get_string()));
    return values;
}

UtcTime Fields::time(std::string_view key) const {
    const auto value = maybe_time(key);
    if (!value) raise(key, "missing");
    return value.value_or(UtcTime());
}

std::optional<UtcTime> Fields::maybe_time(std::string_view key) const {
    const auto value = maybe_text(key);
    if (!value) return std::nullopt;
    const auto parsed = from_rfc3339(*value);
    if (!parsed) {
        raise(key, parsed.error().message);
        return std::nullopt;
    }
    return *parsed;
}

std::optional<std::uint64_t> Fields::maybe_number(std::string_view key, std::uint64_t least, std::uint64_t most) const {
    const bj::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    std::optional<std::uint64_t> number;
    if (value->is_uint64()) number = value->get_uint64();
    if (value->is_int64() && value->get_int64() >= 0) number = static_cast<std::uint64_t>(value->get_int64());
    if (!number || *number < least || *number > most) {
        raise(key, "not a whole number from " + std::to_string(least) + " to " + std::to_string(most));
        return std::nullopt;
    }
    return number;
}

std::optional<bool> Fields::maybe_boolean(std::string_view key) const {
    const bj::value* value = find(key);
    if (value == nullptr) return std::nullopt;
    if (!value->is_bool()) {
        raise(key, "neither true nor false");
        return std::nullopt;
    }
    return value->get_bool();
}

Bytes Fields::octets(std::string_view key) const {
    Bytes value = maybe_octets(key);
    if (value.empty()) raise(key, "missing");
    return value;
}

Bytes Fields::maybe_octets(std::string_view key) const {
    const auto value = maybe_text(key);
    if (!value) return {};
    auto decoded = crypto::from_base64(*value);
    if (!decoded || decoded->empty()) {
        raise(key, "not base64 (standard alphabet, padded, no line breaks)");
        return {};
    }
    return std::move(*decoded);
}

std::string Fields::hex(std::string_view key, std::size_t octet_count) const {
    const std::string value = text(key);
    const auto decoded = from_hex(value);
    if (!decoded || decoded->size() != octet_count) {
        raise(key, "not " + std::to_string(octet_count) + " octets in hex");
        return {};
    }
    return to_hex(*decoded);
}

std::string Fields::serial_number(std::string_view key) const {
    std::string digits = text(key);
    if (digits.size() % 2 != 0) digits.insert(digits.begin(), '0');
    const auto decoded = from_hex(digits);
    if (!decoded || decoded->size() > 32) {
        raise(key, "not a serial number in hex");
        return {};
    }
    const auto first = std::find_if(decoded->begin(), decoded->end(), [](std::uint8_t octet) { return octet != 0; });
    if (first == decoded->end()) {
        raise(key, "not a positive number");
        return {};
    }
    return to_hex(Bytes(first, decoded->end()));
}

std::string Fields::name(std::string_view key) const {
    std::string value = word(key);
    if (!value.empty() && !parse_name(value)) raise(key, "not a distinguished name (RFC 4514)");
    return value;
}

Fields Fields::object(std::string_view key) const {
    Fields inner = maybe_object(key);
    if (!inner.present()) raise(key, "missing");
    return inner;
}

Fields Fields::maybe_object(std::string_view key) const {
    const bj::value* value = find(key);
    if (value != nullptr && !value->is_object()) raise(key, "not an object");
    return Fields(value == nullptr ? nullptr : value->if_object(), pointer_to(key), *fault_);
}

std::vector<Fields> Fields::objects(std::string_view key, std::size_t most) const {
    std::vector<Fields> values;
    const bj::value* value = find(key);
    if (value == nullptr) return values;
    const bj::array* list = value->if_array();
    if (list == nullptr ||
        !std::all_of(list->begin(), list->end(), [](const bj::value& one) { return one.is_object(); })) {
        raise(key, "not a list of objects");
        return values;
    }
    if (list->size() > most) {
        raise(key, "more than " + std::to_string(most));
        return values;
    }
    for (std::size_t i = 0; i < list->size(); ++i)
        values.emplace_back((*list)[i].if_object(), pointer_to(key) + "/" + std::to_string(i), *fault_);
    return values;
}

}  // namespace connector::management
