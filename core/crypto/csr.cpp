#include "core/crypto/csr.hpp"

#include "core/crypto/certificate.hpp"
#include "core/crypto/encoding.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"

namespace connector::crypto {

Result<Bytes> make_csr(const PrivateKey& key, const CsrContent& content) {
    const CleanErrors clean;
    const Request request(X509_REQ_new());
    const auto subject = to_x509_name(content.subject);
    if (!subject) return subject.error().in("subject");
    if (!request || X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_subject_name(request.get(), subject->get()) != 1 ||
        X509_REQ_set_pubkey(request.get(), key.native()) != 1)
        return openssl_internal("CSR");
    Extensions extensions;
    const WantedExtensions wanted{&content.alternative_names, content.alternative_names_critical, content.key_usage,
                                  &content.extended_key_usage, &content.security_identifier};
    if (auto added = add_extensions(extensions, wanted); !added) return added.error();
    if (extensions && X509_REQ_add_extensions(request.get(), extensions.get()) != 1) return openssl_internal("CSR");
    if (X509_REQ_sign(request.get(), key.native(), signing_digest(key.native())) <= 0) return openssl_internal("CSR");
    Bytes der = der_of(request.get(), i2d_X509_REQ);
    if (der.empty()) return openssl_internal("CSR");
    return der;
}

Result<CsrFacts> inspect_csr(ByteView csr) {
    const CleanErrors clean;
    if (csr.size() > k_largest_certificate || !der::well_framed(csr))
        return invalid("CSR: not DER, octets after it, or larger than 64 KiB");
    const unsigned char* at = csr.data();
    const Request request(d2i_X509_REQ(nullptr, &at, static_cast<long>(csr.size())));
    if (!request || at != csr.data() + csr.size()) return openssl_invalid("CSR: does not parse");
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    if (key == nullptr) return openssl_invalid("CSR: key does not parse");
    int digest = NID_undef;
    int algorithm = NID_undef;
    const int signature = X509_REQ_get_signature_nid(request.get());
    const bool edwards = signature == NID_ED25519 || signature == NID_ED448;
    if (!edwards && (OBJ_find_sigid_algs(signature, &digest, &algorithm) != 1 || !strong_digest(digest)))
        return invalid("CSR: signature algorithm is not SHA-256 or better");
    if (X509_REQ_verify(request.get(), key) != 1) return openssl_invalid("CSR: signature is not its key's");

    CsrFacts facts;
    auto subject = from_x509_name(X509_REQ_get_subject_name(request.get()));
    if (!subject) return subject.error().in("CSR's subject");
    facts.subject = std::move(*subject);
    facts.spki = der_of(X509_REQ_get_X509_PUBKEY(request.get()), i2d_X509_PUBKEY);
    facts.key = key_facts(X509_REQ_get_X509_PUBKEY(request.get()));
    const Extensions requested(X509_REQ_get_extensions(request.get()));
    auto extensions = read_extensions(requested.get());
    if (!extensions) return extensions.error().in("CSR");
    facts.alternative_names = std::move(extensions->alternative_names);
    facts.alternative_names_critical = extensions->alternative_names_critical;
    facts.key_usage = extensions->key_usage;
    facts.extended_key_usage = std::move(extensions->extended_key_usage);
    facts.security_identifier = std::move(extensions->security_identifier);
    facts.requested_extensions = std::move(extensions->oids);
    return facts;
}

std::string csr_to_pem(ByteView csr) {
    return to_pem(pem::k_certificate_request, csr);
}

Result<Bytes> csr_from_pem(std::string_view text) {
    auto blocks = from_pem(pem::k_certificate_request, text);
    if (!blocks) return blocks.error();
    return std::move(blocks->front());
}

}  // namespace connector::crypto
