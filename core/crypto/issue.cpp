#include "core/crypto/issue.hpp"

#include "core/crypto/aead.hpp"
#include "core/crypto/internal/convert.hpp"
#include "core/crypto/internal/der.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace connector::crypto {
namespace {

constexpr std::size_t k_largest_crl = 16UL * 1024 * 1024;

constexpr std::array<std::pair<RevocationReason, std::string_view>, 10> k_reasons{{
    {RevocationReason::unspecified, "unspecified"},
    {RevocationReason::key_compromise, "keyCompromise"},
    {RevocationReason::ca_compromise, "cACompromise"},
    {RevocationReason::affiliation_changed, "affiliationChanged"},
    {RevocationReason::superseded, "superseded"},
    {RevocationReason::cessation_of_operation, "cessationOfOperation"},
    {RevocationReason::certificate_hold, "certificateHold"},
    {RevocationReason::remove_from_crl, "removeFromCRL"},
    {RevocationReason::privilege_withdrawn, "privilegeWithdrawn"},
    {RevocationReason::aa_compromise, "aACompromise"},
}};

using GeneralNamePtr = Owned<GENERAL_NAME, GENERAL_NAME_free>;

GeneralNamePtr text_name(int form, std::string_view value) {
    GeneralNamePtr name(GENERAL_NAME_new());
    Owned<ASN1_IA5STRING, ASN1_IA5STRING_free> text(ASN1_IA5STRING_new());
    if (!name || !text || ASN1_STRING_set(text.get(), value.data(), static_cast<int>(value.size())) != 1)
        return nullptr;
    GENERAL_NAME_set0_value(name.get(), form, text.release());
    return name;
}

GeneralNamePtr every_address(std::size_t octets) {
    GeneralNamePtr name(GENERAL_NAME_new());
    Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> range(ASN1_OCTET_STRING_new());
    // RFC 5280 4.2.1.10: address and mask.
    const Bytes zeros(octets * 2, 0);
    if (!name || !range || ASN1_OCTET_STRING_set(range.get(), zeros.data(), static_cast<int>(zeros.size())) != 1)
        return nullptr;
    GENERAL_NAME_set0_value(name.get(), GEN_IPADD, range.release());
    return name;
}

bool add_subtree(STACK_OF(GENERAL_SUBTREE) * *list, GeneralNamePtr base) {
    if (!base) return false;
    if (*list == nullptr) *list = sk_GENERAL_SUBTREE_new_null();
    Owned<GENERAL_SUBTREE, GENERAL_SUBTREE_free> subtree(GENERAL_SUBTREE_new());
    if (*list == nullptr || !subtree) return false;
    GENERAL_NAME_free(subtree->base);
    subtree->base = base.release();
    if (sk_GENERAL_SUBTREE_push(*list, subtree.get()) == 0) return false;
    static_cast<void>(subtree.release());
    return true;
}

Result<void> add_name_constraints(Extensions& list, const NameConstraints& wanted) {
    const Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free> constraints(NAME_CONSTRAINTS_new());
    if (!constraints) return openssl_internal("name constraints");
    const auto permit = [&](int form, const std::vector<std::string>& values) {
        return std::all_of(values.begin(), values.end(), [&](const std::string& value) {
            return !value.empty() && add_subtree(&constraints->permittedSubtrees, text_name(form, value));
        });
    };
    bool fine = permit(GEN_EMAIL, wanted.permitted_email) && permit(GEN_DNS, wanted.permitted_dns) &&
                permit(GEN_URI, wanted.permitted_uri);
    if (wanted.exclude_all_addresses)
        fine = fine && add_subtree(&constraints->excludedSubtrees, every_address(4)) &&
               add_subtree(&constraints->excludedSubtrees, every_address(16));
    if (!fine || (constraints->permittedSubtrees == nullptr && constraints->excludedSubtrees == nullptr))
        return invalid("name constraints: empty");
    return add_extension(list, NID_name_constraints, constraints.get(), true);
}

Result<void> add_policies(Extensions& list, const std::vector<std::string>& oids) {
    const Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free> policies(CERTIFICATEPOLICIES_new());
    if (!policies) return openssl_internal("policies");
    for (const auto& oid : oids) {
        Owned<POLICYINFO, POLICYINFO_free> policy(POLICYINFO_new());
        auto type = object_from(oid);
        if (!type) return invalid("policies: not a dotted OID");
        if (!policy) return openssl_internal("policies");
        ASN1_OBJECT_free(policy->policyid);
        policy->policyid = type.release();
        if (sk_POLICYINFO_push(policies.get(), policy.get()) == 0) return openssl_internal("policies");
        static_cast<void>(policy.release());
    }
    return add_extension(list, NID_certificate_policies, policies.get(), false);
}

Result<void> add_crl_urls(Extensions& list, const std::vector<std::string>& urls) {
    const Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free> points(CRL_DIST_POINTS_new());
    if (!points) return openssl_internal("CRL distribution points");
    for (const auto& url : urls) {
        Owned<DIST_POINT, DIST_POINT_free> point(DIST_POINT_new());
        Owned<DIST_POINT_NAME, DIST_POINT_NAME_free> where(DIST_POINT_NAME_new());
        GeneralNames names(GENERAL_NAMES_new());
        auto name = text_name(GEN_URI, url);
        if (!point || !where || !names || !name || sk_GENERAL_NAME_push(names.get(), name.get()) == 0)
            return openssl_internal("CRL distribution points");
        static_cast<void>(name.release());
        where->type = 0;
        where->name.fullname = names.release();
        point->distpoint = where.release();
        if (sk_DIST_POINT_push(points.get(), point.get()) == 0) return openssl_internal("CRL distribution points");
        static_cast<void>(point.release());
    }
    return add_extension(list, NID_crl_distribution_points, points.get(), false);
}

Result<void> add_aia_urls(Extensions& list, const std::vector<std::string>& urls) {
    const Owned<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free> access(AUTHORITY_INFO_ACCESS_new());
    if (!access) return openssl_internal("authority information access");
    for (const auto& url : urls) {
        Owned<ACCESS_DESCRIPTION, ACCESS_DESCRIPTION_free> description(ACCESS_DESCRIPTION_new());
        auto name = text_name(GEN_URI, url);
        if (!description || !name) return openssl_internal("authority information access");
        ASN1_OBJECT_free(description->method);
        description->method = OBJ_nid2obj(NID_ad_ca_issuers);
        GENERAL_NAME_free(description->location);
        description->location = name.release();
        if (sk_ACCESS_DESCRIPTION_push(access.get(), description.get()) == 0)
            return openssl_internal("authority information access");
        static_cast<void>(description.release());
    }
    return add_extension(list, NID_info_access, access.get(), false);
}

Result<void> add_basic_constraints(Extensions& list, std::optional<unsigned> path_length) {
    const Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> basic(BASIC_CONSTRAINTS_new());
    if (!basic) return openssl_internal("basicConstraints");
    basic->ca = 0xFF;
    if (path_length) {
        basic->pathlen = ASN1_INTEGER_new();
        if (basic->pathlen == nullptr || ASN1_INTEGER_set_uint64(basic->pathlen, *path_length) != 1)
            return openssl_internal("basicConstraints");
    }
    return add_extension(list, NID_basic_constraints, basic.get(), true);
}

Result<void> add_subject_key_identifier(Extensions& list, const X509* certificate, Bytes& made) {
    std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> id(ASN1_OCTET_STRING_new());
    if (!id || X509_pubkey_digest(certificate, EVP_sha1(), digest.data(), &size) != 1 ||
        ASN1_OCTET_STRING_set(id.get(), digest.data(), static_cast<int>(size)) != 1)
        return openssl_internal("subjectKeyIdentifier");
    made.assign(digest.begin(), digest.begin() + size);
    return add_extension(list, NID_subject_key_identifier, id.get(), false);
}

using AuthorityKeyId = Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free>;
// The key identifier alone (SBR 7.1.2.3): issuer and serial would tie it to one certificate of the issuer's key.
AuthorityKeyId authority_key_id(ByteView key_identifier) {
    AuthorityKeyId id(AUTHORITY_KEYID_new());
    if (!id) return nullptr;
    id->keyid = ASN1_OCTET_STRING_new();
    if (id->keyid == nullptr ||
        ASN1_OCTET_STRING_set(id->keyid, key_identifier.data(), static_cast<int>(key_identifier.size())) != 1)
        return nullptr;
    return id;
}

Bytes key_identifier_of(X509* certificate) {
    const ASN1_OCTET_STRING* id = X509_get0_subject_key_id(certificate);
    if (id == nullptr) return {};
    const ByteView octets = octets_of(id);
    return Bytes(octets.begin(), octets.end());
}

struct Issuing {
    X509* certificate = nullptr;  // null: self-signed
    const PrivateKey* key = nullptr;
};

Result<void> add_order_extensions(Extensions& list, const CertificateOrder& order, X509* made, const Issuing& issuer) {
    if (order.is_ca) {
        if (auto added = add_basic_constraints(list, order.path_length); !added) return added.error();
    }
    const WantedExtensions wanted{&order.alternative_names, order.alternative_names_critical, order.key_usage,
                                  &order.extended_key_usage, &order.security_identifier};
    if (auto added = add_extensions(list, wanted); !added) return added.error();
    if (order.name_constraints) {
        if (auto added = add_name_constraints(list, *order.name_constraints); !added) return added.error();
    }
    if (!order.policies.empty()) {
        if (auto added = add_policies(list, order.policies); !added) return added.error();
    }
    if (!order.crl_urls.empty()) {
        if (auto added = add_crl_urls(list, order.crl_urls); !added) return added.error();
    }
    if (!order.aia_urls.empty()) {
        if (auto added = add_aia_urls(list, order.aia_urls); !added) return added.error();
    }
    Bytes own_id;
    if (order.subject_key_identifier) {
        if (auto added = add_subject_key_identifier(list, made, own_id); !added) return added.error();
    }
    const Bytes issuer_id = issuer.certificate == nullptr ? own_id : key_identifier_of(issuer.certificate);
    if (!issuer_id.empty()) {
        const auto id = authority_key_id(issuer_id);
        if (!id) return openssl_internal("authorityKeyIdentifier");
        if (auto added = add_extension(list, NID_authority_key_identifier, id.get(), false); !added)
            return added.error();
    }
    return {};
}

// X509_set_pubkey would encode the key and decode it again.
bool set_public_key(X509* certificate, X509_PUBKEY* key) {
    X509_ALGOR* identifier = nullptr;
    const unsigned char* octets = nullptr;
    int size = 0;
    if (X509_PUBKEY_get0_param(nullptr, &octets, &size, &identifier, key) != 1 || size <= 0) return false;
    int type = V_ASN1_UNDEF;
    const void* parameter = nullptr;
    X509_ALGOR_get0(nullptr, &type, &parameter, identifier);
    if (type != V_ASN1_OBJECT && type != V_ASN1_NULL && type != V_ASN1_UNDEF)
        return X509_set_pubkey(certificate, X509_PUBKEY_get0(key)) == 1;
    Asn1Object algorithm(OBJ_dup(identifier->algorithm));
    Asn1Object curve(type == V_ASN1_OBJECT ? OBJ_dup(static_cast<const ASN1_OBJECT*>(parameter)) : nullptr);
    auto* copy = static_cast<unsigned char*>(OPENSSL_memdup(octets, static_cast<std::size_t>(size)));
    if (!algorithm || (type == V_ASN1_OBJECT && !curve) || copy == nullptr ||
        X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(certificate), algorithm.get(), type, curve.get(), copy, size) !=
            1) {
        OPENSSL_free(copy);
        return false;
    }
    static_cast<void>(algorithm.release());
    static_cast<void>(curve.release());
    return true;
}

