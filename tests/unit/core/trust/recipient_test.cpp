#include "core/trust/recipient.hpp"

#include "tests/unit/core/samples.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace connector::trust {
namespace {

using request::HeldReason;
using samples::begins_with;
using samples::contains;
using samples::now;

const Sha256 k_key = samples::filled<Sha256>(0xA1);
const Sha256 k_other_key = samples::filled<Sha256>(0xB2);

// One claim before the judge; a test changes one thing in it.
struct Claim {
    request::CertificateRequest request = samples::issue_request();
    CertificateFacts facts = samples::phone_certificate();
    bool directly_issued = true;
    RecipientRules rules = samples::recipient_rules();
    RegisterView known;

    [[nodiscard]] RecipientVerdict verdict(UtcTime when = now()) const {
        return prove_recipient(request, facts, directly_issued, rules, known, when);
    }
};

std::string_view word(HeldReason reason) {
    return to_string(reason);
}

// "accepted SOURCE", "held REASON" or "CODE MESSAGE".
std::string said(const RecipientVerdict& verdict) {
    if (const auto* recipient = std::get_if<Recipient>(&verdict.answer)) return "accepted " + recipient->source();
    if (const auto* hold = std::get_if<Hold>(&verdict.answer)) return "held " + std::string(word(hold->reason));
    return samples::fault_of(std::get<Error>(verdict.answer));
}

Pin pin_of(const Claim& claim) {
    Pin pin;
    pin.device = claim.request.device.id;
    pin.user = claim.request.user.id;
    pin.user_principal_name = claim.request.user.user_principal_name;
    pin.spki_sha256 = claim.facts.key.spki_sha256;
    pin.source = "register:bind";
    pin.first_seen = samples::at("2026-01-01T00:00:00Z");
    return pin;
}
Claim registered() {
    Claim claim;
    claim.rules.binding = Binding::register_;
    claim.known.pin = pin_of(claim);
    return claim;
}
Approval approval_of(const Claim& claim) {
    return {claim.request.user.id,
            claim.request.user.user_principal_name,
            claim.request.device.id,
            claim.facts.key.spki_sha256,
            "root",
            now(),
            now() + std::chrono::hours{1}};
}
EnrolmentWindow window(std::uint32_t max, std::uint32_t used) {
    return {now() - std::chrono::hours{1}, now() + std::chrono::hours{1}, max, used, "root"};
}

TEST(Recipient, cannot_be_made_without_its_proof) {
    static_assert(!std::is_default_constructible_v<Recipient>);
    static_assert(!std::is_aggregate_v<Recipient>);
}

TEST(RecipientByCertificate, is_proved) {
    const Claim claim;
    const auto verdict = claim.verdict();
    ASSERT_EQ(said(verdict), "accepted certificate");
    const auto& recipient = std::get<Recipient>(verdict.answer);
    EXPECT_EQ(recipient.device(), claim.request.device.id);
    EXPECT_EQ(recipient.user(), claim.request.user.id);
    EXPECT_EQ(recipient.user_principal_name(), "alice@corp.example");
    EXPECT_EQ(recipient.certificate().der, claim.request.device.recipient_certificate);
    ASSERT_TRUE(verdict.pin);
    EXPECT_EQ(verdict.pin->spki_sha256, k_key);
    EXPECT_EQ(verdict.pin->source, "certificate");
    EXPECT_EQ(verdict.pin->first_seen, now());
    EXPECT_TRUE(verdict.new_recipient);
    EXPECT_FALSE(verdict.uses_window);
    EXPECT_TRUE(verdict.notes.empty());
}

using Change = std::function<void(Claim&)>;

TEST(Recipient, certificates_that_are_taken) {
    const struct {
        const char* what;
        Change change;
    } cases[] = {
        {"case of the device's name",  // AT-08
         [](Claim& c) { c.facts.alternative_names[0].value = "URN:Device:D-PHONE-1"; }},
        {"case of the UPN", [](Claim& c) { c.facts.alternative_names[1].value = "Alice@CORP.example"; }},
        {"dNSName",
         [](Claim& c) {
             c.rules.device = DeviceNaming::san_dns;
             c.facts.alternative_names[0] = {NameForm::dns, "D-Phone-1"};
         }},
        {"common name",
         [](Claim& c) {
             c.rules.device = DeviceNaming::common_name;
             c.facts.alternative_names.erase(c.facts.alternative_names.begin());
         }},
        {"dedicated authority",
         [](Claim& c) {
             c.rules.required_eku.clear();
             c.rules.dedicated_ca = true;
             c.facts.extended_key_usage.reset();
         }},
        {"required policy",
         [](Claim& c) {
             c.rules.required_eku.clear();
             c.rules.required_policy = {"1.2.3", "1.2.4"};
             c.facts.policies = {"1.2.4"};
         }},
        {"RSA-4096", [](Claim& c) { c.facts.key.bits = 4096; }},
        {"no keyUsage", [](Claim& c) { c.facts.key_usage.reset(); }},
        {"P-256",
         [](Claim& c) {
             c.facts.key = {KeyAlgorithm::ec, 256, false, "P-256", k_key};
             c.facts.key_usage = KeyUsage(KeyUsage::k_key_agreement);
         }},
        {"P-521 without keyUsage",
         [](Claim& c) {
             c.facts.key = {KeyAlgorithm::ec, 521, false, "P-521", k_key};
             c.facts.key_usage.reset();
         }},
        {"first second of validity", [](Claim& c) { c.facts.not_before = now(); }},
        {"last second of validity", [](Claim& c) { c.facts.not_after = now(); }},
        {"user by mailbox",
         [](Claim& c) {
             c.rules.user_identity = UserIdentity::san_email;
             c.facts.alternative_names[1] = {NameForm::email, "ALICE@corp.example"};
         }},
    };
    for (const auto& it : cases) {
        Claim claim;
        it.change(claim);
        EXPECT_EQ(said(claim.verdict()), "accepted certificate") << it.what;
    }
}

TEST(Recipient, certificates_that_are_not_trusted) {  // AT-07 to AT-11
    const auto uri = [](const std::string& value) {
        return [value](Claim& c) { c.facts.alternative_names[0].value = value; };
    };
    const auto common_name = [](const char* subject) {
        return [subject](Claim& c) {
            c.rules.device = DeviceNaming::common_name;
            c.facts.subject = parse_name(subject).value();
        };
    };
    const auto purpose = [](std::string_view oid) {
        return [oid](Claim& c) { c.facts.extended_key_usage->emplace_back(oid); };
    };
    const struct {
        const char* what;
        Change change;
        const char* part;
    } cases[] = {
        {"sub-CA of the same root", [](Claim& c) { c.directly_issued = false; }, "direct issuer"},
        {"signed with SHA-1", [](Claim& c) { c.facts.signature_strong = false; }, "can be forged"},
        {"emailProtection", purpose(eku::k_email_protection), "emailProtection"},
        {"any purpose", purpose(eku::k_any), "anyExtendedKeyUsage"},
        {"CA", [](Claim& c) { c.facts.is_ca = true; }, "certification authority"},
        {"keyCertSign",
         [](Claim& c) { c.facts.key_usage = KeyUsage(KeyUsage::k_key_encipherment | KeyUsage::k_key_cert_sign); },
         "certification authority"},
        {"required EKU missing", [](Claim& c) { c.facts.extended_key_usage = {"1.2.3"}; }, "required_eku"},
        {"no EKU at all", [](Claim& c) { c.facts.extended_key_usage.reset(); }, "required_eku"},
        {"required EKU missing, dedicated authority",
         [](Claim& c) {
             c.rules.dedicated_ca = true;
             c.facts.extended_key_usage.reset();
         },
         "required_eku"},
        {"required policy missing", [](Claim& c) { c.rules.required_policy = {"1.2.3"}; }, "required_policy"},
        {"no mark and no word of the operator", [](Claim& c) { c.rules.required_eku.clear(); }, "dedicated_ca"},
        {"another device", uri("urn:device:d-phone-2"), "not /device/id"},
        {"prefix", uri("urn:device:d-phone-11"), "not /device/id"},
        {"suffix", uri("urn:device:xd-phone-1"), "not /device/id"},
        {"NUL", uri(std::string("urn:device:d-phone-1\0.evil", 26)), "not /device/id"},
        {"trailing dot", uri("urn:device:d-phone-1."), "not /device/id"},
        {"another kind of URI", uri("https://d-phone-1"), "exactly one"},
        {"bare URI", uri("d-phone-1"), "exactly one"},
        {"empty device", uri("urn:device:"), "not /device/id"},
        {"two URIs",
         [](Claim& c) {
             c.facts.alternative_names.push_back({NameForm::uri, "urn:device:d-mallory"});
         },
         "exactly one"},
        {"two URIs, one of another kind",
         [](Claim& c) {
             c.facts.alternative_names.push_back({NameForm::uri, "https://x.example"});
         },
         "exactly one"},
        {"the same URI twice",
         [](Claim& c) {
             c.facts.alternative_names.push_back({NameForm::uri, "urn:device:d-phone-1"});
         },
         "exactly one"},
        {"no SAN", [](Claim& c) { c.facts.alternative_names.clear(); }, "exactly one"},
        {"two CNs", common_name("CN=d-phone-1,CN=d-mallory"), "exactly one"},
        {"two CNs in one RDN by other types", common_name("CN=d-mallory+O=x,CN=d-phone-1"), "exactly one"},
        {"another CN", common_name("CN=d-mallory"), "not /device/id"},
        {"no CN", common_name("O=Corp"), "exactly one"},
        {"CN of this device, URI of another",
         [](Claim& c) {
             c.rules.device = DeviceNaming::common_name;
             c.facts.alternative_names[0].value = "urn:device:d-mallory";
         },
         "second device"},
        {"two dNSNames",
         [](Claim& c) {
             c.rules.device = DeviceNaming::san_dns;
             c.facts.alternative_names = {{NameForm::dns, "d-phone-1"}, {NameForm::dns, "d-mallory"}};
         },
         "exactly one"},
        {"RSA-1024", [](Claim& c) { c.facts.key.bits = 1024; }, "1024 bits"},
        {"RSA-2047", [](Claim& c) { c.facts.key.bits = 2047; }, "2047 bits"},
        {"RSA-16384", [](Claim& c) { c.facts.key.bits = 16384; }, "16384 bits"},
        {"e = 3", [](Claim& c) { c.facts.key.exponent_fit = false; }, "exponent"},
        {"EC by explicit parameters",
         [](Claim& c) {
             c.facts.key = {KeyAlgorithm::ec, 256, false, "", k_key};
         },
         "named curve"},
        {"secp256k1",
         [](Claim& c) {
             c.facts.key = {KeyAlgorithm::ec, 256, false, "secp256k1", k_key};
         },
         "named curve"},
        {"RSA for signing only", [](Claim& c) { c.facts.key_usage = KeyUsage(KeyUsage::k_digital_signature); },
         "keyEncipherment"},
        {"EC for signing only",
         [](Claim& c) {
             c.facts.key = {KeyAlgorithm::ec, 256, false, "P-256", k_key};
             c.facts.key_usage = KeyUsage(KeyUsage::k_digital_signature);
         },
         "keyAgreement"},
        {"not yet valid", [](Claim& c) { c.facts.not_before = now() + std::chrono::seconds{1}; }, "not valid before"},
        {"expired", [](Claim& c) { c.facts.not_after = now() - std::chrono::seconds{1}; }, "expired"},
        {"a key of ours", [](Claim& c) { c.known.key_is_ours = true; }, "this connector"},
        {"blocked device",
         [](Claim& c) {
             c.known.block = Block{BlockedThing::device, "d-phone-1", "root", now()};
         },
         "device is blocked"},
        {"blocked user",
         [](Claim& c) {
             c.known.block = Block{BlockedThing::user, "u-alice", "root", now()};
         },
         "user is blocked"},
        {"blocked key",
         [](Claim& c) {
             c.known.block = Block{BlockedThing::key, k_key.hex(), "root", now()};
         },
         "key is blocked"},
    };
    for (const auto& it : cases) {
        for (const auto binding : {Binding::certificate, Binding::register_, Binding::service}) {
            Claim claim;
            claim.rules.binding = binding;
            it.change(claim);
            // Neither a pin nor a person's word makes up for a certificate that is not one.
            claim.known.pin = pin_of(claim);
            claim.known.approval = approval_of(claim);
            const auto verdict = claim.verdict();
            EXPECT_TRUE(begins_with(said(verdict), "recipientUntrusted /device/recipientCertificate: "))
                << it.what << ": " << said(verdict);
            EXPECT_TRUE(contains(said(verdict), it.part)) << it.what << ": " << said(verdict);
            EXPECT_FALSE(verdict.pin) << it.what;
        }
    }
}

TEST(Recipient, keys_that_cannot_be_wrapped_for_are_unsupported) {
    for (const auto algorithm : {KeyAlgorithm::rsa_pss, KeyAlgorithm::other}) {
        Claim claim;
        claim.facts.key.algorithm = algorithm;
        EXPECT_TRUE(begins_with(said(claim.verdict()), "unsupported /device/recipientCertificate: "));
    }
}

TEST(Recipient, valid_at_intake_and_expired_at_wrapping) {  // AT-12
    Claim claim;
    EXPECT_EQ(said(claim.verdict(now())), "accepted certificate");
    EXPECT_TRUE(begins_with(said(claim.verdict(samples::at("2028-01-01T00:00:00Z"))), "recipientUntrusted "));
}

TEST(Recipient, is_of_the_very_certificate_in_the_request) {
    Claim claim;
    claim.facts.der.push_back(0);
    EXPECT_EQ(std::get<Error>(claim.verdict().answer).kind, ErrorKind::internal);
}

TEST(Recipient, needs_user_and_device) {
    for (int field = 0; field < 3; ++field) {
        Claim claim;
        if (field == 0) claim.request.user.id = UserId();
        if (field == 1) claim.request.device.id = DeviceId();
        if (field == 2) claim.request.user.user_principal_name.clear();
        EXPECT_TRUE(begins_with(said(claim.verdict()), "recipientUnbound ")) << field;
    }
}

TEST(RecipientByCertificate, another_user_is_unbound) {  // AT-01
    const std::vector<std::vector<GeneralName>> several = {
        {{NameForm::upn, "mallory@corp.example"}},
        {{NameForm::upn, "alice@corp.example"}, {NameForm::upn, "mallory@corp.example"}},
        {{NameForm::upn, std::string("alice@corp.example\0", 19)}},
        {{NameForm::upn, ""}},
        {{NameForm::email, "alice@corp.example"}},
        {},
    };
    for (const auto& users : several) {
        Claim claim;
        claim.facts.alternative_names.erase(claim.facts.alternative_names.begin() + 1);
        for (const auto& user : users) claim.facts.alternative_names.push_back(user);
        claim.known.pin = pin_of(claim);
        claim.known.approval = approval_of(claim);
        EXPECT_TRUE(begins_with(said(claim.verdict()), "recipientUnbound /user/userPrincipalName: "))
            << said(claim.verdict());
    }
    Claim claim;
    claim.rules.user_identity = UserIdentity::san_email;
    claim.facts.alternative_names[1] = {NameForm::email, "alice@corp.example"};
    claim.facts.alternative_names.push_back({NameForm::smtp_utf8, "älice@corp.example"});
    EXPECT_TRUE(begins_with(said(claim.verdict()), "recipientUnbound "));
}

TEST(RecipientByCertificate, changes_that_the_certificate_proves_pass_and_are_noted) {
    Claim claim;
    claim.known.pin = pin_of(claim);
    claim.known.pin->spki_sha256 = k_other_key;
    auto verdict = claim.verdict();
    EXPECT_EQ(said(verdict), "accepted certificate");
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_TRUE(contains(verdict.notes[0], k_other_key.hex()));
    EXPECT_TRUE(verdict.new_recipient);

    claim.known.pin = pin_of(claim);
    claim.known.pin->user = *UserId::parse("u-bob");
    claim.known.pin->user_principal_name = "bob@corp.example";
    verdict = claim.verdict();
    EXPECT_EQ(said(verdict), "accepted certificate");
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_TRUE(contains(verdict.notes[0], "bob@corp.example"));
}

TEST(Recipient, the_same_again_is_no_new_recipient_and_keeps_its_first_day) {
    for (const auto binding : {Binding::certificate, Binding::register_, Binding::service}) {
        auto claim = registered();
        claim.rules.binding = binding;
        claim.known.devices_of_user = 100;  // its place was taken long ago
        const auto verdict = claim.verdict();
        ASSERT_TRUE(begins_with(said(verdict), "accepted ")) << said(verdict);
        EXPECT_FALSE(verdict.new_recipient);
        EXPECT_FALSE(verdict.uses_window);
        ASSERT_TRUE(verdict.pin);
        EXPECT_EQ(verdict.pin->first_seen, samples::at("2026-01-01T00:00:00Z"));
        EXPECT_EQ(verdict.pin->last_seen, now());
    }
}

TEST(RecipientByRegister, known_pair) {
    const auto claim = registered();
    EXPECT_EQ(said(claim.verdict()), "accepted register:bind");
    EXPECT_EQ(claim.verdict().pin->source, "register:bind");
    auto by_name = registered();  // bound by hand, when the service's id was not known
    by_name.known.pin->user = UserId();
    EXPECT_EQ(said(by_name.verdict()), "accepted register:bind");
}

TEST(RecipientByRegister, first_use_in_a_window_and_outside) {  // AT-06
    Claim claim;
    claim.rules.binding = Binding::register_;
    EXPECT_EQ(said(claim.verdict()), "held new_recipient");
    claim.known.window = window(2, 1);
    auto verdict = claim.verdict();
    EXPECT_EQ(said(verdict), "accepted register:window");
    EXPECT_TRUE(verdict.uses_window);
    EXPECT_FALSE(verdict.new_recipient) << "the window has a number of its own";
    claim.known.window = window(2, 2);
    EXPECT_EQ(said(claim.verdict()), "held new_recipient");
    claim.known.window = window(2, 0);
    claim.known.window->until = now();
    EXPECT_EQ(said(claim.verdict()), "held new_recipient");
}

TEST(RecipientByRegister, changes_are_held_also_inside_a_window) {  // AT-05, AT-40
    for (const bool open : {false, true}) {
        auto claim = registered();
        if (open) claim.known.window = window(10, 0);
        claim.known.pin->spki_sha256 = k_other_key;
        auto verdict = claim.verdict();
        EXPECT_EQ(said(verdict), "held key_change");
        EXPECT_TRUE(contains(std::get<Hold>(verdict.answer).detail, k_other_key.hex()));
        EXPECT_TRUE(contains(std::get<Hold>(verdict.answer).detail, k_key.hex()));
        EXPECT_FALSE(verdict.pin);

        claim = registered();
        if (open) claim.known.window = window(10, 0);
        claim.known.pin->user = *UserId::parse("u-bob");
        claim.known.pin->user_principal_name = "bob@corp.example";
        EXPECT_EQ(said(claim.verdict()), "held user_change");
        claim.known.pin->spki_sha256 = k_other_key;
        EXPECT_EQ(said(claim.verdict()), "held user_change");
    }
}

TEST(RecipientByRegister, id_and_name_both_make_the_user) {
    auto other_id = registered();
    other_id.known.pin->user = *UserId::parse("u-bob");
    EXPECT_EQ(said(other_id.verdict()), "held user_change");
    auto other_name = registered();
    other_name.known.pin->user_principal_name = "bob@corp.example";
    EXPECT_EQ(said(other_name.verdict()), "held user_change");
}

TEST(RecipientByRegister, the_operator_may_let_changes_through) {
    const struct {
        ChangeRule rule;
        const char* answer;
        std::size_t notes;
    } cases[] = {{ChangeRule::hold, "held key_change", 0},
                 {ChangeRule::audit, "accepted register:bind", 1},
                 {ChangeRule::allow, "accepted register:bind", 0}};
    for (const auto& it : cases) {
        auto claim = registered();
        claim.rules.key_change = it.rule;
        claim.known.pin->spki_sha256 = k_other_key;
        EXPECT_EQ(said(claim.verdict()), it.answer);
        EXPECT_EQ(claim.verdict().notes.size(), it.notes);
    }
    auto both = registered();
    both.rules.user_change = ChangeRule::allow;
    both.known.pin->user_principal_name = "bob@corp.example";
    EXPECT_EQ(said(both.verdict()), "accepted register:bind");
    both.known.pin->spki_sha256 = k_other_key;
    EXPECT_EQ(said(both.verdict()), "held key_change") << "leave for one change is not leave for the other";
}

TEST(Recipient, approval_is_for_user_device_and_key) {  // AT-42, AT-43
    Claim claim;
    claim.rules.binding = Binding::register_;
    claim.known.approval = approval_of(claim);
    auto verdict = claim.verdict();
    EXPECT_EQ(said(verdict), "accepted register:approval");
    EXPECT_EQ(verdict.pin->source, "register:approval");
    EXPECT_FALSE(verdict.new_recipient);
    EXPECT_FALSE(verdict.uses_window);

    const std::vector<std::function<void(Approval&)>> others = {
        [](Approval& a) { a.user = *UserId::parse("u-bob"); },
        [](Approval& a) { a.user_principal_name = "carla@corp.example"; },
        [](Approval& a) { a.device = *DeviceId::parse("d-2"); }, [](Approval& a) { a.spki_sha256 = k_other_key; },
        [](Approval& a) { a.expires = now(); }};
    for (std::size_t i = 0; i < others.size(); ++i) {
        auto other = claim;
        others[i](*other.known.approval);
        EXPECT_EQ(said(other.verdict()), "held new_recipient") << i;
    }

    // Approved under her own name; then the service puts another's beside the same id.
    auto lent = registered();
    lent.known.approval = approval_of(lent);
    lent.request.user.user_principal_name = "carla@corp.example";
    EXPECT_EQ(said(lent.verdict()), "held user_change");

    for (const auto binding : {Binding::register_, Binding::service}) {
        auto changed = registered();
        changed.rules.binding = binding;
        changed.known.pin->spki_sha256 = k_other_key;
        changed.known.pin->user_principal_name = "bob@corp.example";
        changed.known.approval = approval_of(changed);
        EXPECT_TRUE(begins_with(said(changed.verdict()), "accepted ")) << said(changed.verdict());
    }
}

TEST(Recipient, a_known_key_under_another_device_is_held_where_nobody_proves_it) {
    for (const auto binding : {Binding::register_, Binding::service}) {
        Claim claim;
        claim.rules.binding = binding;
        claim.known.window = window(10, 0);
        EXPECT_TRUE(claim.verdict().key_alone) << "the commit asks again";
        claim.known.key_elsewhere = pin_of(claim);
        EXPECT_EQ(said(claim.verdict()), "held key_change");
        claim.known.pin = pin_of(claim);
        claim.known.pin->spki_sha256 = Sha256();
        EXPECT_EQ(said(claim.verdict()), "held key_change") << "also as the first key of a device bound by hand";
        claim.known.approval = approval_of(claim);
        EXPECT_TRUE(begins_with(said(claim.verdict()), "accepted "));
        EXPECT_FALSE(claim.verdict().key_alone) << "a person has let it in";
        claim.known.approval.reset();
        claim.known.pin->spki_sha256 = k_key;
        EXPECT_TRUE(begins_with(said(claim.verdict()), "accepted ")) << "known under both names";
        EXPECT_FALSE(claim.verdict().key_alone);
    }
    Claim proved;
    proved.known.key_elsewhere = pin_of(proved);
    EXPECT_EQ(said(proved.verdict()), "accepted certificate");
}

TEST(Recipient, an_approval_is_for_its_device_in_any_letters) {
    Claim claim;
    claim.rules.binding = Binding::register_;
    claim.known.approval = approval_of(claim);
    claim.known.approval->device = *DeviceId::parse("D-PHONE-1");
    EXPECT_TRUE(begins_with(said(claim.verdict()), "accepted ")) << said(claim.verdict());
}

TEST(Recipient, the_device_beyond_the_number_is_held_under_every_binding) {
    for (const auto binding : {Binding::certificate, Binding::register_, Binding::service}) {
        Claim claim;
        claim.rules.binding = binding;
        claim.known.window = window(10, 0);
        claim.known.devices_of_user = 9;
        EXPECT_TRUE(begins_with(said(claim.verdict()), "accepted ")) << said(claim.verdict());
        EXPECT_EQ(claim.verdict().most_devices, 10U) << "the commit counts again";
        claim.known.pin = pin_of(claim);
        EXPECT_EQ(claim.verdict().most_devices, 0U) << "a device that is his takes no further place";
        claim.known.pin.reset();
        claim.known.devices_of_user = 10;
        EXPECT_EQ(said(claim.verdict()), "held too_many_devices");
        EXPECT_FALSE(claim.verdict().uses_window);
        claim.known.approval = approval_of(claim);
        EXPECT_TRUE(begins_with(said(claim.verdict()), "accepted "));
        EXPECT_EQ(claim.verdict().most_devices, 0U) << "a person has let it in";
        claim.known.approval.reset();
        claim.rules.max_per_user = 0;
        EXPECT_TRUE(begins_with(said(claim.verdict()), "accepted "));
        // A device that comes over from another user counts as well.
        claim.rules.max_per_user = 10;
        claim.rules.user_change = ChangeRule::allow;
        claim.known.pin = pin_of(claim);
        claim.known.pin->user_principal_name = "bob@corp.example";
        EXPECT_EQ(said(claim.verdict()), "held too_many_devices");
    }
}

TEST(RecipientByService, passes_on_the_services_word_and_says_so) {
    Claim claim;
    claim.rules.binding = Binding::service;
    claim.facts.alternative_names.pop_back();  // names no user
    const auto verdict = claim.verdict();
    EXPECT_EQ(said(verdict), "accepted service");
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_TRUE(contains(verdict.notes[0], "service's word"));

    auto changed = registered();
    changed.rules.binding = Binding::service;
    changed.known.pin->spki_sha256 = k_other_key;
    EXPECT_EQ(said(changed.verdict()), "held key_change");
    changed.rules.key_change = ChangeRule::audit;
    EXPECT_EQ(said(changed.verdict()), "accepted service");
    EXPECT_EQ(changed.verdict().notes.size(), 2U);
}

// The directory's answer to the claim: Alice, and the phone that is hers.
DirectoryView directory_of_alice() {
    DirectoryView view;
    view.person.found = Found::one;
    view.person.entry.distinguished_name = "uid=alice,dc=corp,dc=example";
    view.person.user_principal_names = {"alice@corp.example"};
    view.device.found = Found::one;
    view.device.entry.distinguished_name = "cn=d-phone-1,dc=corp,dc=example";
    view.device.owners = {"uid=Alice,dc=corp,dc=example"};
    return view;
}
RecipientVerdict by_directory(const DirectoryView* view, Claim claim = {}) {
    claim.rules.binding = Binding::directory;
    Evidence evidence;
    evidence.directory = view;
    return prove_recipient(claim.request, claim.facts, true, claim.rules, claim.known, now(), evidence);
}

TEST(RecipientByDirectory, is_the_owner) {
    const auto view = directory_of_alice();
    Claim claim;
    claim.facts.alternative_names.pop_back();  // names no user
    EXPECT_EQ(said(by_directory(&view, claim)), "accepted directory");
    auto by_name = view;
    by_name.device.owners = {"ALICE@corp.example"};
    EXPECT_EQ(said(by_directory(&by_name)), "accepted directory");
}

TEST(RecipientByDirectory, nobody_else_is) {
    struct Case {
        std::function<void(DirectoryView&)> change;
        std::string_view expected;
    };
    const auto user = "recipientUnbound /user/userPrincipalName: ";
    const auto device = "recipientUnbound /device/id: ";
    for (const auto& [change, expected] : std::initializer_list<Case>{
             {[](auto& view) { view.device.owners = {"uid=bob,dc=corp,dc=example"}; }, user},
             {[](auto& view) { view.device.owners = {""}; }, user},
             {[](auto& view) { view.device.owners = {}; }, device},
             {[](auto& view) { view.device.owners.push_back("uid=bob,dc=corp,dc=example"); }, device},
             {[](auto& view) { view.device.owners.push_back(view.device.owners[0]); }, device},
             {[](auto& view) { view.device.found = Found::none; }, device},
             {[](auto& view) { view.device.found = Found::several; }, device},
             {[](auto& view) { view.device.entry.disabled = "it is disabled"; }, device},
             {[](auto& view) { view.device.entry.distinguished_name = ""; }, device},
             {[](auto& view) { view.person.found = Found::none; }, user},
             {[](auto& view) { view.person.found = Found::several; }, user},
             {[](auto& view) { view.person.entry.disabled = "it is disabled"; }, user},
             {[](auto& view) { view.person.entry.valid_until = now(); }, user},
             {[](auto& view) { view.person.user_principal_names = {"bob@corp.example"}; }, user},
             {[](auto& view) { view.person.user_principal_names = {}; }, user},
             {[](auto& view) { view.person.entry.distinguished_name = view.device.owners[0] = ""; }, user},
         }) {
        auto view = directory_of_alice();
        change(view);
        EXPECT_TRUE(begins_with(said(by_directory(&view)), expected)) << said(by_directory(&view));
    }
    auto view = directory_of_alice();
    view.person.entry.valid_until = now() + std::chrono::seconds{1};
    EXPECT_EQ(said(by_directory(&view)), "accepted directory");
    const auto verdict = by_directory(nullptr);
    EXPECT_EQ(std::get<Error>(verdict.answer).kind, ErrorKind::internal);
}

TEST(RecipientByDirectory, an_approval_is_no_owner_and_a_change_is_noted) {
    auto view = directory_of_alice();
    view.device.owners = {"uid=bob,dc=corp,dc=example"};
    Claim claim;
    claim.known.approval = approval_of(claim);
    EXPECT_TRUE(begins_with(said(by_directory(&view, claim)), "recipientUnbound"));
    view = directory_of_alice();
    claim = Claim();
    claim.known.pin = pin_of(claim);
    claim.known.pin->spki_sha256 = k_other_key;
    claim.known.pin->user_principal_name = "bob@corp.example";
    const auto verdict = by_directory(&view, claim);
    EXPECT_EQ(said(verdict), "accepted directory");
    EXPECT_EQ(verdict.notes.size(), 2U);
    claim.known.pin.reset();
    claim.known.devices_of_user = claim.rules.max_per_user;
    EXPECT_EQ(said(by_directory(&view, claim)), "held too_many_devices");
}

TEST(RecipientByDirectory, the_certificate_is_judged_without_it) {
    Claim claim;
    claim.rules.binding = Binding::directory;
    claim.directly_issued = false;
    const auto fault = judge_certificate(claim.request, claim.facts, false, claim.rules, claim.known, now());
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->code, "recipientUntrusted");
    EXPECT_FALSE(judge_certificate(claim.request, claim.facts, true, claim.rules, claim.known, now()));
}

