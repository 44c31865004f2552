// PFX (PKCS#12, RFC 7292): packed for devices, opened from outside.
// Refuses: what costs too much to open, counted before any key is derived; files without MAC; two identities in one.
// Nothing that was opened is ever passed on: it is unpacked and packed anew under a password of its own.
// Any thread; computes for milliseconds to a second.
#pragma once

#include "core/crypto/key.hpp"
#include "core/ports/crypto.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace connector::crypto {

using ports::Identity;
using ports::Pfx;
using ports::PfxStyle;

// Management API, "Results", importInvalid.
inline constexpr std::size_t k_pfx_largest = 256UL * 1024;
inline constexpr std::size_t k_pfx_most_bags = 20;
inline constexpr int k_pfx_deepest_bags = 4;
inline constexpr std::string_view k_oid_pbmac1 = "1.2.840.113549.1.5.14";  // RFC 9579
inline constexpr std::uint64_t k_pfx_most_iterations = 1'000'000;
inline constexpr std::uint64_t k_pfx_iterations_in_sum = 2'000'000;
// What is written: the password has 190 bits, iterations add nothing to it.
inline constexpr int k_pfx_iterations = 2048;
inline constexpr std::size_t k_pfx_password_size = 32;

// Why a file is refused. A number, so that a parser in a process of its own can say it without a word of its own.
enum class PfxFault : std::uint8_t {
    undecryptable,
    iterations_no_number,
    iterations,
    iterations_in_sum,
    too_large,
    no_mac,
    too_many_bags,
    pbmac1,
    for_a_key,
    unknown_encryption,
    unknown_derivation,
    bags_in_bags,
    rc2_missing,
    no_key,
    two_identities,
    key_too_large,
    unknown_key,
    foreign_key,
    two_certificates,
    foreign_private_half
};
// kind invalid; code importUndecryptable or importInvalid.
[[nodiscard]] Error error_of(PfxFault fault);
// nullopt: open_pfx() has no such error.
[[nodiscard]] std::optional<PfxFault> fault_of(const Error& error) noexcept;

// One identity under a fresh password: key and leaf joined by localKeyID, no attributes on CA certificates, no names.
// aes256: PBES2 with AES-256-CBC and HMAC-SHA-256, MAC SHA-256. legacy3des: pbeWithSHA1And3-KeyTripleDES-CBC, MAC
// SHA-1. `chain`: the issuers, the leaf's first, written as given: whoever packs for a device leaves the root out. What
// was packed is read back and compared. kind: invalid where key, certificate and chain do not belong together; else
// internal.
[[nodiscard]] Result<Pfx> pack(const PrivateKey& key, ByteView certificate, const std::vector<Bytes>& chain,
                               PfxStyle style);

// Opens a file with one identity. The password's octets are taken as UTF-8 and, where that fails, as Latin-1.
// RC2 is decrypted in a library context of its own, which nothing else uses; Identity::weak_encryption tells, also for
// a key that was not encrypted at all. kind invalid, code importInvalid: larger than the limits above, no MAC or
// PBMAC1, an unknown cipher or KDF (scrypt too), no key, two keys, key without its certificate, a private half that is
// not the certificate's. kind invalid, code importUndecryptable: everything else, with one text.
[[nodiscard]] Result<Identity> open_pfx(ByteView pfx, const SecretBytes& password);

// Does now what the first file would have to do: after it open_pfx() opens no file and loads no library, also for RC2.
// For a process that is about to lock itself in. False: RC2 cannot be read on this system, all else can.
[[nodiscard]] bool prepare_to_open_pfx();

}  // namespace connector::crypto
