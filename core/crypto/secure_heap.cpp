#include "core/crypto/secure_heap.hpp"

#include "core/secret.hpp"

#include <openssl/crypto.h>

#include <malloc.h>  // malloc_usable_size; on Windows _msize
#include <cstdlib>
#include <cstring>

namespace connector::crypto {
namespace {

std::size_t block_size(void* block) noexcept {
#ifdef _WIN32
    return _msize(block);
#else
    return ::malloc_usable_size(block);
#endif
}

void* take(std::size_t size, const char*, int) {
    return size == 0 ? nullptr : std::malloc(size);
}

void give_back(void* block, const char*, int) {
    if (block == nullptr) return;
    wipe(block, block_size(block));
    std::free(block);
}

// Never realloc(): it would leave the old octets where they were.
void* take_again(void* block, std::size_t size, const char* file, int line) {
    if (block == nullptr) return take(size, file, line);
    if (size == 0) {
        give_back(block, file, line);
        return nullptr;
    }
    const std::size_t old_size = block_size(block);
    if (size <= old_size && size >= old_size / 2) return block;
    void* moved = std::malloc(size);
    if (moved == nullptr) return nullptr;
    std::memcpy(moved, block, size < old_size ? size : old_size);
    give_back(block, file, line);
    return moved;
}

MemoryProtection protect_once() noexcept {
    constexpr std::size_t k_heap = 1U << 20U;
    constexpr std::size_t k_smallest = 32;
    MemoryProtection state;
    state.wipes_freed_memory = CRYPTO_set_mem_functions(take, take_again, give_back) == 1;
    if (CRYPTO_secure_malloc_initialized() == 1) {
        state.secure_heap = SecureHeapState::locked;
        return state;
    }
    switch (CRYPTO_secure_malloc_init(k_heap, k_smallest)) {
        case 1: state.secure_heap = SecureHeapState::locked; break;
        case 2: state.secure_heap = SecureHeapState::not_locked; break;
        default: state.secure_heap = SecureHeapState::unavailable; break;
    }
    return state;
}

}  // namespace

MemoryProtection protect_memory() noexcept {
    static const MemoryProtection k_state = protect_once();
    return k_state;
}

}  // namespace connector::crypto
