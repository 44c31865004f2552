"""What every attack is asserted by. An attack is a line of a table (`Attack`) or a method marked with `@at`; either way four things are looked at:

    the code of the refusal · the audit line and the event in the log · that nothing left the connector: no envelope, certificate or
    revocation at the service, none at the CA, and nothing that the attacker's devices can open · that an honest request beside it is
    served within its normal time
"""
from __future__ import annotations

import base64
import datetime as dt
import json
import re
import sqlite3
import statistics
import sys
import tempfile
import time
import unittest
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Sequence

HERE = Path(__file__).resolve().parent
for _place in ("lab", "functional"):
    sys.path.insert(0, str(HERE.parent / _place))
import imports  # noqa: E402
import openssl  # noqa: E402
import pki  # noqa: E402
from adversary import GONE, changed, made  # noqa: E402
from bad_input.table import matches  # noqa: E402
from lab import Connector, Device, Lab, Refused, User  # noqa: E402

__all__ = ["GONE", "Attack", "Attacked", "Connector", "Device", "Json", "Lab", "Refused", "User", "at", "changed", "imports", "made", "matches", "openssl",
           "pki"]
Json = dict[str, Any]
PKI = tempfile.TemporaryDirectory(prefix="pfx-attack-")
# An honest request takes its normal time: this many times the median of those before the attack, and what a busy machine adds.
SLACK, GRACE = 10, 5.0
HELD = "held"
RETRYABLE = {"recipientChanged", "approvalNeeded", "limitReached", "authorityMisconfigured", "authorityUnreachable"}


@dataclass(frozen=True)
class Attack:
    """The victim's honest order is what the service begins with; `change`, `evil` or both turn it into the attack."""
    at: str                                             # the number in the list
    what: str
    code: str                                           # of the refusal; "held REASON": no refusal, it waits for a person
    event: str                                          # of the audit line
    says: str = "…"                                     # the whole message; … stands for anything
    order: str = "deliver"                              # or issue
    change: "Json | Callable[[Any], Json]" = field(default_factory=dict)          # JSON pointer without the first / → value
    evil: "tuple[str, Callable[[Any], Json]] | None" = None                       # a name of lab/management/evil.py and its options
    before: "Callable[[Any], Any] | None" = None        # what has happened before
    beside: str = ""                                    # words that the log has to hold as well


def at(number: str, what: str) -> Callable[[Any], Any]:
    """Marks a test that is more than a line."""
    def mark(method: Any) -> Any:
        method.at, method.what = number, what
        return method
    return mark


def _method(attack: Attack) -> Callable[[Any], None]:
    def test(self: Any) -> None:
        self.run_attack(attack)
    test.at, test.what = attack.at, attack.what  # type: ignore[attr-defined]
    return test


@dataclass
class Mark:
    """What there was before the attack."""
    call: int
    certificates: dict[str, bool]                       # serial number at the CA → revoked
    held: dict[str, list[str]]                          # device → identities
    log: int
    beside: list[str] = field(default_factory=list)     # honest orders meanwhile


