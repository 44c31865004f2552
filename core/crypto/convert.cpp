#include "core/crypto/internal/convert.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/certificate.hpp"
#include "core/crypto/internal/der.hpp"

#include <openssl/decoder.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <mutex>
#include <utility>

namespace connector::crypto {
namespace {

constexpr std::string_view k_upn_oid = "1.3.6.1.4.1.311.20.2.3";
constexpr std::string_view k_smtp_utf8_oid = "1.3.6.1.5.5.7.8.9";

bool ascii(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80U; });
}
bool has_nul(std::string_view text) noexcept {
    return text.find('\0') != std::string_view::npos;
}

bool utf8(std::string_view text) noexcept {
    ByteView rest = bytes_of(text);
    while (!rest.empty()) {
        unsigned long code_point = 0;
        const int used = UTF8_getc(rest.data(), static_cast<int>(std::min<std::size_t>(rest.size(), 6)), &code_point);
        if (used <= 0 || code_point > 0x10FFFFUL || (code_point >= 0xD800UL && code_point <= 0xDFFFUL)) return false;
        rest = rest.subspan(static_cast<std::size_t>(used));
    }
    return true;
}

// RFC 5280 Appendix A: the one string type that the attribute's definition allows, else UTF8String.
int string_type_of(std::string_view attribute) noexcept {
    constexpr std::string_view k_country = "2.5.4.6";
    constexpr std::string_view k_dn_qualifier = "2.5.4.46";
    if (attribute == k_country || attribute == oid::k_serial_number || attribute == k_dn_qualifier)
        return V_ASN1_PRINTABLESTRING;
    if (attribute == oid::k_email_address || attribute == oid::k_domain_component) return V_ASN1_IA5STRING;
    return V_ASN1_UTF8STRING;
}

bool fits_type(std::string_view value, int type) noexcept {
    if (type == V_ASN1_PRINTABLESTRING) return printable_string(value);
    if (type == V_ASN1_IA5STRING) return ascii(value);
    return utf8(value);
}

GeneralNamePtr make_ia5_name(int form, std::string_view value) {
    GeneralNamePtr name(GENERAL_NAME_new());
    auto string = make_string(V_ASN1_IA5STRING, value);
    if (!name || !string) return nullptr;
    GENERAL_NAME_set0_value(name.get(), form, string.release());
    return name;
}

std::string_view word_of(NameForm form) noexcept {
    switch (form) {
        case NameForm::email: return "email";
        case NameForm::smtp_utf8: return "SmtpUTF8Mailbox";
        case NameForm::upn: return "upn";
        case NameForm::dns: return "dns";
        case NameForm::uri: return "uri";
        case NameForm::other: return "other";
    }
    return "other";
}

Result<GeneralNamePtr> to_general_name(const GeneralName& name) {
    const auto wrong = [&](std::string_view why) {
        return invalid("alternative name (" + std::string(word_of(name.form)) + "): " + std::string(why));
    };
    if (name.value.empty()) return wrong("empty");
    if (has_nul(name.value)) return wrong("holds a NUL");
    GeneralNamePtr made;
    switch (name.form) {
        case NameForm::email:
        case NameForm::dns:
        case NameForm::uri: {
            if (!ascii(name.value)) return wrong("not ASCII");
            const int form = name.form == NameForm::email ? GEN_EMAIL : name.form == NameForm::dns ? GEN_DNS : GEN_URI;
            made = make_ia5_name(form, name.value);
            break;
        }
        case NameForm::smtp_utf8:
        case NameForm::upn:
            if (!utf8(name.value)) return wrong("not UTF-8");
            made = make_other_name(name.form == NameForm::upn ? k_upn_oid : k_smtp_utf8_oid, V_ASN1_UTF8STRING,
                                   name.value);
            break;
        case NameForm::other: return wrong("cannot be asked for");
    }
    if (!made) return openssl_internal("alternative name");
    return made;
}

Result<GeneralName> from_other_name(const OTHERNAME* name) {
    const std::string type = dotted(name->type_id);
    const bool mailbox = type == k_smtp_utf8_oid;
    if (!mailbox && type != k_upn_oid) return GeneralName{NameForm::other, "otherName:" + type};
    if (name->value == nullptr || name->value->type != V_ASN1_UTF8STRING)
        return invalid("subjectAltName: otherName " + type + " is not a UTF8String");
    const std::string_view text = text_of(octets_of(name->value->value.utf8string));
    if (text.empty() || has_nul(text) || !utf8(text))
        return invalid("subjectAltName: otherName " + type + " is broken");
    return GeneralName{mailbox ? NameForm::smtp_utf8 : NameForm::upn, std::string(text)};
}

