// The list of all certificates of one owner and purpose, as an importer signed it with each record: what a history is
// complete by. The one with the highest sequence counts; the service may show less, but no longer unnoticed.
// Follows the management API, "Imported certificates" (importerSignature). Pure; any thread.
#pragma once

#include "core/trust/importer.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace connector::trust {

struct SignedList {
    std::string user_principal_name;  // lower case
    request::Purpose purpose = request::Purpose::unassigned;
    std::uint64_t sequence = 0;
    UtcTime signed_at;
    std::vector<Sha256> certificates;  // sorted, unique
    bool operator==(const SignedList&) const = default;
};

// What a statement says of the whole.
[[nodiscard]] SignedList list_of(const ImporterStatement& statement);
// The one that counts of two of the same owner and purpose. Two under one number count together: whoever signed in the
// same instant did not know of the other.
[[nodiscard]] SignedList newer(const SignedList& left, const SignedList& right);

// What a shown history says under its importers' signatures.
struct ShownLists {
    std::vector<SignedList> lists;     // the newest of each owner
    std::vector<Sha256> certificates;  // that a record shown is signed for; sorted
};
// `statements`: with a good signature, of this purpose; those of other people are left aside.
[[nodiscard]] ShownLists shown_lists(const std::vector<ImporterStatement>& statements, const Person& person);
// Under which names this person's lists may have been signed, in lower case.
[[nodiscard]] std::vector<std::string> owner_names(const Person& person);

// One owner's history, held against what was seen of him before.
struct ListFinding {
    std::string user_principal_name;
    std::optional<SignedList> keep;      // newer than what was seen: to be kept
    std::vector<Sha256> dropped;         // named by the list seen before, no longer by the one that counts
    std::vector<Sha256> left_out;        // named by the newest list, and no record shown is signed for it
    std::uint64_t newest = 0;            // the sequence of the list that counts
    std::optional<std::uint64_t> older;  // the newest that is shown, where a newer one was seen
    bool withheld = false;               // a list was seen, none is shown
};
[[nodiscard]] std::vector<ListFinding> compare_lists(const ShownLists& shown, const std::vector<SignedList>& seen);

}  // namespace connector::trust
