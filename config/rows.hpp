// Inside config/ only: the parts of the table, and the small words its rows are written with.
#pragma once

#include "config/checks.hpp"
#include "config/table.hpp"

#include <type_traits>
#include <utility>

namespace connector::config {

[[nodiscard]] std::span<const Key> daemon_keys() noexcept;   // management … control
[[nodiscard]] std::span<const Key> request_keys() noexcept;  // recipients, policy, importer, limits, import, authority
[[nodiscard]] std::span<const Key> directory_keys() noexcept;
[[nodiscard]] std::span<const Key> notify_keys() noexcept;

namespace into {

// Setters for `settings.PART.MEMBER`; what lies deeper has a lambda in its row.
template <auto Part, auto Member>
void text(const Target& target, const Value& value) {
    target.settings.*Part.*Member = value.text;
}
template <auto Part, auto Member>
void number(const Target& target, const Value& value) {
    auto& member = target.settings.*Part.*Member;
    member = static_cast<std::remove_reference_t<decltype(member)>>(value.number);
}
template <auto Part, auto Member>
void flag(const Target& target, const Value& value) {
    target.settings.*Part.*Member = value.flag;
}
template <auto Part, auto Member>
void texts(const Target& target, const Value& value) {
    target.settings.*Part.*Member = value.texts;
}
template <auto Part, auto Member>
void path(const Target& target, const Value& value) {
    target.settings.*Part.*Member = value.path;
}
template <auto Part, auto Member>
void secret(const Target& target, const Value& value) {
    target.settings.*Part.*Member = value.secret;
}
// The words of `choices` stand in the enumeration's order.
template <auto Part, auto Member>
void pick(const Target& target, const Value& value) {
    auto& member = target.settings.*Part.*Member;
    member = static_cast<std::remove_reference_t<decltype(member)>>(value.choice);
}

}  // namespace into

namespace when {

[[nodiscard]] bool run(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool service_is_called(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool import_tool(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool keys_are_delivered(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool names_are_certified(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool directory_is_asked(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool device_owner_is_asked(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool statements_are_asked(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool mail_domains_decide(const Settings& settings, Need need) noexcept;
[[nodiscard]] bool signatures_are_checked(const Settings& settings, Need need) noexcept;

}  // namespace when

}  // namespace connector::config
