#include "core/crypto/crl.hpp"

#include "core/crypto/encoding.hpp"
#include "unit/crypto/fixtures.hpp"

namespace connector::crypto::test {
namespace {

using State = trust::Revocation::State;
using namespace std::chrono_literals;

// Two device authorities, a phone of the first.
struct Devices {
    Ca first = make_root("Device CA");
    Ca second = make_root("Other Device CA");
    PrivateKey key = ec_key();
    Bytes serial;
    Bytes phone = certificate_of(first);

    Bytes certificate_of(const Ca& ca) {
        auto order = order_for("d-phone-1", key);
        serial = order.serial;
        order.key_usage = KeyUsage(KeyUsage::k_key_agreement);
        order.extended_key_usage = {"1.3.6.1.5.5.7.3.2"};
        return must(issue(order, ca.certificate, ca.key));
    }
    [[nodiscard]] Bytes list(const Ca& ca, bool with_phone, UtcTime from = k_now - 1h,
                             UtcTime until = k_now + 24h) const {
        std::vector<CrlEntry> entries;
        if (with_phone) entries.push_back({serial, k_now - 2h, RevocationReason::key_compromise});
        return must(make_crl(ca.certificate, ca.key, entries, 7, from, until));
    }
    [[nodiscard]] trust::Revocation ask(const std::vector<Bytes>& lists, ByteView certificate,
                                        UtcTime now = k_now) const {
        std::vector<RevocationList> read;
        for (const auto& der : lists) read.push_back(must(RevocationList::read(der)));
        return RevocationLists({second.certificate, first.certificate}, std::move(read)).look_up(certificate, now);
    }
    [[nodiscard]] trust::Revocation ask(const std::vector<Bytes>& lists, UtcTime now = k_now) const {
        return ask(lists, phone, now);
    }
};

std::string word(const trust::Revocation& revocation) {
    switch (revocation.state) {
        case State::good: return "good";
        case State::revoked: return "revoked";
        case State::unknown: return revocation.code;
    }
    return "";
}

TEST(RevocationLists, ACertificateCountsWhereItsAuthoritysCurrentListDoesNotNameIt) {
    Devices devices;
    EXPECT_EQ(word(devices.ask({devices.list(devices.first, false)})), "good");
    EXPECT_EQ(word(devices.ask({devices.list(devices.first, true)})), "revoked");
    EXPECT_EQ(word(devices.ask({devices.list(devices.second, false), devices.list(devices.first, true)})), "revoked");
}

TEST(RevocationLists, WithoutACurrentListNobodyCanTell) {
    Devices devices;
    EXPECT_EQ(word(devices.ask({})), "crlMissing");
    EXPECT_EQ(word(devices.ask({devices.list(devices.second, false)})), "crlMissing") << "another authority's";
    const auto list = devices.list(devices.first, false);
    EXPECT_EQ(word(devices.ask({list}, k_now + 24h - 1s)), "good");
    EXPECT_EQ(word(devices.ask({list}, k_now + 24h)), "crlStale");
    EXPECT_EQ(devices.ask({list}, k_now - 2h).state, State::unknown) << "not in force yet";
    // A stale one beside a current one does no harm.
    EXPECT_EQ(word(devices.ask({devices.list(devices.first, false, k_now - 48h, k_now - 24h), list})), "good");
}

TEST(RevocationLists, WhatWasRevokedOnceStaysSoWhenTheListIsStale) {
    Devices devices;
    EXPECT_EQ(word(devices.ask({devices.list(devices.first, true, k_now - 48h, k_now - 24h)})), "revoked");
}

TEST(RevocationLists, TheNewerOfTwoCurrentListsCounts) {
    Devices devices;
    const auto older = devices.list(devices.first, false, k_now - 3h);
    const auto newer = devices.list(devices.first, true, k_now - 1h);
    EXPECT_EQ(word(devices.ask({older, newer})), "revoked");
    EXPECT_EQ(word(devices.ask({newer, older})), "revoked");
}

TEST(RevocationLists, AListBySomebodyElseUnderTheAuthoritysNameIsNoList) {
    Devices devices;
    const Ca impostor = make_root("Device CA");
    const auto forged = devices.list(impostor, false);
    EXPECT_EQ(devices.ask({forged}).state, State::unknown);
    EXPECT_FALSE(must(RevocationList::read(forged)).signed_by(devices.first.certificate));
    EXPECT_TRUE(must(RevocationList::read(forged)).signed_by(impostor.certificate));
    // It hides the true one from nobody.
    EXPECT_EQ(word(devices.ask({forged, devices.list(devices.first, true)})), "revoked");
}

TEST(RevocationLists, ACertificateOfNobodyHereIsOnNoList) {
    Devices devices;
    EXPECT_EQ(devices.ask({devices.list(devices.first, false)}, pki().leaf).state, State::unknown);
    EXPECT_EQ(devices.ask({devices.list(devices.first, false)}, bytes_of("rubbish")).state, State::unknown);
}

TEST(RevocationLists, AnExpiredCertificateIsJudgedElsewhere) {
    Devices devices;
    const auto later = k_now + 2 * k_year;
    EXPECT_EQ(word(devices.ask({devices.list(devices.first, false, later - 1h, later + 1h)}, later)), "good");
}

TEST(RevocationList, IsReadAsDerOrAsPem) {
    Devices devices;
    const auto der = devices.list(devices.first, true);
    const auto list = must(RevocationList::read(der));
    EXPECT_EQ(list.issuer(), "CN=Device CA");
    EXPECT_EQ(list.entries(), 1U);
    EXPECT_EQ(list.this_update(), k_now - 1h);
    EXPECT_EQ(list.next_update(), k_now + 24h);
    EXPECT_EQ(must(RevocationList::read(bytes_of(to_pem(pem::k_crl, der)))).entries(), 1U);
}

TEST(RevocationList, RefusesWhatIsNone) {
    Devices devices;
    auto der = devices.list(devices.first, false);
    EXPECT_EQ(code_of(RevocationList::read(Bytes())), "crlUnfit");
    EXPECT_EQ(code_of(RevocationList::read(devices.phone)), "crlUnfit");
    EXPECT_EQ(code_of(RevocationList::read(bytes_of("-----BEGIN X509 CRL-----\nnot base64\n"))), "crlUnfit");
    const auto pem_text = to_pem(pem::k_crl, der);
    EXPECT_EQ(code_of(RevocationList::read(bytes_of(pem_text + pem_text))), "crlUnfit") << "which of the two?";
    auto longer = der;
    longer.push_back(0);
    EXPECT_EQ(code_of(RevocationList::read(longer)), "crlUnfit");
    der.resize(der.size() / 2);
    EXPECT_EQ(code_of(RevocationList::read(der)), "crlUnfit");
    EXPECT_EQ(code_of(RevocationList::read(Bytes(k_largest_crl + 1, 0x30))), "crlUnfit");
}

TEST(RevocationList, ADeltaIsNoWholeListAndWhatNobodyKnowsProvesNothing) {
    Devices devices;
    const auto der = devices.list(devices.first, false);
    const auto changed = [&](auto change) {
        const unsigned char* at = der.data();
        const Crl list(d2i_X509_CRL(nullptr, &at, static_cast<long>(der.size())));
        change(list.get());
        X509_CRL_sort(list.get());
        if (X509_CRL_sign(list.get(), devices.first.key.native(), EVP_sha256()) <= 0)
            throw std::runtime_error("not signed");
        return der_of(list.get(), i2d_X509_CRL);
    };
    const auto delta = changed([](X509_CRL* list) {
        const Asn1Integer base(ASN1_INTEGER_new());
        ASN1_INTEGER_set(base.get(), 1);
        ASSERT_EQ(X509_CRL_add1_ext_i2d(list, NID_delta_crl, base.get(), 1, 0), 1);
    });
    EXPECT_EQ(code_of(RevocationList::read(delta)), "crlUnfit");
    // What a list's critical extension means has to be known to whoever goes by it (RFC 5280 5.2).
    const auto odd = changed([](X509_CRL* list) {
        const Asn1Object object = object_from("1.3.6.1.4.1.99999.1");
        const Asn1String octets(ASN1_OCTET_STRING_new());
        ASN1_STRING_set(octets.get(), "\x05\x00", 2);
        X509_EXTENSION* extension = X509_EXTENSION_create_by_OBJ(nullptr, object.get(), 1, octets.get());
        EXPECT_EQ(X509_CRL_add_ext(list, extension, -1), 1);
        X509_EXTENSION_free(extension);
    });
    EXPECT_EQ(devices.ask({odd}).state, State::unknown);
}

}  // namespace
}  // namespace connector::crypto::test
