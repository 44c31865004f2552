// Certificate and request extensions: RFC 5280 4.2, and Microsoft's security identifier and application policies.
#include "core/crypto/internal/convert.hpp"

#include <algorithm>

namespace connector::crypto {
namespace {

constexpr std::string_view k_sid_extension_oid = "1.3.6.1.4.1.311.25.2";
constexpr std::string_view k_sid_object_oid = "1.3.6.1.4.1.311.25.2.1";
constexpr std::string_view k_application_policies_oid = "1.3.6.1.4.1.311.21.10";
constexpr int k_key_usage_bits = 9;

// Absent, there once and well-formed, or an error.
template <class T>
Result<T*> decode_extension(const STACK_OF(X509_EXTENSION) * extensions, int nid, std::string_view name,
                            bool* critical = nullptr) {
    int state = -1;
    auto* value = static_cast<T*>(X509V3_get_d2i(extensions, nid, &state, nullptr));
    if (value == nullptr && state != -1) return openssl_invalid("extension " + std::string(name) + " does not parse");
    if (critical != nullptr) *critical = state == 1;
    return value;
}

Result<std::optional<KeyUsage>> read_key_usage(const STACK_OF(X509_EXTENSION) * extensions) {
    const auto decoded = decode_extension<ASN1_BIT_STRING>(extensions, NID_key_usage, "keyUsage");
    if (!decoded) return decoded.error();
    const Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> bits(*decoded);
    if (!bits) return std::optional<KeyUsage>();
    unsigned usage = 0;
    const int size = ASN1_STRING_length(bits.get()) * 8;
    for (int bit = 0; bit < size; ++bit) {
        if (ASN1_BIT_STRING_get_bit(bits.get(), bit) == 0) continue;
        if (bit >= k_key_usage_bits) return invalid("extension keyUsage has unknown bits");
        usage |= 1U << static_cast<unsigned>(bit);
    }
    return std::optional<KeyUsage>(KeyUsage(static_cast<std::uint16_t>(usage)));
}

Result<std::optional<std::string>> read_security_identifier(X509_EXTENSION* extension) {
    // MS-WCCE 2.2.2.7.7.4: GeneralNames with one otherName whose value is the SID as ASCII text.
    const auto wrong = [] { return openssl_invalid("extension 1.3.6.1.4.1.311.25.2 does not parse"); };
    const ByteView octets = octets_of(X509_EXTENSION_get_data(extension));
    const unsigned char* at = octets.data();
    const GeneralNames names(d2i_GENERAL_NAMES(nullptr, &at, static_cast<long>(octets.size())));
    if (!names || at != octets.data() + octets.size() || sk_GENERAL_NAME_num(names.get()) != 1) return wrong();
    int type = -1;
    const void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), 0), &type);
    if (type != GEN_OTHERNAME) return wrong();
    const auto* other = static_cast<const OTHERNAME*>(value);
    if (dotted(other->type_id) != k_sid_object_oid || other->value == nullptr ||
        other->value->type != V_ASN1_OCTET_STRING)
        return wrong();
    const std::string_view text = text_of(octets_of(other->value->value.octet_string));
    if (!text.starts_with("S-1-") || !printable_string(text)) return wrong();
    return std::optional<std::string>(text);
}

// Encoded like certificatePolicies (MS-WCCE 2.2.2.7.7.3). One that does not parse stays nullopt beside its OID.
std::optional<std::vector<std::string>> read_application_policies(X509_EXTENSION* extension) {
    const CleanErrors clean;
    const ByteView octets = octets_of(X509_EXTENSION_get_data(extension));
    const unsigned char* at = octets.data();
    const Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free> list(
        d2i_CERTIFICATEPOLICIES(nullptr, &at, static_cast<long>(octets.size())));
    if (!list || at != octets.data() + octets.size()) return std::nullopt;
    std::vector<std::string> oids;
    for (int i = 0; i < sk_POLICYINFO_num(list.get()); ++i)
        oids.push_back(dotted(sk_POLICYINFO_value(list.get(), i)->policyid));
    return oids;
}

Result<void> read_oid_lists(const STACK_OF(X509_EXTENSION) * extensions, ExtensionFacts& facts) {
    const auto purposes = decode_extension<EXTENDED_KEY_USAGE>(extensions, NID_ext_key_usage, "extendedKeyUsage");
    if (!purposes) return purposes.error();
    if (const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> list(*purposes); list) {
        facts.extended_key_usage.emplace();
        for (int i = 0; i < sk_ASN1_OBJECT_num(list.get()); ++i)
            facts.extended_key_usage->push_back(dotted(sk_ASN1_OBJECT_value(list.get(), i)));
    }
    const auto policies = decode_extension<CERTIFICATEPOLICIES>(extensions, NID_certificate_policies, "policies");
    if (!policies) return policies.error();
    if (const Owned<CERTIFICATEPOLICIES, CERTIFICATEPOLICIES_free> list(*policies); list) {
        for (int i = 0; i < sk_POLICYINFO_num(list.get()); ++i)
            facts.policies.push_back(dotted(sk_POLICYINFO_value(list.get(), i)->policyid));
    }
    return {};
}

Result<void> read_identifiers(const STACK_OF(X509_EXTENSION) * extensions, ExtensionFacts& facts) {
    const auto constraints = decode_extension<BASIC_CONSTRAINTS>(extensions, NID_basic_constraints, "basicConstraints");
    if (!constraints) return constraints.error();
    if (const Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> basic(*constraints); basic) facts.is_ca = basic->ca != 0;
    const auto subject =
        decode_extension<ASN1_OCTET_STRING>(extensions, NID_subject_key_identifier, "subjectKeyIdentifier");
    if (!subject) return subject.error();
    if (const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> id(*subject); id) {
        const ByteView octets = octets_of(id.get());
        facts.subject_key_identifier.emplace(octets.begin(), octets.end());
    }
    const auto authority =
        decode_extension<AUTHORITY_KEYID>(extensions, NID_authority_key_identifier, "authorityKeyIdentifier");
    if (!authority) return authority.error();
    if (const Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free> id(*authority); id && id->keyid != nullptr) {
        const ByteView octets = octets_of(id->keyid);
        facts.authority_key_identifier.emplace(octets.begin(), octets.end());
    }
    return {};
}