Result<GeneralName> from_general_name(const GENERAL_NAME* name) {
    int type = -1;
    const void* value = GENERAL_NAME_get0_value(name, &type);
    switch (type) {
        case GEN_EMAIL:
        case GEN_DNS:
        case GEN_URI: {
            const std::string_view text = text_of(octets_of(static_cast<const ASN1_STRING*>(value)));
            if (text.empty() || has_nul(text) || !ascii(text)) return invalid("subjectAltName: not an IA5String");
            const auto form = type == GEN_EMAIL ? NameForm::email : type == GEN_DNS ? NameForm::dns : NameForm::uri;
            return GeneralName{form, std::string(text)};
        }
        case GEN_OTHERNAME: return from_other_name(static_cast<const OTHERNAME*>(value));
        case GEN_IPADD:
            return GeneralName{NameForm::other,
                               "iPAddress:" + to_hex(octets_of(static_cast<const ASN1_STRING*>(value)))};
        case GEN_DIRNAME: return GeneralName{NameForm::other, "directoryName"};
        case GEN_RID:
            return GeneralName{NameForm::other, "registeredID:" + dotted(static_cast<const ASN1_OBJECT*>(value))};
        case GEN_X400: return GeneralName{NameForm::other, "x400Address"};
        case GEN_EDIPARTY: return GeneralName{NameForm::other, "ediPartyName"};
        default: return invalid("subjectAltName: an unknown form");
    }
}

std::string named_curve(int nid) {
    switch (nid) {
        case NID_X9_62_prime256v1: return "P-256";
        case NID_secp384r1: return "P-384";
        case NID_secp521r1: return "P-521";
        default: return {};
    }
}

bool exponent_fits(const EVP_PKEY* key) {
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, "e", &raw) != 1) return false;
    const BigNumber exponent(raw);
    constexpr BN_ULONG k_least = 65537;
    const BigNumber least(BN_new());
    return least && BN_set_word(least.get(), k_least) == 1 && BN_is_odd(exponent.get()) != 0 &&
           BN_cmp(exponent.get(), least.get()) >= 0;
}

}  // namespace

bool printable_string(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               std::string_view(" '()+,-./:=?").find(c) != std::string_view::npos;
    });
}

Asn1String make_string(int type, std::string_view value) {
    Asn1String string(ASN1_STRING_type_new(type));
    if (string && ASN1_STRING_set(string.get(), value.data(), static_cast<int>(value.size())) != 1) return nullptr;
    return string;
}

GeneralNamePtr make_other_name(std::string_view type_oid, int string_type, std::string_view value) {
    GeneralNamePtr name(GENERAL_NAME_new());
    auto type = object_from(type_oid);
    auto string = make_string(string_type, value);
    Owned<ASN1_TYPE, ASN1_TYPE_free> any(ASN1_TYPE_new());
    if (!name || !type || !string || !any) return nullptr;
    ASN1_TYPE_set(any.get(), string_type, string.release());
    if (GENERAL_NAME_set0_othername(name.get(), type.get(), any.get()) != 1) return nullptr;
    static_cast<void>(type.release());
    static_cast<void>(any.release());
    return name;
}

Result<X509NamePtr> to_x509_name(const Name& name) {
    X509NamePtr made(X509_NAME_new());
    if (!made) return openssl_internal("name");
    for (const auto& rdn : name.rdns) {
        if (rdn.empty()) return invalid("name: an empty RDN");
        int set = 0;
        for (const auto& attribute : rdn) {
            const auto type = object_from(attribute.type);
            if (!type) return invalid("name: attribute type is not a dotted OID");
            const int string_type = string_type_of(attribute.type);
            if (attribute.value.empty() || has_nul(attribute.value) || !fits_type(attribute.value, string_type))
                return invalid("name: attribute " + attribute.type + " cannot hold this value");
            // 0 opens an RDN, -1 adds to the last one.
            if (X509_NAME_add_entry_by_OBJ(made.get(), type.get(), string_type, bytes_of(attribute.value).data(),
                                           static_cast<int>(attribute.value.size()), -1, set) != 1)
                return openssl_invalid("name: attribute " + attribute.type);
            set = -1;
        }
    }
    return made;
}

