#include "core/trust/recipient.hpp"

#include "core/printable.hpp"
#include "core/request/mailbox.hpp"
#include "core/text.hpp"
#include "core/trust/refusal.hpp"

#include <algorithm>
#include <utility>

namespace connector::trust {

// The one maker of Recipients.
class RecipientProof {
public:
    static Recipient make(const request::CertificateRequest& request, const CertificateFacts& facts,
                          std::string source) {
        Recipient recipient;
        recipient.device_ = request.device.id;
        recipient.user_ = request.user.id;
        recipient.user_principal_name_ = request.user.user_principal_name;
        recipient.certificate_ = facts;
        recipient.source_ = std::move(source);
        return recipient;
    }
};

namespace {

using Fault = std::optional<Error>;
using request::HeldReason;

constexpr std::string_view k_device = "/device/id: ";
constexpr std::string_view k_device_urn = "urn:device:";

bool among(std::string_view value, const std::vector<std::string>& list) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

std::vector<std::string_view> names_of(const CertificateFacts& facts, NameForm form) {
    std::vector<std::string_view> names;
    for (const auto& name : facts.alternative_names)
        if (name.form == form) names.push_back(name.value);
    return names;
}

bool names_device(std::string_view uri) {
    return uri.size() >= k_device_urn.size() && ascii_equal(uri.substr(0, k_device_urn.size()), k_device_urn);
}

Fault check_block(const RegisterView& known) {
    if (!known.block) return std::nullopt;
    return blocked_here(known.block->thing);
}

// (2) The right kind of certificate, and none that could have been issued to a person or an authority.
Fault check_kind(const CertificateFacts& facts, const RecipientRules& rules) {
    if (facts.is_ca || (facts.key_usage && facts.key_usage->any_of(KeyUsage::k_key_cert_sign)))
        return untrusted("it is a certification authority");
    const auto purposes = facts.extended_key_usage.value_or(std::vector<std::string>());
    if (among(eku::k_email_protection, purposes)) return untrusted("it is a mail certificate (emailProtection)");
    if (among(eku::k_any, purposes)) return untrusted("it is for any purpose (anyExtendedKeyUsage)");
    const auto has_one = [](const std::vector<std::string>& wanted, const std::vector<std::string>& there) {
        return std::any_of(wanted.begin(), wanted.end(), [&](const auto& oid) { return among(oid, there); });
    };
    if (!rules.required_eku.empty() && !has_one(rules.required_eku, purposes))
        return untrusted("it has none of [recipients] required_eku");
    if (!rules.required_policy.empty() && !has_one(rules.required_policy, facts.policies))
        return untrusted("it has none of [recipients] required_policy");
    // Without a mark and without the operator's word, any certificate of that authority would do.
    if (rules.required_eku.empty() && rules.required_policy.empty() && !rules.dedicated_ca)
        return untrusted("[recipients] has neither required_eku nor required_policy, and dedicated_ca is false");
    return std::nullopt;
}

// The device's name as the operator configured it; nothing where there is not exactly one.
std::optional<std::string_view> device_name(const CertificateFacts& facts, DeviceNaming naming) {
    std::vector<std::string_view> names;
    switch (naming) {
        case DeviceNaming::san_uri:
            names = names_of(facts, NameForm::uri);
            if (names.size() != 1 || !names_device(names[0])) return std::nullopt;
            return names[0].substr(k_device_urn.size());
        case DeviceNaming::san_dns: names = names_of(facts, NameForm::dns); break;
        case DeviceNaming::common_name:
            for (const auto& rdn : facts.subject.rdns)
                for (const auto& attribute : rdn)
                    if (attribute.type == oid::k_common_name) names.push_back(attribute.value);
            break;
    }
    if (names.size() != 1) return std::nullopt;
    return names[0];
}

std::string_view shown(DeviceNaming naming) {
    switch (naming) {
        case DeviceNaming::san_uri: return "URI urn:device:…";
        case DeviceNaming::san_dns: return "dNSName";
        case DeviceNaming::common_name: return "common name";
    }
    return "name";
}

// (3) A reader of this certificate, whichever name it looks at first, sees this device and no other.
Fault check_name(const CertificateFacts& facts, const DeviceId& device, DeviceNaming naming) {
    std::size_t common_names = 0;
    for (const auto& rdn : facts.subject.rdns)
        common_names += static_cast<std::size_t>(std::count_if(
            rdn.begin(), rdn.end(), [](const Attribute& attribute) { return attribute.type == oid::k_common_name; }));
    if (common_names > 1)
        return untrusted("it does not name its device by exactly one name: it has several common names");
    const auto name = device_name(facts, naming);
    if (!name) return untrusted("it does not name its device by exactly one " + std::string(shown(naming)));
    // A NUL ends the name for readers in C: `victim\0.example`. An id holds none, so equality refuses it.
    if (!ascii_equal(*name, device.text()))
        return untrusted("it names the device \"" + printable(*name, k_longest_shown) + "\", not /device/id");
    for (const auto uri : names_of(facts, NameForm::uri))
        if (names_device(uri) && !ascii_equal(uri.substr(k_device_urn.size()), device.text()))
            return untrusted("it names a second device by its URI");
    return std::nullopt;
}

// (4) A key that can be encrypted to, and is worth it.
Fault check_key(const CertificateFacts& facts) {
    const auto& key = facts.key;
    const auto& usage = facts.key_usage;
    switch (key.algorithm) {
        case KeyAlgorithm::rsa:
            if (key.bits < 2048 || key.bits > 4096)
                return untrusted("RSA with " + std::to_string(key.bits) + " bits; 2048 to 4096 are taken");
            if (!key.exponent_fit) return untrusted("the RSA exponent is even or below 65537");
            if (usage && !usage->any_of(KeyUsage::k_key_encipherment))
                return untrusted("its keyUsage lacks keyEncipherment");
            return std::nullopt;
        case KeyAlgorithm::ec:
            if (key.curve != "P-256" && key.curve != "P-384" && key.curve != "P-521")
                return untrusted("an EC key that is not on the named curve P-256, P-384 or P-521");
            if (usage && !usage->any_of(KeyUsage::k_key_agreement)) return untrusted("its keyUsage lacks keyAgreement");
            return std::nullopt;
        case KeyAlgorithm::rsa_pss:
        case KeyAlgorithm::other: break;
    }
    return Error(ErrorKind::refused, "unsupported",
                 "/device/recipientCertificate: "
                 "its key is neither RSA nor EC (RSA-PSS, Ed25519 and X25519 cannot be wrapped for)");
}

// (1)–(6) of the management API's page, in its order; an issuer's signature that others could make is not his.
Fault check_certificate(const request::CertificateRequest& request, const CertificateFacts& facts, bool directly_issued,
                        const RecipientRules& rules, const RegisterView& known, UtcTime now,
                        const Revocation* revocation) {
    if (!directly_issued) return untrusted("no certificate of [recipients] ca_file is its direct issuer");
    // Two certificates can be made that have one such signature, and the authority sees but one of them.
    if (!facts.signature_strong)
        return untrusted("it is signed with " + facts.signature_algorithm +
                         ", which can be forged; the device's authority has to sign with SHA-256 or better");
    if (auto fault = check_kind(facts, rules)) return fault;
    if (auto fault = check_name(facts, request.device.id, rules.device)) return fault;
    if (auto fault = check_key(facts)) return fault;
    if (now < facts.not_before) return untrusted_now("it is not valid before " + to_rfc3339(facts.not_before));
    if (now > facts.not_after) return untrusted_now("it expired at " + to_rfc3339(facts.not_after));
    if (revocation != nullptr && revocation->state == Revocation::State::revoked)
        return untrusted("its authority has revoked it");
    if (known.key_is_ours) return untrusted("its key was made or certified by this connector");
    // Fail closed: what no list can judge is kept waiting before it comes here.
    if (revocation != nullptr && revocation->state == Revocation::State::unknown)
        return Error(ErrorKind::unavailable, revocation->code,
                     "/device/recipientCertificate: no revocation list of its authority is at hand");
    return std::nullopt;
}

std::optional<std::string> does_not_count(const DirectoryEntry& entry, UtcTime now) {
    if (entry.distinguished_name.empty()) return "it has no name";
    if (entry.disabled) return *entry.disabled;
    if (entry.valid_until && now >= *entry.valid_until) return "it ended at " + to_rfc3339(*entry.valid_until);
    return std::nullopt;
}

// The register's answer to the claim, put into words once.
struct Standing {
    bool known_device = false;
    bool same_user = false;
    bool same_key = false;
    bool first_key = false;  // bound by hand before its key was known
    bool approved = false;
};

Standing standing_of(const request::CertificateRequest& request, const CertificateFacts& facts,
                     const RegisterView& known, UtcTime now) {
    Standing standing;
    const auto& user = request.user;
    const auto& key = facts.key.spki_sha256;
    if (known.pin) {
        standing.known_device = true;
        // Both: the id alone is the service's word, and the name alone could have been given to another person.
        // A pin made by hand may know the name alone.
        standing.same_user = (known.pin->user.empty() || known.pin->user == user.id) &&
                             ascii_equal(known.pin->user_principal_name, user.user_principal_name);
        standing.same_key = known.pin->spki_sha256 == key;
        standing.first_key = !key_known(*known.pin);
    }
    if (const auto& approval = known.approval)
        standing.approved = now < approval->expires && approval->user == user.id &&
                            ascii_equal(approval->user_principal_name, user.user_principal_name) &&
                            ascii_equal(approval->device.text(), request.device.id.text()) &&
                            approval->spki_sha256 == key;
    return standing;
}

class Judge {
public:
    Judge(const request::CertificateRequest& request, const CertificateFacts& facts, const RecipientRules& rules,
          const RegisterView& known, UtcTime now, const Evidence& evidence)
        : request_(request),
          facts_(facts),
          rules_(rules),
          known_(known),
          evidence_(evidence),
          now_(now),
          standing_(standing_of(request, facts, known, now)) {}

