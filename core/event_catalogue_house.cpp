#include "core/event_catalogue.hpp"
#include "core/event_ids.hpp"

#include <array>

namespace connector {
namespace {

using enum Severity;

constexpr auto k_house_events = std::to_array<EventDefinition>({
    {event::k_heartbeat_sent, debug, false, "The service has our state.", "A heartbeat was accepted.", "Nothing."},
    {event::k_heartbeat_will_retry, warning, false, "The service could not be told our state; it will be tried again.",
     "It cannot be reached at the moment. Its console may show this connector as lost.", "See MGT-6001."},
    {event::k_heartbeat_refused, error, false, "The service does not take our state.",
     "It refused the heartbeat itself. The answer's code stands in this line.",
     "See MGT-6003 for a refused certificate; otherwise show this line to whoever runs the service."},
    {event::k_started, info, true, "The connector has started.", "Version and configuration file stand in this line.",
     "Nothing."},
    {event::k_stopped, info, true, "The connector has stopped.", "All that was in progress is saved.", "Nothing."},
    {event::k_draining, info, false, "The connector is stopping.",
     "It takes no new requests; steps in progress finish and are saved. A second signal ends it at once.", "Nothing."},
    {event::k_start_failed, error, false, "The connector could not start.", "The reason stands in this line.",
     "Correct it and start again; `check-config` and `doctor` say more."},
    {event::k_second_instance, error, false, "Another connector already uses this state directory.",
     "Two of them on one database would deliver twice. This one does not start; it says so on the error output, for "
     "the log is the other's.",
     "Stop the other, or give this one its own configuration and state directory."},
    {event::k_configuration_problem, error, false, "The configuration has a fault.",
     "File, line and column stand in this line, on the error output: the log is not open yet. The connector does not "
     "start with it.",
     "`check-config` lists all faults at once."},
    {event::k_configuration_reloaded, info, true, "The configuration was read again and is in force.",
     "Certificates, credentials, policy, authorities, limits and log level are the new ones; what is in work goes on. "
     "Keys that are read at the start alone stand in needs_restart, if they were changed.",
     "Nothing, if you know who did it; restart where needs_restart says so."},
    {event::k_reload_refused, error, true, "A new configuration has a fault; the old one stays in force.",
     "Nothing has changed. Each fault has a line of its own in the log before this one.",
     "`check-config`, correct it, and reload again; what can only be had by a restart says so."},
    {event::k_state_changed, info, false, "The connector's state changed.",
     "ready, degraded, draining or not ready; the reason stands in this line.", "`status` if it is not ready."},
    {event::k_drain_incomplete, warning, false, "Not everything finished before the stop.",
     "drain_seconds ran out. What was cut off is found again at the next start.",
     "Nothing; raise drain_seconds if it happens often."},
    {event::k_secret_memory_not_locked, warning, false, "Memory for keys could not be locked.",
     "The system's limit is too small: keys might reach the swap space.",
     "Set LimitMEMLOCK=infinity in the unit, or encrypt or switch off swap."},
    {event::k_control_group_missing, warning, false, "The group for the control socket does not exist.",
     "The socket is open to the service's account and root only.",
     "`groupadd --system pfx-connector-admin`, put the administrators into it, restart."},
    {event::k_control_done, info, true, "A command was carried out.", "The account that gave it stands in this line.",
     "Nothing, if you know the account."},
    {event::k_control_refused, warning, true, "A command was refused.",
     "The account may not give it, or its condition is not met.",
     "Put the account into the group of [control], if it should."},
    {event::k_health_not_listening, error, false, "The health endpoint could not be opened.",
     "Its address is taken or not ours. Whoever answers there is not this connector.",
     "`ss -ltnp` shows who has the port; change [health] listen, or stop the other."},
    {event::k_locked_down, info, false, "What the daemon has forbidden itself.",
     "Core dumps, new privileges, system calls that it has no use for (seccomp), writing elsewhere than to its own "
     "folders (Landlock): what is active, and of what is not, why. Beside the unit's directives and without them.",
     "Where something is not active: a newer kernel, or rely on the unit's directives (docs/operate.md)."},
    {event::k_service_word_taken, warning, true, "The service's word is taken without proof.",
     "[recipients] binding or [policy] identity is \"service\": who controls the service can have any key or name.",
     "`doctor --trust`; choose a binding and an identity that prove it."},
    {event::k_mail_failed, warning, false, "A notification could not be mailed.",
     "The mail server's reason stands in this line; what it was about stands in the log as its own event. It is tried "
     "again with the next digest, and nothing waits for it.",
     "`doctor` tests the server's name, TLS and credential. Events are in the log and the audit log whatever becomes "
     "of "
     "the mail."},
    {event::k_mail_dropped, warning, false, "Notifications were left out.",
     "More came together than the queue holds, or the mail server took none for too long. Their number stands in this "
     "line; each of them is in the log.",
     "Read the log. If it lasts: `doctor`, and look at the mail server."},
    {event::k_mail_works, info, false, "Notifications are mailed again.", "The mail server has taken one.", "Nothing."},
    {event::k_audit_broken, error, true, "The audit log was changed, cut or moved.",
     "Its last line is not the one that the database remembers, or its chain does not hold. The chain goes on from the "
     "remembered head, so the gap stays visible.",
     "`audit verify` shows where. Keep the files as they are, and find out who could write them."},
    {event::k_audit_write_failed, error, false, "The audit log cannot be written.",
     "What may not happen unseen does not happen: audited work stops until it can be written again.",
     "Free space on its disk, or correct the mode of its folder."},
    {event::k_log_write_failed, error, false, "The log cannot be written.",
     "Lines are lost; the journal may have them.", "Free space on its disk, or correct the mode of its folder."},
    {event::k_clock_moved, warning, true, "The system's clock has jumped.",
     "What waits goes on waiting for as long as it would have. Nothing is proved or packed until an answer of the "
     "service agrees with the clock, and nobody is refused for a validity while it is doubtful.",
     "Check time synchronisation (`timedatectl`)."},
    {event::k_clock_behind, warning, true, "The clock is behind the newest time that was seen here.",
     "By more than ten minutes; by how much stands in this line. Validities go by the newest time, less ten minutes, "
     "so "
     "that nothing is valid again that was over. Behind by more than a day, certificates and deliveries stop "
     "(SVC-5035).",
     "Check time synchronisation (`timedatectl`). If the newest time was the wrong one: `clock accept`."},
    {event::k_clock_held, error, true, "The clock is behind by more than a day: what hangs on time is stopped.",
     "The newest time seen here is durable, and the clock is more than a day before it: an expired or revoked device "
     "certificate would count again, and the limits would begin anew. pkcs.issue, pkcs.renew and pfx.deliver are "
     "neither leased nor worked nor sent, also across restarts, until the clock is right again or a person says which "
     "one is.",
     "Set the clock right; the stop then ends by itself. If the clock is right now and was ahead before: "
     "`clock accept --reason TEXT`."},
    {event::k_clock_right, info, true, "The clock is no longer behind the newest time seen here.",
     "What was stopped for it goes on.", "Nothing."},
    {event::k_clock_accepted, warning, true, "A person has accepted the clock as it is.",
     "The newest time seen here was later than the clock, and an administrator has said that the clock is right. The "
     "account and the reason stand in this line.",
     "Nothing, if you know the account and the reason."},
    {event::k_internal_fault, error, true, "The connector found a fault of its own.",
     "A request that meets it is set aside; the others go on.", "Please report it with this line and the version."},

    {event::k_leased, debug, false, "Requests were taken from the service.", "Their number stands in this line.",
     "Nothing."},
    {event::k_lease_failed, warning, false, "The service cannot be reached.",
     "The reason stands in this line. What is here goes on being worked, and it is tried again by itself.",
     "If it lasts: `doctor` tests name, proxy, TLS and clock one by one."},
    {event::k_service_back, info, false, "The service can be reached again.",
     "How long it could not stands in this line.", "Nothing."},
    {event::k_unauthorized, error, false, "The service does not accept us.",
     "Our certificate has ended, was revoked or replaced, or the connector was removed. No new requests are taken; it "
     "is tried every minute.",
     "If the certificate was replaced by hand: restart the connector, it still has the one from before. Else look at "
     "the "
     "connector in the service's console. If the certificate is over: `enroll` with a new token. "
     "If a renewal happened that you do not know of, take it seriously: somebody may have used our key."},
    {event::k_throttled, info, false, "The service asks us to slow down.", "It is obeyed, for up to an hour.",
     "Nothing; if it lasts for hours, ask whoever runs the service."},
    {event::k_answer_unreadable, error, false, "An answer of the service cannot be read.",
     "It is not what the API says, or too large. Nothing of it was used.",
     "A proxy's page in its place is the usual cause. Otherwise show this line to whoever runs the service."},
    {event::k_element_skipped, warning, false, "Part of an answer was skipped.",
     "It has no usable id, so that not even its failure can be told.", "Show this line to whoever runs the service."},
    {event::k_request_unreadable, warning, true, "A request cannot be read.",
     "It was reported as failed, as invalidRequest or unsupported; the field is named. A kind that was not asked for "
     "counts as such.",
     "Show this line to whoever runs the service."},
    {event::k_order_changed, error, true, "The service changed an order while it was being worked.",
     "The same id came with another user, device, key or content. Nothing was done with the new one.",
     "A correct service never does this. Ask who has access to it."},
    {event::k_lease_lost, warning, false, "The service took requests back.",
     "Another connector may have them. What was not yet submitted is dropped; what is issued is still reported.",
     "Nothing; if it happens often, this machine is too slow or its clock is wrong."},
    {event::k_leasing_paused, warning, false, "No new requests are taken for now.",
     "So many are open that max_pending is reached; it goes on at 80 % of that.", "`status` shows what is waited for."},
    {event::k_leasing_resumed, info, false, "New requests are taken again.", "The reason for the pause is over.",
     "Nothing."},
    {event::k_report_failed, warning, false, "Results could not be reported; it will be tried again.",
     "They are kept in the database.", "Nothing at first. If it goes on: see MGT-6001."},
    {event::k_result_rejected, error, true, "The service rejected a result.",
     "It is kept and tried hourly; its answer stands in this line.",
     "Show this line to whoever runs the service; `requests abandon ID` gives it up."},
    {event::k_result_superseded, info, true, "A result came too late.",
     "The service had ended or replaced the order. A certificate made for it is revoked.", "Nothing."},
    {event::k_report_abandoned, warning, true, "A result was given up.",
     "It was abandoned by hand, or could not be reported in time. Its package is gone.",
     "The service has to order anew."},
    {event::k_clock_skew, warning, false, "Our clock and the service's differ.", "By how much stands in this line.",
     "Check time synchronisation (`timedatectl`); beyond minutes certificates are judged wrongly."},
    {event::k_request_quarantined, error, true, "A request ended the process again and again, and was set aside.",
     "It was reported as failed, internal. The others go on.", "Please report it with this line and the version."},
    {event::k_enrolled, info, true, "The connector was enrolled.",
     "Its id and its key's fingerprint stand in this line.",
     "Compare the fingerprint in the service's console before you approve it there."},
    {event::k_enrolment_failed, error, true, "Enrolment has failed.", "The reason stands in this line.",
     "A token works once, and for an hour at most: get a new one. If the token was never used by you, somebody else "
     "used it."},
    {event::k_connector_renewed, info, true, "The connector's certificate was renewed.",
     "A new key is in use; the old certificate is refused from now on.", "Nothing."},
    {event::k_renewal_failed, warning, false,
     "The connector's certificate could not be renewed; it will be tried again.",
     "It is tried hourly until it ends; the day stands in this line.",
     "If the day is near: `enroll --renew`, else `enroll` with a new token."},
    {event::k_unenrolled, warning, true, "The connector has given up its enrolment.", "It takes no requests any more.",
     "Nothing, if you know the account in this line."},
    {event::k_not_approved, warning, false, "The service has not approved this connector yet.",
     "It holds new connectors until an administrator has compared the key's fingerprint.",
     "Compare it with what `enroll` printed (the audit log has it, MGT-6020), and approve it in the service's "
     "console."},
    {event::k_connector_added, warning, true, "The service names a connector that was not there before.",
     "Its name and day stand in this line.",
     "If nobody here enrolled it, have it removed at once: it can take requests."},
    {event::k_leasing_stalled, error, false, "No lease call has been answered for minutes.",
     "The service cannot be reached, refuses each of them, or puts them off again and again, while it may answer "
     "everything else. No new requests are taken; what is here goes on being worked. The last one that was answered "
     "stands in this line.",
     "The lines before say why: see MGT-6001, MGT-6004 and MGT-6005. It ends with the next that is answered."},

    {event::k_authority_up, info, false, "An authority works again.", "How long it did not stands in this line.",
     "Nothing."},
    {event::k_authority_down, warning, false, "An authority does not answer.",
     "After several failures it is left alone for a while; its requests wait, the others go on.",
     "`authority test NAME` asks it and says what to do; `authority resume NAME` has the daemon ask it at once."},
    {event::k_authority_refused_us, error, false, "An authority does not accept our credential or configuration.",
     "Its requests wait; it is tried every ten minutes.",
     "`authority test NAME` asks it and says what to do. Mended over there: `authority resume NAME`. Corrected in "
     "[authority.NAME]: have it read anew."},
    {event::k_authority_rejected, warning, true, "An authority refused an order.", "Its own words stand in this line.",
     "Correct what it names, there or in the profile at the service."},
    {event::k_authority_mismatch, error, true, "An authority's answer does not belong to the order.",
     "Another key, another chain, or a certificate that is not of this authority.",
     "Ask whoever runs the authority; what it issued is revoked where that can be done."},
    {event::k_authority_suspended, error, true, "An authority was suspended.",
     "Too many of its certificates were not what was ordered.",
     "Correct the template there, then `authority resume NAME`."},
    {event::k_authority_resumed, info, true, "An authority was resumed by hand.", "Its requests are worked again.",
     "Nothing, if you know the account in this line."},
    {event::k_authority_unknown, warning, false, "A request names an authority or template that is not configured.",
     "It was reported as failed, authorityMisconfigured.",
     "Add [authority.NAME] or its template, or correct the profile at the service."},
    {event::k_crl_written, info, false, "A revocation list was written.",
     "Its number and next date stand in this line.", "Nothing."},
    {event::k_crl_failed, error, false, "A revocation list could not be written where it was time for a new one.",
     "The old one is good until the time in this line; once it has ended, whoever looks at it refuses every "
     "certificate. "
     "It is tried again every few minutes.",
     "Free space on the disk, or let the daemon's account write in the authority's folder and where crl_file points; "
     "`authority test NAME` looks again."},
    {event::k_directory_up, info, false, "The directory answers again.", "Since when it did not stands in this line.",
     "Nothing: what waited for it goes on by itself within two minutes."},
    {event::k_directory_down, warning, false, "The directory cannot be reached.",
     "Requests whose device or person it has to prove wait and are not given up before recipients.hold_days; nothing "
     "is wrapped or certified on an older answer.",
     "`doctor` asks it and says what to do. Nothing has to be approved or sent again."},
    {event::k_directory_refused_us, error, false, "The directory does not accept our credential or our questions.",
     "It answers, and refuses to let us sign in, or does not have what [directory] names. Requests that it has to "
     "prove "
     "wait.",
     "`doctor` says what it objects to. Put the account right over there, or correct [directory] and have it read "
     "anew."},
    {event::k_waits_for_directory, debug, false, "A request waits for the directory.",
     "Its device or person cannot be proved before the directory answers. It stays leased and goes on by itself.",
     "See AUTH-7021."},
    {event::k_crls_current, info, false, "Each device authority has a current revocation list again.",
     "Since when one had none stands in this line.",
     "Nothing: what waited for it goes on by itself within two minutes."},
    {event::k_crls_not_current, error, false, "A device authority has no current revocation list.",
     "Whether its device certificates still count cannot be told: their requests wait and are not given up before "
     "recipients.hold_days; nothing is wrapped or certified for them.",
     "Let the authority publish a new list, or put it where recipients.crl_files or crl_urls look; `doctor` says which "
     "one. Nothing has to be approved or sent again."},
    {event::k_crl_not_obtained, warning, false, "A revocation list could not be read or fetched.",
     "The list from before serves as long as it is current. It is tried again; the same cause is told once.",
     "Look at the place in this line. crlOlder: somebody offers an older list than the one that is held, which would "
     "bring revoked devices back; find out who."},
    {event::k_waits_for_crl, debug, false, "A request waits for a revocation list.",
     "Whether its device certificate still counts cannot be told before. It stays leased and goes on by itself.",
     "See AUTH-7031."},

    {event::k_storage_opened, info, false, "The database is open.", "How many requests are open stands in this line.",
     "Nothing."},
    {event::k_storage_recovered, warning, true, "The database works again.",
     "The process had been cut off, the disk could not be written for a while, or the file was suspect and has been "
     "found sound. Requests in progress are taken up where they were written down; unclear submissions are looked for "
     "before they are repeated.",
     "Nothing; find out why."},
    {event::k_storage_migrated, info, true, "The database was brought to a newer form.",
     "Older versions of the connector cannot use it any more.", "Nothing."},
    {event::k_storage_newer, error, false, "The database is of a newer version of the connector.",
     "It is left untouched, and this version does not start.",
     "Install the newer version again, or restore the backup made before it."},
    {event::k_row_quarantined, error, true, "A row of the database is not what was written, and is not used any more.",
     "It was damaged or changed by somebody else: its keyed check value is wrong. Row `*`: rows of that table are "
     "missing, or older ones were put back; nothing is decided by it any more, and what needs it waits.",
     "`requests show ID` if it is a request. Find out who could write the file, and check the disk. Once that is "
     "clear: `run --accept-restore` takes what is there as it is."},
    {event::k_disk_full, error, false, "The disk is full.",
     "Nothing can be saved; no new requests are taken, and nothing is lost.",
     "Free space on the disk of storage.directory; work goes on by itself."},
    {event::k_disk_low, warning, false, "The disk is nearly full.",
     "No new requests are taken while less than 512 MiB are free.", "Free space on the disk of storage.directory."},
    {event::k_storage_failed, error, false, "The database cannot be read or written.",
     "The system's reason stands in this line; it is tried again. Where the check of the whole file could not be done, "
     "the next start works nothing before it.",
     "Check the disk, and mode and owner of storage.directory."},
    {event::k_storage_restored, error, true, "The database is older than the audit log; nothing is worked.",
     "A copy was restored, or the machine was set back. Pins, limits and finished requests of the time between are "
     "unknown to it.",
     "If you restored it: `run --accept-restore`. If not, find out who did."},
    {event::k_sealing_key_wrong, error, false, "The sealing key is not the one this database was made with.",
     "Nothing in it can be opened, and nothing of it was touched. The connector does not start.",
     "Put the right key back at [sealing] key; it is in no backup of the database."},
    {event::k_storage_corrupt, error, true, "The database is damaged.",
     "SQLite found faults in it, by its check after an unclean end or at work. Nothing is leased, worked or reported "
     "any more, also after a restart: the next start works nothing before a check of the whole file has found it "
     "sound. "
     "Health and status go on.",
     "Keep the file, check the disk, and restore the last backup."},
    {event::k_restore_accepted, warning, true, "A restored or changed database was accepted by hand.",
     "`run --accept-restore`: the work goes on from there. Requests of the time between come again from the service; "
     "what "
     "it holds as delivered is not revoked.",
     "Look at `recipients list` and `limits show`: blocks and counts of the time between are gone."},
    {event::k_backed_up, info, true, "A copy of the database was made.",
     "Its place and the account stand in this line.",
     "Nothing, if you know the account. The copy is worth as much care as the original."},
    {event::k_purged, debug, false, "Old rows were removed.",
     "Requests closed for longer than they are kept, and meters and approvals that have had their time; hourly.",
     "Nothing."},
});

}  // namespace

std::span<const EventDefinition> house_events() noexcept {
    return k_house_events;
}

}  // namespace connector
