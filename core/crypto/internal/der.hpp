// A DER reader (X.690 clause 10) for what must be judged before OpenSSL acts on it: definite, shortest lengths, tags
// below 31. And a writer of one element, for tests and the self test.
#pragma once

#include "core/bytes.hpp"

#include <optional>

namespace connector::crypto::der {

inline constexpr std::uint8_t k_integer = 0x02;
inline constexpr std::uint8_t k_bit_string = 0x03;
inline constexpr std::uint8_t k_octet_string = 0x04;
inline constexpr std::uint8_t k_null = 0x05;
inline constexpr std::uint8_t k_oid = 0x06;
inline constexpr std::uint8_t k_sequence = 0x30;
inline constexpr std::uint8_t k_set = 0x31;
[[nodiscard]] constexpr std::uint8_t context(std::uint8_t number, bool constructed = true) noexcept {
    return static_cast<std::uint8_t>((constructed ? 0xA0U : 0x80U) | number);
}

struct Element {
    std::uint8_t tag = 0;  // the identifier octet
    ByteView content;
    ByteView whole;
};

class Reader {
public:
    explicit Reader(ByteView octets) noexcept : rest_(octets) {}
    // nullopt at the end and for what is not DER.
    [[nodiscard]] std::optional<Element> next() noexcept;
    // The next element if it has this tag.
    [[nodiscard]] std::optional<Element> take(std::uint8_t tag) noexcept;
    [[nodiscard]] bool at_end() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::uint8_t peek() const noexcept { return rest_.empty() ? 0 : rest_.front(); }

private:
    ByteView rest_;
};

// One element and nothing after it, framed as DER all the way down (constructed elements, 32 deep at most).
[[nodiscard]] bool well_framed(ByteView octets) noexcept;

[[nodiscard]] Bytes wrap(std::uint8_t tag, ByteView content);
[[nodiscard]] Bytes join(std::initializer_list<ByteView> parts);

}  // namespace connector::crypto::der
