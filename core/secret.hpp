// SecretBytes: the only carrier of private keys, passwords and sealing keys.
// Memory of its own: whole pages, locked against swap where the system allows it, left out of core dumps,
// wiped before it is given back. Move-only, no formatter, no comparison that leaks time.
// Any thread; one owner at a time.
#pragma once

#include "core/bytes.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace connector {

class SecretBytes {
public:
    SecretBytes() noexcept = default;
    // `size` zero octets. Throws std::bad_alloc where no memory is to be had.
    explicit SecretBytes(std::size_t size);
    // A copy of what stands elsewhere; wiping the source is the caller's business.
    [[nodiscard]] static SecretBytes copy_of(ByteView source);
    [[nodiscard]] static SecretBytes copy_of(std::string_view source) { return copy_of(bytes_of(source)); }

    SecretBytes(SecretBytes&& other) noexcept;
    SecretBytes& operator=(SecretBytes&& other) noexcept;
    SecretBytes(const SecretBytes&) = delete;
    SecretBytes& operator=(const SecretBytes&) = delete;
    ~SecretBytes();

    [[nodiscard]] std::uint8_t* data() noexcept { return data_; }
    [[nodiscard]] const std::uint8_t* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] ByteView view() const noexcept { return {data_, size_}; }
    // The octets as characters; valid while this object lives.
    [[nodiscard]] std::string_view reveal_text() const noexcept { return text_of(view()); }

    // Adds to the end, growing within secret memory; what was there is wiped where it moved.
    void append(ByteView more);
    void append(std::string_view more) { append(bytes_of(more)); }
    // Keeps the first `size` octets and wipes the rest.
    void truncate(std::size_t size) noexcept;

    // Equal in content; takes the same time wherever they differ.
    [[nodiscard]] bool equals(ByteView other) const noexcept;

private:
    void release() noexcept;

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

// Overwrites memory in a way the compiler may not remove.
void wipe(void* memory, std::size_t size) noexcept;

}  // namespace connector
