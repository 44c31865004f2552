#include "daemon/enrolment/own_pair.hpp"

#include "core/crypto/csr.hpp"
#include "daemon/keys/load.hpp"
#include "unit/config/scratch_folder.hpp"
#include "unit/crypto/fixtures.hpp"

#include <sys/stat.h>

namespace connector::enrolment {
namespace {

using connector::test::ScratchFolder;
using crypto::test::code_of;
using crypto::test::common_name;
using crypto::test::must;

class OwnPair : public ::testing::Test {
protected:
    OwnPair() {
        settings_.storage.directory = folder_.path() / "state";
        settings_.management.certificate = folder_.path() / "state/connector.crt";
        settings_.management.key = folder_.path() / "state/connector.key";
        owner_ = must(prepare_state(settings_));
    }
    PendingKey pending() { return must(pending_key(settings_, "connector-1", owner_)); }
    CertificateFacts put_in_place(const PendingKey& pending, const management::Enrolment& answer) const {
        auto candidate = must(keep_candidate(settings_, answer, pending, owner_));
        EXPECT_TRUE(keep_present(settings_, owner_));
        EXPECT_TRUE(install(settings_));
        return candidate.certificate;
    }
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

TEST_F(OwnPair, a_key_that_was_not_enrolled_is_used_again_with_the_same_octets) {
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

TEST_F(OwnPair, a_lost_request_is_made_anew_for_the_same_key) {
    const auto first = pending();
    std::filesystem::remove(folder_.path() / "state/connector.key.pending.csr");
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

TEST_F(OwnPair, the_pair_is_put_in_place_and_the_one_before_kept) {
    EXPECT_FALSE(present_certificate(settings_));
    const auto first = pending();
    const auto certificate = put_in_place(first, answer(first));
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
    put_in_place(second, answer(second));
    EXPECT_EQ(folder_.read("state/connector.key.old"), before);
    EXPECT_NE(folder_.read("state/connector.key"), before);
    EXPECT_TRUE(present_certificate(settings_));
}

TEST_F(OwnPair, a_certificate_that_is_not_ours_changes_nothing) {
    const auto mine = pending();
    const auto other = crypto::test::ec_key();
    EXPECT_EQ(code_of(keep_candidate(settings_, answer(other.spki_der(), "c-1"), mine, owner_)), "answerInvalid");
    EXPECT_EQ(code_of(keep_candidate(settings_, answer(mine, "c-2"), mine, owner_)), "answerInvalid");
    auto broken = answer(mine);
    broken.chain = {"no certificate"};
    EXPECT_EQ(code_of(keep_candidate(settings_, broken, mine, owner_)), "answerInvalid");
    EXPECT_FALSE(there("state/connector.crt"));
    EXPECT_FALSE(there("state/connector.key"));
    EXPECT_TRUE(pending().reused);
}

TEST_F(OwnPair, a_certificate_without_its_key_is_no_enrolment) {
    const auto first = pending();
    put_in_place(first, answer(first));
    folder_.write("state/connector.key", must(crypto::test::ec_key().to_pem()).reveal_text());
    EXPECT_FALSE(present_certificate(settings_));
}

TEST_F(OwnPair, the_day_of_renewal_stands_in_the_certificates_file) {
    const auto first = pending();
    auto given = answer(first);
    put_in_place(first, given);
    EXPECT_FALSE(present_certificate(settings_)->renew_after);
    const auto second = pending();
    given = answer(second);
    given.renew_after = must(from_rfc3339("2027-03-01T00:00:00Z"));
    put_in_place(second, given);
    EXPECT_EQ(present_certificate(settings_)->renew_after, given.renew_after);
    EXPECT_EQ(must(keys::load_certificates(settings_.management.certificate)).size(), 2U);
}

TEST_F(OwnPair, a_candidate_is_found_again_and_changes_nothing_until_it_is_installed) {
    const auto first = pending();
    put_in_place(first, answer(first));
    EXPECT_FALSE(candidate(settings_));
    const auto second = pending();
    ASSERT_TRUE(keep_candidate(settings_, answer(second), second, owner_));
    const auto found = candidate(settings_);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->certificate.key.spki_sha256, second.key.spki_sha256());
    EXPECT_EQ(present_certificate(settings_)->certificate.key.spki_sha256, first.key.spki_sha256());
    drop_candidate(settings_);
    EXPECT_FALSE(candidate(settings_));
    EXPECT_FALSE(pending().reused) << "the next try begins with a new key";
}

TEST_F(OwnPair, a_refused_request_does_not_take_along_what_somebody_else_was_given) {
    const auto both = pending();
    ASSERT_TRUE(keep_candidate(settings_, answer(both), both, owner_));
    drop_request(settings_);
    EXPECT_TRUE(candidate(settings_)) << "certified meanwhile";
    drop_candidate(settings_);
    (void)pending();
    drop_request(settings_);
    EXPECT_FALSE(there("state/connector.key.pending"));
    EXPECT_FALSE(there("state/connector.key.pending.csr"));
}

TEST_F(OwnPair, giving_up_removes_everything_and_says_what) {
    put_in_place(pending(), answer(pending()));
    put_in_place(pending(), answer(pending()));
    const auto next = pending();
    ASSERT_TRUE(keep_candidate(settings_, answer(next), next, owner_));
    const auto removed = remove_all(settings_);
    ASSERT_TRUE(removed);
    EXPECT_EQ(removed->size(), 7U);
    for (const auto& left : std::filesystem::directory_iterator(settings_.storage.directory))
        ADD_FAILURE() << left.path() << " is left";
    EXPECT_TRUE(must(remove_all(settings_)).empty());
}

TEST_F(OwnPair, what_ended_between_key_and_certificate_is_ended_later) {
    const auto first = pending();
    put_in_place(first, answer(first));
    const std::string certificate = folder_.read("state/connector.crt");
    const auto second = pending();
    ASSERT_TRUE(keep_candidate(settings_, answer(second), second, owner_));
    std::filesystem::rename(folder_.path() / "state/connector.key.pending", folder_.path() / "state/connector.key");
    EXPECT_FALSE(present_certificate(settings_));
    finish_install(settings_);
    ASSERT_TRUE(present_certificate(settings_));
    EXPECT_EQ(present_certificate(settings_)->certificate.key.spki_sha256, second.key.spki_sha256());
    EXPECT_FALSE(there("state/connector.key.pending"));
}

TEST_F(OwnPair, a_certified_key_that_cannot_be_read_is_not_written_over) {
    const auto made = pending();
    ASSERT_TRUE(keep_candidate(settings_, answer(made), made, owner_));
    folder_.write("state/connector.key.pending", "unreadable");
    EXPECT_FALSE(pending_key(settings_, "connector-1", owner_));
    EXPECT_EQ(folder_.read("state/connector.key.pending"), "unreadable");
}

TEST_F(OwnPair, a_key_that_was_not_written_to_its_end_is_made_anew) {
    folder_.write("state/connector.key.pending", "");
    const auto made = pending();
    EXPECT_FALSE(made.reused);
    put_in_place(made, answer(made));
    EXPECT_TRUE(present_certificate(settings_));
}

}  // namespace
}  // namespace connector::enrolment
