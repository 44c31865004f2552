// Who edits connector.db gains nothing: every column of every deciding table, rows exchanged, rows and heads taken
// away.
#include "unit/storage/ledger_fixture.hpp"

#include <fstream>

namespace connector::storage::test {
namespace {

using ports::Commit;
using request::Stage;

const request::Charge k_charge{"issue_per_hour", "", "r", 1h, 5, false};
const std::vector<std::string> k_deciding{
    "request", "lease",       "pin",          "block", "approval",     "enrolment_window", "issued",
    "meter",   "meter_entry", "ledger_state", "stop",  "raised_limit", "thawed_limit",     "vote"};

class TamperTest : public LedgerTest {
protected:
    TamperTest() {
        for (const auto* user : {"user-1", "user-2"}) {
            const std::string name = user;
            auto record = accepted("r-" + name, name);
            record.stage = Stage::at_authority;
            record.held_reason = request::HeldReason::limit;
            record.held_detail = "detail";
            record.waiting_since = k_now;
            record.sealed_key = Bytes(100, static_cast<std::uint8_t>(name.back()));
            record.csr = record.submission_nonce = record.certificate = record.sealed_package = Bytes(64, 7);
            record.chain = {Bytes(64, 8)};
            record.spki_sha256 = hash_of(name);
            record.authority_request_id = "17";
            record.failure = request::Failure{"code", "message", true, "status"};
            record.outcome = "postponed";
            Commit commit;
            commit.record = record;
            commit.pin = pin_of("device-of-" + name, name);
            commit.issued = issued_of(name == "user-1" ? "0a" : "0b", name);
            commit.issued->revoked_at = k_now;
            commit.charges = {k_charge, {"issue_per_user_per_day", name, "r", 24h, 5, false}};
            EXPECT_TRUE(ledger->save(commit, k_now));
            EXPECT_TRUE(ledger->block({trust::BlockedThing::device, "stolen-" + name, "root", k_now}));
            EXPECT_TRUE(ledger->approve({*UserId::parse(name), name, *DeviceId::parse("device-of-" + name),
                                         hash_of(name), "root", k_now, k_now + 1h}));
        }
        using request::Kind;
        using request::StopCause;
        EXPECT_TRUE(
            ledger->freeze({{Kind::certificate_revoke, StopCause::tripped, "revoke_per_hour", "", "30", k_now}}));
        EXPECT_TRUE(ledger->thaw({Kind::certificate_revoke}, k_now));
        EXPECT_TRUE(ledger->freeze({{Kind::pfx_withdraw, StopCause::frozen, "", "root", "why", k_now},
                                    {Kind::certificate_revoke, StopCause::frozen, "", "anna", "who", k_now}}));
        EXPECT_TRUE(ledger->raise({"revoke_per_hour", 20, "root", "cleaning up", k_now, k_now + 1h}));
        EXPECT_TRUE(ledger->raise({"revoke_per_day", 90, "root", "more", k_now, k_now + 2h}));
        for (const auto* account : {"anna", "ben"})
            EXPECT_TRUE(ledger->vote({*RequestId::parse("r-user-1"), hash_of(account), account, hash_of("order"),
                                      hash_of("user-1"), k_now, k_now + 1h}));
        EXPECT_TRUE(ledger->open_window({k_now, k_now + 1h, 5, 1, "root"}));
        ledger->set_audit_anchor({7, hash_of("anchor")});
        EXPECT_TRUE(ledger->flush());
        close();
        std::filesystem::copy_file(folder.database(), pristine());
    }
    [[nodiscard]] std::string pristine() const { return (folder.path() / "pristine.db").string(); }
    void restore() {
        close();
        for (const auto* suffix : {"-wal", "-shm"}) std::filesystem::remove(folder.database() + suffix);
        std::filesystem::copy_file(pristine(), folder.database(), std::filesystem::copy_options::overwrite_existing);
        reported.clear();
    }
    void tampered(const std::string& sql) {
        restore();
        Raw(folder.database()).execute(sql);
        open();
    }
    // Whatever the engine may ask for.
    void ask_everything() {
        for (const auto* id : {"r-user-1", "r-user-2"})
            static_cast<void>(ledger->get(*RequestId::parse(id)).has_value());
        for (const auto* user : {"user-1", "user-2"}) {
            const std::string name = user;
            static_cast<void>(
                ledger->look_up(*DeviceId::parse("device-of-" + name), *UserId::parse(name), name, hash_of(name), k_now)
                    .has_value());
        }
        ports::PageFilter all;
        static_cast<void>(ledger->page(all).has_value());
        static_cast<void>(ledger->open_leases().has_value());
        static_cast<void>(ledger->issued(100).has_value());
        static_cast<void>(ledger->meters(k_now).has_value());
        static_cast<void>(ledger->window().has_value());
    }
    Result<std::uint64_t> charge() {
        EXPECT_TRUE(ledger->accept({leased("fresh")}, k_now));
        Commit commit;
        commit.record = record("fresh");
        commit.charges = {k_charge};
        return ledger->save(commit, k_now);
    }
    Result<std::uint64_t> charge_with_pin() {
        EXPECT_TRUE(ledger->accept({leased("pinning")}, k_now));
        Commit commit;
        commit.record = record("pinning");
        commit.pin = pin_of("device-of-another", "another");
        return ledger->save(commit, k_now);
    }
    // Something lawful in every table that has a digest.
    void a_day_goes_by() {
        EXPECT_TRUE(ledger->bind({pin_of("device-of-user-1", "user-2")}, true));
        EXPECT_TRUE(ledger->block({trust::BlockedThing::device, "lost", "root", k_now}));
        EXPECT_TRUE(ledger->approve({*UserId::parse("user-1"), "user-1", *DeviceId::parse("device-of-user-1"),
                                     hash_of("user-1"), "root", k_now, k_now + 1s}));
        EXPECT_TRUE(ledger->open_window({k_now, k_now + 1s, 1, 1, "root"}));
        EXPECT_TRUE(ledger->accept({leased("day")}, k_now));
        Commit commit;
        commit.record = record("day");
        commit.issued = issued_of("0c", "day");
        commit.generated_key = hash_of("day");
        EXPECT_TRUE(ledger->save(commit, k_now));
        EXPECT_TRUE(ledger->thaw({request::Kind::certificate_revoke}, k_now + 1min));
        EXPECT_TRUE(ledger->raise({"revoke_per_hour", 11, "root", "less", k_now, k_now + 1h}));
        request::Stop stop{request::Kind::pkcs_issue, request::StopCause::tripped, "issue_per_hour", "", "9", k_now};
        EXPECT_TRUE(ledger->freeze({stop}));
        EXPECT_TRUE(ledger->thaw({request::Kind::pkcs_issue}, k_now));
        EXPECT_TRUE(ledger->vote({*RequestId::parse("r-user-1"), hash_of("anna"), "anna", hash_of("another order"),
                                  hash_of("user-1"), k_now, k_now + 1h}));
        trust::SignedList list{"user-1", request::Purpose::smime_encryption, 3, k_now, {hash_of("1")}};
        EXPECT_TRUE(ledger->keep_lists({list}, k_now));
        EXPECT_TRUE(ledger->note_time(k_now));
    }
    void put_back(const std::string& table) {
        close();
        Raw raw(folder.database());
        raw.execute("ATTACH '" + pristine() + "' AS old; DELETE FROM main." + table + "; INSERT INTO main." + table +
                    " SELECT * FROM old." + table + "; DETACH old");
    }
    Result<trust::RegisterView> look(const std::string& device, const std::string& user = "user-1") {
        return ledger->look_up(*DeviceId::parse(device), *UserId::parse(user), user, hash_of(user), k_now);
    }
};

TEST_F(TamperTest, UntouchedIsWell) {
    restore();
    open();
    ask_everything();
    EXPECT_TRUE(reported.empty());
    EXPECT_EQ(ledger->counts()->quarantined, 0U);
    EXPECT_TRUE(charge());
}

TEST_F(TamperTest, EveryColumnOfEveryDecidingTableIsGuarded) {
    std::size_t columns = 0;
    for (const auto& table : k_deciding) {
        for (const auto& info : Raw(pristine()).rows("PRAGMA table_info(" + table + ")")) {
            const auto& column = info[1];
            const auto& type = info[2];
            const auto value = type == "INTEGER" ? "ifnull(" + column + ", 0) + 1"
                               : type == "TEXT"  ? "ifnull(" + column + ", '') || 'x'"
                                                 : "randomblob(max(1, ifnull(length(" + column + "), 1)))";
            const auto where = " WHERE check_value=(SELECT min(check_value) FROM " + table + ")";
            const auto sql = "UPDATE " + table + " SET " + column + "=" + value + where;
            SCOPED_TRACE(sql);
            tampered(sql);
            ask_everything();
            if (table == "meter_entry") {
                // Under another name it is not met any more; that it is missing is.
                EXPECT_TRUE(was_reported(table) || was_reported("meter"));
                EXPECT_EQ(ledger->meters(k_now).error().kind, ErrorKind::integrity);
            } else {
                EXPECT_TRUE(was_reported(table));
                EXPECT_GE(ledger->counts()->quarantined, 1U);
            }
            ++columns;
        }
    }
    EXPECT_GT(columns, 80U);
}

TEST_F(TamperTest, WordsThatMeanSomethingDoNotPass) {
    for (const auto* edit :
         {"stage='accepted'", "stage='closed'", "stage='packaged'", "user_id='user-2'", "device_id='device-of-user-2'",
          "due_at=0", "version=1", "deaths=9", "in_work=1", "authority='other'", "sealed_key=NULL",
          "revoke_certificate=1", "held_reason=NULL", "kind='pfx.deliver'"}) {
        tampered(std::string("UPDATE request SET ") + edit + " WHERE id='r-user-1'");
        ask_everything();
        EXPECT_TRUE(was_reported("request")) << edit;
    }
}

TEST_F(TamperTest, ExchangedRowsAreFound) {
    for (const auto& table : {"request", "lease", "pin", "issued", "block", "approval", "meter", "meter_entry", "stop",
                              "raised_limit", "vote"}) {
        restore();
        {
            Raw raw(folder.database());
            std::string keys;
            std::string others;
            const std::string name = table;
            for (const auto& info : raw.rows("PRAGMA table_info(" + name + ")")) {
                auto& list = info[5] == "0" ? others : keys;
                list += (list.empty() ? "" : ",") + info[1];
            }
            // Each row keeps its key and takes the other's content, check value and all.
            raw.execute("CREATE TEMP TABLE one AS SELECT * FROM " + name + " ORDER BY " + keys + " LIMIT 1");
            raw.execute("CREATE TEMP TABLE two AS SELECT * FROM " + name + " ORDER BY " + keys + " LIMIT 1 OFFSET 1");
            for (const auto& [from, to] : {std::pair("one", "two"), std::pair("two", "one")}) {
                raw.execute("UPDATE " + name + " SET (" + others + ")=(SELECT " + others + " FROM " + from +
                            ") WHERE (" + keys + ")=(SELECT " + keys + " FROM " + to + ")");
            }
        }
        open();
        ask_everything();
        EXPECT_TRUE(was_reported(table)) << table;
        EXPECT_GE(ledger->counts()->quarantined, 2U) << table;
    }
}

TEST_F(TamperTest, QuarantinedRequestIsNeverUsed) {
    tampered("UPDATE request SET user_id='mallory' WHERE id='r-user-1'");
    const auto first = ledger->get(*RequestId::parse("r-user-1"));
    EXPECT_EQ(first.error().kind, ErrorKind::integrity);
    EXPECT_EQ(reported, (std::vector<std::pair<std::string, std::string>>{{"request", "r-user-1"}}));
    EXPECT_EQ(ledger->get(*RequestId::parse("r-user-1")).error().kind, ErrorKind::integrity) << "and stays so";
    EXPECT_EQ(reported.size(), 1U);
    EXPECT_EQ(ledger->page({})->size(), 1U);
    ports::TakeOrder wanted;
    wanted.limit = 10;
    EXPECT_EQ(ledger->take(wanted, k_now + 1h)->records.size(), 1U);
    EXPECT_EQ(ledger->counts()->quarantined, 1U);
    reopen();
    EXPECT_EQ(ledger->counts()->quarantined, 1U);

    // The service leases it again: a new order, beyond every version that somebody may still hold.
    EXPECT_EQ(ledger->accept({leased("r-user-1")}, k_now)->front(), ports::Intake::created);
    EXPECT_EQ(record("r-user-1").stage, Stage::accepted);
    EXPECT_TRUE(record("r-user-1").sealed_key.empty());
}

TEST_F(TamperTest, AcceptMeetsTheEditFirst) {
    tampered("UPDATE request SET order_hash=zeroblob(32), version=1 WHERE id='r-user-1'");
    EXPECT_EQ(ledger->accept({leased("r-user-1")}, k_now)->front(), ports::Intake::created);
    EXPECT_TRUE(was_reported("request"));
    EXPECT_GT(record("r-user-1").version, 2U);
    EXPECT_EQ(ledger->counts()->quarantined, 1U);
}

TEST_F(TamperTest, LostBlockStopsEverybody) {
    for (const auto* edit :
         {"DELETE FROM block WHERE value='stolen-user-1'", "UPDATE block SET value='else' WHERE value='stolen-user-1'",
          "UPDATE block SET since=0 WHERE value='stolen-user-1'"}) {
        tampered(edit);
        EXPECT_TRUE(was_reported("block")) << edit;
        EXPECT_EQ(look("stolen-user-1").error().kind, ErrorKind::integrity) << edit;
        EXPECT_EQ(look("device-of-user-2", "user-2").error().kind, ErrorKind::integrity) << edit;
    }
    ASSERT_TRUE(ledger->accept_as_found());
    EXPECT_TRUE(look("device-of-user-2", "user-2"));
    reported.clear();
    reopen();
    EXPECT_TRUE(reported.empty());
    EXPECT_EQ(ledger->counts()->quarantined, 0U);
}

TEST_F(TamperTest, LostPinStopsEverybody) {
    for (const auto* edit : {"DELETE FROM pin WHERE device='device-of-user-1'",
                             "UPDATE pin SET device='else' WHERE device='device-of-user-1'",
                             "UPDATE pin SET spki_sha256=randomblob(32) WHERE device='device-of-user-1'"}) {
        tampered(edit);
        EXPECT_TRUE(was_reported("pin")) << edit;
        EXPECT_EQ(look("device-of-user-1").error().kind, ErrorKind::integrity) << edit;
        EXPECT_EQ(look("never-seen").error().kind, ErrorKind::integrity) << edit;
        // What was taken away may as well have been replaced by something older.
        EXPECT_EQ(look("device-of-user-2", "user-2").error().kind, ErrorKind::integrity) << edit;
        EXPECT_EQ(charge_with_pin().error().kind, ErrorKind::integrity) << edit;
    }
    ASSERT_TRUE(ledger->accept_as_found());
    EXPECT_TRUE(look("device-of-user-2", "user-2"));
}

TEST_F(TamperTest, AnOlderTablePutBackIsFoundAndNothingRestsOnIt) {
    for (const auto* table : tables::deciding()) {
        const std::string name(table->name);
        SCOPED_TRACE(name);
        restore();
        open();
        a_day_goes_by();
        reopen();
        ASSERT_TRUE(reported.empty());
        put_back(name);
        open();
        EXPECT_EQ(reported, (std::vector<std::pair<std::string, std::string>>{{name, "*"}}));
        const auto seen = look("device-of-user-2", "user-2");
        EXPECT_EQ(!seen, name == "pin" || name == "block" || name == "generated_key");
        if (seen) {
            EXPECT_EQ(!look("device-of-user-2", "user-2")->approval, name == "approval");
            EXPECT_EQ(!seen->window, name == "enrolment_window");
        }
        EXPECT_EQ(ledger->votes(*RequestId::parse("r-user-1"), k_now)->empty(), name == "vote");
        EXPECT_EQ(ledger->raises()->empty(), name == "raised_limit");
        EXPECT_EQ(ledger->stops()->size() > request::all_kinds().size(), name == "stop");
        EXPECT_EQ(!ledger->signed_lists({"user-1"}, request::Purpose::smime_encryption), name == "signed_list");
        EXPECT_EQ(!ledger->newest_time(), name == "high_water");
        EXPECT_EQ(!ledger->open_window({k_now, k_now + 1h, 5, 0, "root"}), name == "enrolment_window");
        EXPECT_EQ(!ledger->raise({"issue_per_day", 20, "root", "x", k_now, k_now + 1h}), name == "raised_limit");
        reopen();
        EXPECT_EQ(reported.size(), 2U) << "nothing that was written since has made it well";
        ASSERT_TRUE(ledger->accept_as_found());
        reported.clear();
        reopen();
        EXPECT_TRUE(reported.empty());
        EXPECT_TRUE(look("device-of-user-2", "user-2"));
    }
}

TEST_F(TamperTest, ARowPutBackAgainAndAgainUnderTheRunningLedgerDoesNotCancelItself) {
    restore();
    open();
    const trust::EnrolmentWindow fresh{k_now, k_now + 1h, 1, 0, "root"};
    auto used = fresh;
    used.used = 1;
    ASSERT_TRUE(ledger->open_window(fresh));
    Raw(folder.database()).execute("CREATE TABLE aside AS SELECT * FROM enrolment_window");
    for (int times = 0; times < 2; ++times) {
        ASSERT_TRUE(ledger->open_window(used));
        Raw(folder.database()).execute("REPLACE INTO enrolment_window SELECT * FROM aside");
    }
    ASSERT_TRUE(ledger->open_window(used));
    Raw(folder.database()).execute("DROP TABLE aside");
    reopen();
    EXPECT_EQ(reported, (std::vector<std::pair<std::string, std::string>>{{"enrolment_window", "*"}}));
}

TEST_F(TamperTest, WhatATransactionUndoesItsDigestDoesToo) {
    restore();
    open();
    ASSERT_TRUE(ledger->accept({leased("fails"), leased("beside")}, k_now));
    Commit fails;
    fails.record = record("fails");
    fails.pin = pin_of("another-device", "user-1");
    fails.issued = issued_of("0d", "fails");
    fails.generated_key = hash_of("fails");
    fails.uses_window = true;
    ASSERT_TRUE(ledger->open_window({k_now, k_now + 1h, 1, 1, "root"})) << "full";
    Commit beside;
    beside.record = record("beside");
    beside.pin = pin_of("beside-it", "user-2");
    const auto answers = ledger->save_many({fails, beside}, {k_now, k_now});
    ASSERT_FALSE(answers[0]);
    ASSERT_TRUE(answers[1]);
    EXPECT_FALSE(ledger->bind({pin_of("new-one", "user-1"), pin_of("device-of-user-2", "user-1")}, false));
    ASSERT_TRUE(ledger->forget(*DeviceId::parse("BESIDE-it")));
    ASSERT_TRUE(ledger->purge(k_now + std::chrono::days{4000}, k_now));
    reopen();
    EXPECT_TRUE(reported.empty());
}

TEST_F(TamperTest, ForgedApprovalAndWindowAreNone) {
    tampered("UPDATE approval SET spki_sha256=x'00', user_id='user-1'; UPDATE enrolment_window SET max=1000");
    const auto view = look("device-of-user-1");
    ASSERT_TRUE(view);
    EXPECT_FALSE(view->approval);
    EXPECT_FALSE(view->window);
    EXPECT_TRUE(was_reported("approval") && was_reported("enrolment_window"));
}

TEST_F(TamperTest, MetersDoNotForget) {
    for (const auto* edit :
         {"DELETE FROM meter_entry WHERE meter='issue_per_hour' AND n=2",
          "DELETE FROM meter_entry WHERE meter='issue_per_hour' AND n=1", "DELETE FROM meter_entry",
          "DELETE FROM meter WHERE name='issue_per_hour'",
          "DELETE FROM meter WHERE name='issue_per_hour'; DELETE FROM meter_entry WHERE meter='issue_per_hour'",
          "DELETE FROM meter; DELETE FROM meter_entry", "UPDATE meter_entry SET at=0 WHERE meter='issue_per_hour'",
          "UPDATE meter SET last=1 WHERE name='issue_per_hour'; DELETE FROM meter_entry WHERE meter='issue_per_hour' "
          "AND n=2",
          "UPDATE ledger_state SET meter_total=0, meters=0; DELETE FROM meter; DELETE FROM meter_entry",
          "DELETE FROM ledger_state; DELETE FROM meter; DELETE FROM meter_entry"}) {
        tampered(edit);
        const auto refused = charge();
        ASSERT_FALSE(refused) << edit;
        EXPECT_EQ(refused.error().kind, ErrorKind::integrity) << edit;
        ASSERT_TRUE(ledger->accept_as_found()) << edit;
        EXPECT_TRUE(charge()) << edit;
        reopen();
        EXPECT_TRUE(ledger->meters(k_now)) << edit;
    }
}

TEST_F(TamperTest, OlderHeadPutBackIsFound) {
    restore();
    open();
    ASSERT_TRUE(charge());
    close();
    Raw raw(folder.database());
    raw.execute("ATTACH '" + pristine() + "' AS old");
    raw.execute("DELETE FROM meter; DELETE FROM meter_entry");
    raw.execute("INSERT INTO meter SELECT * FROM old.meter; INSERT INTO meter_entry SELECT * FROM old.meter_entry");
    raw.execute("DETACH old");
    open();
    EXPECT_TRUE(was_reported("meter"));
    EXPECT_EQ(charge().error().code, "meterTampered");
}

TEST_F(TamperTest, LostStateIsNotANewStart) {
    for (const auto* edit :
         {"DELETE FROM ledger_state", "UPDATE ledger_state SET audit_seq=1", "UPDATE ledger_state SET sequence=5"}) {
        tampered(edit);
        EXPECT_TRUE(was_reported("ledger_state")) << edit;
        EXPECT_EQ(ledger->audit_anchor().error().kind, ErrorKind::integrity) << edit;
        EXPECT_TRUE(ledger->next_sequence(k_now)) << edit;
        accepted("other");
        reopen();
        EXPECT_EQ(ledger->audit_anchor().error().kind, ErrorKind::integrity) << "time heals nothing: " << edit;
    }
    ASSERT_TRUE(ledger->accept_as_found());
    EXPECT_TRUE(ledger->audit_anchor());
}

TEST_F(TamperTest, ForgedRegisterRowRevokesNothing) {
    tampered("UPDATE issued SET issuer='CN=Other CA', serial_number='ff' WHERE serial_number='a'");
    EXPECT_FALSE(*ledger->find_issued("CN=Other CA", "ff"));
    EXPECT_TRUE(was_reported("issued"));
}

}  // namespace
}  // namespace connector::storage::test