// What the enrolment desk has signed: the phone and its key are Alice's, for a month.
SignedBinding stated(const Claim& claim) {
    SignedBinding made;
    made.statement.device = claim.request.device.id.text();
    made.statement.user_principal_name = claim.request.user.user_principal_name;
    made.statement.spki_sha256 = claim.facts.key.spki_sha256;
    made.statement.not_before = now() - std::chrono::days{1};
    made.statement.not_after = now() + std::chrono::days{30};
    made.signer = "CN=Enrolment desk";
    made.signer_not_before = now() - std::chrono::days{100};
    made.signer_not_after = now() + std::chrono::days{100};
    return made;
}
RecipientVerdict by_statement(const Result<SignedBinding>& made, Claim claim = {}) {
    claim.rules.binding = Binding::statement;
    Evidence evidence;
    evidence.statement = &made;
    return prove_recipient(claim.request, claim.facts, true, claim.rules, claim.known, now(), evidence);
}

TEST(RecipientByStatement, is_whose_the_pinned_signer_says) {
    Claim claim;
    claim.facts.alternative_names.pop_back();  // names no user
    auto made = stated(claim);
    EXPECT_EQ(said(by_statement(made, claim)), "accepted statement");
    // Certificates and people write both as they like.
    made.statement.device = "D-PHONE-1";
    made.statement.user_principal_name = "Alice@Corp.Example";
    EXPECT_EQ(said(by_statement(made, claim)), "accepted statement");
    made.statement.not_before = made.statement.not_after = now();
    EXPECT_EQ(said(by_statement(made, claim)), "accepted statement") << "both ends belong to it";
    claim.known.devices_of_user = 10;
    EXPECT_EQ(said(by_statement(made, claim)), "held too_many_devices");
}

