// Which list counts, and what a store that shows less than it is held against.
#include "core/trust/signed_list.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

namespace connector::trust {
namespace {

using request::Purpose;

Sha256 certificate(std::uint8_t number) {
    Sha256 digest;
    digest.octets[0] = number;
    return digest;
}

ImporterStatement statement(std::uint8_t of, std::vector<Sha256> history, std::uint64_t sequence,
                            const std::string& owner = "Alice@corp.example") {
    ImporterStatement statement;
    statement.user_principal_name = owner;
    statement.purpose = Purpose::smime_encryption;
    statement.certificate = certificate(of);
    statement.history = std::move(history);
    statement.sequence = sequence;
    return statement;
}

Person list_owner() {
    return samples::prove(samples::issue_request(), IdentitySource::service);
}

ListFinding found(const std::vector<ImporterStatement>& statements, const std::vector<SignedList>& seen) {
    const auto findings = compare_lists(shown_lists(statements, list_owner()), seen);
    EXPECT_EQ(findings.size(), 1U);
    return findings.empty() ? ListFinding{} : findings.front();
}

TEST(SignedList, the_highest_sequence_counts_and_two_under_one_number_count_together) {
    const auto older = list_of(statement(1, {certificate(1)}, 1));
    const auto newest = list_of(statement(2, {certificate(2), certificate(1), certificate(2)}, 2));
    EXPECT_EQ(newest.user_principal_name, "alice@corp.example");
    EXPECT_EQ(newest.certificates, (std::vector<Sha256>{certificate(1), certificate(2)}));
    EXPECT_EQ(newer(older, newest), newest);
    EXPECT_EQ(newer(newest, older), newest);
    const auto beside = list_of(statement(3, {certificate(3)}, 2));
    EXPECT_EQ(newer(newest, beside).certificates,
              (std::vector<Sha256>{certificate(1), certificate(2), certificate(3)}));
    EXPECT_EQ(newer(newest, beside), newer(beside, newest));
}

TEST(SignedList, a_whole_history_is_kept_and_nothing_is_said) {
    const auto finding =
        found({statement(1, {certificate(1)}, 1), statement(2, {certificate(1), certificate(2)}, 2)}, {});
    ASSERT_TRUE(finding.keep);
    EXPECT_EQ(finding.keep->sequence, 2U);
    EXPECT_TRUE(finding.left_out.empty());
    EXPECT_FALSE(finding.older);
    EXPECT_FALSE(finding.withheld);
    EXPECT_FALSE(
        found({statement(2, {certificate(1), certificate(2)}, 2), statement(1, {certificate(1)}, 1)}, {*finding.keep})
            .keep)
        << "it is known";
}

TEST(SignedList, what_the_list_names_and_no_record_is_signed_for_is_left_out) {
    const auto finding = found({statement(2, {certificate(1), certificate(2), certificate(3)}, 2)}, {});
    EXPECT_EQ(finding.left_out, (std::vector<Sha256>{certificate(1), certificate(3)}));
    EXPECT_EQ(finding.newest, 2U);
}

TEST(SignedList, an_older_list_is_no_newest_and_the_newer_one_is_still_missed) {
    const auto seen = list_of(statement(2, {certificate(1), certificate(2)}, 2));
    const auto finding = found({statement(1, {certificate(1)}, 1)}, {seen});
    EXPECT_EQ(finding.older, 1U);
    EXPECT_EQ(finding.newest, 2U);
    EXPECT_FALSE(finding.keep);
    EXPECT_EQ(finding.left_out, std::vector<Sha256>{certificate(2)});
}

TEST(SignedList, one_that_was_seen_and_is_shown_no_more_is_withheld) {
    const auto seen = list_of(statement(2, {certificate(1), certificate(2)}, 2));
    const auto finding = found({}, {seen});
    EXPECT_TRUE(finding.withheld);
    EXPECT_EQ(finding.left_out, seen.certificates);
}

TEST(SignedList, another_person_s_statement_is_no_word_about_this_one) {
    const auto finding =
        found({statement(1, {certificate(1)}, 1), statement(9, {certificate(9)}, 9, "bob@corp.example")}, {});
    EXPECT_EQ(finding.newest, 1U);
    EXPECT_TRUE(finding.left_out.empty());
    EXPECT_TRUE(
        compare_lists(shown_lists({statement(9, {certificate(9)}, 9, "bob@corp.example")}, list_owner()), {}).empty());
}

TEST(SignedList, nothing_shown_and_nothing_seen_says_nothing) {
    EXPECT_TRUE(compare_lists(shown_lists({}, list_owner()), {}).empty());
}

}  // namespace
}  // namespace connector::trust
