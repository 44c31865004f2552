#!/usr/bin/python3
"""The real daemon under load, killed at random moments again and again; at the end everything has to add up.

    crash.py [--kills N] [--seed S] [--seconds BOUND] [--at-least M] [--in-flight N] [--keep]

The service is the lab's, over TLS; the authorities are a local CA and the lab's EST server, in each of its lives with another memory for repeated
orders. Service and EST server are killed now and then too. The program under test is PFX_CONNECTOR, or the newest one built. The same seed draws the same moments and the same load, though what they hit depends on the machine.
"""
from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import random
import secrets
import shutil
import sqlite3
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Connector, ConnectorError, Device, Lab, LabError, User  # noqa: E402

Json = dict[str, Any]
LIMIT = 100_000  # above all that can be asked for, so that every meter counts and none holds
LEASE_SECONDS = 20
# A request that dies three times in one step, the last time while it was worked alone, is set aside; few may have such luck.
SET_ASIDE_OF_100 = 5
OPEN = ("queued", "leased")
POSSIBLE_DUPLICATE = "PKCS-1056"
NOT_REVOKED = "REV-3051"


class Load:
    """People, devices, and a queue that never runs dry."""

    def __init__(self, lab: Lab, chance: random.Random, in_flight: int) -> None:
        self.lab, self.chance, self.in_flight = lab, chance, in_flight
        self.queued: dict[str, tuple[str, User, Device]] = {}
        self.people: list[tuple[User, list[Device]]] = []
        for number in range(12):
            user = lab.user(f"user{number}")
            self.people.append((user, [lab.device(user, key_kind="ecP256") for _ in range(4)]))
            lab.import_history(user, (2020, 2022))

    def counts(self) -> Json:
        return self.lab.control.get("health")["requests"]

    def top_up(self) -> int:
        open_now = sum(self.counts().get(state, 0) for state in OPEN)
        wanted = []
        for _ in range(max(0, self.in_flight - open_now)):
            user, devices = self.chance.choice(self.people)
            device = self.chance.choice(devices)
            drawn = self.chance.random()
            if drawn < 0.68:
                authority = "est" if self.chance.random() < 0.35 else "corp"
                wanted.append(("pkcs.issue", user, device, self.lab.issue_request(user, device, key_type="ecP256", authority=authority)))
            elif drawn < 0.97:
                wanted.append(("pfx.deliver", user, device, self.lab.deliver_request(user, device)))
            else:
                wanted.append(("pfx.withdraw", user, device, self.lab.withdraw_request(user, device)))
        if wanted:
            ids = self.lab.queue(*[each[3] for each in wanted])
            self.queued.update({identifier: each[:3] for identifier, each in zip(ids, wanted)})
        return open_now


class Findings:
    def __init__(self) -> None:
        self.all: list[str] = []

    def check(self, true: bool, text: str) -> None:
        if not true:
            self.all.append(text)


def rows(database: Path, statement: str) -> list[tuple[Any, ...]]:
    """Of a file that nobody uses now, from a copy: looking must not change what the next life finds."""
    with tempfile.TemporaryDirectory() as place:
        for suffix in ("", "-wal"):
            if Path(f"{database}{suffix}").exists():
                shutil.copy(f"{database}{suffix}", Path(place) / f"copy.db{suffix}")
        with sqlite3.connect(Path(place) / "copy.db") as copy:
            found = copy.execute(statement).fetchall()
        copy.close()
        return found


def whose(one: Json) -> tuple[str, str]:
    return one["request"]["user"]["id"], one["request"]["device"]["id"]