    // (7)
    RecipientVerdict run() {
        switch (rules_.binding) {
            case Binding::certificate: return by_certificate();
            case Binding::register_: return by_register();
            case Binding::service: return by_service();
            case Binding::directory: return by_directory();
            case Binding::statement: return by_statement();
        }
        return refuse(Error(ErrorKind::internal, "internal", "a binding that nobody knows"));
    }

private:
    static RecipientVerdict refuse(Error error) { return {std::move(error), std::nullopt, false, false, {}}; }
    static RecipientVerdict hold(HeldReason reason, std::string detail) {
        return {Hold{reason, std::move(detail)}, std::nullopt, false, false, {}};
    }

    RecipientVerdict by_certificate() {
        if (auto fault = check_named_user()) return refuse(std::move(*fault));
        return accept_proved("certificate", "the device certificate");
    }

    RecipientVerdict by_directory() {
        if (evidence_.directory == nullptr)
            return refuse(Error(ErrorKind::internal, "internal", "the directory was not asked"));
        if (auto fault = judge_person_entry(evidence_.directory->person, request_.user.user_principal_name, now_))
            return refuse(std::move(*fault));
        if (auto fault = check_owner()) return refuse(std::move(*fault));
        return accept_proved("directory", "the directory");
    }

    RecipientVerdict by_statement() {
        if (evidence_.statement == nullptr)
            return refuse(Error(ErrorKind::internal, "internal", "the statement was not looked at"));
        if (!*evidence_.statement) return refuse(evidence_.statement->error());
        if (auto fault = judge_statement(**evidence_.statement, request_, facts_.key.spki_sha256, now_))
            return refuse(std::move(*fault));
        return accept_proved("statement", "a statement by " + (*evidence_.statement)->signer);
    }