class Attacked(unittest.TestCase):
    """One lab, one daemon, a victim with keys worth having, an attacker who is an honestly enrolled user, and a neighbour."""
    config: Json = {}
    attacks: Sequence[Attack] = ()
    lab: Lab
    connector: Connector
    carla: User                                         # the victim
    carlas_phone: Device
    mallory: User
    mallorys_phone: Device
    nora: User
    noras_phone: Device
    normal: float                                       # seconds that an honest request takes here
    slowest: float
    attackers: list[Device]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for attack in cls.__dict__.get("attacks", ()):
            name = f"test_at_{attack.at}_" + re.sub(r"[^a-z0-9]+", "_", attack.what.lower()).strip("_")
            assert not hasattr(cls, name), f"two attacks of one name: {name}"
            setattr(cls, name, _method(attack))

    @classmethod
    def setUpClass(cls) -> None:
        if cls is Attacked:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI.name))
        cls.connector = cls.lab.connector(cls.config, start=False)
        cls.attackers, cls.slowest = [], 0.0
        cls.prepare()
        cls.connector.start()
        cls.lab.control.delete("violations")  # what `enroll` said is looked at elsewhere
        cls.carla, cls.mallory, cls.nora = cls.lab.user("carla", "Chief"), cls.lab.user("mallory", "Malone"), cls.lab.user("nora", "Neighbour")
        cls.carlas_phone = cls.lab.device(cls.carla, key_kind="ecP256")
        cls.mallorys_phone = cls.attacker()
        cls.noras_phone = cls.lab.device(cls.nora, key_kind="ecP256")
        cls.history = cls.lab.import_history(cls.carla, (2019, 2025), certificate={"years": 5})
        cls.arrange()
        cls.normal = statistics.median(cls._timed(cls.lab.queue(cls.honest())[0]) for _ in range(3))

    @classmethod
    def prepare(cls) -> None:
        """Before the daemon starts."""

    @classmethod
    def arrange(cls) -> None:
        """Before the first honest request."""

    def tearDown(self) -> None:
        self.lab.good()
        if not self.connector.running:
            assert self.connector.process is not None
            self.fail(f"the daemon ended with {self.connector.process.returncode}\n{self.connector.tail()}\n{self.connector.output()[-2000:]}")

    # -- people -------------------------------------------------------------------------------------------------------
    @classmethod
    def attacker(cls, user: User | None = None, device_id: str | None = None, **how: Any) -> Device:
        """A device in the attacker's hands: what it can open is looked at after every attack."""
        how.setdefault("key_kind", "ecP256")
        made_device = cls.lab.device(user or cls.mallory, device_id, **how)
        cls.attackers.append(made_device)
        return made_device

    def certified(self, public_key: Any, **how: Any) -> str:
        """The device CA's certificate for the victim's phone over another key, in base64."""
        return base64.b64encode(pki.cert_der(pki.issue_device(self.lab.pki, self.carlas_phone.id, self.carla.upn, public_key, given_name="Carla",
                                                              surname="Chief", **how))).decode()

    @classmethod
    def window(cls, most: int) -> None:
        until = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        cls.connector.command("recipients", "window", "--until", until, "--max", str(most), check=True)

    @classmethod
    def honest(cls) -> Json:
        return made(cls.lab.issue_request(cls.nora, cls.noras_phone, key_type="ecP256"))

    def order(self, kind: str) -> Json:
        """The victim's own."""
        if kind == "issue":
            return made(self.lab.issue_request(self.carla, self.carlas_phone, key_type="ecP256"))
        return made(self.lab.deliver_request(self.carla, self.carlas_phone))

    # -- an attack ----------------------------------------------------------------------------------------------------
    def run_attack(self, attack: Attack) -> None:
        if attack.before is not None:
            attack.before(self)
        change = attack.change(self) if callable(attack.change) else attack.change
        request = changed(self.order(attack.order), change)
        if attack.evil is not None:
            name, options = attack.evil
            self.lab.evil(name, **self.aim(name, request["id"]), **options(self))
        mark = self.mark()
        honest = self.honest()
        order, beside = self.lab.queue(request, honest, raw=True)
        mark.beside.append(beside)
        if attack.code.startswith(HELD):
            self.check_held(order, attack.code[len(HELD):].strip(), attack.event, attack.says)
        else:
            self.check_refused(order, attack.code, attack.event, attack.says)
        self.check_neighbour(mark)
        self.check_nothing_left(mark, order)
        if attack.evil is not None:
            struck = {each["name"]: each["struck"] for each in self.lab.control.get("evil")["evil"]}
            self.assertGreater(struck.get(attack.evil[0], 0), 0, "the service was not evil at all")
        if attack.beside:
            self.assertIn(attack.beside, self.connector.log()[mark.log:])
        if attack.code.startswith(HELD):
            self.give_up(order)

    def aim(self, name: str, identifier: str) -> Json:
        """Evil on the way to a lease strikes this order alone; on the way to a history, this user's."""
        from management.evil import HISTORY
        return {"of": [self.carla.upn]} if name in HISTORY else {"ids": [identifier]}

    def give_up(self, order: str) -> None:
        self.connector.command("requests", "abandon", order, check=True)
        self.assertEqual(self.lab.error(order)["code"], "abandoned")

    def mark(self) -> Mark:
        return Mark(self.lab.last_call(), self.certificates(), {str(each.directory): each.identities() for each in self.attackers},
                    len(self.connector.log()))

    # -- the four things ----------------------------------------------------------------------------------------------
    def check_refused(self, order: str, code: str, event: str, says: str = "…", timeout: float = 60) -> Json:
        error = self.lab.error(order, timeout)
        self.assertEqual(error["code"], code, error)
        self.assertTrue(matches(says, error["message"]), f"{error['message']!r} is not {says!r}")
        self.assertEqual(error["retryable"], code in RETRYABLE, error)
        self.check_told(order, event, code)
        return error

    def check_held(self, order: str, reason: str, event: str = "KEY-4003", says: str = "…") -> Json:
        rows: list[Json] = []

        def found() -> bool:
            rows[:] = [row for row in self.connector.command_json("requests", "list", "--stage", "held")["requests"] if row["id"] == order]
            return bool(rows)
        self.connector.wait_until(found, 60, f"{order} to be held")
        self.assertEqual(rows[0]["heldReason"], reason)
        detail = self.connector.command_json("requests", "show", order)["heldDetail"]
        self.assertTrue(matches(says, detail), f"{detail!r} is not {says!r}")
        self.assertEqual(self.lab.state(order)["reports"], [], "the service has heard nothing")
        self.check_told(order, event)
        return rows[0]

    def check_told(self, order: str, event: str, code: str | None = None) -> None:
        """A line in the audit log, and one in the log; they may be written a moment after the service has its answer."""
        def audited() -> bool:
            said = [json.loads(line) for line in self.connector.audit() if order in line]
            return any(line["event"] == event for line in said) and (code is None or any(line.get("code") == code for line in said))
        try:
            self.connector.wait_until(audited, 10, "the audit line")
        except Exception:  # noqa: BLE001
            self.fail(f"no {event} with {code} in " + "\n".join(line[:400] for line in self.connector.audit() if order in line))
        self.assertTrue(any(event in line and order in line for line in self.connector.log().splitlines()), f"no {event} in the log")

    def check_neighbour(self, mark: Mark) -> None:
        """Those beside the attack: served, and as fast as always."""
        for beside in mark.beside:
            self.assertEqual(len(self.lab.open(self.noras_phone, beside, timeout=60).identities), 1)
            took = self._took(beside)
            type(self).slowest = max(self.slowest, took)
            self.assertLess(took, SLACK * self.normal + GRACE, f"the neighbour waited; normal are {self.normal:.2f} s")

    def check_nothing_left(self, mark: Mark, *orders: str, issued: int = 0, revoked: int = 0) -> None:
        """Since `mark` nothing but the neighbours' went out; `issued` and `revoked`: what the CA may have on top of theirs."""
        results = [result for call in self.lab.calls("results", mark.call) for result in (call.get("body") or {}).get("results", [])]
        for result in results:
            if result["requestId"] in orders:
                self.assertEqual(result["status"], "failed", "something was delivered")
                self.assertFalse({"certificates", "chain", "delivery", "omitted"} & result.keys(), result)
        now = self.certificates()
        fresh, honest = now.keys() - mark.certificates.keys(), self._serials(mark.beside)
        self.assertLessEqual(honest, fresh)
        self.assertEqual(len(fresh - honest), issued, "the CA issued for somebody else than the neighbour")
        ended = {serial for serial, gone in now.items() if gone and not mark.certificates.get(serial, False)}
        self.assertFalse(ended & honest, "the neighbour's certificate was revoked")
        self.assertEqual(len(ended), revoked, "revoked at the CA")
        listed = {row["request"] for row in self.connector.command_json("issued", "list", "--limit", "1000")["issued"] if row.get("revokedAt") is None}
        self.assertFalse(listed & set(orders), "the register has a live certificate for the attack")
        for device in self.attackers:
            self.assertEqual(device.identities(), mark.held.get(str(device.directory), []))
            for result in results:
                if "delivery" in result:
                    with self.assertRaises(Refused, msg="the attacker's device opens an envelope"):
                        device.open(result)

    # -- what there is ------------------------------------------------------------------------------------------------
    def certificates(self) -> dict[str, bool]:
        """Of the local CA's own book: serial number, revoked or not."""
        place = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        database = sqlite3.connect(f"file:{place}?mode=ro", uri=True, timeout=30)
        try:
            return {serial.lower().lstrip("0"): gone for serial, gone in database.execute("SELECT serial, revoked_at IS NOT NULL FROM issued")}
        finally:
            database.close()

    def _serials(self, orders: Sequence[str]) -> set[str]:
        return {each["serialNumber"].lower().lstrip("0") for order in orders for each in self.lab.delivered(order)["certificates"]}

    @classmethod
    def _took(cls, order: str) -> float:
        state = cls.lab.state(order)
        return float(state["finished"] - state["queued"])

    @classmethod
    def _timed(cls, order: str) -> float:
        cls.lab.open(cls.noras_phone, order, timeout=60)
        return cls._took(order)

    def wait_past(self, moment: Any) -> None:
        """Until that time is over: for what expires."""
        self.connector.wait_until(lambda: time.time() > moment.timestamp() + 1, 60, f"{moment} to pass")