Result<Name> from_x509_name(const X509_NAME* name) {
    Name read;
    int last_set = -1;
    for (int i = 0; i < X509_NAME_entry_count(name); ++i) {
        const X509_NAME_ENTRY* entry = X509_NAME_get_entry(name, i);
        std::string type = dotted(X509_NAME_ENTRY_get_object(entry));
        unsigned char* raw = nullptr;
        const int size = ASN1_STRING_to_UTF8(&raw, X509_NAME_ENTRY_get_data(entry));
        if (size < 0 || type.empty()) return openssl_invalid("name: attribute " + type + " does not parse");
        std::string value(text_of(ByteView(raw, static_cast<std::size_t>(size))));
        CRYPTO_free(raw, __FILE__, __LINE__);
        if (has_nul(value) || !utf8(value)) return invalid("name: attribute " + type + " is not text");
        const int set = X509_NAME_ENTRY_set(entry);
        if (set != last_set) read.rdns.emplace_back();
        last_set = set;
        read.rdns.back().push_back(Attribute{std::move(type), std::move(value)});
    }
    return read;
}

Result<GeneralNames> to_general_names(const std::vector<GeneralName>& names) {
    GeneralNames made(GENERAL_NAMES_new());
    if (!made) return openssl_internal("alternative names");
    for (const auto& name : names) {
        auto one = to_general_name(name);
        if (!one) return one.error();
        if (sk_GENERAL_NAME_push(made.get(), one->get()) == 0) return openssl_internal("alternative names");
        static_cast<void>(one->release());
    }
    return made;
}

Result<std::vector<GeneralName>> from_general_names(const GENERAL_NAMES* names) {
    std::vector<GeneralName> read;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        auto one = from_general_name(sk_GENERAL_NAME_value(names, i));
        if (!one) return one.error();
        read.push_back(std::move(*one));
    }
    return read;
}

Asn1Time to_asn1_time(UtcTime time) {
    const std::time_t seconds{time.time_since_epoch().count()};
    return Asn1Time(ASN1_TIME_adj(nullptr, seconds, 0, 0));
}

std::optional<UtcTime> from_asn1_time(const ASN1_TIME* time) {
    std::tm parts{};
    if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
    using namespace std::chrono;
    const year_month_day date{year{parts.tm_year + 1900}, month{static_cast<unsigned>(parts.tm_mon + 1)},
                              day{static_cast<unsigned>(parts.tm_mday)}};
    if (!date.ok()) return std::nullopt;
    return sys_days{date} + hours{parts.tm_hour} + minutes{parts.tm_min} + seconds{parts.tm_sec};
}

Asn1Integer to_serial(ByteView octets) {
    if (octets.size() > 64) return nullptr;
    const BigNumber number(BN_bin2bn(octets.data(), static_cast<int>(octets.size()), nullptr));
    if (!number || BN_is_zero(number.get())) return nullptr;
    Asn1Integer serial(BN_to_ASN1_INTEGER(number.get(), nullptr));
    if (!serial || !serial_fits(serial.get())) return nullptr;
    return serial;
}

std::string serial_text(const ASN1_INTEGER* serial) {
    const BigNumber number(ASN1_INTEGER_to_BN(serial, nullptr));
    if (!number) return {};
    Bytes octets(static_cast<std::size_t>(BN_num_bytes(number.get())));
    BN_bn2bin(number.get(), octets.data());
    if (octets.empty()) octets.push_back(0);
    return (BN_is_negative(number.get()) != 0 ? "-" : "") + to_hex(octets);
}

bool serial_fits(const ASN1_INTEGER* serial) {
    constexpr int k_most_bits = 20 * 8 - 1;  // RFC 5280 4.1.2.2: 20 octets, of which the first bit is the sign
    const BigNumber number(ASN1_INTEGER_to_BN(serial, nullptr));
    return number && BN_is_negative(number.get()) == 0 && BN_is_zero(number.get()) == 0 &&
           BN_num_bits(number.get()) <= k_most_bits;
}

