// What the ledger keeps of delivered imported certificates, and of the keys made here.
#include "unit/storage/ledger_fixture.hpp"

namespace connector::storage::test {
namespace {

using ports::DeliveredImport;
using request::Purpose;

Thumbprint thumbprint_of(std::string_view name) {
    const auto digest = hash_of(name);
    return *Thumbprint::from(ByteView(digest.octets).first(20));
}

DeliveredImport::Certificate certificate(const std::string& name, UtcTime from, UtcTime until) {
    return {hash_of(name), thumbprint_of(name), from, until, {}, {}};
}

DeliveredImport delivery(const std::string& user, const std::string& device,
                         std::vector<DeliveredImport::Certificate> certificates, UtcTime at = k_now) {
    DeliveredImport made;
    made.user = *UserId::parse(user);
    made.user_principal_name = user + "@Corp.Example";
    made.device = *DeviceId::parse(device);
    made.purpose = Purpose::smime_encryption;
    made.request = *RequestId::parse("r-" + device);
    made.delivered_at = at;
    made.certificates = std::move(certificates);
    return made;
}

constexpr auto k_day = std::chrono::days{1};

class DeliveriesTest : public LedgerTest {
protected:
    // As the reporter does it: with the commit that closes the request.
    void keep(DeliveredImport delivered) {
        auto closing = accepted("r" + std::to_string(++requests_), delivered.user.text());
        closing.stage = request::Stage::closed;
        closing.outcome = "accepted";
        ports::Commit commit;
        commit.record = closing;
        commit.delivered_import = std::move(delivered);
        const auto saved = ledger->save(commit, k_now);
        ASSERT_TRUE(saved) << saved.error().message;
    }
    std::vector<DeliveredImport> of(const std::string& user) {
        auto found = ledger->deliveries_of(user);
        EXPECT_TRUE(found) << found.error().message;
        return found ? std::move(*found) : std::vector<DeliveredImport>();
    }
    std::vector<std::string> expiring(UtcTime now = k_now) {
        std::vector<std::string> names;
        const auto found = ledger->expiring_imports(now, now + 30 * k_day);
        EXPECT_TRUE(found) << found.error().message;
        if (found)
            for (const auto& one : *found) names.push_back(one.user.text() + " " + one.thumbprint.hex().substr(0, 8));
        return names;
    }
    static std::string name(const std::string& user, std::string_view of) {
        return user + " " + thumbprint_of(of).hex().substr(0, 8);
    }