TEST(RecipientByStatement, another_ones_statement_proves_nothing_and_the_field_is_named) {
    const Claim claim;
    struct Row {
        std::function<void(SignedBinding&)> change;
        std::string says;
    };
    const std::vector<Row> rows{
        {[](auto& made) { made.statement.device = "d-phone-2"; }, "is of the device \"d-phone-2\", not of /device/id"},
        {[](auto& made) {
             made.statement.device = "d-phone-1\0";
             made.statement.device.push_back('\0');
         },
         "not of /device/id"},
        {[](auto& made) { made.statement.user_principal_name = "bob@corp.example"; },
         "is of the user bob@corp.example, not of alice@corp.example"},
        {[](auto& made) { made.statement.spki_sha256 = k_other_key; }, "is of another key"},
        {[](auto& made) { made.statement.not_before = now() + std::chrono::seconds{1}; }, "does not hold before"},
        {[](auto& made) { made.statement.not_after = now() - std::chrono::seconds{1}; }, "held until"},
        {[](auto& made) { made.signer_not_after = now() - std::chrono::seconds{1}; }, "its signer is not in its time"},
        {[](auto& made) { made.signer_not_before = now() + std::chrono::seconds{1}; },
         "its signer is not in its time"}};
    for (const auto& row : rows) {
        auto made = stated(claim);
        row.change(made);
        const auto answer = said(by_statement(made));
        EXPECT_TRUE(begins_with(answer, "recipientUnbound /device/binding: ")) << answer;
        EXPECT_TRUE(contains(answer, row.says)) << answer;
    }
    const Result<SignedBinding> none = binding_refused("missing");
    EXPECT_EQ(said(by_statement(none)), "recipientUnbound /device/binding: missing");
    EXPECT_EQ(std::get<Error>(by_statement(none).answer).kind, ErrorKind::refused);
}

