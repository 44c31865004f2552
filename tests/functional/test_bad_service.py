#!/usr/bin/python3
"""A management service that is not what it should be: the tables of bad_input/answers.py. What is under way is served in the end, and so is the neighbour."""
import re
import tempfile
import threading
import traceback
import unittest
from pathlib import Path
from typing import Any, Callable

from adversary import BadInput, Json, changed
from bad_input.answers import CHANGES, IMPORTS, LEASE, RESULTS, TLS, Answer, Tls
from bad_input.table import matches
from lab import Connector, Lab

LANES = 4
QUICK = {"management": {"request_timeout_seconds": 2, "poll_wait_seconds": 1}}


class Lane:
    """A service and a daemon of their own: most of a row's time is waiting, so several are waited for at once."""

    def __init__(self, place: Path, pki: Path) -> None:
        self.lab = Lab(place, pki_directory=pki)
        self.lab.__enter__()
        self.connector: Connector = self.lab.connector(QUICK)
        self.neighbour = self.lab.user("nora", "Neighbour")
        self.phone = self.lab.device(self.neighbour, key_kind="ecP256")
        self.people = 0

    def honest(self) -> str:
        return self.lab.issue(self.neighbour, self.phone, key_type="ecP256")

    def history(self) -> str:
        """An order for the imported certificates of somebody new: nothing is remembered of them here."""
        self.people += 1
        user = self.lab.user(f"somebody{self.people}")
        self.lab.import_history(user, (2019,))
        return self.lab.deliver(user, self.lab.device(user, key_kind="ecP256"))

    def reasons(self, event: str, since: int) -> list[str]:
        lines = [line for line in self.connector.log()[since:].splitlines() if f" {event} " in line]
        return [found[1] or found[2] for line in lines if (found := re.search(r' reason=(?:"((?:[^"\\]|\\.)*)"|(\S+))', line))]

    def check_reason(self, event: str, says: str, since: int) -> None:
        found = self.reasons(event, since)
        if not any(matches(says, reason) for reason in found):
            told = "\n".join(line for line in self.connector.log()[since:].splitlines() if " debug " not in line)
            raise AssertionError(f"no {event} with {says!r} in\n{told[-3000:]}")

    def answer(self, row: Answer) -> None:
        since, log = self.lab.last_call(), len(self.connector.log())
        options = {key: value.replace("SELF", self.lab.url) if isinstance(value, str) else value for key, value in row.options.items()}
        self.lab.fault(row.fault, call=row.call, **options)
        first = self.honest() if row.call != "imports" else self.history()
        self.connector.wait_until(lambda: any(each["struck"] for each in self.lab.control.get("faults")["faults"]), 20, f"{row.what} to strike")
        second = self.honest()
        for order in (first, second):
            self.lab.delivered(order, timeout=30)
            outcomes = [each["outcome"] for each in self.lab.state(order)["reports"]]
            if outcomes[:1] != ["accepted"] or set(outcomes[1:]) - {"duplicate"}:
                raise AssertionError(f"{order} was reported as {outcomes}")
        followed = [each for each in self.lab.calls(since=since) if each["call"] in ("unknown", "enrol")]
        if followed:
            raise AssertionError(f"a redirect was followed: {followed}")
        self.lab.good()
        if row.event:
            self.check_reason(row.event, row.says, log)

    def tls(self, row: Tls) -> None:
        log = len(self.connector.log())
        self.lab.stop_service(kill=True)
        self.lab.start_service(*row.service)
        order = self.honest()
        self.lab.wait_for_calls("handshake", timeout=30)
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503, 20, "not-readiness")
        self.connector.wait_until(lambda: self.reasons(row.event, log), 20, row.event)
        said = [each["call"] for each in self.lab.calls() if each["call"] != "handshake"]
        if said:
            raise AssertionError(f"not one octet of a request: {said}")
        if self.lab.state(order)["state"] != "queued":
            raise AssertionError("it was leased")
        self.lab.stop_service(kill=True)
        self.lab.start_service()
        self.lab.open(self.phone, order, timeout=60)
        self.check_reason(row.event, row.says, log)

    def run(self, row: Answer | Tls) -> None:
        self.tls(row) if isinstance(row, Tls) else self.answer(row)
        if not self.connector.running:
            raise AssertionError("the daemon ended")


