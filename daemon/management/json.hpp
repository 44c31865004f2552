// Strict JSON (RFC 8259) as the management API wants it: no duplicate keys, no control characters, bounded depth and
// fields. Two layers: split() walks a list without recursion, so that a bad element cannot take its neighbours with it;
// parse_strict() reads one element. Pure; any thread.
#pragma once

#include "core/error.hpp"

#include <boost/json/value.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace connector::management::json {

inline constexpr std::size_t k_deepest = 16;
inline constexpr std::size_t k_element_depth = 2;  // of an element: {"requests":[ stands outside

// The members of a JSON object, values as they stand in the text. Values are only balanced, not checked.
struct Member {
    std::string key;
    std::string_view value;
};
// kind: invalid, code answerInvalid, where brackets, quotes or commas do not fit.
[[nodiscard]] Result<std::vector<Member>> split_object(std::string_view text);
[[nodiscard]] Result<std::vector<std::string_view>> split_array(std::string_view text);

enum class Texts {
    plain,  // no control character; 4 KiB (recipientCertificate 8, binding 16, blobs 512)
    pem     // line breaks are allowed, 64 KiB
};
// One value, `outer` levels inside its document. kind: invalid, code invalidRequest, JSON pointer (RFC 6901) first.
[[nodiscard]] Result<boost::json::value> parse_strict(std::string_view text, std::size_t outer, Texts texts);

// An answer whose one list stands apart, element by element, while all else in it is read strictly.
struct ListAnswer {
    std::vector<std::string_view> elements;
    boost::json::object rest;  // the other members
};
// kind: invalid, code answerInvalid. The list is required.
[[nodiscard]] Result<ListAnswer> only_list(std::string_view body, std::string_view key);
// A whole answer, read strictly: an object. kind: invalid, code answerInvalid.
[[nodiscard]] Result<boost::json::object> whole_object(std::string_view body, Texts texts);

// The one string member of that name of an object's text, if there is exactly one; looks no deeper.
[[nodiscard]] std::optional<std::string> find_text(const std::vector<Member>& members, std::string_view key);

// Compact text with the keys in order, so that equal meaning is equal text.
[[nodiscard]] std::string canonical(const boost::json::value& value);

// A pointer's next step, escaped and printable.
[[nodiscard]] std::string step(std::string_view key);

// Writes JSON without a tree in between. The caller keeps the nesting right.
class Writer {
public:
    Writer& open(char bracket);   // { or [
    Writer& close(char bracket);  // } or ]
    Writer& key(std::string_view name);
    Writer& text(std::string_view value);     // made printable, any length
    Writer& octets(std::string_view base64);  // known to need no escaping
    Writer& pem(std::string_view value);      // line breaks stay
    Writer& number(std::uint64_t value);
    Writer& boolean(bool value);
    Writer& null();
    Writer& raw(std::string_view json);  // a value that is JSON already
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    void separate();
    std::string out_;
    bool comma_ = false;
};

}  // namespace connector::management::json
