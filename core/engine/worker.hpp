// A worker takes one record and does steps with it until it has to wait: for time, an authority, the reporter or a
// person. Every step ends with a commit; what the commit refuses (conflict) somebody else has taken over.
// cc-io; what computes goes to the pool.
#pragma once

#include "core/engine/context.hpp"
#include "core/engine/imported.hpp"
#include "core/engine/proof.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string_view>
#include <vector>

namespace connector::engine {

class Worker {
public:
    Worker(Context& context, HistoryCache& cache, request::RequestRecord record);

    // Ends when the record rests. Stops between steps when `draining` is set.
    [[nodiscard]] boost::asio::awaitable<void> run();
    [[nodiscard]] const request::RequestRecord& record() const noexcept { return record_; }

private:
    // True: go on with the next step now.
    using Going = boost::asio::awaitable<bool>;

    // worker.cpp
    [[nodiscard]] Going save(request::Outcome outcome);
    [[nodiscard]] Going save_with(request::Outcome outcome, ports::Commit extra);
    [[nodiscard]] Going fail(Error error, Bytes certificate = {}, bool may_be_there = false);
    [[nodiscard]] Going hold(trust::Hold hold);
    [[nodiscard]] std::optional<request::Charge> charge_of_refusal(const Error& error);
    [[nodiscard]] boost::asio::awaitable<void> count_unopened();
    // Recipient and person, or the record has been refused or held and the answer is empty.
    [[nodiscard]] boost::asio::awaitable<std::optional<Proved>> proved(std::string_view when);
    // Put off until the directory or a revocation list can be asked again; given up after [recipients] hold_days.
    [[nodiscard]] Going wait_for_proof(Error error);
    // Wraps identities for the proved recipient and seals the finished package for the ledger.
    struct Wrapped {
        Bytes sealed;
        std::uint64_t sequence = 0;
    };
    [[nodiscard]] boost::asio::awaitable<Result<Wrapped>> wrap(const trust::Recipient& recipient, std::string purpose,
                                                               std::vector<ports::PackedIdentity> identities,
                                                               request::Package package);
    // Before the commit: a package that is kept is in the audit log, whenever the process ends.
    void note_wrapped(const trust::Recipient& recipient, const Wrapped& wrapped);
    void note(const Proved& proved);
    // A person or a limit has stopped what this record is at.
    [[nodiscard]] bool stopped() const noexcept;

    // issue.cpp
    [[nodiscard]] Going admit();
    // `again`: it may have been sent before, and the authority cannot say; a second certificate may come of it.
    [[nodiscard]] Going submit(bool again);
    [[nodiscard]] Going find();
    // `never_sent`: where it is put off, the submission was not made.
    [[nodiscard]] Going enter(std::string_view authority, bool never_sent = false);
    [[nodiscard]] Going poll();
    [[nodiscard]] bool left_stopped(const std::string& name);
    [[nodiscard]] Going leave_unsent(const std::string& name, std::chrono::seconds delay, bool never_sent);
    // What a call that enter() let in means for the authority's breaker. `error`: none where it was answered.
    void came_back(const std::string& name, const std::optional<Error>& error);
    void note_unknown(const Result<ports::AuthorityAnswer>& answer);
    [[nodiscard]] Going answered(Result<ports::AuthorityAnswer> answer, bool may_be_there = false);
    [[nodiscard]] Going pack();
    // Where the chain cannot be built of what came with the certificate: asks for what is missing. True: pack again.
    [[nodiscard]] Going complete_chain(ports::Authority& issuer);
    [[nodiscard]] Going revoke();
    // Whether the certificate at hand is one that the service said it has when it heard our last word.
    [[nodiscard]] bool held_by_service() const;
    [[nodiscard]] Going spare();
    [[nodiscard]] Going await_authority();
    void register_orphan(ports::Commit& commit, Event& told) const;
    [[nodiscard]] ports::Async<std::optional<ports::AuthorityAnswer>> look_for_order(ports::Authority& issuer,
                                                                                     ports::Submission submission);
    // `stored`: the record as it was last saved, without the certificate.
    [[nodiscard]] boost::asio::awaitable<void> keep_issued(request::RequestRecord stored);
    [[nodiscard]] std::optional<request::RequestRecord> with_issued(request::RequestRecord there,
                                                                    const request::RequestRecord& stored) const;
    [[nodiscard]] ports::Authority* authority() const;

    // deliver.cpp
    [[nodiscard]] Going deliver();
    void note_omitted(const request::Omitted& omitted);
    // signed_list.cpp. Holds what the store shows against the importers' lists: true where one was ever seen, nullopt
    // where it cannot be told. `fresh`: read anew just now, so what is found is told.
    [[nodiscard]] boost::asio::awaitable<std::optional<bool>> judge_lists(const ports::ImportedHistory& history,
                                                                          request::Purpose purpose,
                                                                          const trust::Person& person, bool fresh);
    // What devices had from the store of this purpose and is no longer in it.
    [[nodiscard]] boost::asio::awaitable<void> note_vanished(const ports::ImportedHistory& history,
                                                             request::Purpose purpose, std::string person);

    // withdraw.cpp
    [[nodiscard]] Going withdraw();

    Context& context_;
    HistoryCache& cache_;
    request::RequestRecord record_;
    bool unsaved_ = false;        // a certificate has come that stands in no commit yet
    bool issuers_asked_ = false;  // since the certificate is here
    bool unsent_ = false;         // `submitting` was written by this worker just now, and nothing has been sent since
    Tick stage_entered_;
};

}  // namespace connector::engine
