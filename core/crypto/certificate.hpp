// Certificates read: facts out of DER, chains verified. No certificate object leaves this room, only octets and facts.
// Refuses: octets before or after the certificate, lengths that are not DER, extensions that stand twice or do not
// parse. Any thread; values only. Nothing is fetched: no AIA, no CRL.
#pragma once

#include "core/certificate.hpp"
#include "core/error.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace connector::crypto {

inline constexpr std::size_t k_largest_certificate = 64UL * 1024;

// Facts of one DER certificate (RFC 5280), no octet before or after it, at most 64 KiB; encoded again it gives the
// same octets. kind: invalid, code invalidRequest.
[[nodiscard]] Result<CertificateFacts> inspect(ByteView certificate);
// The DER SubjectPublicKeyInfo in it. kind: invalid.
[[nodiscard]] Result<Bytes> spki_of(ByteView certificate);

// Every "CERTIFICATE" block of the text, in order, each of which parses. kind: invalid.
[[nodiscard]] Result<std::vector<Bytes>> certificates_from_pem(std::string_view text);
// One "CERTIFICATE" block.
[[nodiscard]] std::string certificate_to_pem(ByteView certificate);

// True where `issuer`'s key signed `certificate` and its subject is the certificate's issuer. No chain, no dates, no CA
// flag: a fact about two certificates, not a judgement.
[[nodiscard]] bool issued_by(ByteView certificate, ByteView issuer);
// issued_by itself.
[[nodiscard]] bool self_signed(ByteView certificate);

// Builds and verifies the chain to one of `anchors` (self-signed roots) at `now`: RFC 5280 strict (AKI, SKI, basic
// constraints, key usage of CAs), security level 2 (no SHA-1, no RSA below 2048), name constraints, at most 6
// certificates in between. Purpose is not judged: OpenSSL's S/MIME purpose refuses correct EC keyAgreement
// certificates. `candidates` help to build and prove nothing; anchors may hold intermediates too.
// Gives the issuers, the leaf's first, the root last. kind: refused, code chainUntrusted, with OpenSSL's reason.
[[nodiscard]] Result<std::vector<Bytes>> verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                                      const std::vector<Bytes>& anchors, UtcTime now);
// The same where one of `issuers` has to be the *direct* issuer and is trusted as it stands (RFC 5280 trust anchor;
// it may itself be an intermediate). Gives that issuer. kind: refused, code chainUntrusted.
[[nodiscard]] Result<Bytes> verify_direct(ByteView leaf, const std::vector<Bytes>& issuers, UtcTime now);

// DER of a Name: PrintableString for C, serialNumber and dnQualifier, IA5String for emailAddress and DC, else
// UTF8String; multi-valued RDNs stay so. kind: invalid, naming the attribute that its string type cannot hold.
[[nodiscard]] Result<Bytes> encode_name(const Name& name);
[[nodiscard]] Result<Name> decode_name(ByteView der);

}  // namespace connector::crypto
