// Pins, windows, issued certificates, meters, the audit anchor.
#include "unit/storage/ledger_fixture.hpp"

#include "storage/rows.hpp"

namespace connector::storage::test {
namespace {

using ports::Commit;
using request::Stage;

TEST_F(LedgerTest, RegisterAnswersForOneClaim) {
    const auto user = *UserId::parse("user-1");
    const auto device = *DeviceId::parse("phone");
    const auto key = hash_of("key of phone");
    const auto look = [&] { return *ledger->look_up(device, user, "User-1@corp.example", key, k_now); };
    EXPECT_FALSE(look().pin || look().block || look().approval || look().window || look().key_is_ours);

    for (const auto* name : {"phone", "laptop", "tablet"}) {
        Commit commit;
        commit.record = accepted("r1");
        commit.pin = pin_of(name);
        ASSERT_TRUE(ledger->save(commit, k_now));
    }
    ASSERT_TRUE(look().pin);
    EXPECT_EQ(look().pin->spki_sha256, key);
    EXPECT_EQ(look().pin->first_seen, k_now - 24h);
    EXPECT_EQ(look().devices_of_user, 2U);
    ASSERT_TRUE(ledger->block({trust::BlockedThing::device, "tablet", "root", k_now}));
    EXPECT_EQ(look().devices_of_user, 1U);
    EXPECT_FALSE(look().block);
    EXPECT_EQ(ledger->counts()->pins_by_state.at("blocked"), 1U);
    EXPECT_EQ(ledger->counts()->pins_by_state.at("pinned"), 2U);

    ASSERT_TRUE(ledger->approve({user, "anna@example.com", device, key, "anna", k_now - 1h, k_now + 1h}));
    EXPECT_EQ(look().approval->by, "anna");
    EXPECT_FALSE(ledger->look_up(device, user, "x", hash_of("other key"), k_now)->approval);
    EXPECT_FALSE(ledger->look_up(device, user, "x", key, k_now + 1h)->approval);

    ASSERT_TRUE(ledger->block({trust::BlockedThing::user, "USER-1@Corp.Example", "root", k_now}));
    ASSERT_TRUE(look().block);
    EXPECT_EQ(look().block->thing, trust::BlockedThing::user);
    EXPECT_EQ(look().block->by, "root");
    reopen();
    EXPECT_EQ(ledger->blocks()->size(), 2U);
    EXPECT_EQ(ledger->pins()->size(), 3U);
    EXPECT_TRUE(reported.empty());
}

TEST_F(LedgerTest, KeysMadeOrCertifiedHereAreOurs) {
    const auto ours = [&](const Sha256& key) {
        return ledger->look_up(*DeviceId::parse("d"), *UserId::parse("u"), "u", key, k_now)->key_is_ours;
    };
    Commit commit;
    commit.record = accepted("r1");
    commit.generated_key = hash_of("made");
    commit.issued = issued_of("00Ab");
    ASSERT_TRUE(ledger->save(commit, k_now));
    EXPECT_TRUE(ours(hash_of("made")));
    EXPECT_TRUE(ours(issued_of("00Ab").spki_sha256));
    EXPECT_FALSE(ours(hash_of("else")));

    commit.record = record("r1");
    EXPECT_TRUE(ledger->save(commit, k_now)) << "the same request says it again";
    commit.record = accepted("r2");
    EXPECT_EQ(ledger->save(commit, k_now).error().code, "keyReused");
}

TEST_F(LedgerTest, WindowHasPlacesAndAnEnd) {
    ASSERT_TRUE(ledger->open_window({k_now, k_now + 1h, 2, 0, "root"}));
    const auto enter = [&](const std::string& id, UtcTime now) {
        Commit commit;
        commit.record = accepted(id);
        commit.uses_window = true;
        return ledger->save(commit, now);
    };
    EXPECT_TRUE(enter("a", k_now));
    EXPECT_FALSE(enter("b", k_now + 1h));
    EXPECT_TRUE(enter("b", k_now + 1min));
    EXPECT_EQ(enter("c", k_now + 2min).error().code, "windowClosed");
    reopen();
    EXPECT_EQ((*ledger->window())->used, 2U);
    EXPECT_EQ((*ledger->window())->by, "root");
}

// Six orders of one device, all proved before the first is committed, are one first use.
TEST_F(LedgerTest, OneFirstUseTakesOnePlaceHoweverManyOrdersItHas) {
    ASSERT_TRUE(ledger->open_window({k_now, k_now + 1h, 2, 0, "root"}));
    const auto first_use = [&](const std::string& id, const std::string& device) {
        Commit commit;
        commit.record = accepted(id);
        commit.pin = pin_of(device);
        commit.uses_window = true;
        commit.charges = {charge_of(id, 100)};
        return commit;
    };
    std::vector<Commit> group;
    for (const auto* id : {"a", "b", "c", "d", "e", "f"}) group.push_back(first_use(id, "phone"));
    const auto answers = ledger->save_many(group, std::vector<UtcTime>(group.size(), k_now));
    EXPECT_TRUE(answers[0]);
    for (std::size_t i = 1; i < answers.size(); ++i) {
        ASSERT_FALSE(answers[i]) << i;
        EXPECT_EQ(answers[i].error().code, "pinChanged");
        EXPECT_EQ(answers[i].error().kind, ErrorKind::conflict);
    }
    EXPECT_EQ((*ledger->window())->used, 1U);
    EXPECT_EQ(ledger->pins()->size(), 1U);
    EXPECT_EQ(ledger->meters(k_now)->front().used, 1U) << "what is proved again was not counted";

    auto known = group[1];
    known.uses_window = false;
    known.pin_seen = known.pin;
    known.pin->last_seen = k_now + 1min;
    EXPECT_TRUE(ledger->save(known, k_now)) << "proved again, it is a known device";

    EXPECT_TRUE(ledger->save(first_use("other", "laptop"), k_now)) << "the place is left for another device";
    EXPECT_EQ(ledger->save(first_use("third", "tablet"), k_now).error().code, "windowClosed");
    EXPECT_EQ(ledger->save(group[2], k_now).error().code, "pinChanged") << "also where the window is full by now";
    EXPECT_EQ((*ledger->window())->used, 2U);
}

// Two devices beside two, where three may be: proved side by side, one of them is let in.
TEST_F(LedgerTest, AUsersLastPlaceIsTakenOnce) {
    const auto first_use = [&](const std::string& id, const std::string& device, const std::string& user) {
        Commit commit;
        commit.record = accepted(id);
        commit.pin = pin_of(device, user);
        commit.pin->user_principal_name = "Alice@corp.example";
        commit.most_devices = 3;
        return commit;
    };
    ASSERT_TRUE(ledger->save(first_use("a", "phone", "user-1"), k_now));
    ASSERT_TRUE(ledger->save(first_use("b", "laptop", "user-1"), k_now));
    // The second comes with another id for the same person: the service's word, which makes no second person.
    std::vector<Commit> group{first_use("c", "tablet", "user-1"), first_use("d", "watch", "user-9")};
    group[1].pin->user_principal_name = "alice@CORP.example";
    const auto answers = ledger->save_many(group, {k_now, k_now});
    EXPECT_TRUE(answers[0]);
    ASSERT_FALSE(answers[1]);
    EXPECT_EQ(answers[1].error().kind, ErrorKind::conflict) << "it is proved again, and then held";
    const auto view = [&] {
        return ledger->look_up(*DeviceId::parse("watch"), *UserId::parse("user-9"), "alice@corp.example",
                               hash_of("watch"), k_now);
    };
    EXPECT_EQ(view()->devices_of_user, 3U);
    EXPECT_EQ(ledger->pins()->size(), 3U);
    ASSERT_TRUE(ledger->block({trust::BlockedThing::device, "phone", "root", k_now}));
    EXPECT_EQ(view()->devices_of_user, 2U) << "a blocked device is no live one";
    EXPECT_TRUE(ledger->save(group[1], k_now));
}

// One phone under two names, proved side by side.
TEST_F(LedgerTest, OneKeyIsNotPinnedForTwoDevicesUnseen) {
    const auto first_use = [&](const std::string& id, const std::string& device) {
        Commit commit;
        commit.record = accepted(id);
        commit.pin = pin_of(device, "user-1");
        commit.pin->spki_sha256 = hash_of("the one key");
        commit.key_alone = true;
        return commit;
    };
    const auto group = std::vector{first_use("a", "phone"), first_use("b", "watch")};
    const auto answers = ledger->save_many(group, {k_now, k_now});
    EXPECT_TRUE(answers[0]);
    ASSERT_FALSE(answers[1]);
    EXPECT_EQ(answers[1].error().code, "pinChanged");
    const auto view =
        ledger->look_up(*DeviceId::parse("watch"), *UserId::parse("user-1"), "user-1", hash_of("the one key"), k_now);
    ASSERT_TRUE(view->key_elsewhere);
    EXPECT_EQ(view->key_elsewhere->device.text(), "phone");
}

TEST_F(LedgerTest, ADeviceIsOneInAnyLetters) {
    Commit commit;
    commit.record = accepted("a");
    commit.pin = pin_of("Phone-1", "user-1");
    ASSERT_TRUE(ledger->save(commit, k_now));
    ASSERT_TRUE(ledger->approve(
        {*UserId::parse("user-1"), "user-1", *DeviceId::parse("PHONE-1"), hash_of("k"), "root", k_now, k_now + 1h}));
    for (const auto* device : {"Phone-1", "phone-1", "PHONE-1"}) {
        const auto view =
            ledger->look_up(*DeviceId::parse(device), *UserId::parse("user-1"), "user-1", hash_of("k"), k_now);
        EXPECT_TRUE(view->pin && view->approval) << device;
        EXPECT_EQ(view->devices_of_user, 0U) << device;
    }
    EXPECT_EQ(ledger->bind({pin_of("pHONE-1", "user-2")}, false).error().code, "recipientKnown");
    auto withdrawn = accepted("w");
    EXPECT_EQ(ledger->open_of(withdrawn.request.user.id, *DeviceId::parse("DEVICE-of-user-1"), k_now + 1h)->size(), 2U);
    EXPECT_TRUE(*ledger->forget(*DeviceId::parse("PHONE-1")));
    EXPECT_TRUE(ledger->pins()->empty());
}

trust::Pin by_hand(const std::string& device, const std::string& user_principal_name, const std::string& key = "") {
    trust::Pin pin;
    pin.device = *DeviceId::parse(device);
    pin.user_principal_name = user_principal_name;
    if (!key.empty()) pin.spki_sha256 = hash_of(key);
    pin.source = "register:bind";
    pin.first_seen = pin.last_seen = k_now;
    return pin;
}

TEST_F(LedgerTest, WhatIsBoundByHandIsKnownAndStaysSo) {
    const auto before =
        ledger->bind({by_hand("phone", "alice@corp.example"), by_hand("laptop", "bob@corp.example", "k")}, false);
    ASSERT_TRUE(before) << before.error().message;
    EXPECT_EQ(before->size(), 2U);
    EXPECT_FALSE((*before)[0] || (*before)[1]);
    reopen();
    EXPECT_EQ(ledger->counts()->pins_by_state.at("pinned"), 2U);
    const auto pin =
        ledger
            ->look_up(*DeviceId::parse("phone"), *UserId::parse("user-1"), "alice@corp.example", hash_of("new"), k_now)
            ->pin;
    ASSERT_TRUE(pin);
    EXPECT_TRUE(pin->user.empty());
    EXPECT_FALSE(trust::key_known(*pin));
    EXPECT_EQ(pin->user_principal_name, "alice@corp.example");
    // Said again, with what was open filled in: what was known stays.
    auto more = by_hand("phone", "ALICE@corp.example", "its key");
    more.user = *UserId::parse("user-1");
    ASSERT_TRUE(ledger->bind({more}, false));
    ASSERT_TRUE(ledger->bind({by_hand("phone", "alice@corp.example")}, false));
    const auto full = ledger->pins()->back();
    EXPECT_EQ(full.spki_sha256, hash_of("its key"));
    EXPECT_EQ(full.user.text(), "user-1");
}

TEST_F(LedgerTest, AListIsBoundAsAWholeOrNotAtAll) {
    ASSERT_TRUE(ledger->bind({by_hand("phone", "alice@corp.example", "k")}, false));
    for (const auto& other :
         {by_hand("phone", "bob@corp.example", "k"), by_hand("phone", "alice@corp.example", "k2")}) {
        const auto refused = ledger->bind({by_hand("new", "carla@corp.example"), other}, false);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code, "recipientKnown");
        EXPECT_EQ(ledger->pins()->size(), 1U);
        EXPECT_EQ(ledger->pins()->front().spki_sha256, hash_of("k"));
        reopen();
        EXPECT_EQ(ledger->counts()->quarantined, 0U) << "nor does a pin seem to be missing";
    }
    const auto replaced =
        ledger->bind({by_hand("new", "carla@corp.example"), by_hand("phone", "bob@corp.example")}, true);
    ASSERT_TRUE(replaced);
    ASSERT_TRUE((*replaced)[1]);
    EXPECT_EQ((*replaced)[1]->user_principal_name, "alice@corp.example");
    EXPECT_FALSE(trust::key_known(ledger->pins()->back())) << "another user's key is not his";
}

TEST_F(LedgerTest, AForgottenDeviceIsAFirstUse) {
    ASSERT_TRUE(ledger->bind({by_hand("phone", "alice@corp.example", "k")}, false));
    ASSERT_TRUE(ledger->block({trust::BlockedThing::key, hash_of("k").hex(), "root", k_now}));
    const auto phone = *DeviceId::parse("phone");
    const auto look = [&](const std::string& key) {
        return *ledger->look_up(phone, *UserId::parse("user-1"), "alice@corp.example", hash_of(key), k_now);
    };
    EXPECT_TRUE(look("k2").pinned_key_blocked) << "it vouches for no other";
    EXPECT_FALSE(look("k2").block);
    const auto gone = ledger->forget(phone);
    ASSERT_TRUE(gone && *gone);
    EXPECT_EQ((*gone)->spki_sha256, hash_of("k"));
    EXPECT_FALSE(*ledger->forget(phone));
    reopen();
    EXPECT_FALSE(look("k2").pin) << "and the register is complete without it";
    EXPECT_TRUE(look("k").block) << "what was blocked stays so";
}

TEST_F(LedgerTest, WhatWasProvedOfAPinThatHasChangedSinceIsNotKept) {
    Commit commit;
    commit.record = accepted("r1");
    commit.pin = pin_of("phone");
    ASSERT_TRUE(ledger->save(commit, k_now));
    const auto old = *commit.pin;

    commit.record = accepted("r2");
    commit.pin->spki_sha256 = hash_of("new key");
    EXPECT_EQ(ledger->save(commit, k_now).error().code, "pinChanged") << "it was proved as a first use";
    commit.pin_seen = old;
    const auto of_another_order = commit;
    ASSERT_TRUE(ledger->save(commit, k_now)) << "the change was seen and proved";
    commit = of_another_order;
    commit.record = accepted("r3");
    EXPECT_EQ(ledger->save(commit, k_now).error().code, "pinChanged") << "the same change, proved side by side";
    commit.pin_seen = commit.pin;
    EXPECT_TRUE(ledger->save(commit, k_now));
}

TEST_F(LedgerTest, IssuedCertificatesAreFoundHoweverTheyAreWritten) {
    Commit commit;
    commit.record = accepted("r1");
    commit.issued = issued_of("00AB12");
    ASSERT_TRUE(ledger->save(commit, k_now));
    const auto found = ledger->find_issued("cn=issuing ca, o=corp", "ab12");
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->sha256, commit.issued->sha256);
    EXPECT_EQ((*found)->serial_number, "ab12");
    EXPECT_FALSE((*found)->revoked_at);
    EXPECT_FALSE(*ledger->find_issued("CN=Other", "ab12"));
    EXPECT_FALSE(*ledger->find_issued("CN=Issuing CA,O=Corp", "ab13"));

