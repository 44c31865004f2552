#include "steps.hpp"

#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace bench {
namespace {

constexpr int k_iterations = 2048;
constexpr std::size_t k_nonce = 12;
constexpr std::size_t k_tag = 16;

void add_extension(STACK_OF(X509_EXTENSION) * *list, int nid, const char* value) {
    const Owned<X509_EXTENSION, X509_EXTENSION_free> made(
        must_have(X509V3_EXT_conf_nid(nullptr, nullptr, nid, value), value));
    must(X509v3_add_ext(list, made.get(), -1) != nullptr, value);
}

std::string random_password() {
    constexpr std::string_view k_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::array<unsigned char, 32> octets{};
    must(RAND_priv_bytes(octets.data(), static_cast<int>(octets.size())) == 1, "random");
    std::string word;
    for (const auto octet : octets) word += k_letters[octet % k_letters.size()];
    return word;
}

std::string base64(const Bytes& octets) {
    std::string text((octets.size() + 2) / 3 * 4, '\0');
    EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()), octets.data(), static_cast<int>(octets.size()));
    return text;
}

void finish(CMS_ContentInfo* cms, const void* content, std::size_t size) {
    const BioChain chain(must_have(CMS_dataInit(cms, nullptr), "CMS"));
    must(BIO_write(chain.get(), content, static_cast<int>(size)) == static_cast<int>(size) &&
             BIO_flush(chain.get()) == 1 && CMS_dataFinal(cms, chain.get()) == 1,
         "CMS");
}

}  // namespace

void check_recipient(const Material& material) {
    const auto device = certificate_of(material.device);
    must(X509_verify(device.get(), X509_get0_pubkey(material.device_ca.get())) == 1, "device");
}

Key generate(const std::string& key_type) {
    return Key(must_have(key_type == "rsa2048" ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})
                                               : EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"),
                         "key"));
}

Bytes make_request(const Key& key) {
    const Request request(must_have(X509_REQ_new(), "request"));
    X509_NAME* subject = X509_REQ_get_subject_name(request.get());
    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char*>("Alice Smith"),
                                    -1, -1, 0) == 1 &&
             X509_REQ_set_pubkey(request.get(), key.get()) == 1,
         "request");
    STACK_OF(X509_EXTENSION)* extensions = nullptr;
    add_extension(&extensions, NID_subject_alt_name, "email:alice@corp.example");
    add_extension(&extensions, NID_key_usage, "critical,digitalSignature");
    add_extension(&extensions, NID_ext_key_usage, "emailProtection");
    const bool added = X509_REQ_add_extensions(request.get(), extensions) == 1;
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    must(added && X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0, "request");
    return der_of(request.get(), i2d_X509_REQ);
}

Bytes sign_certificate(const Material& material, const Bytes& der) {
    const unsigned char* at = der.data();
    const Request request(must_have(d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())), "request"));
    EVP_PKEY* key = X509_REQ_get0_pubkey(request.get());
    must(X509_REQ_verify(request.get(), key) == 1, "request's signature");
    const Certificate made(must_have(X509_new(), "certificate"));
    std::array<unsigned char, 19> serial{};
    must(RAND_bytes(serial.data(), static_cast<int>(serial.size())) == 1, "random");
    const Owned<BIGNUM, BN_free> number(BN_bin2bn(serial.data(), static_cast<int>(serial.size()), nullptr));
    must(BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(made.get())) != nullptr &&
             X509_set_version(made.get(), X509_VERSION_3) == 1 &&
             X509_set_issuer_name(made.get(), X509_get_subject_name(material.issuing_ca.get())) == 1 &&
             X509_set_subject_name(made.get(), X509_REQ_get_subject_name(request.get())) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(made.get()), -300) != nullptr &&
             X509_gmtime_adj(X509_getm_notAfter(made.get()), 365L * 86400 - 301) != nullptr &&
             X509_set_pubkey(made.get(), key) == 1,
         "certificate");
    STACK_OF(X509_EXTENSION)* wanted = X509_REQ_get_extensions(request.get());
    for (int i = 0; i < sk_X509_EXTENSION_num(wanted); ++i)
        must(X509_add_ext(made.get(), sk_X509_EXTENSION_value(wanted, i), -1) == 1, "extension");
    sk_X509_EXTENSION_pop_free(wanted, X509_EXTENSION_free);
    X509V3_CTX context;
    X509V3_set_ctx(&context, material.issuing_ca.get(), made.get(), nullptr, nullptr, 0);
    for (const auto& [nid, value] :
         {std::pair(NID_subject_key_identifier, "hash"), std::pair(NID_authority_key_identifier, "keyid")}) {
        const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
            must_have(X509V3_EXT_conf_nid(nullptr, &context, nid, value), value));
        must(X509_add_ext(made.get(), extension.get(), -1) == 1, value);
    }
    must(X509_sign(made.get(), material.issuing_key.get(), EVP_sha256()) > 0, "certificate's signature");
    return der_of(made.get(), i2d_X509);
}

