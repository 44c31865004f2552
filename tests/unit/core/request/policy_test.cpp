#include "core/request/policy.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace connector::request {
namespace {

using samples::begins_with;
using samples::contains;
using samples::fault_of;
using trust::IdentitySource;
using Change = std::function<void(CertificateRequest&, PolicyRules&)>;

Result<CertificatePlan> plan(IdentitySource source, const Change& change) {
    auto request = samples::issue_request();
    auto rules = samples::policy_rules();
    change(request, rules);
    return plan_certificate(request, samples::prove(request, source), rules);
}
Change subject(const std::string& text) {
    return [text](auto& request, auto&) { samples::profile_of(request).subject = text; };
}
// The profile's SANs are replaced by these, and every type is allowed.
Change alternative_names(std::vector<SanTemplate> names) {
    return [names](auto& request, auto& rules) {
        samples::profile_of(request).subject_alt_names = names;
        rules.allowed_san_types = {SanType::email, SanType::upn, SanType::dns, SanType::uri};
    };
}
const SanTemplate k_mail{SanType::email, "{{EmailAddress}}"};

void expect_refused(const Result<CertificatePlan>& plan, const char* start, const std::string& what) {
    EXPECT_TRUE(begins_with(fault_of(plan), start)) << what << ": " << fault_of(plan);
}

TEST(Plan, holds_what_was_asked_and_proved) {
    const auto made = plan(IdentitySource::certificate, [](auto&, auto&) {});
    ASSERT_TRUE(made) << fault_of(made);
    EXPECT_EQ(made->key_type, KeyType::rsa2048);
    EXPECT_EQ(to_text(made->csr.subject), "CN=Alice Smith,O=Corp");
    EXPECT_EQ(made->csr.alternative_names, (std::vector<GeneralName>{{NameForm::email, "alice@corp.example"}}));
    EXPECT_FALSE(made->csr.alternative_names_critical);
    EXPECT_EQ(made->csr.key_usage, KeyUsage(KeyUsage::k_digital_signature));
    EXPECT_EQ(made->csr.extended_key_usage, std::vector<std::string>{std::string(eku::k_email_protection)});
    EXPECT_FALSE(made->csr.security_identifier);
    EXPECT_EQ(made->validity_days, 365U);
    EXPECT_EQ(made->renewal_threshold_percent, 20U);
}

TEST(Plan, an_empty_subject_makes_the_alternative_names_critical) {
    const auto made = plan(IdentitySource::certificate, subject(""));
    ASSERT_TRUE(made) << fault_of(made);
    EXPECT_TRUE(made->csr.subject.empty());
    EXPECT_TRUE(made->csr.alternative_names_critical);
}

TEST(Plan, an_order_without_a_profile_is_our_fault) {
    auto request = samples::issue_request();
    const auto person = samples::prove(request, IdentitySource::service);
    request.order = Withdraw{};
    EXPECT_EQ(plan_certificate(request, person, {}).error().kind, ErrorKind::internal);
}

TEST(Plan, keys_usages_and_purposes_are_denied_unless_listed) {  // AT-17, AT-19
    const auto usage = [](std::uint16_t bits) {
        return [bits](auto& request, auto&) { samples::profile_of(request).key_usage = KeyUsage(bits); };
    };
    const auto purposes = [](std::vector<std::string> oids) {
        return [oids](auto& request, auto&) { samples::profile_of(request).extended_key_usage = oids; };
    };
    const std::string mail(eku::k_email_protection);
    const struct {
        const char* what;
        Change change;
        const char* start;
    } cases[] = {
        {"key type", [](auto&, auto& rules) { rules.key_types = {KeyType::ec_p256}; },
         "policyRefused /profile/keyType: "},
        {"keyEncipherment", usage(KeyUsage::k_key_encipherment),
         "policyRefused /profile/keyUsage: [policy] allowed_key_usages does not list keyEncipherment"},
        {"beside", usage(KeyUsage::k_digital_signature | KeyUsage::k_data_encipherment),
         "policyRefused /profile/keyUsage: "},
        {"no usage", usage(0), "policyRefused /profile/keyUsage: "},
        {"keyCertSign, even where listed",
         [](auto& request, auto& rules) {
             samples::profile_of(request).key_usage = KeyUsage(KeyUsage::k_key_cert_sign);
             rules.allowed_key_usages = KeyUsage(0x1FF);
         },
         "policyRefused /profile/keyUsage: keyCertSign"},
        {"EC keyEncipherment",
         [](auto& request, auto& rules) {
             samples::profile_of(request).key_type = KeyType::ec_p256;
             samples::profile_of(request).key_usage = KeyUsage(KeyUsage::k_key_encipherment);
             rules.allowed_key_usages = KeyUsage(0x1FF);
         },
         "invalidRequest /profile/keyUsage: "},
        {"RSA keyAgreement",
         [](auto& request, auto& rules) {
             samples::profile_of(request).key_usage = KeyUsage(KeyUsage::k_key_agreement);
             rules.allowed_key_usages = KeyUsage(0x1FF);
         },
         "invalidRequest /profile/keyUsage: "},
        {"clientAuth", purposes({mail, "1.3.6.1.5.5.7.3.2"}),
         "policyRefused /profile/extendedKeyUsage: [policy] allowed_extended_key_usages does not list "
         "1.3.6.1.5.5.7.3.2"},
        {"smart card logon", purposes({"1.3.6.1.4.1.311.20.2.2"}), "policyRefused /profile/extendedKeyUsage: "},
        {"enrolment agent", purposes({"1.3.6.1.4.1.311.20.2.1"}), "policyRefused /profile/extendedKeyUsage: "},
        {"PKINIT", purposes({"1.3.6.1.5.2.3.4"}), "policyRefused /profile/extendedKeyUsage: "},
        {"any", purposes({"2.5.29.37.0"}), "policyRefused /profile/extendedKeyUsage: "},
        {"any, even where listed",
         [&](auto& request, auto& rules) {
             samples::profile_of(request).extended_key_usage = {"2.5.29.37.0"};
             rules.allowed_extended_key_usages.emplace_back("2.5.29.37.0");
         },
         "policyRefused /profile/extendedKeyUsage: "},
        {"none", purposes({}), "policyRefused /profile/extendedKeyUsage: "},
        {"no OID", purposes({"emailProtection"}), "invalidRequest /profile/extendedKeyUsage: "},
        {"too long", [](auto& request, auto&) { samples::profile_of(request).validity_days = 825; },
         "policyRefused /profile/validityDays: 825 days; [policy] max_validity_days is 824"},
        {"no time", [](auto& request, auto&) { samples::profile_of(request).validity_days = 0; },
         "invalidRequest /profile/validityDays: "},
        {"threshold", [](auto& request, auto&) { samples::profile_of(request).renewal_threshold_percent = 100; },
         "invalidRequest /profile/renewalThresholdPercent: "},
    };
    for (const auto& it : cases) expect_refused(plan(IdentitySource::certificate, it.change), it.start, it.what);
}

TEST(Plan, what_the_policy_lists_is_planned) {
    const auto made = plan(IdentitySource::certificate, [](auto& request, auto& rules) {
        auto& profile = samples::profile_of(request);
        profile.key_type = KeyType::ec_p384;
        profile.key_usage = KeyUsage(KeyUsage::k_key_agreement);
        profile.extended_key_usage = {std::string(eku::k_email_protection), std::string(eku::k_client_auth),
                                      std::string(eku::k_email_protection)};
        profile.validity_days.reset();
        rules.allowed_key_usages = KeyUsage(KeyUsage::k_key_agreement);
        rules.allowed_extended_key_usages.emplace_back(eku::k_client_auth);
    });
    ASSERT_TRUE(made) << fault_of(made);
    EXPECT_EQ(made->csr.extended_key_usage.size(), 2U);
    EXPECT_EQ(made->validity_days, 0U);
}

TEST(Plan, alternative_names_of_a_type_that_is_not_listed_are_refused) {  // AT-15
    for (const auto& san :
         {SanTemplate{SanType::upn, "{{UserPrincipalName}}"}, SanTemplate{SanType::dns, "dc1.corp.example"},
          SanTemplate{SanType::uri, "{{OnPremisesSecurityIdentifier}}"}}) {
        const auto made = plan(IdentitySource::service, [&](auto& request, auto&) {
            samples::profile_of(request).subject_alt_names = {k_mail, san};
        });
        expect_refused(made, "policyRefused /profile/subjectAltNames/1/type: ", san.value);
    }
}

TEST(Plan, names_of_other_people_are_refused) {  // AT-13, AT-16
    const struct {
        const char* what;
        Change change;
        const char* start;
    } cases[] = {
        {"literal SAN", alternative_names({k_mail, {SanType::email, "ceo@corp.example"}}),
         "policyRefused /profile/subjectAltNames/1/value: ceo@corp.example is not a mailbox"},
        {"E", subject("CN={{GivenName}} {{SurName}},E=ceo@corp.example"),
         "policyRefused /profile/subject: ceo@corp.example"},
        {"E by its OID", subject("1.2.840.113549.1.9.1=ceo@corp.example"), "policyRefused /profile/subject: "},
        {"CN", subject("CN=Carla Chief"), "policyRefused /profile/subject: CN is \"Carla Chief\""},
        {"CN by its OID", subject("2.5.4.3=Carla Chief"), "policyRefused /profile/subject: CN"},
        {"second CN", subject("CN={{GivenName}} {{SurName}},CN=Carla Chief"), "policyRefused /profile/subject: CN"},
        {"CN with more", subject("CN={{GivenName}} {{SurName}} (Chief)"), "policyRefused /profile/subject: CN"},
        {"G", subject("G=Carla"), "policyRefused /profile/subject: givenName"},
        {"SN", subject("SN=Chief"), "policyRefused /profile/subject: SN"},
        {"name", subject("name=Carla Chief"), "policyRefused /profile/subject: name"},
        {"pseudonym", subject("pseudonym=Chief"), "policyRefused /profile/subject: pseudonym"},
        {"displayName", subject("2.16.840.1.113730.3.1.241=Carla Chief"),
         "policyRefused /profile/subject: displayName"},
        {"initials", subject("initials=CC"), "policyRefused /profile/subject: initials"},
        {"UID", subject("UID=cchief"), "policyRefused /profile/subject: UID"},
        {"mailbox in O", subject("O=ceo@corp.example"), "policyRefused /profile/subject: ceo@corp.example"},
        {"mailbox in a foreign type", subject("1.3.6.1.4.1.311.20.2.3=administrator@corp.example"),
         "policyRefused /profile/subject: administrator@corp.example"},
        {"half a mailbox in OU", subject("OU=write to ceo@corp"), "policyRefused /profile/subject: "},
        {"UPN", alternative_names({k_mail, {SanType::upn, "administrator@corp.example"}}),
         "policyRefused /profile/subjectAltNames/1/value: administrator@corp.example"},
        {"quoted local part", alternative_names({{SanType::email, "\"alice@corp.example\"@evil.example"}}),
         "invalidRequest /profile/subjectAltNames/0/value: "},
        {"trailing dot", alternative_names({{SanType::email, "alice@corp.example."}}),
         "invalidRequest /profile/subjectAltNames/0/value: "},
        {"suffix", alternative_names({{SanType::email, "alice@evilcorp.example"}}),
         "policyRefused /profile/subjectAltNames/0/value: "},
        {"homograph", alternative_names({{SanType::email, "alice@c\xD0\xBErp.example"}}),
         "policyRefused /profile/subjectAltNames/0/value: "},
        {"homograph in the local part", alternative_names({{SanType::email, "\xD0\xB0lice@corp.example"}}),
         "policyRefused /profile/subjectAltNames/0/value: "},
        {"mailto", alternative_names({k_mail, {SanType::uri, "mailto:ceo@corp.example"}}),
         "policyRefused /profile/subjectAltNames/1/value: ceo@corp.example"},
        {"mailto, encoded", alternative_names({k_mail, {SanType::uri, "mailto:ceo%40corp.example"}}),
         "policyRefused /profile/subjectAltNames/1/value: "},
        {"a device", alternative_names({k_mail, {SanType::uri, "URN:Device:d-other"}}),
         "policyRefused /profile/subjectAltNames/1/value: it names a device"},
        {"no mailbox", alternative_names({{SanType::upn, "{{UserPrincipalName}}"}}),
         "policyRefused /profile/subjectAltNames: "},
        {"nothing at all", alternative_names({}), "policyRefused /profile/subjectAltNames: "},
    };
    for (const auto& it : cases)
        for (const auto source : {IdentitySource::certificate, IdentitySource::service})
            expect_refused(plan(source, it.change), it.start, it.what);
}

TEST(Plan, domains_are_those_of_the_operator) {  // AT-16, AT-22
    const auto domains = [](std::vector<std::string> list) {
        return [list](auto&, auto& rules) { rules.allowed_mail_domains = list; };
    };
    const char* const start = "policyRefused /profile/subjectAltNames/0/value: corp.example is not in";
    expect_refused(plan(IdentitySource::certificate, domains({})), start, "none");
    expect_refused(plan(IdentitySource::certificate, domains({"example"})), start, "parent");
    expect_refused(plan(IdentitySource::certificate, domains({"mail.corp.example"})), start, "child");
    EXPECT_TRUE(plan(IdentitySource::certificate, domains({"other.example", "CORP.example"})));
    // In the subject as well.
    const auto made = plan(IdentitySource::service, [](auto& request, auto&) {
        request.user.other_mails.emplace_back("alice@other.example");
        samples::profile_of(request).subject = "E=alice@other.example";
    });
    expect_refused(made, "policyRefused /profile/subject: other.example", "E");
}

TEST(Plan, a_claim_that_contradicts_the_proof_is_named) {  // AT-14
    const struct {
        const char* what;
        Change change;
        const char* start;
    } cases[] = {
        {"mail", [](auto& request, auto&) { request.user.mail = "ceo@corp.example"; }, "policyRefused /user/mail: "},
        {"given name", [](auto& request, auto&) { request.user.given_name = "Carla"; },
         "policyRefused /user/givenName: "},
        {"surname", [](auto& request, auto&) { request.user.surname = "Chief"; }, "policyRefused /user/surname: "},
        {"display name", subject("CN={{DisplayName}}"), "policyRefused /user/displayName: "},
        {"account", subject("UID={{OnPremisesSamAccountName}}"), "policyRefused /user/onPremisesSamAccountName: "},
        {"DN", subject("{{OnPrem_Distinguished_Name}}"), "policyRefused /user/onPremisesDistinguishedName: "},
        {"device's serial number", subject("serialNumber={{SerialNumber}}"), "policyRefused /device/serialNumber: "},
        {"device's name", subject("OU={{DeviceName}}"), "policyRefused /device/name: "},
        {"SID",
         [](auto& request, auto& rules) {
             samples::profile_of(request).include_security_identifier = true;
             rules.allow_security_identifier = true;
         },
         "policyRefused /user/onPremisesSecurityIdentifier: "},
    };
    for (const auto& it : cases) expect_refused(plan(IdentitySource::certificate, it.change), it.start, it.what);
    // What is not used is not judged.
    EXPECT_TRUE(
        plan(IdentitySource::certificate, [](auto& request, auto&) { request.user.display_name = "Carla Chief"; }));
}

TEST(Plan, a_person_stands_under_any_of_his_proved_names) {
    for (const auto* text :
         {"CN={{GivenName}} {{SurName}}", "CN={{SurName}} {{GivenName}}", "CN=\"{{SurName}}, {{GivenName}}\"",
          "CN=ALICE  smith", "CN={{UserName}}", "CN={{UserPrincipalName}}", "CN={{EmailAddress}}",
          "CN={{UserName}},E={{EmailAddress}}",
          "G={{GivenName}},SN={{SurName}},O=Corp,OU=Mail,C=CH,L=Bern,ST=Bern,DC=corp,serialNumber=7,T=Dr",
          "UID={{UserName}}", "OU={{DeviceId}}", "pseudonym=alice"})
        EXPECT_TRUE(plan(IdentitySource::certificate, subject(text)))
            << text << ": " << fault_of(plan(IdentitySource::certificate, subject(text)));
    for (const auto* text : {"CN={{DisplayName}}", "UID={{OnPremisesSamAccountName}}", "{{OnPrem_Distinguished_Name}}",
                             "serialNumber={{SerialNumber}},OU={{DeviceName}}"})
        EXPECT_TRUE(plan(IdentitySource::service, subject(text)))
            << text << ": " << fault_of(plan(IdentitySource::service, subject(text)));
    // A display name that is made of proved names is proved.
    EXPECT_TRUE(plan(IdentitySource::certificate, [](auto& request, auto&) {
        request.user.display_name = "Smith, Alice";
        samples::profile_of(request).subject = "CN={{DisplayName}}";
    }));
    EXPECT_TRUE(plan(IdentitySource::service, alternative_names({{SanType::email, "{{EmailAddress}}"},
                                                                 {SanType::email, "Alice.Smith@corp.example"},
                                                                 {SanType::upn, "{{UserPrincipalName}}"},
                                                                 {SanType::dns, "host.corp.example"},
                                                                 {SanType::uri, "https://corp.example/alice"},
                                                                 {SanType::uri, "sip:alice@corp.example"}})));
}

TEST(Plan, a_devices_word_makes_no_persons_name) {  // AT-21
    for (const auto* text :
         {"CN={{DeviceName}}", "CN={{GivenName}} {{DeviceName}}", "CN={{SerialNumber}}", "CN={{IMEI}}",
          "CN={{DeviceId}}", "CN={{AAD_Device_ID}}", "G={{DeviceName}}", "2.5.4.3={{DeviceName}}"}) {
        for (const auto source : {IdentitySource::certificate, IdentitySource::service}) {
            const auto made = plan(source, [&](auto& request, auto&) {
                request.device.name = "Alice Smith";  // even the right words
                samples::profile_of(request).subject = text;
            });
            expect_refused(made, "policyRefused /profile/subject: /device/", text);
        }
    }
}

TEST(Plan, a_security_identifier_needs_permission_and_proof_in_every_spelling) {  // AT-15
    const std::string own = "S-1-5-21-1-2-3-1104";
    const auto uri = [](const std::string& value, bool allowed) {
        return [value, allowed](auto& request, auto& rules) {
            samples::profile_of(request).subject_alt_names = {k_mail, {SanType::uri, value}};
            rules.allowed_san_types = {SanType::email, SanType::uri};
            rules.allow_security_identifier = allowed;
        };
    };
    for (const auto& value :
         {std::string("{{OnPremisesSecurityIdentifier}}"), "tag:microsoft.com,2022-09-14:sid:" + own,
          "TAG:Microsoft.COM,2022-09-14:sid:" + own, "tag:%6Dicrosoft.com,2022-09-14:sid:" + own,
          "tag:microsoft.com%2C2022-09-14:sid:" + own, std::string("tag:microsoft.com,2030-01-01:x")})
        expect_refused(plan(IdentitySource::service, uri(value, false)),
                       "policyRefused /profile/subjectAltNames/1/value: ", value);
    EXPECT_TRUE(plan(IdentitySource::service, uri("{{OnPremisesSecurityIdentifier}}", true)));
    EXPECT_TRUE(plan(IdentitySource::service, uri("tag:microsoft.com,2022-09-14:sid:" + own, true)));
    for (const auto& value :
         {std::string("tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-500"), "TAG:microsoft.com,2022-09-14:sid:" + own,
          "tag:microsoft.com,2022-09-15:sid:" + own, "tag:microsoft.com,2022-09-14:sid:" + own + "0"})
        expect_refused(plan(IdentitySource::service, uri(value, true)),
                       "policyRefused /profile/subjectAltNames/1/value: ", value);

    const auto extension = [](bool allowed) {
        return [allowed](auto& request, auto& rules) {
            samples::profile_of(request).include_security_identifier = true;
            rules.allow_security_identifier = allowed;
        };
    };
    expect_refused(plan(IdentitySource::service, extension(false)),
                   "policyRefused /profile/includeSecurityIdentifier: ", "");
    const auto made = plan(IdentitySource::service, extension(true));
    ASSERT_TRUE(made) << fault_of(made);
    EXPECT_EQ(made->csr.security_identifier, own);
}

TEST(Plan, a_mailbox_beyond_ascii_is_an_smtp_utf8_mailbox) {
    const auto made = plan(IdentitySource::service, [](auto& request, auto& rules) {
        request.user.mail = "zoë@Bücher.example";
        rules.allowed_mail_domains = {"bücher.example"};
    });
    ASSERT_TRUE(made) << fault_of(made);
    EXPECT_EQ(made->csr.alternative_names,
              (std::vector<GeneralName>{{NameForm::smtp_utf8, "zoë@xn--bcher-kva.example"}}));
}

TEST(Plan, messages_are_short_and_printable) {
    const auto made = plan(IdentitySource::service, subject("O=" + std::string(30, 'x') + "@" + std::string(30, 'y')));
    ASSERT_FALSE(made);
    EXPECT_LE(made.error().message.size(), 512U);
    EXPECT_EQ(made.error().kind, ErrorKind::refused);
}

TEST(RenewAfter, takes_the_share_of_the_lifetime) {
    CertificateFacts facts;
    facts.not_before = samples::at("2026-01-01T00:00:00Z");
    facts.not_after = samples::at("2026-04-11T00:00:00Z");  // 100 days
    EXPECT_EQ(to_rfc3339(renew_after(facts, 20)), "2026-03-22T00:00:00Z");
    EXPECT_EQ(renew_after(facts, 0), facts.not_after);
    EXPECT_EQ(renew_after(facts, 100), facts.not_before);
    EXPECT_EQ(renew_after(facts, 4000), facts.not_before);
}

}  // namespace
}  // namespace connector::request
