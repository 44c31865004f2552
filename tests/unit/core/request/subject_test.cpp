#include "core/request/subject.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::request {
namespace {

using samples::alice;
using samples::begins_with;
using samples::contains;
using samples::phone;

Result<FilledNames> fill(const std::string& subject, std::vector<SanTemplate> names = {}, const User& user = alice(),
                         const Device& device = phone()) {
    Profile profile;
    profile.subject = subject;
    profile.subject_alt_names = std::move(names);
    return fill_names(profile, user, device);
}

TEST(Subject, variables_are_filled_by_every_spelling) {
    const struct {
        const char* subject;
        const char* filled;
    } cases[] = {
        {"CN={{GivenName}} {{SurName}},O=Corp", "CN=Alice Smith,O=Corp"},
        {"CN={{UserName}}", "CN=alice"},
        {"CN={{userprincipalname}}", "CN=alice@corp.example"},
        {"CN={{USERNAME}},E={{EmailAddress}}", "CN=alice,emailAddress=alice@corp.example"},
        {"UID={{onPremisesSamAccountName}}", "UID=asmith"},
        {"CN={{DeviceId}}", "CN=d-phone-1"},
        {"CN={{DeviceName}}", "CN=Alice's phone"},
        {"serialNumber={{SERIALNUMBER}}", "serialNumber=F2LXK1AB0D8"},
        {"serialNumber={{Device_Serial}}", "serialNumber=F2LXK1AB0D8"},
        {"CN={{IMEI}}-{{IMEINumber}}-{{Device_IMEI}}", "CN=356938035643809-356938035643809-356938035643809"},
        {"CN={{AAD_Device_ID}}", "CN=11111111-2222-3333-4444-555555555555"},
        {"CN={{AzureADDeviceId}}", "CN=11111111-2222-3333-4444-555555555555"},
        {"CN={{OnPremisesSecurityIdentifier}}", "CN=S-1-5-21-1-2-3-1104"},
        {"CN=\"{{SurName}}, {{GivenName}}\"", "CN=Smith\\, Alice"},
        {"CN=a}}b{c", "CN=a}}b{c"},
        {"", ""},
        {"{{OnPrem_Distinguished_Name}}", "CN=Alice Smith,OU=People,DC=corp,DC=example"},
        {"{{onprem_distinguished_name}}", "CN=Alice Smith,OU=People,DC=corp,DC=example"},
    };
    for (const auto& it : cases) {
        const auto names = fill(it.subject);
        ASSERT_TRUE(names) << it.subject << ": " << samples::fault_of(names);
        EXPECT_EQ(to_text(names->subject), it.filled) << it.subject;
    }
}

TEST(Subject, a_value_is_data_whatever_it_looks_like) {
    for (const auto* hostile : {"Smith, Alice + Co", "x,CN=Carla Chief", "x+CN=Carla Chief", "a=b;c\"d\\e<f>g",
                                "#0C0141", "{{EmailAddress}}", " padded ", "\\,O=Evil", "x\\00"}) {
        auto user = alice();
        user.display_name = hostile;
        const auto names = fill("CN={{DisplayName}},O=Corp", {}, user);
        ASSERT_TRUE(names) << hostile << ": " << samples::fault_of(names);
        ASSERT_EQ(names->subject.rdns.size(), 2U) << hostile;
        ASSERT_EQ(names->subject.rdns[1].size(), 1U) << hostile;
        EXPECT_EQ(names->subject.rdns[1][0].value, hostile);
        EXPECT_TRUE(same_name(parse_name(to_text(names->subject)).value(), names->subject)) << hostile;
    }
}

TEST(Subject, faults_begin_with_the_pointer_and_name_the_variable) {
    auto bare = alice();
    bare.surname.reset();
    bare.given_name = "";
    bare.display_name = "Ali\nce";
    bare.on_premises_distinguished_name = "Alice";
    bare.on_premises_sam_account_name = std::string(257, 'x');
    const struct {
        std::string subject;
        const char* message;
    } cases[] = {
        {"CN={{SurName}}", "/profile/subject: {{SurName}} has no value (user.surname)"},
        {"CN={{GivenName}}", "/profile/subject: {{GivenName}} has no value (user.givenName)"},
        {"CN={{DisplayName}}", "/profile/subject: {{DisplayName}} holds a control character (user.displayName)"},
        {"CN={{MEID}}", "/profile/subject: {{MEID}} is not a variable"},
        {"CN={{}}", "/profile/subject: {{}} is not a variable"},
        {"CN={{GivenName", "/profile/subject: a {{ without its }}"},
        {"CN={{OnPrem_Distinguished_Name}}",
         "/profile/subject: {{OnPrem_Distinguished_Name}} stands for a whole subject"},
        {"{{OnPrem_Distinguished_Name}},O=Corp", "/profile/subject: "},
        {"{{OnPrem_Distinguished_Name}}",
         "/profile/subject: {{OnPrem_Distinguished_Name}} (user.onPremisesDistinguishedName)"},
        {"UID={{OnPremisesSamAccountName}}",
         "/profile/subject: UID (from {{OnPremisesSamAccountName}}) is longer than 256 characters"},
        {"CN=" + std::string(65, 'x'), "/profile/subject: CN is longer than 64 characters"},
        {"C=CHE", "/profile/subject: C is longer than 2 characters"},
        {"C=C", "/profile/subject: C is a country code of two letters"},
        {"serialNumber=ü", "/profile/subject: serialNumber can hold ASCII only"},
        {"E=nonsense", "/profile/subject: emailAddress: "},
        {"E=zoë@corp.example", "/profile/subject: emailAddress can hold ASCII only"},
        {"Fun=x", "/profile/subject: unknown attribute name \"Fun\""},
    };
    for (const auto& it : cases) {
        const auto names = fill(it.subject, {}, bare);
        ASSERT_FALSE(names) << it.subject;
        EXPECT_EQ(names.error().code, "invalidRequest");
        EXPECT_TRUE(begins_with(names.error().message, it.message)) << names.error().message;
    }
}

TEST(Subject, bounds_count_characters) {
    std::string umlauts;
    for (int i = 0; i < 64; ++i) umlauts += "ü";
    EXPECT_TRUE(fill("CN=" + umlauts));
    EXPECT_FALSE(fill("CN=" + umlauts + "ü"));
}

TEST(Subject, mailbox_is_normalised) {
    EXPECT_EQ(to_text(fill("E=Alice@BÜCHER.example")->subject), "emailAddress=Alice@xn--bcher-kva.example");
}

TEST(AlternativeNames, each_type_in_its_form) {
    const auto names = fill("", {{SanType::email, "{{EmailAddress}}"},
                                 {SanType::email, "zoë@Bücher.example"},
                                 {SanType::upn, "{{UserPrincipalName}}"},
                                 {SanType::dns, "{{DeviceId}}.Bücher.example"},
                                 {SanType::uri, "https://corp.example/{{UserName}}"},
                                 {SanType::uri, "{{OnPremisesSecurityIdentifier}}"},
                                 {SanType::uri, "tag:microsoft.com,2022-09-14:sid:{{OnPremisesSecurityIdentifier}}"},
                                 {SanType::email, "ALICE@corp.example"}});
    ASSERT_TRUE(names) << samples::fault_of(names);
    const std::vector<GeneralName> expected{{NameForm::email, "alice@corp.example"},
                                            {NameForm::smtp_utf8, "zoë@xn--bcher-kva.example"},
                                            {NameForm::upn, "alice@corp.example"},
                                            {NameForm::dns, "d-phone-1.xn--bcher-kva.example"},
                                            {NameForm::uri, "https://corp.example/alice"},
                                            {NameForm::uri, "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1104"}};
    EXPECT_EQ(names->alternative_names, expected);
    ASSERT_EQ(names->pointers.size(), expected.size());
    EXPECT_EQ(names->pointers[5], "/profile/subjectAltNames/5/value");
}

TEST(AlternativeNames, faults_name_the_element) {
    auto bare = alice();
    bare.mail.reset();
    bare.display_name = "not a mailbox";
    const struct {
        SanTemplate san;
        const char* message;
    } cases[] = {
        {{SanType::email, "{{EmailAddress}}"},
         "/profile/subjectAltNames/0/value: {{EmailAddress}} has no value (user.mail)"},
        {{SanType::email, "{{DisplayName}}"}, "/profile/subjectAltNames/0/value: {{DisplayName}}: "},
        {{SanType::email, ""}, "/profile/subjectAltNames/0/value: it is empty"},
        {{SanType::upn, "a\nb"}, "/profile/subjectAltNames/0/value: it holds a control character"},
        {{SanType::dns, "corp.example."}, "/profile/subjectAltNames/0/value: "},
        {{SanType::dns, "*.corp.example"}, "/profile/subjectAltNames/0/value: "},
        {{SanType::dns, "192.0.2.1"}, "/profile/subjectAltNames/0/value: "},
        {{SanType::uri, "corp.example/x"}, "/profile/subjectAltNames/0/value: not a URI"},
        {{SanType::uri, "https:"}, "/profile/subjectAltNames/0/value: not a URI"},
        {{SanType::uri, ":x"}, "/profile/subjectAltNames/0/value: not a URI"},
        {{SanType::uri, "1a:x"}, "/profile/subjectAltNames/0/value: not a URI"},
        {{SanType::uri, "tag:x y"}, "/profile/subjectAltNames/0/value: not a URI"},
        {{SanType::uri, "tag:ü"}, "/profile/subjectAltNames/0/value: not a URI"},
    };
    for (const auto& it : cases) {
        const auto names = fill("", {it.san}, bare);
        ASSERT_FALSE(names) << it.san.value;
        EXPECT_EQ(names.error().code, "invalidRequest");
        EXPECT_TRUE(begins_with(names.error().message, it.message)) << names.error().message;
    }
    EXPECT_FALSE(fill("", std::vector<SanTemplate>(21, {SanType::email, "{{UserPrincipalName}}"})));
}

TEST(SecurityIdentifier, is_taken_where_it_is_one) {
    Profile profile;
    profile.include_security_identifier = true;
    EXPECT_EQ(fill_names(profile, alice(), phone())->security_identifier, "S-1-5-21-1-2-3-1104");
    auto user = alice();
    for (const auto* text : {"S-1-5-21-", "S-1-", "s-1-5-21", "S-1-5--21", "S-1-5-21-x", "CEO"}) {
        user.on_premises_security_identifier = text;
        const auto names = fill_names(profile, user, phone());
        ASSERT_FALSE(names) << text;
        EXPECT_TRUE(begins_with(names.error().message, "/profile/includeSecurityIdentifier: "))
            << names.error().message;
    }
    user.on_premises_security_identifier.reset();
    EXPECT_TRUE(contains(fill_names(profile, user, phone()).error().message, "has no value"));
}

TEST(Claims, are_listed_with_where_they_went) {
    const auto names = fill("CN={{GivenName}},OU={{DeviceName}}", {{SanType::email, "{{EmailAddress}}"}});
    ASSERT_TRUE(names);
    ASSERT_EQ(names->claims.size(), 3U);
    bool device_name_in_ou = false;
    bool mail_in_san = false;
    for (const auto& use : names->claims) {
        device_name_in_ou |=
            use.claim == Claim::device_name && use.pointer == "/profile/subject" && use.attribute == "2.5.4.11";
        mail_in_san |= use.claim == Claim::mail && use.pointer == "/profile/subjectAltNames/0/value";
    }
    EXPECT_TRUE(device_name_in_ou);
    EXPECT_TRUE(mail_in_san);
}

}  // namespace
}  // namespace connector::request
