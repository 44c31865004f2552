// pfx.withdraw: everything open for that user and device ends; nothing delivered and nothing imported is revoked.
#include "core/engine/worker.hpp"

#include "core/request/orphan.hpp"

#include <utility>

namespace connector::engine {

Worker::Going Worker::withdraw() {
    const auto& own = record_.request;
    // A record may be taken over by its worker between the look and the commit: then it is looked at again.
    constexpr int k_most_rounds = 16;
    for (int round = 0; round < k_most_rounds; ++round) {
        auto looking = context_.ports.ledger.open_of(own.user.id, own.device.id, own.created_at);
        auto open = co_await std::move(looking);
        if (!open) {
            context_.ledger_failed(open.error(), "looking for what a withdraw ends");
            auto failing = fail(open.error());
            co_return co_await std::move(failing);
        }
        bool again = false;
        for (auto& record : *open) {
            if (record.request.id == own.id || record.request.kind() == request::Kind::pfx_withdraw) continue;
            if (record.stage == request::Stage::refused || request::is_past_its_order(record)) continue;
            request::Dropped dropped{request::Failure{"withdrawn", "withdrawn by request " + own.id.text(), false, {}}};
            request::Outcome outcome(std::move(dropped));
            ports::Commit commit;
            commit.record = request::after(record, outcome, context_.rules.retry, context_.now(), 0.0);
            auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
            const auto saved = co_await std::move(saving);
            if (saved) {
                context_.ports.events.raise(about(event::k_withdrawn, record).with("by", own.id.text()));
            } else if (saved.error().kind == ErrorKind::conflict) {
                again = true;
            } else {
                context_.ledger_failed(saved.error(), "withdrawing a request");
                auto failing = fail(saved.error());
                co_return co_await std::move(failing);
            }
        }
        if (!again) break;
    }
    cache_.forget(own.user.id);
    auto saving = save(request::Outcome(request::Completed{}));
    co_return co_await std::move(saving);
}

}  // namespace connector::engine