    // The proof holds whatever the register knew of the device; what changed is put down.
    RecipientVerdict accept_proved(const std::string& source, const std::string& by) {
        if (!standing_.approved && too_many()) return hold_for_number();
        if (standing_.known_device && !standing_.same_user)
            notes_.push_back("user of a known device changed from " + known_user() + ", proved by " + by);
        if (standing_.known_device && !standing_.same_key && !standing_.first_key)
            notes_.push_back("key of a known device changed from " + known_key() + ", proved by " + by);
        return accept(source);
    }

    RecipientVerdict by_register() {
        if (standing_.known_device && standing_.same_user && standing_.same_key) return accept(known_.pin->source);
        if (auto held = hold_for_known_key()) return std::move(*held);
        if (standing_.same_user && standing_.first_key) {
            // The device's name is the certificate's, whose it is was said here: the key that has both is its key.
            notes_.push_back("first key of a device that was bound by hand: " + new_key());
            return accept(known_.pin->source);
        }
        if (standing_.approved) {
            notes_.push_back("approved by " + known_.approval->by);
            return accept("register:approval");
        }
        if (standing_.known_device) {
            if (auto held = hold_for_change()) return std::move(*held);
            return accept(key_change_proved() ? "register:key-change-proof" : known_.pin->source);
        }
        if (too_many()) return hold_for_number();
        if (known_.window && known_.window->open_at(now_)) {
            auto verdict = accept("register:window");
            verdict.uses_window = true;
            verdict.new_recipient = false;  // the window has a number of its own
            return verdict;
        }
        return hold(HeldReason::new_recipient, "first use of device " + request_.device.id.text() + ", key " +
                                                   new_key() + ", for " + request_.user.user_principal_name);
    }

