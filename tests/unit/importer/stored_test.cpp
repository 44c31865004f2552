// What the importing tool makes of records that are in the store already.
#include "daemon/importer/stored.hpp"
#include "core/crypto/oaep.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/crypto/pfx.hpp"
#include "core/crypto/pfx_outline.hpp"
#include "unit/crypto/fixtures.hpp"

namespace connector::importer {
namespace {

using crypto::test::code_of;
using crypto::test::k_now;
using crypto::test::must;
using crypto::test::pki;
using request::Purpose;
using trust::SignatureRule;

class OneKey final : public ports::KeyService {
public:
    [[nodiscard]] bool has(std::string_view provider, std::string_view key_name) const override {
        return provider == "pfx-connector" && key_name == "ImportKey1";
    }
    [[nodiscard]] Result<SecretBytes> unwrap(std::string_view /*provider*/, std::string_view /*key_name*/,
                                             ByteView ciphertext, ports::OaepHash hash) const override {
        return crypto::unwrap_oaep(crypto::test::rsa_key(), ciphertext, hash);
    }
};

class StoredTest : public ::testing::Test {
protected:
    static const ports::Signer& importer() {
        static const ports::Signer k_signer = [] {
            const auto key = crypto::test::ec_key();
            auto order = crypto::test::order_for("Importer", key);
            order.key_usage = KeyUsage(KeyUsage::k_digital_signature);
            ports::Signer signer;
            signer.certificate = must(crypto::issue(order, pki().issuing.certificate, pki().issuing.key));
            signer.pkcs8 = must(key.to_pkcs8());
            return signer;
        }();
        return k_signer;
    }
    Opened identity(const std::string& mailbox) {
        auto order = crypto::test::mail_order(mailbox, crypto::test::rsa_key());
        order.key_usage = KeyUsage(KeyUsage::k_key_encipherment);
        const Bytes certificate = must(crypto::issue(order, pki().issuing.certificate, pki().issuing.key));
        Opened opened;
        opened.pkcs8 = must(crypto::test::rsa_key().to_pkcs8());
        opened.certificate = must(crypto_.inspect(certificate));
        opened.mailboxes = {mailbox};
        return opened;
    }
    trust::ImportedRecord record(const Opened& opened, const std::string& user, bool is_signed = true) {
        ImportOrder order;
        order.user_principal_name = user;
        order.purpose = Purpose::smime_encryption;
        return must(make_record(crypto_, opened, order,
                                {"pfx-connector", "ImportKey1", crypto::test::rsa_key().spki_der()},
                                is_signed ? &importer() : nullptr, {opened.certificate.sha256}, 1, k_now));
    }
    std::vector<SignedRecord> store(std::vector<trust::ImportedRecord> records) {
        return read_store(crypto_, std::move(records), {importer().certificate});
    }
    static trust::ImportedRecord until(const std::string& user, int days) {
        trust::ImportedRecord record;
        record.user_principal_name = user;
        record.purpose = Purpose::smime_encryption;
        record.expiration = k_now + std::chrono::days(days);
        return record;
    }