    ASSERT_TRUE(ledger->mark_revoked(commit.issued->sha256, "keyCompromise", k_now + 1h));
    ASSERT_TRUE(ledger->mark_revoked(commit.issued->sha256, "superseded", k_now + 2h));
    commit.record = record("r1");
    ASSERT_TRUE(ledger->save(commit, k_now)) << "saying it again does not undo the revocation";
    const auto revoked = ledger->issued(10)->front();
    EXPECT_EQ(revoked.revoked_at, k_now + 1h);
    EXPECT_EQ(revoked.revocation_reason, "keyCompromise");
    EXPECT_EQ(ledger->mark_revoked(hash_of("none"), "x", k_now).error().code, "certificateUnknown");
}

TEST_F(LedgerTest, SequenceGrowsThroughAnything) {
    const auto first = *ledger->next_sequence(k_now);
    EXPECT_EQ(first, static_cast<std::uint64_t>(seconds_of(k_now)) * 1000);
    EXPECT_EQ(*ledger->next_sequence(k_now), first + 1);
    EXPECT_EQ(*ledger->next_sequence(k_now - 24h), first + 2);
    reopen();
    EXPECT_EQ(*ledger->next_sequence(k_now - 24h), first + 3);
    EXPECT_GT(*ledger->next_sequence(k_now + 1s), first + 3);
}

