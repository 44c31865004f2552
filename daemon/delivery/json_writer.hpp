// JsonWriter: JSON written front to back into secret memory. No tree, no std::string, no copy that stays behind.
// Refuses: text that is not UTF-8 (RFC 8259 8.1); it keeps the fact, finish() tells it. One thread at a time.
#pragma once

#include "core/error.hpp"
#include "core/secret.hpp"

#include <cstdint>
#include <string_view>

namespace connector::delivery {

class JsonWriter {
public:
    void begin_object();
    void end_object();
    void begin_array();
    void end_array();
    // Followed by exactly one value.
    void name(std::string_view text);
    void text(std::string_view value);
    void number(std::uint64_t value);
    // A string of base64: standard alphabet, padded.
    void base64(ByteView octets);
    // kind: invalid, where a text was not UTF-8.
    [[nodiscard]] Result<SecretBytes> finish() &&;

private:
    void before_value();
    void quoted(std::string_view value);

    SecretBytes out_;
    bool comma_ = false;
    bool broken_ = false;
};

}  // namespace connector::delivery
