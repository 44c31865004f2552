#include "core/crypto/cms.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"

#include <openssl/ec.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace connector::crypto {
namespace {

using der::context;
using der::Element;
using der::Reader;

// DER contents of the object identifiers that an envelope is made of.
constexpr std::array<std::uint8_t, 9> k_data{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x01};
constexpr std::array<std::uint8_t, 11> k_auth_enveloped{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D,
                                                        0x01, 0x09, 0x10, 0x01, 0x17};
constexpr std::array<std::uint8_t, 9> k_aes256_gcm{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2E};
constexpr std::array<std::uint8_t, 9> k_aes256_wrap{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2D};
constexpr std::array<std::uint8_t, 9> k_sha256{0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01};
constexpr std::array<std::uint8_t, 9> k_oaep{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x07};
constexpr std::array<std::uint8_t, 9> k_mgf1{0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08};
// 1.3.132.1.11.1, dhSinglePass-stdDH-sha256kdf-scheme (RFC 5753, SEC 1)
constexpr std::array<std::uint8_t, 6> k_ecdh_sha256{0x2B, 0x81, 0x04, 0x01, 0x0B, 0x01};
constexpr std::size_t k_nonce = 12;
constexpr std::size_t k_tag = 16;

Error not_signed(std::string_view why) {
    return Error(ErrorKind::refused, "signatureRefused", "signed statement: " + std::string(why));
}
Error not_enveloped(std::string_view why) {
    return Error(ErrorKind::refused, "envelopeRefused", "envelope: " + std::string(why));
}
Error unsupported(std::string_view why) {
    return Error(ErrorKind::invalid, "unsupported", "recipient's key: " + std::string(why));
}

bool is(const std::optional<Element>& element, ByteView octets) {
    return element && std::equal(element->content.begin(), element->content.end(), octets.begin(), octets.end());
}

// AlgorithmIdentifier of this OID with its parameters left over; absent and NULL are both "none".
std::optional<Reader> parameters_of(const std::optional<Element>& algorithm, ByteView object) {
    if (!algorithm || algorithm->tag != der::k_sequence) return std::nullopt;
    Reader reader(algorithm->content);
    if (!is(reader.take(der::k_oid), object)) return std::nullopt;
    return reader;
}
bool plain_algorithm(const std::optional<Element>& algorithm, ByteView object) {
    auto parameters = parameters_of(algorithm, object);
    if (!parameters) return false;
    if (parameters->at_end()) return true;
    const auto none = parameters->take(der::k_null);
    return none && none->content.empty() && parameters->at_end();
}
std::optional<Element> only_inside(const std::optional<Element>& outer) {
    if (!outer) return std::nullopt;
    Reader reader(outer->content);
    const auto inner = reader.next();
    if (!reader.at_end()) return std::nullopt;
    return inner;
}

// RFC 8017 A.2.1 with SHA-256 in both places and no label.
bool oaep_as_agreed(const std::optional<Element>& algorithm) {
    auto outer = parameters_of(algorithm, k_oaep);
    if (!outer) return false;
    const auto sequence = outer->take(der::k_sequence);
    if (!sequence || !outer->at_end()) return false;
    Reader parameters(sequence->content);
    if (!plain_algorithm(only_inside(parameters.take(context(0))), k_sha256)) return false;
    auto mask = parameters_of(only_inside(parameters.take(context(1))), k_mgf1);
    return mask && plain_algorithm(mask->take(der::k_sequence), k_sha256) && mask->at_end() && parameters.at_end();
}

bool key_transport_as_agreed(const Element& recipient) {
    Reader reader(recipient.content);
    const bool version = reader.take(der::k_integer).has_value();
    const auto id = reader.next();
    const bool named = id && (id->tag == context(0, false) || id->tag == der::k_sequence);
    const bool algorithm = oaep_as_agreed(reader.take(der::k_sequence));
    const bool key = reader.take(der::k_octet_string).has_value();
    return version && named && algorithm && key && reader.at_end();
}

// RFC 5652 6.2.2, RFC 5753 3.1: one ephemeral key, no user keying material, one recipient.
bool key_agreement_as_agreed(const Element& recipient) {
    Reader reader(recipient.content);
    const bool version = reader.take(der::k_integer).has_value();
    const auto originator = only_inside(reader.take(context(0)));
    const bool ephemeral = originator && originator->tag == context(1);
    auto wrap = parameters_of(reader.take(der::k_sequence), k_ecdh_sha256);
    const bool algorithm = wrap && plain_algorithm(wrap->take(der::k_sequence), k_aes256_wrap) && wrap->at_end();
    const bool one = only_inside(reader.take(der::k_sequence)).has_value();
    return version && ephemeral && algorithm && one && reader.at_end();
}

bool cipher_as_agreed(const std::optional<Element>& algorithm) {
    auto outer = parameters_of(algorithm, k_aes256_gcm);
    if (!outer) return false;
    const auto sequence = outer->take(der::k_sequence);
    if (!sequence || !outer->at_end()) return false;
    // RFC 5084 3.2; the default tag length is 12, so 16 has to stand there.
    Reader parameters(sequence->content);
    const auto nonce = parameters.take(der::k_octet_string);
    const auto tag = parameters.take(der::k_integer);
    return nonce && nonce->content.size() == k_nonce && tag && tag->content.size() == 1 &&
           tag->content.front() == k_tag && parameters.at_end();
}

// The parsed form of a CMS message of this content type and nothing after it.
Cms parse(ByteView octets, int type) {
    if (octets.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return nullptr;
    const unsigned char* at = octets.data();
    Cms cms(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(octets.size())));
    if (!cms || at != octets.data() + octets.size() || OBJ_obj2nid(CMS_get0_type(cms.get())) != type) return nullptr;
    return cms;
}

// Through the chain ourselves: CMS_final copies by way of the stack and, without CMS_BINARY, changes line ends.
bool finish(CMS_ContentInfo* cms, ByteView content) {
    const BioChain chain(CMS_dataInit(cms, nullptr));
    if (!chain || content.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) return false;
    const int size = static_cast<int>(content.size());
    return (size == 0 || BIO_write(chain.get(), content.data(), size) == size) &&
           BIO_ctrl(chain.get(), BIO_CTRL_FLUSH, 0, nullptr) == 1 && CMS_dataFinal(cms, chain.get()) == 1;
}

Result<Cms> sign(ByteView content, const Signer& signer, unsigned attachment) {
    auto certificate = parse_certificate(signer.certificate);
    if (!certificate) return certificate.error().in("signer");
    // Not a PrivateKey: its public half need not be encoded and decoded again for a signature.
    const unsigned char* at = signer.pkcs8.data();
    const Pkcs8Info info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(signer.pkcs8.size())));
    const PKey key(info && at == signer.pkcs8.data() + signer.pkcs8.size() ? private_key_from(info.get()) : nullptr);
    if (!key) return openssl_invalid("signer: private key: does not parse");
    if (X509_check_private_key(certificate->get(), key.get()) != 1)
        return invalid("signer: the key is not the certificate's");
    Cms cms(CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY | attachment));
    if (!cms ||
        CMS_add1_signer(cms.get(), certificate->get(), key.get(), EVP_sha256(), CMS_BINARY | CMS_NOSMIMECAP) == nullptr)
        return openssl_internal("signature");
    for (const auto& issuer : signer.chain) {
        if (issuer == signer.certificate) continue;
        const auto parsed = parse_certificate(issuer);
        if (!parsed) return parsed.error().in("signer's chain");
        if (CMS_add1_cert(cms.get(), parsed->get()) != 1) return openssl_internal("signature");
    }
    if (!finish(cms.get(), content)) return openssl_internal("signature");
    return cms;
}

