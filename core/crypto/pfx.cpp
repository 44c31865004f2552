// How a PFX from outside is opened. Its key derivation costs are chosen by whoever made it and would be paid before
// anything is authenticated, so they are read and added up first, in two rounds:
//
//   structure -> costs that can be seen -> MAC -> encrypted safes -> costs that were hidden in them -> the one key
//
// Nothing is derived in a round before that round's costs are within the limits.
#include "core/crypto/pfx.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/certificate.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/issue.hpp"

#include <openssl/core_names.h>
#include <openssl/provider.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

namespace connector::crypto {
namespace {

struct FaultText {
    PfxFault fault;
    std::string_view text;
};
constexpr std::array k_fault_texts{
    // One text: which of the causes it was would help only who guesses passwords.
    FaultText{PfxFault::undecryptable, "the record's password or PFX does not open"},
    FaultText{PfxFault::iterations_no_number, "PFX: iteration count is not a positive number"},
    FaultText{PfxFault::iterations, "PFX: more than 1,000,000 iterations"},
    FaultText{PfxFault::iterations_in_sum, "PFX: more than 2,000,000 iterations in sum"},
    FaultText{PfxFault::too_large, "PFX: larger than 256 KiB"},
    FaultText{PfxFault::no_mac, "PFX: no MAC"},
    FaultText{PfxFault::too_many_bags, "PFX: more than 20 bags"},
    FaultText{PfxFault::pbmac1,
              "PFX: its MAC is PBMAC1 (RFC 9579), which is not supported; export it with a classic MAC"},
    FaultText{PfxFault::for_a_key, "PFX: encrypted for a key instead of a password"},
    FaultText{PfxFault::unknown_encryption, "PFX: unknown encryption"},
    FaultText{PfxFault::unknown_derivation, "PFX: unknown key derivation (PBKDF2 alone is taken)"},
    FaultText{PfxFault::bags_in_bags, "PFX: bags in bags in bags"},
    FaultText{PfxFault::rc2_missing, "PFX: encrypted with RC2, which this system's OpenSSL cannot read"},
    FaultText{PfxFault::no_key, "PFX: no private key"},
    FaultText{PfxFault::two_identities, "PFX: two identities; one file must hold one"},
    FaultText{PfxFault::key_too_large, "PFX: key of more than 8192 bits"},
    FaultText{PfxFault::unknown_key, "PFX: key of an unknown kind"},
    FaultText{PfxFault::foreign_key, "PFX: the key is not its certificate's"},
    FaultText{PfxFault::two_certificates, "PFX: two certificates for the key; one file must hold one identity"},
    FaultText{PfxFault::foreign_private_half, "PFX: the key's private half is not its certificate's"},
};

}  // namespace

Error error_of(PfxFault fault) {
    for (const auto& [known, text] : k_fault_texts)
        if (known == fault)
            return Error(ErrorKind::invalid, fault == PfxFault::undecryptable ? "importUndecryptable" : "importInvalid",
                         std::string(text));
    return Error(ErrorKind::internal, "internal", "PFX: a fault without a name");
}

std::optional<PfxFault> fault_of(const Error& error) noexcept {
    for (const auto& [fault, text] : k_fault_texts)
        if (error.message == text) return fault;
    return std::nullopt;
}

namespace {

constexpr unsigned k_largest_key = 8192;
constexpr std::size_t k_longest_password = 1024;

class Costs {
public:
    // One derivation of so many iterations.
    [[nodiscard]] Result<void> add(const ASN1_INTEGER* iterations) {
        std::int64_t count = 0;
        if (iterations == nullptr || ASN1_INTEGER_get_int64(&count, iterations) != 1 || count <= 0)
            return error_of(PfxFault::iterations_no_number);
        const auto positive = static_cast<std::uint64_t>(count);
        if (positive > k_pfx_most_iterations) return error_of(PfxFault::iterations);
        sum_ += positive;
        if (sum_ > k_pfx_iterations_in_sum) return error_of(PfxFault::iterations_in_sum);
        return {};
    }
    [[nodiscard]] Result<void> add_one() {
        sum_ += 1;
        return {};
    }

private:
    std::uint64_t sum_ = 0;
};

// RC2 lives in the legacy provider. A context of its own keeps the rest of the process from ever choosing such things.
class WeakCiphers {
public:
    [[nodiscard]] static std::unique_ptr<WeakCiphers> load() {
        std::unique_ptr<WeakCiphers> loaded(new WeakCiphers);
        if (!loaded->context_) return nullptr;
        loaded->standard_.reset(OSSL_PROVIDER_load(loaded->context_.get(), "default"));
        loaded->legacy_.reset(OSSL_PROVIDER_load(loaded->context_.get(), "legacy"));
        if (!loaded->standard_ || !loaded->legacy_) return nullptr;
        return loaded;
    }
    [[nodiscard]] OSSL_LIB_CTX* context() const noexcept { return context_.get(); }

private:
    WeakCiphers() : context_(OSSL_LIB_CTX_new()) {}
    // Providers go before their context: the order of these members.
    Owned<OSSL_LIB_CTX, OSSL_LIB_CTX_free> context_;
    Owned<OSSL_PROVIDER, OSSL_PROVIDER_unload> standard_;
    Owned<OSSL_PROVIDER, OSSL_PROVIDER_unload> legacy_;
};

// What the password's octets may stand for; `text` null is PKCS#12's "no password", which is not the empty one.
struct Candidate {
    const char* text = nullptr;
    int size = 0;
};
class Candidates {
public:
    explicit Candidates(const SecretBytes& password) {
        if (password.empty()) {
            list_ = {Candidate{"", 0}, Candidate{nullptr, 0}};
            return;
        }
        list_.push_back(candidate(password));
        const ByteView octets = password.view();
        if (std::all_of(octets.begin(), octets.end(), [](std::uint8_t octet) { return octet < 0x80U; })) return;
        // Microsoft's import tool makes one octet of each UTF-16 unit: what it sends is Latin-1.
        latin1_ = SecretBytes(octets.size() * 2);
        std::size_t filled = 0;
        for (const auto octet : octets) {
            if (octet >= 0x80U) latin1_.data()[filled++] = static_cast<std::uint8_t>(0xC0U | octet >> 6U);
            latin1_.data()[filled++] = static_cast<std::uint8_t>(octet < 0x80U ? octet : 0x80U | (octet & 0x3FU));
        }
        latin1_.truncate(filled);
        list_.push_back(candidate(latin1_));
    }
    [[nodiscard]] const std::vector<Candidate>& list() const noexcept { return list_; }

private:
    static Candidate candidate(const SecretBytes& octets) {
        return {octets.reveal_text().data(), static_cast<int>(octets.size())};
    }
    SecretBytes latin1_;
    std::vector<Candidate> list_;
};

class Opening {
public:
    explicit Opening(const SecretBytes& password) : candidates_(password) {}