TEST_F(LedgerTest, AuditAnchorGoesWithTheNextCommit) {
    EXPECT_FALSE(*ledger->audit_anchor());
    const AuditAnchor anchor{42, hash_of("line 42")};
    ledger->set_audit_anchor(anchor);
    EXPECT_EQ(*ledger->audit_anchor(), anchor);
    const auto before = ledger->generation();
    accepted("r1");
    EXPECT_EQ(ledger->generation(), before + 1);
    reopen();
    EXPECT_EQ(*ledger->audit_anchor(), anchor);
    ledger->set_audit_anchor({43, hash_of("line 43")});
    reopen();
    EXPECT_EQ((*ledger->audit_anchor())->sequence, 43U) << "the destructor writes what is left";
}

TEST_F(LedgerTest, LimitHoldsOverASlidingHourAndAReopening) {
    const auto charge = [&](const std::string& subject, UtcTime now) {
        Commit commit;
        commit.record = accepted(subject);
        commit.record.stage = Stage::submitting;
        commit.charges = {charge_of(subject, 2)};
        return ledger->save(commit, now);
    };
    ASSERT_TRUE(charge("a", k_now));
    ASSERT_TRUE(charge("b", k_now + 30min));
    reopen();
    const auto refused = charge("c", k_now + 40min);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, ErrorKind::throttled);
    EXPECT_EQ(refused.error().code, "limitReached");
    EXPECT_EQ(refused.error().message, "issue_per_hour: 2 of 2 used");
    EXPECT_EQ(refused.error().retry_after, 20min);
    EXPECT_EQ(record("c").stage, Stage::accepted) << "nothing of it is written";
    EXPECT_EQ(ledger->meters(k_now + 40min)->front().used, 2U);
    EXPECT_TRUE(charge("c", k_now + 60min));
    EXPECT_FALSE(charge("d", k_now + 61min));
    // A clock that goes back makes no room.
    EXPECT_FALSE(charge("d", k_now - 24h));
    ASSERT_TRUE(ledger->purge(k_now + 61min, k_now - 24h));
    EXPECT_FALSE(charge("d", k_now + 61min));
    EXPECT_TRUE(charge("d", k_now + 91min));
    reopen();
    EXPECT_EQ(ledger->meters(k_now + 91min)->front().used, 2U);
    EXPECT_TRUE(reported.empty());
}