Result<Bytes> make(const CertificateOrder& order, ByteView spki, const Issuing& issuer) {
    const Certificate made(X509_new());
    const auto serial = to_serial(order.serial);
    if (!serial) return invalid("serial number: not positive, or more than 20 octets");
    if (order.not_after <= order.not_before) return invalid("validity: ends before it begins");
    const auto subject = to_x509_name(order.subject);
    if (!subject) return subject.error().in("subject");
    const auto not_before = to_asn1_time(order.not_before);
    const auto not_after = to_asn1_time(order.not_after);
    const unsigned char* at = spki.data();
    const PublicKeyInfo public_key(d2i_X509_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
    if (!public_key || X509_PUBKEY_get0(public_key.get()) == nullptr || at != spki.data() + spki.size())
        return openssl_invalid("public key: does not parse");
    const X509_NAME* issuer_name =
        issuer.certificate == nullptr ? subject->get() : X509_get_subject_name(issuer.certificate);
    if (!made || !not_before || !not_after || X509_set_version(made.get(), X509_VERSION_3) != 1 ||
        X509_set_serialNumber(made.get(), serial.get()) != 1 || X509_set_issuer_name(made.get(), issuer_name) != 1 ||
        X509_set_subject_name(made.get(), subject->get()) != 1 ||
        X509_set1_notBefore(made.get(), not_before.get()) != 1 ||
        X509_set1_notAfter(made.get(), not_after.get()) != 1 || !set_public_key(made.get(), public_key.get()))
        return openssl_internal("certificate");
    const Bytes carried = der_of(X509_get_X509_PUBKEY(made.get()), i2d_X509_PUBKEY);
    if (!std::equal(carried.begin(), carried.end(), spki.begin(), spki.end()))
        return invalid("public key: encoded again it gives other octets");

    Extensions extensions;
    if (auto added = add_order_extensions(extensions, order, made.get(), issuer); !added) return added.error();
    for (int i = 0; i < sk_X509_EXTENSION_num(extensions.get()); ++i)
        if (X509_add_ext(made.get(), sk_X509_EXTENSION_value(extensions.get(), i), -1) != 1)
            return openssl_internal("certificate");
    if (X509_sign(made.get(), issuer.key->native(), signing_digest(issuer.key->native())) <= 0)
        return openssl_internal("certificate");
    Bytes der = der_of(made.get(), i2d_X509);
    if (der.empty()) return openssl_internal("certificate");
    return der;
}

Result<Certificate> parse_issuer(ByteView der, const PrivateKey& key) {
    auto issuer = parse_certificate(der);
    if (!issuer) return issuer.error().in("issuer");
    if (!key.fits(der)) return Error(ErrorKind::internal, "internal", "the issuer's key is not its certificate's");
    return issuer;
}

Result<void> add_entry(X509_CRL* crl, const CrlEntry& entry) {
    Revoked revoked(X509_REVOKED_new());
    const auto serial = to_serial(entry.serial);
    const auto when = to_asn1_time(entry.revoked_at);
    if (!serial) return invalid("CRL: a serial number is not positive, or has more than 20 octets");
    if (!revoked || !when || X509_REVOKED_set_serialNumber(revoked.get(), serial.get()) != 1 ||
        X509_REVOKED_set_revocationDate(revoked.get(), when.get()) != 1)
        return openssl_internal("CRL");
    if (entry.reason != RevocationReason::unspecified) {
        const Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free> reason(ASN1_ENUMERATED_new());
        if (!reason || ASN1_ENUMERATED_set(reason.get(), static_cast<int>(entry.reason)) != 1 ||
            X509_REVOKED_add1_ext_i2d(revoked.get(), NID_crl_reason, reason.get(), 0, X509V3_ADD_DEFAULT) != 1)
            return openssl_internal("CRL");
    }
    if (X509_CRL_add0_revoked(crl, revoked.get()) != 1) return openssl_internal("CRL");
    static_cast<void>(revoked.release());
    return {};
}

Result<Crl> parse_crl(ByteView der) {
    if (der.size() > k_largest_crl || !der::well_framed(der))
        return invalid("CRL: not DER, octets after it, or larger than 16 MiB");
    const unsigned char* at = der.data();
    Crl crl(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
    if (!crl || at != der.data() + der.size()) return openssl_invalid("CRL: does not parse");
    return crl;
}

Bytes magnitude(const ASN1_INTEGER* number) {
    const BigNumber value(ASN1_INTEGER_to_BN(number, nullptr));
    if (!value) return {};
    Bytes octets(static_cast<std::size_t>(BN_num_bytes(value.get())));
    BN_bn2bin(value.get(), octets.data());
    return octets;
}

Result<CrlEntry> read_entry(const X509_REVOKED* revoked) {
    CrlEntry entry;
    entry.serial = magnitude(X509_REVOKED_get0_serialNumber(revoked));
    const auto when = from_asn1_time(X509_REVOKED_get0_revocationDate(revoked));
    if (!when) return invalid("CRL: a revocation date does not parse");
    entry.revoked_at = *when;
    int state = -1;
    const Owned<ASN1_ENUMERATED, ASN1_ENUMERATED_free> reason(
        static_cast<ASN1_ENUMERATED*>(X509_REVOKED_get_ext_d2i(revoked, NID_crl_reason, &state, nullptr)));
    if (!reason && state != -1) return invalid("CRL: a reason does not parse");
    if (reason) {
        const long code = ASN1_ENUMERATED_get(reason.get());
        const auto known = std::find_if(k_reasons.begin(), k_reasons.end(), [&](const auto& candidate) {
            return static_cast<long>(candidate.first) == code;
        });
        if (known == k_reasons.end()) return invalid("CRL: an unknown reason");
        entry.reason = known->first;
    }
    return entry;
}

// RFC 5280 5.2: what we do not understand and must, we do not use. Sets `partial`.
Result<void> read_crl_extensions(const X509_CRL* crl, CrlFacts& facts) {
    const auto* extensions = X509_CRL_get0_extensions(crl);
    for (int i = 0; i < sk_X509_EXTENSION_num(extensions); ++i) {
        X509_EXTENSION* extension = sk_X509_EXTENSION_value(extensions, i);
        const int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));
        const bool known = nid == NID_crl_number || nid == NID_authority_key_identifier || nid == NID_delta_crl ||
                           nid == NID_issuing_distribution_point;
        if (!known && X509_EXTENSION_get_critical(extension) != 0) return invalid("CRL: an unknown critical extension");
        if (nid == NID_delta_crl) facts.partial = true;
    }
    int state = -1;
    const Owned<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free> scope(
        static_cast<ISSUING_DIST_POINT*>(X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &state, nullptr)));
    if (!scope && state != -1) return invalid("CRL: issuing distribution point does not parse");
    // "User certificates only" is what a connector's and a device's certificates are.
    if (scope &&
        (scope->onlyCA > 0 || scope->onlyattr > 0 || scope->indirectCRL > 0 || scope->onlysomereasons != nullptr))
        facts.partial = true;
    const Owned<ASN1_INTEGER, ASN1_INTEGER_free> number(
        static_cast<ASN1_INTEGER*>(X509_CRL_get_ext_d2i(crl, NID_crl_number, &state, nullptr)));
    if (!number && state != -1) return invalid("CRL: number does not parse");
    if (number) facts.number = serial_text(number.get());
    return {};
}

}  // namespace

