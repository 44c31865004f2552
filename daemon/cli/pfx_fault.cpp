#include "daemon/cli/pfx_fault.hpp"

#include "core/crypto/pfx.hpp"
#include "core/crypto/pfx_outline.hpp"

#include <algorithm>

namespace connector::cli {
namespace {

using crypto::PfxFault;

constexpr std::string_view k_export =
    "; export it anew: openssl pkcs12 -in OLD -out KEY.pem, then openssl pkcs12 "
    "-export -in KEY.pem -out NEW -iter 100000";

// "Camellia-256-CBC, AES-256-CBC with scrypt": of each layer that shows; an algorithm without a name is its OID.
std::string ciphers_of(ByteView pfx) {
    const auto outline = crypto::outline_pfx(pfx);
    std::string all;
    if (!outline) return all;
    for (const auto& layer : outline->layers) {
        if (all.find(layer.algorithm) != std::string::npos) continue;
        all += (all.empty() ? "" : ", ") + layer.algorithm;
    }
    return all;
}

}  // namespace

Error explain_pfx_fault(const Error& fault, ByteView pfx) {
    const auto told = [&fault](std::string text) { return Error(fault.kind, fault.code, std::move(text)); };
    if (pfx.empty()) return told("the file is empty");
    const auto known = crypto::fault_of(fault);
    if (!known) return fault;
    switch (*known) {
        case PfxFault::undecryptable: return told("the password or the file is wrong: it does not open");
        case PfxFault::iterations:
        case PfxFault::iterations_in_sum: return told(fault.message + std::string(k_export));
        case PfxFault::no_mac:
            return told(fault.message + "; export it anew with one, so that a changed file is noticed");
        case PfxFault::unknown_encryption:
        case PfxFault::unknown_derivation: {
            const std::string ciphers = ciphers_of(pfx);
            return told(fault.message + (ciphers.empty() ? "" : ": " + ciphers) +
                        "; AES with PBKDF2, 3DES and RC2 are taken" + std::string(k_export));
        }
        default: return fault;
    }
}

}  // namespace connector::cli