    RecipientVerdict by_service() {
        if (!standing_.approved) {
            if (auto held = hold_for_known_key()) return std::move(*held);
            if (auto held = hold_for_change()) return std::move(*held);
            if (too_many()) return hold_for_number();
        }
        notes_.emplace_back("that the device is the user's is the service's word alone");
        return accept("service");
    }

    // The certificate names one user, and it is the request's.
    Fault check_named_user() const {
        const auto& wanted = request_.user.user_principal_name;
        const bool by_upn = rules_.user_identity == UserIdentity::san_upn;
        const auto user = named_user(facts_, rules_.user_identity);
        if (!user)
            return unbound(std::string("the device certificate does not name its user by exactly one ") +
                           (by_upn ? "UPN" : "mailbox"));
        if (by_upn ? ascii_equal(*user, wanted) : request::same_mailbox(*user, wanted)) return std::nullopt;
        return unbound("the device certificate names " + printable(*user, k_longest_shown) + ", not " +
                       printable(wanted, k_longest_shown));
    }

    // The directory's entry of the device counts, and its one owner is the person. Who else owns it is not told: the
    // service reads this.
    Fault check_owner() const {
        const auto& device = evidence_.directory->device;
        const auto of_device = [](const std::string& why) {
            return Error(ErrorKind::refused, "recipientUnbound", std::string(k_device) + why);
        };
        switch (device.found) {
            case Found::none: return of_device("the directory has no such device");
            case Found::several: return of_device("the directory has several entries for this device");
            case Found::one: break;
        }
        if (const auto why = does_not_count(device.entry, now_))
            return of_device("the directory does not let this device count: " + *why);
        if (device.owners.empty()) return of_device("the directory names no owner of this device");
        if (device.owners.size() > 1) return of_device("the directory names several owners of this device");
        const auto& owner = device.owners[0];
        const auto& person = evidence_.directory->person;
        const bool his = ascii_equal(owner, person.entry.distinguished_name) ||
                         ascii_equal(owner, request_.user.user_principal_name);
        if (!his) return unbound("the directory names another owner of this device");
        return std::nullopt;
    }

    // A device that is known here, under another name: whatever was said of that one would not be asked.
    [[nodiscard]] std::optional<RecipientVerdict> hold_for_known_key() const {
        if (!known_.key_elsewhere || standing_.approved || (standing_.known_device && standing_.same_key))
            return std::nullopt;
        return hold(HeldReason::key_change,
                    "key " + new_key() + " is known as that of device " + known_.key_elsewhere->device.text() + " of " +
                        known_.key_elsewhere->user_principal_name + ", not of " + request_.device.id.text());
    }

    std::optional<RecipientVerdict> hold_for_change() {
        if (!standing_.known_device) return std::nullopt;
        const auto passes = [&](ChangeRule rule, HeldReason reason,
                                const std::string& what) -> std::optional<RecipientVerdict> {
            switch (rule) {
                case ChangeRule::hold: return hold(reason, what);
                case ChangeRule::audit: notes_.push_back(what + ", let through by [recipients]"); break;
                case ChangeRule::allow: break;
            }
            return std::nullopt;
        };
        if (!standing_.same_user) {
            const std::string what = "user of a known device changed from " + known_user() + " to " +
                                     request_.user.user_principal_name + " (" + request_.user.id.text() + ")";
            if (auto held = passes(rules_.user_change, HeldReason::user_change, what)) return held;
            if (too_many()) return hold_for_number();
        }
        if (!standing_.same_key && !standing_.first_key) {
            std::string what = "key of a known device changed from " + known_key() + " to " + new_key();
            if (key_change_proved()) {
                notes_.push_back(what + ", proved by its previous key (keyChangeProof)");
                return std::nullopt;
            }
            if (evidence_.key_change != nullptr)
                what += "; its keyChangeProof does not count: " + evidence_.key_change->error().message;
            if (auto held = passes(rules_.key_change, HeldReason::key_change, what)) return held;
        }
        return std::nullopt;
    }

    [[nodiscard]] bool key_change_proved() const {
        return evidence_.key_change != nullptr && evidence_.key_change->has_value();
    }

    // A device that is already this user's takes no further place.
    [[nodiscard]] bool takes_a_place() const { return !(standing_.known_device && standing_.same_user); }
    [[nodiscard]] bool too_many() const {
        return takes_a_place() && rules_.max_per_user != 0 && known_.devices_of_user >= rules_.max_per_user;
    }
    [[nodiscard]] RecipientVerdict hold_for_number() const {
        return hold(HeldReason::too_many_devices, request_.user.user_principal_name + " has " +
                                                      std::to_string(known_.devices_of_user) + " devices, at most " +
                                                      std::to_string(rules_.max_per_user) + " without a person's word");
    }

