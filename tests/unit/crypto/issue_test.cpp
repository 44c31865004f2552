#include "core/crypto/issue.hpp"

#include "tests/unit/crypto/fixtures.hpp"

namespace connector::crypto {
namespace {

using test::ca_order;
using test::code_of;
using test::ec_key;
using test::k_now;
using test::k_year;
using test::mail_order;
using test::must;
using test::pki;

TEST(Issue, MakesAConstrainedCa) {
    const auto ca = test::make_issuing(pki().root, NameConstraints::mail_only({"corp.example"}));
    const auto parsed = must(parse_certificate(ca.certificate));
    int critical = -1;
    const Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free> constraints(
        static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(parsed.get(), NID_name_constraints, &critical, nullptr)));
    ASSERT_TRUE(constraints);
    EXPECT_EQ(critical, 1);
    EXPECT_EQ(sk_GENERAL_SUBTREE_num(constraints->permittedSubtrees), 3);
    EXPECT_EQ(sk_GENERAL_SUBTREE_num(constraints->excludedSubtrees), 2);
    const auto facts = must(inspect(ca.certificate));
    EXPECT_TRUE(facts.is_ca);
    EXPECT_EQ(X509_get_pathlen(parsed.get()), 0);
    EXPECT_EQ(facts.key_usage, KeyUsage(KeyUsage::k_key_cert_sign | KeyUsage::k_crl_sign));
}

TEST(Issue, CarriesItsUrls) {
    const auto key = ec_key();
    CertificateOrder order = mail_order("a@corp.example", key);
    order.crl_urls = {"http://pki.corp.example/one.crl", "http://pki.corp.example/two.crl"};
    order.aia_urls = {"http://pki.corp.example/ca.crt"};
    const auto parsed = must(parse_certificate(must(issue(order, pki().issuing.certificate, pki().issuing.key))));
    const Owned<CRL_DIST_POINTS, CRL_DIST_POINTS_free> points(
        static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(parsed.get(), NID_crl_distribution_points, nullptr, nullptr)));
    ASSERT_TRUE(points);
    EXPECT_EQ(sk_DIST_POINT_num(points.get()), 2);
    const Owned<AUTHORITY_INFO_ACCESS, AUTHORITY_INFO_ACCESS_free> access(
        static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(parsed.get(), NID_info_access, nullptr, nullptr)));
    ASSERT_TRUE(access);
    EXPECT_EQ(sk_ACCESS_DESCRIPTION_num(access.get()), 1);
}

TEST(Issue, WritesDatesBefore2050AndAfter) {
    const auto key = ec_key();
    CertificateOrder order = ca_order("long", key);
    order.not_after = UtcTime{std::chrono::sys_days{std::chrono::year{2051} / 1 / 1}};
    EXPECT_EQ(must(inspect(must(issue_self_signed(order, key)))).not_after, order.not_after);
}

TEST(Issue, RefusesWhatCannotBe) {
    const auto key = ec_key();
    const auto refused = [&](auto change) {
        CertificateOrder order = mail_order("a@corp.example", key);
        change(order);
        return !issue(order, pki().issuing.certificate, pki().issuing.key).has_value();
    };
    EXPECT_FALSE(refused([](CertificateOrder&) {}));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.serial = {}; }));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.serial = {0, 0}; }));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.serial = Bytes(20, 0xFF); }));  // 21 octets as INTEGER
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.spki.push_back(0); }));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.spki = {1, 2, 3}; }));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.not_after = order.not_before; }));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.policies = {"any"}; }));
    EXPECT_TRUE(refused([](CertificateOrder& order) { order.name_constraints = NameConstraints{}; }));
}

TEST(Issue, RefusesAnIssuerKeyThatIsNotTheCertificates) {
    const auto key = ec_key();
    const auto result = issue(mail_order("a@corp.example", key), pki().issuing.certificate, pki().root.key);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, ErrorKind::internal);
}

TEST(Issue, GivesSerialsThatFit) {
    for (int i = 0; i < 50; ++i) {
        const auto serial = random_serial();
        EXPECT_EQ(serial.size(), 20U);
        EXPECT_TRUE(to_serial(serial));
    }
    EXPECT_NE(random_serial(), random_serial());
}