    [[nodiscard]] Result<Identity> run(ByteView pfx) {
        if (auto opened = unlock(pfx); !opened) return opened.error();
        auto key = open_key();
        if (!key) return key.error();
        return assemble(*key);
    }

    // What was just written, read back: nothing but these octets is in it, so whoever could use them before can now.
    [[nodiscard]] Result<bool> holds(ByteView pfx, const SecretBytes& pkcs8, ByteView leaf,
                                     const std::vector<Bytes>& issuers) {
        if (auto opened = unlock(pfx); !opened) return opened.error();
        const auto info = key_info();
        if (!info) return info.error();
        const int size = *info == nullptr ? 0 : i2d_PKCS8_PRIV_KEY_INFO(*info, nullptr);
        if (size <= 0) return false;
        SecretBytes read(static_cast<std::size_t>(size));
        unsigned char* out = read.data();
        if (i2d_PKCS8_PRIV_KEY_INFO(*info, &out) != size || !pkcs8.equals(read.view())) return false;
        return certificates_.size() == issuers.size() + 1 &&
               std::equal(leaf.begin(), leaf.end(), certificates_.front().begin(), certificates_.front().end()) &&
               std::equal(issuers.begin(), issuers.end(), std::next(certificates_.begin()));
    }

private:
    // MAC verified and every safe open; the key is still encrypted by itself.
    Result<void> unlock(ByteView pfx) {
        if (auto read = parse(pfx); !read) return read.error();
        if (auto fine = count_what_shows(); !fine) return fine.error();
        if (!mac_verifies()) return error_of(PfxFault::undecryptable);
        return open_safes();
    }

