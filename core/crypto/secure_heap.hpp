// OpenSSL's memory: a locked secure heap for private numbers, and wiping of all it gives back.
// OpenSSL keeps RSA and EC private numbers in the secure heap by itself, but encodes keys through ordinary memory
// that it frees as it is (EVP_PKEY2PKCS8, ASN1_i2d_bio). Therefore every block it frees is overwritten first.
// Call once, first thing in main(), before any other OpenSSL use and before a second thread.
#pragma once

namespace connector::crypto {

enum class SecureHeapState {
    locked,      // the heap is locked against swap
    not_locked,  // there, but not locked or guarded: raise RLIMIT_MEMLOCK (LimitMEMLOCK=)
    unavailable  // there is none: private numbers lie in ordinary, wiped memory
};
struct MemoryProtection {
    SecureHeapState secure_heap = SecureHeapState::unavailable;
    bool wipes_freed_memory = false;  // false: OpenSSL had allocated before this call
};

// 1 MiB in pieces of 32 octets: room for about 300 RSA keys at once. A second call changes nothing and reports
// the state as it is.
MemoryProtection protect_memory() noexcept;

}  // namespace connector::crypto
