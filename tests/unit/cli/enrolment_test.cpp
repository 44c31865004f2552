#include "daemon/cli/enrolment.hpp"

#include "core/crypto/csr.hpp"
#include "unit/config/scratch_folder.hpp"
#include "unit/crypto/fixtures.hpp"

#include <sys/stat.h>

namespace connector::cli {
namespace {

using connector::test::ScratchFolder;
using crypto::test::code_of;
using crypto::test::common_name;
using crypto::test::must;

class EnrolmentTest : public ::testing::Test {
protected:
    EnrolmentTest() {
        settings_.storage.directory = folder_.path() / "state";
        settings_.management.certificate = folder_.path() / "state/connector.crt";
        settings_.management.key = folder_.path() / "state/connector.key";
        owner_ = must(prepare_state(settings_));
    }
    PendingKey pending() { return must(pending_key(settings_, "connector-1", owner_)); }
    [[nodiscard]] management::Enrolment answer(const PendingKey& pending, const std::string& cn = "c-1") const {
        return answer(pending.key.spki_der(), cn);
    }
    [[nodiscard]] static management::Enrolment answer(const Bytes& spki, const std::string& cn) {
        static const auto k_ca = crypto::test::make_root("Service CA");
        crypto::CertificateOrder order = crypto::test::order_for(cn, k_ca.key);
        order.spki = spki;
        management::Enrolment enrolment;
        enrolment.id = *ConnectorId::parse("c-1");
        enrolment.certificate = crypto::certificate_to_pem(must(crypto::issue(order, k_ca.certificate, k_ca.key)));
        enrolment.chain = {crypto::certificate_to_pem(k_ca.certificate)};
        return enrolment;
    }
    [[nodiscard]] mode_t mode_of(const char* name) const {
        struct stat facts {};
        EXPECT_EQ(::stat((folder_.path() / name).c_str(), &facts), 0) << name;
        return facts.st_mode & 0777U;
    }
    [[nodiscard]] bool there(const char* name) const { return std::filesystem::exists(folder_.path() / name); }

    ScratchFolder folder_;
    config::Settings settings_;
    keys::Owner owner_;
};

TEST_F(EnrolmentTest, a_key_that_was_not_enrolled_is_used_again_with_the_same_octets) {
    const auto first = pending();
    EXPECT_FALSE(first.reused);
    EXPECT_EQ(mode_of("state"), 0700U);
    EXPECT_EQ(mode_of("state/connector.key.pending"), 0600U);
    const auto again = pending();
    EXPECT_TRUE(again.reused);
    EXPECT_EQ(again.csr_pem, first.csr_pem);
    EXPECT_EQ(again.key.spki_sha256(), first.key.spki_sha256());
    const auto csr = must(crypto::inspect_csr(must(crypto::csr_from_pem(first.csr_pem))));
    EXPECT_EQ(csr.key.curve, "P-256");
}

TEST_F(EnrolmentTest, a_lost_request_is_made_anew_for_the_same_key) {
    const auto first = pending();
    std::filesystem::remove(pending_csr_file(settings_));
    const auto again = pending();
    EXPECT_EQ(again.key.spki_sha256(), first.key.spki_sha256());
    EXPECT_NE(again.csr_pem, first.csr_pem);
    // Somebody else's request beside our key is not sent.
    const auto foreign = crypto::test::ec_key();
    ports::CsrContent content;
    content.subject = common_name("x");
    folder_.write("state/connector.key.pending.csr", crypto::csr_to_pem(must(crypto::make_csr(foreign, content))));
    const auto csr = must(crypto::inspect_csr(must(crypto::csr_from_pem(pending().csr_pem))));
    EXPECT_EQ(csr.key.spki_sha256, first.key.spki_sha256());
}

TEST_F(EnrolmentTest, the_pair_is_put_in_place_and_the_one_before_kept) {
    EXPECT_FALSE(present_certificate(settings_));
    const auto first = pending();
    const auto certificate = must(install(settings_, answer(first), first, owner_));
    EXPECT_EQ(certificate.key.spki_sha256, first.key.spki_sha256());
    EXPECT_EQ(mode_of("state/connector.key"), 0600U);
    EXPECT_FALSE(there("state/connector.key.pending"));
    EXPECT_FALSE(there("state/connector.key.old"));
    EXPECT_EQ(must(crypto::certificates_from_pem(folder_.read("state/connector.crt"))).size(), 2U);
    const auto present = present_certificate(settings_);
    ASSERT_TRUE(present);
    EXPECT_EQ(present->connector_id, "c-1");

    const std::string before = folder_.read("state/connector.key");
    const auto second = pending();
    ASSERT_TRUE(install(settings_, answer(second), second, owner_));
    EXPECT_EQ(folder_.read("state/connector.key.old"), before);
    EXPECT_NE(folder_.read("state/connector.key"), before);
    EXPECT_TRUE(present_certificate(settings_));
}

TEST_F(EnrolmentTest, a_certificate_that_is_not_ours_changes_nothing) {
    const auto mine = pending();
    const auto other = crypto::test::ec_key();
    EXPECT_EQ(code_of(install(settings_, answer(other.spki_der(), "c-1"), mine, owner_)), "answerInvalid");
    EXPECT_EQ(code_of(install(settings_, answer(mine, "c-2"), mine, owner_)), "answerInvalid");
    auto broken = answer(mine);
    broken.chain = {"no certificate"};
    EXPECT_EQ(code_of(install(settings_, broken, mine, owner_)), "answerInvalid");
    EXPECT_FALSE(there("state/connector.crt"));
    EXPECT_FALSE(there("state/connector.key"));
    EXPECT_TRUE(pending().reused);
}

TEST_F(EnrolmentTest, a_certificate_without_its_key_is_no_enrolment) {
    const auto first = pending();
    ASSERT_TRUE(install(settings_, answer(first), first, owner_));
    folder_.write("state/connector.key", must(crypto::test::ec_key().to_pem()).reveal_text());
    EXPECT_FALSE(present_certificate(settings_));
}

}  // namespace
}  // namespace connector::cli