namespace {

PublicKeyFacts facts_of(ByteView spki, const X509_ALGOR* identifier, const EVP_PKEY* handle) {
    PublicKeyFacts facts;
    facts.spki_sha256 = sha256(spki);
    if (identifier == nullptr || handle == nullptr) return facts;
    facts.bits = static_cast<unsigned>(std::max(0, EVP_PKEY_get_bits(handle)));
    switch (OBJ_obj2nid(identifier->algorithm)) {
        case NID_rsaEncryption:
            facts.algorithm = KeyAlgorithm::rsa;
            facts.exponent_fit = exponent_fits(handle);
            break;
        case NID_rsassaPss:
            facts.algorithm = KeyAlgorithm::rsa_pss;
            facts.exponent_fit = exponent_fits(handle);
            break;
        case NID_X9_62_id_ecPublicKey: {
            facts.algorithm = KeyAlgorithm::ec;
            // By the encoding, not by what the library makes of it: explicit parameters (RFC 5480 2.1.1 forbids
            // them) that happen to be a known curve's are turned into that curve.
            const ASN1_OBJECT* curve = nullptr;
            int type = V_ASN1_UNDEF;
            const void* value = nullptr;
            X509_ALGOR_get0(nullptr, &type, &value, identifier);
            if (type == V_ASN1_OBJECT) curve = static_cast<const ASN1_OBJECT*>(value);
            if (curve != nullptr) facts.curve = named_curve(OBJ_obj2nid(curve));
            break;
        }
        default: break;
    }
    return facts;
}

}  // namespace

PublicKeyFacts key_facts(X509_PUBKEY* key) {
    X509_ALGOR* identifier = nullptr;
    const bool known = X509_PUBKEY_get0_param(nullptr, nullptr, nullptr, &identifier, key) == 1;
    return facts_of(der_of(key, i2d_X509_PUBKEY), known ? identifier : nullptr, X509_PUBKEY_get0(key));
}

PublicKeyFacts key_facts(ByteView spki, const EVP_PKEY* handle) {
    const auto whole = der::Reader(spki).take(der::k_sequence);
    const auto algorithm = whole ? der::Reader(whole->content).take(der::k_sequence) : std::nullopt;
    const unsigned char* at = algorithm ? algorithm->whole.data() : nullptr;
    const Owned<X509_ALGOR, X509_ALGOR_free> identifier(
        algorithm ? d2i_X509_ALGOR(nullptr, &at, static_cast<long>(algorithm->whole.size())) : nullptr);
    return facts_of(spki, identifier.get(), handle);
}

PKey private_key_from(const PKCS8_PRIV_KEY_INFO* info) {
    const ASN1_OBJECT* algorithm = nullptr;
    if (PKCS8_pkey_get0(&algorithm, nullptr, nullptr, nullptr, info) != 1) return nullptr;
    const char* type = nullptr;
    switch (OBJ_obj2nid(algorithm)) {
        case NID_rsaEncryption: type = "RSA"; break;
        case NID_X9_62_id_ecPublicKey: type = "EC"; break;
        case NID_ED25519: type = "ED25519"; break;
        case NID_ED448: type = "ED448"; break;
        default: return PKey(EVP_PKCS82PKEY(info));
    }
    const int size = i2d_PKCS8_PRIV_KEY_INFO(info, nullptr);
    if (size <= 0) return nullptr;
    SecretBytes der(static_cast<std::size_t>(size));
    unsigned char* out = der.data();
    if (i2d_PKCS8_PRIV_KEY_INFO(info, &out) != size) return nullptr;
    EVP_PKEY* made = nullptr;
    const Owned<OSSL_DECODER_CTX, OSSL_DECODER_CTX_free> decoder(
        OSSL_DECODER_CTX_new_for_pkey(&made, "DER", "PrivateKeyInfo", type, EVP_PKEY_KEYPAIR, nullptr, nullptr));
    const unsigned char* at = der.data();
    std::size_t left = der.size();
    const bool decoded = decoder && OSSL_DECODER_from_data(decoder.get(), &at, &left) == 1;
    PKey key(made);
    return decoded ? std::move(key) : nullptr;
}

