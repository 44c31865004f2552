// A ledger of schema 1 led forward: its file is made by 0001.sql, its rows and their check values by the ledger.
#include "storage/migration_steps.hpp"
#include "storage/rows.hpp"
#include "storage/schema.hpp"
#include "unit/storage/ledger_fixture.hpp"

namespace connector::storage::test {
namespace {

constexpr std::array<std::string_view, 12> k_state_before{"slot",       "generation", "sequence",    "audit_seq",
                                                          "audit_link", "meters",     "meter_total", "pins",
                                                          "blocks",     "delivered",  "failed",      "stops"};

class FromSchema1 : public ::testing::Test {
protected:
    FromSchema1() {
        const Folder filled;
        fill(filled);
        auto layout = ledger_layout();
        layout.migrations = layout.migrations.first(1);
        EXPECT_TRUE(open_database(folder.path(), layout));
        std::string sql = "ATTACH '" + filled.database() + "' AS filled;";
        for (const auto* table :
             {"request", "lease", "pin", "block", "enrolment_window", "issued", "meter", "meter_entry"})
            sql += "INSERT INTO main." + std::string(table) + " SELECT * FROM filled." + table + ";";
        sql += "INSERT INTO main.generated_key SELECT spki_sha256, request, made_at FROM filled.generated_key;";
        Raw(folder.database()).execute(sql);
        copy_state(filled);
    }
    // As it was before schema 3 gave it a column, and schema 6 took three.
    void copy_state(const Folder& filled) {
        auto newer = Database::open(filled.database());
        auto older = Database::open(folder.database());
        ASSERT_TRUE(newer && older);
        auto rows = CheckedRows(*newer, sealer, {}).list(tables::k_state, "", {});
        ASSERT_TRUE(rows && rows->size() == 1);
        auto& row = rows->front();
        row.pop_back();
        row.insert(row.begin() + 7, {std::int64_t{2}, std::int64_t{1}});  // pins and blocks, as they were counted
        const Table before{"ledger_state", std::span(k_state_before).first(11), 1};
        ASSERT_TRUE(CheckedRows(*older, sealer, {}).put(before, row));
    }
    void fill(const Folder& filled) {
        const auto held = InstanceLock::acquire(filled.path(), InstanceLock::Holder::daemon);
        const auto made = SqliteLedger::open(*held, sealer, {});
        ASSERT_TRUE(made) << made.error().message;
        for (const auto* user : {"user-1", "user-2"}) {
            const std::string name = user;
            ASSERT_TRUE((*made)->accept({leased("r-" + name, name)}, k_now));
            ports::Commit commit;
            commit.record = **(*made)->get(*RequestId::parse("r-" + name));
            commit.record.stage = request::Stage::keyed;
            commit.record.sealed_key = Bytes(100, 7);
            commit.generated_key = hash_of("made for " + name);
            commit.pin = pin_of("device-of-" + name, name);
            commit.issued = issued_of(name == "user-1" ? "0a" : "0b", name);
            commit.charges = {{"issue_per_hour", "", "r", 1h, 5, false}};
            ASSERT_TRUE((*made)->save(commit, k_now));
        }
        ASSERT_TRUE((*made)->block({trust::BlockedThing::device, "stolen", "root", k_now}));
        (*made)->set_audit_anchor({7, hash_of("anchor")});
        ASSERT_TRUE((*made)->flush());
    }
    void open() {
        ledger.reset();
        lock.reset();
        lock = std::make_unique<InstanceLock>(*InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon));
        auto opened = SqliteLedger::open(
            *lock, sealer, [this](std::string_view table, std::string_view key) { reported.emplace_back(table, key); });
        ASSERT_TRUE(opened) << opened.error().message;
        ledger = std::move(*opened);
    }
    Result<trust::RegisterView> look(const std::string& user, const std::string& key) {
        return ledger->look_up(*DeviceId::parse("device-of-" + user), *UserId::parse(user), user + "@corp.example",
                               hash_of(key), k_now);
    }

    Folder folder;
    TestSealer sealer;
    std::vector<std::pair<std::string, std::string>> reported;
    std::unique_ptr<InstanceLock> lock;
    std::unique_ptr<SqliteLedger> ledger;
};

TEST_F(FromSchema1, EverythingIsStillThereAndSound) {
    ASSERT_EQ(Raw(folder.database()).one("PRAGMA user_version"), "1");
    open();
    EXPECT_TRUE(reported.empty());
    for (const auto* user : {"user-1", "user-2"}) {
        const auto record = ledger->get(*RequestId::parse("r-" + std::string(user)));
        ASSERT_TRUE(record && *record);
        EXPECT_EQ((*record)->stage, request::Stage::keyed);
        EXPECT_EQ((*record)->lease.id.text(), "lease-r-" + std::string(user));
        const auto view = look(user, "made for " + std::string(user));
        ASSERT_TRUE(view) << view.error().message;
        EXPECT_TRUE(view->key_is_ours) << "a key made under schema 1";
        EXPECT_TRUE(view->pin.has_value());
    }
    EXPECT_EQ(ledger->issued(10)->size(), 2U);
    EXPECT_EQ(ledger->blocks()->size(), 1U);
    EXPECT_EQ(ledger->audit_anchor()->value(), (AuditAnchor{7, hash_of("anchor")}));
    EXPECT_EQ(ledger->counts()->quarantined, 0U);
    EXPECT_TRUE(ledger->deliveries_of("user-1")->empty());
    EXPECT_EQ(*ledger->quick_check(), "");

    open();
    EXPECT_TRUE(reported.empty()) << "and the next start finds nothing to do";
    EXPECT_EQ(Raw(folder.database()).one("PRAGMA user_version"), std::to_string(ledger_migrations().size()));
    EXPECT_EQ(Raw(folder.database()).one("SELECT count(*) FROM generated_key"), "2");
    EXPECT_EQ(Raw(folder.database()).one("SELECT count(*) FROM sqlite_schema WHERE name='generated_key_unsigned'"),
              "0");
}

TEST_F(FromSchema1, AStepThatStopsHalfWayIsDoneAgainAsAWhole) {
    struct Stop {};
    // In the middle of the keys' signing, as a power cut would.
    int left = 1;
    sealer.before_check = [&left] {
        if (left-- == 0) throw Stop{};
    };
    auto held = std::make_unique<InstanceLock>(*InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon));
    EXPECT_THROW((void)SqliteLedger::open(*held, sealer, {}), Stop);
    held.reset();
    sealer.before_check = {};
    EXPECT_EQ(Raw(folder.database()).one("PRAGMA user_version"), "1");
    EXPECT_EQ(Raw(folder.database()).one("SELECT count(*) FROM generated_key"), "2");
    open();
    EXPECT_TRUE(look("user-1", "made for user-1")->key_is_ours);
    EXPECT_TRUE(look("user-2", "made for user-2")->key_is_ours);
}