// The one signer of a message in the agreed form.
Result<CMS_SignerInfo*> only_signer(CMS_ContentInfo* cms) {
    if (OBJ_obj2nid(CMS_get0_eContentType(cms)) != NID_pkcs7_data) return not_signed("content is not of type data");
    const auto* signers = CMS_get0_SignerInfos(cms);
    if (sk_CMS_SignerInfo_num(signers) != 1) return not_signed("not exactly one signer");
    CMS_SignerInfo* signer = sk_CMS_SignerInfo_value(signers, 0);
    X509_ALGOR* digest = nullptr;
    CMS_SignerInfo_get0_algs(signer, nullptr, nullptr, &digest, nullptr);
    switch (digest == nullptr ? NID_undef : OBJ_obj2nid(digest->algorithm)) {
        case NID_sha256:
        case NID_sha384:
        case NID_sha512: return signer;
        default: return not_signed("digest is not SHA-256, SHA-384 or SHA-512");
    }
}

// RFC 8933's neighbour: what was signed as the DER of signed attributes must not pass for content.
bool could_be_attributes(CMS_SignerInfo* signer, ByteView content) {
    return CMS_signed_get_attr_count(signer) <= 0 && !content.empty() && content.front() == der::k_set;
}

// Verified with this certificate's key and no other. Leaves its signer in the object, which therefore serves once.
bool verified_by(CMS_ContentInfo* cms, X509* certificate, BIO* detached) {
    const Certificates alone(sk_X509_new_null());
    if (cms == nullptr || !alone || X509_up_ref(certificate) != 1) return false;
    if (sk_X509_push(alone.get(), certificate) == 0) {
        X509_free(certificate);
        return false;
    }
    return CMS_verify(cms, alone.get(), nullptr, detached, nullptr,
                      CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN | CMS_BINARY) == 1;
}

