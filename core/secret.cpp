#include "core/secret.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

namespace connector {
namespace {

std::size_t page_size() {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return page;
}
std::size_t whole_pages(std::size_t size) {
    return (size + page_size() - 1) / page_size() * page_size();
}

std::uint8_t* map_pages(std::size_t capacity) {
    void* memory = ::mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    // A refused lock (RLIMIT_MEMLOCK) is no reason to stop: `doctor` looks at the limit.
    (void)::mlock(memory, capacity);
    (void)::madvise(memory, capacity, MADV_DONTDUMP);
    return static_cast<std::uint8_t*>(memory);
}

// Most secrets fit a page. To map, lock and unmap one for each costs more than what is done with it, above all on a
// virtual machine: some that were wiped wait for the next.
class Pages {
public:
    static Pages& spare() {
        static auto* const pages = new Pages;  // outlives every secret
        return *pages;
    }
    [[nodiscard]] std::uint8_t* take(std::size_t capacity) {
        if (capacity == page_size()) {
            std::uint8_t* page = nullptr;
            {
                const std::lock_guard lock(mutex_);
                if (count_ != 0) page = pages_[--count_];
            }
            if (page != nullptr) {
                // Again: a lock that was refused before may be had now, and a forked process has none of its parent's.
                (void)::mlock(page, capacity);
                return page;
            }
        }
        return map_pages(capacity);
    }
    // Wiped.
    void give_back(std::uint8_t* memory, std::size_t capacity) noexcept {
        if (capacity == page_size()) {
            const std::lock_guard lock(mutex_);
            if (count_ != pages_.size()) {
                pages_[count_++] = memory;
                return;
            }
        }
        (void)::munmap(memory, capacity);
    }

private:
    std::mutex mutex_;
    std::array<std::uint8_t*, 32> pages_{};
    std::size_t count_ = 0;
};

}  // namespace

void wipe(void* memory, std::size_t size) noexcept {
    if (size != 0) ::explicit_bzero(memory, size);
}

SecretBytes::SecretBytes(std::size_t size) {
    if (size == 0) return;
    capacity_ = whole_pages(size);
    data_ = Pages::spare().take(capacity_);
    size_ = size;
}

SecretBytes SecretBytes::copy_of(ByteView source) {
    SecretBytes copy(source.size());
    if (copy.data_ != nullptr) std::memcpy(copy.data_, source.data(), source.size());
    return copy;
}

SecretBytes::SecretBytes(SecretBytes&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

SecretBytes& SecretBytes::operator=(SecretBytes&& other) noexcept {
    if (this != &other) {
        release();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
}

SecretBytes::~SecretBytes() {
    release();
}

void SecretBytes::append(ByteView more) {
    if (more.empty()) return;
    const std::size_t wanted = size_ + more.size();
    if (wanted > capacity_) {
        SecretBytes larger(std::max(wanted, capacity_ * 2));
        if (size_ != 0) std::memcpy(larger.data_, data_, size_);
        larger.size_ = size_;
        std::memcpy(larger.data_ + size_, more.data(), more.size());
        larger.size_ = wanted;
        *this = std::move(larger);
        return;
    }
    std::memcpy(data_ + size_, more.data(), more.size());
    size_ = wanted;
}

void SecretBytes::truncate(std::size_t size) noexcept {
    if (size >= size_) return;
    wipe(data_ + size, size_ - size);
    size_ = size;
}

bool SecretBytes::equals(ByteView other) const noexcept {
    if (other.size() != size_) return false;
    unsigned difference = 0;
    for (std::size_t i = 0; i < size_; ++i) difference |= static_cast<unsigned>(data_[i] ^ other[i]);
    return difference == 0;
}

void SecretBytes::release() noexcept {
    if (data_ == nullptr) return;
    wipe(data_, capacity_);
    Pages::spare().give_back(data_, capacity_);
    data_ = nullptr;
    size_ = 0;
    capacity_ = 0;
}

}  // namespace connector