TEST_F(FromSchema1, AMigratedKeyIsGuardedLikeAnyOther) {
    open();
    ledger.reset();
    lock.reset();
    Raw(folder.database()).execute("UPDATE generated_key SET request='other' WHERE request='r-user-1'");
    open();
    EXPECT_FALSE(look("user-1", "made for user-1"));
    ASSERT_EQ(reported.size(), 1U);
    EXPECT_EQ(reported.front().first, "generated_key");
}

// What schema 6 signs anew: the state, the mark, whose delivered certificates are, and devices in one spelling.
class FromSchema5 : public ::testing::Test {
protected:
    FromSchema5() {
        auto layout = ledger_layout();
        layout.migrations = layout.migrations.first(5);
        layout.complete_step = [this](Database& opened, std::size_t schema) {
            return complete_step(opened, sealer, schema);
        };
        auto database = open_database(folder.path(), layout);
        EXPECT_TRUE(database);
        CheckedRows rows(*database, sealer, {});
        const std::array<std::string_view, 9> columns{"user_id",   "device",     "purpose",
                                                      "sha256",    "thumbprint", "not_before",
                                                      "not_after", "first_at",   "delivered_at"};
        const Table delivered{"delivered_certificate", columns, 4};
        ports::DeliveredImport delivery;
        delivery.user = *UserId::parse("an-id");
        delivery.user_principal_name = "User-1@Corp.Example";
        delivery.device = *DeviceId::parse("phone");
        delivery.purpose = request::Purpose::smime_encryption;
        delivery.request = *RequestId::parse("r");
        EXPECT_TRUE(rows.put(tables::k_delivery, to_row(delivery)));
        auto certificate = to_row(delivery, {hash_of("c"), Thumbprint{}, k_now, k_now + 1h, k_now, k_now});
        certificate.pop_back();
        EXPECT_TRUE(rows.put(delivered, certificate));
        for (const auto& [device, since] :
             {std::pair("D-One", k_now - 1h), std::pair("d-one", k_now), std::pair("two", k_now)}) {
            auto pin = pin_of(device, "user-1");
            pin.first_seen = since;
            pin.spki_sha256 = hash_of(device);
            auto row = to_row(pin);
            row[0] = std::string(device);
            EXPECT_TRUE(rows.put(tables::k_pin, row));
        }
    }
    void state(std::int64_t pins) {
        auto database = Database::open(folder.database());
        ASSERT_TRUE(database);
        const Table table{"ledger_state", k_state_before, 1};
        const std::int64_t none = 0;
        ASSERT_TRUE(CheckedRows(*database, sealer, {})
                        .put(table, {std::int64_t{1}, std::int64_t{9}, none, none, Bytes(32, 0), none, none, pins, none,
                                     none, none, none}));
    }
    void open() {
        ledger.reset();
        lock.reset();
        lock = std::make_unique<InstanceLock>(*InstanceLock::acquire(folder.path(), InstanceLock::Holder::daemon));
        auto opened = SqliteLedger::open(
            *lock, sealer, [this](std::string_view table, std::string_view key) { reported.emplace_back(table, key); });
        ASSERT_TRUE(opened) << opened.error().message;
        ledger = std::move(*opened);
    }
    Folder folder;
    TestSealer sealer;
    std::vector<std::pair<std::string, std::string>> reported;
    std::unique_ptr<InstanceLock> lock;
    std::unique_ptr<SqliteLedger> ledger;
};

TEST_F(FromSchema5, WhatIsSignedAnewIsWhole) {
    state(3);
    for (int start = 0; start < 2; ++start) {
        open();
        EXPECT_TRUE(reported.empty());
        EXPECT_EQ(ledger->current_import("user-1@corp.example")->value().sha256, hash_of("c"));
        const auto pins = ledger->pins();
        ASSERT_EQ(pins->size(), 2U);
        EXPECT_EQ(pins->front().device.text(), "d-one");
        EXPECT_EQ(pins->front().spki_sha256, hash_of("D-One")) << "the one that was known first";
        EXPECT_TRUE(ledger->newest_time());
    }
}

TEST_F(FromSchema5, WhatWasMissingBeforeIsMissingAfterIt) {
    state(4);
    for (std::size_t start = 1; start < 3; ++start) {
        open();
        EXPECT_EQ(reported, (std::vector<std::pair<std::string, std::string>>(start, {"pin", "*"})));
    }
}

}  // namespace
}  // namespace connector::storage::test
