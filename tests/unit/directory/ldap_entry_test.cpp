#include "daemon/directory/ldap_entry.hpp"

#include <gtest/gtest.h>

namespace connector::directory {
namespace {

config::Directory settings() {
    config::Directory made;
    made.upn_attribute = "userPrincipalName";
    made.mail_attributes = {"mail", "proxyAddresses"};
    made.given_name_attribute = "givenName";
    made.surname_attribute = "sn";
    made.display_name_attribute = "displayName";
    made.account_attribute = "sAMAccountName";
    made.sid_attribute = "objectSid";
    made.owner_attribute = "managedBy";
    return made;
}

Entry alice() {
    return {"uid=alice,dc=corp,dc=example",
            {{"objectclass", {"top", "user"}},
             {"useraccountcontrol", {"512"}},
             {"userprincipalname", {"alice@corp.example"}},
             {"mail", {"alice@corp.example"}},
             {"proxyaddresses", {"SMTP:alice@corp.example", "smtp:a.smith@corp.example", "sip:alice@corp.example"}},
             {"givenname", {"Alice"}},
             {"sn", {"Smith"}},
             {"displayname", {"Alice Smith"}},
             {"samaccountname", {"alice"}}}};
}

std::string why(const Entry& entry) {
    const auto standing = standing_of(entry);
    if (standing.disabled) return *standing.disabled;
    return standing.valid_until ? "until " + to_rfc3339(*standing.valid_until) : "";
}

TEST(LdapFilter, a_value_is_never_more_than_a_value) {
    struct Case {
        std::string_view value;
        std::string_view expected;
    };
    using namespace std::string_view_literals;
    for (const auto& each : {Case{"alice@corp.example", "(u=alice@corp.example)"}, Case{"*", "(u=\\2A)"},
                             Case{"a)(b=c", "(u=a\\29\\28b=c)"}, Case{"\\2a", "(u=\\5C2a)"},
                             Case{"x\0y"sv, "(u=x\\00y)"}, Case{"{upn}", "(u={upn})"}, Case{"", "(u=)"}}) {
        const auto filter = filled_filter("(u={upn})", "{upn}", each.value);
        EXPECT_TRUE(std::equal(filter.begin(), filter.end(), each.expected.begin(), each.expected.end(),
                               [](char a, char b) { return std::tolower(a) == std::tolower(b); }))
            << filter << " for " << each.expected;
    }
    EXPECT_EQ(filled_filter("(|(a={upn})(b={upn}))", "{upn}", "x"), "(|(a=x)(b=x))");
}

TEST(LdapName, has_one_form) {
    EXPECT_EQ(canonical_name("uid=alice , dc=corp,dc=example"), canonical_name("uid=alice,dc=corp,dc=example"));
    EXPECT_EQ(canonical_name("cn=a\\2cb,dc=x"), canonical_name("cn=a\\,b,dc=x"));
    EXPECT_EQ(canonical_name("alice@corp.example"), "");
    EXPECT_EQ(canonical_name(""), "");
}

TEST(LdapPerson, is_what_the_one_entry_says) {
    const auto person = person_of({{alice()}, false}, settings());
    EXPECT_EQ(person.found, trust::Found::one);
    EXPECT_EQ(person.entry.distinguished_name, "uid=alice,dc=corp,dc=example");
    EXPECT_FALSE(person.entry.disabled);
    EXPECT_EQ(person.user_principal_names, std::vector<std::string>{"alice@corp.example"});
    EXPECT_EQ(person.mailboxes.size(), 4U);
    EXPECT_EQ(person.given_name, "Alice");
    EXPECT_EQ(person.surname, "Smith");
    EXPECT_EQ(person.display_name, "Alice Smith");
    EXPECT_EQ(person.sam_account_name, "alice");
    EXPECT_FALSE(person.security_identifier);
}

TEST(LdapPerson, several_entries_are_nobody_also_where_the_server_only_says_so) {
    EXPECT_EQ(person_of({{}, false}, settings()).found, trust::Found::none);
    EXPECT_EQ(person_of({{alice(), alice()}, false}, settings()).found, trust::Found::several);
    EXPECT_EQ(person_of({{alice()}, true}, settings()).found, trust::Found::several);
    EXPECT_EQ(person_of({{}, true}, settings()).found, trust::Found::several);
    EXPECT_TRUE(person_of({{alice(), alice()}, false}, settings()).mailboxes.empty());
}

TEST(LdapPerson, doubtful_values_prove_nothing) {
    auto entry = alice();
    entry.attributes["givenname"] = {"Alice", "Carla"};
    entry.attributes["sn"] = {std::string("Smi\0th", 6)};
    entry.attributes["displayname"] = {"Alice\xE2\x80\xAEhtimS"};
    entry.attributes["samaccountname"] = {"\xFF\xFE"};
    entry.attributes["mail"] = {"alice@corp.example\n", ""};
    entry.attributes["proxyaddresses"].clear();
    const auto person = person_of({{entry}, false}, settings());
    EXPECT_FALSE(person.given_name);
    EXPECT_FALSE(person.surname);
    EXPECT_FALSE(person.display_name);
    EXPECT_FALSE(person.sam_account_name);
    EXPECT_TRUE(person.mailboxes.empty());
    auto none = settings();
    none.given_name_attribute = "";
    EXPECT_FALSE(person_of({{alice()}, false}, none).given_name);
}

TEST(LdapStanding, of_every_kind_of_directory) {
    struct Case {
        std::string_view attribute;
        std::string value;
        std::string expected;
    };
    for (const auto& each : {
             Case{"useraccountcontrol", "514", "it is disabled (userAccountControl)"},
             Case{"useraccountcontrol", "66050", "it is disabled (userAccountControl)"},
             Case{"useraccountcontrol", "66048", ""},
             Case{"useraccountcontrol", "512x", "it is disabled (userAccountControl)"},
             Case{"useraccountcontrol", "", "it is disabled (userAccountControl)"},
             Case{"accountexpires", "0", ""},
             Case{"accountexpires", "9223372036854775807", ""},
             Case{"accountexpires", "132223104000000000", "until 2020-01-01T00:00:00Z"},
             Case{"accountexpires", "-1", "accountExpires is not a time"},
             Case{"accountexpires", "soon", "accountExpires is not a time"},
             Case{"nsaccountlock", "TRUE", "it is disabled (nsAccountLock)"},
             Case{"nsaccountlock", "true", "it is disabled (nsAccountLock)"},
             Case{"nsaccountlock", "FALSE", ""},
             Case{"logindisabled", "TRUE", "it is disabled (loginDisabled)"},
             Case{"pwdaccountlockedtime", "000001010000Z", "it is disabled (pwdAccountLockedTime)"},
             Case{"pwdaccountlockedtime", "20260101000000Z", ""},
             Case{"shadowexpire", "-1", ""},
             Case{"shadowexpire", "18262", "until 2020-01-01T00:00:00Z"},
             Case{"shadowexpire", "99999999999", "shadowExpire is not a day"},
         }) {
        auto entry = alice();
        entry.attributes[std::string(each.attribute)] = {each.value};
        EXPECT_EQ(why(entry), each.expected) << each.attribute << " " << each.value;
    }
}

TEST(LdapStanding, an_account_of_active_directory_that_cannot_be_judged_does_not_count) {
    auto entry = alice();
    entry.attributes.erase("useraccountcontrol");
    EXPECT_NE(why(entry).find("cannot be read"), std::string::npos);
    entry.attributes["objectclass"] = {"inetOrgPerson"};
    EXPECT_EQ(why(entry), "");
}

TEST(LdapDevice, has_its_owners_as_they_stand) {
    Entry phone{"cn=d-1,dc=corp,dc=example", {{"managedby", {"uid=alice , dc=corp,dc=example"}}}};
    const auto device = device_of({{phone}, false}, settings());
    EXPECT_EQ(device.owners, std::vector<std::string>{canonical_name("uid=alice,dc=corp,dc=example")});
    phone.attributes["managedby"] = {"alice@corp.example", std::string("\0", 1)};
    // What is no name at all still is a second owner.
    EXPECT_EQ(device_of({{phone}, false}, settings()).owners.size(), 2U);
}

TEST(LdapSecurityIdentifier, in_octets_and_in_text) {
    const std::string octets(
        "\x01\x05\x00\x00\x00\x00\x00\x05\x15\x00\x00\x00\x01\x00\x00\x00\x02\x00\x00\x00"
        "\x03\x00\x00\x00\x50\x04\x00\x00",
        28);
    EXPECT_EQ(security_identifier_of(octets), "S-1-5-21-1-2-3-1104");
    EXPECT_EQ(security_identifier_of("S-1-5-21-1-2-3-1104"), "S-1-5-21-1-2-3-1104");
    for (const auto& wrong : {octets.substr(0, 27), octets + "x", std::string("S-1-5-x"), std::string(),
                              std::string(8, '\0'), "\x02" + octets.substr(1)})
        EXPECT_FALSE(security_identifier_of(wrong));
}

}  // namespace
}  // namespace connector::directory
