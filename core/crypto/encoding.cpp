#include "core/crypto/encoding.hpp"

#include <algorithm>
#include <array>

namespace connector::crypto {
namespace {

constexpr std::string_view k_alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::array<char, 4> quantum(ByteView octets) noexcept {
    const auto octet = [&](std::size_t i) -> unsigned { return i < octets.size() ? octets[i] : 0U; };
    const unsigned bits = octet(0) << 16U | octet(1) << 8U | octet(2);
    return {k_alphabet[bits >> 18U], k_alphabet[(bits >> 12U) & 63U],
            octets.size() > 1 ? k_alphabet[(bits >> 6U) & 63U] : '=', octets.size() > 2 ? k_alphabet[bits & 63U] : '='};
}

int value_of(char c) noexcept {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

// How many octets `text` stands for; nullopt where its form is wrong already.
std::optional<std::size_t> decoded_size(std::string_view text) noexcept {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
    return text.size() / 4 * 3 - padding;
}

bool decode_into(std::string_view text, std::uint8_t* out, std::size_t size) noexcept {
    std::size_t written = 0;
    for (std::size_t at = 0; at < text.size(); at += 4) {
        const std::size_t wanted = std::min<std::size_t>(3, size - written);
        unsigned bits = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const bool padding = i > wanted;
            const int value = padding ? 0 : value_of(text[at + i]);
            if (value < 0 || (padding && text[at + i] != '=')) return false;
            bits = bits << 6U | static_cast<unsigned>(value);
        }
        for (std::size_t i = 0; i < 3; ++i) {
            const auto octet = static_cast<std::uint8_t>(bits >> (16U - 8U * i) & 0xFFU);
            if (i < wanted) {
                out[written++] = octet;
            } else if (octet != 0) {
                return false;
            }
        }
    }
    return written == size;
}

}  // namespace

std::string to_base64(ByteView octets) {
    std::string text;
    text.reserve((octets.size() + 2) / 3 * 4);
    for (std::size_t at = 0; at < octets.size(); at += 3) {
        const auto four = quantum(octets.subspan(at, std::min<std::size_t>(3, octets.size() - at)));
        text.append(four.data(), four.size());
    }
    return text;
}

std::optional<Bytes> from_base64(std::string_view text) {
    const auto size = decoded_size(text);
    if (!size) return std::nullopt;
    Bytes octets(*size);
    if (!decode_into(text, octets.data(), octets.size())) return std::nullopt;
    return octets;
}

std::optional<SecretBytes> secret_from_base64(std::string_view text) {
    const auto size = decoded_size(text);
    if (!size) return std::nullopt;
    SecretBytes octets(*size);
    if (!decode_into(text, octets.data(), octets.size())) return std::nullopt;
    return octets;
}

void append_base64(SecretBytes& out, ByteView octets) {
    // In pieces: one append for four characters would be slow, a whole text elsewhere would be a copy.
    constexpr std::size_t k_piece = 768;
    std::array<char, k_piece / 3 * 4> piece{};
    for (std::size_t at = 0; at < octets.size(); at += k_piece) {
        const ByteView part = octets.subspan(at, std::min(k_piece, octets.size() - at));
        std::size_t filled = 0;
        for (std::size_t i = 0; i < part.size(); i += 3) {
            const auto four = quantum(part.subspan(i, std::min<std::size_t>(3, part.size() - i)));
            std::copy(four.begin(), four.end(), piece.begin() + static_cast<std::ptrdiff_t>(filled));
            filled += four.size();
        }
        out.append(std::string_view(piece.data(), filled));
    }
    wipe(piece.data(), piece.size());
}

std::string to_pem(std::string_view label, ByteView der) {
    constexpr std::size_t k_line = 64;
    const std::string body = to_base64(der);
    std::string text = "-----BEGIN " + std::string(label) + "-----\n";
    for (std::size_t at = 0; at < body.size(); at += k_line) text += body.substr(at, k_line) + "\n";
    return text + "-----END " + std::string(label) + "-----\n";
}

Result<std::vector<Bytes>> from_pem(std::string_view label, std::string_view text) {
    const std::string begin = "-----BEGIN " + std::string(label) + "-----";
    const std::string end = "-----END " + std::string(label) + "-----";
    const auto broken = [&](std::string_view why) {
        return Error(ErrorKind::invalid, "invalidRequest", "PEM " + std::string(label) + ": " + std::string(why));
    };
    std::vector<Bytes> blocks;
    for (std::size_t at = text.find(begin); at != std::string_view::npos; at = text.find(begin, at)) {
        at += begin.size();
        const std::size_t stop = text.find(end, at);
        if (stop == std::string_view::npos) return broken("no end");
        std::string body;
        for (const char c : text.substr(at, stop - at))
            if (c != '\n' && c != '\r' && c != ' ' && c != '\t') body.push_back(c);
        auto der = from_base64(body);
        if (!der || der->empty()) return broken("not base64");
        blocks.push_back(std::move(*der));
        at = stop + end.size();
    }
    if (blocks.empty()) return broken("none found");
    return blocks;
}

}  // namespace connector::crypto