bool choose_key_encryption(CMS_RecipientInfo* recipient, KeyAlgorithm algorithm) {
    EVP_PKEY_CTX* context = CMS_RecipientInfo_get0_pkey_ctx(recipient);
    if (context == nullptr) return false;
    // OpenSSL's default for EC is a SHA-1 derivation; the key wrap follows the content cipher.
    if (algorithm == KeyAlgorithm::ec) return EVP_PKEY_CTX_set_ecdh_kdf_md(context, EVP_sha256()) == 1;
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1;
}

Result<SecretBytes> decrypt(CMS_ContentInfo* cms, std::size_t at_most, X509* certificate, const PrivateKey& key) {
    const Error failed = not_enveloped("does not open");
    // Always with the certificate: without it a wrong RSA key gives garbage instead of an error.
    if (CMS_decrypt_set1_pkey(cms, key.native(), certificate) != 1) return failed;
    const BioChain chain(CMS_dataInit(cms, nullptr));
    if (!chain) return failed;
    SecretBytes content(at_most);
    std::size_t filled = 0;
    for (;;) {
        const int room = static_cast<int>(content.size() - filled);
        const int read = room == 0 ? 0 : BIO_read(chain.get(), content.data() + filled, room);
        if (read < 0) return failed;
        if (read == 0) break;
        filled += static_cast<std::size_t>(read);
    }
    // Everything above is unauthenticated until this has been asked.
    if (BIO_ctrl(chain.get(), BIO_C_GET_CIPHER_STATUS, 0, nullptr) != 1) return failed;
    content.truncate(filled);
    return content;
}

Result<Bytes> written(CMS_ContentInfo* cms) {
    Bytes octets = der_of(cms, i2d_CMS_ContentInfo);
    if (octets.empty()) return openssl_internal("CMS: not encoded");
    return octets;
}

}  // namespace

Result<SecretBytes> sign_attached(ByteView content, const Signer& signer) {
    const CleanErrors clean;
    const auto cms = sign(content, signer, 0);
    if (!cms) return cms.error();
    const int size = i2d_CMS_ContentInfo(cms->get(), nullptr);
    if (size <= 0) return openssl_internal("signature");
    SecretBytes octets(static_cast<std::size_t>(size));
    unsigned char* out = octets.data();
    if (i2d_CMS_ContentInfo(cms->get(), &out) != size) return openssl_internal("signature");
    return octets;
}

Result<Bytes> sign_detached(ByteView content, const Signer& signer) {
    const CleanErrors clean;
    const auto cms = sign(content, signer, CMS_DETACHED);
    if (!cms) return cms.error();
    return written(cms->get());
}

