// A certificate that stands in nobody's record yet: kept from being lost, or looked for.
#include "core/engine/worker.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <utility>

namespace connector::engine {

namespace asio = boost::asio;

// The record as it has to be for the certificate not to be lost; nullopt: it has one, or is no longer this order's.
std::optional<request::RequestRecord> Worker::with_issued(request::RequestRecord there,
                                                          const request::RequestRecord& stored) const {
    using request::Stage;
    const bool closed = there.stage == Stage::closed;  // its row keeps nothing that could be compared
    const bool delivered = closed && !there.failure && (there.outcome == "accepted" || there.outcome == "duplicate");
    if (delivered || !there.certificate.empty() || (!closed && there.csr != stored.csr) ||
        there.accepted_at != stored.accepted_at)
        return std::nullopt;
    switch (there.stage) {
        case Stage::accepted:
        case Stage::keyed:
        case Stage::submitting:
        case Stage::at_authority: {
            // Nobody has dropped it: the disk failed, or a person asked for it to be done at once.
            request::IssuedHere here{record_.certificate, record_.chain};
            return request::after(std::move(there), request::Outcome(std::move(here)), context_.rules.retry,
                                  context_.now(), 0.0);
        }
        case Stage::closed:
            there.request = stored.request;
            there.order_hash = stored.order_hash;
            there.csr = stored.csr;
            there.submission_nonce = stored.submission_nonce;
            there.spki_sha256 = stored.spki_sha256;
            there.stage = Stage::revoking;
            there.due_at = context_.now();
            break;
        case Stage::issued:
        case Stage::packaged:
        case Stage::refused:
        case Stage::held:
        case Stage::abandoned:
        case Stage::revoking: break;
    }
    there.certificate = record_.certificate;
    there.chain = record_.chain;
    there.revoke_certificate = there.stage != Stage::held;
    return there;
}

// Nothing but this worker's memory has the certificate: the record was taken over while the authority was issuing, or
// the disk failed. As long as the process lives it is written down as soon as that can be done.
asio::awaitable<void> Worker::keep_issued(request::RequestRecord stored) {
    using namespace std::chrono_literals;
    auto& clock = context_.ports.clock;
    for (auto pause = 1s;; pause = std::min<std::chrono::seconds>(pause * 2, 30s)) {
        auto reading = context_.ports.ledger.get(stored.request.id);
        auto there = co_await std::move(reading);
        std::optional<Error> fault;
        if (there) {
            auto kept = *there ? with_issued(**there, stored) : std::nullopt;
            if (!kept) co_return;
            const bool dropped = kept->stage != request::Stage::issued && kept->stage != request::Stage::held;
            ports::Commit commit;
            commit.record = std::move(*kept);
            auto saving = context_.ports.ledger.save(std::move(commit), context_.now());
            const auto saved = co_await std::move(saving);
            if (saved) {
                context_.ledger_works();
                if (dropped) context_.ports.events.raise(about(event::k_orphan_found, stored));
                co_return;
            }
            if (saved.error().kind == ErrorKind::conflict) continue;  // changed between the look and the commit
            fault = saved.error();
        } else {
            fault = there.error();
        }
        context_.ledger_failed(*fault, "saving a certificate");
        if (fault->kind != ErrorKind::unavailable || context_.status.ledger_barred) co_return;
        co_await clock.wait_until(clock.tick() + pause);
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
    }
}

// For an orphan: what became of the order, by whatever way there is to ask without ordering anew.
ports::Async<std::optional<ports::AuthorityAnswer>> Worker::look_for_order(ports::Authority& issuer,
                                                                           ports::Submission submission) {
    if (issuer.traits().finds) {
        auto finding = issuer.find(std::move(submission));
        co_return co_await std::move(finding);
    }
    auto polling = issuer.poll(record_.authority_request_id);
    auto answer = co_await std::move(polling);
    if (!answer) co_return answer.error();
    co_return std::optional<ports::AuthorityAnswer>(std::move(*answer));
}

}  // namespace connector::engine
