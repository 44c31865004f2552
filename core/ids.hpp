// Identifiers as types of their own, valid by construction.
// The management API's form: 1–128 of A–Z a–z 0–9 . _ : @ + -
// Any thread; values only.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace connector {

[[nodiscard]] bool is_usable_id(std::string_view text) noexcept;

template <class Tag>
class Id {
public:
    Id() = default;

    // nullopt where the text is not of the API's form.
    [[nodiscard]] static std::optional<Id> parse(std::string_view text) {
        if (!is_usable_id(text)) return std::nullopt;
        return Id(std::string(text));
    }
    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    auto operator<=>(const Id&) const = default;

private:
    explicit Id(std::string text) : text_(std::move(text)) {}
    std::string text_;
};

using RequestId = Id<struct RequestIdTag>;
using LeaseId = Id<struct LeaseIdTag>;
using UserId = Id<struct UserIdTag>;
using DeviceId = Id<struct DeviceIdTag>;
using ConnectorId = Id<struct ConnectorIdTag>;

}  // namespace connector

template <class Tag>
struct std::hash<connector::Id<Tag>> {
    std::size_t operator()(const connector::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.text()); }
};