TEST_F(LedgerTest, ASerialNumberNamesOneCertificateOfAnAuthority) {
    const auto keep = [&](const std::string& id, const ports::IssuedCertificate& certificate, bool packed = true) {
        Commit commit;
        commit.record = accepted(id);
        commit.issued = certificate;
        if (packed)
            commit.wrapped_for = ports::Addressee{*DeviceId::parse("phone"), *UserId::parse("user-1"),
                                                  "anna@corp.example", hash_of("key")};
        return ledger->save(commit, k_now);
    };
    auto certificate = issued_of("0a");
    ASSERT_TRUE(keep("r1", certificate));
    EXPECT_TRUE(keep("r2", certificate)) << "the same one";
    certificate.sha256 = hash_of("another");
    const auto refused = keep("r3", certificate);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, "certificateMismatch");
    EXPECT_EQ(refused.error().message.find("serialNumber: "), 0U) << refused.error().message;
    EXPECT_TRUE(keep("r4", certificate, false)) << "what is no package is written down, to be revoked";
    certificate.sha256 = hash_of("of another CA");
    certificate.issuer = "CN=Other CA";
    EXPECT_TRUE(keep("r5", certificate));
}

TEST_F(LedgerTest, APackageForWhoWasBlockedMeanwhileIsNotKept) {
    const ports::Addressee whole{*DeviceId::parse("phone"), *UserId::parse("user-1"), "anna@corp.example",
                                 hash_of("key")};
    const auto keep = [&](const std::string& id, const ports::Addressee& whom) {
        Commit commit;
        commit.record = accepted(id);
        commit.record.stage = Stage::packaged;
        commit.record.sealed_package = {1, 2, 3};
        commit.wrapped_for = whom;
        return ledger->save(commit, k_now);
    };
    ASSERT_TRUE(ledger->block({trust::BlockedThing::device, "TABLET", "root", k_now}));
    ASSERT_TRUE(ledger->block({trust::BlockedThing::user, "user-2", "root", k_now}));
    ASSERT_TRUE(ledger->block({trust::BlockedThing::user, "Ben@Corp.Example", "root", k_now}));
    ASSERT_TRUE(ledger->block({trust::BlockedThing::key, hash_of("old key").hex(), "root", k_now}));
    std::array<ports::Addressee, 5> blocked{whole, whole, whole, whole, whole};
    blocked[0].device = *DeviceId::parse("tablet");
    blocked[1].user = *UserId::parse("user-2");
    blocked[2].user_principal_name = "ben@corp.example";
    blocked[3].spki_sha256 = hash_of("old key");
    blocked[4].user_principal_name = "ben@\xEF\xBD\x83orp.example";  // a full-width c
    int n = 0;
    for (const auto& whom : blocked) {
        const auto id = "r" + std::to_string(++n);
        const auto kept = keep(id, whom);
        ASSERT_FALSE(kept) << id;
        EXPECT_EQ(kept.error().kind, ErrorKind::refused);
        EXPECT_EQ(kept.error().code, "recipientUntrusted");
        EXPECT_EQ(record(id).stage, Stage::accepted);
        EXPECT_TRUE(record(id).sealed_package.empty());
    }
    EXPECT_TRUE(keep("r9", whole));
}