    RecipientVerdict accept(const std::string& source) {
        const bool unchanged =
            standing_.known_device && standing_.same_user && (standing_.same_key || standing_.first_key);
        const bool by_pin = rules_.binding == Binding::register_ || rules_.binding == Binding::service;
        Pin pin;
        pin.device = request_.device.id;
        pin.user = request_.user.id;
        pin.user_principal_name = request_.user.user_principal_name;
        pin.spki_sha256 = facts_.key.spki_sha256;
        pin.certificate_sha256 = facts_.sha256;
        pin.source = source;
        pin.first_seen = unchanged ? known_.pin->first_seen : now_;
        pin.last_seen = now_;
        return {RecipientProof::make(request_, facts_, source),
                std::move(pin),
                false,
                !unchanged && !standing_.approved,
                std::move(notes_),
                takes_a_place() && !standing_.approved ? rules_.max_per_user : 0,
                by_pin && !standing_.approved && !(standing_.known_device && standing_.same_key)};
    }

    [[nodiscard]] std::string known_user() const {
        return known_.pin->user_principal_name + " (" + known_.pin->user.text() + ")";
    }
    [[nodiscard]] std::string known_key() const { return known_.pin->spki_sha256.hex(); }
    [[nodiscard]] std::string new_key() const { return facts_.key.spki_sha256.hex(); }

    const request::CertificateRequest& request_;
    const CertificateFacts& facts_;
    const RecipientRules& rules_;
    const RegisterView& known_;
    const Evidence& evidence_;
    UtcTime now_;
    Standing standing_;
    std::vector<std::string> notes_;
};

}  // namespace

Error blocked_here(BlockedThing thing) {
    switch (thing) {
        case BlockedThing::device: return untrusted("the device is blocked here");
        case BlockedThing::user: return untrusted("the user is blocked here");
        case BlockedThing::key: return untrusted("the key is blocked here");
    }
    return untrusted("it is blocked here");
}

std::optional<std::string> named_user(const CertificateFacts& certificate, UserIdentity identity) {
    auto names = names_of(certificate, identity == UserIdentity::san_upn ? NameForm::upn : NameForm::email);
    if (identity == UserIdentity::san_email)
        for (const auto name : names_of(certificate, NameForm::smtp_utf8)) names.push_back(name);
    if (names.size() != 1 || names[0].empty() || has_control(names[0])) return std::nullopt;
    return std::string(names[0]);
}

RecipientVerdict prove_recipient(const request::CertificateRequest& request, const CertificateFacts& facts,
                                 bool directly_issued, const RecipientRules& rules, const RegisterView& known,
                                 UtcTime now, const Evidence& evidence) {
    const auto refuse = [](Error error) { return RecipientVerdict{std::move(error), std::nullopt, false, false, {}}; };
    // What is proved is what will be encrypted to.
    if (facts.der != request.device.recipient_certificate)
        return refuse(
            Error(ErrorKind::internal, "internal", "the facts are of another certificate than the request's"));
    if (request.device.id.empty() || request.user.id.empty() || request.user.user_principal_name.empty())
        return refuse(unbound("user.id, user.userPrincipalName and device.id are needed"));
    if (auto fault = judge_certificate(request, facts, directly_issued, rules, known, now, evidence.revocation))
        return refuse(std::move(*fault));
    return Judge(request, facts, rules, known, now, evidence).run();
}

std::optional<Error> judge_certificate(const request::CertificateRequest& request, const CertificateFacts& facts,
                                       bool directly_issued, const RecipientRules& rules, const RegisterView& known,
                                       UtcTime now, const Revocation* revocation) {
    if (auto fault = check_block(known)) return fault;
    return check_certificate(request, facts, directly_issued, rules, known, now, revocation);
}

std::optional<Error> judge_person_entry(const DirectoryPerson& person, std::string_view claimed_upn, UtcTime now) {
    switch (person.found) {
        case Found::none: return unbound("the directory has no such person");
        case Found::several: return unbound("the directory has several persons of this name");
        case Found::one: break;
    }
    const auto& names = person.user_principal_names;
    // The question may have matched more loosely than a name may.
    if (claimed_upn.empty() ||
        std::none_of(names.begin(), names.end(), [&](const auto& name) { return ascii_equal(name, claimed_upn); }))
        return unbound("the directory's entry has another user principal name");
    if (const auto why = does_not_count(person.entry, now))
        return unbound("the directory does not let this account count: " + *why);
    return std::nullopt;
}

}  // namespace connector::trust
