#include "core/name.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector {
namespace {

using samples::contains;

TEST(ParseName, gives_structure_and_writes_it_back) {
    const struct {
        const char* text;
        const char* written;
    } cases[] = {
        {"", ""},
        {"   ", ""},
        {"CN=Alice Smith,O=Corp", "CN=Alice Smith,O=Corp"},
        {"cn = Alice Smith , o = Corp ", "CN=Alice Smith,O=Corp"},
        {"CN=Smith\\, Alice \\+ Co", "CN=Smith\\, Alice \\+ Co"},
        {"CN=\"Smith, Alice + Co; <x>\",O=Corp", "CN=Smith\\, Alice \\+ Co\\; \\<x\\>,O=Corp"},
        {"CN=\"with \\\" quote\" ,O=Corp", "CN=with \\\" quote,O=Corp"},
        {"CN=Zo\\C3\\AB", "CN=Zoë"},
        {"CN=\\ padded\\ ", "CN=\\ padded\\ "},
        {"CN=\\#hash", "CN=\\#hash"},
        {"CN=a#b=c", "CN=a#b=c"},
        {"CN=Alice+UID=asmith,O=Corp", "CN=Alice+UID=asmith,O=Corp"},
        {"CN=Alice + UID=asmith", "CN=Alice+UID=asmith"},
        {"2.5.4.3=Alice", "CN=Alice"},
        {"OID.2.5.4.10=Corp", "O=Corp"},
        {"1.2.3.4=thing", "1.2.3.4=thing"},
        {"E=alice@corp.example", "emailAddress=alice@corp.example"},
        {"G=Alice,GN=B,givenName=C", "givenName=Alice,givenName=B,givenName=C"},
        {"SN=Smith,surname=Jones,serialNumber=7", "SN=Smith,SN=Jones,serialNumber=7"},
        {"T=Dr,title=Prof,ST=Bern,S=Zug,DC=corp", "title=Dr,title=Prof,ST=Bern,ST=Zug,DC=corp"},
        {"CN={{GivenName}} {{SurName}}", "CN={{GivenName}} {{SurName}}"},
        {"CN=a\\\\b", "CN=a\\\\b"},
    };
    for (const auto& it : cases) {
        const auto name = parse_name(it.text);
        ASSERT_TRUE(name) << it.text << ": " << samples::fault_of(name);
        EXPECT_EQ(to_text(*name), it.written);
        const auto again = parse_name(it.written);
        ASSERT_TRUE(again) << it.written;
        EXPECT_EQ(to_text(*again), it.written);
        EXPECT_TRUE(same_name(*name, *again));
    }
}

TEST(ParseName, rdns_stand_in_the_order_of_the_encoding) {
    const auto name = parse_name("CN=Alice+UID=as,OU=People,O=Corp").value();
    ASSERT_EQ(name.rdns.size(), 3U);
    EXPECT_EQ(name.rdns[0], (std::vector<Attribute>{{"2.5.4.10", "Corp"}}));
    EXPECT_EQ(name.rdns[2], (std::vector<Attribute>{{"2.5.4.3", "Alice"}, {"0.9.2342.19200300.100.1.1", "as"}}));
}

TEST(ParseName, refuses_and_names_what_it_does_not_understand) {
    const struct {
        std::string text;
        const char* named;
    } cases[] = {
        {"CN=A,Fun=B", "\"Fun\""},
        {"CN=A,O", "\"O\""},
        {"Smith, CN=A", "\"Smith\""},
        {"CN=A,", "missing"},
        {",CN=A", "missing"},
        {"CN=A,,O=B", "missing"},
        {"CN=A+", "missing"},
        {"CN=A;O=B", "must be written \\;"},
        {"CN=A \"B\"", "must be written \\\""},
        {"CN=<A>", "must be written \\<"},
        {"CN=\"A", "closing quote"},
        {"CN=\"A\" B", "after a quoted value"},
        {"CN=#0C0141", "#hex"},
        {"CN=A\\", "backslash"},
        {"CN=A\\x", "backslash"},
        {"CN=A\\4", "backslash"},
        {"CN=", "CN has no value"},
        {"CN=\"\"", "CN has no value"},
        {"CN=A\\00B", "control"},
        {std::string("CN=A\0B", 6), "control"},
        {"CN=A\nB", "control"},
        {"CN=A\\0AO=B", "control"},
        {"CN=A\\FF", "control character or is not UTF-8"},
        {"CN=A+CN=B", "CN stands twice"},
        {"CN=A+2.5.4.3=B", "CN stands twice"},
        {"3.1=A", "\"3.1\""},
        {"1.40=A", "\"1.40\""},
        {"2.5.04.3=A", "\"2.5.04.3\""},
        {"CN\n=A", "\"CN"},
    };
    for (const auto& it : cases) {
        const auto name = parse_name(it.text);
        ASSERT_FALSE(name) << it.text;
        EXPECT_EQ(name.error().kind, ErrorKind::invalid);
        EXPECT_TRUE(contains(name.error().message, it.named)) << it.text << ": " << name.error().message;
        EXPECT_EQ(name.error().message.find('\n'), std::string::npos);
    }
}

// No octet string makes the parser fall over, and what it takes it writes back to the same name.
TEST(ParseName, every_short_string_of_its_alphabet_is_read_or_refused) {
    const std::string alphabet = "C=,+\\\"# 4;";
    const std::string head = "CN=";
    std::size_t taken = 0;
    std::vector<std::string> texts{""};
    for (int length = 0; length < 4; ++length) {
        std::vector<std::string> longer;
        for (const auto& text : texts) {
            for (const char c : alphabet) longer.push_back(text + c);
        }
        for (const auto& tail : longer) {
            const auto name = parse_name(head + tail);
            if (!name) continue;
            ++taken;
            const auto again = parse_name(to_text(*name));
            ASSERT_TRUE(again) << head + tail << " -> " << to_text(*name);
            EXPECT_TRUE(same_name(*name, *again)) << head + tail;
        }
        texts = std::move(longer);
    }
    EXPECT_GT(taken, 100U);
}

TEST(ToText, control_characters_of_a_foreign_name_are_escaped) {
    const Name name{{{{"2.5.4.3", std::string("a\0\nb", 4)}}}};
    EXPECT_EQ(to_text(name), "CN=a\\00\\0ab");
}

TEST(SameName, ignores_ascii_case_and_runs_of_spaces_and_nothing_else) {
    const auto same = [](const char* left, const char* right) {
        return same_name(parse_name(left).value(), parse_name(right).value());
    };
    EXPECT_TRUE(same("CN=Alice  SMITH,O=Corp", "CN=alice smith,O=CORP"));
    EXPECT_TRUE(same("CN=A+UID=b", "UID=b+CN=A"));
    EXPECT_TRUE(same("", ""));
    EXPECT_FALSE(same("CN=A,O=B", "O=B,CN=A"));
    EXPECT_FALSE(same("CN=A", "CN=A,O=B"));
    EXPECT_FALSE(same("CN=A", "OU=A"));
    EXPECT_FALSE(same("CN=A+UID=b", "CN=A,UID=b"));
    EXPECT_FALSE(same("CN=Ä", "CN=ä"));
    EXPECT_FALSE(same("CN=AliceSmith", "CN=Alice Smith"));
}

TEST(AttributeTypes, have_bounds_and_syntaxes) {
    EXPECT_EQ(upper_bound_of(oid::k_common_name), 64U);
    EXPECT_EQ(upper_bound_of(oid::k_country), 2U);
    EXPECT_EQ(upper_bound_of(oid::k_email_address), 255U);
    EXPECT_EQ(upper_bound_of("1.2.3"), 0U);
    EXPECT_TRUE(ascii_only(oid::k_domain_component));
    EXPECT_FALSE(ascii_only(oid::k_common_name));
    EXPECT_EQ(attribute_oid("EMAILADDRESS"), oid::k_email_address);
    EXPECT_EQ(attribute_oid("nonsense"), "");
    EXPECT_EQ(attribute_oid("oid.CN"), "");
    EXPECT_EQ(attribute_name("1.2.3"), "1.2.3");
    EXPECT_EQ(attribute_name(oid::k_given_name), "givenName");
}

TEST(DottedOid, by_x660) {
    for (const auto* text :
         {"0.0", "1.39.0", "2.999.1", "1.3.6.1.5.5.7.3.4", "2.25.329800735698586629295641978511506172918"})
        EXPECT_TRUE(is_dotted_oid(text)) << text;
    for (const auto* text : {"", "1", "3.1", "1.40", "0.100", "1..2", ".1.2", "1.2.", "1.02", "1.a", "12.3", "1.2 "})
        EXPECT_FALSE(is_dotted_oid(text)) << text;
    EXPECT_FALSE(is_dotted_oid("1.2." + std::string(200, '1')));
}

}  // namespace
}  // namespace connector
