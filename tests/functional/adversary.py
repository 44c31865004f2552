"""What the tests of bad input share: one lab, one daemon, an honest neighbour, and what a refusal has to look like."""
from __future__ import annotations

import json
import sys
import unittest
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import imports  # noqa: E402
import pki  # noqa: E402
from lab import Connector, ConnectorError, Device, Lab, User  # noqa: E402

Json = dict[str, Any]
GONE = object()
RETRYABLE = {"recipientChanged", "approvalNeeded", "limitReached", "authorityMisconfigured", "authorityUnreachable"}
EITHER = {"importUndecryptable", "internal"}


class BadInput(unittest.TestCase):
    """One lab and one connector for the class. `config` is merged over the lab's."""
    config: Json = {}
    lab: Lab
    connector: Connector
    neighbour: User
    neighbours_phone: Device

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.connector = cls.lab.connector(cls.config, start=False)
        cls.prepare()
        cls.connector.start()
        cls.neighbour = cls.lab.user("nora", "Neighbour")
        cls.neighbours_phone = cls.lab.device(cls.neighbour, key_kind="ecP256")

    @classmethod
    def prepare(cls) -> None:
        """Before the daemon starts."""

    def tearDown(self) -> None:
        self.lab.good()
        if self.connector.running or self.connector.process is None:
            return
        self.fail(f"the daemon ended with {self.connector.process.returncode}\n{self.connector.tail()}\n{self.connector.output()[-2000:]}")

    def honest(self) -> Json:
        return self.lab.issue_request(self.neighbour, self.neighbours_phone, key_type="ecP256")

    def check_neighbour(self, order: str) -> None:
        opened = self.lab.open(self.neighbours_phone, order)
        self.assertEqual(len(opened.identities), 1, "the neighbour's honest request")

    def serve_neighbour(self) -> None:
        self.check_neighbour(self.lab.queue(self.honest())[0])

    def check_refused(self, order: str, code: str, pointers: str | tuple[str, ...]) -> Json:
        error = self.lab.error(order)
        self.assertEqual(error["code"], code, error)
        wanted = (pointers,) if isinstance(pointers, str) else pointers
        self.assertTrue(any(error["message"].startswith(f"{one}:" if one else "") for one in wanted), f"{wanted} in {error}")
        if code not in EITHER:
            self.assertEqual(error["retryable"], code in RETRYABLE, error)
        self.assertLessEqual(len(error["message"]), 512)
        self.assertTrue(error["message"].isprintable(), error)
        self.check_audited(code, request=order)
        return error

    def check_audited(self, *words: str, request: str | None = None) -> None:
        """The line may be written a moment after the service has its answer."""
        def found() -> bool:
            return any((request is None or json.loads(line).get("request") == request) and all(word in line for word in words)
                       for line in self.connector.audit())
        try:
            self.connector.wait_until(found, 2, "a line in the audit log")
        except ConnectorError:
            self.fail(f"no line in the audit log with {words} of {request}")

    def check_audit_whole(self) -> None:
        said = self.connector.command("audit", "verify")
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)


def made(request: Json) -> Json:
    """With an id and a time, as the queue gives them to what is not sent raw."""
    return {"id": f"r-{uuid.uuid4().hex[:12]}", "createdAt": imports.time_text(pki.now()), **request}


def changed(request: Json, changes: Json) -> Json:
    """A change names a member by its JSON pointer, the first `/` left out; GONE takes it away."""
    result = made(json.loads(json.dumps(request)))
    for pointer, value in changes.items():
        at: Any = result
        *path, last = pointer.split("/")
        for step in path:
            at = at[int(step)] if isinstance(at, list) else at.setdefault(step, {})
        if value is GONE:
            at.pop(last, None)
        else:
            at[int(last) if isinstance(at, list) else last] = value
    return result
