#include "support/certs_only.hpp"

#include "core/crypto/internal/openssl.hpp"

#include <openssl/pkcs7.h>

#include <stdexcept>

namespace connector::test {

Bytes certs_only(const std::vector<Bytes>& certificates) {
    const crypto::Owned<PKCS7, PKCS7_free> message(PKCS7_new());
    bool good = message && PKCS7_set_type(message.get(), NID_pkcs7_signed) == 1 &&
                PKCS7_content_new(message.get(), NID_pkcs7_data) == 1 && PKCS7_set_detached(message.get(), 1) == 1;
    for (const Bytes& der : certificates) {
        const unsigned char* at = der.data();
        const crypto::Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
        good = good && certificate && PKCS7_add_certificate(message.get(), certificate.get()) == 1;
    }
    if (!good) throw std::runtime_error("no certs-only message");
    return crypto::der_of(message.get(), i2d_PKCS7);
}

}  // namespace connector::test