TEST(Crl, NamesWhatIsRevoked) {
    const std::vector<CrlEntry> entries{{{0x01}, k_now, RevocationReason::unspecified},
                                        {{0xAB, 0xCD}, k_now, RevocationReason::key_compromise},
                                        {random_serial(), k_now, RevocationReason::cessation_of_operation}};
    const auto& ca = pki().issuing;
    const auto crl = must(make_crl(ca.certificate, ca.key, entries, 7, k_now, k_now + std::chrono::days{7}));
    const auto facts = must(inspect_crl(crl, ca.certificate));
    EXPECT_EQ(facts.number, "07");
    EXPECT_EQ(facts.this_update, k_now);
    EXPECT_EQ(facts.next_update, k_now + std::chrono::days{7});
    EXPECT_FALSE(facts.partial);
    ASSERT_EQ(facts.entries.size(), 3U);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        EXPECT_EQ(facts.entries[i].serial, entries[i].serial);
        EXPECT_EQ(facts.entries[i].reason, entries[i].reason);
        EXPECT_EQ(facts.entries[i].revoked_at, entries[i].revoked_at);
        EXPECT_TRUE(must(crl_contains(crl, entries[i].serial)));
    }
    EXPECT_TRUE(must(crl_contains(crl, Bytes{0x00, 0xAB, 0xCD})));
    EXPECT_FALSE(must(crl_contains(crl, Bytes{0x02})));
}

TEST(Crl, CanBeEmpty) {
    const auto& ca = pki().issuing;
    const auto crl = must(make_crl(ca.certificate, ca.key, {}, 1, k_now, k_now + k_year));
    EXPECT_TRUE(must(inspect_crl(crl, ca.certificate)).entries.empty());
    EXPECT_FALSE(must(crl_contains(crl, Bytes{0x02})));
}

TEST(Crl, RefusesAForeignSignature) {
    const auto& ca = pki().issuing;
    auto crl = must(make_crl(ca.certificate, ca.key, {}, 1, k_now, k_now + k_year));
    EXPECT_EQ(code_of(inspect_crl(crl, pki().root.certificate)), "crlRefused");
    // The same name, another key.
    EXPECT_EQ(code_of(inspect_crl(crl, test::make_issuing(pki().root).certificate)), "crlRefused");
    crl.back() ^= 1U;
    EXPECT_FALSE(inspect_crl(crl, ca.certificate));
    crl.push_back(0);
    EXPECT_FALSE(inspect_crl(crl, ca.certificate));
    EXPECT_FALSE(make_crl(ca.certificate, pki().root.key, {}, 1, k_now, k_now + k_year));
}

// The CRL with one more extension, signed again.
Bytes extended(const Bytes& crl, int nid, void* value, int critical) {
    const unsigned char* at = crl.data();
    const Crl parsed(d2i_X509_CRL(nullptr, &at, static_cast<long>(crl.size())));
    if (X509_CRL_add1_ext_i2d(parsed.get(), nid, value, critical, X509V3_ADD_DEFAULT) != 1 ||
        X509_CRL_sign(parsed.get(), pki().issuing.key.native(), EVP_sha256()) <= 0)
        throw std::runtime_error("not extended");
    return der_of(parsed.get(), i2d_X509_CRL);
}

TEST(Crl, SaysWhenAbsenceFromItProvesNothing) {
    const auto& ca = pki().issuing;
    const auto crl = must(make_crl(ca.certificate, ca.key, {}, 9, k_now, k_now + k_year));
    const Asn1Integer base(ASN1_INTEGER_new());
    ASN1_INTEGER_set_uint64(base.get(), 8);
    EXPECT_TRUE(must(inspect_crl(extended(crl, NID_delta_crl, base.get(), 1), ca.certificate)).partial);

    const Owned<ISSUING_DIST_POINT, ISSUING_DIST_POINT_free> scope(ISSUING_DIST_POINT_new());
    scope->onlyuser = 0xFF;
    EXPECT_FALSE(
        must(inspect_crl(extended(crl, NID_issuing_distribution_point, scope.get(), 1), ca.certificate)).partial);
    scope->onlyuser = 0;
    scope->onlyCA = 0xFF;
    EXPECT_TRUE(
        must(inspect_crl(extended(crl, NID_issuing_distribution_point, scope.get(), 1), ca.certificate)).partial);

    // RFC 5280 5.2: an unknown critical extension.
    const auto names = must(to_general_names({{NameForm::dns, "x.example"}}));
    EXPECT_FALSE(inspect_crl(extended(crl, NID_subject_alt_name, names.get(), 1), ca.certificate));
    EXPECT_TRUE(inspect_crl(extended(crl, NID_subject_alt_name, names.get(), 0), ca.certificate));
}

TEST(Crl, KnowsTheReasonsByTheirWords) {
    EXPECT_EQ(parse_revocation_reason("keyCompromise"), RevocationReason::key_compromise);
    EXPECT_EQ(parse_revocation_reason("privilegeWithdrawn"), RevocationReason::privilege_withdrawn);
    EXPECT_EQ(to_string(RevocationReason::superseded), "superseded");
    EXPECT_FALSE(parse_revocation_reason("KEYCOMPROMISE"));
}

}  // namespace
}  // namespace connector::crypto
