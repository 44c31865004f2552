"""Bad input as a table. A row is an input, the contract's code, what the message says, and the line in the audit log; beside each one stands a
neighbour's good request, which must be served. `docs/bad-input.md` is written from the same rows (document.py)."""
from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Callable, Sequence

from adversary import BadInput, Device, Json, User, changed, made

RETRYABLE = {"recipientChanged", "approvalNeeded", "limitReached", "authorityMisconfigured", "authorityUnreachable"}
UNREADABLE = "MGT-6007"  # nothing of such a request is believed: its line names the request alone


@dataclass(frozen=True)
class Row:
    what: str                                            # the input in words; names the row
    change: "Json | Callable[[Orders], Json]"            # what makes a good request this one: JSON pointer without the first / → value
    says: str                                            # the whole message; … stands for anything
    code: str = ""                                       # where it is not its table's
    evil: "tuple[str, Callable[[Orders], Json]] | None" = None  # the service spoils the request on its way: a name of management/evil.py


@dataclass(frozen=True)
class Table:
    title: str
    code: str
    event: str                                           # of the line in the audit log
    rows: Sequence[Row]
    base: str = "issue"                                  # the good request: issue or deliver
    note: str = ""
    config: Json = field(default_factory=dict)

    def code_of(self, row: Row) -> str:
        return row.code or self.code


def matches(pattern: str, text: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("…"))), text, re.DOTALL) is not None


def field_row(pointer: str, value: Any, why: str, code: str = "", at: str = "", what: str = "") -> Row:
    """One member with one value; `at`: where the message points to, if not to the member itself."""
    from adversary import GONE
    if not what:
        shown = json.dumps(value, ensure_ascii=True) if value is not GONE else ""
        what = f"`/{pointer}` left out" if value is GONE else f"`/{pointer}` is `{shown if len(shown) < 60 else shown[:40] + '…'}`"
    return Row(what, {pointer: value}, f"{at or '/' + pointer}: {why}", code)


class Orders(BadInput):
    """Runs tables of requests: every row and its neighbour at once, through one daemon."""
    alice: User
    phone: Device
    refused: set[str]                                    # the orders of the last tables

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.alice = cls.lab.user("alice")
        cls.phone = cls.lab.device(cls.alice, key_kind="ecP256")

    def good_request(self, base: str) -> Json:
        if base == "deliver":
            return self.lab.deliver_request(self.alice, self.phone)
        return self.lab.issue_request(self.alice, self.phone, key_type="ecP256")

    def run_tables(self, *tables: Table) -> None:
        rows = [(table, row) for table in tables for row in table.rows]
        self.assertEqual(len({(table.title, row.what) for table, row in rows}), len(rows), "each row has a name of its own")
        requests: list[Json] = []
        for table, row in rows:
            request = changed(self.good_request(table.base), row.change(self) if callable(row.change) else row.change)
            if row.evil is not None:
                self.lab.evil(row.evil[0], ids=[request["id"]], **row.evil[1](self))
            requests += [request, made(self.honest())]
        ids = self.lab.queue(*requests, raw=True)
        type(self).refused = set(ids[::2])
        states = self.lab.wait(*ids, timeout=180)
        self.lab.good()
        audited = self.audited(ids[::2])
        for (table, row), order, neighbour, request in zip(rows, ids[::2], ids[1::2], requests[::2], strict=True):
            with self.subTest(f"{table.title}: {row.what}"):
                self.check_row(states[order]["result"], table.code_of(row), row.says)
                # What a liar sends in place of the request is not known here, so whom its line names is not asked.
                who = {} if table.event == UNREADABLE or row.evil else {"user": request["user"]["userPrincipalName"], "device": request["device"]["id"]}
                self.check_line(audited.get(order, []), table.event, table.code_of(row), row.says, **who)
            with self.subTest(f"{table.title}: {row.what}: the neighbour"):
                self.assertEqual(states[neighbour]["result"]["status"], "delivered", states[neighbour]["result"])
        self.check_neighbour(ids[-1])
        self.serve_neighbour()

    def check_row(self, result: Json | None, code: str, says: str) -> Json:
        assert result is not None, "no result was accepted"
        self.assertEqual(result["status"], "failed", result)
        error = result["error"]
        self.assertEqual(error["code"], code, error)
        self.assertTrue(matches(says, error["message"]), f"{error['message']!r} is not {says!r}")
        self.assertEqual(error["retryable"], code in RETRYABLE or code == "importUndecryptable" and "[import.NAME]" in error["message"], error)
        self.assertLessEqual(len(error["message"]), 512)
        self.assertTrue(error["message"].isprintable(), error)
        return error

    def audited(self, orders: Sequence[str]) -> dict[str, list[Json]]:
        """The lines by request. The last one may be written a moment after the service has its answer."""
        found: dict[str, list[Json]] = {}

        def look() -> bool:
            found.clear()
            for line in self.connector.audit():
                said = json.loads(line)
                if "request" in said:
                    found.setdefault(said["request"], []).append(said)
            return all(any("result" in line for line in found.get(order, [])) for order in orders)
        try:
            self.connector.wait_until(look, 5, "the last line in the audit log")
        except Exception:  # noqa: BLE001 - the rows tell which
            pass
        return found

    def check_line(self, lines: Sequence[Json], event: str, code: str, says: str, **who: str) -> None:
        fit = [line for line in lines if line["event"] == event and line.get("code") == code and matches(says, line.get("reason", ""))
               and all(line.get(key) == value for key, value in who.items())]
        self.assertTrue(fit, f"no line {event} with {code}, {says!r} and {who} among {lines}")
