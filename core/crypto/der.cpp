#include "core/crypto/internal/der.hpp"

namespace connector::crypto::der {
namespace {

bool framed(ByteView octets, int depth) noexcept {
    constexpr std::uint8_t k_constructed = 0x20;
    constexpr int k_deepest = 32;
    if (depth > k_deepest) return false;
    Reader reader(octets);
    while (!reader.at_end()) {
        const auto element = reader.next();
        if (!element) return false;
        if ((element->tag & k_constructed) != 0 && !framed(element->content, depth + 1)) return false;
    }
    return true;
}

}  // namespace

std::optional<Element> Reader::next() noexcept {
    if (rest_.size() < 2) return std::nullopt;
    const std::uint8_t tag = rest_[0];
    if ((tag & 0x1FU) == 0x1FU || tag == 0) return std::nullopt;
    std::size_t at = 2;
    std::size_t length = rest_[1];
    if (length >= 0x80U) {
        const std::size_t count = length & 0x7FU;
        if (count == 0 || count > 4 || rest_.size() < at + count) return std::nullopt;
        length = 0;
        for (std::size_t i = 0; i < count; ++i) length = length << 8U | rest_[at + i];
        // X.690 10.1: the shortest form.
        if (rest_[at] == 0 || length < 0x80U) return std::nullopt;
        at += count;
    }
    if (length > rest_.size() - at) return std::nullopt;
    Element element{tag, rest_.subspan(at, length), rest_.first(at + length)};
    rest_ = rest_.subspan(at + length);
    return element;
}

std::optional<Element> Reader::take(std::uint8_t tag) noexcept {
    if (peek() != tag) return std::nullopt;
    return next();
}

bool well_framed(ByteView octets) noexcept {
    Reader reader(octets);
    return reader.next() && reader.at_end() && framed(octets, 0);
}

Bytes wrap(std::uint8_t tag, ByteView content) {
    Bytes octets{tag};
    if (content.size() < 0x80U) {
        octets.push_back(static_cast<std::uint8_t>(content.size()));
    } else {
        Bytes length;
        for (std::size_t left = content.size(); left != 0; left >>= 8U)
            length.insert(length.begin(), static_cast<std::uint8_t>(left & 0xFFU));
        octets.push_back(static_cast<std::uint8_t>(0x80U | length.size()));
        octets.insert(octets.end(), length.begin(), length.end());
    }
    octets.insert(octets.end(), content.begin(), content.end());
    return octets;
}

Bytes join(std::initializer_list<ByteView> parts) {
    Bytes octets;
    for (const auto part : parts) octets.insert(octets.end(), part.begin(), part.end());
    return octets;
}

}  // namespace connector::crypto::der
