#include "core/trust/importer.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

namespace connector::trust {
namespace {

using request::Purpose;
using samples::begins_with;
using samples::fault_of;

// tests/contract/examples/importer-signature.content.txt, as the management API gives it.
const std::string k_example =
    "pfx-connector-import-v1\n"
    "alice@corp.example\n"
    "smimeEncryption\n"
    "ba5b168b01e8682912b3e5c1e9cf6ab258ce128ef33bdbe577f4688c9fbdfc76\n"
    "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd\n"
    "a.smith@corp.example,alice@corp.example\n"
    "ba5b168b01e8682912b3e5c1e9cf6ab258ce128ef33bdbe577f4688c9fbdfc76,"
    "efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef\n"
    "7\n"
    "2026-11-01T00:00:00Z\n";

ImporterStatement example() {
    return parse_statement(bytes_of(k_example)).value();
}

ImportedRecord record() {
    ImportedRecord record;
    record.id = "i-1";
    record.purpose = Purpose::smime_encryption;
    record.user_principal_name = "Alice@corp.example";
    return record;
}

CertificateFacts encryption_certificate() {
    CertificateFacts facts;
    facts.sha256 = *Sha256::from_hex_text("ba5b168b01e8682912b3e5c1e9cf6ab258ce128ef33bdbe577f4688c9fbdfc76");
    facts.subject = parse_name("CN=Alice,E=Alice@corp.example").value();
    facts.alternative_names = {{NameForm::email, "alice@CORP.example"}, {NameForm::email, "a.smith@corp.example"}};
    facts.key_usage = KeyUsage(KeyUsage::k_key_encipherment);
    facts.extended_key_usage = {std::string(eku::k_email_protection)};
    facts.not_after = samples::at("2015-01-01T00:00:00Z");  // history: expired, and still wanted
    return facts;
}

Person alice() {
    return samples::prove(samples::issue_request(), IdentitySource::service);
}

Result<void> opened(
    const std::function<void(ImporterStatement&, ImportedRecord&, CertificateFacts&, ImporterRules&)>& change,
    const Person& person = alice()) {
    auto statement = example();
    auto stored = record();
    auto facts = encryption_certificate();
    ImporterRules rules;
    change(statement, stored, facts, rules);
    return check_opened(&statement, stored, facts, person, rules);
}

TEST(Statement, of_the_example_is_read_and_written_octet_for_octet) {
    const auto statement = parse_statement(bytes_of(k_example));
    ASSERT_TRUE(statement) << fault_of(statement);
    EXPECT_EQ(statement->user_principal_name, "alice@corp.example");
    EXPECT_EQ(statement->purpose, Purpose::smime_encryption);
    EXPECT_EQ(statement->mailboxes.size(), 2U);
    EXPECT_EQ(statement->history.size(), 2U);
    EXPECT_EQ(statement->sequence, 7U);
    EXPECT_EQ(to_rfc3339(statement->signed_at), "2026-11-01T00:00:00Z");
    EXPECT_EQ(to_lines(*statement), k_example);
}

TEST(Statement, is_the_published_example) {
    std::ifstream file(CONNECTOR_SOURCE_DIR "/tests/contract/examples/importer-signature.content.txt");
    ASSERT_TRUE(file);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), k_example);
}

TEST(Statement, is_written_in_order_whatever_the_order_given) {
    auto statement = example();
    std::swap(statement.mailboxes[0], statement.mailboxes[1]);
    std::swap(statement.history[0], statement.history[1]);
    statement.history.push_back(statement.history[0]);
    statement.user_principal_name = "ALICE@corp.example";
    EXPECT_EQ(to_lines(statement), k_example);
}

TEST(Statement, empty_lists_are_empty_lines) {
    auto statement = example();
    statement.mailboxes.clear();
    statement.history.clear();
    const auto again = parse_statement(bytes_of(to_lines(statement)));
    ASSERT_TRUE(again) << fault_of(again);
    EXPECT_TRUE(again->mailboxes.empty());
    EXPECT_TRUE(again->history.empty());
}

TEST(Statement, has_one_form_and_no_other_is_read) {
    const auto replaced = [](const std::string& what, const std::string& by) {
        std::string text = k_example;
        return text.replace(text.find(what), what.size(), by);
    };
    for (const auto& text :
         {std::string(),
          std::string("\n"),
          k_example.substr(0, k_example.size() - 1),
          k_example + "\n",
          k_example + "x",
          "x" + k_example,
          replaced("v1\n", "v2\n"),
          replaced("alice@", "Alice@"),
          replaced("alice@corp.example\n", "\n"),
          replaced("alice@", "al\rice@"),
          replaced("smimeEncryption", "smime"),
          replaced("ba5b", "BA5B"),
          replaced("ba5b", "ba5"),
          replaced("a.smith@corp.example,alice@corp.example", "alice@corp.example,a.smith@corp.example"),
          replaced("a.smith@corp.example,", ","),
          replaced(",alice@corp.example", ",alice@corp.example,"),
          replaced("\n7\n", "\n07\n"),
          replaced("\n7\n", "\n-7\n"),
          replaced("\n7\n", "\n+7\n"),
          replaced("\n7\n", "\n\n"),
          replaced("\n7\n", "\n7 \n"),
          replaced("\n7\n", "\n18446744073709551616\n"),
          replaced("00Z\n", "00.5Z\n"),
          replaced("00Z\n", "00\n"),
          replaced("\n", "\r\n")}) {
        const auto statement = parse_statement(bytes_of(text));
        ASSERT_FALSE(statement) << text;
        EXPECT_EQ(statement.error().code, "importUnsigned");
        EXPECT_EQ(statement.error().kind, ErrorKind::refused);
    }
    EXPECT_TRUE(parse_statement(bytes_of(replaced("\n7\n", "\n18446744073709551615\n"))));
}

