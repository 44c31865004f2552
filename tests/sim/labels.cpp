#include "tests/sim/labels.hpp"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace connector::sim {
namespace {

std::string text(ByteView octets) {
    return std::string(text_of(octets));
}
Bytes octets(std::string_view text) {
    const auto view = bytes_of(text);
    return Bytes(view.begin(), view.end());
}

constexpr std::uint64_t k_multiplier = 0x9E3779B97F4A7C15ULL;

std::uint64_t mix(std::uint64_t hash, std::uint64_t word) {
    hash = (hash ^ word) * k_multiplier;
    return hash ^ (hash >> 29U);
}

std::uint64_t mix_all(std::uint64_t hash, std::string_view text) {
    while (text.size() >= sizeof(std::uint64_t)) {
        std::uint64_t word = 0;
        std::memcpy(&word, text.data(), sizeof word);
        hash = mix(hash, word);
        text.remove_prefix(sizeof word);
    }
    std::uint64_t rest = text.size();
    for (const char c : text) rest = (rest << 8U) | static_cast<std::uint8_t>(c);
    return mix(hash, rest);
}

Sha256 spread(std::uint64_t hash) {
    Sha256 digest;
    for (std::size_t lane = 0; lane < 4; ++lane) {
        const std::uint64_t word = mix(hash, lane + 1);
        std::memcpy(digest.octets.data() + lane * sizeof word, &word, sizeof word);
    }
    return digest;
}

}  // namespace

bool holds_canary(std::string_view text) noexcept {
    return !text.empty() && ::memmem(text.data(), text.size(), k_canary.data(), k_canary.size()) != nullptr;
}

Sha256 digest_of(std::string_view use, ByteView octets) {
    return spread(mix_all(mix_all(k_multiplier, use), text_of(octets)));
}

// --- Labels ---

Bytes Labels::fresh(std::string_view kind) {
    return octets(std::string(kind) + "-" + std::to_string(++last_));
}

Bytes Labels::add_certificate(CertificateFacts facts, Bytes issuer) {
    Bytes label = fresh("CERT");
    facts.der = label;
    facts.sha256 = digest_of("sha256", label);
    std::copy_n(facts.sha256.octets.begin(), facts.thumbprint.octets.size(), facts.thumbprint.octets.begin());
    if (issuer.empty()) issuer = label;
    certificates_.emplace(label, Known{std::move(facts), std::move(issuer)});
    return label;
}

const CertificateFacts* Labels::certificate(ByteView label) const {
    const auto found = certificates_.find(Bytes(label.begin(), label.end()));
    return found == certificates_.end() ? nullptr : &found->second.facts;
}

const Bytes* Labels::issuer_of(ByteView label) const {
    const auto found = certificates_.find(Bytes(label.begin(), label.end()));
    return found == certificates_.end() ? nullptr : &found->second.issuer;
}

std::string Labels::add_key(const Sha256& spki) {
    std::string label = text(fresh(std::string(k_canary) + "-KEY"));
    keys.emplace(label, spki);
    return label;
}

CertificateFacts plain_facts(std::string_view common_name, const Sha256& spki, std::uint64_t serial) {
    CertificateFacts facts;
    facts.key.algorithm = KeyAlgorithm::rsa;
    facts.key.bits = 2048;
    facts.key.exponent_fit = true;
    facts.key.spki_sha256 = spki;
    char text[24];
    std::snprintf(text, sizeof text, "%016llx", serial | 0x4000000000000000ULL);
    facts.serial_number = text;
    facts.serial_fit = true;
    if (!common_name.empty())
        facts.subject.rdns = {{Attribute{std::string(oid::k_common_name), std::string(common_name)}}};
    facts.signature_strong = true;
    facts.signature_algorithm = "label";
    facts.subject_key_identifier = Bytes(spki.octets.begin(), spki.octets.begin() + 20);
    return facts;
}

Bytes Labels::sign(std::string content, Bytes signer) {
    Bytes label = fresh("SIGNATURE");
    signatures.emplace(label, std::pair(std::move(content), std::move(signer)));
    return label;
}

// --- LabelCrypto ---

Result<ports::KeyAndCsr> LabelCrypto::generate(KeyType type, const ports::CsrContent& content) const {
    ports::KeyAndCsr made;
    made.csr = labels_.fresh("CSR");
    made.spki_sha256 = digest_of("spki", made.csr);
    made.pkcs8 = SecretBytes::copy_of(labels_.add_key(made.spki_sha256));
    labels_.csrs.emplace(made.csr, Labels::Csr{content, type, made.spki_sha256});
    return made;
}

Result<CertificateFacts> LabelCrypto::inspect(ByteView certificate) const {
    const auto* facts = labels_.certificate(certificate);
    if (facts == nullptr) return Error(ErrorKind::invalid, "invalidRequest", "not a certificate");
    return *facts;
}

bool LabelCrypto::issued_by(ByteView certificate, ByteView issuer) const {
    const auto* known = labels_.issuer_of(certificate);
    return known != nullptr && *known == Bytes(issuer.begin(), issuer.end());
}

Result<ports::VerifiedChain> LabelCrypto::verify_chain(ByteView leaf, const std::vector<Bytes>& candidates,
                                                       const std::vector<Bytes>& anchors, UtcTime now) const {
    const auto* facts = labels_.certificate(leaf);
    const auto* issuer = labels_.issuer_of(leaf);
    if (facts == nullptr || issuer == nullptr || std::find(anchors.begin(), anchors.end(), *issuer) == anchors.end())
        return Error(ErrorKind::refused, "certificateMismatch", "no chain to an anchor");
    if (labels_.comes_apart.contains(*issuer) &&
        std::find(candidates.begin(), candidates.end(), *issuer) == candidates.end())
        return Error(ErrorKind::refused, "certificateMismatch", "unable to get local issuer certificate");
    if (now < facts->not_before || now > facts->not_after)
        return Error(ErrorKind::refused, "certificateMismatch", "not valid now");
    return ports::VerifiedChain{{*issuer}};
}

