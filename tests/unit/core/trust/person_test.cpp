#include "core/trust/person.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::trust {
namespace {

using samples::begins_with;
using samples::fault_of;

Recipient recipient_of(const request::CertificateRequest& request, const CertificateFacts& facts) {
    // The way without the binding's own look at the user, so that the person's proof is seen alone.
    auto rules = samples::recipient_rules();
    rules.binding = Binding::service;
    return std::get<Recipient>(prove_recipient(request, facts, true, rules, {}, samples::now()).answer);
}

Result<Person> by_certificate(const CertificateFacts& facts, UserIdentity identity = UserIdentity::san_upn) {
    const auto request = samples::issue_request();
    return prove_person(request, recipient_of(request, facts), IdentitySource::certificate, identity);
}

TEST(PersonByCertificate, is_what_the_certificate_says_and_nothing_more) {
    const auto person = by_certificate(samples::phone_certificate());
    ASSERT_TRUE(person) << fault_of(person);
    EXPECT_EQ(person->source(), IdentitySource::certificate);
    EXPECT_EQ(person->user_principal_name(), "alice@corp.example");
    EXPECT_EQ(person->mailboxes(), std::vector<std::string>{"alice@corp.example"});
    EXPECT_EQ(person->given_name(), "Alice");
    EXPECT_EQ(person->surname(), "Smith");
    EXPECT_FALSE(person->display_name());
    EXPECT_FALSE(person->sam_account_name());
    EXPECT_FALSE(person->distinguished_name());
    EXPECT_FALSE(person->security_identifier());
    EXPECT_FALSE(person->has_mailbox("a.smith@corp.example"));
}

TEST(PersonByCertificate, a_name_that_stands_twice_proves_nothing) {
    auto facts = samples::phone_certificate();
    facts.subject = parse_name("CN=d-phone-1,GN=Alice,GN=Carla,SN=Smith").value();
    const auto person = by_certificate(facts);
    ASSERT_TRUE(person);
    EXPECT_FALSE(person->given_name());
    EXPECT_EQ(person->surname(), "Smith");
}

TEST(PersonByCertificate, by_mailbox) {
    auto facts = samples::phone_certificate();
    facts.alternative_names = {{NameForm::uri, "urn:device:d-phone-1"}, {NameForm::email, "ALICE@Corp.example"}};
    EXPECT_TRUE(by_certificate(facts, UserIdentity::san_email))
        << fault_of(by_certificate(facts, UserIdentity::san_email));
    EXPECT_FALSE(by_certificate(facts, UserIdentity::san_upn));
}

TEST(PersonByCertificate, another_user_is_unbound_and_the_field_is_named) {
    const std::vector<std::vector<GeneralName>> several = {
        {{NameForm::upn, "bob@corp.example"}},
        {},
        {{NameForm::upn, "alice@corp.example"}, {NameForm::upn, "bob@corp.example"}},
        {{NameForm::upn, std::string("alice@corp.example\0x", 20)}},
        {{NameForm::email, "alice@corp.example"}},
    };
    for (const auto& names : several) {
        auto facts = samples::phone_certificate();
        facts.alternative_names = names;
        facts.alternative_names.push_back({NameForm::uri, "urn:device:d-phone-1"});
        const auto person = by_certificate(facts);
        EXPECT_TRUE(begins_with(fault_of(person), "recipientUnbound /user/userPrincipalName: ")) << fault_of(person);
    }
}

TEST(PersonByService, is_what_the_request_says) {
    const auto request = samples::issue_request();
    const auto person = samples::prove(request, IdentitySource::service);
    EXPECT_EQ(person.source(), IdentitySource::service);
    EXPECT_EQ(person.mailboxes(),
              (std::vector<std::string>{"alice@corp.example", "a.smith@corp.example", "alice.smith@corp.example"}));
    EXPECT_EQ(person.display_name(), "Smith, Alice + Co");
    EXPECT_EQ(person.security_identifier(), "S-1-5-21-1-2-3-1104");
    EXPECT_TRUE(person.has_mailbox("A.SMITH@CORP.example"));
    EXPECT_FALSE(person.has_mailbox("ceo@corp.example"));
    EXPECT_FALSE(person.has_mailbox(""));
}

TEST(PersonByService, what_is_no_mailbox_is_left_out) {
    auto request = samples::issue_request();
    request.user.mail = "\"x\"@corp.example";
    request.user.other_mails = {"", "nonsense"};
    request.user.proxy_addresses = {"sip:alice@other.example", "smtp:", "plain@corp.example", "X400:c=ch"};
    EXPECT_EQ(samples::prove(request, IdentitySource::service).mailboxes(),
              (std::vector<std::string>{"alice@corp.example", "plain@corp.example"}));
}

TEST(Person, of_another_request_is_our_fault) {
    const auto request = samples::issue_request();
    const auto recipient = recipient_of(request, samples::phone_certificate());
    for (int field = 0; field < 3; ++field) {
        auto other = request;
        if (field == 0) other.user.id = *UserId::parse("u-bob");
        if (field == 1) other.device.id = *DeviceId::parse("d-2");
        if (field == 2) other.user.user_principal_name = "bob@corp.example";
        for (const auto source : {IdentitySource::certificate, IdentitySource::service}) {
            const auto person = prove_person(other, recipient, source, UserIdentity::san_upn);
            ASSERT_FALSE(person);
            EXPECT_EQ(person.error().kind, ErrorKind::internal);
        }
    }
}

Result<Person> by_directory(const DirectoryView* view, const request::CertificateRequest& request) {
    return prove_person(request, recipient_of(request, samples::phone_certificate()), IdentitySource::directory,
                        UserIdentity::san_upn, view, samples::now());
}

TEST(PersonByDirectory, is_what_the_directory_says_and_nothing_of_the_request) {
    DirectoryView view;
    view.person.found = Found::one;
    view.person.entry.distinguished_name = "uid=alice,dc=corp,dc=example";
    view.person.user_principal_names = {"other@corp.example", "Alice@corp.example"};
    view.person.mailboxes = {"mail@corp.example", "SMTP:first@corp.example", "sip:no@corp.example", "nonsense"};
    view.person.surname = "Jones";
    view.person.security_identifier = "S-1-5-21-1-2-3-9";
    const auto person = by_directory(&view, samples::issue_request());
    ASSERT_TRUE(person) << fault_of(person);
    EXPECT_EQ(person->source(), IdentitySource::directory);
    EXPECT_EQ(person->user_principal_name(), "Alice@corp.example");
    // The UPN is a name to sign in with; that it receives mail nobody has said.
    EXPECT_EQ(person->mailboxes(), (std::vector<std::string>{"mail@corp.example", "first@corp.example"}));
    EXPECT_FALSE(person->given_name());
    EXPECT_EQ(person->surname(), "Jones");
    EXPECT_FALSE(person->display_name());
    EXPECT_EQ(person->distinguished_name(), "uid=alice,dc=corp,dc=example");
    EXPECT_EQ(person->security_identifier(), "S-1-5-21-1-2-3-9");

    for (int fault = 0; fault < 4; ++fault) {
        auto changed = view;
        if (fault == 0) changed.person.found = Found::none;
        if (fault == 1) changed.person.found = Found::several;
        if (fault == 2) changed.person.entry.disabled = "it is disabled";
        if (fault == 3) changed.person.user_principal_names = {"other@corp.example"};
        EXPECT_TRUE(begins_with(fault_of(by_directory(&changed, samples::issue_request())),
                                "recipientUnbound /user/userPrincipalName: "));
    }
    EXPECT_EQ(by_directory(nullptr, samples::issue_request()).error().kind, ErrorKind::internal);
}

TEST(Person, sources_have_names) {
    EXPECT_EQ(to_string(IdentitySource::directory), "directory");
    EXPECT_EQ(to_string(IdentitySource::certificate), "certificate");
    EXPECT_EQ(to_string(IdentitySource::service), "service");
}

TEST(PersonInAList, is_found_by_each_name_in_any_spelling) {
    auto request = samples::issue_request();
    request.user.mail = "alice@xn--mller-kva.example";
    const auto person = samples::prove(request, IdentitySource::service);
    for (const std::string name : {"ALICE@corp.example", "alice@m\u00fcller.example", "Alice@M\u00dcLLER.example",
                                   "alice@xn--mller-kva.EXAMPLE", request.user.id.text().c_str()})
        EXPECT_TRUE(is_named(person, request.user, {"bob@corp.example", name})) << name;
    for (const std::string name : {"bob@corp.example", "alice@mueller.example", "alice", "", "corp.example"})
        EXPECT_FALSE(is_named(person, request.user, {name})) << name;
}

TEST(OneSpelling, is_the_same_for_one_person_however_a_request_writes_the_name) {
    const std::string one = "alice@xn--mller-kva.example";
    for (const std::string name :
         {"alice@xn--mller-kva.example", "ALICE@m\u00fcller.example", "Alice@XN--mller-kva.Example"})
        EXPECT_EQ(one_spelling_of_person(name), one) << name;
    EXPECT_EQ(one_spelling_of_person("Corp\\Alice"), "corp\\alice") << "what is no mailbox";
    EXPECT_NE(one_spelling_of_person("alice@corp.example"), one_spelling_of_person("alice@corp.example.org"));
}

}  // namespace
}  // namespace connector::trust