    Result<void> parse(ByteView pfx) {
        if (pfx.size() > k_pfx_largest) return error_of(PfxFault::too_large);
        const unsigned char* at = pfx.data();
        // BER is taken: older exports have it.
        file_.reset(pfx.empty() ? nullptr : d2i_PKCS12(nullptr, &at, static_cast<long>(pfx.size())));
        if (!file_ || at != pfx.data() + pfx.size()) return error_of(PfxFault::undecryptable);
        if (PKCS12_mac_present(file_.get()) != 1) return error_of(PfxFault::no_mac);
        safes_.reset(PKCS12_unpack_authsafes(file_.get()));
        if (!safes_) return error_of(PfxFault::undecryptable);
        if (static_cast<std::size_t>(sk_PKCS7_num(safes_.get())) > k_pfx_most_bags)
            return error_of(PfxFault::too_many_bags);
        return {};
    }

    Result<void> count_what_shows() {
        const X509_ALGOR* algorithm = nullptr;
        const ASN1_INTEGER* iterations = nullptr;
        PKCS12_get0_mac(nullptr, &algorithm, nullptr, &iterations, file_.get());
        if (algorithm == nullptr) return error_of(PfxFault::no_mac);
        if (dotted(algorithm->algorithm) == k_oid_pbmac1) return error_of(PfxFault::pbmac1);
        // RFC 7292 4: one where it is left out.
        if (auto counted = iterations == nullptr ? costs_.add_one() : costs_.add(iterations); !counted)
            return counted.error();
        for (int i = 0; i < sk_PKCS7_num(safes_.get()); ++i) {
            PKCS7* safe = sk_PKCS7_value(safes_.get(), i);
            if (PKCS7_type_is_encrypted(safe)) {
                if (safe->d.encrypted == nullptr || safe->d.encrypted->enc_data == nullptr)
                    return error_of(PfxFault::undecryptable);
                if (auto counted = count(safe->d.encrypted->enc_data->algorithm); !counted) return counted.error();
            } else if (PKCS7_type_is_data(safe)) {
                Bags bags(PKCS12_unpack_p7data(safe));
                if (!bags) return error_of(PfxFault::undecryptable);
                if (auto taken = take(bags.get(), 0); !taken) return taken.error();
                kept_.push_back(std::move(bags));
            } else {
                return error_of(PfxFault::for_a_key);
            }
        }
        return {};
    }

    // The derivation and the cipher of one layer. Everything that is not known is refused: its cost is not known
    // either.
    Result<void> count(const X509_ALGOR* algorithm) {
        const ASN1_OBJECT* type = nullptr;
        int parameter_type = V_ASN1_UNDEF;
        const void* parameter = nullptr;
        if (algorithm == nullptr) return error_of(PfxFault::undecryptable);
        X509_ALGOR_get0(&type, &parameter_type, &parameter, algorithm);
        if (parameter_type != V_ASN1_SEQUENCE) return error_of(PfxFault::unknown_encryption);
        const ByteView octets = octets_of(static_cast<const ASN1_STRING*>(parameter));
        const unsigned char* at = octets.data();
        const auto size = static_cast<long>(octets.size());
        switch (OBJ_obj2nid(type)) {
            case NID_pbes2: return count_pbes2(octets);
            case NID_pbe_WithSHA1And40BitRC2_CBC:
            case NID_pbe_WithSHA1And128BitRC2_CBC: weak_ = needs_weak_ciphers_ = true; [[fallthrough]];
            case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
            case NID_pbe_WithSHA1And2_Key_TripleDES_CBC: {
                const Owned<PBEPARAM, PBEPARAM_free> scheme(d2i_PBEPARAM(nullptr, &at, size));
                if (!scheme) return error_of(PfxFault::undecryptable);
                return costs_.add(scheme->iter);
            }
            default: return error_of(PfxFault::unknown_encryption);
        }
    }

