// Worker: whether the store shows all that an importer has signed for. The rest of a history is delivered without what
// is left out, for that much the service can do anyhow; but no longer unseen, and no older list passes for the newest.
#include "core/engine/worker.hpp"

#include <algorithm>
#include <memory>
#include <utility>

namespace connector::engine {
namespace {

std::string first_of(const std::vector<Sha256>& certificates) {
    constexpr std::size_t k_most_named = 20;
    std::string text;
    for (std::size_t i = 0; i < std::min(certificates.size(), k_most_named); ++i)
        text += (i == 0 ? "" : ",") + certificates[i].hex();
    return text;
}

}  // namespace

boost::asio::awaitable<std::optional<bool>> Worker::judge_lists(const ports::ImportedHistory& history,
                                                                request::Purpose purpose, const trust::Person& person,
                                                                bool fresh) {
    if (context_.rules.importer.signatures == trust::SignatureRule::off) co_return false;
    auto records = std::make_shared<const std::vector<trust::ImportedRecord>>(history.records);
    auto job = [records, purpose, rules = context_.rules.importer, &crypto = context_.ports.crypto] {
        return read_statements(*records, purpose, rules, crypto);
    };
    auto reading = context_.ports.offload.run(std::move(job));
    const auto statements = co_await std::move(reading);
    auto asking = context_.ports.ledger.signed_lists(trust::owner_names(person), purpose);
    const auto seen = co_await std::move(asking);
    if (!seen) {
        context_.ledger_failed(seen.error(), "looking for the importers' lists");
        co_return std::nullopt;
    }
    const auto shown = trust::shown_lists(statements, person);
    const auto findings = trust::compare_lists(shown, *seen);
    const auto event_of = [&](std::string_view id, const trust::ListFinding& finding) {
        return about(id, record_)
            .with("owner", finding.user_principal_name)
            .with("purpose", to_string(purpose))
            .with("newest", std::to_string(finding.newest));
    };
    std::vector<trust::SignedList> keep;
    for (const auto& finding : findings) {
        if (finding.keep) keep.push_back(*finding.keep);
        // Before the shorter list is what was seen: rather told twice than not at all.
        if (!finding.dropped.empty())
            context_.ports.events.raise(event_of(event::k_import_list_shorter, finding)
                                            .with("count", std::to_string(finding.dropped.size()))
                                            .with("certificates", first_of(finding.dropped)));
    }
    if (!keep.empty()) {
        auto keeping = context_.ports.ledger.keep_lists(std::move(keep), context_.now());
        const auto kept = co_await std::move(keeping);
        if (!kept) {
            context_.ledger_failed(kept.error(), "keeping an importer's list");
            co_return std::nullopt;
        }
    }
    for (const auto& finding : findings) {
        if (!fresh) break;
        if (finding.withheld) context_.ports.events.raise(event_of(event::k_import_list_withheld, finding));
        if (finding.older)
            context_.ports.events.raise(
                event_of(event::k_import_list_older, finding).with("shown", std::to_string(*finding.older)));
        if (!finding.left_out.empty())
            context_.ports.events.raise(event_of(event::k_import_left_out, finding)
                                            .with("count", std::to_string(finding.left_out.size()))
                                            .with("certificates", first_of(finding.left_out)));
    }
    co_return !findings.empty();
}

}  // namespace connector::engine
