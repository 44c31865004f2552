#include "tests/sim/authority.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace connector::sim {

using namespace std::chrono_literals;

SimAuthority::SimAuthority(Labels& labels, Random random, Options options, UtcTime now)
    : labels_(labels), random_(random), options_(std::move(options)) {
    ca_facts_ = plain_facts("Authority " + options_.name, digest_of("spki", bytes_of(options_.name)), 1);
    ca_facts_.issuer = ca_facts_.subject;
    ca_facts_.is_ca = true;
    ca_facts_.not_before = now - std::chrono::days{3650};
    ca_facts_.not_after = now + std::chrono::days{20000};
    ca_ = labels_.add_certificate(ca_facts_, {});
    if (options_.bare) labels_.comes_apart.insert(ca_);
}

Result<ports::AuthorityAnswer> SimAuthority::take(const ports::Submission& submission, std::size_t connector,
                                                  const RequestId& request, Tick now, UtcTime utc, bool troubled) {
    const auto known = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
        return entry.csr == submission.csr && entry.nonce == submission.nonce &&
               (options_.idempotent || (options_.repeats && !entry.handed && entry.state != State::refused));
    });
    if (known != entries.end()) return answer(static_cast<std::size_t>(known - entries.begin()), now, utc);
    Entry entry;
    entry.csr = submission.csr;
    entry.nonce = submission.nonce;
    entry.connector = connector;
    entry.request = request;
    entry.validity_days = submission.validity_days;
    entry.ready = now + options_.pending;
    entry.pended = options_.pending.count() != 0;
    if (troubled && random_.chance(static_cast<unsigned>(options_.verdicts))) {
        const auto dice = random_.below(10);
        if (dice < 5) {
            // From a minute to days; the longer, the longer the leases are, or nobody would see the end of it.
            const auto longest = random_.chance(200) ? 200000 : 4 * options_.lease.count();
            entry.ready = now + std::chrono::seconds{random_.between(30, longest)};
            entry.pended = true;
        }
        if (dice >= 4 && dice < 7) entry.verdict = State::refused;
        if (dice >= 7) entry.wrong = true;
    }
    entries.push_back(std::move(entry));
    return answer(entries.size() - 1, now, utc);
}

Result<ports::AuthorityAnswer> SimAuthority::answer(std::size_t index, Tick now, UtcTime utc) {
    auto& entry = entries[index];
    if (entry.state == State::pending && now >= entry.ready) {
        entry.state = entry.verdict;
        if (entry.state == State::issued) issue(entry, utc);
    }
    switch (entry.state) {
        case State::pending: {
            const auto left = std::chrono::ceil<std::chrono::seconds>(entry.ready - now);
            ports::PendingAnswer pending{std::to_string(index), std::clamp<std::chrono::seconds>(left / 3, 1s, 6h)};
            return ports::AuthorityAnswer(std::move(pending));
        }
        case State::refused: return Error(ErrorKind::refused, "authorityRejected", "the authority says no");
        case State::issued: break;
    }
    entry.handed = true;
    ports::IssuedAnswer issued{entry.certificate, {}};
    if (!options_.bare) issued.chain = {ca_};
    return ports::AuthorityAnswer(std::move(issued));
}

void SimAuthority::issue(Entry& entry, UtcTime utc) {
    const auto found = labels_.csrs.find(entry.csr);
    if (found == labels_.csrs.end()) {
        entry.state = State::refused;
        return;
    }
    const auto& csr = found->second;
    auto facts = plain_facts("", csr.spki, (ca_facts_.key.spki_sha256.octets[0] + 1ULL) << 32U | ++last_serial_);
    switch (csr.type) {
        case KeyType::rsa2048: break;
        case KeyType::rsa3072: facts.key.bits = 3072; break;
        case KeyType::rsa4096: facts.key.bits = 4096; break;
        case KeyType::ec_p256:
        case KeyType::ec_p384:
            facts.key.algorithm = KeyAlgorithm::ec;
            facts.key.curve = csr.type == KeyType::ec_p256 ? "P-256" : "P-384";
            facts.key.bits = csr.type == KeyType::ec_p256 ? 256 : 384;
            break;
    }
    facts.subject = csr.content.subject;
    facts.issuer = ca_facts_.subject;
    facts.not_before = utc - 5min;
    facts.not_after = utc + std::chrono::days{entry.validity_days == 0 ? 365 : entry.validity_days};
    facts.alternative_names = csr.content.alternative_names;
    facts.alternative_names_critical = csr.content.alternative_names_critical;
    facts.key_usage = csr.content.key_usage;
    facts.extended_key_usage = csr.content.extended_key_usage;
    facts.authority_key_identifier = ca_facts_.subject_key_identifier;
    facts.extensions = {"2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.35", "2.5.29.37"};
    if (entry.wrong) {
        switch (random_.below(3)) {
            case 0: facts.key.spki_sha256 = digest_of("spki", bytes_of("another")); break;
            case 1: facts.alternative_names.push_back({NameForm::email, "ceo@example.com"}); break;
            default: facts.not_after = utc + std::chrono::days{4000}; break;
        }
    }
    entry.serial_number = facts.serial_number;
    entry.issuer = to_text(facts.issuer);
    entry.certificate = labels_.add_certificate(std::move(facts), ca_);
}

SimAuthority::Entry* SimAuthority::named(const std::string& id) {
    std::size_t index = entries.size();
    std::from_chars(id.data(), id.data() + id.size(), index);
    return index < entries.size() ? &entries[index] : nullptr;
}

Result<ports::AuthorityAnswer> SimAuthority::poll(const std::string& id, Tick now, UtcTime utc, bool troubled) {
    const auto* entry = named(id);
    if (entry == nullptr) return Error(ErrorKind::refused, "authorityRejected", "no such request");
    if (options_.repeats) {
        ports::Submission again;
        again.csr = entry->csr;
        again.nonce = entry->nonce;
        return take(again, entry->connector, RequestId(entry->request), now, utc, troubled);
    }
    return answer(static_cast<std::size_t>(entry - entries.data()), now, utc);
}

Result<std::optional<ports::AuthorityAnswer>> SimAuthority::find(const ports::Submission& submission, Tick now,
                                                                 UtcTime utc) {
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (entries[i].nonce != submission.nonce || entries[i].csr != submission.csr) continue;
        auto there = answer(i, now, utc);
        if (!there) return there.error();
        return std::optional(std::move(*there));
    }
    return std::optional<ports::AuthorityAnswer>();
}

SimAuthority::Entry* SimAuthority::revoke(const ports::Revocation& revocation) {
    for (auto& entry : entries) {
        if (entry.serial_number != revocation.serial_number || entry.issuer != revocation.issuer) continue;
        entry.revoked = true;
        return &entry;
    }
    return nullptr;
}

}  // namespace connector::sim