    Result<void> count_pbes2(ByteView octets) {
        const unsigned char* at = octets.data();
        const Owned<PBE2PARAM, PBE2PARAM_free> scheme(d2i_PBE2PARAM(nullptr, &at, static_cast<long>(octets.size())));
        if (!scheme) return error_of(PfxFault::undecryptable);
        switch (OBJ_obj2nid(scheme->encryption->algorithm)) {
            case NID_aes_128_cbc:
            case NID_aes_192_cbc:
            case NID_aes_256_cbc:
            case NID_des_ede3_cbc: break;
            default: return error_of(PfxFault::unknown_encryption);
        }
        const ASN1_OBJECT* derivation = nullptr;
        int type = V_ASN1_UNDEF;
        const void* parameter = nullptr;
        X509_ALGOR_get0(&derivation, &type, &parameter, scheme->keyfunc);
        if (OBJ_obj2nid(derivation) != NID_id_pbkdf2 || type != V_ASN1_SEQUENCE)
            return error_of(PfxFault::unknown_derivation);
        const ByteView inner = octets_of(static_cast<const ASN1_STRING*>(parameter));
        at = inner.data();
        const Owned<PBKDF2PARAM, PBKDF2PARAM_free> costs(
            d2i_PBKDF2PARAM(nullptr, &at, static_cast<long>(inner.size())));
        if (!costs) return error_of(PfxFault::undecryptable);
        return costs_.add(costs->iter);
    }

    // Sorts the bags of one safe; keys' costs are counted as they are met.
    Result<void> take(const STACK_OF(PKCS12_SAFEBAG) * bags, int depth) {
        for (int i = 0; i < sk_PKCS12_SAFEBAG_num(bags); ++i) {
            if (++bag_count_ > k_pfx_most_bags) return error_of(PfxFault::too_many_bags);
            const PKCS12_SAFEBAG* bag = sk_PKCS12_SAFEBAG_value(bags, i);
            switch (PKCS12_SAFEBAG_get_nid(bag)) {
                case NID_keyBag:
                    ++key_count_;
                    plain_key_ = PKCS12_SAFEBAG_get0_p8inf(bag);
                    break;
                case NID_pkcs8ShroudedKeyBag: {
                    ++key_count_;
                    sealed_key_ = PKCS12_SAFEBAG_get0_pkcs8(bag);
                    const X509_ALGOR* algorithm = nullptr;
                    if (sealed_key_ == nullptr) return error_of(PfxFault::undecryptable);
                    X509_SIG_get0(sealed_key_, &algorithm, nullptr);
                    if (auto counted = count(algorithm); !counted) return counted.error();
                    break;
                }
                case NID_certBag: take_certificate(bag); break;
                case NID_safeContentsBag: {
                    if (depth == k_pfx_deepest_bags) return error_of(PfxFault::bags_in_bags);
                    if (auto taken = take(PKCS12_SAFEBAG_get0_safes(bag), depth + 1); !taken) return taken.error();
                    break;
                }
                default: break;  // CRLs and secrets: nothing we want
            }
        }
        return {};
    }

    void take_certificate(const PKCS12_SAFEBAG* bag) {
        if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate) return;
        const Certificate certificate(PKCS12_SAFEBAG_get1_cert(bag));
        Bytes der = certificate ? der_of(certificate.get(), i2d_X509) : Bytes();
        // What does not parse strictly can be nobody's leaf or issuer.
        if (der.empty() || !parse_certificate(der)) return;
        if (std::find(certificates_.begin(), certificates_.end(), der) == certificates_.end())
            certificates_.push_back(std::move(der));
    }

    bool mac_verifies() {
        return std::any_of(candidates_.list().begin(), candidates_.list().end(), [&](const Candidate& candidate) {
            return PKCS12_verify_mac(file_.get(), candidate.text, candidate.size) == 1;
        });
    }

    Result<OSSL_LIB_CTX*> context() {
        OSSL_LIB_CTX* standard = nullptr;
        if (!needs_weak_ciphers_) return standard;
        if (!weak_ciphers_) weak_ciphers_ = WeakCiphers::load();
        if (!weak_ciphers_) return error_of(PfxFault::rc2_missing);
        return weak_ciphers_->context();
    }

