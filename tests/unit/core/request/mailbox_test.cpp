#include "core/request/mailbox.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::request {
namespace {

TEST(ParseMailbox, normalises_the_domain_and_keeps_the_local_part) {
    const struct {
        const char* text;
        const char* normalised;
        NameForm form;
    } cases[] = {
        {"alice@corp.example", "alice@corp.example", NameForm::email},
        {"Alice.Smith+x@CORP.Example", "Alice.Smith+x@corp.example", NameForm::email},
        {"o'neill/!#$%&*=?^_`{|}~-@corp.example", "o'neill/!#$%&*=?^_`{|}~-@corp.example", NameForm::email},
        {"alice@bücher.example", "alice@xn--bcher-kva.example", NameForm::email},
        {"alice@BÜCHER.example", "alice@xn--bcher-kva.example", NameForm::email},
        {"alice@xn--bcher-kva.example", "alice@xn--bcher-kva.example", NameForm::email},
        {"alice@straße.example", "alice@xn--strae-oqa.example", NameForm::email},
        {"zoë@corp.example", "zoë@corp.example", NameForm::smtp_utf8},
        {"zoë@bücher.example", "zoë@xn--bcher-kva.example", NameForm::smtp_utf8},
    };
    for (const auto& it : cases) {
        const auto mailbox = parse_mailbox(it.text);
        ASSERT_TRUE(mailbox) << it.text << ": " << samples::fault_of(mailbox);
        EXPECT_EQ(to_general_name(*mailbox), (GeneralName{it.form, it.normalised}));
    }
}

TEST(ParseMailbox, refuses_what_readers_disagree_about) {
    for (const auto& text : {std::string(),
                             std::string("alice"),
                             std::string("@corp.example"),
                             std::string("alice@"),
                             std::string("\"ceo@corp.example\"@evil.example"),
                             std::string("\"a b\"@corp.example"),
                             std::string("a@b@corp.example"),
                             std::string("a@evil.example@corp.example"),
                             std::string("alice@corp.example."),
                             std::string("alice@.corp.example"),
                             std::string("alice@corp..example"),
                             std::string("alice@localhost"),
                             std::string("alice@[192.0.2.1]"),
                             std::string("alice@192.0.2.1"),
                             std::string(".alice@corp.example"),
                             std::string("alice.@corp.example"),
                             std::string("a..b@corp.example"),
                             std::string("al ice@corp.example"),
                             std::string("alice @corp.example"),
                             std::string("alice@corp.example "),
                             std::string("Alice <alice@corp.example>"),
                             std::string("a,b@corp.example"),
                             std::string("alice@corp.example\0.evil.example", 32),
                             std::string("alice\n@corp.example"),
                             std::string("alice@-corp.example"),
                             std::string("alice@corp-.example"),
                             std::string("alice@co_rp.example"),
                             std::string("alice@corp.exa mple"),
                             std::string("alice@xn--a.example"),
                             std::string("alice@xn--BCHER-KVA-x.example"),
                             std::string("al\xE2\x80\xAEice@corp.example"),
                             std::string("\xFF@corp.example"),
                             std::string(65, 'a') + "@corp.example",
                             "a@" + std::string(64, 'a') + ".example",
                             std::string(61, 'a') + "@" + std::string(63, 'b') + "." + std::string(63, 'c') + "." +
                                 std::string(63, 'd') + ".e"}) {
        const auto mailbox = parse_mailbox(text);
        ASSERT_FALSE(mailbox) << text << " was read as " << mailbox->text();
        EXPECT_EQ(mailbox.error().code, "invalidRequest");
        EXPECT_LE(mailbox.error().message.size(), 400U);
    }
}

TEST(ALabels, homographs_stay_apart) {
    const auto latin = to_a_labels("corp.example").value();
    const auto cyrillic = to_a_labels("c\xD0\xBErp.example").value();  // with U+043E
    EXPECT_NE(latin, cyrillic);
    EXPECT_TRUE(samples::begins_with(cyrillic, "xn--"));
    EXPECT_FALSE(domain_allowed("c\xD0\xBErp.example", {"corp.example"}));
}

TEST(SameMailbox, ignores_ascii_case_and_the_spelling_of_the_domain) {
    EXPECT_TRUE(same_mailbox("Alice@corp.example", "alice@CORP.EXAMPLE"));
    EXPECT_TRUE(same_mailbox("alice@bücher.example", "alice@xn--bcher-kva.example"));
    EXPECT_FALSE(same_mailbox("alice@corp.example", "alice@mail.corp.example"));
    EXPECT_FALSE(same_mailbox("alice@corp.example", "alic@corp.example"));
    EXPECT_FALSE(same_mailbox("zoë@corp.example", "zoe@corp.example"));
    EXPECT_FALSE(same_mailbox("nonsense", "nonsense"));
}

TEST(DomainAllowed, whole_domains_only) {  // AT-16
    const std::vector<std::string> allowed{"corp.example", "Bücher.example"};
    for (const auto* domain : {"corp.example", "CORP.example", "bücher.example", "xn--bcher-kva.example"})
        EXPECT_TRUE(domain_allowed(domain, allowed)) << domain;
    for (const auto* domain : {"evilcorp.example", "mail.corp.example", "example", "corp.example.evil.example",
                               "corp.example.", "orp.example", "", "*.corp.example"})
        EXPECT_FALSE(domain_allowed(domain, allowed)) << domain;
    EXPECT_FALSE(domain_allowed("corp.example", {}));
    EXPECT_FALSE(domain_allowed("corp.example", {"", "*", "*.example", ".corp.example"}));
}

}  // namespace
}  // namespace connector::request