TEST(RecipientByStatement, a_person_here_does_not_replace_it) {
    Claim claim;
    claim.known.approval = approval_of(claim);
    claim.known.window = window(10, 0);
    const Result<SignedBinding> none = binding_refused("missing");
    EXPECT_EQ(said(by_statement(none, claim)), "recipientUnbound /device/binding: missing");
}

TEST(RecipientByStatement, a_changed_key_and_user_are_proved_by_it_and_put_down) {
    auto claim = registered();
    claim.known.pin->spki_sha256 = k_other_key;
    claim.known.pin->user_principal_name = "bob@corp.example";
    const auto verdict = by_statement(stated(claim), claim);
    ASSERT_EQ(said(verdict), "accepted statement");
    ASSERT_EQ(verdict.notes.size(), 2U);
    EXPECT_TRUE(contains(verdict.notes[1], "CN=Enrolment desk"));
    EXPECT_EQ(verdict.pin->spki_sha256, claim.facts.key.spki_sha256);
}

RecipientVerdict with_proof(const Claim& claim, const Result<void>& proof) {
    Evidence evidence;
    evidence.key_change = &proof;
    return prove_recipient(claim.request, claim.facts, true, claim.rules, claim.known, now(), evidence);
}

TEST(Recipient, a_known_device_changes_its_key_by_its_previous_one) {
    auto claim = registered();
    claim.known.pin->spki_sha256 = k_other_key;
    const Result<void> good;
    const Result<void> bad = Error(ErrorKind::refused, "signatureRefused", "not signed by the expected key");
    const auto verdict = with_proof(claim, good);
    ASSERT_EQ(said(verdict), "accepted register:key-change-proof");
    EXPECT_EQ(verdict.pin->spki_sha256, claim.facts.key.spki_sha256);
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_TRUE(contains(verdict.notes[0], k_other_key.hex()));
    const auto held = with_proof(claim, bad);
    ASSERT_EQ(said(held), "held key_change");
    EXPECT_TRUE(contains(std::get<Hold>(held.answer).detail, "not signed by the expected key"));
    // A person may let it through all the same.
    claim.known.approval = approval_of(claim);
    EXPECT_EQ(said(with_proof(claim, bad)), "accepted register:approval");
}