    // MAC and layers may have been made from different readings of the password (UTF-16 here, octets there).
    Result<void> open_safes() {
        std::vector<Bags> opened;
        for (int i = 0; i < sk_PKCS7_num(safes_.get()); ++i) {
            PKCS7* safe = sk_PKCS7_value(safes_.get(), i);
            if (!PKCS7_type_is_encrypted(safe)) continue;
            const PKCS7_ENC_CONTENT* content = safe->d.encrypted->enc_data;
            if (content->enc_data == nullptr) return error_of(PfxFault::undecryptable);
            const auto library = context();
            if (!library) return library.error();
            Bags bags;
            for (const auto& candidate : candidates_.list()) {
                bags.reset(static_cast<STACK_OF(PKCS12_SAFEBAG)*>(
                    PKCS12_item_decrypt_d2i_ex(content->algorithm, ASN1_ITEM_rptr(PKCS12_SAFEBAGS), candidate.text,
                                               candidate.size, content->enc_data, 1, *library, nullptr)));
                if (bags) break;
            }
            if (!bags) return error_of(PfxFault::undecryptable);
            opened.push_back(std::move(bags));
        }
        for (auto& bags : opened) {
            if (auto taken = take(bags.get(), 0); !taken) return taken.error();
            kept_.push_back(std::move(bags));
        }
        return {};
    }

    // The key's octets; null where they do not open.
    Result<const PKCS8_PRIV_KEY_INFO*> key_info() {
        if (key_count_ == 0) return error_of(PfxFault::no_key);
        if (key_count_ > 1) return error_of(PfxFault::two_identities);
        if (plain_key_ != nullptr) weak_ = true;  // not encrypted by itself
        if (sealed_key_ == nullptr) return plain_key_;
        const auto library = context();
        if (!library) return library.error();
        for (const auto& candidate : candidates_.list()) {
            opened_key_.reset(PKCS8_decrypt_ex(sealed_key_, candidate.text, candidate.size, *library, nullptr));
            if (opened_key_) break;
        }
        return opened_key_.get();
    }

    Result<PrivateKey> open_key() {
        const auto opened = key_info();
        if (!opened) return opened.error();
        const PKCS8_PRIV_KEY_INFO* info = *opened;
        if (info == nullptr) return error_of(PfxFault::undecryptable);
        PKey handle = private_key_from(info);
        if (!handle) return error_of(PfxFault::undecryptable);
        if (EVP_PKEY_get_bits(handle.get()) > static_cast<int>(k_largest_key)) return error_of(PfxFault::key_too_large);
        auto key = PrivateKeyAccess::adopt(std::move(handle));
        if (!key) return error_of(PfxFault::unknown_key);
        return key;
    }

    Result<Identity> assemble(const PrivateKey& key) {
        const auto own = [&](const Bytes& certificate) { return key.fits(certificate); };
        const auto leaf = std::find_if(certificates_.begin(), certificates_.end(), own);
        if (leaf == certificates_.end()) return error_of(PfxFault::foreign_key);
        if (std::find_if(std::next(leaf), certificates_.end(), own) != certificates_.end())
            return error_of(PfxFault::two_certificates);
        if (!proves_possession(key, *leaf)) return error_of(PfxFault::foreign_private_half);
        auto pkcs8 = key.to_pkcs8();
        if (!pkcs8) return pkcs8.error();
        Identity identity{std::move(*pkcs8), *leaf, {}, weak_};
        std::vector<Bytes> rest;
        for (const auto& certificate : certificates_)
            if (certificate != *leaf) rest.push_back(certificate);
        const Bytes* last = &identity.certificate;
        while (!self_signed(*last)) {
            const auto issuer = std::find_if(rest.begin(), rest.end(),
                                             [&](const Bytes& candidate) { return issued_by(*last, candidate); });
            if (issuer == rest.end()) break;
            identity.chain.push_back(std::move(*issuer));
            rest.erase(issuer);
            last = &identity.chain.back();
        }
        return identity;
    }

