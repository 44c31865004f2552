#include "core/trust/signed_list.hpp"

#include "core/text.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace connector::trust {
namespace {

void sort_unique(std::vector<Sha256>& list) {
    std::sort(list.begin(), list.end());
    list.erase(std::unique(list.begin(), list.end()), list.end());
}

const SignedList* find(const std::vector<SignedList>& lists, const std::string& owner) {
    const auto found =
        std::ranges::find_if(lists, [&owner](const auto& list) { return list.user_principal_name == owner; });
    return found == lists.end() ? nullptr : &*found;
}

std::vector<Sha256> missing(const SignedList& list, const std::vector<Sha256>& shown) {
    std::vector<Sha256> rest;
    std::ranges::set_difference(list.certificates, shown, std::back_inserter(rest));
    return rest;
}

}  // namespace

SignedList list_of(const ImporterStatement& statement) {
    SignedList list{ascii_lower(statement.user_principal_name), statement.purpose, statement.sequence,
                    statement.signed_at, statement.history};
    sort_unique(list.certificates);
    return list;
}

SignedList newer(const SignedList& left, const SignedList& right) {
    if (left.sequence != right.sequence) return left.sequence > right.sequence ? left : right;
    SignedList both = left;
    both.signed_at = std::max(left.signed_at, right.signed_at);
    both.certificates.insert(both.certificates.end(), right.certificates.begin(), right.certificates.end());
    sort_unique(both.certificates);
    return both;
}

ShownLists shown_lists(const std::vector<ImporterStatement>& statements, const Person& person) {
    const auto names = owner_names(person);
    ShownLists shown;
    for (const auto& statement : statements) {
        auto list = list_of(statement);
        if (std::ranges::find(names, list.user_principal_name) == names.end()) continue;
        shown.certificates.push_back(statement.certificate);
        const auto known = std::ranges::find_if(
            shown.lists, [&list](const auto& other) { return other.user_principal_name == list.user_principal_name; });
        if (known == shown.lists.end())
            shown.lists.push_back(std::move(list));
        else
            *known = newer(*known, list);
    }
    sort_unique(shown.certificates);
    return shown;
}

std::vector<std::string> owner_names(const Person& person) {
    std::vector<std::string> names{ascii_lower(person.user_principal_name())};
    for (const auto& mailbox : person.mailboxes()) {
        auto name = ascii_lower(mailbox);
        if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
    return names;
}

std::vector<ListFinding> compare_lists(const ShownLists& shown, const std::vector<SignedList>& seen) {
    std::vector<ListFinding> findings;
    for (const auto& list : shown.lists) {
        ListFinding finding;
        finding.user_principal_name = list.user_principal_name;
        const auto* const known = find(seen, list.user_principal_name);
        const auto counts = known == nullptr ? list : newer(*known, list);
        if (known == nullptr || counts != *known) finding.keep = counts;
        if (known != nullptr) finding.dropped = missing(*known, counts.certificates);
        if (known != nullptr && list.sequence < known->sequence) finding.older = list.sequence;
        finding.newest = counts.sequence;
        finding.left_out = missing(counts, shown.certificates);
        findings.push_back(std::move(finding));
    }
    for (const auto& list : seen) {
        if (find(shown.lists, list.user_principal_name) != nullptr || list.certificates.empty()) continue;
        ListFinding finding;
        finding.user_principal_name = list.user_principal_name;
        finding.newest = list.sequence;
        finding.withheld = true;
        finding.left_out = missing(list, shown.certificates);
        findings.push_back(std::move(finding));
    }
    return findings;
}

}  // namespace connector::trust