TEST(CheckSealed, user_purpose_and_blob_are_those_signed) {  // AT-36, AT-37
    const auto blob = samples::filled<Sha256>(0xCD);
    EXPECT_TRUE(check_sealed(example(), record(), blob));
    auto other_user = record();
    other_user.user_principal_name = "ceo@corp.example";
    EXPECT_TRUE(begins_with(fault_of(check_sealed(example(), other_user, blob)), "importUnsigned "));
    for (const auto purpose : {Purpose::smime_signing, Purpose::unassigned, Purpose::wifi}) {
        auto other_purpose = record();
        other_purpose.purpose = purpose;
        EXPECT_TRUE(begins_with(fault_of(check_sealed(example(), other_purpose, blob)), "importUnsigned "));
    }
    EXPECT_TRUE(
        begins_with(fault_of(check_sealed(example(), record(), samples::filled<Sha256>(0xCE))), "importUnsigned "));
}

TEST(CheckOwner, the_record_is_the_persons) {  // AT-02
    EXPECT_TRUE(check_owner(record(), alice()));
    auto older_name = record();
    older_name.user_principal_name = "a.smith@corp.example";
    EXPECT_TRUE(check_owner(older_name, alice()));
    for (const auto* name : {"", "ceo@corp.example", "alice", "alice@corp.example "}) {
        auto foreign = record();
        foreign.user_principal_name = name;
        EXPECT_TRUE(begins_with(fault_of(check_owner(foreign, alice())), "importInvalid ")) << name;
    }
}

TEST(CheckOpened, takes_expired_history_of_its_owner) {  // AT-35
    EXPECT_EQ(fault_of(opened([](auto&, auto&, auto&, auto&) {})), "accepted");
    EXPECT_EQ(fault_of(opened([](auto& statement, auto&, auto& facts, auto&) {
                  facts.alternative_names.clear();  // an old certificate: its address stands in the DN
                  statement.mailboxes = {"alice@corp.example"};
              })),
              "accepted");
}

TEST(CheckOpened, refuses_what_was_not_signed_or_is_not_the_users) {  // AT-02, AT-33, AT-36
    const struct {
        const char* what;
        std::function<void(ImporterStatement&, ImportedRecord&, CertificateFacts&, ImporterRules&)> change;
        const char* code;
    } cases[] = {
        {"another certificate", [](auto&, auto&, auto& facts, auto&) { facts.sha256 = samples::filled<Sha256>(1); },
         "importUnsigned "},
        {"a mailbox more",
         [](auto&, auto&, auto& facts, auto&) {
             facts.alternative_names.push_back({NameForm::email, "ceo@corp.example"});
         },
         "importUnsigned "},
        {"a mailbox less",
         [](auto& statement, auto&, auto&, auto&) { statement.mailboxes.push_back("x@corp.example"); },
         "importUnsigned "},
        {"another user's record",
         [](auto&, auto& stored, auto&, auto&) { stored.user_principal_name = "ceo@corp.example"; }, "importInvalid "},
        {"another user's certificate",
         [](auto& statement, auto&, auto& facts, auto&) {
             facts.subject = Name();
             facts.alternative_names = {{NameForm::email, "ceo@corp.example"}};
             statement.mailboxes = {"ceo@corp.example"};
         },
         "importInvalid "},
        {"nobody's certificate",
         [](auto& statement, auto&, auto& facts, auto&) {
             facts.subject = Name();
             facts.alternative_names.clear();
             statement.mailboxes.clear();
         },
         "importInvalid "},
        {"a purpose that cannot work",
         [](auto&, auto&, auto& facts, auto&) { facts.key_usage = KeyUsage(KeyUsage::k_digital_signature); },
         "importInvalid "},
    };
    for (const auto& it : cases)
        EXPECT_TRUE(begins_with(fault_of(opened(it.change)), it.code))
            << it.what << ": " << fault_of(opened(it.change));
}