class Crash:
    def __init__(self, lab: Lab, est: EstCa, chosen: argparse.Namespace) -> None:
        self.lab, self.est, self.chosen = lab, est, chosen
        self.chance = random.Random(chosen.seed)
        self.set_est()
        limits = {name: LIMIT for name in ("unwrap_users_per_hour", "unwrap_users_per_day", "deliveries_per_user_per_day", "issue_per_hour",
                                           "issue_per_day", "issue_per_user_per_day", "revoke_per_hour", "revoke_per_day", "new_recipients_per_day",
                                           "unwrap_failures_per_hour", "refusals_per_hour")}
        self.connector: Connector = lab.connector(
            {"connector": {"drain_seconds": 3}, "authority": {"corp": {"concurrency": 32}, "est": est.authority(concurrency=16)},
             "limits": limits}, timeout=60)
        lab.control.delete("violations")
        self.load = Load(lab, self.chance, chosen.in_flight)
        self.kills = self.service_kills = self.est_kills = self.under_load = 0
        self.stages: collections.Counter[str] = collections.Counter()
        self.in_work = 0

    @property
    def ledger(self) -> Path:
        return Path(self.connector.settings["storage"]["directory"]) / "connector.db"

    @property
    def ca(self) -> Path:
        return Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"

    # -- killing ------------------------------------------------------------------------------------------------------
    def life(self, longest: float) -> None:
        """One life: some load, a random while, the kill."""
        open_now = self.load.top_up()
        end = time.monotonic() + self.chance.uniform(0, longest)
        others = [kill for kill in (self.kill_service, self.kill_est) if self.chance.random() < 0.15]
        others_first = self.chance.random() < 0.5
        time.sleep(max(0.0, end - time.monotonic()))  # the random moment itself; nothing is waited for
        for kill in others if others_first else ():
            kill()
        if not self.connector.running:
            raise ConnectorError(f"the daemon ended by itself\n{self.connector.output()[-3000:]}\n{self.connector.tail()}")
        self.connector.kill()
        self.kills += 1
        self.under_load += 1 if open_now >= self.chosen.in_flight // 4 else 0
        for stage, in_work, count in rows(self.ledger, "SELECT stage, in_work, count(*) FROM request WHERE stage<>'closed' GROUP BY 1, 2"):
            self.stages[stage] += count
            self.in_work += count if in_work else 0
        self.connector.start(wait_ready=False)
        for kill in () if others_first else others:
            kill()

    def kill_service(self) -> None:
        self.lab.check_clean()  # what it noted so far goes with it
        self.lab.stop_service(kill=True)
        self.lab.start_service()
        self.service_kills += 1

    def kill_est(self) -> None:
        self.est.stop(kill=True)
        self.est.start()
        self.set_est()
        self.est_kills += 1

    def set_est(self) -> None:
        """One that knows a repeated order gives the same certificate again; another one makes a second."""
        self.est.settings(idempotent=self.chance.random() < 0.5, pending_answers=self.chance.choice((0, 0, 1)))

    def run(self) -> None:
        began = time.monotonic()
        self.load.top_up()
        self.connector.kill()
        born = time.monotonic()
        self.connector.start(timeout=120)
        longest = 1.5 * (time.monotonic() - born) + 1.0
        print(f"kills within {longest:.1f} s of each start; {len(self.load.queued)} requests to begin with", flush=True)
        # A quarter of the time is kept for the end.
        while self.kills < self.chosen.kills and time.monotonic() - began < self.chosen.seconds * 0.75:
            self.life(longest)
            # Now and then it is left alone until it works, so that the load moves on whatever the machine is like.
            if self.kills % 5 == 0:
                self.connector.wait_ready(120)
        if not self.connector.running:
            raise ConnectorError(f"the daemon ended by itself\n{self.connector.output()[-3000:]}")
        killing = time.monotonic() - began
        # Bounded by what was promised; a minute at least, which a run of seconds needs.
        end = max(began + self.chosen.seconds, time.monotonic() + 60)
        self.connector.wait_ready(end - time.monotonic())
        self.lab.wait(timeout=max(1.0, end - time.monotonic()))
        self.connector.wait_until(self.at_rest, max(30.0, end - time.monotonic()), "the last reports and revocations")
        print(f"{self.kills} kills of the daemon ({self.under_load} under load), {self.service_kills} of the service, {self.est_kills} of the EST server "
              f"in {killing:.0f} s; "
              f"all at rest {time.monotonic() - began - killing:.0f} s later", flush=True)
        print(f"open at the kills, by stage: {dict(self.stages)}; in work {self.in_work}", flush=True)

    def at_rest(self) -> bool:
        return not any(self.connector.command_json("status")["queue"].values())

    # -- the account --------------------------------------------------------------------------------------------------
    def judge(self) -> list[str]:
        findings = Findings()
        requests = self.lab.control.get("requests")["requests"]
        states = self.judge_requests(findings, requests)
        self.open_some(findings, requests)
        self.lab.check_clean()
        findings.check(self.connector.terminate(60) == 0, "the last SIGTERM was not obeyed in order")
        verified = self.connector.command("audit", "verify")
        findings.check(verified.returncode == 0, f"audit verify: {verified.stdout}{verified.stderr}")
        delivered = {each["sha256"].lower() for one in requests if one["kind"] == "pkcs.issue" and one["state"] == "done"
                     for each in one["result"].get("certificates", ())}
        of_est = {sha256 for sha256, _ in rows(self.est.directory / "est.db", "SELECT sha256, spki FROM issued")}
        revoked, live = self.judge_certificates(findings, delivered - of_est)
        orphans = self.judge_est(findings, delivered & of_est)
        self.judge_ledger(findings)
        for word in ("AddressSanitizer", "runtime error:", "terminate called", "Assertion"):
            findings.check(word not in self.connector.output(), f"the daemon said {word}: {self.connector.output()[-3000:]}")
        print(f"requests {dict(states)}\nlocal CA: certificates issued {live + revoked} = delivered {live} + revoked orphans {revoked}\n"
              f"EST: certificates issued {len(of_est)} = delivered {len(delivered & of_est)} + orphans that the audit log names {orphans}", flush=True)
        return findings.all

    def judge_requests(self, findings: Findings, requests: Sequence[Json]) -> collections.Counter[str]:
        states: collections.Counter[str] = collections.Counter()
        findings.check({one["id"] for one in requests} == set(self.load.queued), "the service does not know what was queued")
        withdrawn = {whose(one) for one in requests if one["kind"] == "pfx.withdraw"}
        for one in requests:
            outcomes = collections.Counter(each["outcome"] for each in one["reports"])
            if one["state"] == "cancelled":  # by a withdrawal
                states["withdrawn"] += 1
                findings.check(outcomes["accepted"] == 0 and set(outcomes) <= {"cancelled"}, f"{one['id']} withdrawn, and told {dict(outcomes)}")
                continue
            status = one["result"]["status"] if one["result"] else "without a result"
            states[f"{one['kind']} {status}"] += 1
            # A withdrawal may meet a delivery that the service has taken and a dead daemon did not hear of.
            others = {"duplicate", "superseded"} if whose(one) in withdrawn and status == "delivered" else {"duplicate"}
            findings.check(one["state"] == "done" and outcomes["accepted"] == 1 and set(outcomes) <= {"accepted", *others},
                           f"{one['id']} {one['kind']} {one['state']}: {dict(outcomes)}")
            if status != "failed":
                continue
            error = one["result"]["error"]
            if error["code"] == "withdrawn":  # which had come here before the service ended it
                findings.check(whose(one) in withdrawn, f"{one['id']} told as withdrawn, and nobody did")
                continue
            states["set aside"] += 1
            findings.check(error["retryable"] or error["code"] == "internal" and "ended three times" in error["message"],
                           f"{one['id']} failed for good: {error}")
        findings.check(states["set aside"] * 100 <= SET_ASIDE_OF_100 * len(requests), f"{states['set aside']} of {len(requests)} were set aside")
        return states

    def open_some(self, findings: Findings, requests: Sequence[Json]) -> None:
        for kind in ("pkcs.issue", "pfx.deliver"):
            ended = [one for one in requests if one["kind"] == kind and one["state"] == "done" and one["result"]["status"] == "delivered"]
            findings.check(bool(ended), f"no {kind} was delivered")
            for one in self.chance.sample(ended, min(3, len(ended))):
                device = self.load.queued[one["id"]][2]
                opened = device.open(one["result"])
                findings.check(len(opened.identities) == len(one["result"]["certificates"]), f"{one['id']} does not open as it was told")

    def judge_certificates(self, findings: Findings, delivered: set[str]) -> tuple[int, int]:
        issued = {hashlib.sha256(der).hexdigest(): revoked for der, revoked in rows(self.ca, "SELECT certificate, revoked_at IS NOT NULL FROM issued")}
        live = {sha256 for sha256, revoked in issued.items() if not revoked}
        for sha256 in live - delivered:
            findings.check(False, f"certificate {sha256} is live and nobody has it")
        for sha256 in delivered - live:
            findings.check(False, f"certificate {sha256} was delivered and is {'revoked' if sha256 in issued else 'not in the log of the CA'}")
        known = {bytes(sha256).hex(): request for sha256, request in rows(self.ledger, "SELECT sha256, request FROM issued WHERE authority='corp'")}
        findings.check(set(issued) == set(known), f"{len(set(issued) ^ set(known))} certificates stand in one of the two registers only")
        twice = [request for request, count in collections.Counter(known.values()).items() if count > 1]
        findings.check(not twice, f"asked for twice: {twice[:5]}")
        return len(issued) - len(live), len(live)

    def judge_est(self, findings: Findings, delivered: set[str]) -> int:
        """It cannot be searched and revokes nothing: what nobody has must be told to a person, before a second one can come to be."""
        issued = {sha256: spki.lower() for sha256, spki in rows(self.est.directory / "est.db", "SELECT sha256, spki FROM issued")}
        owners = {bytes(spki).hex(): request for spki, request in rows(self.ledger, "SELECT spki_sha256, request FROM generated_key")}
        told: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
        for line in self.connector.audit():
            try:
                one = json.loads(line)
            except json.JSONDecodeError:
                continue  # half a line, where a kill met the write; `audit verify` judges those
            if one["event"] in (POSSIBLE_DUPLICATE, NOT_REVOKED):
                told[one["request"]][one["event"]] += 1
        certificates: dict[str, list[str]] = collections.defaultdict(list)
        for sha256, spki in issued.items():
            request = owners.get(spki)
            findings.check(request is not None, f"EST issued {sha256} for a key that was not made here")
            certificates[str(request)].append(sha256)
        orphans = 0
        for request, them in certificates.items():
            undelivered = [sha256 for sha256 in them if sha256 not in delivered]
            orphans += len(undelivered)
            findings.check(len(them) <= 1 + told[request][POSSIBLE_DUPLICATE],
                           f"{request} has {len(them)} certificates of EST, and the audit log knows of {told[request][POSSIBLE_DUPLICATE]} repetitions")
            findings.check(len(undelivered) < len(them) or told[request][NOT_REVOKED] > 0, f"{request} has an orphan of EST that nobody was told of")
        known = {bytes(sha256).hex() for (sha256,) in rows(self.ledger, "SELECT sha256 FROM issued WHERE authority='est'")}
        findings.check(delivered <= known <= set(issued), f"the register's certificates of EST: {len(known)}, of which {len(known - set(issued))} are not in its log")
        return orphans

    def judge_ledger(self, findings: Findings) -> None:
        held = rows(self.ledger, "SELECT id, stage FROM request WHERE length(coalesce(sealed_key, '')) + length(coalesce(sealed_package, '')) > 0")
        findings.check(not held, f"keys or packages left behind: {held[:5]}")
        findings.check(not rows(self.ledger, "SELECT * FROM quarantine"), "rows in quarantine")
        findings.check(rows(self.ledger, "PRAGMA integrity_check") == [("ok",)], "integrity_check of the ledger")
        meters = rows(self.ledger, "SELECT name, scope, last - first + 1, limit_last FROM meter")
        findings.check(bool(meters), "no meter counted anything")
        for name, scope, used, limit in meters:
            findings.check(used <= limit, f"{name} {scope}: {used} of {limit}")
        # What was asked of the CA was counted before, and each request once however often it died.
        counted = collections.Counter(subject for (subject,) in rows(self.ledger, "SELECT subject FROM meter_entry WHERE meter='issue_per_hour'"))
        findings.check(not counted or max(counted.values()) == 1, f"counted more than once: {[each for each, n in counted.items() if n > 1][:5]}")
        uncounted = {request for (request,) in rows(self.ledger, "SELECT request FROM issued")} - set(counted)
        findings.check(not uncounted, f"issued and never counted: {sorted(uncounted)[:5]}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--seconds", type=float, default=600, help="for all of it, roughly; killing stops at three quarters of it")
    parser.add_argument("--at-least", type=int, help="kills that have to fit into the time; else all of them")
    parser.add_argument("--in-flight", type=int, default=200)
    parser.add_argument("--keep", action="store_true", help="leave the directory")
    chosen = parser.parse_args(arguments)
    print(f"crash: {chosen.kills} kills, seed {chosen.seed}", flush=True)
    with Lab(lease_seconds=LEASE_SECONDS, keep=chosen.keep) as lab, EstCa(lab.directory / "est") as est:
        if chosen.keep:
            print(f"in {lab.directory}", flush=True)
        crash = Crash(lab, est, chosen)
        try:
            crash.run()
            findings = crash.judge()
        except (ConnectorError, LabError, OSError) as error:  # the last: the lab itself does not answer
            findings = [f"{type(error).__name__}: {error}"]
        least = chosen.kills if chosen.at_least is None else chosen.at_least
        if crash.kills < least:
            findings.append(f"only {crash.kills} of {chosen.kills} kills in {chosen.seconds:.0f} s; at least {least} were wanted")
        for finding in findings[:30]:
            print(f"FOUND: {finding}", flush=True)
        print(f"crash: seed {chosen.seed}: {'nothing was lost, nothing done twice' if not findings else f'{len(findings)} findings'}", flush=True)
        return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
