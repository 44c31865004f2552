"""The attacks by number, and what shows each one beside the tests of this folder (which carry their number themselves).

A name is `FILE::TEST`, from the root of the tree: of a Python test `Class.method`, of a C++ test `Suite.Name`.
"""
from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
Json = dict[str, Any]


@dataclass(frozen=True)
class Missing:
    """Not built. `probe`: a configuration that check-config has to refuse for as long as that is so; the day it passes, the attack wants its test.
    Without one, the event named in `silent` is raised nowhere in the source."""
    part: str
    reason: str
    probe: Json | None = None
    silent: str = ""


ATTACKS = {
    "01": "the victim's user, the attacker's enrolled device",
    "02": "the victim's records under the attacker's order",
    "03": "binding statement: other key, expired, unpinned signer, replayed, other device",
    "04": "directory: another owner, disabled, LDAP down, two entries",
    "05": "a known device, a second user",
    "06": "register: first use inside a window, beyond its number, after its end",
    "07": "a certificate of the connector's own making as recipient",
    "08": "two names, prefix, suffix, NUL, case, trailing dot",
    "09": "a sub-CA under the same root",
    "10": "weak, huge and odd keys; octets behind; nine kilobytes",
    "11": "emailProtection, anyEKU, CA:TRUE, missing EKU",
    "12": "valid at intake, not at wrapping",
    "13": "another person's name in SAN, E, CN",
    "14": "a claim that differs from the proof",
    "15": "UPN, DNS, security identifier in every spelling",
    "16": "foreign mail domains that look like ours",
    "17": "purposes for logging on, enrolling, anything",
    "18": "the CA returns what was not asked for",
    "19": "key usage for encryption, asked and returned",
    "20": "the CA writes another identity",
    "21": "a device called like the chief",
    "22": "no allowed mail domain",
    "23": "revocation of what is not ours to revoke",
    "24": "500 revocations of ours",
    "25": "every result answered cancelled",
    "26": "renewal over somebody else's certificate",
    "27": "a package by another signer",
    "28": "a package replayed, or re-encrypted to another device",
    "29": "300 users' histories in an hour",
    "30": "SIGKILL between each",
    "31": "freeze under load",
    "32": "limits raised from outside the group",
    "33": "an encryption certificate of the service's own",
    "34": "signed by the importer, outside its CA",
    "35": "expired leaf under an expired CA; SHA-1",
    "36": "a signed record, one part exchanged",
    "37": "the same record for another purpose",
    "38": "a record left out, or an old one back",
    "39": "the current encryption certificate changes",
    "40": "withdrawn, then the same device with another key",
    "41": "the same id, another recipient, at each stage",
    "42": "approved, then the key swapped",
    "43": "an approval without the key, with a wrong one, too late",
    "44": "injection by template or authority",
    "45": "a PFX that kills its parser",
    "46": "Apple: foreign host, unknown key, root, XML",
    "47": "an extra root in the CA's reply",
    "48": "links in answers and certificates",
    "49": "times without measure",
    "50": "a request that ends the process",
    "51": "100,000 withdrawals",
    "52": "a format or cipher of the service's choice",
    "53": "1,000 altered password ciphertexts",
    "54": "a clock that jumps",
    "55": "the database edited",
    "56": "a sealed key moved to another row",
    "57": "last week's database",
    "58": "the audit log changed, rebuilt, cut",
    "59": "a stolen token",
    "60": "records read without a lease",
    "61": "a thief renews",
    "62": "the control socket from another account",
    "63": "Windows: folders, junctions, DPAPI",
    "64": "files that others can write",
    "65": "a wrong PIN",
    "66": "the health page: rebinding, cross-site, POST, slow clients",
    "67": "a revoked device certificate, a stale CRL",
    "68": "a blocked device, a new import",
    "69": "a CA that misbehaves",
    "70": "the local CA asked for foreign names; its root key at hand",
    "71": "rotation over an unsigned record",
    "72": "formulae and paths in import lists",
    "73": "50 records vanish",
    "74": "the lab's CA in earnest",
    "75": "one nasty string through every sink",
    "76": "a clock jump with a warm key pool",
}

_HOLDS, _STATE, _OPERATE = "tests/functional/test_holds.py", "tests/functional/test_bad_state.py", "tests/functional/test_operate.py"
_STORED, _PARSER, _RESTART = "tests/functional/test_imports_stored.py", "tests/functional/test_parser.py", "tests/functional/test_restart.py"
_TAMPER, _POLICY = "tests/unit/storage/ledger_tamper_test.cpp", "tests/unit/core/request/policy_test.cpp"