void check_issued(const Material& material, const Bytes& der) {
    const auto certificate = certificate_of(der);
    const Owned<X509_STORE, X509_STORE_free> store(must_have(X509_STORE_new(), "store"));
    const Owned<X509_STORE_CTX, X509_STORE_CTX_free> context(must_have(X509_STORE_CTX_new(), "store"));
    const BorrowedCertificates between(must_have(sk_X509_new_null(), "stack"));
    must(X509_STORE_add_cert(store.get(), material.root.get()) == 1 &&
             sk_X509_push(between.get(), material.issuing_ca.get()) > 0 &&
             X509_STORE_CTX_init(context.get(), store.get(), certificate.get(), between.get()) == 1,
         "store");
    X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(context.get());
    X509_VERIFY_PARAM_set_auth_level(parameters, 2);
    must(X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT) == 1 && X509_verify_cert(context.get()) == 1,
         "chain");
}

Bytes seal(const Bytes& key, const Bytes& secret) {
    const Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> cipher(must_have(EVP_CIPHER_CTX_new(), "seal"));
    Bytes sealed(k_nonce + secret.size() + k_tag);
    int size = 0;
    must(RAND_bytes(sealed.data(), k_nonce) == 1 &&
             EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), sealed.data()) == 1 &&
             EVP_EncryptUpdate(cipher.get(), sealed.data() + k_nonce, &size, secret.data(),
                               static_cast<int>(secret.size())) == 1 &&
             EVP_EncryptFinal_ex(cipher.get(), sealed.data() + k_nonce + size, &size) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_GET_TAG, k_tag, sealed.data() + k_nonce + secret.size()) ==
                 1,
         "seal");
    return sealed;
}

Bytes unseal(const Bytes& key, const Bytes& sealed) {
    const Owned<EVP_CIPHER_CTX, EVP_CIPHER_CTX_free> cipher(must_have(EVP_CIPHER_CTX_new(), "unseal"));
    Bytes secret(sealed.size() - k_nonce - k_tag);
    Bytes tag(sealed.end() - k_tag, sealed.end());
    int size = 0;
    must(EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.data(), sealed.data()) == 1 &&
             EVP_DecryptUpdate(cipher.get(), secret.data(), &size, sealed.data() + k_nonce,
                               static_cast<int>(secret.size())) == 1 &&
             EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_AEAD_SET_TAG, k_tag, tag.data()) == 1 &&
             EVP_DecryptFinal_ex(cipher.get(), secret.data() + size, &size) == 1,
         "unseal");
    return secret;
}

Bytes to_pkcs8(const Key& key) {
    const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(must_have(EVP_PKEY2PKCS8(key.get()), "key"));
    return der_of(info.get(), i2d_PKCS8_PRIV_KEY_INFO);
}

Key from_pkcs8(const Bytes& der) {
    const unsigned char* at = der.data();
    const Owned<PKCS8_PRIV_KEY_INFO, PKCS8_PRIV_KEY_INFO_free> info(
        must_have(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, static_cast<long>(der.size())), "key"));
    return Key(must_have(EVP_PKCS82PKEY(info.get()), "key"));
}

Package pack(EVP_PKEY* key, X509* certificate, STACK_OF(X509) * issuers) {
    Package made{{}, random_password()};
    const Pkcs12 file(
        must_have(PKCS12_create_ex(made.password.c_str(), nullptr, key, certificate, issuers, NID_aes_256_cbc,
                                   NID_aes_256_cbc, k_iterations, k_iterations, 0, nullptr, nullptr),
                  "PFX"));
    made.pfx = der_of(file.get(), i2d_PKCS12);
    const unsigned char* at = made.pfx.data();
    const Pkcs12 written(must_have(d2i_PKCS12(nullptr, &at, static_cast<long>(made.pfx.size())), "PFX"));
    EVP_PKEY* read_key = nullptr;
    X509* read_certificate = nullptr;
    STACK_OF(X509)* others = nullptr;
    must(PKCS12_parse(written.get(), made.password.c_str(), &read_key, &read_certificate, &others) == 1, "read back");
    const Key own_key(read_key);
    const Certificate own_certificate(read_certificate);
    const Certificates own_others(others);
    must(EVP_PKEY_eq(read_key, key) == 1 && X509_cmp(read_certificate, certificate) == 0 &&
             sk_X509_num(others) == sk_X509_num(issuers),
         "compared");
    return made;
}

