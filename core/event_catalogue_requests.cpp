#include "core/event_catalogue.hpp"
#include "core/event_ids.hpp"

#include <array>

namespace connector {
namespace {

using enum Severity;

constexpr auto k_request_events = std::to_array<EventDefinition>({
    {event::k_issue_request_done, info, true, "A certificate request is done.",
     "The certificate was issued, packed for the device, and the service has accepted the report.", "Nothing."},
    {event::k_issue_request_failed, warning, true, "A certificate request has failed and was reported so.",
     "The service has been told the code and the reason in this line. The order is over; the service may send it "
     "again.",
     "Look up the code with `explain`, and the request with `requests show ID`."},
    {event::k_key_generated, info, true, "A key was made for a request.",
     "The private key is sealed in the database until it has been delivered.", "Nothing."},
    {event::k_issued, info, true, "A certificate was issued.",
     "The authority returned a certificate that is just what was ordered.", "Nothing."},
    {event::k_issue_will_retry, warning, false, "A certificate could not be ordered; it will be tried again.",
     "The authority could not be reached or was busy. The request stays and its wait grows with every try.",
     "Nothing at first. If it goes on: `authority test NAME` asks it."},
    {event::k_issue_failed, warning, true, "A certificate was not issued.",
     "The authority or the policy said no, or tries ran out. The reason stands in this line.",
     "Correct what the reason names; the service has to order anew."},
    {event::k_issue_pending, info, false, "The authority keeps the request for a decision.",
     "Its answer is asked for again until it says yes or no.",
     "Where the authority needs a person's approval, give it there."},
    {event::k_submission_unknown, warning, true, "It is not known whether a certificate order arrived.",
     "The connection broke, or the connector stopped, after the order was sent and before the answer came.",
     "Nothing: the authority is asked for it before it is ordered again."},
    {event::k_submission_found, info, true, "An earlier certificate order was found at the authority.",
     "What was unknown is settled; no second certificate was made.", "Nothing."},
    {event::k_possible_duplicate, warning, true, "A certificate was ordered again and may exist twice.",
     "The authority cannot be searched, so the same signing request was sent again. Both certificates would hold the "
     "same key.",
     "Look at the authority for two certificates with this request's key, and revoke the one that was not delivered."},
    {event::k_policy_refused, warning, true, "An order goes against the policy and was refused.",
     "A name, mailbox, key usage or the like is not proved for this person, or not allowed in [policy].",
     "If the order is right, widen [policy] and have it read anew. If nobody here made it, ask who has access to the "
     "service."},
    {event::k_certificate_mismatch, error, true, "The authority returned something else than was ordered.",
     "The certificate is not delivered. It is revoked where the authority allows that.",
     "Look at the template at the authority: what it adds must be allowed in [policy], or be taken out."},

    {event::k_import_request_done, info, true, "Imported certificates were delivered.",
     "They were packed for the device, and the service has accepted the report.", "Nothing."},
    {event::k_import_request_failed, warning, true,
     "A delivery of imported certificates has failed and was reported so.",
     "The service has been told the code and the reason in this line.",
     "Look up the code with `explain`, and the user's records with `deliveries --user U`."},
    {event::k_withdrawn, info, true, "What waited for a device was withdrawn.",
     "Open requests of this user and device were dropped with their keys and packages. Nothing delivered was revoked.",
     "Nothing."},
    {event::k_repacked, info, true, "An imported certificate was packed anew for a device.",
     "Its key was unwrapped, checked and wrapped for this device alone.", "Nothing."},
    {event::k_repack_will_retry, warning, false, "Imported certificates could not be fetched; it will be tried again.",
     "The service or the import key could not be reached.", "Nothing at first. If it goes on: `doctor`."},
    {event::k_repack_failed, warning, true, "No imported certificate could be packed for a device.",
     "Nothing of what the user has opens or passes its checks; the newest record's fault stands in this line.",
     "`import verify --user U` on the connector's host shows each record."},
    {event::k_record_omitted, warning, true, "An imported record was left out of a delivery.",
     "The other records were delivered. This one does not open, or fails a check; the reason stands in this line.",
     "`import verify`; import the certificate again if it is still needed."},
    {event::k_weak_encryption_opened, info, false, "An imported record was protected by an outdated cipher.",
     "It was opened (RC2-40 or the like) and delivered under a current one. In the store it stays as weak as it was.",
     "`import upgrade` repacks such records."},
    {event::k_import_vanished, warning, true, "An imported certificate that was here before is gone from the store.",
     "Somebody removed it, or the service no longer shows it. Devices that have it keep it; new ones do not get it. "
     "Said "
     "at a delivery, when the store has changed since the one before.",
     "If nobody removed it on purpose: restore it from the importer's inventory, and ask who holds an administrator's "
     "token."},
    {event::k_import_unsigned, warning, true, "An imported record is not signed by an importer.",
     "It has no signature, one of an unknown signer, or one over other content. It was not even opened.",
     "If an older record is genuine: `import adopt`. If an importer is new: add its certificate to [importer] "
     "signers."},
    {event::k_import_undecryptable, warning, true, "An imported record's password does not open with our key.",
     "It was wrapped for another key, or is damaged. Many of these in an hour stop the kind.",
     "`import key list` against the record's key; import it again under the present key."},
    {event::k_import_key_unknown, warning, false, "An imported record names a key that is not configured.",
     "No [import.NAME] has both its provider name and its key name, letter for letter.",
     "Add the table, or import the record again under a key that is here."},
    {event::k_import_expired_delivered, info, false, "An expired imported certificate was delivered.",
     "That is as it should be: old mail stays readable only with old keys.", "Nothing."},
    {event::k_parser_broken, error, true, "A PFX broke the process that parsed it.",
     "Each PFX is opened in a process of its own, which can reach nothing but its answer. This one crashed, ran out of "
     "its "
     "time or memory, or answered nonsense; the reason stands in this line. The record is left out as importInvalid, "
     "and "
     "every other file had a process of its own. A crash may be an accident (the system's out-of-memory killer), or a "
     "file "
     "made to attack the parser.",
     "Keep the record, find out who imported it, and import the certificate again from its source. If more than one "
     "file "
     "is concerned, look at the system's memory and at updates of OpenSSL."},
    {event::k_import_expiring, warning, false, "A user's current imported encryption certificate ends within 30 days.",
     "It is the newest that was delivered from here for this person. When it has ended nobody can send encrypted mail "
     "to "
     "the person; old mail stays readable. Said once a day for each certificate.",
     "Have a new certificate issued for the person and import it; the old one stays in the store."},
    {event::k_current_import_changed, warning, true, "A person's current encryption certificate changes.",
     "The newest of the imported ones is another than what was delivered last: correspondents will encrypt to it. Old "
     "and new stand in this line, as SHA-256. For protected users it has been approved.",
     "Nothing, if a renewal was imported. If not, or if the old one has come back: `import list`, and ask who can "
     "write "
     "to the store."},
    {event::k_import_left_out, warning, true, "The store leaves out records that the importer's list names.",
     "Each record's signature names all certificates of its owner for that purpose; the list with the highest sequence "
     "counts, and it is remembered here. Those that no record shown is signed for stand in this line, as SHA-256 (the "
     "first twenty). The rest is delivered, and the device lacks the old mail of what is left out.",
     "Nothing, if the record was taken out on purpose: `import remove` signs a new list, and for what was removed "
     "before "
     "or by other means `import inventory --publish` does. If not, the service loses or hides records: import them "
     "again "
     "from their source."},
    {event::k_import_list_older, warning, true, "The store shows an older importer's list than one seen here.",
     "The newest signed list of this owner and purpose has a lower sequence than one that was shown before: records "
     "were "
     "put back or taken away. What is signed is delivered; what the newer list names and is not there is IMP-2080.",
     "Ask who can write to the store; a service that was restored from a copy shows the same. Import again what is "
     "missing, or sign a new list with `import inventory --publish`."},
    {event::k_import_list_withheld, warning, true, "The store shows no importer's list where one was seen before.",
     "Every record of this owner and purpose has lost its importer's signature, or all of them are gone. Where "
     "[importer] signatures is \"adopted\", unsigned records of this owner are refused from the first signed list on.",
     "Nothing, if all of the owner's records were removed on purpose. If not, ask who can write to the store, and "
     "import the records again or sign them with `import adopt`."},
    {event::k_import_list_shorter, warning, true,
     "A newer importer's list names fewer certificates than the one before.",
     "An importer has signed it, as `import remove` and `import inventory --publish` do. Those that are no longer "
     "named "
     "stand in this line, as SHA-256 (the first twenty); nobody misses them from now on.",
     "Nothing, if they were removed on purpose. If not, an importing tool was shown less than there is when it signed: "
     "import them again, and ask who can write to the store."},

    {event::k_revoke_request_done, info, true, "A revocation request is done.",
     "The certificate is revoked, and the service has accepted the report.", "Nothing."},
    {event::k_revoke_request_failed, warning, true, "A revocation request has failed and was reported so.",
     "The reason stands in this line.", "If the certificate has to go, revoke it at the authority by hand."},
    {event::k_revoked, info, true, "A certificate was revoked.",
     "The authority confirmed it, or it already was. Where a person did it (`local-ca revoke`) the account stands in "
     "this "
     "line.",
     "Nothing, if you know the account."},
    {event::k_revoke_failed, error, true, "A certificate could not be revoked.",
     "The authority said no, cannot revoke, or cannot say whether there is one. What it issued is still good.",
     "Revoke it at the authority by hand."},
    {event::k_revoke_will_retry, warning, false, "A certificate could not be revoked yet; it will be tried again.",
     "The authority could not be reached, or is no longer configured. The certificate is still good.",
     "Put the authority back into the configuration if the reason names it. If it is urgent, revoke it there by hand."},
    {event::k_orphan_found, warning, true, "A certificate was issued that nobody will get.",
     "The order was dropped or replaced after the certificate had been made. It is going to be revoked.",
     "Nothing, unless REV-3051 follows."},
    {event::k_not_issued_here, warning, true, "Revocation of a certificate was refused: it was not issued here.",
     "Only certificates in this connector's register, for the same user and device, are revoked on the service's word.",
     "If it has to go, revoke it at the authority by hand. If nobody here asked for it, ask who has access to the "
     "service."},

    {event::k_limit_tripped, error, true, "A limit was exceeded twofold, and the kind of request is stopped.",
     "So many of them are no accident of a normal day. Nothing of these kinds is leased, worked or sent until a person "
     "allows it, across restarts (said again at each start); the readiness check fails.",
     "`limits show`, then ask who ordered so much. If it is right: `limits raise`, then `thaw`. If not: leave it "
     "stopped "
     "and look at the service's access log."},
    {event::k_recipient_refused, warning, true, "A device was refused as recipient.",
     "Its certificate is not of the configured authority, names another device, is too weak, or nothing proves that "
     "the device "
     "is the user's. No key was wrapped for it.",
     "`requests show ID` tells which check failed. If the device is genuine, correct [recipients] or enrol the device "
     "anew."},
    {event::k_request_held, warning, true, "A request waits for a person.",
     "It is new, changed or beyond a limit, and nothing proves it. It is told to the service after hold_days.",
     "`requests show ID`. Compare the key's fingerprint with the device in hand, then `requests approve ID --key "
     "ABCD`, or let it run out."},
    {event::k_request_approved, info, true, "A person let a held request go on.",
     "The approval is for this user, device and key, and ends by itself.",
     "Nothing, if you know the account in this line."},
    {event::k_hold_expired, warning, true, "A held request ran out without a decision.",
     "The service has been told; it may send it again.", "Nothing, or look at held requests more often (`status`)."},
    {event::k_recipient_pinned, info, true, "A device key was accepted for a user for the first time.",
     "From now on this device has this key; another one is not taken without proof.", "Nothing."},
    {event::k_recipient_changed, warning, true, "A known device has a new key or a new user.",
     "Its binding or the old key proved it, or [recipients] lets it pass.",
     "Nothing, if the device was reset or handed on. Otherwise `recipients block`."},
    {event::k_recipient_blocked, warning, true, "A device, user or key was blocked.",
     "Nothing is delivered to it any more, whatever the service says. No command lifts a block yet.",
     "Nothing, if you know the account in this line. Blocked by mistake: enrol the device anew, which gives it another "
     "id and key; a blocked user needs another userPrincipalName."},
    {event::k_recipient_forgotten, warning, true, "A pin was taken out of the register.",
     "The next key of this device counts as its first.", "Nothing, if you know the account in this line."},
    {event::k_person_refused, warning, true, "A user could not be proved.",
     "The claimed name contradicts the device certificate, or the proof names nobody.",
     "Compare the user at the service with the name in the device's certificate."},
    {event::k_limit_reached, warning, true, "A limit is reached; what is above it is held.",
     "The meter and its limit stand in this line. It falls by itself as time passes.",
     "`limits show`. If today is special: `limits raise NAME=N --for 48h --reason TEXT`."},
    {event::k_limit_raised, warning, true, "A limit was raised for a time.", "It ends by itself.",
     "Nothing, if you know the account in this line."},
    {event::k_kind_frozen, warning, true, "Kinds of request were frozen.",
     "None is leased, worked or sent, across restarts, until `thaw`. certificate.revoke stands for every revocation, "
     "orphans included.",
     "`thaw` when it is over."},
    {event::k_kind_thawed, info, true, "Kinds of request were thawed.", "They are worked again.",
     "Nothing, if you know the account in this line."},
    {event::k_recipient_bound, info, true, "A device was bound to a user by hand.",
     "A person put it into the register.", "Nothing, if you know the account in this line."},
    {event::k_window_opened, warning, true, "An enrolment window was opened.",
     "Until it ends, first uses of device keys are accepted up to its number.",
     "Nothing, if you know the account in this line."},
    {event::k_window_used, info, true, "A place of the enrolment window was taken.",
     "A device key was accepted by its first use.", "Nothing; compare the number with the devices you expect."},
    {event::k_window_closed, info, true, "The enrolment window is closed.",
     "Its time is over, or all its places are taken. New devices are held again.",
     "`recipients window` opens another, if the roll-out is not finished."},
    {event::k_package_wrapped, info, true, "A package was wrapped for a device.",
     "What is in it can be opened with this device's key alone.", "Nothing."},
    {event::k_package_dropped, warning, true, "A package was dropped undelivered.",
     "The service did not take its report in time, or withdrew the request.", "The service has to order anew."},
    {event::k_import_keys_loaded, info, true, "The import keys were read.",
     "Their names and fingerprints stand in this line.", "Nothing."},
    {event::k_key_unreadable, error, true, "A key of ours cannot be read.",
     "The file is missing, has the wrong mode or owner, or its password is wrong. What needs it is refused.",
     "`doctor` names the file and what is wrong; then start the connector again."},
    {event::k_delivery_certificate_missing, warning, false, "Deliveries are signed by the connector's own certificate.",
     "No [delivery] certificate is set: the signature then roots in the service's authority, and devices cannot tell "
     "us from it.",
     "`delivery-key create`, set [delivery], and let devices pin its authority."},
    {event::k_certificate_expiring, warning, false, "A certificate that the connector needs ends soon.",
     "Which one, and when, stands in this line.",
     "The connector's own renews by itself; MGT-6023 says why it did not. The delivery certificate needs a new one "
     "that "
     "devices have got before it is used."},
});

}  // namespace

std::span<const EventDefinition> request_events() noexcept {
    return k_request_events;
}

}  // namespace connector