class Service(unittest.TestCase):
    def test_every_row(self) -> None:
        place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="pfx-service-")))
        Lab(place / "first", pki_directory=place / "pki")  # makes the PKI that all use
        # The log holds an equal line back for a while: rows with the same reason go to different connectors.
        rows: list[list[Any]] = [[] for _ in range(LANES)]
        for row in (*TLS, *LEASE, *RESULTS, *IMPORTS):
            min(rows, key=lambda lane: (sum((each.event, each.says) == (row.event, row.says) for each in lane), len(lane))).append(row)
        done: list[tuple[str, str]] = []

        def attempt(name: str, what: Callable[[], None]) -> bool:
            try:
                what()
                done.append((name, ""))
            except Exception:  # noqa: BLE001 - told by the test's own thread
                done.append((name, traceback.format_exc()))
            return not done[-1][1]

        def work(number: int) -> None:
            lane = Lane(place / f"lane-{number}", place / "pki")
            for row in rows[number]:
                if not attempt(f"{getattr(row, 'call', 'TLS')}: {row.what}", lambda: lane.run(row)):
                    lane.lab.restart_service()
            attempt(f"lane {number}: no word on either side broke the document", lane.lab.check_clean)
            lane.lab.__exit__()
        lanes = [threading.Thread(target=work, args=(number,)) for number in range(LANES)]
        for lane in lanes:
            lane.start()
        for lane in lanes:
            lane.join()
        for name, trouble in done:
            with self.subTest(name):
                self.assertFalse(trouble, trouble)
        self.assertEqual(len(done), len(TLS) + len(LEASE) + len(RESULTS) + len(IMPORTS) + LANES)


class Orders(BadInput):
    """The same id, another order. Held by a limit, a request stays open for as long as the test needs."""
    config = {"limits": {"issue_per_user_per_day": 1}}

    def held(self, *names: str) -> list[str]:
        pairs = [(user, self.lab.device(user, key_kind="ecP256")) for user in map(self.lab.user, names)]
        for _ in range(2):
            orders = [self.lab.issue(user, phone, key_type="ecP256") for user, phone in pairs]
            if _ == 0:
                self.lab.wait(*orders)
        self.connector.wait_until(lambda: all(any("KEY-4003" in line and order in line for line in self.connector.audit()) for order in orders), 20, "the hold")
        return orders

    def test_an_order_that_changes_under_its_id_is_refused_and_nothing_is_done(self) -> None:
        mallory = self.lab.user("mallory", "Malone")
        phone = self.lab.device(mallory, key_kind="ecP256")
        patches: dict[str, Json] = {"device": {"device": phone.json()}, "user": {"user": mallory.json()}, "both": {"user": mallory.json(), "device": phone.json()}}
        orders = self.held(*(f"holder{index}" for index in range(len(CHANGES))))
        changed_ones = []
        for (what, change), order in zip(CHANGES, orders):
            if change == "unreadable":
                # Otherwise its lease ends and it comes again, for ever, and nobody says why.
                self.addCleanup(self.lab.control.post, "cancel", {"ids": [order]})
                self.lab.queue(changed(self.lab.state(order)["request"], {"user/id": 7}), raw=True)
                continue
            self.lab.change(order, patches[change] if isinstance(change, str) else change)
            changed_ones.append(order)
        self.lab.expire_leases(*changed_ones)
        neighbour = self.lab.issue(mallory, phone, key_type="ecP256")
        self.lab.wait(*orders, timeout=40)
        listed = {each["id"] for each in self.connector.command_json("requests", "list", "--stage", "held")["requests"]}
        for (what, change), order in zip(CHANGES, orders):
            with self.subTest(what):
                error = self.lab.error(order)
                self.assertEqual(error["code"], "invalidRequest", error)
                self.assertTrue(error["message"].startswith("/"), error)
                if change != "unreadable":
                    self.assertIn("orderChanged", error["message"])
                    self.check_audited("MGT-6008", request=order)
                self.assertIn(order, listed, "the open record is as it was")
        self.lab.delivered(neighbour)

    def test_the_same_order_again_is_the_same_order(self) -> None:
        """Fields that are not the order's may change; the record takes the newest lease and nothing is done twice."""
        order, = self.held("patient")
        self.lab.change(order, {"note": "again"})
        before = self.lab.state(order)["attempt"]
        self.lab.expire_leases(order)
        self.connector.wait_until(lambda: self.lab.state(order)["attempt"] > before, 10, "the second lease")
        self.connector.command("requests", "abandon", order, check=True)
        self.check_refused(order, "abandoned", "")


if __name__ == "__main__":
    unittest.main()
