#include "core/crypto/certs_only.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/internal/openssl.hpp"

#include <openssl/cms.h>

namespace connector::crypto {

Result<std::vector<Bytes>> certificates_from_cms(ByteView cms) {
    const CleanErrors clean;
    if (cms.empty() || cms.size() > k_largest_certs_only) return invalid("certs-only: empty, or larger than 1 MiB");
    const unsigned char* at = cms.data();
    const Cms message(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(cms.size())));
    if (!message) return openssl_invalid("certs-only: not a CMS message");
    if (at != cms.data() + cms.size()) return invalid("certs-only: there is something behind the message");
    if (OBJ_obj2nid(CMS_get0_type(message.get())) != NID_pkcs7_signed) return invalid("certs-only: not SignedData");
    // A CMC response is SignedData as well, with content and a signature (RFC 5272).
    ASN1_OCTET_STRING** const content = CMS_get0_content(message.get());
    if (content != nullptr && *content != nullptr && ASN1_STRING_length(*content) != 0)
        return invalid("certs-only: it carries content");
    if (sk_CMS_SignerInfo_num(CMS_get0_SignerInfos(message.get())) > 0) return invalid("certs-only: it is signed");
    const Certificates held(CMS_get1_certs(message.get()));
    const int count = held ? sk_X509_num(held.get()) : 0;
    if (count > static_cast<int>(k_most_certs_only)) return invalid("certs-only: more than 64 certificates");
    std::vector<Bytes> certificates;
    for (int i = 0; i < count; ++i) {
        Bytes der = der_of(sk_X509_value(held.get(), i), i2d_X509);
        if (der.empty() || der.size() > k_largest_certificate) return invalid("certs-only: a certificate over 64 KiB");
        certificates.push_back(std::move(der));
    }
    return certificates;
}

}  // namespace connector::crypto
