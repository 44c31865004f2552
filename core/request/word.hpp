// The value of an enumeration that is written as `word`: its to_string() is the only list of words. Any thread.
#pragma once

#include <initializer_list>
#include <optional>
#include <string_view>

namespace connector::request {

template <class E>
[[nodiscard]] std::optional<E> find_word(std::initializer_list<E> all, std::string_view word) noexcept {
    for (const E value : all)
        if (to_string(value) == word) return value;
    return std::nullopt;
}

}  // namespace connector::request
