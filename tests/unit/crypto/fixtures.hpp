// Keys and certificates that several crypto tests share, so that RSA keys are made once.
#pragma once

#include "core/crypto/certificate.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/issue.hpp"
#include "core/crypto/key.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace connector::crypto::test {

inline constexpr UtcTime k_now{std::chrono::sys_days{std::chrono::year{2026} / 11 / 23}};
inline constexpr auto k_year = std::chrono::days{365};

inline Name common_name(const std::string& text) {
    return Name{{{Attribute{std::string(oid::k_common_name), text}}}};
}

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().code + ": " + result.error().message);
    return std::move(*result);
}

inline PrivateKey ec_key(KeyType type = KeyType::ec_p256) {
    return must(PrivateKey::generate(type));
}
inline const PrivateKey& rsa_key() {
    static const PrivateKey k_key = must(PrivateKey::generate(KeyType::rsa2048));
    return k_key;
}
// What PrivateKey::generate does not make.
inline PrivateKey foreign_key(EVP_PKEY* raw) {
    return must(PrivateKeyAccess::adopt(PKey(raw)));
}

struct Ca {
    PrivateKey key;
    Bytes certificate;
};

inline CertificateOrder order_for(const std::string& name, const PrivateKey& key) {
    CertificateOrder order;
    order.serial = random_serial();
    order.subject = common_name(name);
    order.spki = key.spki_der();
    order.not_before = k_now - k_year;
    order.not_after = k_now + k_year;
    return order;
}
inline CertificateOrder ca_order(const std::string& name, const PrivateKey& key) {
    CertificateOrder order = order_for(name, key);
    order.is_ca = true;
    order.key_usage = KeyUsage(KeyUsage::k_key_cert_sign | KeyUsage::k_crl_sign);
    order.not_before = k_now - 5 * k_year;
    order.not_after = k_now + 5 * k_year;
    return order;
}
inline CertificateOrder mail_order(const std::string& mailbox, const PrivateKey& key) {
    CertificateOrder order = order_for(mailbox, key);
    order.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    order.extended_key_usage = {std::string(eku::k_email_protection)};
    order.alternative_names = {GeneralName{NameForm::email, mailbox}};
    return order;
}

inline Ca make_root(const std::string& name = "Root") {
    PrivateKey key = ec_key();
    Bytes certificate = must(issue_self_signed(ca_order(name, key), key));
    return Ca{std::move(key), std::move(certificate)};
}
inline Ca make_issuing(const Ca& root, std::optional<NameConstraints> constraints = {},
                       const std::string& name = "Issuing") {
    PrivateKey key = ec_key();
    CertificateOrder order = ca_order(name, key);
    order.path_length = 0;
    order.name_constraints = std::move(constraints);
    Bytes certificate = must(issue(order, root.certificate, root.key));
    return Ca{std::move(key), std::move(certificate)};
}

// root -> issuing -> leaf, made once.
struct Pki {
    Ca root = make_root();
    Ca issuing = make_issuing(root);
    PrivateKey key = ec_key();
    Bytes leaf = must(issue(mail_order("alice@corp.example", key), issuing.certificate, issuing.key));
    Bytes rsa_leaf = must(issue(mail_order("rsa@corp.example", rsa_key()), issuing.certificate, issuing.key));
};
inline const Pki& pki() {
    static const Pki k_pki;
    return k_pki;
}

// A certificate by the issuing CA with whatever public key, also such as issue() would refuse.
inline Bytes certificate_with(EVP_PKEY* subject_key, const EVP_MD* digest = EVP_sha256()) {
    const Certificate made(X509_new());
    const auto issuer = must(parse_certificate(pki().issuing.certificate));
    const auto serial = to_serial(random_serial());
    const auto subject = must(to_x509_name(common_name("made by hand")));
    X509_set_version(made.get(), X509_VERSION_3);
    X509_set_serialNumber(made.get(), serial.get());
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get()));
    X509_set_subject_name(made.get(), subject.get());
    X509_set1_notBefore(made.get(), to_asn1_time(k_now - k_year).get());
    X509_set1_notAfter(made.get(), to_asn1_time(k_now + k_year).get());
    X509_set_pubkey(made.get(), subject_key);
    if (X509_sign(made.get(), pki().issuing.key.native(), digest) <= 0) throw std::runtime_error("not signed");
    return der_of(made.get(), i2d_X509);
}

// The code that a call was refused with, "" where it was not.
template <class T>
std::string code_of(const Result<T>& result) {
    return result ? std::string() : result.error().code;
}

}  // namespace connector::crypto::test