Opened open_record(const Material& material, const Record& record) {
    const unsigned char* at = record.importer_signature.data();
    const Cms statement(
        must_have(d2i_CMS_ContentInfo(nullptr, &at, static_cast<long>(record.importer_signature.size())), "statement"));
    const BorrowedCertificates signers(must_have(sk_X509_new_null(), "stack"));
    must(sk_X509_push(signers.get(), material.importer.get()) > 0 &&
             CMS_verify(statement.get(), signers.get(), nullptr, nullptr, nullptr,
                        CMS_NO_SIGNER_CERT_VERIFY | CMS_NOINTERN | CMS_BINARY) == 1,
         "importer's signature");
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    must(EVP_Digest(record.pfx.data(), record.pfx.size(), digest.data(), nullptr, EVP_sha256(), nullptr) == 1,
         "digest");

    const KeyContext context(must_have(EVP_PKEY_CTX_new(material.import_key.get(), nullptr), "OAEP"));
    std::string password(static_cast<std::size_t>(EVP_PKEY_get_size(material.import_key.get())), '\0');
    std::size_t size = password.size();
    must(EVP_PKEY_decrypt_init(context.get()) == 1 &&
             EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha512()) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha512()) == 1 &&
             EVP_PKEY_decrypt(context.get(), reinterpret_cast<unsigned char*>(password.data()), &size,
                              record.wrapped_password.data(), record.wrapped_password.size()) == 1,
         "OAEP");
    password.resize(size);

    at = record.pfx.data();
    const Pkcs12 file(must_have(d2i_PKCS12(nullptr, &at, static_cast<long>(record.pfx.size())), "PFX"));
    EVP_PKEY* key = nullptr;
    X509* certificate = nullptr;
    STACK_OF(X509)* others = nullptr;
    must(PKCS12_parse(file.get(), password.c_str(), &key, &certificate, &others) == 1, "PFX");
    Opened opened{Key(key), Certificate(certificate), Certificates(must_have(sk_X509_new_null(), "stack"))};
    const Certificates rest(others);
    must(X509_check_private_key(certificate, key) == 1, "key");
    X509* last = certificate;
    for (bool found = true; found;) {
        found = false;
        for (int i = 0; i < sk_X509_num(others) && !found; ++i) {
            X509* issuer = sk_X509_value(others, i);
            if (issuer == last || X509_NAME_cmp(X509_get_issuer_name(last), X509_get_subject_name(issuer)) != 0)
                continue;
            must(X509_verify(last, X509_get0_pubkey(issuer)) == 1, "chain");
            last = issuer;
            found = true;
            const bool root = X509_NAME_cmp(X509_get_issuer_name(issuer), X509_get_subject_name(issuer)) == 0;
            if (root) must(X509_verify(issuer, X509_get0_pubkey(issuer)) == 1, "root");
            if (!root) must(X509_up_ref(issuer) == 1 && sk_X509_push(opened.issuers.get(), issuer) > 0, "stack");
        }
    }
    return opened;
}

Bytes deliver(const Material& material, const std::vector<Package>& packages) {
    std::string message =
        R"({"v":1,"requestId":"00000000-0000-0000-0000-000000000000","userId":"00000000-0000-0000-0000-000000000000",)"
        R"("userPrincipalName":"alice@corp.example","deviceId":"d-alice-1",)"
        R"("recipientSha256":"0000000000000000000000000000000000000000000000000000000000000000","purpose":"smimeEncryption",)"
        R"("createdAt":"2026-01-01T00:00:00Z","notAfter":"2026-01-08T00:00:00Z","sequence":1,"identities":[)";
    for (const auto& each : packages)
        message += R"({"thumbprint":"0000000000000000000000000000000000000000",)"
                   R"("sha256":"0000000000000000000000000000000000000000000000000000000000000000","pfx":")" +
                   base64(each.pfx) + R"(","password":")" + each.password + "\"},";
    message += "]}";

    const Cms signed_message(
        must_have(CMS_sign(nullptr, nullptr, nullptr, nullptr, CMS_PARTIAL | CMS_BINARY), "signature"));
    must(CMS_add1_signer(signed_message.get(), material.delivery.get(), material.delivery_key.get(), EVP_sha256(),
                         CMS_BINARY | CMS_NOSMIMECAP) != nullptr,
         "signature");
    for (int i = 0; i < sk_X509_num(material.delivery_chain.get()); ++i)
        must(CMS_add1_cert(signed_message.get(), sk_X509_value(material.delivery_chain.get(), i)) == 1, "signature");
    finish(signed_message.get(), message.data(), message.size());
    const Bytes inner = der_of(signed_message.get(), i2d_CMS_ContentInfo);

    const auto device = certificate_of(material.device);
    const Cms envelope(
        must_have(CMS_encrypt(nullptr, nullptr, EVP_aes_256_gcm(), CMS_PARTIAL | CMS_BINARY), "envelope"));
    CMS_RecipientInfo* recipient = must_have(
        CMS_add1_recipient_cert(envelope.get(), device.get(), CMS_BINARY | CMS_KEY_PARAM | CMS_USE_KEYID), "recipient");
    EVP_PKEY_CTX* context = CMS_RecipientInfo_get0_pkey_ctx(recipient);
    must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1,
         "OAEP");
    finish(envelope.get(), inner.data(), inner.size());
    return der_of(envelope.get(), i2d_CMS_ContentInfo);
}

}  // namespace bench
