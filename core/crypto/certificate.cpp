#include "core/crypto/certificate.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/encoding.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"

#include <algorithm>
#include <ctime>

namespace connector::crypto {
namespace {

constexpr int k_security_level = 2;
constexpr int k_deepest = 6;

Error untrusted(std::string_view why) {
    return Error(ErrorKind::refused, "chainUntrusted", std::string(why));
}

bool signed_by(X509* certificate, X509* issuer) {
    EVP_PKEY* key = X509_get0_pubkey(issuer);
    return key != nullptr && X509_NAME_cmp(X509_get_issuer_name(certificate), X509_get_subject_name(issuer)) == 0 &&
           X509_verify(certificate, key) == 1;
}

void read_signature(X509* certificate, CertificateFacts& facts) {
    int digest = NID_undef;
    int security_bits = 0;
    constexpr int k_least_bits = 128;
    const int algorithm = X509_get_signature_nid(certificate);
    if (X509_get_signature_info(certificate, &digest, nullptr, &security_bits, nullptr) == 1)
        facts.signature_strong = digest == NID_undef ? security_bits >= k_least_bits : strong_digest(digest);
    const X509_ALGOR* identifier = nullptr;
    X509_get0_signature(nullptr, &identifier, certificate);
    facts.signature_algorithm = algorithm == NID_undef ? dotted(identifier->algorithm) : OBJ_nid2ln(algorithm);
}

// The chain that was built and verified, leaf included.
Result<std::vector<Bytes>> verify(X509* leaf, STACK_OF(X509) * candidates, const std::vector<X509*>& anchors,
                                  UtcTime now, unsigned long flags) {
    const CertificateStore store(X509_STORE_new());
    const CertificateStoreContext context(X509_STORE_CTX_new());
    if (!store || !context) return openssl_internal("chain");
    for (X509* anchor : anchors)
        if (X509_STORE_add_cert(store.get(), anchor) != 1) return openssl_internal("chain");
    if (X509_STORE_CTX_init(context.get(), store.get(), leaf, candidates) != 1) return openssl_internal("chain");
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    const std::time_t seconds{now.time_since_epoch().count()};
    X509_VERIFY_PARAM_set_time(parameters, seconds);
    X509_VERIFY_PARAM_set_auth_level(parameters, k_security_level);
    X509_VERIFY_PARAM_set_depth(parameters, k_deepest);
    if (X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | flags) != 1 ||
        X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_ANY) != 1)
        return openssl_internal("chain");
    if (X509_verify_cert(context.get()) != 1) {
        const int depth = X509_STORE_CTX_get_error_depth(context.get());
        return untrusted("the certificate's chain does not verify: " +
                         std::string(X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))) +
                         (depth == 0 ? "" : " (issuer " + std::to_string(depth) + ")"));
    }
    std::vector<Bytes> chain;
    const auto* built = X509_STORE_CTX_get0_chain(context.get());
    chain.reserve(static_cast<std::size_t>(sk_X509_num(built)));
    for (int i = 0; i < sk_X509_num(built); ++i) chain.push_back(der_of(sk_X509_value(built, i), i2d_X509));
    return chain;
}

std::vector<X509*> pointers(const Certificates& stack) {
    std::vector<X509*> list;
    list.reserve(static_cast<std::size_t>(sk_X509_num(stack.get())));
    for (int i = 0; i < sk_X509_num(stack.get()); ++i) list.push_back(sk_X509_value(stack.get(), i));
    return list;
}

}  // namespace

Result<CertificateFacts> inspect(ByteView certificate) {
    const CleanErrors clean;
    auto parsed = parse_certificate(certificate);
    if (!parsed) return parsed.error();
    X509* x = parsed->get();
    const X509_ALGOR* outer = nullptr;
    X509_get0_signature(nullptr, &outer, x);
    if (X509_ALGOR_cmp(outer, X509_get0_tbs_sigalg(x)) != 0)
        return invalid("certificate: two different signature algorithms (RFC 5280 4.1.1.2)");

    CertificateFacts facts;
    facts.der.assign(certificate.begin(), certificate.end());
    facts.sha256 = sha256(certificate);
    facts.thumbprint = sha1(certificate);
    facts.key = key_facts(X509_get_X509_PUBKEY(x));
    facts.serial_number = serial_text(X509_get0_serialNumber(x));
    facts.serial_fit = serial_fits(X509_get0_serialNumber(x));
    auto subject = from_x509_name(X509_get_subject_name(x));
    if (!subject) return subject.error().in("certificate's subject");
    facts.subject = std::move(*subject);
    auto issuer = from_x509_name(X509_get_issuer_name(x));
    if (!issuer) return issuer.error().in("certificate's issuer");
    facts.issuer = std::move(*issuer);
    const auto not_before = from_asn1_time(X509_get0_notBefore(x));
    const auto not_after = from_asn1_time(X509_get0_notAfter(x));
    if (!not_before || !not_after) return invalid("certificate: validity does not parse");
    facts.not_before = *not_before;
    facts.not_after = *not_after;
    auto extensions = read_extensions(X509_get0_extensions(x));
    if (!extensions) return extensions.error().in("certificate");
    facts.alternative_names = std::move(extensions->alternative_names);
    facts.alternative_names_critical = extensions->alternative_names_critical;
    facts.key_usage = extensions->key_usage;
    facts.extended_key_usage = std::move(extensions->extended_key_usage);
    facts.policies = std::move(extensions->policies);
    facts.is_ca = extensions->is_ca;
    facts.subject_key_identifier = std::move(extensions->subject_key_identifier);
    facts.authority_key_identifier = std::move(extensions->authority_key_identifier);
    facts.security_identifier = std::move(extensions->security_identifier);
    facts.application_policies = std::move(extensions->application_policies);
    facts.extensions = std::move(extensions->oids);
    read_signature(x, facts);
    return facts;
}

