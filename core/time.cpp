#include "core/time.hpp"

#include <array>
#include <charconv>
#include <cstdio>
#include <optional>

namespace connector {
namespace {

using namespace std::chrono;

std::optional<int> number(std::string_view text, std::size_t at, std::size_t digits) {
    if (at + digits > text.size()) return std::nullopt;
    int value = 0;
    for (std::size_t i = at; i < at + digits; ++i) {
        if (text[i] < '0' || text[i] > '9') return std::nullopt;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

std::optional<UtcTime> assemble(std::optional<int> y, std::optional<int> mo, std::optional<int> d, std::optional<int> h,
                                std::optional<int> mi, std::optional<int> s) {
    if (!y || !mo || !d || !h || !mi || !s) return std::nullopt;
    const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
    if (!date.ok() || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
    return sys_days{date} + hours{*h} + minutes{*mi} + seconds{*s};
}

Error not_a_time(std::string_view form) {
    return Error(ErrorKind::invalid, "invalidRequest", "not a time of the form " + std::string(form));
}

}  // namespace

std::string to_rfc3339(UtcTime time) {
    const auto day_start = floor<days>(time);
    const year_month_day date{day_start};
    const hh_mm_ss clock{time - day_start};
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02dZ", static_cast<int>(date.year()),
                  static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                  static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                  static_cast<int>(clock.seconds().count()));
    return text.data();
}

Result<UtcTime> from_rfc3339(std::string_view text) {
    const Error wrong = not_a_time("2026-11-23T12:00:00Z");
    if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') ||
        text[13] != ':' || text[16] != ':')
        return wrong;
    std::size_t end = 19;
    if (text[end] == '.') {
        const std::size_t first = ++end;
        while (end < text.size() && text[end] >= '0' && text[end] <= '9') ++end;
        if (end == first || end - first > 9) return wrong;
    }
    if (end + 1 != text.size() || (text[end] != 'Z' && text[end] != 'z')) return wrong;
    const auto time = assemble(number(text, 0, 4), number(text, 5, 2), number(text, 8, 2), number(text, 11, 2),
                               number(text, 14, 2), number(text, 17, 2));
    if (!time) return wrong;
    return *time;
}

Result<UtcTime> from_http_date(std::string_view text) {
    static constexpr std::string_view k_months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const Error wrong = not_a_time("Mon, 23 Nov 2026 12:00:00 GMT");
    if (text.size() != 29 || text.substr(25) != " GMT") return wrong;
    const auto month_at = k_months.find(text.substr(8, 3));
    if (month_at == std::string_view::npos || month_at % 3 != 0) return wrong;
    const auto time = assemble(number(text, 12, 4), static_cast<int>(month_at / 3 + 1), number(text, 5, 2),
                               number(text, 17, 2), number(text, 20, 2), number(text, 23, 2));
    if (!time) return wrong;
    return *time;
}

}  // namespace connector