    Candidates candidates_;
    Pkcs12 file_;
    Safes safes_;
    Costs costs_;
    std::size_t bag_count_ = 0;
    std::size_t key_count_ = 0;
    bool weak_ = false;
    bool needs_weak_ciphers_ = false;
    std::unique_ptr<WeakCiphers> weak_ciphers_;
    std::vector<Bags> kept_;  // owns what the next two point into
    const PKCS8_PRIV_KEY_INFO* plain_key_ = nullptr;
    const X509_SIG* sealed_key_ = nullptr;
    Pkcs8Info opened_key_;
    std::vector<Bytes> certificates_;
};

Pkcs12 write(PfxStyle style, const char* password, EVP_PKEY* key, X509* leaf, STACK_OF(X509) * issuers) {
    constexpr int k_no_mac = -1;
    switch (style) {
        case PfxStyle::aes256:
            return Pkcs12(PKCS12_create_ex(password, nullptr, key, leaf, issuers, NID_aes_256_cbc, NID_aes_256_cbc,
                                           k_pfx_iterations, k_pfx_iterations, 0, nullptr, nullptr));
        case PfxStyle::legacy3des: {
            // No parameter chooses the MAC's digest: it is set afterwards.
            Pkcs12 file(PKCS12_create_ex(password, nullptr, key, leaf, issuers, NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                                         NID_pbe_WithSHA1And3_Key_TripleDES_CBC, k_pfx_iterations, k_no_mac, 0, nullptr,
                                         nullptr));
            if (file && PKCS12_set_mac(file.get(), password, -1, nullptr, 0, k_pfx_iterations, EVP_sha1()) != 1)
                return nullptr;
            return file;
        }
    }
    return nullptr;
}

}  // namespace

Result<Pfx> pack(const PrivateKey& key, ByteView certificate, const std::vector<Bytes>& chain, PfxStyle style) {
    const CleanErrors clean;
    const auto leaf = parse_certificate(certificate);
    if (!leaf) return leaf.error();
    if (!key.fits(certificate)) return invalid("PFX: the key is not the certificate's");
    std::vector<Bytes> issuers;
    for (const auto& issuer : chain) {
        if (!issued_by(issuers.empty() ? certificate : ByteView(issuers.back()), issuer))
            return invalid("PFX: the chain is not the certificate's, or not in order");
        issuers.push_back(issuer);
    }
    const auto stack = parse_certificates(issuers);
    if (!stack) return stack.error();

    SecretBytes password = random_password(k_pfx_password_size);
    // OpenSSL wants the terminating NUL; the password itself must not carry it.
    SecretBytes terminated = SecretBytes::copy_of(password.view());
    static constexpr std::uint8_t k_end = 0;
    terminated.append(ByteView(&k_end, 1));
    const Pkcs12 file = write(style, terminated.reveal_text().data(), key.native(), leaf->get(),
                              issuers.empty() ? nullptr : stack->get());
    if (!file) return openssl_internal("PFX: not written");
    Bytes der = der_of(file.get(), i2d_PKCS12);

    const auto sent = key.to_pkcs8();
    if (!sent) return sent.error();
    const auto same = Opening(password).holds(der, *sent, certificate, issuers);
    if (!same) return Error(ErrorKind::internal, "internal", "what was packed does not open: " + same.error().message);
    if (!*same) return Error(ErrorKind::internal, "internal", "what was packed is not what reads back");
    return Pfx{std::move(der), std::move(password)};
}

Result<Identity> open_pfx(ByteView pfx, const SecretBytes& password) {
    const CleanErrors clean;
    if (password.size() > k_longest_password) return error_of(PfxFault::undecryptable);
    return Opening(password).run(pfx);
}

bool prepare_to_open_pfx() {
    const CleanErrors clean;
    // A library once loaded is found again by its name, without a look at the file.
    static const auto k_kept = WeakCiphers::load();
    const auto key = PrivateKey::generate(KeyType::ec_p256);
    if (!key) return false;
    CertificateOrder order;
    order.serial = random_serial();
    order.subject = Name{{{Attribute{std::string(oid::k_common_name), "prepared"}}}};
    order.spki = key->spki_der();
    order.not_before = UtcTime(std::chrono::seconds(0));
    order.not_after = UtcTime(std::chrono::hours(1));
    const auto certificate = issue_self_signed(order, *key);
    return k_kept != nullptr && certificate && pack(*key, *certificate, {}, PfxStyle::aes256) &&
           pack(*key, *certificate, {}, PfxStyle::legacy3des);
}

}  // namespace connector::crypto