_EVIDENCE, _NOTIFY = "tests/functional/test_evidence.py", "tests/functional/test_notify.py"
_PROOFS, _LISTS, _REGISTER = "tests/functional/test_bindings.py", "tests/functional/test_revocation.py", "tests/functional/test_recipients.py"
_DIRECTORY, _EVIL_DIRECTORY = "tests/functional/test_directory.py", "tests/functional/test_directory_evil.py"
_BUTTON, _PROTECTED, _STOPS = "tests/functional/test_red_button.py", "tests/functional/test_protected.py", "tests/unit/storage/stops_test.cpp"

ELSEWHERE = {
    "03": [f"{_PROOFS}::Statement.test_what_it_is_not", f"{_PROOFS}::Statement.test_z_a_signer_taken_out_meanwhile"],
    "40": [f"{_PROOFS}::KeyChange.test_what_does_not_prove_it_is_said_to_whoever_decides", f"{_PROOFS}::KeyChange.test_a_blocked_key_vouches_for_nothing"],
    "67": [f"{_LISTS}::Files.test_a_list_that_is_gone_or_foreign_is_told_and_the_one_before_serves",
           "tests/unit/crypto/crl_test.cpp::RevocationLists.AListBySomebodyElseUnderTheAuthoritysNameIsNoList"],
    "04": [f"{_DIRECTORY}::Binding.test_at04_another_owner", f"{_DIRECTORY}::Binding.test_at04_a_disabled_account",
           f"{_DIRECTORY}::Binding.test_at04_a_disabled_device", f"{_DIRECTORY}::Binding.test_at04_the_directory_is_down",
           f"{_DIRECTORY}::Binding.test_at04_two_entries", f"{_DIRECTORY}::Binding.test_a_filter_cannot_be_written_by_the_service",
           f"{_DIRECTORY}::Binding.test_disabled_between_intake_and_wrapping",
           f"{_EVIL_DIRECTORY}::Evil.test_alone_it_keeps_its_requests_waiting_and_nobody_else",
           f"{_EVIL_DIRECTORY}::Evil.test_another_certificate_is_no_directory"],
    "13": [f"{_DIRECTORY}::Identity.test_at13_literal_names_of_another_person"],
    "14": [f"{_DIRECTORY}::Identity.test_at14_claims_that_differ_from_the_directory"],
    "05": [f"{_HOLDS}::Certificate.test_a_new_user_passes_and_is_audited"],
    "06": [f"{_HOLDS}::Register.test_a_window_does_not_let_two_in_at_once"],
    "16": ["tests/unit/core/request/mailbox_test.cpp::DomainAllowed.whole_domains_only", f"{_POLICY}::Plan.domains_are_those_of_the_operator"],
    "17": [f"{_POLICY}::Plan.keys_usages_and_purposes_are_denied_unless_listed"],
    "18": ["tests/unit/core/request/issued_check_test.cpp::CheckIssued.refuses_anything_else_and_names_the_check"],
    "24": [f"{_BUTTON}::Orphans.test_every_result_is_answered_cancelled"],
    "25": [f"{_BUTTON}::Orphans.test_every_result_is_answered_cancelled"],
    "29": [f"{_BUTTON}::Trip.test_300_histories_in_an_hour", f"{_STOPS}::Stops.AtTwiceItsLimitAKindTripsAndStaysSo",
           f"{_STOPS}::Stops.ALimitOfOnePersonStopsNobodyElse"],
    "30": [f"{_BUTTON}::Trip.test_300_histories_in_an_hour"],
    "31": [f"{_BUTTON}::Freeze.test_a_freeze_under_load", f"{_BUTTON}::Freeze.test_one_kind_is_frozen_and_the_neighbour_is_served",
           f"{_STOPS}::Stops.FrozenKindsAreNeitherWorkedNorSent"],
    "32": [f"{_BUTTON}::Accounts.test_who_may_and_who_may_not", f"{_BUTTON}::Accounts.test_a_nasty_reason_is_harmless"],
    "33": ["tests/functional/test_bad_imports.py::Histories.test_another_persons_blob_is_not_even_opened"],
    "38": [f"{_EVIDENCE}::Lists.test_a_record_left_out_is_told_although_no_device_ever_had_it",
           f"{_EVIDENCE}::Lists.test_an_older_list_does_not_pass_for_the_newest_after_a_restart",
           f"{_EVIDENCE}::Lists.test_what_is_removed_on_purpose_is_not_missed",
           "tests/unit/storage/evidence_test.cpp::Evidence.AnEditedListIsNotBelievedAndOneTakenAwayIsMissed"],
    "39": [f"{_PROTECTED}::Protected.test_another_current_certificate_waits_once_more", f"{_PROTECTED}::Protected.test_for_everybody_else_it_is_an_event",
           f"{_EVIDENCE}::Lists.test_a_named_certificate_newer_than_all_before_is_a_change"],
    "42": [f"{_PROTECTED}::TwoPersons.test_approve_then_swap_the_key"],
    "43": [f"{_HOLDS}::Register.test_a_first_use_is_held_and_goes_on_with_the_right_key",
           f"{_PROTECTED}::Protected.test_without_the_key_or_with_another_there_is_no_approval", f"{_PROTECTED}::TwoPersons.test_one_account_counts_once",
           f"{_STOPS}::Stops.VotesEndAndCountOnceAnAccount"],
    "45": [f"{_PARSER}::Parsers.test_a_crashed_parser_is_the_files_fault_alone", "tests/unit/parser/confinement_test.cpp::Confinement.EverythingElseEndsIt",
           "tests/unit/parser/confinement_test.cpp::Confinement.EndlessWorkIsEndedByTheProcessorLimit",
           "tests/unit/parser/confinement_test.cpp::Confinement.MemoryBeyondTheLimitIsNotThere"],
    "48": ["tests/unit/management/client_test.cpp::ClientTest.LeavesTheServiceForNoLink", "tests/unit/management/client_test.cpp::ClientTest.EndsAtAHundredPages"],
    "50": ["tests/unit/core/request/machine_test.cpp::Machine.TheThirdDeathSetsARequestAside"],
    "51": [f"{_BUTTON}::Withdraws.test_a_flood_of_withdraws_is_counted_and_not_told_one_by_one",
           "tests/unit/daemon/audit_log_test.cpp::DaemonAuditLog.a_flood_of_withdraws_is_told_in_part_and_counted_whole"],
    "52": ["tests/unit/core/request/delivery_test.cpp::ChooseStyle.legacy_is_never_given_to_what_reads_aes256",
           "tests/unit/core/request/delivery_test.cpp::CheckDelivery.format_platform_and_key_go_together"],
    "53": [f"{_BUTTON}::Failures.test_altered_passwords", f"{_BUTTON}::Refusals.test_somebody_tries_things_out"],
    "54": [f"{_EVIDENCE}::Clock.test_a_clock_set_back_by_two_days_stops_what_hangs_on_time_until_a_person_says",
           "tests/unit/core/engine/clock_floor_test.cpp::ClockFloor.minutes_are_nothing_a_day_is_told_and_more_stops",
           "tests/unit/core/engine/clock_watch_test.cpp::ClockWatch.SeesAJumpAndNotTheTimeThatPasses",
           "tests/unit/core/request/machine_test.cpp::Machine.AClockThatJumpsAheadGivesNothingUp",
           "tests/unit/storage/sqlite_ledger_register_test.cpp::LedgerTest.WhatAClockAheadHasCountedGoesAWindowLater"],
    "55": [f"{_STATE}::Database.test_edited_rows_are_quarantined_and_never_delivered", f"{_STATE}::Database.test_a_pin_turned_to_another_key_is_not_believed",
           f"{_STATE}::Database.test_a_register_that_was_written_by_hand_binds_nothing", f"{_TAMPER}::TamperTest.EveryColumnOfEveryDecidingTableIsGuarded",
           f"{_STOPS}::Stops.AStopThatIsTakenAwayStopsEverything", f"{_STOPS}::Stops.WithTheStateTakenAwayTooEverythingIsStopped"],
    "56": ["tests/unit/keys/sealer_test.cpp::Sealer.opens_what_it_sealed_and_nothing_else", f"{_TAMPER}::TamperTest.ExchangedRowsAreFound"],
    "57": ["tests/functional/test_storage.py::Storage.test_a_restored_copy_is_held_until_a_person_accepts_it_and_takes_nothing_back"],
    "58": [f"{_OPERATE}::Texts.test_changes_are_found", f"{_OPERATE}::Texts.test_a_start_on_an_erased_log_does_not_hide_it",
           "tests/unit/daemon/audit_log_test.cpp::DaemonAuditLog.another_chain_under_the_same_numbers_does_not_pass"],
    "64": ["tests/unit/daemon/audit_log_test.cpp::DaemonAuditLog.links_and_folders_in_its_place_are_refused"],
    "66": [f"{_OPERATE}::Endpoints.test_who_asks_and_how", f"{_OPERATE}::Endpoints.test_nobody_is_named",
           f"{_OPERATE}::Endpoints.test_idle_connections_do_not_lock_others_out_for_long", f"{_OPERATE}::Endpoints.test_rubbish_does_not_hurt_it"],
    "68": [f"{_HOLDS}::Register.test_a_blocked_device_is_not_let_in_by_an_approval"],
    "70": ["tests/functional/test_command_line.py::LocalCa.test_the_root_key_is_not_kept", "tests/unit/crypto/issue_test.cpp::Issue.MakesAConstrainedCa"],
    "71": [f"{_STORED}::Upgrade.test_another_import_key_is_not_for_what_nobody_signed"],
    "72": ["tests/unit/importer/bulk_test.cpp::Csv.WritesNoFormula", f"{_REGISTER}::Lists.test_a_formula_is_harmless", "tests/functional/test_bad_tool.py::Tool.test_every_row"],
    "75": ["tests/unit/notify/letters_test.cpp::Letters.no_text_from_outside_makes_a_header",
           f"{_NOTIFY}::Mail.test_nothing_is_said_where_the_server_is_not_proved", f"{_OPERATE}::Texts.test_nasty_strings_come_out_harmless_everywhere", "tests/unit/daemon/log_sink_test.cpp::DaemonLogSink.one_nasty_string_comes_out_harmless_in_every_form"],
}

