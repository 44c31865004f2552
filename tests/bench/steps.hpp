// The steps of a request, each as few calls of OpenSSL as it takes. README.md says which of them a request needs and
// why.
#pragma once

#include "material.hpp"

#include <string>

namespace bench {

struct Package {
    Bytes pfx;
    std::string password;
};

// What a request begins with and, by the contract, wraps with: the device's certificate, signed by its CA.
void check_recipient(const Material& material);

Key generate(const std::string& key_type);
Bytes make_request(const Key& key);
// The CA: the request's own signature, then the certificate.
Bytes sign_certificate(const Material& material, const Bytes& request);
// What came back: to the root, strictly.
void check_issued(const Material& material, const Bytes& certificate);

// AES-256-GCM, as a key and a package lie in the ledger.
Bytes seal(const Bytes& key, const Bytes& secret);
Bytes unseal(const Bytes& key, const Bytes& sealed);
Bytes to_pkcs8(const Key& key);
Key from_pkcs8(const Bytes& der);

// AES-256, 2048 iterations, MAC SHA-256; opened again and compared.
Package pack(EVP_PKEY* key, X509* certificate, STACK_OF(X509) * issuers);

// The importer's signature, the password, the file, the signatures within its chain.
struct Opened {
    Key key;
    Certificate certificate;
    Certificates issuers;  // without the root
};
Opened open_record(const Material& material, const Record& record);

// The inner message, signed by the delivery key, enveloped for the device.
Bytes deliver(const Material& material, const std::vector<Package>& packages);

}  // namespace bench
