// The importing tool's judgement, on PFX files made here.
#include "daemon/importer/import_tool.hpp"
#include "core/crypto/oaep.hpp"
#include "core/crypto/openssl_crypto.hpp"
#include "core/crypto/pfx.hpp"
#include "unit/crypto/fixtures.hpp"

#include <algorithm>

namespace connector::importer {
namespace {

using crypto::test::code_of;
using crypto::test::k_now;
using crypto::test::must;
using crypto::test::pki;
using request::Purpose;

class ImportToolTest : public ::testing::Test {
protected:
    ImportToolTest() {
        order_.user_principal_name = "Alice@Corp.example";
        order_.purpose = Purpose::smime_encryption;
    }
    struct File {
        Bytes pfx;
        SecretBytes password;
        Bytes certificate;
    };
    static File pack(const std::string& mailbox, KeyUsage usage = KeyUsage(KeyUsage::k_key_encipherment),
                     bool with_chain = true) {
        auto made = crypto::test::mail_order(mailbox, crypto::test::rsa_key());
        made.key_usage = usage;
        Bytes certificate = must(crypto::issue(made, pki().issuing.certificate, pki().issuing.key));
        std::vector<Bytes> chain;
        if (with_chain) chain.push_back(pki().issuing.certificate);
        auto packed = must(crypto::pack(crypto::test::rsa_key(), certificate, chain, ports::PfxStyle::legacy3des));
        return {std::move(packed.der), std::move(packed.password), std::move(certificate)};
    }
    Result<Opened> open(const File& file) {
        return open_and_judge(crypto_, crypto_, file.pfx, file.password, order_, k_now);
    }

    static ports::Signer importer() {
        static const crypto::PrivateKey k_key = crypto::test::ec_key();
        static const Bytes k_certificate = [] {
            auto made = crypto::test::order_for("Importer", k_key);
            made.key_usage = KeyUsage(KeyUsage::k_digital_signature);
            return must(crypto::issue(made, pki().issuing.certificate, pki().issuing.key));
        }();
        ports::Signer signer;
        signer.certificate = k_certificate;
        signer.pkcs8 = must(k_key.to_pkcs8());
        return signer;
    }
    static WrappingKey wrapping_key() { return {"pfx-connector", "ImportKey1", crypto::test::rsa_key().spki_der()}; }
    trust::ImportedRecord record(const Opened& opened, std::vector<Sha256> history) {
        const auto signer = importer();
        return must(make_record(crypto_, opened, order_, wrapping_key(), &signer, std::move(history), 7, k_now));
    }