Result<VerifiedContent> verify_attached(ByteView cms, const std::vector<Bytes>& trusted) {
    const CleanErrors clean;
    if (!der::well_framed(cms)) return not_signed("not DER, or octets after it");
    const Cms message = parse(cms, NID_pkcs7_signed);
    if (!message) return not_signed("not SignedData");
    const auto signer = only_signer(message.get());
    if (!signer) return signer.error();
    ASN1_OCTET_STRING** attached = CMS_get0_content(message.get());
    if (attached == nullptr || *attached == nullptr) return not_signed("no content in it");
    const ByteView content = octets_of(*attached);
    if (could_be_attributes(*signer, content)) return not_signed("content could be signed attributes");
    bool served = false;
    for (const auto& candidate : trusted) {
        const auto certificate = parse_certificate(candidate);
        if (!certificate || CMS_SignerInfo_cert_cmp(*signer, certificate->get()) != 0) continue;
        const Cms anew = served ? parse(cms, NID_pkcs7_signed) : nullptr;
        CMS_ContentInfo* unused = std::exchange(served, true) ? anew.get() : message.get();
        if (verified_by(unused, certificate->get(), nullptr))
            return VerifiedContent{Bytes(content.begin(), content.end()), candidate};
    }
    return not_signed("not signed by a trusted certificate");
}

Result<Bytes> verify_detached(ByteView cms, ByteView content, const Sha256& signer_spki,
                              const std::vector<Bytes>& candidates) {
    const CleanErrors clean;
    if (!der::well_framed(cms)) return not_signed("not DER, or octets after it");
    const Cms message = parse(cms, NID_pkcs7_signed);
    if (!message) return not_signed("not SignedData");
    const auto signer = only_signer(message.get());
    if (!signer) return signer.error();
    ASN1_OCTET_STRING** attached = CMS_get0_content(message.get());
    if (attached != nullptr && *attached != nullptr) return not_signed("content in it, where none belongs");
    if (could_be_attributes(*signer, content)) return not_signed("content could be signed attributes");
    std::vector<Bytes> known = candidates;
    const Certificates inside(CMS_get1_certs(message.get()));
    for (int i = 0; i < sk_X509_num(inside.get()); ++i)
        known.push_back(der_of(sk_X509_value(inside.get(), i), i2d_X509));
    for (const auto& candidate : known) {
        const auto certificate = parse_certificate(candidate);
        if (!certificate || CMS_SignerInfo_cert_cmp(*signer, certificate->get()) != 0) continue;
        if (key_facts(X509_get_X509_PUBKEY(certificate->get())).spki_sha256 != signer_spki) continue;
        const auto source = read_from(content);
        const Cms anew = parse(cms, NID_pkcs7_signed);
        if (source && verified_by(anew.get(), certificate->get(), source.get())) return candidate;
    }
    return not_signed("not signed by the expected key");
}

Result<void> check_envelope(ByteView cms) {
    if (!der::well_framed(cms)) return not_enveloped("not DER, or octets after it");
    Reader outer(cms);
    Reader info(outer.next()->content);
    if (!is(info.take(der::k_oid), k_auth_enveloped)) return not_enveloped("not AuthEnvelopedData");
    const auto sequence = only_inside(info.take(context(0)));
    if (!sequence || sequence->tag != der::k_sequence || !info.at_end()) return not_enveloped("broken");
    Reader body(sequence->content);
    static constexpr std::array<std::uint8_t, 1> k_version{0};
    if (!is(body.take(der::k_integer), k_version)) return not_enveloped("version is not 0");
    const auto recipients = body.take(der::k_set);
    const auto recipient = only_inside(recipients);
    if (!recipient) return not_enveloped("not exactly one recipient");
    const bool agreed = recipient->tag == der::k_sequence ? key_transport_as_agreed(*recipient)
                        : recipient->tag == context(1)    ? key_agreement_as_agreed(*recipient)
                                                          : false;
    if (!agreed) return not_enveloped("key encryption is not RSA-OAEP or ECDH with SHA-256");
    const auto encrypted = body.take(der::k_sequence);
    if (!encrypted) return not_enveloped("broken");
    Reader content(encrypted->content);
    if (!is(content.take(der::k_oid), k_data)) return not_enveloped("content is not of type data");
    if (!cipher_as_agreed(content.take(der::k_sequence)))
        return not_enveloped("cipher is not AES-256-GCM with a nonce of 12 and a tag of 16 octets");
    if (!content.take(context(0, false)) || !content.at_end()) return not_enveloped("no ciphertext in it");
    const auto tag = body.take(der::k_octet_string);
    if (!tag || tag->content.size() != k_tag) return not_enveloped("tag is not of 16 octets");
    if (!body.at_end()) return not_enveloped("attributes or more behind the tag");
    return {};
}