NameConstraints NameConstraints::mail_only(std::vector<std::string> domains) {
    NameConstraints constraints;
    constraints.permitted_email = std::move(domains);
    constraints.permitted_dns = {"invalid"};
    constraints.permitted_uri = {"invalid"};
    constraints.exclude_all_addresses = true;
    return constraints;
}

Result<Bytes> issue(const CertificateOrder& order, ByteView issuer_certificate, const PrivateKey& issuer_key) {
    const CleanErrors clean;
    const auto issuer = parse_issuer(issuer_certificate, issuer_key);
    if (!issuer) return issuer.error();
    return make(order, order.spki, Issuing{issuer->get(), &issuer_key});
}

Result<Bytes> issue_self_signed(const CertificateOrder& order, const PrivateKey& key) {
    const CleanErrors clean;
    return make(order, key.spki_der(), Issuing{nullptr, &key});
}

Bytes random_serial() {
    constexpr std::size_t k_octets = 20;
    Bytes serial = random(k_octets);
    // Positive, and never shorter than 20 octets.
    serial[0] = static_cast<std::uint8_t>((serial[0] & 0x3FU) | 0x40U);
    return serial;
}

std::string_view to_string(RevocationReason reason) noexcept {
    for (const auto& [known, word] : k_reasons)
        if (known == reason) return word;
    return "unspecified";
}

