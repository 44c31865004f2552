#include "daemon/authority/local_list.hpp"

#include "daemon/authority/local_ca.hpp"
#include "daemon/keys/files.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

namespace connector::authority {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t k_largest_list = 16UL * 1024UL * 1024UL;  // inspect_crl()'s

// nullopt where it is not there, not a file, or larger than any list of ours.
std::optional<Bytes> content_of(const fs::path& file) {
    std::error_code failure;
    if (!fs::is_regular_file(file, failure) || fs::file_size(file, failure) > k_largest_list || failure)
        return std::nullopt;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) return std::nullopt;
    Bytes octets{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
    return stream.bad() ? std::nullopt : std::optional<Bytes>(std::move(octets));
}

// nullopt for one that is none of ours: they begin at 1 and are given one by one.
std::optional<std::uint64_t> number_of(const std::optional<std::string>& hex) {
    constexpr std::size_t k_most_digits = 14;
    if (!hex || hex->size() > k_most_digits) return std::nullopt;
    std::string even = hex->size() % 2 == 0 ? *hex : "0" + *hex;
    const auto octets = from_hex(even);
    if (!octets) return std::nullopt;
    std::uint64_t number = 0;
    for (const std::uint8_t octet : *octets) number = number << 8U | octet;
    return number;
}

bool stands_in(const std::vector<crypto::CrlEntry>& all, const std::vector<crypto::CrlEntry>& in) {
    std::vector<Bytes> listed;
    for (const auto& entry : in) listed.push_back(entry.serial);
    std::sort(listed.begin(), listed.end());
    return std::all_of(all.begin(), all.end(), [&listed](const crypto::CrlEntry& entry) {
        return std::binary_search(listed.begin(), listed.end(), entry.serial);
    });
}

std::string why_due(const crypto::CrlFacts& facts, const ListFound& found, LocalStore* store, UtcTime now) {
    if (!facts.next_update || !found.number || facts.partial) return "it is not one of ours";
    // Of a clock that was wrong: nobody believes it yet.
    if (facts.this_update > now) return "it begins in the future";
    if (now - facts.this_update >= (*facts.next_update - facts.this_update) / 2) return "half of its time is over";
    if (store == nullptr) return "";
    const auto last = store->last_list_number();
    if (last && *last != *found.number) return "it is not the last one that was made";
    const auto revoked = store->revoked(now);
    if (revoked && !stands_in(*revoked, facts.entries)) return "a revocation is missing in it";
    return "";
}

}  // namespace

ListFound look_at_list(const fs::path& directory, const LocalSigner& signer, LocalStore* store, UtcTime now) {
    ListFound found;
    auto der = content_of(directory / local_files::k_revocation_list);
    if (!der) {
        found.due = "there is none that can be read";
        return found;
    }
    const auto facts = crypto::inspect_crl(*der, signer.issuing().der);
    if (!facts) {
        found.due = facts.error().message;
        return found;
    }
    found.der = std::move(*der);
    found.number = number_of(facts->number);
    found.next_update = facts->next_update;
    found.entries = facts->entries.size();
    found.due = why_due(*facts, found, store, now);
    return found;
}

bool is_published(const ListFound& found, const ListRules& rules) {
    return rules.published.empty() || content_of(rules.published) == found.der;
}

Result<void> publish_list(ByteView der, const ListRules& rules) {
    if (rules.published.empty()) return {};
    return keys::replace_file(rules.published, der, 0644);
}

Result<CrlMade> write_list(const fs::path& directory, const LocalSigner& signer, LocalStore& store,
                           const ListRules& rules, UtcTime now) {
    CrlMade made;
    const auto write = [&](const std::vector<crypto::CrlEntry>& entries, std::uint64_t last) -> Result<std::uint64_t> {
        // Of a process that ended between the file and the commit, or of a database from an older backup.
        const std::uint64_t lying = look_at_list(directory, signer, nullptr, now).number.value_or(0);
        made.number = std::max(last, lying) + 1;
        made.entries = entries.size();
        made.next_update = now + rules.life;
        auto der = signer.crl(entries, made.number, now - k_backdating, made.next_update);
        if (!der) return der.error();
        made.der = std::move(*der);
        auto put =
            keys::replace_file(directory / local_files::k_revocation_list, made.der, 0644, keys::owner_of(directory));
        if (!put) return put.error();
        return made.number;
    };
    if (auto done = store.make_list(now, write); !done) return done.error();
    if (auto done = publish_list(made.der, rules); !done) made.unpublished = done.error();
    return made;
}

}  // namespace connector::authority
