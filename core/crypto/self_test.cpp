#include "core/crypto/self_test.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/cms.hpp"
#include "core/crypto/internal/der.hpp"
#include "core/crypto/issue.hpp"
#include "core/crypto/pfx.hpp"

#include <algorithm>
#include <chrono>

namespace connector::crypto {
namespace {

Error failed(std::string_view part) {
    return Error(ErrorKind::internal, "selfTestFailed",
                 "cryptographic self test: " + std::string(part) + " is not as it must be");
}

Bytes hex(std::string_view text) {
    return from_hex(text).value_or(Bytes());
}

// NIST SP 800-38D validation, "Test Case 16" of the GCM specification; FIPS 180-4's "abc".
Result<void> known_answers() {
    const auto key =
        SecretBytes::copy_of(ByteView(hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308")));
    const Bytes nonce = hex("cafebabefacedbaddecaf888");
    const Bytes context = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    const Bytes plaintext =
        hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
            "b16aedf5aa0de657ba637b39");
    const Bytes expected =
        hex("cafebabefacedbaddecaf888"
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
            "c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b");
    const auto sealed = aead_seal_with_nonce(key, nonce, plaintext, context);
    if (!sealed || *sealed != expected) return failed("AES-256-GCM");
    const auto opened = aead_open(key, expected, context);
    Bytes spoilt = expected;
    spoilt.back() ^= 1U;
    if (!opened || !opened->equals(plaintext) || aead_open(key, spoilt, context)) return failed("AES-256-GCM");
    if (sha256(bytes_of("abc")).hex() != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        return failed("SHA-256");
    return {};
}

// The envelope with a tag of `size` octets, said to be so where OpenSSL would look for it.
Bytes with_short_tag(ByteView envelope, std::size_t size) {
    der::Reader outer(envelope);
    der::Reader info(outer.next()->content);
    const auto type = info.next();
    der::Reader explicit_tag(info.next()->content);
    der::Reader body(explicit_tag.next()->content);
    const auto version = body.next();
    const auto recipients = body.next();
    der::Reader encrypted(body.next()->content);
    const auto content_type = encrypted.next();
    der::Reader algorithm(encrypted.next()->content);
    const auto ciphertext = encrypted.next();
    const auto cipher = algorithm.next();
    der::Reader parameters(algorithm.next()->content);
    const auto nonce = parameters.next();
    const auto tag = body.next();
    const Bytes length{static_cast<std::uint8_t>(size)};
    const Bytes new_parameters =
        der::wrap(der::k_sequence, der::join({nonce->whole, der::wrap(der::k_integer, length)}));
    const Bytes new_algorithm = der::wrap(der::k_sequence, der::join({cipher->whole, new_parameters}));
    const Bytes new_encrypted =
        der::wrap(der::k_sequence, der::join({content_type->whole, new_algorithm, ciphertext->whole}));
    const Bytes new_tag = der::wrap(der::k_octet_string, tag->content.first(size));
    const Bytes new_body =
        der::wrap(der::k_sequence, der::join({version->whole, recipients->whole, new_encrypted, new_tag}));
    return der::wrap(der::k_sequence, der::join({type->whole, der::wrap(der::context(0), new_body)}));
}

Result<void> envelopes(const PrivateKey& key, const Bytes& certificate) {
    constexpr std::size_t k_short = 4;
    const Bytes content = random(64);
    const auto envelope = envelop(content, certificate);
    if (!envelope) return failed("an envelope");
    const auto opened = open_envelope(*envelope, certificate, key);
    if (!opened || !opened->equals(content)) return failed("an envelope");
    // CVE-2026-34182: a tag of one octet can be guessed; 4 and 8 octets still pass in libraries that fixed it.
    if (open_envelope(with_short_tag(*envelope, 1), certificate, key)) return failed("a tag of one octet");
    if (open_envelope(with_short_tag(*envelope, k_short), certificate, key)) return failed("a tag of four octets");
    Bytes spoilt = *envelope;
    spoilt[spoilt.size() - k_aead_tag_size - 4] ^= 1U;  // the ciphertext's end
    if (open_envelope(spoilt, certificate, key)) return failed("a changed ciphertext");
    return {};
}

}  // namespace

Result<void> self_test() {
    if (auto answers = known_answers(); !answers) return answers.error();
    const auto key = PrivateKey::generate(KeyType::ec_p256);
    if (!key) return failed("key generation");
    CertificateOrder order;
    order.serial = random_serial();
    order.subject = Name{{{Attribute{std::string(oid::k_common_name), "self test"}}}};
    order.not_before = UtcTime{std::chrono::days{20000}};
    order.not_after = UtcTime{std::chrono::days{30000}};
    const auto certificate = issue_self_signed(order, *key);
    if (!certificate) return failed("a certificate");
    if (auto enveloped = envelopes(*key, *certificate); !enveloped) return enveloped.error();
    for (const auto style : {PfxStyle::aes256, PfxStyle::legacy3des})
        if (!pack(*key, *certificate, {}, style)) return failed("a PFX");  // reads back by itself
    return {};
}

}  // namespace connector::crypto
