// CMS (RFC 5652, RFC 5083): signed statements and envelopes for one device.
// Refuses by structure, before OpenSSL decrypts: short tags, other ciphers, second recipients, lengths that are not DER
// (OpenSSL 3.0 takes 4- and 8-octet GCM tags). Any thread; values only.
#pragma once

#include "core/crypto/key.hpp"
#include "core/ports/crypto.hpp"

#include <vector>

namespace connector::crypto {

using ports::Signer;
using ports::VerifiedContent;

// SignedData, attached, DER, SHA-256, the signer's certificate and chain in it. The result holds the content, hence
// SecretBytes. kind: invalid where key and certificate do not belong together; else internal.
[[nodiscard]] Result<SecretBytes> sign_attached(ByteView content, const Signer& signer);
// The same without the content in it (keyChangeProof).
[[nodiscard]] Result<Bytes> sign_detached(ByteView content, const Signer& signer);

// Exactly one signer, SHA-256 or better, content of type data, DER; verified by the key of the one among `trusted` that
// the message names: certificates inside the message are never used, so the signer's is octet for octet a trusted one.
// No chain, no dates. kind: refused, code signatureRefused.
[[nodiscard]] Result<VerifiedContent> verify_attached(ByteView cms, const std::vector<Bytes>& trusted);
// Detached, over `content`, by the key whose SubjectPublicKeyInfo has this SHA-256; its certificate is in the message
// or among `candidates`. Gives that certificate. kind: refused, code signatureRefused.
[[nodiscard]] Result<Bytes> verify_detached(ByteView cms, ByteView content, const Sha256& signer_spki,
                                            const std::vector<Bytes>& candidates);

// AuthEnvelopedData, AES-256-GCM (nonce 12, tag 16), one recipient by subjectKeyIdentifier, else issuer and serial.
// RSA: OAEP, SHA-256, MGF1 SHA-256, empty label. EC P-256/384/521: ephemeral ECDH, X9.63 KDF SHA-256, aes256-wrap.
// Our own output is checked by structure before it is given out. The certificate itself is not judged here.
// kind: invalid, code unsupported, for RSA-PSS, Ed25519, X25519 and curves without a name; else internal.
[[nodiscard]] Result<Bytes> envelop(ByteView content, ByteView recipient_certificate);
// What envelop() makes, and nothing else, opened by the device: for tests, the self test and agents.
// kind: refused, code envelopeRefused, one text for what fails after the structure.
[[nodiscard]] Result<SecretBytes> open_envelope(ByteView cms, ByteView certificate, const PrivateKey& key);
// The structure alone. kind: refused, code envelopeRefused, naming what is not as it must be.
[[nodiscard]] Result<void> check_envelope(ByteView cms);

// EnvelopedData, AES-256-CBC, RSA PKCS#1 v1.5, issuer and serial: what Windows' CSP and Apple's profiles can open
// (no integrity of its own: the PFX's MAC and the profile's signature are there for that).
// kind: invalid, code unsupported, unless the recipient's key is RSA; else internal.
[[nodiscard]] Result<Bytes> envelop_for_platform(ByteView content, ByteView recipient_certificate);
// For tests. kind: refused, code envelopeRefused.
[[nodiscard]] Result<SecretBytes> open_platform_envelope(ByteView cms, ByteView certificate, const PrivateKey& key);

}  // namespace connector::crypto