TEST(CheckOpened, without_a_signature_only_where_none_is_required) {
    ImporterRules rules;
    EXPECT_TRUE(begins_with(fault_of(check_opened(nullptr, record(), encryption_certificate(), alice(), rules)),
                            "importUnsigned "));
    rules.signatures = SignatureRule::off;
    EXPECT_TRUE(check_opened(nullptr, record(), encryption_certificate(), alice(), rules));
}

TEST(CheckOpened, address_rules) {
    const auto colleague = [](AddressRule rule, std::vector<std::string> domains) {
        return [rule, domains](auto& statement, auto&, auto& facts, auto& rules) {
            facts.subject = Name();
            facts.alternative_names = {{NameForm::email, "maiden.name@corp.example"}};
            statement.mailboxes = {"maiden.name@corp.example"};
            rules.address = rule;
            rules.mail_domains = domains;
        };
    };
    EXPECT_FALSE(opened(colleague(AddressRule::strict, {"corp.example"})));
    EXPECT_TRUE(opened(colleague(AddressRule::domain, {"corp.example"})));
    EXPECT_FALSE(opened(colleague(AddressRule::domain, {"other.example"})));
    EXPECT_FALSE(opened(colleague(AddressRule::domain, {})));
    EXPECT_TRUE(opened(colleague(AddressRule::off, {})));
}

TEST(CheckOpened, a_certificate_without_a_mailbox_is_its_owners_by_the_upn) {
    const auto wifi = [](const char* upn) {
        return [upn](auto& statement, auto& stored, auto& facts, auto&) {
            facts.subject = Name();
            facts.alternative_names = {{NameForm::upn, upn}};
            facts.extended_key_usage = {std::string(eku::k_client_auth)};
            statement.mailboxes.clear();
            stored.purpose = Purpose::wifi;
        };
    };
    EXPECT_TRUE(opened(wifi("alice@corp.example")));
    EXPECT_FALSE(opened(wifi("ceo@corp.example")));
}

TEST(CheckPurpose, usages_fit_the_purpose) {  // AT-37
    const std::string mail(eku::k_email_protection);
    const std::string client(eku::k_client_auth);
    const auto bits = [](std::uint16_t usage) { return std::optional(KeyUsage(usage)); };
    using Purposes = std::optional<std::vector<std::string>>;
    const struct {
        std::optional<KeyUsage> usage;
        Purposes purposes;
        Purpose purpose;
        bool works;
    } cases[] = {
        {bits(KeyUsage::k_key_encipherment), Purposes({mail}), Purpose::smime_encryption, true},
        {bits(KeyUsage::k_key_agreement), Purposes({mail}), Purpose::smime_encryption, true},
        {std::nullopt, std::nullopt, Purpose::smime_encryption, true},
        {bits(KeyUsage::k_digital_signature), Purposes({mail}), Purpose::smime_encryption, false},
        {bits(KeyUsage::k_key_encipherment), Purposes({client}), Purpose::smime_encryption, false},
        {bits(KeyUsage::k_digital_signature), Purposes({mail}), Purpose::smime_signing, true},
        {bits(KeyUsage::k_non_repudiation), std::nullopt, Purpose::smime_signing, true},
        {bits(KeyUsage::k_key_encipherment), Purposes({mail}), Purpose::smime_signing, false},
        {bits(KeyUsage::k_digital_signature), Purposes({client}), Purpose::smime_signing, false},
        {bits(KeyUsage::k_digital_signature), Purposes({client}), Purpose::wifi, true},
        {bits(KeyUsage::k_digital_signature), Purposes({mail}), Purpose::wifi, false},
        {bits(KeyUsage::k_digital_signature), std::nullopt, Purpose::wifi, false},
        {bits(KeyUsage::k_digital_signature), Purposes({client}), Purpose::unassigned, true},
    };
    for (std::size_t i = 0; i < std::size(cases); ++i) {
        CertificateFacts facts;
        facts.key_usage = cases[i].usage;
        facts.extended_key_usage = cases[i].purposes;
        const auto checked = check_purpose(facts, cases[i].purpose);
        EXPECT_EQ(checked.has_value(), cases[i].works) << "case " << i;
        if (!checked) {
            EXPECT_EQ(checked.error().code, "importInvalid");
        }
    }
    CertificateFacts authority;
    authority.is_ca = true;
    EXPECT_FALSE(check_purpose(authority, Purpose::unassigned));
}

TEST(MailboxesOf, are_normalised_sorted_and_unique) {
    CertificateFacts facts;
    facts.subject = parse_name("CN=x@not.example,E=B@Corp.example").value();
    facts.alternative_names = {{NameForm::email, "b@corp.example"},
                               {NameForm::email, "A@bücher.example"},
                               {NameForm::smtp_utf8, "zoë@corp.example"},
                               {NameForm::email, "no mailbox"},
                               {NameForm::upn, "upn@corp.example"}};
    EXPECT_EQ(mailboxes_of(facts),
              (std::vector<std::string>{"a@xn--bcher-kva.example", "b@corp.example", "zoë@corp.example"}));
}

}  // namespace
}  // namespace connector::trust
