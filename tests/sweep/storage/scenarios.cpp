#include "core/request/machine.hpp"
#include "sweep/storage/life.hpp"

namespace connector::sweep {
namespace {

using namespace std::chrono_literals;
using ports::Commit;
using request::RequestRecord;
using request::Stage;
using storage::SqliteLedger;
using storage::test::hash_of;
using storage::test::issued_of;
using storage::test::k_now;
using storage::test::leased;
using storage::test::pin_of;

const auto k_group = {"b", "c", "d"};

Error odd(const std::string& what) {
    return {ErrorKind::internal, "odd", what};
}

template <class T>
Result<void> written(Life& life, const Result<T>& answer) {
    if (!answer) return answer.error();
    life.written();
    return {};
}

Step opening() {
    return {"open", [](Life& life) { return life.open(); }};
}
Step closing() {
    return {"close", [](Life& life) -> Result<void> {
                life.close();
                return {};
            }};
}

// One call that writes.
template <class Call>
Step step(std::string name, Call call) {
    return {std::move(name), [call](Life& life) { return written(life, call(life.ledger())); }};
}

Result<RequestRecord> record_of(SqliteLedger& ledger, const std::string& id) {
    auto found = ledger.get(*RequestId::parse(id));
    if (!found) return found.error();
    if (!*found) return odd(id + " is not there");
    return std::move(**found);
}

// One that is long, and therefore not one commit.
Step in_pieces(Step step) {
    step.in_pieces = true;
    return step;
}

// A save of one record as it is read, changed by `change`.
template <class Change>
Step save(std::string name, std::string id, Change change) {
    return step(std::move(name), [id, change](SqliteLedger& ledger) -> Result<std::uint64_t> {
        auto record = record_of(ledger, id);
        if (!record) return record.error();
        Commit commit;
        commit.record = std::move(*record);
        change(commit);
        return ledger.save(commit, k_now);
    });
}

// One commit for several; answered well are remembered, so that a second try asks for the others only.
template <class Change>
Step save_group(std::string name, Change change) {
    return {name, [name, change](Life& life) -> Result<void> {
                std::vector<Commit> commits;
                std::vector<std::string> ids;
                for (const std::string id : k_group) {
                    if (life.done.contains(name + id)) continue;
                    auto record = record_of(life.ledger(), id);
                    if (!record) return record.error();
                    Commit commit;
                    commit.record = std::move(*record);
                    const auto before = commit.record.stage;
                    change(commit, id);
                    if (before == commit.record.stage) continue;  // was there although it was not answered
                    commits.push_back(std::move(commit));
                    ids.push_back(name + id);
                }
                if (commits.empty()) return {};
                const auto answers = life.ledger().save_many(commits, std::vector<UtcTime>(commits.size(), k_now));
                Result<void> all;
                for (std::size_t i = 0; i < answers.size(); ++i) {
                    if (answers[i]) {
                        life.done.insert(ids[i]);
                        life.written();
                    } else {
                        all = answers[i].error();
                    }
                }
                return all;
            }};
}

ports::TakeOrder up_to(std::size_t limit) {
    ports::TakeOrder order;
    order.limit = limit;
    return order;
}

request::Charge charge(const std::string& subject) {
    return {"issue_per_hour", "", subject, 1h, 100, false};
}
request::Charge charge_of_user(const std::string& subject) {
    return {"issue_per_user_per_day", "user-1", subject, 24h, 100, false};
}

// Refused, and what was asked for is kept all the same: it is more than twice the limit, and stops the kind.
Result<void> beyond_twice(SqliteLedger& ledger, const std::string& id) {
    auto record = record_of(ledger, id);
    if (!record) return record.error();
    Commit commit;
    commit.record = std::move(*record);
    commit.charges = {{"issue_per_hour", "", "one more", 1h, 1, false}};
    const auto answer = ledger.save(commit, k_now);
    if (answer) return odd("there was room");
    const auto& code = answer.error().code;
    if (code != "limitReached" && code != "kindStopped") return answer.error();
    return ledger.stops()->size() > 1 ? Result<void>() : odd("it did not trip");
}

Scenario intake() {
    return {
        "intake",
        false,
        0,
        {opening(),
         step("accept",
              [](SqliteLedger& ledger) {
                  return ledger.accept({leased("a"), leased("b"), leased("c", "user-2"), leased("d", "user-2")}, k_now);
              }),
         step("accept again",
              [](SqliteLedger& ledger) {
                  auto again = leased("a");
                  again.lease = {*LeaseId::parse("lease-2-a"), k_now + 20min, 2};
                  return ledger.accept({again, leased("e")}, k_now + 1s);
              }),
         step("accept unreadable",
              [](SqliteLedger& ledger) {
                  return ledger.accept_unreadable(*RequestId::parse("u"), *LeaseId::parse("lease-u"),
                                                  {"requestInvalid", "cannot be read", false, {}}, k_now);
              }),
         step("renew lease",
              [](SqliteLedger& ledger) {
                  return ledger.renew_lease(*RequestId::parse("b"), {*LeaseId::parse("lease-b"), k_now + 40min, 1});
              }),
         step("next sequence", [](SqliteLedger& ledger) { return ledger.next_sequence(k_now); }),
         {"audit anchor",
          [](Life& life) {
              life.set_anchor(7);
              return written(life, life.ledger().flush());
          }},
         closing()}};
}

Scenario work() {
    return {"work",
            true,
            0,
            {opening(),
             step("open window",
                  [](SqliteLedger& ledger) {
                      return ledger.open_window({k_now - 1h, k_now + 24h, 5, 0, "admin"});
                  }),
             step("take", [](SqliteLedger& ledger) { return ledger.take(up_to(2), k_now); }),
             step("put back", [](SqliteLedger& ledger) { return ledger.put_back(*RequestId::parse("b")); }),
             save("keyed", "a",
                  [](Commit& commit) {
                      commit.record.stage = Stage::keyed;
                      commit.record.sealed_key = Bytes(1300, 7);
                      commit.record.csr = Bytes(900, 8);
                      commit.record.submission_nonce = Bytes(16, 9);
                      commit.record.spki_sha256 = hash_of("key of a");
                      commit.charges = {charge("a"), charge_of_user("a")};
                      commit.pin = pin_of("device-of-user-1");
                      commit.uses_window = true;
                      commit.generated_key = hash_of("key of a");
                  }),
             save("submitting", "a", [](Commit& commit) { commit.record.stage = Stage::submitting; }),
             save("issued", "a",
                  [](Commit& commit) {
                      commit.record.stage = Stage::issued;
                      commit.record.certificate = Bytes(1500, 3);
                      commit.record.chain = {Bytes(1100, 4), Bytes(1000, 5)};
                      commit.issued = issued_of("0a");
                  }),
             save("packaged", "a",
                  [](Commit& commit) {
                      commit.record.stage = Stage::packaged;
                      commit.record.sealed_key.clear();
                      commit.record.sealed_package = Bytes(12'000, 6);
                      commit.record.in_work = false;
                  }),
             {"anchor with a save",
              [](Life& life) {
                  life.set_anchor(12);
                  return written(life, life.ledger().renew_lease(*RequestId::parse("a"),
                                                                 {*LeaseId::parse("lease-a"), k_now + 2h, 2}));
              }},
             save("reported", "a",
                  [](Commit& commit) {
                      commit.record.stage = Stage::closed;
                      commit.record.outcome = "accepted";
                      commit.record.sealed_package.clear();
                  }),
             step("count a refusal",
                  [](SqliteLedger& ledger) {
                      return ledger.count({"refusals_per_hour", "", "x", 1h, 100, false}, k_now);
                  }),
             closing()}};
}

Scenario groups() {
    return {"groups",
            false,
            0,
            {opening(), step("take all", [](SqliteLedger& ledger) { return ledger.take(up_to(10), k_now + 5s); }),
             save_group("group keyed",
                        [](Commit& commit, const std::string& id) {
                            commit.record.stage = Stage::keyed;
                            commit.record.sealed_key = Bytes(1300, 7);
                            commit.record.submission_nonce = Bytes(16, 9);
                            // One subject, so that the order in which they are counted does not show.
                            commit.charges = {charge("one of the group")};
                            commit.pin = pin_of("device-" + id);
                            commit.generated_key = hash_of("key of " + id);
                        }),
             save_group("group packaged",
                        [](Commit& commit, const std::string& id) {
                            commit.record.stage = Stage::packaged;
                            commit.record.sealed_key.clear();
                            commit.record.sealed_package = Bytes(9'000, 6);
                            commit.issued = issued_of("0" + id);
                        }),
             save_group("group closed",
                        [](Commit& commit, const std::string& id) {
                            commit.record.stage = id == "d" ? Stage::revoking : Stage::closed;
                            commit.record.outcome = id == "d" ? "superseded" : "accepted";
                            commit.record.revoke_certificate = id == "d";
                            commit.record.sealed_package.clear();
                        }),
             closing()}};
}

Scenario restart() {
    return {"restart",
            true,
            0,
            {opening(), step("recover", [](SqliteLedger& ledger) { return ledger.recover(k_now + 1h); }),
             step("take", [](SqliteLedger& ledger) { return ledger.take(up_to(10), k_now + 2h); }),
             step("mark revoked",
                  [](SqliteLedger& ledger) {
                      return ledger.mark_revoked(hash_of("certificate 0d"), "superseded", k_now + 1h);
                  }),
             save("abandoned", "e",
                  [](Commit& commit) {
                      commit.record.stage = Stage::abandoned;
                      commit.record.failure = {"authorityUnavailable", "given up", true, {}};
                      commit.record.due_at = k_now + std::chrono::days{4000};
                  }),
             in_pieces(step("pull back", [](SqliteLedger& ledger) { return ledger.pull_back(k_now + 3h, 25h); })),
             step("next sequence", [](SqliteLedger& ledger) { return ledger.next_sequence(k_now + 3h); }), closing()}};
}

Scenario register_and_purge() {
    return {
        "register and purge",
        false,
        0,
        {opening(),
         step("block",
              [](SqliteLedger& ledger) {
                  return ledger.block({trust::BlockedThing::device, "device-lost", "admin", k_now});
              }),
         step("approve",
              [](SqliteLedger& ledger) {
                  return ledger.approve({*UserId::parse("user-9"), "user-9@example.com", *DeviceId::parse("device-9"),
                                         hash_of("nine"), "admin", k_now, k_now + 1h});
              }),
         step("freeze",
              [](SqliteLedger& ledger) {
                  request::Stop stop;
                  stop.kind = request::Kind::pfx_deliver;
                  stop.by = "admin";
                  stop.since = k_now;
                  return ledger.freeze({stop});
              }),
         step("trip", [](SqliteLedger& ledger) { return beyond_twice(ledger, "e"); }),
         step("thaw", [](SqliteLedger& ledger) { return ledger.thaw({request::Kind::pkcs_issue}, k_now); }),
         step("raise",
              [](SqliteLedger& ledger) {
                  return ledger.raise({"issue_per_hour", 500, "admin", "roll-out", k_now, k_now + 1h});
              }),
         step("vote",
              [](SqliteLedger& ledger) {
                  return ledger.vote({*RequestId::parse("e"), hash_of("why"), "admin", hash_of("order"),
                                      hash_of("nine"), k_now, k_now + 1h});
              }),
         in_pieces(step("purge what is closed",
                        [](SqliteLedger& ledger) { return ledger.purge(k_now, k_now + std::chrono::days{1}); })),
         in_pieces(step("purge the register and the meters",
                        [](SqliteLedger& ledger) { return ledger.purge(k_now + std::chrono::days{5}, k_now - 24h); })),
         closing(), opening(), step("accept a closed id anew", [](SqliteLedger& ledger) {
             return ledger.accept({leased("a")}, k_now + std::chrono::days{6});
         })}};
}

// SQLite takes the log into the file every few pages, in the middle of all this, and begins it anew.
Scenario checkpoints() {
    Scenario made{"checkpoints", false, 4, {opening()}};
    for (int i = 0; i < 4; ++i) {
        const auto id = "k" + std::to_string(i);
        made.steps.push_back(step("accept " + id, [id](SqliteLedger& ledger) {
            return ledger.accept({leased(id)}, k_now + std::chrono::days{7});
        }));
        made.steps.push_back(save("packaged " + id, id, [id](Commit& commit) {
            commit.record.stage = Stage::packaged;
            commit.record.sealed_package = Bytes(6'000, static_cast<std::uint8_t>(id.back()));
            commit.charges = {charge(id)};
        }));
    }
    made.steps.push_back(closing());
    made.steps.push_back(opening());
    return made;
}

// The very first start: the file itself comes to be.
Scenario birth() {
    return {"birth",
            false,
            0,
            {opening(), step("first number", [](SqliteLedger& ledger) { return ledger.next_sequence(k_now); }),
             closing(), opening()}};
}

}  // namespace

const std::vector<Scenario>& scenarios() {
    static const std::vector<Scenario> all{birth(),      intake(), work(), groups(), restart(), register_and_purge(),
                                           checkpoints()};
    return all;
}

}  // namespace connector::sweep