std::optional<RevocationReason> parse_revocation_reason(std::string_view word) noexcept {
    for (const auto& [reason, known] : k_reasons)
        if (known == word) return reason;
    return std::nullopt;
}

Result<Bytes> make_crl(ByteView issuer_certificate, const PrivateKey& issuer_key, const std::vector<CrlEntry>& entries,
                       std::uint64_t number, UtcTime this_update, UtcTime next_update) {
    const CleanErrors clean;
    const auto issuer = parse_issuer(issuer_certificate, issuer_key);
    if (!issuer) return issuer.error();
    const Crl crl(X509_CRL_new());
    const auto from = to_asn1_time(this_update);
    const auto until = to_asn1_time(next_update);
    if (next_update <= this_update) return invalid("CRL: ends before it begins");
    if (!crl || !from || !until || X509_CRL_set_version(crl.get(), X509_CRL_VERSION_2) != 1 ||
        X509_CRL_set_issuer_name(crl.get(), X509_get_subject_name(issuer->get())) != 1 ||
        X509_CRL_set1_lastUpdate(crl.get(), from.get()) != 1 || X509_CRL_set1_nextUpdate(crl.get(), until.get()) != 1)
        return openssl_internal("CRL");
    for (const auto& entry : entries)
        if (auto added = add_entry(crl.get(), entry); !added) return added.error();
    const Asn1Integer counter(ASN1_INTEGER_new());
    if (!counter || ASN1_INTEGER_set_uint64(counter.get(), number) != 1 ||
        X509_CRL_add1_ext_i2d(crl.get(), NID_crl_number, counter.get(), 0, X509V3_ADD_DEFAULT) != 1)
        return openssl_internal("CRL");
    if (const Bytes issuer_id = key_identifier_of(issuer->get()); !issuer_id.empty()) {
        const auto id = authority_key_id(issuer_id);
        if (!id || X509_CRL_add1_ext_i2d(crl.get(), NID_authority_key_identifier, id.get(), 0, X509V3_ADD_DEFAULT) != 1)
            return openssl_internal("CRL");
    }
    if (X509_CRL_sign(crl.get(), issuer_key.native(), signing_digest(issuer_key.native())) <= 0)
        return openssl_internal("CRL");
    Bytes der = der_of(crl.get(), i2d_X509_CRL);
    if (der.empty()) return openssl_internal("CRL");
    return der;
}