    const crypto::OpenSslCrypto crypto_;
    const OneKey keys_;
};

TEST_F(StoredTest, opens_what_the_connector_would) {
    const auto opened = identity("alice@corp.example");
    auto one = record(opened, "alice@corp.example");
    const auto stored = must(open_stored(crypto_, crypto_, keys_, one, k_now));
    EXPECT_EQ(stored.opened.certificate.sha256, opened.certificate.sha256);
    EXPECT_FALSE(stored.human_password);
    EXPECT_TRUE(reasons_to_upgrade(one, stored).empty());
    EXPECT_TRUE(open_stored(crypto_, crypto_, keys_, record(opened, "other@corp.example"), k_now))
        << "whose it is, others know";

    one.thumbprint = std::string(40, 'a');
    EXPECT_EQ(code_of(open_stored(crypto_, crypto_, keys_, one, k_now)), "importInvalid");
    one = record(opened, "alice@corp.example");
    one.purpose = Purpose::smime_signing;
    EXPECT_EQ(code_of(open_stored(crypto_, crypto_, keys_, one, k_now)), "importInvalid");
    one.key_name = "importkey1";
    EXPECT_EQ(code_of(open_stored(crypto_, crypto_, keys_, one, k_now)), "importUndecryptable");
    one.padding_scheme = "pkcs1";
    EXPECT_EQ(code_of(open_stored(crypto_, crypto_, keys_, one, k_now)), "unsupported");
}

TEST_F(StoredTest, a_signature_is_of_this_record_or_none) {
    const auto opened = identity("alice@corp.example");
    const auto one = record(opened, "alice@corp.example");
    const std::vector<Bytes> trusted{importer().certificate};
    const auto good = check_signature(crypto_, one, trusted);
    EXPECT_EQ(good.state, SignatureState::good);
    EXPECT_TRUE(check_statement(*good.statement, opened));
    EXPECT_FALSE(check_statement(*good.statement, identity("bob@corp.example")));
    EXPECT_EQ(check_signature(crypto_, one, {}).state, SignatureState::foreign);
    EXPECT_EQ(check_signature(crypto_, record(opened, "alice@corp.example", false), trusted).state,
              SignatureState::none);
    auto other = one;
    other.pfx = record(opened, "alice@corp.example").pfx;
    EXPECT_EQ(check_signature(crypto_, other, trusted).state, SignatureState::foreign);
    other = one;
    other.user_principal_name = "bob@corp.example";
    EXPECT_EQ(check_signature(crypto_, other, trusted).state, SignatureState::foreign);
    other = one;
    other.wrapped_password = {1};
    other.key_name = "ImportKey2";
    EXPECT_EQ(check_signature(crypto_, other, trusted).state, SignatureState::good) << "rotation needs no importer";
}

TEST_F(StoredTest, adopted_is_a_time_of_migration) {
    const CheckedSignature none;
    CheckedSignature good;
    good.state = SignatureState::good;
    CheckedSignature foreign;
    foreign.state = SignatureState::foreign;
    foreign.reason = "why";
    for (const auto rule : {SignatureRule::required, SignatureRule::adopted, SignatureRule::off})
        EXPECT_EQ(against_rule(good, rule, true), "");
    EXPECT_EQ(against_rule(none, SignatureRule::off, true), "");
    EXPECT_EQ(against_rule(foreign, SignatureRule::off, true), "");
    EXPECT_EQ(against_rule(none, SignatureRule::adopted, false), "");
    EXPECT_NE(against_rule(none, SignatureRule::adopted, true), "");
    EXPECT_NE(against_rule(none, SignatureRule::required, false), "");
    EXPECT_EQ(against_rule(foreign, SignatureRule::adopted, false), "why");

    const auto opened = identity("alice@corp.example");
    const auto all = store({record(opened, "alice@corp.example"), record(opened, "bob@corp.example", false)});
    EXPECT_TRUE(is_adopted(all, record(opened, "ALICE@corp.example", false)));
    EXPECT_FALSE(is_adopted(all, record(opened, "bob@corp.example", false)));
    auto wifi = record(opened, "alice@corp.example", false);
    wifi.purpose = Purpose::wifi;
    EXPECT_FALSE(is_adopted(all, wifi)) << "each purpose by itself";
}

TEST_F(StoredTest, former_times_show) {
    const auto opened = identity("alice@corp.example");
    auto one = record(opened, "alice@corp.example");
    auto old = must(crypto_.pack(opened.pkcs8, opened.certificate.der, {}, ports::PfxStyle::legacy3des));
    one.pfx = old.der;
    one.padding_scheme = "oaepSha256";
    one.wrapped_password =
        must(crypto::wrap_oaep(crypto::test::rsa_key().spki_der(), old.password, ports::OaepHash::sha256));
    const auto stored = must(open_stored(crypto_, crypto_, keys_, one, k_now));
    const auto reasons = reasons_to_upgrade(one, stored);
    ASSERT_EQ(reasons.size(), 2U);
    EXPECT_NE(reasons[0].find("DES"), std::string::npos) << reasons[0];
    EXPECT_NE(reasons[1].find("oaepSha256"), std::string::npos);

    const auto outline = must(crypto::outline_pfx(old.der));
    EXPECT_EQ(outline.mac, "sha1");
    EXPECT_EQ(outline.mac_iterations, 2048U);
    EXPECT_EQ(outline.layers.size(), 2U);
    EXPECT_FALSE(outline.aes256());
    EXPECT_EQ(outline.iterations_in_sum(), 3U * 2048U);
    EXPECT_EQ(outline.beyond_limits(), "");
    EXPECT_TRUE(must(crypto::outline_pfx(record(opened, "alice@corp.example").pfx)).aes256());
}

TEST_F(StoredTest, an_outline_of_what_is_none) {
    Bytes pfx = record(identity("alice@corp.example"), "alice@corp.example").pfx;
    for (std::size_t size = 0; size < pfx.size(); size += 7)
        EXPECT_EQ(code_of(crypto::outline_pfx(ByteView(pfx).first(size))), "importInvalid") << size;
    EXPECT_EQ(code_of(crypto::outline_pfx(Bytes(crypto::k_pfx_largest + 1))), "importInvalid");
    pfx.push_back(0);
    EXPECT_EQ(code_of(crypto::outline_pfx(pfx)), "importInvalid");
    Bytes deep;
    for (int i = 0; i < 50'000; ++i) deep.insert(deep.end(), {0x30, 0x80});
    EXPECT_EQ(code_of(crypto::outline_pfx(deep)), "importInvalid");
    crypto::PfxOutline costly;
    costly.mac = "sha256";
    costly.mac_iterations = crypto::k_pfx_most_iterations;
    EXPECT_EQ(costly.beyond_limits(), "");
    costly.layers = {{"key", "x", crypto::k_pfx_most_iterations, true}};
    EXPECT_EQ(costly.beyond_limits(), "");
    costly.layers.push_back({"key", "x", UINT64_MAX, true});
    EXPECT_NE(costly.beyond_limits(), "");
    EXPECT_EQ(costly.iterations_in_sum(), UINT64_MAX);
    costly.mac = "none";
    EXPECT_EQ(costly.beyond_limits(), "no MAC");
}

TEST_F(StoredTest, only_the_newest_counts_for_expiry) {
    std::vector<SignedRecord> all;
    for (auto record : {until("b@x.example", 5), until("a@x.example", 3), until("A@x.example", 400),
                        until("c@x.example", -20), until("c@x.example", -2), until("d@x.example", 31)})
        all.push_back({std::move(record), std::nullopt});
    auto wifi = until("e@x.example", 1);
    wifi.purpose = Purpose::wifi;
    all.push_back({std::move(wifi), std::nullopt});
    const auto found = expiring_by(all, Purpose::smime_encryption, k_now + std::chrono::days(30));
    ASSERT_EQ(found.size(), 2U);
    EXPECT_EQ(found[0].newest.user_principal_name, "c@x.example");
    EXPECT_EQ(found[0].newest.expiration, k_now - std::chrono::days(2));
    EXPECT_EQ(found[0].records, 2U);
    EXPECT_EQ(found[1].newest.user_principal_name, "b@x.example");
    EXPECT_EQ(expiring_by(all, Purpose::smime_encryption, k_now + std::chrono::days(31)).size(), 3U) << "to the second";
    EXPECT_EQ(group_stored(all).size(), 5U);
}

TEST_F(StoredTest, a_history_is_what_importers_named) {
    const auto one = identity("alice@corp.example");
    const auto two = identity("alice@corp.example");
    const auto all = store(
        {record(one, "alice@corp.example"), record(two, "alice@corp.example", false), record(two, "bob@corp.example")});
    std::vector<Sha256> expected{one.certificate.sha256, two.certificate.sha256};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(history_with(all, "Alice@corp.example", Purpose::smime_encryption, {two.certificate.sha256}), expected);
    EXPECT_EQ(history_with(all, "alice@corp.example", Purpose::smime_encryption, {}),
              std::vector<Sha256>{one.certificate.sha256});
}

}  // namespace
}  // namespace connector::importer
