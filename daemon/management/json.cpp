#include "daemon/management/json.hpp"

#include "core/printable.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <set>

namespace connector::management::json {
namespace bj = boost::json;
namespace {

constexpr std::size_t k_field = 4U * 1024U;
constexpr std::size_t k_blob = 512U * 1024U;
constexpr std::size_t k_pem = 64U * 1024U;

Error broken(std::string_view why) {
    return Error(ErrorKind::invalid, "answerInvalid", "the answer is not of the API: " + std::string(why));
}

std::size_t limit_of(std::string_view key, Texts texts) noexcept {
    if (texts == Texts::pem) return k_pem;
    if (key == "recipientCertificate") return 8U * 1024U;
    if (key == "binding") return 16U * 1024U;
    if (key == "encryptedPfxBlob" || key == "importerSignature") return k_blob;
    return k_field;
}

// C0, DEL and C1 (as UTF-8, C2 80 to C2 9F); with line breaks allowed, LF and CR pass.
bool has_control(std::string_view text, bool breaks) noexcept {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text[i]);
        if (octet == 0x7f || (octet < 0x20 && !(breaks && (octet == '\n' || octet == '\r')))) return true;
        if (octet == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) return true;
    }
    return false;
}

class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    void skip_space() noexcept {
        while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    }
    [[nodiscard]] bool take(char wanted) noexcept {
        skip_space();
        if (at_ >= text_.size() || text_[at_] != wanted) return false;
        ++at_;
        return true;
    }
    [[nodiscard]] bool ended() noexcept {
        skip_space();
        return at_ == text_.size();
    }
    // A string with its quotes, or nothing where it does not end.
    [[nodiscard]] std::optional<std::string_view> quoted() noexcept {
        skip_space();
        const std::size_t first = at_;
        if (at_ >= text_.size() || text_[at_] != '"' || !pass_string()) return std::nullopt;
        return text_.substr(first, at_ - first);
    }
    // Any value, its brackets and quotes balanced; counted, not recursed into.
    [[nodiscard]] std::optional<std::string_view> value() noexcept {
        skip_space();
        const std::size_t first = at_;
        std::size_t depth = 0;
        while (at_ < text_.size()) {
            const char c = text_[at_];
            if (c == '"') {
                if (!pass_string()) return std::nullopt;
                if (depth == 0) break;
                continue;
            }
            if (c == '{' || c == '[') {
                ++depth;
            } else if (c == '}' || c == ']') {
                if (depth == 0) break;
                if (--depth == 0) {
                    ++at_;
                    break;
                }
            } else if (depth == 0 && (c == ',' || is_space(c))) {
                break;
            }
            ++at_;
        }
        if (depth != 0 || at_ == first) return std::nullopt;
        return text_.substr(first, at_ - first);
    }

private:
    static bool is_space(char c) noexcept { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
    bool pass_string() noexcept {
        for (++at_; at_ < text_.size(); ++at_) {
            if (text_[at_] == '\\') {
                ++at_;
            } else if (text_[at_] == '"') {
                ++at_;
                return true;
            }
        }
        return false;
    }
    std::string_view text_;
    std::size_t at_ = 0;
};

// What a string of the text says; it has no depth, so Boost's own reader will do.
std::optional<std::string> decode(std::string_view quoted) {
    boost::system::error_code code;
    const bj::value value = bj::parse(bj::string_view(quoted.data(), quoted.size()), code);
    if (code || !value.is_string()) return std::nullopt;
    return std::string(value.get_string().data(), value.get_string().size());
}

// Builds the tree and stops at the first fault, whose place it knows.
struct Handler {
    static constexpr std::size_t max_object_size = bj::object::max_size();
    static constexpr std::size_t max_array_size = bj::array::max_size();
    static constexpr std::size_t max_key_size = bj::string::max_size();
    static constexpr std::size_t max_string_size = bj::string::max_size();

    struct Level {
        bool array = false;
        std::size_t index = 0;
        std::string key;
        std::set<std::string, std::less<>> keys;
    };

    explicit Handler(Texts allowed) : texts(allowed) { stack.reset(); }

    Texts texts;
    bj::value_stack stack;
    std::vector<Level> levels;
    std::string part;  // a key or string that came in pieces
    std::string fault;

    [[nodiscard]] std::string pointer() const {
        std::string text;
        for (const Level& level : levels) {
            if (level.array) {
                text += "/" + std::to_string(level.index);
            } else if (!level.key.empty()) {
                text += step(level.key);
            }
        }
        return text.empty() ? "/" : text;
    }
    bool refuse(boost::system::error_code& code, std::string_view why) {
        fault = pointer() + ": " + std::string(why);
        code = bj::make_error_code(bj::error::syntax);
        return false;
    }
    [[nodiscard]] std::string_view nearest_key() const noexcept {
        for (auto level = levels.rbegin(); level != levels.rend(); ++level)
            if (!level->array) return level->key;
        return {};
    }
    void passed() noexcept {
        if (!levels.empty() && levels.back().array) ++levels.back().index;
    }