Result<Bytes> spki_of(ByteView certificate) {
    const CleanErrors clean;
    const auto parsed = parse_certificate(certificate);
    if (!parsed) return parsed.error();
    return der_of(X509_get_X509_PUBKEY(parsed->get()), i2d_X509_PUBKEY);
}

Result<std::vector<Bytes>> certificates_from_pem(std::string_view text) {
    const CleanErrors clean;
    auto blocks = from_pem(pem::k_certificate, text);
    if (!blocks) return blocks.error();
    for (const auto& block : *blocks) {
        const auto parsed = parse_certificate(block);
        if (!parsed) return parsed.error();
    }
    return blocks;
}

std::string certificate_to_pem(ByteView certificate) {
    return to_pem(pem::k_certificate, certificate);
}

bool issued_by(ByteView certificate, ByteView issuer) {
    const CleanErrors clean;
    const auto child = parse_certificate(certificate);
    const auto parent = parse_certificate(issuer);
    return child && parent && signed_by(child->get(), parent->get());
}

bool self_signed(ByteView certificate) {
    return issued_by(certificate, certificate);
}

Result<std::vector<Bytes>> verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                        const std::vector<Bytes>& anchors, UtcTime now) {
    const CleanErrors clean;
    const auto certificate = parse_certificate(leaf);
    if (!certificate) return untrusted(certificate.error().message);
    const auto trusted = parse_certificates(anchors);
    if (!trusted) return untrusted("anchor: " + trusted.error().message);
    // What does not parse helps nobody to build; a CA that adds such a thing is not thereby down.
    const Certificates helpers(sk_X509_new_null());
    if (!helpers) return openssl_internal("chain");
    for (const auto& candidate : candidates) {
        auto parsed = parse_certificate(candidate);
        if (parsed && sk_X509_push(helpers.get(), parsed->get()) != 0) static_cast<void>(parsed->release());
    }
    auto chain = verify(certificate->get(), helpers.get(), pointers(*trusted), now, 0);
    if (!chain) return chain.error();
    chain->erase(chain->begin());
    return chain;
}

Result<Bytes> verify_direct(ByteView leaf, const std::vector<Bytes>& issuers, UtcTime now) {
    const CleanErrors clean;
    const auto certificate = parse_certificate(leaf);
    if (!certificate) return untrusted(certificate.error().message);
    const auto trusted = parse_certificates(issuers);
    if (!trusted) return untrusted("issuer: " + trusted.error().message);
    Error last = untrusted("none of the configured CAs is the certificate's direct issuer");
    for (X509* issuer : pointers(*trusted)) {
        if (!signed_by(certificate->get(), issuer)) continue;
        ERR_clear_error();
        // Each issuer by itself: with the others in the store the chain could pass by it.
        auto chain = verify(certificate->get(), nullptr, {issuer}, now, X509_V_FLAG_PARTIAL_CHAIN);
        if (chain && chain->size() == 2) return std::move(chain->back());
        if (!chain) last = chain.error();
    }
    return last;
}

Result<Bytes> encode_name(const Name& name) {
    const CleanErrors clean;
    const auto made = to_x509_name(name);
    if (!made) return made.error();
    Bytes der = der_of(made->get(), i2d_X509_NAME);
    if (der.empty()) return openssl_internal("name");
    return der;
}

Result<Name> decode_name(ByteView der) {
    const CleanErrors clean;
    if (!der::well_framed(der)) return invalid("name: not DER, or octets after it");
    const unsigned char* at = der.data();
    const X509NamePtr name(d2i_X509_NAME(nullptr, &at, static_cast<long>(der.size())));
    if (!name || at != der.data() + der.size()) return openssl_invalid("name: does not parse");
    return from_x509_name(name.get());
}

}  // namespace connector::crypto