    const crypto::OpenSslCrypto crypto_;
    ImportOrder order_;
};

TEST_F(ImportToolTest, a_record_opens_as_the_connector_opens_it) {
    const File file = pack("alice@corp.example");
    const auto opened = must(open(file));
    EXPECT_EQ(opened.mailboxes, std::vector<std::string>{"alice@corp.example"});
    ASSERT_EQ(opened.chain.size(), 1U);
    const auto made = record(opened, {opened.certificate.sha256});
    EXPECT_EQ(made.thumbprint, opened.certificate.thumbprint.hex());
    EXPECT_EQ(made.padding_scheme, "oaepSha512");

    const auto content = must(crypto_.verify_attached(made.importer_signature, {importer().certificate}));
    const auto statement = must(trust::parse_statement(content.content));
    EXPECT_EQ(statement.user_principal_name, "alice@corp.example");
    EXPECT_EQ(statement.history, std::vector<Sha256>{opened.certificate.sha256});
    EXPECT_EQ(statement.sequence, 7U);
    EXPECT_TRUE(trust::check_sealed(statement, made, crypto_.sha256(made.pfx)));
    const auto password =
        must(crypto::unwrap_oaep(crypto::test::rsa_key(), made.wrapped_password, ports::OaepHash::sha512));
    EXPECT_EQ(password.size(), 32U);
    EXPECT_FALSE(password.equals(file.password.view()));
    const auto identity = must(crypto_.open_pfx(made.pfx, password));
    EXPECT_EQ(identity.certificate, file.certificate);
    EXPECT_EQ(identity.chain, std::vector<Bytes>{pki().issuing.certificate});
}

TEST_F(ImportToolTest, somebody_elses_certificate_is_refused_unless_the_importer_says_so) {
    const File file = pack("a.smith@corp.example");
    const auto refused = open(file);
    EXPECT_EQ(code_of(refused), "importInvalid");
    EXPECT_NE(refused.error().message.find("a.smith@corp.example"), std::string::npos);
    order_.addresses = {"A.Smith@corp.example"};
    EXPECT_TRUE(open(file));
}

TEST_F(ImportToolTest, the_purpose_has_to_work) {
    const File signing = pack("alice@corp.example", KeyUsage(KeyUsage::k_digital_signature));
    EXPECT_EQ(code_of(open(signing)), "importInvalid");
    order_.purpose = Purpose::smime_signing;
    EXPECT_TRUE(open(signing));
    order_.purpose = Purpose::wifi;
    EXPECT_EQ(code_of(open(signing)), "importInvalid");
}

TEST_F(ImportToolTest, a_wrong_password_and_rubbish_are_refused) {
    const File file = pack("alice@corp.example");
    const auto wrong = SecretBytes::copy_of("wrong");
    EXPECT_EQ(code_of(open_and_judge(crypto_, crypto_, file.pfx, wrong, order_, k_now)), "importUndecryptable");
    EXPECT_FALSE(open_and_judge(crypto_, crypto_, Bytes(100, 0x30), wrong, order_, k_now));
}

TEST_F(ImportToolTest, the_chain_is_completed_from_elsewhere_or_its_lack_is_told) {
    const File file = pack("alice@corp.example", KeyUsage(KeyUsage::k_key_encipherment), false);
    const auto without = must(open(file));
    EXPECT_TRUE(without.chain.empty());
    EXPECT_FALSE(without.warnings.empty());
    order_.chain_candidates = {crypto::test::make_root("Foreign").certificate, pki().root.certificate,
                               pki().issuing.certificate};
    const auto with = must(open(file));
    EXPECT_EQ(with.chain, (std::vector<Bytes>{pki().issuing.certificate, pki().root.certificate}));
    EXPECT_TRUE(with.warnings.empty());
}

TEST_F(ImportToolTest, expired_history_passes_with_a_word) {
    const File file = pack("alice@corp.example");
    const auto late =
        open_and_judge(crypto_, crypto_, file.pfx, file.password, order_, k_now + 3 * crypto::test::k_year);
    ASSERT_TRUE(late);
    EXPECT_NE(late->warnings.front().find("expired"), std::string::npos);
}

TEST_F(ImportToolTest, the_history_is_what_trusted_importers_signed) {
    const auto one = must(open(pack("alice@corp.example")));
    const auto two = must(open(pack("alice@corp.example")));
    auto known = record(one, {one.certificate.sha256});
    auto foreign = record(two, {two.certificate.sha256});
    foreign.importer_signature.back() ^= 1U;
    auto other_user = record(two, {});
    other_user.user_principal_name = "bob@corp.example";
    const auto store = read_store(crypto_, {known, foreign, other_user}, {importer().certificate});
    ASSERT_EQ(store.size(), 3U);
    EXPECT_TRUE(store[0].statement);
    EXPECT_FALSE(store[1].statement);
    EXPECT_FALSE(store[2].statement);  // a genuine statement of Alice's beside a record of Bob's
    Opened added;
    added.certificate.sha256.octets.fill(0xEE);
    const auto history = history_of(store, order_, {&added});
    auto expected = std::vector<Sha256>{one.certificate.sha256, added.certificate.sha256};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(history.certificates, expected);
    EXPECT_EQ(history.unsigned_records, 1U);
    EXPECT_EQ(history_of(store, order_, {&two}).unsigned_records, 0U);  // it is being replaced
    EXPECT_TRUE(read_store(crypto_, {known}, {})[0].statement == std::nullopt);
}

TEST_F(ImportToolTest, a_store_that_hides_a_record_gets_no_list_without_it) {
    const auto one = must(open(pack("alice@corp.example")));
    const auto hidden = must(open(pack("alice@corp.example")));
    auto both = std::vector<Sha256>{one.certificate.sha256, hidden.certificate.sha256};
    std::sort(both.begin(), both.end());
    const auto known = record(one, both);
    const auto store = read_store(crypto_, {known}, {importer().certificate});
    const auto history = history_of(store, order_, {});
    EXPECT_EQ(history.certificates, both);
    EXPECT_EQ(history.left_out, 1U);
    EXPECT_EQ(history.newest, store[0].statement->sequence);
    // A person takes it out: the same record, a newer list.
    auto again = known;
    ASSERT_TRUE(sign_list(crypto_, again, {importer().certificate}, importer(), {one.certificate.sha256},
                          history.newest + 1, k_now));
    EXPECT_EQ(again.pfx, known.pfx);
    const auto after = read_store(crypto_, {known, again}, {importer().certificate});
    EXPECT_EQ(newest_list(after, "ALICE@corp.example", order_.purpose)->certificates,
              std::vector<Sha256>{one.certificate.sha256});
    EXPECT_EQ(history_of(after, order_, {}).left_out, 0U);
    EXPECT_EQ(sign_list(crypto_, again, {}, importer(), {}, 9, k_now).error().code, "importUnsigned");
    again.pfx.back() ^= 1U;
    EXPECT_EQ(sign_list(crypto_, again, {importer().certificate}, importer(), {}, 9, k_now).error().code,
              "importUnsigned");
}

TEST_F(ImportToolTest, a_second_import_of_the_same_is_recognised) {
    const auto opened = must(open(pack("alice@corp.example")));
    auto stored = record(opened, {opened.certificate.sha256});
    const auto again = record(opened, {opened.certificate.sha256});
    EXPECT_NE(stored.pfx, again.pfx);
    const auto store = read_store(crypto_, {stored}, {importer().certificate});
    const auto* same = find_same(store, order_, opened.certificate.thumbprint);
    ASSERT_NE(same, nullptr);
    EXPECT_TRUE(says_the_same(*same, opened, wrapping_key(), true));
    auto rotated = wrapping_key();
    rotated.key_name = "ImportKey2";
    EXPECT_FALSE(says_the_same(*same, opened, rotated, true));
    EXPECT_FALSE(says_the_same({stored, std::nullopt}, opened, wrapping_key(), true));
    order_.purpose = Purpose::unassigned;
    EXPECT_EQ(find_same(store, order_, opened.certificate.thumbprint), nullptr);
}

}  // namespace
}  // namespace connector::importer