namespace {

Result<Certificate> parse_anew(ByteView der) {
    if (der.empty() || der.size() > k_largest_certificate) return invalid("certificate: empty or larger than 64 KiB");
    if (!der::well_framed(der)) return invalid("certificate: not DER, or octets after it");
    const unsigned char* at = der.data();
    Certificate certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    if (!certificate || at != der.data() + der.size()) return openssl_invalid("certificate: does not parse");
    // Outside the signed part an octet could be changed without a key: then the SHA-256 would be another.
    const Bytes again = der_of(certificate.get(), i2d_X509);
    if (!std::equal(again.begin(), again.end(), der.begin(), der.end()))
        return invalid("certificate: encoded again it gives other octets");
    return certificate;
}

// Good ones parsed last, by all of their octets. A request meets the same few certificates thirty times, and
// OpenSSL 3.0 takes a tenth of a millisecond to decode the key in each: it was a third of the daemon's work.
class ParsedLately {
public:
    [[nodiscard]] Certificate find(ByteView der) {
        const std::lock_guard lock(mutex_);
        for (const auto& [octets, certificate] : kept_)
            if (certificate && octets.size() == der.size() && std::equal(octets.begin(), octets.end(), der.begin()) &&
                X509_up_ref(certificate.get()) == 1)
                return Certificate(certificate.get());
        return nullptr;
    }
    void keep(ByteView der, const Certificate& certificate) {
        if (der.size() > k_largest_kept || X509_up_ref(certificate.get()) != 1) return;
        std::pair entry(Bytes(der.begin(), der.end()), Certificate(certificate.get()));
        const std::lock_guard lock(mutex_);
        std::swap(kept_[next_], entry);
        next_ = (next_ + 1) % kept_.size();
    }

private:
    static constexpr std::size_t k_largest_kept = 4UL * 1024;
    std::mutex mutex_;
    // What a full house of requests has in hand, and its authorities.
    std::array<std::pair<Bytes, Certificate>, 160> kept_;
    std::size_t next_ = 0;
};

}  // namespace

Result<Certificate> parse_certificate(ByteView der) {
    // Never destroyed: OpenSSL cleans up at exit too, and nobody says who is first.
    static ParsedLately& lately = *new ParsedLately;
    if (auto known = lately.find(der)) return known;
    auto certificate = parse_anew(der);
    if (certificate) lately.keep(der, *certificate);
    return certificate;
}

Result<Certificates> parse_certificates(const std::vector<Bytes>& ders) {
    Certificates stack(sk_X509_new_null());
    if (!stack) return openssl_internal("certificates");
    for (const auto& der : ders) {
        auto certificate = parse_certificate(der);
        if (!certificate) return certificate.error();
        if (sk_X509_push(stack.get(), certificate->get()) == 0) return openssl_internal("certificates");
        static_cast<void>(certificate->release());
    }
    return stack;
}

const EVP_MD* signing_digest(const EVP_PKEY* key) {
    constexpr int k_p384 = 384;
    constexpr int k_p521 = 521;
    switch (EVP_PKEY_get_base_id(key)) {
        case EVP_PKEY_ED25519:
        case EVP_PKEY_ED448: return nullptr;
        case EVP_PKEY_EC:
            if (EVP_PKEY_get_bits(key) == k_p384) return EVP_sha384();
            if (EVP_PKEY_get_bits(key) == k_p521) return EVP_sha512();
            return EVP_sha256();
        default: return EVP_sha256();
    }
}

bool strong_digest(int nid) noexcept {
    switch (nid) {
        case NID_sha256:
        case NID_sha384:
        case NID_sha512:
        case NID_sha512_256:
        case NID_sha3_256:
        case NID_sha3_384:
        case NID_sha3_512: return true;
        default: return false;
    }
}

bool proves_possession(const PrivateKey& key, ByteView certificate) {
    const CleanErrors clean;
    auto parsed = parse_certificate(certificate);
    if (!parsed) return false;
    EVP_PKEY* public_half = X509_get0_pubkey(parsed->get());
    if (public_half == nullptr || EVP_PKEY_eq(public_half, key.native()) != 1) return false;
    const Bytes challenge = random(32);
    const EVP_MD* digest = signing_digest(key.native());
    const Owned<EVP_MD_CTX, EVP_MD_CTX_free> signing(EVP_MD_CTX_new());
    const Owned<EVP_MD_CTX, EVP_MD_CTX_free> verifying(EVP_MD_CTX_new());
    std::size_t size = 0;
    if (!signing || !verifying || EVP_DigestSignInit(signing.get(), nullptr, digest, nullptr, key.native()) != 1 ||
        EVP_DigestSign(signing.get(), nullptr, &size, challenge.data(), challenge.size()) != 1)
        return false;
    Bytes signature(size);
    return EVP_DigestSign(signing.get(), signature.data(), &size, challenge.data(), challenge.size()) == 1 &&
           EVP_DigestVerifyInit(verifying.get(), nullptr, digest, nullptr, public_half) == 1 &&
           EVP_DigestVerify(verifying.get(), signature.data(), size, challenge.data(), challenge.size()) == 1;
}

}  // namespace connector::crypto