Result<Bytes> envelop(ByteView content, ByteView recipient_certificate) {
    const CleanErrors clean;
    const auto certificate = parse_certificate(recipient_certificate);
    if (!certificate) return certificate.error().in("recipient");
    const auto facts = key_facts(X509_get_X509_PUBKEY(certificate->get()));
    if (facts.algorithm != KeyAlgorithm::rsa && facts.algorithm != KeyAlgorithm::ec)
        return unsupported("neither RSA (rsaEncryption) nor EC");
    if (facts.algorithm == KeyAlgorithm::ec && facts.curve.empty())
        return unsupported("not on P-256, P-384 or P-521 by name");
    const Cms cms(CMS_encrypt(nullptr, nullptr, EVP_aes_256_gcm(), CMS_PARTIAL | CMS_BINARY));
    const bool has_id = X509_get0_subject_key_id(certificate->get()) != nullptr;
    CMS_RecipientInfo* recipient =
        cms ? CMS_add1_recipient_cert(cms.get(), certificate->get(),
                                      CMS_BINARY | CMS_KEY_PARAM | (has_id ? CMS_USE_KEYID : 0U))
            : nullptr;
    if (recipient == nullptr || !choose_key_encryption(recipient, facts.algorithm) || !finish(cms.get(), content))
        return openssl_internal("envelope");
    auto octets = written(cms.get());
    if (!octets) return octets.error();
    if (const auto checked = check_envelope(*octets); !checked)
        return Error(ErrorKind::internal, "internal", "our own " + checked.error().message);
    return octets;
}

Result<SecretBytes> open_envelope(ByteView cms, ByteView certificate, const PrivateKey& key) {
    const CleanErrors clean;
    if (auto checked = check_envelope(cms); !checked) return checked.error();
    const auto own = parse_certificate(certificate);
    if (!own) return own.error();
    const Cms message = parse(cms, NID_id_smime_ct_authEnvelopedData);
    if (!message) return not_enveloped("does not open");
    return decrypt(message.get(), cms.size(), own->get(), key);
}

Result<Bytes> envelop_for_platform(ByteView content, ByteView recipient_certificate) {
    const CleanErrors clean;
    const auto certificate = parse_certificate(recipient_certificate);
    if (!certificate) return certificate.error().in("recipient");
    if (key_facts(X509_get_X509_PUBKEY(certificate->get())).algorithm != KeyAlgorithm::rsa)
        return unsupported("not RSA (rsaEncryption), which this format needs");
    const Cms cms(CMS_encrypt(nullptr, nullptr, EVP_aes_256_cbc(), CMS_PARTIAL | CMS_BINARY));
    if (!cms || CMS_add1_recipient_cert(cms.get(), certificate->get(), CMS_BINARY) == nullptr ||
        !finish(cms.get(), content))
        return openssl_internal("envelope");
    return written(cms.get());
}

Result<SecretBytes> open_platform_envelope(ByteView cms, ByteView certificate, const PrivateKey& key) {
    const CleanErrors clean;
    if (!der::well_framed(cms)) return not_enveloped("not DER, or octets after it");
    const auto own = parse_certificate(certificate);
    if (!own) return own.error();
    const Cms message = parse(cms, NID_pkcs7_enveloped);
    if (!message) return not_enveloped("not EnvelopedData");
    return decrypt(message.get(), cms.size(), own->get(), key);
}

}  // namespace connector::crypto
