// OpenSSL objects with an owner, and its error queue as our Error. Only the .cpp files of core/crypto and its tests
// include this.
// The deleter has no state, so an owner is as large as a pointer. Every public function opens with a CleanErrors:
// what is left in the thread's error queue would be taken by TLS for its own.
#pragma once

#include "core/bytes.hpp"
#include "core/error.hpp"
#include "core/secret.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>
#include <string_view>

namespace connector::crypto {

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* object) const noexcept {
        static_cast<void>(Free(object));
    }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;

inline void free_certificates(STACK_OF(X509) * stack) {
    sk_X509_pop_free(stack, X509_free);
}
inline void free_extensions(STACK_OF(X509_EXTENSION) * stack) {
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
}
inline void free_safes(STACK_OF(PKCS7) * stack) {
    sk_PKCS7_pop_free(stack, PKCS7_free);
}
inline void free_bags(STACK_OF(PKCS12_SAFEBAG) * stack) {
    sk_PKCS12_SAFEBAG_pop_free(stack, PKCS12_SAFEBAG_free);
}

using PKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using PKeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Bio = Owned<BIO, BIO_free>;
using BioChain = Owned<BIO, BIO_free_all>;
using BigNumber = Owned<BIGNUM, BN_clear_free>;
using Certificate = Owned<X509, X509_free>;
using Certificates = Owned<STACK_OF(X509), free_certificates>;
using CertificateStore = Owned<X509_STORE, X509_STORE_free>;
using CertificateStoreContext = Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using X509NamePtr = Owned<X509_NAME, X509_NAME_free>;
using PublicKeyInfo = Owned<X509_PUBKEY, X509_PUBKEY_free>;
using Request = Owned<X509_REQ, X509_REQ_free>;
using Crl = Owned<X509_CRL, X509_CRL_free>;
using Revoked = Owned<X509_REVOKED, X509_REVOKED_free>;
using Extensions = Owned<STACK_OF(X509_EXTENSION), free_extensions>;
using GeneralNamePtr = Owned<GENERAL_NAME, GENERAL_NAME_free>;
using GeneralNames = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using Asn1Object = Owned<ASN1_OBJECT, ASN1_OBJECT_free>;
using Asn1String = Owned<ASN1_STRING, ASN1_STRING_free>;
using Asn1Time = Owned<ASN1_TIME, ASN1_TIME_free>;
using Asn1Integer = Owned<ASN1_INTEGER, ASN1_INTEGER_free>;
using Pkcs8Info = Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free>;
using Pkcs12 = Owned<PKCS12, PKCS12_free>;
using Safes = Owned<STACK_OF(PKCS7), free_safes>;
using Bags = Owned<STACK_OF(PKCS12_SAFEBAG), free_bags>;
using Cms = Owned<CMS_ContentInfo, CMS_ContentInfo_free>;
static_assert(sizeof(PKey) == sizeof(void*));

// Leaves the thread's error queue empty behind it.
class CleanErrors {
public:
    CleanErrors() noexcept { ERR_clear_error(); }
    CleanErrors(const CleanErrors&) = delete;
    CleanErrors& operator=(const CleanErrors&) = delete;
    ~CleanErrors() { ERR_clear_error(); }
};

// `what`, then the library's reasons (fixed texts, never data), oldest first; empties the queue.
[[nodiscard]] Error openssl_error(ErrorKind kind, std::string code, std::string_view what);

[[nodiscard]] inline Error invalid(std::string message) {
    return Error(ErrorKind::invalid, "invalidRequest", std::move(message));
}
[[nodiscard]] inline Error openssl_invalid(std::string_view what) {
    return openssl_error(ErrorKind::invalid, "invalidRequest", what);
}
[[nodiscard]] inline Error openssl_internal(std::string_view what) {
    return openssl_error(ErrorKind::internal, "internal", what);
}

// A source that borrows `octets`.
[[nodiscard]] Bio read_from(ByteView octets);
// A sink whose buffer lies in the secure heap.
[[nodiscard]] Bio secret_sink();
[[nodiscard]] ByteView sink_octets(BIO* sink);

// i2d_… of any object; empty on failure.
template <class T, class Encode>
[[nodiscard]] Bytes der_of(const T* object, Encode encode) {
    const int size = encode(object, nullptr);
    if (size <= 0) return {};
    Bytes octets(static_cast<std::size_t>(size));
    unsigned char* out = octets.data();
    if (encode(object, &out) != size) return {};
    return octets;
}

[[nodiscard]] inline ByteView octets_of(const ASN1_STRING* string) noexcept {
    return {ASN1_STRING_get0_data(string), static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// The dotted form; never a name.
[[nodiscard]] std::string dotted(const ASN1_OBJECT* object);
// null for what is not a dotted OID.
[[nodiscard]] Asn1Object object_from(std::string_view dotted_oid);

}  // namespace connector::crypto