TEST(Recipient, the_previous_key_says_nothing_of_the_user_or_of_a_first_use) {
    auto claim = registered();
    const Result<void> good;
    claim.known.pin->spki_sha256 = k_other_key;
    claim.known.pin->user_principal_name = "bob@corp.example";
    EXPECT_EQ(said(with_proof(claim, good)), "held user_change");
    claim.known.pin.reset();
    EXPECT_EQ(said(with_proof(claim, good)), "held new_recipient");
}

TEST(RecipientByRegister, the_first_key_of_a_device_that_was_bound_by_hand_is_its_key) {
    auto claim = registered();
    claim.known.pin->spki_sha256 = Sha256();
    claim.known.pin->user = UserId();
    const auto verdict = claim.verdict();
    ASSERT_EQ(said(verdict), "accepted register:bind");
    EXPECT_EQ(verdict.pin->spki_sha256, claim.facts.key.spki_sha256);
    EXPECT_EQ(verdict.pin->user, claim.request.user.id);
    EXPECT_FALSE(verdict.new_recipient);
    ASSERT_EQ(verdict.notes.size(), 1U);
    EXPECT_TRUE(contains(verdict.notes[0], claim.facts.key.spki_sha256.hex()));
    claim.known.pin->user_principal_name = "bob@corp.example";
    EXPECT_EQ(said(claim.verdict()), "held user_change");
}

