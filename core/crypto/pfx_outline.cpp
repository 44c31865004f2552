#include "core/crypto/pfx_outline.hpp"

#include "core/crypto/internal/openssl.hpp"
#include "core/crypto/pfx.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace connector::crypto {
namespace {

Error import_invalid(std::string why) {
    return Error(ErrorKind::invalid, "importInvalid", "PFX: " + std::move(why));
}

// What is no positive number costs too much by any count.
std::uint64_t count_of(const ASN1_INTEGER* iterations) {
    if (iterations == nullptr) return 1;  // RFC 7292 4
    std::uint64_t count = 0;
    if (ASN1_INTEGER_get_uint64(&count, iterations) != 1) return UINT64_MAX;
    return count;
}

std::string name_of(const ASN1_OBJECT* object) {
    const int nid = OBJ_obj2nid(object);
    return nid == NID_undef ? dotted(object) : OBJ_nid2ln(nid);
}

PfxLayer layer_of(std::string holds, const X509_ALGOR* algorithm) {
    PfxLayer layer{std::move(holds), "unknown", 0, false};
    const ASN1_OBJECT* type = nullptr;
    int parameter_type = V_ASN1_UNDEF;
    const void* parameter = nullptr;
    if (algorithm == nullptr) return layer;
    X509_ALGOR_get0(&type, &parameter_type, &parameter, algorithm);
    layer.algorithm = name_of(type);
    if (parameter_type != V_ASN1_SEQUENCE) return layer;
    const ByteView octets = octets_of(static_cast<const ASN1_STRING*>(parameter));
    const unsigned char* at = octets.data();
    const auto size = static_cast<long>(octets.size());
    if (OBJ_obj2nid(type) != NID_pbes2) {
        const Owned<PBEPARAM, PBEPARAM_free> scheme(d2i_PBEPARAM(nullptr, &at, size));
        if (scheme) layer.iterations = count_of(scheme->iter);
        return layer;
    }
    const Owned<PBE2PARAM, PBE2PARAM_free> scheme(d2i_PBE2PARAM(nullptr, &at, size));
    if (!scheme) return layer;
    layer.algorithm = name_of(scheme->encryption->algorithm);
    layer.aes256 = OBJ_obj2nid(scheme->encryption->algorithm) == NID_aes_256_cbc;
    X509_ALGOR_get0(&type, &parameter_type, &parameter, scheme->keyfunc);
    if (OBJ_obj2nid(type) != NID_id_pbkdf2 || parameter_type != V_ASN1_SEQUENCE) {
        layer.algorithm += " with " + name_of(type);
        layer.aes256 = false;
        return layer;
    }
    const ByteView inner = octets_of(static_cast<const ASN1_STRING*>(parameter));
    at = inner.data();
    const Owned<PBKDF2PARAM, PBKDF2PARAM_free> costs(d2i_PBKDF2PARAM(nullptr, &at, static_cast<long>(inner.size())));
    if (costs) layer.iterations = count_of(costs->iter);
    return layer;
}

class Outlining {
public:
    Result<PfxOutline> run(ByteView pfx) {
        if (pfx.size() > k_pfx_largest) return import_invalid("larger than 256 KiB");
        const unsigned char* at = pfx.data();
        const Pkcs12 file(pfx.empty() ? nullptr : d2i_PKCS12(nullptr, &at, static_cast<long>(pfx.size())));
        if (!file || at != pfx.data() + pfx.size()) return import_invalid("no PFX");
        take_mac(file.get());
        const Safes safes(PKCS12_unpack_authsafes(file.get()));
        if (!safes) return import_invalid("no PFX");
        if (static_cast<std::size_t>(sk_PKCS7_num(safes.get())) > k_pfx_most_bags)
            return import_invalid("more than 20 bags");
        for (int i = 0; i < sk_PKCS7_num(safes.get()); ++i) {
            PKCS7* safe = sk_PKCS7_value(safes.get(), i);
            if (PKCS7_type_is_encrypted(safe)) {
                const auto* content = safe->d.encrypted == nullptr ? nullptr : safe->d.encrypted->enc_data;
                outline_.layers.push_back(layer_of("certificates", content == nullptr ? nullptr : content->algorithm));
            } else if (PKCS7_type_is_data(safe)) {
                const Bags bags(PKCS12_unpack_p7data(safe));
                if (!bags) return import_invalid("no PFX");
                if (auto taken = take(bags.get(), 0); !taken) return taken.error();
            } else {
                return import_invalid("encrypted for a key instead of a password");
            }
        }
        return std::move(outline_);
    }

private:
    void take_mac(const PKCS12* file) {
        outline_.mac = "none";
        if (PKCS12_mac_present(file) != 1) return;
        const X509_ALGOR* algorithm = nullptr;
        const ASN1_INTEGER* iterations = nullptr;
        PKCS12_get0_mac(nullptr, &algorithm, nullptr, &iterations, file);
        if (algorithm == nullptr) return;
        outline_.mac = dotted(algorithm->algorithm) == k_oid_pbmac1 ? "PBMAC1" : name_of(algorithm->algorithm);
        outline_.mac_iterations = count_of(iterations);
    }

    Result<void> take(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
        for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
            if (++bag_count_ > k_pfx_most_bags) return import_invalid("more than 20 bags");
            const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags, i);
            switch (PKCS12_SAFEBAG_get_nid(bag)) {
                case NID_keyBag: outline_.layers.push_back({"key", "none", 0, false}); break;
                case NID_pkcs8ShroudedKeyBag: {
                    const X509_ALGOR* algorithm = nullptr;
                    if (const X509_SIG* sealed = PKCS12_SAFEBAG_get0_pkcs8(bag))
                        X509_SIG_get0(sealed, &algorithm, nullptr);
                    outline_.layers.push_back(layer_of("key", algorithm));
                    break;
                }
                case NID_safeContentsBag: {
                    if (depth == k_pfx_deepest_bags) return import_invalid("bags in bags in bags");
                    if (auto taken = take(PKCS12_SAFEBAG_get0_safes(bag), depth + 1); !taken) return taken;
                    break;
                }
                default: break;
            }
        }
        return {};
    }

    PfxOutline outline_;
    std::size_t bag_count_ = 0;
};

}  // namespace

bool PfxOutline::aes256() const noexcept {
    return !layers.empty() &&
           std::all_of(layers.begin(), layers.end(), [](const PfxLayer& layer) { return layer.aes256; });
}

std::uint64_t PfxOutline::most_iterations() const noexcept {
    return std::accumulate(layers.begin(), layers.end(), mac_iterations,
                           [](std::uint64_t most, const PfxLayer& layer) { return std::max(most, layer.iterations); });
}

std::uint64_t PfxOutline::iterations_in_sum() const noexcept {
    std::uint64_t sum = mac_iterations;
    for (const PfxLayer& layer : layers)
        sum = layer.iterations > UINT64_MAX - sum ? UINT64_MAX : sum + layer.iterations;
    return sum;
}

std::string PfxOutline::beyond_limits() const {
    if (mac == "none") return "no MAC";
    if (mac == "PBMAC1") return "its MAC is PBMAC1, which is not supported";
    if (most_iterations() > k_pfx_most_iterations) return "more than 1,000,000 iterations";
    if (iterations_in_sum() > k_pfx_iterations_in_sum) return "more than 2,000,000 iterations in sum";
    return {};
}

Result<PfxOutline> outline_pfx(ByteView pfx) {
    const CleanErrors clean;
    return Outlining().run(pfx);
}

}  // namespace connector::crypto
