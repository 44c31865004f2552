// The codes of the management API with which an order, a record or a file is refused, as `explain` tells them.
// docs/bad-input.md has the same words; a test compares. Values only, any thread.
#pragma once

#include <span>
#include <string_view>

namespace connector::cli {

struct ResultCode {
    std::string_view code;
    std::string_view meaning;
    std::string_view again;   // whether it is worth ordering again as it is
    std::string_view action;  // what its reader does
};

[[nodiscard]] std::span<const ResultCode> result_codes() noexcept;
// In any case; nullptr where there is none.
[[nodiscard]] const ResultCode* find_result_code(std::string_view code) noexcept;

}  // namespace connector::cli