Result<CrlFacts> inspect_crl(ByteView crl, ByteView issuer_certificate) {
    const CleanErrors clean;
    const auto parsed = parse_crl(crl);
    if (!parsed) return parsed.error();
    const auto issuer = parse_certificate(issuer_certificate);
    if (!issuer) return issuer.error();
    EVP_PKEY* key = X509_get0_pubkey(issuer->get());
    int digest = NID_undef;
    int algorithm = NID_undef;
    const int signature = X509_CRL_get_signature_nid(parsed->get());
    const bool edwards = signature == NID_ED25519 || signature == NID_ED448;
    if (!edwards && (OBJ_find_sigid_algs(signature, &digest, &algorithm) != 1 || !strong_digest(digest)))
        return Error(ErrorKind::refused, "crlRefused", "CRL: signature algorithm is not SHA-256 or better");
    if (key == nullptr ||
        X509_NAME_cmp(X509_CRL_get_issuer(parsed->get()), X509_get_subject_name(issuer->get())) != 0 ||
        X509_CRL_verify(parsed->get(), key) != 1)
        return Error(ErrorKind::refused, "crlRefused", "CRL: not signed by this issuer");

    CrlFacts facts;
    auto name = from_x509_name(X509_CRL_get_issuer(parsed->get()));
    if (!name) return name.error().in("CRL's issuer");
    facts.issuer = std::move(*name);
    const auto from = from_asn1_time(X509_CRL_get0_lastUpdate(parsed->get()));
    if (!from) return invalid("CRL: thisUpdate does not parse");
    facts.this_update = *from;
    if (const ASN1_TIME* until = X509_CRL_get0_nextUpdate(parsed->get()); until != nullptr) {
        facts.next_update = from_asn1_time(until);
        if (!facts.next_update) return invalid("CRL: nextUpdate does not parse");
    }
    if (auto read = read_crl_extensions(parsed->get(), facts); !read) return read.error();
    auto* revoked = X509_CRL_get_REVOKED(parsed->get());
    for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i) {
        auto entry = read_entry(sk_X509_REVOKED_value(revoked, i));
        if (!entry) return entry.error();
        facts.entries.push_back(std::move(*entry));
    }
    return facts;
}

Result<bool> crl_contains(ByteView crl, ByteView serial) {
    const CleanErrors clean;
    const auto parsed = parse_crl(crl);
    if (!parsed) return parsed.error();
    const auto wanted = to_serial(serial);
    if (!wanted) return invalid("serial number: not positive, or more than 20 octets");
    X509_REVOKED* found = nullptr;
    // 2 would be "removeFromCRL".
    return X509_CRL_get0_by_serial(parsed->get(), &found, wanted.get()) == 1;
}

}  // namespace connector::crypto
