#include "core/request/policy.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace connector::request {
namespace {

using samples::at;
using samples::begins_with;
using samples::fault_of;
using samples::now;

const Sha256 k_key = samples::filled<Sha256>(0x77);

struct Answer {
    CertificatePlan plan;
    CertificateFacts leaf;
    CertificateFacts issuer;
    PolicyRules rules;

    [[nodiscard]] Result<void> checked() const { return check_issued(plan, k_key, leaf, issuer, rules, now()); }
};

Answer honest() {
    Answer answer;
    answer.rules = samples::policy_rules();
    auto& plan = answer.plan;
    plan.key_type = KeyType::rsa2048;
    plan.csr.subject = parse_name("CN=Alice Smith,O=Corp").value();
    plan.csr.alternative_names = {{NameForm::email, "alice@corp.example"}};
    plan.csr.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    plan.csr.extended_key_usage = {std::string(eku::k_email_protection)};
    plan.validity_days = 365;

    auto& issuer = answer.issuer;
    issuer.subject = parse_name("CN=Corp Issuing CA,O=Corp").value();
    issuer.subject_key_identifier = Bytes{1, 2, 3};
    issuer.not_after = at("2030-01-01T00:00:00Z");
    issuer.is_ca = true;

    auto& leaf = answer.leaf;
    leaf.key = {KeyAlgorithm::rsa, 2048, true, "", k_key};
    leaf.serial_number = "5d0c9a";
    leaf.serial_fit = true;
    leaf.subject = plan.csr.subject;
    leaf.issuer = issuer.subject;
    leaf.not_before = at("2026-11-23T11:50:00Z");
    leaf.not_after = at("2027-11-23T11:59:00Z");
    leaf.alternative_names = plan.csr.alternative_names;
    leaf.key_usage = plan.csr.key_usage;
    leaf.extended_key_usage = plan.csr.extended_key_usage;
    leaf.signature_strong = true;
    leaf.signature_algorithm = "sha256WithRSAEncryption";
    leaf.subject_key_identifier = Bytes{9};
    leaf.authority_key_identifier = Bytes{1, 2, 3};
    leaf.extensions = {"2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19",         "2.5.29.31",
                       "2.5.29.32", "2.5.29.35", "2.5.29.37", "1.3.6.1.5.5.7.1.1", "1.2.840.113549.1.9.15"};
    return answer;
}

TEST(CheckIssued, takes_what_was_asked_for) {
    const struct {
        const char* what;
        std::function<void(Answer&)> change;
    } cases[] = {
        {"as it is", [](Answer&) {}},
        {"case of mailbox and name", [](Answer& a) { a.leaf.alternative_names[0].value = "Alice@CORP.example"; }},
        {"spaces of the subject", [](Answer& a) { a.leaf.subject = parse_name("CN=alice  smith,O=CORP").value(); }},
        {"a second, allowed purpose",
         [](Answer& a) {
             a.rules.allowed_extended_key_usages.emplace_back(eku::k_client_auth);
             a.leaf.extended_key_usage->emplace_back(eku::k_client_auth);
         }},
        {"shorter than asked", [](Answer& a) { a.leaf.not_after = at("2027-03-01T00:00:00Z"); }},
        {"the authority's own validity",
         [](Answer& a) {
             a.plan.validity_days = 0;
             a.leaf.not_after = at("2029-02-24T11:50:00Z");
         }},
        {"AD CS",
         [](Answer& a) {
             a.leaf.extensions.insert(a.leaf.extensions.end(),
                                      {"1.3.6.1.4.1.311.21.7", "1.3.6.1.4.1.311.21.10", "1.3.6.1.4.1.311.20.2"});
             a.leaf.application_policies = {std::string(eku::k_email_protection)};
         }},
        {"security identifier that was asked for",
         [](Answer& a) {
             a.plan.csr.security_identifier = a.leaf.security_identifier = "S-1-5-21-1-2-3-1104";
             a.leaf.extensions.emplace_back("1.3.6.1.4.1.311.25.2");
         }},
        {"empty subject, critical names",
         [](Answer& a) {
             a.plan.csr.subject = a.leaf.subject = Name();
             a.leaf.alternative_names_critical = true;
         }},
        {"P-384",
         [](Answer& a) {
             a.plan.key_type = KeyType::ec_p384;
             a.leaf.key = {KeyAlgorithm::ec, 384, false, "P-384", k_key};
         }},
        {"a clock five minutes ahead", [](Answer& a) { a.leaf.not_before = now() + std::chrono::minutes{5}; }},
    };
    for (const auto& it : cases) {
        auto answer = honest();
        it.change(answer);
        EXPECT_EQ(fault_of(answer.checked()), "accepted") << it.what;
    }
}

TEST(CheckIssued, refuses_anything_else_and_names_the_check) {  // AT-18, AT-19, AT-20, AT-69
    const auto purpose = [](const char* oid) {
        return [oid](Answer& a) { a.leaf.extended_key_usage->emplace_back(oid); };
    };
    const struct {
        const char* what;
        std::function<void(Answer&)> change;
        const char* check;
    } cases[] = {
        {"another key", [](Answer& a) { a.leaf.key.spki_sha256 = samples::filled<Sha256>(1); }, "publicKey"},
        {"another size", [](Answer& a) { a.leaf.key.bits = 1024; }, "publicKey"},
        {"RSA-PSS", [](Answer& a) { a.leaf.key.algorithm = KeyAlgorithm::rsa_pss; }, "publicKey"},
        {"unnamed curve",
         [](Answer& a) {
             a.plan.key_type = KeyType::ec_p256;
             a.leaf.key = {KeyAlgorithm::ec, 256, false, "", k_key};
         },
         "publicKey"},
        {"serial number", [](Answer& a) { a.leaf.serial_fit = false; }, "serialNumber"},
        {"SHA-1", [](Answer& a) { a.leaf.signature_strong = false; }, "signature"},
        {"CA", [](Answer& a) { a.leaf.is_ca = true; }, "basicConstraints"},
        {"another issuer", [](Answer& a) { a.leaf.issuer = parse_name("CN=Other CA").value(); }, "issuer"},
        {"no SKI", [](Answer& a) { a.leaf.subject_key_identifier.reset(); }, "subjectKeyIdentifier"},
        {"no AKI", [](Answer& a) { a.leaf.authority_key_identifier.reset(); }, "authorityKeyIdentifier"},
        {"neither AKI nor the issuer's SKI",
         [](Answer& a) {
             a.leaf.authority_key_identifier.reset();
             a.issuer.subject_key_identifier.reset();
         },
         "authorityKeyIdentifier"},
        {"foreign AKI",
         [](Answer& a) {
             a.leaf.authority_key_identifier = Bytes{1, 2};
         },
         "authorityKeyIdentifier"},
        {"the connector's own name",
         [](Answer& a) { a.leaf.subject = parse_name("CN=SRV-CONNECTOR,OU=Services,DC=corp").value(); }, "subject"},
        {"reordered subject", [](Answer& a) { a.leaf.subject = parse_name("O=Corp,CN=Alice Smith").value(); },
         "subject"},
        {"subject with more", [](Answer& a) { a.leaf.subject = parse_name("CN=Alice Smith,O=Corp,C=CH").value(); },
         "subject"},
        {"a second mailbox",
         [](Answer& a) {
             a.leaf.alternative_names.push_back({NameForm::email, "ceo@corp.example"});
         },
         "subjectAltName"},
        {"another mailbox", [](Answer& a) { a.leaf.alternative_names[0].value = "ceo@corp.example"; },
         "subjectAltName"},
        {"no names", [](Answer& a) { a.leaf.alternative_names.clear(); }, "subjectAltName"},
        {"the name in another form", [](Answer& a) { a.leaf.alternative_names[0].form = NameForm::smtp_utf8; },
         "subjectAltName"},
        {"UPN",
         [](Answer& a) {
             a.leaf.alternative_names.push_back({NameForm::upn, "alice@corp.example"});
         },
         "subjectAltName"},
        {"SID as URI",
         [](Answer& a) {
             a.leaf.alternative_names.push_back({NameForm::uri, security_identifier_uri("S-1-5-21-1-2-3-500")});
         },
         "subjectAltName"},
        {"unknown kind of name",
         [](Answer& a) {
             a.leaf.alternative_names.push_back({NameForm::other, "directoryName"});
         },
         "subjectAltName"},
        {"empty subject, names not critical", [](Answer& a) { a.plan.csr.subject = a.leaf.subject = Name(); },
         "subjectAltName"},
        {"no KU", [](Answer& a) { a.leaf.key_usage.reset(); }, "keyUsage"},
        {"more KU",
         [](Answer& a) { a.leaf.key_usage = KeyUsage(KeyUsage::k_digital_signature | KeyUsage::k_non_repudiation); },
         "keyUsage"},
        {"keyEncipherment", [](Answer& a) { a.leaf.key_usage = KeyUsage(KeyUsage::k_key_encipherment); }, "keyUsage"},
        {"no EKU", [](Answer& a) { a.leaf.extended_key_usage.reset(); }, "extKeyUsage"},
        {"another EKU", [](Answer& a) { a.leaf.extended_key_usage = {std::string(eku::k_client_auth)}; },
         "extKeyUsage"},
        {"clientAuth", purpose("1.3.6.1.5.5.7.3.2"), "extKeyUsage"},
        {"smart card logon", purpose("1.3.6.1.4.1.311.20.2.2"), "extKeyUsage"},
        {"enrolment agent", purpose("1.3.6.1.4.1.311.20.2.1"), "extKeyUsage"},
        {"PKINIT", purpose("1.3.6.1.5.2.3.4"), "extKeyUsage"},
        {"any", purpose("2.5.29.37.0"), "extKeyUsage"},
        {"enrolment agent as application policy",
         [](Answer& a) {
             a.leaf.extensions.emplace_back("1.3.6.1.4.1.311.21.10");
             a.leaf.application_policies = {std::string(eku::k_email_protection), "1.3.6.1.4.1.311.20.2.1"};
         },
         "applicationPolicies"},
        {"application policies that do not read",
         [](Answer& a) { a.leaf.extensions.emplace_back("1.3.6.1.4.1.311.21.10"); }, "applicationPolicies"},
        {"unknown extension", [](Answer& a) { a.leaf.extensions.emplace_back("2.5.29.30"); }, "extensions"},
        {"an extension twice", [](Answer& a) { a.leaf.extensions.emplace_back("2.5.29.17"); }, "extensions"},
        {"the connector's SID",
         [](Answer& a) {
             a.leaf.extensions.emplace_back("1.3.6.1.4.1.311.25.2");
             a.leaf.security_identifier = "S-1-5-21-1-2-3-500";
         },
         "securityIdentifier"},
        {"a SID extension that does not read",
         [](Answer& a) { a.leaf.extensions.emplace_back("1.3.6.1.4.1.311.25.2"); }, "securityIdentifier"},
        {"another SID",
         [](Answer& a) {
             a.plan.csr.security_identifier = "S-1-5-21-1-2-3-1104";
             a.leaf.extensions.emplace_back("1.3.6.1.4.1.311.25.2");
             a.leaf.security_identifier = "S-1-5-21-1-2-3-500";
         },
         "securityIdentifier"},
        {"no SID", [](Answer& a) { a.plan.csr.security_identifier = "S-1-5-21-1-2-3-1104"; }, "securityIdentifier"},
        {"not yet", [](Answer& a) { a.leaf.not_before = now() + std::chrono::minutes{5} + std::chrono::seconds{1}; },
         "validity"},
        {"expired", [](Answer& a) { a.leaf.not_after = now(); }, "validity"},
        {"longer than asked", [](Answer& a) { a.leaf.not_after = at("2027-11-24T12:51:00Z"); }, "validity"},
        {"longer than allowed",
         [](Answer& a) {
             a.plan.validity_days = 0;
             a.leaf.not_after = at("2029-02-26T00:00:00Z");
         },
         "validity"},
        {"outlives its issuer", [](Answer& a) { a.issuer.not_after = at("2027-11-23T11:58:59Z"); }, "validity"},
        {"due for renewal at once",
         [](Answer& a) {
             a.leaf.not_before = at("2026-01-01T00:00:00Z");
             a.leaf.not_after = at("2026-12-01T00:00:00Z");
         },
         "validity"},
    };
    for (const auto& it : cases) {
        auto answer = honest();
        it.change(answer);
        const auto checked = answer.checked();
        EXPECT_TRUE(begins_with(fault_of(checked), std::string("certificateMismatch ") + it.check + ": "))
            << it.what << ": " << fault_of(checked);
        if (!checked) {
            EXPECT_EQ(checked.error().kind, ErrorKind::refused);
        }
    }
}

}  // namespace
}  // namespace connector::request