TEST_F(LedgerTest, WhatAClockAheadHasCountedGoesAWindowLater) {
    const auto year = 24h * 365;
    ASSERT_TRUE(ledger->count(charge_of("ahead", 2), k_now + year));
    ASSERT_TRUE(ledger->count(charge_of("now", 2), k_now));
    EXPECT_EQ(ledger->meters(k_now)->front().used, 2U);
    ASSERT_TRUE(ledger->purge(k_now, k_now - 24h));
    ASSERT_TRUE(ledger->purge(k_now + 59min, k_now - 24h));
    EXPECT_EQ(ledger->meters(k_now + 59min)->front().used, 2U);
    ASSERT_TRUE(ledger->purge(k_now + 60min, k_now - 24h));
    EXPECT_EQ(ledger->meters(k_now + 60min)->front().used, 0U);
    reopen();
    EXPECT_EQ(ledger->meters(k_now + 60min)->front().used, 0U);
    EXPECT_TRUE(reported.empty());
}

TEST_F(LedgerTest, DistinctMeterCountsPeople) {
    const auto open_key = [&](const std::string& user, UtcTime now) {
        Commit commit;
        commit.record = accepted("r1");
        commit.charges = {charge_of(user, 2, true)};
        return ledger->save(commit, now);
    };
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(open_key("anna", k_now + i * 10min));
    EXPECT_TRUE(open_key("ben", k_now));
    EXPECT_FALSE(open_key("carl", k_now + 50min));
    EXPECT_TRUE(open_key("anna", k_now + 50min));
    EXPECT_EQ(ledger->meters(k_now + 50min)->front().used, 2U);
    // Ben has left the window; Anna is in it by her last use, not her first.
    EXPECT_TRUE(open_key("carl", k_now + 61min));
    EXPECT_FALSE(open_key("ben", k_now + 62min));
}

