#include "core/crypto/csr.hpp"

#include "tests/unit/crypto/fixtures.hpp"

namespace connector::crypto {
namespace {

using test::ec_key;
using test::must;

CsrContent content() {
    CsrContent wanted;
    wanted.subject = Name{{{{"2.5.4.10", "Corp"}},
                           {{std::string(oid::k_common_name), "Alice"}, {std::string(oid::k_serial_number), "42"}}}};
    wanted.alternative_names = {{NameForm::email, "alice@corp.example"},
                                {NameForm::upn, "alice@corp.example"},
                                {NameForm::uri, "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1"}};
    wanted.key_usage = KeyUsage(KeyUsage::k_digital_signature);
    wanted.extended_key_usage = {std::string(eku::k_email_protection), "1.3.6.1.5.5.7.3.2"};
    wanted.security_identifier = "S-1-5-21-1-2-3-1105";
    return wanted;
}

TEST(Csr, AsksForWhatWasWanted) {
    const auto key = ec_key();
    const auto wanted = content();
    const auto facts = must(inspect_csr(must(make_csr(key, wanted))));
    EXPECT_TRUE(same_name(facts.subject, wanted.subject));
    EXPECT_EQ(facts.alternative_names, wanted.alternative_names);
    EXPECT_FALSE(facts.alternative_names_critical);
    EXPECT_EQ(facts.key_usage, wanted.key_usage);
    EXPECT_EQ(facts.extended_key_usage, wanted.extended_key_usage);
    EXPECT_EQ(facts.security_identifier, wanted.security_identifier);
    EXPECT_EQ(facts.spki, key.spki_der());
    EXPECT_EQ(facts.key.spki_sha256, key.spki_sha256());
    EXPECT_EQ(facts.requested_extensions.size(), 4U);
}

TEST(Csr, AsksForNothingThatWasNotWanted) {
    CsrContent bare;
    bare.subject = test::common_name("connector-1");
    const auto facts = must(inspect_csr(must(make_csr(ec_key(), bare))));
    EXPECT_TRUE(facts.requested_extensions.empty());
    EXPECT_FALSE(facts.key_usage);
}

TEST(Csr, CarriesAnEmptySubjectWithACriticalAlternativeName) {
    CsrContent wanted = content();
    wanted.subject = {};
    wanted.alternative_names_critical = true;
    const auto facts = must(inspect_csr(must(make_csr(ec_key(KeyType::ec_p384), wanted))));
    EXPECT_TRUE(facts.subject.empty());
    EXPECT_TRUE(facts.alternative_names_critical);
}

TEST(Csr, NeverMakesTwoNamesOfOneValue) {
    CsrContent wanted = content();
    wanted.alternative_names = {{NameForm::email, "a@b.c,DNS:admin.example"}};
    const auto facts = must(inspect_csr(must(make_csr(ec_key(), wanted))));
    ASSERT_EQ(facts.alternative_names.size(), 1U);
    EXPECT_EQ(facts.alternative_names[0].value, "a@b.c,DNS:admin.example");
}

TEST(Csr, RefusesNamesThatCannotBeEncoded) {
    const auto refused = [](GeneralName name) {
        CsrContent wanted = content();
        wanted.alternative_names = {std::move(name)};
        return !make_csr(ec_key(), wanted).has_value();
    };
    EXPECT_TRUE(refused({NameForm::email, "björn@corp.example"}));
    EXPECT_TRUE(refused({NameForm::dns, "bücher.example"}));
    EXPECT_TRUE(refused({NameForm::email, std::string("a@b.c\0.evil", 11)}));
    EXPECT_TRUE(refused({NameForm::upn, "\xC3"}));
    EXPECT_TRUE(refused({NameForm::email, ""}));
    EXPECT_TRUE(refused({NameForm::other, "x"}));
    CsrContent wanted = content();
    wanted.extended_key_usage = {"emailProtection"};
    EXPECT_FALSE(make_csr(ec_key(), wanted));
    wanted = content();
    wanted.security_identifier = "alice";
    EXPECT_FALSE(make_csr(ec_key(), wanted));
}

TEST(Csr, RefusesASignatureThatIsNotItsKeys) {
    auto csr = must(make_csr(ec_key(), content()));
    csr.back() ^= 1U;
    EXPECT_FALSE(inspect_csr(csr));
    csr.back() ^= 1U;
    EXPECT_TRUE(inspect_csr(csr));
    csr.push_back(0);
    EXPECT_FALSE(inspect_csr(csr));
    EXPECT_FALSE(inspect_csr({}));
}

TEST(Csr, RefusesSha1) {
    const auto key = ec_key();
    const auto csr = must(make_csr(key, content()));
    const unsigned char* at = csr.data();
    const Request request(d2i_X509_REQ(nullptr, &at, static_cast<long>(csr.size())));
    ASSERT_GT(X509_REQ_sign(request.get(), key.native(), EVP_sha1()), 0);
    EXPECT_FALSE(inspect_csr(der_of(request.get(), i2d_X509_REQ)));
}

TEST(Csr, TravelsAsPem) {
    const auto csr = must(make_csr(test::rsa_key(), content()));
    EXPECT_EQ(must(csr_from_pem(csr_to_pem(csr))), csr);
    EXPECT_FALSE(csr_from_pem("nothing"));
}

}  // namespace
}  // namespace connector::crypto