    int requests_ = 0;
};

TEST_F(DeliveriesTest, EachDeviceHasItsHistoryAndWhatItsLastDeliveryLeftOut) {
    auto first = delivery("user-1", "phone", {certificate("old", k_now - 900 * k_day, k_now - 500 * k_day)});
    first.omitted = {{"ab12", "importInvalid", "PFX: no MAC"}};
    keep(first);
    keep(delivery("user-1", "phone",
                  {certificate("old", k_now - 900 * k_day, k_now - 500 * k_day),
                   certificate("new", k_now - 9 * k_day, k_now + 500 * k_day)},
                  k_now + 1h));
    keep(delivery("user-1", "laptop", {certificate("new", k_now - 9 * k_day, k_now + 500 * k_day)}, k_now + 2h));
    keep(delivery("user-2", "tablet", {certificate("other", k_now, k_now + 9 * k_day)}));
    reopen();

    for (const auto* user : {"user-1", "USER-1", "user-1@corp.example"}) {
        const auto found = of(user);
        ASSERT_EQ(found.size(), 2U) << user;
        EXPECT_EQ(found[0].device.text(), "laptop");
        ASSERT_EQ(found[0].certificates.size(), 1U);
        EXPECT_EQ(found[0].certificates[0].first_at, k_now + 2h);
        EXPECT_EQ(found[1].device.text(), "phone");
        EXPECT_EQ(found[1].delivered_at, k_now + 1h);
        EXPECT_EQ(found[1].in_last, 2U);
        EXPECT_TRUE(found[1].omitted.empty());
        ASSERT_EQ(found[1].certificates.size(), 2U);
        EXPECT_EQ(found[1].certificates[0].sha256, hash_of("old"));
        EXPECT_EQ(found[1].certificates[0].thumbprint, thumbprint_of("old"));
        EXPECT_EQ(found[1].certificates[0].first_at, k_now);
        EXPECT_EQ(found[1].certificates[0].delivered_at, k_now + 1h);
        EXPECT_EQ(found[1].certificates[1].not_after, k_now + 500 * k_day);
    }
    EXPECT_TRUE(of("nobody").empty());
}

TEST_F(DeliveriesTest, WhatWasLeftOutIsKeptWithItsReason) {
    auto made = delivery("user-1", "phone", {});
    made.omitted = {{"ab12", "importInvalid", "PFX: no MAC"}, {"cd34", "importUnsigned", "nobody vouches for it"}};
    keep(made);
    const auto found = of("user-1");
    ASSERT_EQ(found.size(), 1U);
    ASSERT_EQ(found[0].omitted.size(), 2U);
    EXPECT_EQ(found[0].omitted[1].thumbprint, "cd34");
    EXPECT_EQ(found[0].omitted[1].code, "importUnsigned");
    EXPECT_EQ(found[0].omitted[1].message, "nobody vouches for it");
}

TEST_F(DeliveriesTest, ACommitThatIsRefusedLeavesNothing) {
    auto record = accepted("r");
    ports::Commit commit;
    commit.record = record;
    commit.record.version = 77;
    commit.delivered_import = delivery("user-1", "phone", {certificate("a", k_now, k_now + k_day)});
    EXPECT_FALSE(ledger->save(commit, k_now));
    EXPECT_TRUE(of("user-1").empty());
}

TEST_F(DeliveriesTest, OnlyAUsersNewestEncryptionCertificateCountsAsExpiring) {
    const auto soon = certificate("soon", k_now - 300 * k_day, k_now + 29 * k_day);
    keep(delivery("user-1", "phone", {soon}));
    keep(delivery("user-1", "laptop", {soon}));
    EXPECT_EQ(expiring(), std::vector<std::string>{name("user-1", "soon")}) << "once for a user, not for a device";

    keep(delivery("user-2", "p2", {certificate("later", k_now - 300 * k_day, k_now + 31 * k_day)}));
    keep(delivery("user-3", "p3", {certificate("ended", k_now - 300 * k_day, k_now)}));
    auto signing = delivery("user-4", "p4", {certificate("signing", k_now - 300 * k_day, k_now + k_day)});
    signing.purpose = Purpose::smime_signing;
    keep(signing);
    EXPECT_EQ(expiring(), std::vector<std::string>{name("user-1", "soon")});
    EXPECT_EQ(expiring(k_now + 2 * k_day), (std::vector<std::string>{name("user-1", "soon"), name("user-2", "later")}));
    EXPECT_EQ(expiring(k_now - 2 * k_day), std::vector<std::string>{name("user-3", "ended")});

    // A newer one, on one of the two devices: it has been imported, and that is what the warning asks for.
    keep(delivery("user-1", "laptop", {soon, certificate("renewed", k_now - k_day, k_now + 800 * k_day)}));
    EXPECT_TRUE(expiring().empty());
}

TEST_F(DeliveriesTest, RowsGoWithTheRegistersAge) {
    keep(delivery("user-1", "phone", {certificate("old", k_now - 900 * k_day, k_now - 300 * k_day)}));
    keep(delivery("user-2", "tablet", {certificate("new", k_now, k_now + 200 * k_day)}));
    ASSERT_TRUE(ledger->purge(k_now + 399 * k_day, k_now));
    ASSERT_EQ(of("user-1").size(), 1U);
    ASSERT_EQ(of("user-1")[0].certificates.size(), 1U) << "a key that ended long ago is still what the device has had";
    ASSERT_TRUE(ledger->purge(k_now + 401 * k_day, k_now));
    EXPECT_TRUE(of("user-1").empty());
    ASSERT_EQ(of("user-2").size(), 1U) << "400 days after its end";
    EXPECT_EQ(of("user-2")[0].certificates.size(), 1U);
    ASSERT_TRUE(ledger->purge(k_now + 601 * k_day, k_now));
    EXPECT_TRUE(of("user-2").empty());
}

TEST_F(DeliveriesTest, AnEditedRowIsQuarantinedAndNeverTold) {
    keep(delivery("user-1", "phone", {certificate("a", k_now - k_day, k_now + 5 * k_day)}));
    edit("UPDATE delivered_certificate SET not_after=not_after+86400000");
    EXPECT_TRUE(of("user-1")[0].certificates.empty());
    EXPECT_TRUE(was_reported("delivered_certificate"));
    EXPECT_TRUE(expiring().empty());

    keep(delivery("user-1", "phone", {certificate("a", k_now - k_day, k_now + 5 * k_day)}));
    EXPECT_EQ(expiring().size(), 1U) << "delivered again, it is known again";
    edit("UPDATE delivery SET delivered_at=delivered_at+1");
    EXPECT_TRUE(of("user-1").empty());
    EXPECT_TRUE(was_reported("delivery"));
}

// ---- keys made here ------------------------------------------------------------------------------------------------

class GeneratedKeyTest : public LedgerTest {
protected:
    void make(const std::string& request, const std::string& key) {
        ports::Commit commit;
        commit.record = accepted(request);
        commit.generated_key = hash_of(key);
        ASSERT_TRUE(ledger->save(commit, k_now));
    }
    Result<trust::RegisterView> look(const std::string& key) {
        return ledger->look_up(*DeviceId::parse("d"), *UserId::parse("user-1"), "user-1", hash_of(key), k_now);
    }
};

TEST_F(GeneratedKeyTest, EveryColumnIsGuardedAndASpoiltRowClosesTheQuestion) {
    for (const auto* change :
         {"request='other'", "made_at=made_at+1", "spki_sha256=zeroblob(32)", "check_value=zeroblob(32)"}) {
        SCOPED_TRACE(change);
        const std::string id = "r-" + std::to_string(std::string_view(change).size());
        make(id, "made");
        ASSERT_TRUE(look("made"));
        EXPECT_TRUE(look("made")->key_is_ours);
        edit(std::string("UPDATE generated_key SET ") + change);
        // Met by what asks for the key itself, or where the key was edited, by what asks for the edited one.
        static_cast<void>(look("made").has_value());
        static_cast<void>(
            ledger->look_up(*DeviceId::parse("d"), *UserId::parse("user-1"), "user-1", Sha256{}, k_now).has_value());
        EXPECT_TRUE(was_reported("generated_key"));
        EXPECT_EQ(ledger->counts()->quarantined, 1U);
        ASSERT_FALSE(look("any other")) << "it may be the one whose row was spoilt";
        EXPECT_EQ(look("any other").error().kind, ErrorKind::integrity);
        ASSERT_TRUE(ledger->accept_as_found());
        ASSERT_TRUE(look("any other"));
        EXPECT_FALSE(look("any other")->key_is_ours);
        edit("DELETE FROM generated_key");
        ASSERT_TRUE(ledger->accept_as_found());
        reported.clear();
    }
}

TEST_F(GeneratedKeyTest, OneKeyIsNeverForTwoRequests) {
    make("r1", "made");
    ports::Commit commit;
    commit.record = accepted("r2");
    commit.generated_key = hash_of("made");
    const auto refused = ledger->save(commit, k_now);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "keyReused");
}

}  // namespace
}  // namespace connector::storage::test