TEST_F(LedgerTest, LimitOfZeroIsCountedOnly) {
    for (int i = 0; i < 300; ++i) ASSERT_TRUE(ledger->count(charge_of("x", 0), k_now));
    const auto uses = ledger->meters(k_now);
    EXPECT_EQ(uses->front().used, 300U);
    EXPECT_EQ(uses->front().limit, 0U);
    Commit commit;
    commit.record = accepted("r1");
    commit.charges = {charge_of("r1", 0)};
    EXPECT_TRUE(ledger->save(commit, k_now));
}

TEST_F(LedgerTest, CountIsNeverRefused) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(ledger->count(charge_of("x", 2), k_now));
    EXPECT_EQ(ledger->meters(k_now)->front().used, 5U);
}

TEST_F(LedgerTest, MetersOfUsersAreApartAndGoWhenEmpty) {
    const request::Charge anna{"issue_per_user_per_day", "anna", "r", 24h, 10, false};
    auto ben = anna;
    ben.scope = "ben";
    ASSERT_TRUE(ledger->count(anna, k_now));
    ASSERT_TRUE(ledger->count(ben, k_now));
    ASSERT_TRUE(ledger->count(ben, k_now + 1h));
    ASSERT_EQ(ledger->meters(k_now + 1h)->size(), 1U);
    EXPECT_EQ(ledger->meters(k_now + 1h)->front().used, 2U) << "the one that is used most";
    ASSERT_TRUE(ledger->purge(k_now + 24h, k_now));
    reopen();
    EXPECT_EQ(ledger->meters(k_now + 24h)->front().used, 1U);
    ASSERT_TRUE(ledger->purge(k_now + 48h, k_now));
    reopen();
    EXPECT_TRUE(ledger->meters(k_now + 48h)->empty());
    EXPECT_TRUE(reported.empty());
}

}  // namespace
}  // namespace connector::storage::test