    bool on_document_begin(boost::system::error_code&) { return true; }
    bool on_document_end(boost::system::error_code&) { return true; }
    bool on_object_begin(boost::system::error_code&) {
        levels.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t count, boost::system::error_code&) {
        levels.pop_back();
        stack.push_object(count);
        passed();
        return true;
    }
    bool on_array_begin(boost::system::error_code&) {
        levels.emplace_back().array = true;
        return true;
    }
    bool on_array_end(std::size_t count, boost::system::error_code&) {
        levels.pop_back();
        stack.push_array(count);
        passed();
        return true;
    }
    bool on_key_part(bj::string_view piece, std::size_t size, boost::system::error_code& code) {
        if (size > k_field) return refuse(code, "a key over 4 KiB");
        part.append(piece.data(), piece.size());
        return true;
    }
    bool on_key(bj::string_view piece, std::size_t size, boost::system::error_code& code) {
        if (!on_key_part(piece, size, code)) return false;
        Level& level = levels.back();
        level.key = std::exchange(part, {});
        if (has_control(level.key, false)) return refuse(code, "a control character in a key");
        if (!level.keys.insert(level.key).second) return refuse(code, "twice in one object");
        stack.push_key(bj::string_view(level.key.data(), level.key.size()));
        return true;
    }
    bool on_string_part(bj::string_view piece, std::size_t size, boost::system::error_code& code) {
        const std::size_t most = limit_of(nearest_key(), texts);
        if (size > most) return refuse(code, "longer than " + std::to_string(most) + " octets");
        part.append(piece.data(), piece.size());
        return true;
    }
    bool on_string(bj::string_view piece, std::size_t size, boost::system::error_code& code) {
        if (!on_string_part(piece, size, code)) return false;
        const std::string whole = std::exchange(part, {});
        if (has_control(whole, texts == Texts::pem)) return refuse(code, "a control character");
        stack.push_string(bj::string_view(whole.data(), whole.size()));
        passed();
        return true;
    }
    bool on_number_part(bj::string_view, boost::system::error_code&) { return true; }
    bool on_int64(std::int64_t value, bj::string_view, boost::system::error_code&) {
        stack.push_int64(value);
        passed();
        return true;
    }
    bool on_uint64(std::uint64_t value, bj::string_view, boost::system::error_code&) {
        stack.push_uint64(value);
        passed();
        return true;
    }
    bool on_double(double value, bj::string_view, boost::system::error_code&) {
        stack.push_double(value);
        passed();
        return true;
    }
    bool on_bool(bool value, boost::system::error_code&) {
        stack.push_bool(value);
        passed();
        return true;
    }
    bool on_null(boost::system::error_code&) {
        stack.push_null();
        passed();
        return true;
    }
    bool on_comment_part(bj::string_view, boost::system::error_code&) { return true; }
    bool on_comment(bj::string_view, boost::system::error_code&) { return true; }
};

void append_canonical(std::string& out, const bj::value& value) {
    if (const auto* object = value.if_object()) {
        std::vector<bj::string_view> keys;
        for (const auto& member : *object) keys.push_back(member.key());
        std::sort(keys.begin(), keys.end());
        out += '{';
        for (std::size_t i = 0; i < keys.size(); ++i) {
            if (i != 0) out += ',';
            out += bj::serialize(keys[i]);
            out += ':';
            append_canonical(out, object->at(keys[i]));
        }
        out += '}';
    } else if (const auto* array = value.if_array()) {
        out += '[';
        for (std::size_t i = 0; i < array->size(); ++i) {
            if (i != 0) out += ',';
            append_canonical(out, (*array)[i]);
        }
        out += ']';
    } else {
        out += bj::serialize(value);
    }
}

}  // namespace

Result<std::vector<Member>> split_object(std::string_view text) {
    Scanner scanner(text);
    std::vector<Member> members;
    if (!scanner.take('{')) return broken("not a JSON object");
    if (scanner.take('}')) {
        if (!scanner.ended()) return broken("more than one value");
        return members;
    }
    do {
        const auto key = scanner.quoted();
        if (!key) return broken("a key is missing");
        auto name = decode(*key);
        if (!name || !scanner.take(':')) return broken("a key is broken");
        const auto value = scanner.value();
        if (!value) return broken("a value is missing or does not end");
        members.push_back(Member{std::move(*name), *value});
    } while (scanner.take(','));
    if (!scanner.take('}') || !scanner.ended()) return broken("an object does not end");
    return members;
}

