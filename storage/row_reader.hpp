// Inside of rows*.cpp only: columns to values and back.
#pragma once

#include "storage/rows.hpp"

#include <array>
#include <chrono>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace connector::storage::detail {

template <std::size_t N>
constexpr std::array<std::string_view, N> names(const char* const (&list)[N]) {
    std::array<std::string_view, N> array{};
    for (std::size_t i = 0; i < N; ++i) array[i] = list[i];
    return array;
}

inline Error unreadable(std::string_view table) {
    return {ErrorKind::integrity, "rowUnreadable", "a row of " + std::string(table) + " cannot be read"};
}

inline std::int64_t number_of(std::uint64_t number) {
    return static_cast<std::int64_t>(number);
}

inline Value or_null(const Bytes& octets) {
    return octets.empty() ? Value() : Value(octets);
}
inline Value or_null(const std::string& text) {
    return text.empty() ? Value() : Value(text);
}
inline Value or_null(const std::optional<std::string>& text) {
    return text ? Value(*text) : Value();
}
inline Value or_null(std::optional<UtcTime> time) {
    return time ? Value(seconds_of(*time)) : Value();
}
template <class Tag, std::size_t N>
Value blob_of(const Digest<Tag, N>& digest) {
    return Bytes(digest.octets.begin(), digest.octets.end());
}

// Takes a row's columns one after the other; what is of another type or shape spoils the whole.
class Reader {
public:
    explicit Reader(const Values& row) : row_(row) {}

    [[nodiscard]] bool good() const noexcept { return good_ && next_ == row_.size(); }

    std::int64_t number() { return take<std::int64_t>(); }
    std::string text() { return take<std::string>(); }
    Bytes blob() { return take<Bytes>(); }
    UtcTime time() { return UtcTime(std::chrono::seconds(number())); }
    std::uint64_t count() {
        const auto value = number();
        if (value < 0) good_ = false;
        return static_cast<std::uint64_t>(value);
    }
    std::uint32_t small() {
        const auto value = count();
        if (value > std::numeric_limits<std::uint32_t>::max()) good_ = false;
        return static_cast<std::uint32_t>(value);
    }
    bool flag() { return number() != 0; }
    template <class T>
    T digest() {
        const auto digest = T::from(blob());
        if (!digest) good_ = false;
        return digest.value_or(T{});
    }
    // Empty identifiers stand in minimal and unowned records.
    template <class T>
    T id() {
        const auto word = text();
        if (word.empty()) return T{};
        auto parsed = T::parse(word);
        if (!parsed) good_ = false;
        return parsed.value_or(T{});
    }

    [[nodiscard]] bool skip_null() {
        if (next_ >= row_.size() || row_[next_].index() != 0) return false;
        ++next_;
        return true;
    }
    std::string text_or_empty() { return skip_null() ? std::string() : text(); }
    Bytes blob_or_empty() { return skip_null() ? Bytes() : blob(); }
    std::optional<std::string> optional_text() { return skip_null() ? std::nullopt : std::optional(text()); }
    std::optional<UtcTime> optional_time() { return skip_null() ? std::nullopt : std::optional(time()); }
    std::optional<Sha256> optional_digest() { return skip_null() ? std::nullopt : std::optional(digest<Sha256>()); }

    void require(bool condition) { good_ = good_ && condition; }

private:
    template <class T>
    T take() {
        const T* value = next_ < row_.size() ? std::get_if<T>(&row_[next_]) : nullptr;
        ++next_;
        if (value == nullptr) {
            good_ = false;
            return T{};
        }
        return *value;
    }

    const Values& row_;
    std::size_t next_ = 0;
    bool good_ = true;
};

}  // namespace connector::storage::detail
