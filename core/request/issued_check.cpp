// What an authority returned, held against what was asked. Nothing beyond the policy, nothing beyond the request.
#include "core/request/policy.hpp"

#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "core/text.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace connector::request {
namespace {

using Fault = std::optional<Error>;

constexpr std::string_view k_security_identifier_extension = "1.3.6.1.4.1.311.25.2";
constexpr std::string_view k_application_policies = "1.3.6.1.4.1.311.21.10";
// Any other extension could hold a name or a right that nobody looked at.
constexpr std::array<std::string_view, 15> k_known_extensions{
    "2.5.29.14",              // subjectKeyIdentifier
    "2.5.29.15",              // keyUsage
    "2.5.29.17",              // subjectAltName
    "2.5.29.19",              // basicConstraints
    "2.5.29.31",              // cRLDistributionPoints
    "2.5.29.32",              // certificatePolicies
    "2.5.29.35",              // authorityKeyIdentifier
    "2.5.29.37",              // extKeyUsage
    "2.5.29.46",              // freshestCRL
    "1.3.6.1.5.5.7.1.1",      // authorityInfoAccess
    "1.3.6.1.5.5.7.48.1.5",   // id-pkix-ocsp-nocheck
    "1.3.6.1.4.1.311.20.2",   // Microsoft: template name
    "1.3.6.1.4.1.311.21.7",   // Microsoft: template
    k_application_policies,   // judged like the extended key usage
    "1.2.840.113549.1.9.15",  // sMIMECapabilities
};

Error mismatch(std::string_view check, const std::string& what) {
    constexpr std::size_t k_longest_message = 400;
    return Error(ErrorKind::refused, "certificateMismatch",
                 std::string(check) + ": " + printable(what, k_longest_message));
}

std::string days(std::chrono::seconds span) {
    return std::to_string(std::chrono::duration_cast<std::chrono::days>(span).count()) + " days";
}

Fault check_key(const CertificatePlan& plan, const Sha256& spki, const PublicKeyFacts& key) {
    if (key.spki_sha256 != spki) return mismatch("publicKey", "the certificate is for another key");
    const auto rsa = [&](unsigned bits) { return key.algorithm == KeyAlgorithm::rsa && key.bits == bits; };
    const auto ec = [&](std::string_view curve) { return key.algorithm == KeyAlgorithm::ec && key.curve == curve; };
    const auto is_asked = [&] {
        switch (plan.key_type) {
            case KeyType::rsa2048: return rsa(2048);
            case KeyType::rsa3072: return rsa(3072);
            case KeyType::rsa4096: return rsa(4096);
            case KeyType::ec_p256: return ec("P-256");
            case KeyType::ec_p384: return ec("P-384");
        }
        return false;
    };
    if (!is_asked()) return mismatch("publicKey", "the key is not of type " + std::string(to_string(plan.key_type)));
    return std::nullopt;
}

Fault check_identifiers(const CertificateFacts& leaf, const CertificateFacts& issuer) {
    if (!leaf.serial_fit) return mismatch("serialNumber", "not a positive number of at most 20 octets");
    if (!leaf.signature_strong) return mismatch("signature", leaf.signature_algorithm + " is too weak");
    if (leaf.is_ca) return mismatch("basicConstraints", "it is a certification authority");
    if (!same_name(leaf.issuer, issuer.subject))
        return mismatch("issuer", to_text(leaf.issuer) + ", expected " + to_text(issuer.subject));
    if (!leaf.subject_key_identifier) return mismatch("subjectKeyIdentifier", "it is missing");
    if (!leaf.authority_key_identifier) return mismatch("authorityKeyIdentifier", "it is missing");
    if (leaf.authority_key_identifier != issuer.subject_key_identifier)
        return mismatch("authorityKeyIdentifier", "it is not the issuer's subjectKeyIdentifier");
    return std::nullopt;
}

// One spelling for each name: mailboxes, UPNs and host names without regard to ASCII case, all else as it stands.
std::set<std::pair<NameForm, std::string>> comparable(const std::vector<GeneralName>& names) {
    std::set<std::pair<NameForm, std::string>> set;
    for (const auto& name : names) {
        std::string value = name.value;
        if (name.form != NameForm::uri && name.form != NameForm::other) value = ascii_lower(value);
        set.emplace(name.form, std::move(value));
    }
    return set;
}

std::string_view shown(NameForm form) {
    switch (form) {
        case NameForm::email: return "rfc822Name";
        case NameForm::smtp_utf8: return "SmtpUTF8Mailbox";
        case NameForm::upn: return "UPN";
        case NameForm::dns: return "dNSName";
        case NameForm::uri: return "URI";
        case NameForm::other: return "a name of another kind";
    }
    return "a name";
}

Fault check_names(const CertificatePlan& plan, const CertificateFacts& leaf) {
    if (!same_name(leaf.subject, plan.csr.subject))
        return mismatch("subject", "\"" + to_text(leaf.subject) + "\", asked \"" + to_text(plan.csr.subject) + "\"");
    const auto asked = comparable(plan.csr.alternative_names);
    const auto returned = comparable(leaf.alternative_names);
    for (const auto& [form, value] : returned)
        if (!asked.contains({form, value}))
            return mismatch("subjectAltName", std::string(shown(form)) + " " + value + " was not asked for");
    for (const auto& [form, value] : asked)
        if (!returned.contains({form, value}))
            return mismatch("subjectAltName", std::string(shown(form)) + " " + value + " is missing");
    // RFC 5280 4.2.1.6.
    if (leaf.subject.empty() && !leaf.alternative_names_critical)
        return mismatch("subjectAltName", "not critical, though the subject is empty");
    return std::nullopt;
}

std::string joined(const std::vector<std::string_view>& words) {
    std::string text;
    for (const auto word : words) text += (text.empty() ? "" : " ") + std::string(word);
    return text;
}

Fault check_usage(const CertificatePlan& plan, const CertificateFacts& leaf, const PolicyRules& rules) {
    if (!leaf.key_usage) return mismatch("keyUsage", "it is missing");
    if (*leaf.key_usage != plan.csr.key_usage)
        return mismatch("keyUsage", joined(leaf.key_usage->words()) + ", asked " + joined(plan.csr.key_usage.words()));
    if (!leaf.extended_key_usage) return mismatch("extKeyUsage", "it is missing, which means any");
    const auto holds = [](const std::vector<std::string>& list, const std::string& purpose) {
        return std::find(list.begin(), list.end(), purpose) != list.end();
    };
    const auto first_beyond = [&](const std::vector<std::string>& list) {
        return std::find_if(list.begin(), list.end(), [&](const auto& purpose) {
            return purpose == eku::k_any || !holds(rules.allowed_extended_key_usages, purpose);
        });
    };
    for (const auto& purpose : plan.csr.extended_key_usage)
        if (!holds(*leaf.extended_key_usage, purpose)) return mismatch("extKeyUsage", purpose + " is missing");
    if (const auto beyond = first_beyond(*leaf.extended_key_usage); beyond != leaf.extended_key_usage->end())
        return mismatch("extKeyUsage", *beyond + " is not allowed");
    if (!leaf.application_policies) return std::nullopt;
    if (const auto beyond = first_beyond(*leaf.application_policies); beyond != leaf.application_policies->end())
        return mismatch("applicationPolicies", *beyond + " is not allowed");
    return std::nullopt;
}

Fault check_extensions(const CertificatePlan& plan, const CertificateFacts& leaf) {
    std::set<std::string_view> seen;
    for (const auto& extension : leaf.extensions) {
        if (!seen.insert(extension).second) return mismatch("extensions", extension + " stands twice");
        if (extension == k_security_identifier_extension) {
            if (!plan.csr.security_identifier)
                return mismatch("securityIdentifier", "a security identifier was not asked for");
            continue;
        }
        if (std::find(k_known_extensions.begin(), k_known_extensions.end(), extension) == k_known_extensions.end())
            return mismatch("extensions", extension + " is not allowed");
        if (extension == k_application_policies && !leaf.application_policies)
            return mismatch("applicationPolicies", "they could not be read");
    }
    if (leaf.security_identifier != plan.csr.security_identifier)
        return mismatch("securityIdentifier",
                        leaf.security_identifier ? "it is not the one asked for" : "it is missing");
    return std::nullopt;
}

Fault check_validity(const CertificatePlan& plan, const CertificateFacts& leaf, const CertificateFacts& issuer,
                     const PolicyRules& rules, UtcTime now) {
    using namespace std::chrono;
    constexpr minutes k_clock_skew{5};
    // Authorities date certificates back against slow clocks: minutes, seldom an hour.
    constexpr hours k_dated_back{1};
    if (leaf.not_before > now + k_clock_skew)
        return mismatch("validity", "not valid before " + to_rfc3339(leaf.not_before));
    if (leaf.not_after <= now) return mismatch("validity", "expired at " + to_rfc3339(leaf.not_after));
    const auto lifetime = leaf.not_after - leaf.not_before;
    const unsigned most =
        plan.validity_days == 0 ? rules.max_validity_days : std::min(plan.validity_days, rules.max_validity_days);
    if (lifetime > std::chrono::days{most} + k_dated_back)
        return mismatch("validity", days(lifetime) + ", at most " + std::to_string(most) + " were asked for");
    if (leaf.not_after > issuer.not_after)
        return mismatch("validity", "it outlives its issuer, which ends " + to_rfc3339(issuer.not_after));
    if (renew_after(leaf, plan.renewal_threshold_percent) <= now)
        return mismatch("validity", "it would have to be renewed at once; it ends " + to_rfc3339(leaf.not_after));
    return std::nullopt;
}

}  // namespace

Result<void> check_issued(const CertificatePlan& plan, const Sha256& spki_sha256, const CertificateFacts& leaf,
                          const CertificateFacts& issuer, const PolicyRules& rules, UtcTime now) {
    if (const auto fault = check_key(plan, spki_sha256, leaf.key)) return *fault;
    if (const auto fault = check_identifiers(leaf, issuer)) return *fault;
    if (const auto fault = check_names(plan, leaf)) return *fault;
    if (const auto fault = check_usage(plan, leaf, rules)) return *fault;
    if (const auto fault = check_extensions(plan, leaf)) return *fault;
    if (const auto fault = check_validity(plan, leaf, issuer, rules, now)) return *fault;
    return {};
}

}  // namespace connector::request