NOT_BUILT = {
    "23": [Missing("by a connector that revokes", "no certificate.revoke yet", {"connector": {"kinds": ["certificate.revoke"]}})],
    "24": [Missing("by order", "no certificate.revoke yet; orphans count against the same meter", {"connector": {"kinds": ["certificate.revoke"]}})],
    "26": [Missing("by a connector that renews", "no pkcs.renew yet", {"connector": {"kinds": ["pkcs.renew"]}})],
    "34": [Missing("all", "the contract compares the importer's certificate whole; there is no [importer] ca_file, and AT-33 is what is left of it")],
    "46": [Missing("by a connector that makes profiles", "no appleProfile yet")],
    "47": [Missing("in a profile", "no appleProfile yet")],
    "59": [Missing("the event at the first connector", "nobody looks at the connectors that a heartbeat's answer names yet", silent="k_connector_added")],
    "63": [Missing("all", "no Windows yet")],
    "64": [Missing("helpers and modules", "neither exec authorities nor PKCS#11 yet", {"import": {"ImportKey1": {"key": "pkcs11:object=x"}}})],
    "65": [Missing("all", "no PKCS#11 yet", {"import": {"ImportKey1": {"key": "pkcs11:object=x"}}})],
    "69": [Missing("suspension after three wrong certificates", "no authority is suspended yet", silent="k_authority_suspended")],
    "73": [Missing("in number", "nobody counts what is gone from the store yet; what was delivered once and is gone is told (IMP-2062)")],
    "74": [Missing("all", "no --lab: the lab's keys are made anew for each run, none is in the source")],
    "76": [Missing("all", "the pool holds no finished keys that a snapshot could bring twice; the register's SPKI uniqueness is AT-07")],
}