RecipientVerdict on_lists(const Claim& claim, const Revocation& revocation) {
    Evidence evidence;
    evidence.revocation = &revocation;
    return prove_recipient(claim.request, claim.facts, claim.directly_issued, claim.rules, claim.known, now(),
                           evidence);
}

TEST(Recipient, a_revoked_certificate_is_refused_and_one_that_no_list_judges_is_not_taken) {
    Claim claim;
    EXPECT_EQ(said(on_lists(claim, {Revocation::State::good, "", ""})), "accepted certificate");
    const auto revoked = said(on_lists(claim, {Revocation::State::revoked, "", ""}));
    EXPECT_EQ(revoked, "recipientUntrusted /device/recipientCertificate: its authority has revoked it");
    const Revocation stale{Revocation::State::unknown, "crlStale", ""};
    const auto waits = on_lists(claim, stale);
    ASSERT_TRUE(std::holds_alternative<Error>(waits.answer));
    EXPECT_EQ(std::get<Error>(waits.answer).kind, ErrorKind::unavailable);
    EXPECT_EQ(std::get<Error>(waits.answer).code, "crlStale");
    // What is wrong whatever a list would say is told as that.
    claim.directly_issued = false;
    EXPECT_TRUE(begins_with(said(on_lists(claim, stale)), "recipientUntrusted "));
    claim.directly_issued = true;
    claim.known.approval = approval_of(claim);
    EXPECT_EQ(std::get<Error>(on_lists(claim, stale).answer).code, "crlStale") << "an approval is no list";
}

}  // namespace
}  // namespace connector::trust
