// Reads the fields of one JSON object, each by its form; the first fault is kept and wins, so that a decoder reads like
// the message it decodes. null means absent, unknown fields are ignored. Pure; any thread.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/time.hpp"

#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::management {

inline constexpr std::string_view k_not_an_id = "not 1 to 128 of A-Z a-z 0-9 . _ : @ + -";

// The first fault of a message, shared by the readers of all of its objects.
class Fault {
public:
    // code invalidRequest or unsupported; `pointer` as RFC 6901 has it, "" where `why` begins with it.
    void raise(std::string_view code, const std::string& pointer, std::string_view why);
    [[nodiscard]] explicit operator bool() const noexcept { return error_.has_value(); }
    [[nodiscard]] const Error& error() const { return *error_; }

private:
    std::optional<Error> error_;
};

class Fields {
public:
    // `object` may be nullptr: an object that is absent. Borrows both.
    Fields(const boost::json::object* object, std::string pointer, Fault& fault)
        : object_(object), pointer_(std::move(pointer)), fault_(&fault) {}

    [[nodiscard]] bool present() const noexcept { return object_ != nullptr; }
    [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

    // Required ones raise where the field is absent; all raise where it has another form.
    [[nodiscard]] std::string text(std::string_view key) const;  // "" is a value
    [[nodiscard]] std::string word(std::string_view key) const;  // at least one character
    [[nodiscard]] std::optional<std::string> maybe_text(std::string_view key) const;
    [[nodiscard]] std::vector<std::string> texts(std::string_view key, std::size_t most) const;
    [[nodiscard]] UtcTime time(std::string_view key) const;
    [[nodiscard]] std::optional<UtcTime> maybe_time(std::string_view key) const;
    [[nodiscard]] std::optional<std::uint64_t> maybe_number(std::string_view key, std::uint64_t least,
                                                            std::uint64_t most) const;
    [[nodiscard]] std::optional<bool> maybe_boolean(std::string_view key) const;
    [[nodiscard]] Bytes octets(std::string_view key) const;        // base64, at least one octet
    [[nodiscard]] Bytes maybe_octets(std::string_view key) const;  // absent: none
    // Hex of exactly that many octets, in lower case.
    [[nodiscard]] std::string hex(std::string_view key, std::size_t octet_count) const;
    // A serial number: hex of a positive integer, as whole octets in lower case without leading 00.
    [[nodiscard]] std::string serial_number(std::string_view key) const;
    // An RFC 4514 string, as written, once it can be read.
    [[nodiscard]] std::string name(std::string_view key) const;
    [[nodiscard]] Fields object(std::string_view key) const;
    [[nodiscard]] Fields maybe_object(std::string_view key) const;
    // The objects of a list.
    [[nodiscard]] std::vector<Fields> objects(std::string_view key, std::size_t most) const;

    template <class Identifier>
    [[nodiscard]] Identifier id(std::string_view key) const {
        auto parsed = Identifier::parse(word(key));
        if (!parsed) raise(key, k_not_an_id);
        return parsed ? std::move(*parsed) : Identifier();
    }

    [[nodiscard]] const boost::json::value* find(std::string_view key) const;  // nullptr: absent or null
    [[nodiscard]] std::string pointer_to(std::string_view key) const;
    void raise(std::string_view key, std::string_view why) const {
        fault_->raise("invalidRequest", pointer_to(key), why);
    }
    // `instead`: what is.
    void unsupported(std::string_view key, std::string_view what, std::string_view instead) const;

private:
    const boost::json::object* object_;
    std::string pointer_;
    Fault* fault_;
};

}  // namespace connector::management
