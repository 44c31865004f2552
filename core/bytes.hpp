// Octets, digests and hex: the only encodings the domain itself needs.
// Any thread; values only. Base64 and ASN.1 live in core/crypto.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace connector {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

[[nodiscard]] inline ByteView bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view text_of(ByteView octets) noexcept {
    return {reinterpret_cast<const char*>(octets.data()), octets.size()};
}

// Lower case, two digits an octet.
[[nodiscard]] std::string to_hex(ByteView octets);
// Either case; nullopt for an odd length or a foreign character.
[[nodiscard]] std::optional<Bytes> from_hex(std::string_view text);

// A digest of fixed size with a name of its own, so that one kind cannot pass for another.
template <class Tag, std::size_t N>
struct Digest {
    std::array<std::uint8_t, N> octets{};

    [[nodiscard]] ByteView view() const noexcept { return octets; }
    [[nodiscard]] std::string hex() const { return to_hex(octets); }
    [[nodiscard]] static std::optional<Digest> from(ByteView source) noexcept {
        if (source.size() != N) return std::nullopt;
        Digest digest;
        for (std::size_t i = 0; i < N; ++i) digest.octets[i] = source[i];
        return digest;
    }
    [[nodiscard]] static std::optional<Digest> from_hex_text(std::string_view text) {
        const auto raw = from_hex(text);
        return raw ? from(*raw) : std::nullopt;
    }
    auto operator<=>(const Digest&) const = default;
};

// SHA-256; what the connector itself goes by (certificates, keys, orders).
using Sha256 = Digest<struct Sha256Tag, 32>;
// SHA-1 of a DER certificate: a name in Graph's convention, never a proof.
using Thumbprint = Digest<struct ThumbprintTag, 20>;

}  // namespace connector
