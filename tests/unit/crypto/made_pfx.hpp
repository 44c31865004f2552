// PFX files put together by hand, as other programs make them and as attackers would.
#pragma once

#include "core/crypto/internal/der.hpp"
#include "tests/unit/crypto/fixtures.hpp"

#include <stdexcept>

namespace connector::crypto::test {

inline constexpr const char* k_password = "an administrator's password";

inline SecretBytes secret(std::string_view text) {
    return SecretBytes::copy_of(text);
}

// A PFX put together by hand, as other programs make them.
class Made {
public:
    Made& certificate(const Bytes& der) {
        const auto parsed = must(parse_certificate(der));
        check(PKCS12_add_cert(&bags_, parsed.get()) != nullptr);
        return *this;
    }
    // nid -1: not encrypted.
    Made& key(const PrivateKey& key, int nid = NID_pbe_WithSHA1And3_Key_TripleDES_CBC, int iterations = 2048,
              OSSL_LIB_CTX* library = nullptr) {
        check(PKCS12_add_key_ex(&bags_, key.native(), 0, iterations, nid, password_, library, nullptr) != nullptr);
        return *this;
    }
    // Closes the bags so far into one safe. nid -1: not encrypted.
    Made& safe(int nid = -1, int iterations = 2048, OSSL_LIB_CTX* library = nullptr) {
        check(PKCS12_add_safe_ex(&safes_, bags_, nid, iterations, password_, library, nullptr) == 1);
        sk_PKCS12_SAFEBAG_pop_free(bags_, PKCS12_SAFEBAG_free);
        bags_ = nullptr;
        return *this;
    }
    Made& password(const char* text) {
        password_ = text;
        return *this;
    }
    // The last bag's key encryption says so many iterations, whatever was done.
    Made& claim_key_iterations(long iterations) {
        auto* bag = sk_PKCS12_SAFEBAG_value(bags_, sk_PKCS12_SAFEBAG_num(bags_) - 1);
        const X509_ALGOR* algorithm = nullptr;
        X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, nullptr);
        claim(const_cast<X509_ALGOR*>(algorithm), iterations);
        return *this;
    }
    Made& claim_safe_iterations(long iterations) {
        const PKCS7* last = sk_PKCS7_value(safes_, sk_PKCS7_num(safes_) - 1);
        claim(last->d.encrypted->enc_data->algorithm, iterations);
        return *this;
    }
    // All bags so far into one safeContentsBag (RFC 7292 4.2.6).
    Made& nest() {
        Bytes inner;
        for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags_); ++i) {
            const Bytes one = der_of(sk_PKCS12_SAFEBAG_value(bags_, i), i2d_PKCS12_SAFEBAG);
            inner.insert(inner.end(), one.begin(), one.end());
        }
        sk_PKCS12_SAFEBAG_pop_free(bags_, PKCS12_SAFEBAG_free);
        bags_ = nullptr;
        const Bytes type = *from_hex("060b2a864886f70d010c0a0106");
        const Bytes outer = der::wrap(der::k_sequence,
                                      der::join({type, der::wrap(der::context(0), der::wrap(der::k_sequence, inner))}));
        const unsigned char* at = outer.data();
        PKCS12_SAFEBAG* bag = d2i_PKCS12_SAFEBAG(nullptr, &at, static_cast<long>(outer.size()));
        check(bag != nullptr);
        return add(bag);
    }
    Made& add(PKCS12_SAFEBAG* bag) {
        if (bags_ == nullptr) bags_ = sk_PKCS12_SAFEBAG_new_null();
        sk_PKCS12_SAFEBAG_push(bags_, bag);
        return *this;
    }
    [[nodiscard]] Pkcs12 file(const EVP_MD* mac = EVP_sha256(), int iterations = 2048) const {
        Pkcs12 made(PKCS12_add_safes(safes_, 0));
        check(made != nullptr);
        if (mac != nullptr) check(PKCS12_set_mac(made.get(), password_, -1, nullptr, 0, iterations, mac) == 1);
        return made;
    }
    [[nodiscard]] Bytes der(const EVP_MD* mac = EVP_sha256(), int iterations = 2048) const {
        return der_of(file(mac, iterations).get(), i2d_PKCS12);
    }

    Made() = default;
    Made(const Made&) = delete;
    Made& operator=(const Made&) = delete;
    ~Made() {
        sk_PKCS12_SAFEBAG_pop_free(bags_, PKCS12_SAFEBAG_free);
        sk_PKCS7_pop_free(safes_, PKCS7_free);
    }

    static void check(bool fine) {
        if (!fine) throw std::runtime_error("the test's PFX could not be made");
    }

private:
    static void claim(X509_ALGOR* algorithm, long iterations) {
        const ASN1_OBJECT* type = nullptr;
        const void* parameter = nullptr;
        int parameter_type = V_ASN1_UNDEF;  // without it OpenSSL gives no value
        X509_ALGOR_get0(&type, &parameter_type, &parameter, algorithm);
        const ByteView octets = octets_of(static_cast<const ASN1_STRING*>(parameter));
        const unsigned char* at = octets.data();
        Owned<PBEPARAM, PBEPARAM_free> scheme(d2i_PBEPARAM(nullptr, &at, static_cast<long>(octets.size())));
        check(scheme && ASN1_INTEGER_set(scheme->iter, iterations) == 1);
        const Bytes encoded = der_of(scheme.get(), i2d_PBEPARAM);
        ASN1_STRING* sequence = ASN1_STRING_type_new(V_ASN1_SEQUENCE);
        ASN1_STRING_set(sequence, encoded.data(), static_cast<int>(encoded.size()));
        X509_ALGOR_set0(algorithm, OBJ_dup(type), V_ASN1_SEQUENCE, sequence);
    }

    STACK_OF(PKCS12_SAFEBAG) * bags_ = nullptr;
    STACK_OF(PKCS7) * safes_ = nullptr;
    const char* password_ = k_password;
};

}  // namespace connector::crypto::test
