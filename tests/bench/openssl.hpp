// OpenSSL's objects with an owner, and one way to give up: the loop measures what works, so anything else ends it.
#pragma once

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace bench {

using Bytes = std::vector<unsigned char>;

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
inline void free_stack(STACK_OF(X509) * stack) {
    sk_X509_free(stack);
}

using Bio = Owned<BIO, BIO_free>;
using BioChain = Owned<BIO, BIO_free_all>;
using Certificate = Owned<X509, X509_free>;
using Certificates = Owned<STACK_OF(X509), free_certificates>;
using BorrowedCertificates = Owned<STACK_OF(X509), free_stack>;
using Cms = Owned<CMS_ContentInfo, CMS_ContentInfo_free>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using Pkcs12 = Owned<PKCS12, PKCS12_free>;
using Request = Owned<X509_REQ, X509_REQ_free>;

// Throws where it is false.
inline void must(bool done, const char* what) {
    if (done) return;
    char reason[256] = "";
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    throw std::runtime_error(std::string(what) + ": " + reason);
}
template <class T>
T must_have(T made, const char* what) {
    must(made != nullptr, what);
    return made;
}

template <class T, class Encode>
Bytes der_of(const T* object, Encode encode) {
    const int size = encode(object, nullptr);
    must(size > 0, "encode");
    Bytes octets(static_cast<std::size_t>(size));
    unsigned char* out = octets.data();
    must(encode(object, &out) == size, "encode");
    return octets;
}

inline Certificate certificate_of(const Bytes& der) {
    const unsigned char* at = der.data();
    return Certificate(must_have(d2i_X509(nullptr, &at, static_cast<long>(der.size())), "certificate"));
}

}  // namespace bench