Result<std::vector<std::string_view>> split_array(std::string_view text) {
    Scanner scanner(text);
    std::vector<std::string_view> elements;
    if (!scanner.take('[')) return broken("no list");
    if (scanner.take(']')) {
        if (!scanner.ended()) return broken("more than one value");
        return elements;
    }
    do {
        const auto value = scanner.value();
        if (!value) return broken("an element is missing or does not end");
        elements.push_back(*value);
    } while (scanner.take(','));
    if (!scanner.take(']') || !scanner.ended()) return broken("a list does not end");
    return elements;
}

Result<bj::value> parse_strict(std::string_view text, std::size_t outer, Texts texts) {
    bj::parse_options options;
    options.max_depth = outer < k_deepest ? k_deepest - outer : 0;
    bj::basic_parser<Handler> parser(options, texts);
    boost::system::error_code code;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), code);
    const bool rest = !code && std::any_of(text.begin() + static_cast<std::ptrdiff_t>(used), text.end(),
                                           [](char c) { return c != ' ' && c != '\t' && c != '\n' && c != '\r'; });
    Handler& handler = parser.handler();
    if (!handler.fault.empty()) return Error(ErrorKind::invalid, "invalidRequest", std::move(handler.fault));
    if (code == bj::error::too_deep)
        return Error(ErrorKind::invalid, "invalidRequest", handler.pointer() + ": nested deeper than 16");
    if (code || rest || !parser.done())
        return Error(ErrorKind::invalid, "invalidRequest", handler.pointer() + ": not JSON");
    return handler.stack.release();
}

Result<ListAnswer> only_list(std::string_view body, std::string_view key) {
    const auto members = split_object(body);
    if (!members) return members.error();
    ListAnswer answer;
    std::set<std::string, std::less<>> seen;
    for (const Member& member : *members) {
        if (!seen.insert(member.key).second) return broken(step(member.key) + ": twice in one object");
        if (member.key == key) {
            auto elements = split_array(member.value);
            if (!elements) return broken(step(member.key) + ": not a list");
            answer.elements = std::move(*elements);
            continue;
        }
        auto value = parse_strict(member.value, 1, Texts::plain);
        if (!value) return broken(step(member.key) + value.error().message);
        answer.rest.emplace(bj::string_view(member.key.data(), member.key.size()), std::move(*value));
    }
    if (seen.find(key) == seen.end()) return broken(step(key) + ": missing");
    return answer;
}

Result<bj::object> whole_object(std::string_view body, Texts texts) {
    auto value = parse_strict(body, 0, texts);
    if (!value) return broken(value.error().message);
    if (!value->is_object()) return broken("not a JSON object");
    return std::move(value->get_object());
}

std::optional<std::string> find_text(const std::vector<Member>& members, std::string_view key) {
    const Member* found = nullptr;
    for (const Member& member : members) {
        if (member.key != key) continue;
        if (found != nullptr) return std::nullopt;
        found = &member;
    }
    if (found == nullptr || found->value.size() > k_field || found->value.front() != '"') return std::nullopt;
    return decode(found->value);
}

std::string canonical(const bj::value& value) {
    std::string out;
    append_canonical(out, value);
    return out;
}

std::string step(std::string_view key) {
    std::string escaped = "/";
    for (const char c : key) {
        if (c == '~') {
            escaped += "~0";
        } else if (c == '/') {
            escaped += "~1";
        } else {
            escaped += c;
        }
    }
    return printable(escaped, 128);
}

void Writer::separate() {
    if (comma_) out_ += ',';
    comma_ = true;
}
Writer& Writer::open(char bracket) {
    separate();
    out_ += bracket;
    comma_ = false;
    return *this;
}
Writer& Writer::close(char bracket) {
    out_ += bracket;
    comma_ = true;
    return *this;
}
Writer& Writer::key(std::string_view name) {
    text(name);
    out_ += ':';
    comma_ = false;
    return *this;
}
Writer& Writer::text(std::string_view value) {
    separate();
    out_ += printable_json(value, value.size() * 8 + 8);
    return *this;
}
Writer& Writer::octets(std::string_view base64) {
    separate();
    out_ += '"';
    out_ += base64;
    out_ += '"';
    return *this;
}
Writer& Writer::pem(std::string_view value) {
    separate();
    out_ += bj::serialize(bj::string_view(value.data(), value.size()));
    return *this;
}
Writer& Writer::number(std::uint64_t value) {
    separate();
    out_ += std::to_string(value);
    return *this;
}
Writer& Writer::boolean(bool value) {
    separate();
    out_ += value ? "true" : "false";
    return *this;
}
Writer& Writer::null() {
    separate();
    out_ += "null";
    return *this;
}
Writer& Writer::raw(std::string_view json) {
    separate();
    out_ += json;
    return *this;
}

}  // namespace connector::management::json