Result<void> add_key_usage(Extensions& list, KeyUsage usage) {
    const Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> bits(ASN1_BIT_STRING_new());
    if (!bits) return openssl_internal("keyUsage");
    for (int bit = 0; bit < k_key_usage_bits; ++bit) {
        if (usage.any_of(static_cast<std::uint16_t>(1U << static_cast<unsigned>(bit))) &&
            ASN1_BIT_STRING_set_bit(bits.get(), bit, 1) != 1)
            return openssl_internal("keyUsage");
    }
    return add_extension(list, NID_key_usage, bits.get(), true);
}

Result<void> add_extended_key_usage(Extensions& list, const std::vector<std::string>& oids) {
    const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> purposes(EXTENDED_KEY_USAGE_new());
    if (!purposes) return openssl_internal("extendedKeyUsage");
    for (const auto& oid : oids) {
        auto object = object_from(oid);
        if (!object) return invalid("extendedKeyUsage: not a dotted OID");
        if (sk_ASN1_OBJECT_push(purposes.get(), object.get()) == 0) return openssl_internal("extendedKeyUsage");
        static_cast<void>(object.release());
    }
    return add_extension(list, NID_ext_key_usage, purposes.get(), false);
}

Result<void> add_security_identifier(Extensions& list, const std::string& sid) {
    if (!sid.starts_with("S-1-") || !printable_string(sid))
        return invalid("security identifier: not of the form S-1-…");
    const GeneralNames names(GENERAL_NAMES_new());
    auto name = make_other_name(k_sid_object_oid, V_ASN1_OCTET_STRING, sid);
    if (!names || !name || sk_GENERAL_NAME_push(names.get(), name.get()) == 0)
        return openssl_internal("security identifier");
    static_cast<void>(name.release());
    const Bytes value = der_of(names.get(), i2d_GENERAL_NAMES);
    const auto type = object_from(k_sid_extension_oid);
    const auto data = make_string(V_ASN1_OCTET_STRING, text_of(value));
    const Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
        X509_EXTENSION_create_by_OBJ(nullptr, type.get(), 0, data.get()));
    auto* stack = list.release();
    auto* grown = value.empty() || !extension ? nullptr : X509v3_add_ext(&stack, extension.get(), -1);
    list.reset(stack);
    if (grown == nullptr) return openssl_internal("security identifier");
    return {};
}

}  // namespace

Result<ExtensionFacts> read_extensions(const STACK_OF(X509_EXTENSION) * extensions) {
    ExtensionFacts facts;
    for (int i = 0; i < sk_X509_EXTENSION_num(extensions); ++i) {
        X509_EXTENSION* extension = sk_X509_EXTENSION_value(extensions, i);
        std::string type = dotted(X509_EXTENSION_get_object(extension));
        if (std::find(facts.oids.begin(), facts.oids.end(), type) != facts.oids.end())
            return invalid("extension " + type + " stands twice");
        if (type == k_sid_extension_oid) {
            auto sid = read_security_identifier(extension);
            if (!sid) return sid.error();
            facts.security_identifier = std::move(*sid);
        } else if (type == k_application_policies_oid) {
            facts.application_policies = read_application_policies(extension);
        }
        facts.oids.push_back(std::move(type));
    }
    const auto names = decode_extension<GENERAL_NAMES>(extensions, NID_subject_alt_name, "subjectAltName",
                                                       &facts.alternative_names_critical);
    if (!names) return names.error();
    if (const GeneralNames list(*names); list) {
        auto read = from_general_names(list.get());
        if (!read) return read.error();
        facts.alternative_names = std::move(*read);
    }
    auto usage = read_key_usage(extensions);
    if (!usage) return usage.error();
    facts.key_usage = *usage;
    if (auto lists = read_oid_lists(extensions, facts); !lists) return lists.error();
    if (auto identifiers = read_identifiers(extensions, facts); !identifiers) return identifiers.error();
    return facts;
}

Result<void> add_extension(Extensions& list, int nid, void* value, bool critical) {
    auto* stack = list.release();
    const int added = X509V3_add1_i2d(&stack, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT);
    list.reset(stack);
    if (added != 1) return openssl_internal("extension " + std::string(OBJ_nid2sn(nid)));
    return {};
}

Result<void> add_extensions(Extensions& list, const WantedExtensions& wanted) {
    if (wanted.key_usage.bits() != 0) {
        if (auto added = add_key_usage(list, wanted.key_usage); !added) return added.error();
    }
    if (wanted.extended_key_usage != nullptr && !wanted.extended_key_usage->empty()) {
        if (auto added = add_extended_key_usage(list, *wanted.extended_key_usage); !added) return added.error();
    }
    if (wanted.alternative_names != nullptr && !wanted.alternative_names->empty()) {
        const auto names = to_general_names(*wanted.alternative_names);
        if (!names) return names.error();
        if (auto added = add_extension(list, NID_subject_alt_name, names->get(), wanted.alternative_names_critical);
            !added)
            return added.error();
    }
    if (wanted.security_identifier != nullptr && wanted.security_identifier->has_value()) {
        if (auto added = add_security_identifier(list, **wanted.security_identifier); !added) return added.error();
    }
    return {};
}

}  // namespace connector::crypto