bool LabelCrypto::key_fits(const SecretBytes& pkcs8, ByteView certificate) const {
    const auto* facts = labels_.certificate(certificate);
    const auto key = labels_.keys.find(std::string(pkcs8.reveal_text()));
    return facts != nullptr && key != labels_.keys.end() && key->second == facts->key.spki_sha256;
}

Result<ports::Pfx> LabelCrypto::pack(const SecretBytes& pkcs8, ByteView certificate, const std::vector<Bytes>& chain,
                                     ports::PfxStyle /*style*/) const {
    if (!key_fits(pkcs8, certificate)) return Error(ErrorKind::internal, "internal", "key and certificate do not fit");
    ports::Pfx packed;
    packed.der = labels_.fresh("PFX");
    const std::string password = text(labels_.fresh(std::string(k_canary) + "-PASSWORD"));
    packed.password = SecretBytes::copy_of(password);
    labels_.pfx.emplace(packed.der, Labels::PfxContent{std::string(pkcs8.reveal_text()),
                                                       Bytes(certificate.begin(), certificate.end()), chain, password});
    return packed;
}

Result<ports::Identity> LabelCrypto::open_pfx(ByteView pfx, const SecretBytes& password) const {
    const auto found = labels_.pfx.find(Bytes(pfx.begin(), pfx.end()));
    if (found == labels_.pfx.end()) return Error(ErrorKind::refused, "importInvalid", "no PFX");
    if (!password.equals(bytes_of(found->second.password)))
        return Error(ErrorKind::refused, "importUndecryptable", "the password or the PFX does not open");
    ports::Identity identity;
    identity.pkcs8 = SecretBytes::copy_of(found->second.key);
    identity.certificate = found->second.certificate;
    identity.chain = found->second.chain;
    return identity;
}

Result<SecretBytes> LabelCrypto::sign_attached(ByteView /*content*/, const ports::Signer& /*signer*/) const {
    return Error(ErrorKind::internal, "internal", "the packager of the simulation signs nothing");
}
Result<ports::VerifiedContent> LabelCrypto::verify_attached(ByteView cms, const std::vector<Bytes>& trusted) const {
    const auto found = labels_.signatures.find(Bytes(cms.begin(), cms.end()));
    if (found == labels_.signatures.end()) return Error(ErrorKind::refused, "signatureRefused", "no signature");
    const auto& [content, signer] = found->second;
    if (std::find(trusted.begin(), trusted.end(), signer) == trusted.end())
        return Error(ErrorKind::refused, "signatureRefused", "its signer is not trusted");
    return ports::VerifiedContent{octets(content), signer};
}
Result<Bytes> LabelCrypto::verify_detached(ByteView /*cms*/, ByteView /*content*/,
                                           const Sha256& /*signer_spki*/) const {
    return Error(ErrorKind::refused, "signatureRefused", "no signature");
}
Result<Bytes> LabelCrypto::envelop(ByteView /*content*/, ByteView /*recipient_certificate*/) const {
    return Error(ErrorKind::internal, "internal", "the packager of the simulation wraps by itself");
}
Result<SecretBytes> LabelCrypto::unwrap_oaep(const SecretBytes& /*pkcs8*/, ByteView /*ciphertext*/,
                                             ports::OaepHash /*hash*/) const {
    return Error(ErrorKind::refused, "importUndecryptable", "the key service of the simulation unwraps by itself");
}

Bytes LabelCrypto::random(std::size_t size) const {
    Bytes octets(size);
    for (auto& octet : octets) octet = static_cast<std::uint8_t>(random_.next() >> 32U);
    return octets;
}

// --- LabelKeys ---

bool LabelKeys::has(std::string_view provider, std::string_view key_name) const {
    return provider == "provider" && key_name == "key";
}

Result<SecretBytes> LabelKeys::unwrap(std::string_view /*provider*/, std::string_view /*key_name*/, ByteView ciphertext,
                                      ports::OaepHash /*hash*/) const {
    const auto found = labels_.wrapped_passwords.find(Bytes(ciphertext.begin(), ciphertext.end()));
    if (found == labels_.wrapped_passwords.end())
        return Error(ErrorKind::refused, "importUndecryptable", "the password or the PFX does not open");
    return SecretBytes::copy_of(found->second);
}

// --- LabelSealer ---

Sha256 LabelSealer::tag(ByteView body, ByteView context) const {
    return spread(mix_all(mix_all(mix(k_multiplier, key_), text_of(body)), text_of(context)));
}

Result<Bytes> LabelSealer::seal(ByteView secret, ByteView context) const {
    Bytes sealed(secret.begin(), secret.end());
    for (auto& octet : sealed) octet ^= 0xA5;
    const auto proof = tag(sealed, context);
    sealed.insert(sealed.end(), proof.octets.begin(), proof.octets.end());
    return sealed;
}

Result<SecretBytes> LabelSealer::open(ByteView sealed, ByteView context) const {
    const Error broken(ErrorKind::integrity, "sealBroken", "not what was sealed");
    constexpr std::size_t k_tag = 32;
    if (sealed.size() < k_tag) return broken;
    const auto body = sealed.first(sealed.size() - k_tag);
    if (Sha256::from(sealed.last(k_tag)) != tag(body, context)) return broken;
    auto secret = SecretBytes::copy_of(body);
    for (std::size_t i = 0; i < secret.size(); ++i) secret.data()[i] ^= 0xA5;
    return secret;
}

}  // namespace connector::sim