# -- what a name names ------------------------------------------------------------------------------------------------
@lru_cache
def _source(path: str) -> str:
    place = ROOT / path
    return place.read_text() if place.is_file() else ""


def exists(name: str) -> bool:
    """Whether that test is there."""
    path, _, test = name.partition("::")
    text = _source(path)
    if not text or "." not in test:
        return False
    if path.endswith(".cpp"):
        suite, _, case = test.partition(".")
        return re.search(rf"^TEST(?:_F|_P)?\({re.escape(suite)},\s*{re.escape(case)}\)", text, re.M) is not None
    group, _, method = test.partition(".")
    if path.startswith("tests/attack/"):
        return method in _attack_tests(path).get(group, ())
    body = re.search(rf"^class {re.escape(group)}\b.*?(?=^class |\Z)", text, re.M | re.S)
    return body is not None and re.search(rf"^    def {re.escape(method)}\(", body[0], re.M) is not None


@lru_cache
def _attack_tests(path: str) -> dict[str, tuple[str, ...]]:
    """Tables become tests when their module is loaded, so these are asked there."""
    import importlib
    import unittest
    sys.path.insert(0, str(HERE))
    module = importlib.import_module(Path(path).stem)
    return {name: tuple(each for each in dir(value) if each.startswith("test_")) for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, unittest.TestCase)}


def raised(constant: str) -> bool:
    """Whether the source raises that event anywhere."""
    return any(re.search(rf"\b{constant}\b", each.read_text()) for folder in ("core", "daemon", "storage") for each in (ROOT / folder).rglob("*.cpp")
               if not each.name.startswith(("event_catalogue", "event_planned")))
