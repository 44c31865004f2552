#include "daemon/delivery/json_writer.hpp"

#include "core/crypto/encoding.hpp"
#include "core/text.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace connector::delivery {

void JsonWriter::before_value() {
    if (comma_) out_.append(",");
    comma_ = true;
}

void JsonWriter::begin_object() {
    before_value();
    out_.append("{");
    comma_ = false;
}

void JsonWriter::end_object() {
    out_.append("}");
    comma_ = true;
}

void JsonWriter::begin_array() {
    before_value();
    out_.append("[");
    comma_ = false;
}

void JsonWriter::end_array() {
    out_.append("]");
    comma_ = true;
}

void JsonWriter::name(std::string_view text) {
    before_value();
    quoted(text);
    out_.append(":");
    comma_ = false;
}

void JsonWriter::text(std::string_view value) {
    before_value();
    quoted(value);
}

void JsonWriter::number(std::uint64_t value) {
    before_value();
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    out_.append(std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
}

void JsonWriter::base64(ByteView octets) {
    before_value();
    out_.append("\"");
    crypto::append_base64(out_, octets);
    out_.append("\"");
}

void JsonWriter::quoted(std::string_view value) {
    if (!is_utf8(value)) {
        broken_ = true;
        return;
    }
    static constexpr std::string_view k_digits = "0123456789abcdef";
    out_.append("\"");
    std::size_t plain = 0;  // where the run of characters begins that stand for themselves
    for (std::size_t i = 0; i < value.size(); ++i) {
        const auto octet = static_cast<unsigned char>(value[i]);
        if (octet >= 0x20 && octet != '"' && octet != '\\') continue;
        out_.append(value.substr(plain, i - plain));
        plain = i + 1;
        if (octet >= 0x20) {
            const std::array<char, 2> escaped{'\\', static_cast<char>(octet)};
            out_.append(std::string_view(escaped.data(), escaped.size()));
        } else {
            const std::array<char, 6> escaped{'\\', 'u', '0', '0', k_digits[octet >> 4U], k_digits[octet & 0xFU]};
            out_.append(std::string_view(escaped.data(), escaped.size()));
        }
    }
    out_.append(value.substr(plain));
    out_.append("\"");
}

Result<SecretBytes> JsonWriter::finish() && {
    if (broken_) return Error(ErrorKind::invalid, "invalidRequest", "a text of the package is not UTF-8");
    return std::move(out_);
}

}  // namespace connector::delivery
