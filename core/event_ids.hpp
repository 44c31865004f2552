// The ids of all events, so that no code types one. The texts stand in core/events.cpp, one entry each.
// The number alone is unique, whatever its prefix: Windows event ids have no prefix.
// Blocks: PKCS 1000, IMP 2000, REV 3000, KEY 4000, SVC 5000, MGT 6000, AUTH 7000, STO 8000.
// An id that was released keeps its meaning for ever; one that is given up is not used again.
#pragma once

#include <string_view>

namespace connector::event {

// PKCS: certificates issued for a device. 1000, 1001, 1050–1052 are Microsoft's numbers.
inline constexpr std::string_view k_issue_request_done = "PKCS-1000";
inline constexpr std::string_view k_issue_request_failed = "PKCS-1001";
inline constexpr std::string_view k_key_generated = "PKCS-1040";
inline constexpr std::string_view k_issued = "PKCS-1050";
inline constexpr std::string_view k_issue_will_retry = "PKCS-1051";
inline constexpr std::string_view k_issue_failed = "PKCS-1052";
inline constexpr std::string_view k_issue_pending = "PKCS-1053";
inline constexpr std::string_view k_submission_unknown = "PKCS-1054";
inline constexpr std::string_view k_submission_found = "PKCS-1055";
inline constexpr std::string_view k_possible_duplicate = "PKCS-1056";
inline constexpr std::string_view k_policy_refused = "PKCS-1060";
inline constexpr std::string_view k_certificate_mismatch = "PKCS-1061";

// IMP: imported certificates.
inline constexpr std::string_view k_import_request_done = "IMP-2000";
inline constexpr std::string_view k_import_request_failed = "IMP-2001";
inline constexpr std::string_view k_withdrawn = "IMP-2010";
inline constexpr std::string_view k_repacked = "IMP-2050";
inline constexpr std::string_view k_repack_will_retry = "IMP-2051";
inline constexpr std::string_view k_repack_failed = "IMP-2052";
inline constexpr std::string_view k_record_omitted = "IMP-2060";
inline constexpr std::string_view k_weak_encryption_opened = "IMP-2061";
inline constexpr std::string_view k_import_vanished = "IMP-2062";
inline constexpr std::string_view k_import_unsigned = "IMP-2063";
inline constexpr std::string_view k_import_undecryptable = "IMP-2064";
inline constexpr std::string_view k_import_key_unknown = "IMP-2065";
inline constexpr std::string_view k_import_expired_delivered = "IMP-2066";
inline constexpr std::string_view k_parser_broken = "IMP-2067";
inline constexpr std::string_view k_import_expiring = "IMP-2068";
inline constexpr std::string_view k_current_import_changed = "IMP-2069";
inline constexpr std::string_view k_import_left_out = "IMP-2080";
inline constexpr std::string_view k_import_list_older = "IMP-2081";
inline constexpr std::string_view k_import_list_withheld = "IMP-2082";
inline constexpr std::string_view k_import_list_shorter = "IMP-2083";

// REV: revocation. 3050–3052 are Microsoft's numbers.
inline constexpr std::string_view k_revoke_request_done = "REV-3000";
inline constexpr std::string_view k_revoke_request_failed = "REV-3001";
inline constexpr std::string_view k_revoked = "REV-3050";
inline constexpr std::string_view k_revoke_failed = "REV-3051";
inline constexpr std::string_view k_revoke_will_retry = "REV-3052";
inline constexpr std::string_view k_orphan_found = "REV-3060";
inline constexpr std::string_view k_not_issued_here = "REV-3061";

// KEY: decisions about keys, recipients and limits.
inline constexpr std::string_view k_limit_tripped = "KEY-4001";
inline constexpr std::string_view k_recipient_refused = "KEY-4002";
inline constexpr std::string_view k_request_held = "KEY-4003";
inline constexpr std::string_view k_request_approved = "KEY-4004";
inline constexpr std::string_view k_hold_expired = "KEY-4005";
inline constexpr std::string_view k_recipient_pinned = "KEY-4006";
inline constexpr std::string_view k_recipient_changed = "KEY-4007";
inline constexpr std::string_view k_recipient_blocked = "KEY-4008";
inline constexpr std::string_view k_recipient_forgotten = "KEY-4009";
inline constexpr std::string_view k_person_refused = "KEY-4010";
inline constexpr std::string_view k_limit_reached = "KEY-4011";
inline constexpr std::string_view k_limit_raised = "KEY-4012";
inline constexpr std::string_view k_kind_frozen = "KEY-4013";
inline constexpr std::string_view k_kind_thawed = "KEY-4014";
inline constexpr std::string_view k_recipient_bound = "KEY-4015";
inline constexpr std::string_view k_window_opened = "KEY-4020";
inline constexpr std::string_view k_window_used = "KEY-4021";
inline constexpr std::string_view k_window_closed = "KEY-4022";
inline constexpr std::string_view k_package_wrapped = "KEY-4030";
inline constexpr std::string_view k_package_dropped = "KEY-4031";
inline constexpr std::string_view k_import_keys_loaded = "KEY-4040";
inline constexpr std::string_view k_key_unreadable = "KEY-4041";
inline constexpr std::string_view k_delivery_certificate_missing = "KEY-4042";
inline constexpr std::string_view k_certificate_expiring = "KEY-4043";

// SVC: the daemon itself. 5000–5002 are Microsoft's health numbers.
inline constexpr std::string_view k_heartbeat_sent = "SVC-5000";
inline constexpr std::string_view k_heartbeat_will_retry = "SVC-5001";
inline constexpr std::string_view k_heartbeat_refused = "SVC-5002";
inline constexpr std::string_view k_started = "SVC-5010";
inline constexpr std::string_view k_stopped = "SVC-5011";
inline constexpr std::string_view k_draining = "SVC-5012";
inline constexpr std::string_view k_start_failed = "SVC-5013";
inline constexpr std::string_view k_second_instance = "SVC-5014";
inline constexpr std::string_view k_configuration_problem = "SVC-5015";
inline constexpr std::string_view k_configuration_reloaded = "SVC-5016";
inline constexpr std::string_view k_reload_refused = "SVC-5017";
inline constexpr std::string_view k_state_changed = "SVC-5018";
inline constexpr std::string_view k_drain_incomplete = "SVC-5019";
inline constexpr std::string_view k_secret_memory_not_locked = "SVC-5020";
inline constexpr std::string_view k_control_group_missing = "SVC-5021";
inline constexpr std::string_view k_control_done = "SVC-5022";
inline constexpr std::string_view k_control_refused = "SVC-5023";
inline constexpr std::string_view k_health_not_listening = "SVC-5024";
inline constexpr std::string_view k_service_word_taken = "SVC-5025";
inline constexpr std::string_view k_locked_down = "SVC-5029";
inline constexpr std::string_view k_mail_failed = "SVC-5026";
inline constexpr std::string_view k_mail_dropped = "SVC-5027";
inline constexpr std::string_view k_mail_works = "SVC-5028";
inline constexpr std::string_view k_audit_broken = "SVC-5030";
inline constexpr std::string_view k_audit_write_failed = "SVC-5031";
inline constexpr std::string_view k_log_write_failed = "SVC-5032";
inline constexpr std::string_view k_clock_moved = "SVC-5033";
inline constexpr std::string_view k_clock_behind = "SVC-5034";
inline constexpr std::string_view k_clock_held = "SVC-5035";
inline constexpr std::string_view k_clock_right = "SVC-5036";
inline constexpr std::string_view k_clock_accepted = "SVC-5037";
inline constexpr std::string_view k_internal_fault = "SVC-5040";

// MGT: the management service.
inline constexpr std::string_view k_leased = "MGT-6000";
inline constexpr std::string_view k_lease_failed = "MGT-6001";
inline constexpr std::string_view k_service_back = "MGT-6002";
inline constexpr std::string_view k_unauthorized = "MGT-6003";
inline constexpr std::string_view k_throttled = "MGT-6004";
inline constexpr std::string_view k_answer_unreadable = "MGT-6005";
inline constexpr std::string_view k_element_skipped = "MGT-6006";
inline constexpr std::string_view k_request_unreadable = "MGT-6007";
inline constexpr std::string_view k_order_changed = "MGT-6008";
inline constexpr std::string_view k_lease_lost = "MGT-6009";
inline constexpr std::string_view k_leasing_paused = "MGT-6010";
inline constexpr std::string_view k_leasing_resumed = "MGT-6011";
inline constexpr std::string_view k_report_failed = "MGT-6012";
inline constexpr std::string_view k_result_rejected = "MGT-6013";
inline constexpr std::string_view k_result_superseded = "MGT-6014";
inline constexpr std::string_view k_report_abandoned = "MGT-6015";
inline constexpr std::string_view k_clock_skew = "MGT-6016";
inline constexpr std::string_view k_request_quarantined = "MGT-6017";
inline constexpr std::string_view k_enrolled = "MGT-6020";
inline constexpr std::string_view k_enrolment_failed = "MGT-6021";
inline constexpr std::string_view k_connector_renewed = "MGT-6022";
inline constexpr std::string_view k_renewal_failed = "MGT-6023";
inline constexpr std::string_view k_unenrolled = "MGT-6024";
inline constexpr std::string_view k_not_approved = "MGT-6025";
inline constexpr std::string_view k_connector_added = "MGT-6026";
inline constexpr std::string_view k_leasing_stalled = "MGT-6027";

// AUTH: certification authorities.
inline constexpr std::string_view k_authority_up = "AUTH-7000";
inline constexpr std::string_view k_authority_down = "AUTH-7001";
inline constexpr std::string_view k_authority_refused_us = "AUTH-7002";
inline constexpr std::string_view k_authority_rejected = "AUTH-7003";
inline constexpr std::string_view k_authority_mismatch = "AUTH-7004";
inline constexpr std::string_view k_authority_suspended = "AUTH-7005";
inline constexpr std::string_view k_authority_resumed = "AUTH-7006";
inline constexpr std::string_view k_authority_unknown = "AUTH-7007";
inline constexpr std::string_view k_crl_written = "AUTH-7010";
inline constexpr std::string_view k_crl_failed = "AUTH-7011";
// The directory, an authority of another kind.
inline constexpr std::string_view k_directory_up = "AUTH-7020";
inline constexpr std::string_view k_directory_down = "AUTH-7021";
inline constexpr std::string_view k_directory_refused_us = "AUTH-7022";
inline constexpr std::string_view k_waits_for_directory = "AUTH-7023";

inline constexpr std::string_view k_crls_current = "AUTH-7030";
inline constexpr std::string_view k_crls_not_current = "AUTH-7031";
inline constexpr std::string_view k_crl_not_obtained = "AUTH-7032";
inline constexpr std::string_view k_waits_for_crl = "AUTH-7033";

// STO: the database and the disk.
inline constexpr std::string_view k_storage_opened = "STO-8000";
inline constexpr std::string_view k_storage_recovered = "STO-8001";
inline constexpr std::string_view k_storage_migrated = "STO-8002";
inline constexpr std::string_view k_storage_newer = "STO-8003";
inline constexpr std::string_view k_row_quarantined = "STO-8004";
inline constexpr std::string_view k_disk_full = "STO-8005";
inline constexpr std::string_view k_disk_low = "STO-8006";
inline constexpr std::string_view k_storage_failed = "STO-8007";
inline constexpr std::string_view k_storage_restored = "STO-8008";
inline constexpr std::string_view k_sealing_key_wrong = "STO-8009";
inline constexpr std::string_view k_storage_corrupt = "STO-8010";
inline constexpr std::string_view k_purged = "STO-8011";
inline constexpr std::string_view k_restore_accepted = "STO-8012";
inline constexpr std::string_view k_backed_up = "STO-8013";

}  // namespace connector::event
