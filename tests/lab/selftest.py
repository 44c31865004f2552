#!/usr/bin/python3
"""The lab tried on itself: the service by a small client, the device by packages made with the `openssl` program."""
from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import os
import secrets
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import unittest
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes

import der
import imports
import openssl
import pfx
import pki
import precheck
from client import Answer, ApiClient, LabError
from connector import Connector, ConnectorError
from device import Device, Refused
from lab import HERE, Lab
from management import evil, faults
from management.times import parse

KINDS = ["pkcs.issue", "pkcs.renew", "pfx.deliver", "pfx.withdraw", "certificate.revoke"]
SHARED: dict[str, Any] = {}


def setUpModule() -> None:
    SHARED["directory"] = tempfile.TemporaryDirectory(prefix="lab-selftest-")
    SHARED["pki"] = Path(SHARED["directory"].name) / "pki"


def tearDownModule() -> None:
    SHARED["directory"].cleanup()


def csr(key: Any) -> str:
    made = x509.CertificateSigningRequestBuilder().subject_name(pki.common_name("connector")).sign(key, hashes.SHA256())
    return made.public_bytes(pki.serialization.Encoding.PEM).decode()


def time_text(seconds_from_now: float) -> str:
    return imports.time_text(pki.now() + dt.timedelta(seconds=seconds_from_now))


class Talker:
    """A connector as far as the wire goes."""

    def __init__(self, lab: Lab, name: str = "talker", token: str | None = None, connector_id: str | None = None) -> None:
        self.lab = lab
        self.directory = lab.directory / f"{name}-{secrets.token_hex(3)}"
        self.key = pki.make_key()
        self.body: dict[str, Any] = {"name": name, "version": "1.0.0", "platform": "linux", "csr": csr(self.key), "features": KINDS}
        if connector_id:
            self.body["connectorId"] = connector_id
        self.token = token or lab.token()
        self.enrolled = self.enrol()
        if self.enrolled.status == 201:
            self.id = self.enrolled.json["connectorId"]
            self.api = self.use(self.key, self.enrolled.json)

    def enrol(self) -> Answer:
        client = self.lab.client()
        answer = client.call("POST", "/connectors", self.body, token=self.token)
        client.close()
        return answer

    def use(self, key: Any, answer: dict[str, Any]) -> ApiClient:
        stem = secrets.token_hex(4)
        key_file = pki.write(self.directory / f"{stem}.key", pki.key_pem(key), private=True)
        certificate_file = pki.write(self.directory / f"{stem}.crt", answer["certificate"].encode())
        return self.lab.client(certificate_file, key_file)

    def post(self, path: str, body: Any, **headers: str) -> Answer:
        return self.api.call("POST", f"/connectors/{self.id}{path}", body, **headers)

    def lease(self, wait: int = 0, most: int = 100, key: str | None = None, kinds: list[str] | None = None) -> Answer:
        return self.post("/lease", {"maxRequests": most, "waitSeconds": wait, "kinds": kinds or KINDS}, Idempotency_Key=key or secrets.token_hex(8))

    def leased(self, **how: Any) -> list[dict[str, Any]]:
        return self.lease(**how).json["requests"]

    def report(self, *results: dict[str, Any]) -> list[dict[str, Any]]:
        answer = self.post("/results", {"results": list(results)})
        assert answer.status == 200, answer.body
        return answer.json["outcomes"]


def failed(request: dict[str, Any], code: str = "policyRefused", retryable: bool = False) -> dict[str, Any]:
    return {"requestId": request["id"], "leaseId": request["leaseId"], "status": "failed",
            "error": {"code": code, "message": "/profile: no", "retryable": retryable}}


def completed(request: dict[str, Any]) -> dict[str, Any]:
    return {"requestId": request["id"], "leaseId": request["leaseId"], "status": "completed"}


def delivered(request: dict[str, Any], identities: list[pki.Identity], envelope: bytes = b"envelope") -> dict[str, Any]:
    entries = []
    for identity in identities:
        certificate = identity.certificate
        entry = {"thumbprint": identity.thumbprint, "sha256": identity.sha256,
                 "serialNumber": certificate.serial_number.to_bytes((certificate.serial_number.bit_length() + 7) // 8, "big").hex(),
                 "issuer": certificate.issuer.rfc4514_string(), "subject": certificate.subject.rfc4514_string(),
                 "notBefore": imports.time_text(certificate.not_valid_before), "notAfter": imports.time_text(certificate.not_valid_after),
                 "certificate": base64.b64encode(pki.cert_der(certificate)).decode()}
        entries.append(entry)
    return {"requestId": request["id"], "leaseId": request["leaseId"], "status": "delivered", "certificates": entries,
            "chain": [base64.b64encode(pki.cert_der(each)).decode() for each in identities[0].chain],
            "delivery": {"format": "cms", "envelope": base64.b64encode(envelope).decode()}}


class LabCase(unittest.TestCase):
    options: dict[str, Any] = {}
    lab: Lab

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = Lab(pki_directory=SHARED["pki"], **cls.options)
        cls.lab.__enter__()
        cls.addClassCleanup(cls.lab.__exit__)

    def setUp(self) -> None:
        self.lab.control.delete("requests")
        self.lab.control.delete("imports")
        self.lab.control.delete("violations")
        self.lab.good()


class Enrolment(LabCase):
    def test_a_token_works_once_and_repeats_its_answer(self) -> None:
        talker = Talker(self.lab)
        self.assertEqual(talker.enrolled.status, 201)
        certificate = x509.load_pem_x509_certificate(talker.enrolled.json["certificate"].encode())
        self.assertEqual(certificate.subject.rfc4514_string(), f"CN={talker.id}")
        self.assertEqual(talker.enrol().json, talker.enrolled.json)
        talker.body["csr"] = csr(pki.make_key())
        self.assertEqual((talker.enrol().status, talker.enrol().code), (401, "tokenUsed"))

    def test_unknown_and_expired_tokens(self) -> None:
        self.assertEqual(Talker(self.lab, token="guess").enrolled.code, "tokenUnknown")
        self.assertEqual(Talker(self.lab, token=self.lab.token(seconds=-1)).enrolled.code, "tokenExpired")

    def test_who_may_call(self) -> None:
        one, two = Talker(self.lab, "one"), Talker(self.lab, "two")
        heartbeat = self._heartbeat()
        self.assertEqual(one.post("/heartbeat", heartbeat).status, 204)
        self.assertEqual(one.api.call("POST", f"/connectors/{two.id}/heartbeat", heartbeat).status, 403)
        nobody = self.lab.client()
        self.assertEqual(nobody.call("POST", f"/connectors/{one.id}/heartbeat", heartbeat).code, "certificateRequired")
        self.assertEqual(nobody.call("GET", "/imported-certificates").status, 401)
        self.assertEqual(nobody.call("GET", "/imported-certificates", token="guess").status, 401)
        self.assertEqual(nobody.call("GET", "/nothing").status, 404)
        stranger = pki.make_root("Stranger")
        client = one.use(stranger.key, {"certificate": pki.cert_pem(stranger.certificate).decode()})
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            client.call("POST", f"/connectors/{one.id}/heartbeat", heartbeat)
        self.assertEqual([each["state"] for each in self.lab.heartbeats()][-1], "ready")

    @staticmethod
    def _heartbeat() -> dict[str, Any]:
        return {"version": "1.0.0", "startedAt": time_text(0), "state": "ready", "pending": 0, "inFlight": 0, "held": 0, "delivered": 0, "failed": 0,
                "oldestPendingSeconds": 0, "frozen": [], "authorities": [{"name": "corp", "state": "up"}], "certificateExpiresAt": time_text(86400)}

    def test_renewal_ends_the_older_certificate_at_first_use(self) -> None:
        talker = Talker(self.lab)
        key = pki.make_key()
        self.assertEqual(talker.post("/certificate", {"csr": talker.body["csr"]}).status, 400)
        renewed = talker.post("/certificate", {"csr": csr(key)})
        self.assertEqual((renewed.status, renewed.json["connectorId"]), (200, talker.id))
        self.assertEqual(talker.lease().status, 200)
        old, talker.api = talker.api, talker.use(key, renewed.json)
        self.assertEqual(talker.lease().status, 200)
        talker.api = old
        self.assertEqual(talker.lease().code, "certificateSuperseded")

    def test_approval_belongs_to_the_enrolment(self) -> None:
        self.lab.settings(approve="manual")
        self.addCleanup(self.lab.settings, approve="auto")
        talker = Talker(self.lab)
        self.assertEqual((talker.lease().status, talker.lease().code), (403, "notApproved"))
        self.lab.control.post("approve", {"connectorId": talker.id})
        self.assertEqual(talker.lease().status, 200)
        thief = Talker(self.lab, connector_id=talker.id)
        self.assertEqual(thief.lease().code, "notApproved")
        self.assertEqual(talker.lease().status, 200)
        self.lab.control.post("approve", {"connectorId": talker.id})
        self.assertEqual(thief.lease().status, 200)
        self.assertEqual(talker.lease().status, 401)


class Leasing(LabCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.alice, cls.bob = cls.lab.user("alice"), cls.lab.user("bob", "Jones")
        cls.phone = cls.lab.device(cls.alice, key_kind="ecP256")
        cls.laptop = cls.lab.device(cls.bob, key_kind="ecP256")
        cls.talker = Talker(cls.lab)

    def test_long_poll_wakes_up(self) -> None:
        threading.Timer(0.2, lambda: self.lab.issue(self.alice, self.phone)).start()
        started = time.monotonic()
        leased = self.talker.leased(wait=10)
        self.assertEqual([each["kind"] for each in leased], ["pkcs.issue"])
        self.assertLess(time.monotonic() - started, 3)
        self.assertEqual(self.talker.leased(), [])

    def test_same_key_same_answer(self) -> None:
        first, second = self.lab.issue(self.alice, self.phone), self.lab.issue(self.alice, self.phone)
        self.lab.fault("drop-after", call="lease")
        with self.assertRaises((ConnectionError, OSError)):
            self.talker.lease(most=1, key="key-1")
        again = self.talker.lease(most=1, key="key-1").json
        self.assertEqual([each["id"] for each in again["requests"]], [first])
        self.assertEqual(self.talker.lease(most=1, key="key-1").json, again)
        self.assertEqual(self.talker.lease(most=2, key="key-1").status, 422)
        self.assertEqual([each["id"] for each in self.talker.leased(key="key-2")], [second])
        self.assertEqual(self.talker.post("/lease", {"maxRequests": 1, "waitSeconds": 0, "kinds": KINDS}).status, 400)

    def test_a_caller_that_hangs_up_takes_nothing_along(self) -> None:
        other = Talker(self.lab)
        other.api._connection.timeout = 0.3
        with self.assertRaises(OSError):
            other.lease(wait=20)
        self.lab.issue(self.alice, self.phone)
        time.sleep(0.1)
        self.assertEqual(len(self.talker.leased(wait=2)), 1)

    def test_kinds_and_order(self) -> None:
        issue, deliver = self.lab.issue(self.alice, self.phone), self.lab.deliver(self.alice, self.phone)
        self.assertEqual([each["id"] for each in self.talker.leased(kinds=["pfx.deliver"])], [deliver])
        self.assertEqual([each["id"] for each in self.talker.leased()], [issue])

    def test_a_lease_ends_and_the_request_comes_again(self) -> None:
        identifier = self.lab.issue(self.alice, self.phone)
        answer = self.talker.lease()
        first = answer.json["requests"][0]
        self.assertGreater(parse(first["leaseExpiresAt"]), time.time() + 60)
        renewed = self.talker.post("/lease/renew", {"leases": [first["leaseId"], "l-nothing"]}).json
        self.assertEqual([each["leaseId"] for each in renewed["renewed"]], [first["leaseId"]])
        self.assertEqual(renewed["lost"], ["l-nothing"])
        self.assertEqual(self.lab.expire_leases(identifier), 1)
        self.assertEqual(self.talker.post("/lease/renew", {"leases": [first["leaseId"]]}).json["lost"], [first["leaseId"]])
        second = self.talker.leased(wait=2)[0]
        self.assertEqual((second["id"], second["attempt"]), (identifier, 2))
        self.assertNotEqual(second["leaseId"], first["leaseId"])
        # A late result of the first lease counts as well as any.
        self.assertEqual(self.talker.report(failed(first)), [{"requestId": identifier, "outcome": "accepted"}])

    def test_outcomes(self) -> None:
        one, two = pki.history(self.lab.pki, self.alice.upn, (2018, 2020), shared_keys=True, kind="ecP256")
        identifier = self.lab.deliver(self.alice, self.phone)
        withdrawn = self.lab.deliver(self.bob, self.laptop)
        requests = {each["id"]: each for each in self.talker.leased()}
        request = requests[identifier]
        wrong = delivered(request, [one, two])
        wrong["certificates"].reverse()
        self.assertEqual(self.talker.report(wrong)[0]["outcome"], "rejected")
        self.assertEqual(self.talker.report(completed(request))[0]["outcome"], "rejected")
        self.assertEqual(self.talker.report({**failed(request), "leaseId": "l-guess"})[0]["outcome"], "rejected")
        self.assertEqual(self.talker.report({**failed(request), "requestId": "r-guess"})[0]["outcome"], "rejected")
        good = delivered(request, [one, two])
        self.assertEqual(Talker(self.lab).report(good)[0]["outcome"], "rejected")
        self.assertEqual(self.talker.report(good)[0]["outcome"], "accepted")
        self.assertEqual(self.talker.report(delivered(request, [one, two], b"wrapped again"))[0]["outcome"], "duplicate")
        other = self.talker.report(delivered(request, [one]))[0]
        self.assertEqual((other["outcome"], other["accepted"]), ("superseded", sorted([one.sha256, two.sha256])))
        self.assertEqual(self.talker.report(failed(request))[0]["outcome"], "superseded")
        self.lab.withdraw(self.bob, self.laptop)
        self.assertEqual(self.talker.report(failed(requests[withdrawn], "withdrawn"))[0]["outcome"], "cancelled")
        order = self.talker.leased()[0]
        self.assertEqual(order["kind"], "pfx.withdraw")
        self.assertEqual([self.talker.report(completed(order))[0]["outcome"] for _ in range(2)], ["accepted", "duplicate"])
        self.assertEqual(self.lab.result(identifier), good)
        self.assertEqual(self.lab.wait(withdrawn)[withdrawn]["state"], "cancelled")
        self.lab.check_clean()

    def test_a_withdrawal_ends_only_what_it_names(self) -> None:
        mine, yours = self.lab.issue(self.alice, self.phone), self.lab.issue(self.bob, self.laptop)
        later = self.lab.queue({**self.lab.issue_request(self.alice, self.phone), "createdAt": time_text(60)})[0]
        leased = {each["id"]: each for each in self.talker.leased()}
        self.lab.withdraw(self.alice, self.phone)
        states = {each["id"]: each["state"] for each in self.lab.control.get("requests")["requests"]}
        self.assertEqual((states[mine], states[yours], states[later]), ("cancelled", "leased", "leased"))
        self.assertEqual(self.talker.post("/lease/renew", {"leases": [leased[mine]["leaseId"]]}).json["lost"], [leased[mine]["leaseId"]])

    def test_a_closed_id_is_a_new_order(self) -> None:
        identifier = self.lab.issue(self.alice, self.phone)
        self.talker.report(failed(self.talker.leased()[0]))
        self.lab.control.post("requeue", {"ids": [identifier]})
        self.assertEqual(self.talker.leased()[0]["attempt"], 1)

    def test_what_breaks_the_document_is_refused_and_kept(self) -> None:
        for path, body in (("/lease", {"maxRequests": 501, "waitSeconds": 0, "kinds": KINDS}), ("/results", {"results": [{"requestId": "r"}]}),
                           ("/heartbeat", {"state": "fine"})):
            answer = self.talker.post(path, body, Idempotency_Key="k")
            self.assertEqual((answer.status, answer.code), (400, "invalidRequest"), path)
        self.assertEqual(self.talker.api.call("POST", f"/connectors/{self.talker.id}/lease/renew", raw=b'{"leases":["a"],"leases":["b"]}').status, 400)
        self.assertEqual(len(self.lab.violations()), 4)
        with self.assertRaises(LabError):
            self.lab.check_clean()
        with self.assertRaisesRegex(LabError, "keyType"):
            self.lab.issue(self.alice, self.phone, key_type="rsa1024")
        self.assertEqual(len(self.lab.queue({"kind": 17, "id": "r-raw"}, raw=True)), 1)
        self.assertEqual(self.talker.leased()[0]["kind"], 17)

    def test_chunked_and_too_large(self) -> None:
        body = json.dumps({"maxRequests": 1, "waitSeconds": 0, "kinds": KINDS}).encode()
        connection = self.talker.api._connection
        connection.putrequest("POST", f"{self.talker.api.base}/connectors/{self.talker.id}/lease")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.putheader("Idempotency-Key", "c")
        connection.endheaders()
        # The answer is there before the body is, and whoever is slow to send can still read it.
        waiting = select.poll()
        waiting.register(connection.sock, select.POLLIN)
        self.assertTrue(waiting.poll(10_000))
        waiting.modify(connection.sock, select.POLLRDHUP)
        self.assertEqual(waiting.poll(300), [])
        for part in (b"%x\r\n" % len(body), body, b"\r\n0\r\n\r\n"):
            connection.send(part)
        answer = connection.getresponse()
        self.assertEqual(answer.status, 411)
        answer.read()
        connection.close()
        self.lab.issue(self.alice, self.phone), self.lab.issue(self.alice, self.phone)
        one, two = self.talker.leased()
        identity = pki.history(self.lab.pki, self.alice.upn, (2018,), shared_keys=True, kind="ecP256")
        large = [delivered(each, identity, b"x" * 800_000) for each in (one, two)]
        self.assertEqual(self.talker.post("/results", {"results": large}).status, 413)
        self.assertEqual(self.talker.report(large[0])[0]["outcome"], "accepted")

    def test_faults(self) -> None:
        self.lab.fault("429", call="lease", retryAfter=7)
        answer = self.talker.lease()
        self.assertEqual((answer.status, answer.headers["retry-after"], answer.code), (429, "7", "throttled"))
        self.lab.fault("redirect", call="lease")
        self.assertEqual(self.talker.lease().status, 307)
        for name, mark in (("broken-json", b'{"requests":[{'), ("deep-json", b"[[[[[[[[[[[[[[[[[["), ("duplicate-keys", b'"requests":[],"requests"'),
                           ("wrong-types", b'{"requests":{'), ("not-json", b"<html>")):
            self.lab.fault(name)
            self.assertIn(mark, self.talker.lease().body, name)
        self.lab.fault("too-large", whileMaxRequestsAbove=10, count=-1)
        self.assertGreater(len(self.talker.lease(most=100).body), 16 << 20)
        self.assertLess(len(self.talker.lease(most=10).body), 100)
        self.lab.good()
        self.lab.fault("raw", body='{"requests":[]}', headers={"X-Test": "1"})
        self.assertEqual(self.talker.lease().headers["x-test"], "1")
        self.lab.fault("hang", call="lease", seconds=0.2)
        with self.assertRaises((ConnectionError, OSError)):
            self.talker.lease()
        self.lab.fault("endless")
        connection = self.talker.api._connection
        connection.request("POST", f"{self.talker.api.base}/connectors/{self.talker.id}/lease",
                           json.dumps({"maxRequests": 1, "waitSeconds": 0, "kinds": KINDS}), {"Idempotency-Key": "e"})
        self.assertEqual(len(connection.getresponse().read(1 << 20)), 1 << 20)
        connection.close()
        identifier = self.lab.issue(self.alice, self.phone)
        self.lab.fault("duplicate-leases")
        leased = self.talker.leased()
        self.assertEqual([each["id"] for each in leased], [identifier] * 2)
        self.lab.fault("omit-outcomes")
        self.assertEqual(self.talker.report(failed(leased[0])), [])
        self.lab.fault("outcome", outcome="cancelled")
        self.assertEqual(self.talker.report(failed(leased[0]))[0]["outcome"], "cancelled")
        self.lab.fault("drop-after", call="results")
        with self.assertRaises((ConnectionError, OSError)):
            self.talker.report(failed(leased[0]))
        self.assertEqual(self.talker.report(failed(leased[0]))[0]["outcome"], "duplicate")
        for fault in ("expired-leases", "far-leases", "duplicate-keys-in-request", "chunked", "truncated"):
            self.lab.expire_leases()
            self.lab.issue(self.alice, self.phone)
            self.lab.fault(fault, call="lease")
            try:
                self.talker.lease()
            except Exception as error:
                self.assertEqual(fault, "truncated", error)
        with self.assertRaises(LabError):
            self.lab.fault("no-such-fault")

    def test_evil(self) -> None:
        mine, yours = self.lab.deliver(self.alice, self.phone), self.lab.deliver(self.bob, self.laptop)
        self.lab.evil("wrong-recipient", ids=[mine])
        leased = {each["id"]: each for each in self.talker.leased()}
        self.assertEqual(leased[mine]["device"]["id"], self.laptop.id)
        self.assertEqual((leased[mine]["user"]["id"], leased[yours]["user"]["id"]), (self.alice.id, self.bob.id))
        self.lab.good()
        self.lab.evil("order-changed")
        self.lab.expire_leases()
        honest = {each["id"]: each for each in self.talker.leased()}
        self.assertEqual(honest[mine]["device"]["id"], self.phone.id)
        self.lab.expire_leases()
        changed = {each["id"]: each for each in self.talker.leased()}
        self.assertEqual(changed[mine]["device"]["id"], self.laptop.id)
        self.lab.good()
        self.lab.evil("rewrite", ids=[mine], set={"user/mail": "chief@corp.example", "purpose": "wifi"})
        self.lab.expire_leases()
        rewritten = {each["id"]: each for each in self.talker.leased()}
        self.assertEqual((rewritten[mine]["user"]["mail"], rewritten[mine]["purpose"]), ("chief@corp.example", "wifi"))
        self.assertNotEqual(rewritten[yours]["purpose"], "wifi")
        self.lab.good()
        self.lab.evil("revoke", ids=[mine])
        self.lab.expire_leases()
        self.assertEqual({each["id"]: each["kind"] for each in self.talker.leased()}, {mine: "certificate.revoke", yours: "pfx.deliver"})
        self.lab.good()
        for name in evil.LEASE:
            self.lab.evil(name)
            self.lab.expire_leases()
            self.assertEqual(len(self.talker.leased()), 2, name)
        self.lab.check_clean()
        self.assertTrue(set(faults.USUAL_CALL) <= {*faults.BEFORE, *faults.AFTER})


class Imports(LabCase):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.alice, cls.bob = cls.lab.user("alice"), cls.lab.user("bob", "Jones")
        cls.phone = cls.lab.device(cls.alice, key_kind="ecP256")
        cls.talker = Talker(cls.lab)

    def read(self, lease: str, user: str | None = None, more: str = "", **headers: str) -> Answer:
        path = f"/users/{user or self.alice.id}/imported-certificates?purpose=smimeEncryption&leaseId={lease}{more}"
        return self.talker.api.call("GET", path, **headers)

    def test_only_with_a_lease_for_that_user(self) -> None:
        self.lab.import_history(self.alice, certificate={"kind": "ecP256"})
        self.assertEqual(self.read("l-guess").status, 403)
        identifier = self.lab.deliver(self.alice, self.phone)
        lease = self.talker.leased()[0]["leaseId"]
        self.assertEqual(len(self.read(lease).json["value"]), 4)
        self.assertEqual(self.read(lease, self.bob.id).status, 403)
        self.assertEqual(self.read(lease, more="&$top=x").status, 400)
        self.lab.expire_leases(identifier)
        self.assertEqual(self.read(lease).code, "leaseRequired")

    def test_pages_and_etag(self) -> None:
        self.lab.import_history(self.alice, range(2014, 2021), certificate={"kind": "ecP256"})
        self.lab.deliver(self.alice, self.phone)
        lease = self.talker.leased()[0]["leaseId"]
        first = self.read(lease, more="&$top=3")
        found, link = first.json["value"], first.json.get("nextLink")
        while link:
            self.assertTrue(link.startswith(self.lab.url + "/users/"))
            page = self.talker.api.call("GET", link[len(self.lab.url):])
            found, link = found + page.json["value"], page.json.get("nextLink")
        self.assertEqual(len({each["id"] for each in found}), 7)
        etag = first.headers["etag"]
        self.assertEqual(self.read(lease, If_None_Match=etag).status, 304)
        self.lab.control.delete(f"imports?id={found[0]['id']}")
        self.assertEqual(self.read(lease, If_None_Match=etag).status, 200)
        self.lab.fault("next-link")
        page = self.read(lease).json
        self.assertTrue(page["nextLink"].endswith(lease))
        self.lab.check_clean()

    def test_administration(self) -> None:
        identities = pki.history(self.lab.pki, self.alice.upn, (2018, 2020), shared_keys=True, kind="ecP256")
        one, two = self.lab.records(self.alice, identities)
        stored = self.lab.admin("POST", "/imported-certificates", one)
        self.assertEqual((stored.status, stored.json["encryptedPfxBlob"]), (201, one["encryptedPfxBlob"]))
        self.assertEqual(self.lab.admin("POST", "/imported-certificates", one).code, "exists")
        self.assertEqual(self.lab.admin("POST", "/imported-certificates", {**two, "paddingScheme": "pkcs1"}).status, 400)
        path = f"/imported-certificates/{one['id']}"
        self.assertEqual(self.lab.admin("PUT", path, one).status, 428)
        self.assertEqual(self.lab.admin("PUT", path, one, If_Match='"old"').status, 412)
        whole = self.lab.admin("GET", path)
        self.assertEqual((whole.status, whole.headers["etag"], whole.json["encryptedPfxBlob"]), (200, stored.headers["etag"], one["encryptedPfxBlob"]))
        self.assertEqual(self.lab.admin("GET", path + "x").status, 404)
        self.assertEqual(self.lab.client().call("GET", path).status, 401)
        replaced = self.lab.admin("PUT", path, {**one, "keyName": "ImportKey2"}, If_Match=stored.headers["etag"])
        self.assertEqual((replaced.status, replaced.json["keyName"]), (200, "ImportKey2"))
        self.assertEqual(replaced.json["createdDateTime"], stored.json["createdDateTime"])
        listed = self.lab.admin("GET", "/imported-certificates?userPrincipalName=Alice@corp.example").json["value"]
        self.assertEqual(len(listed), 1)
        self.assertNotIn("encryptedPfxBlob", listed[0])
        self.assertEqual(listed[0]["@odata.etag"], replaced.headers["etag"])
        self.assertEqual(self.lab.admin("DELETE", path, If_Match=stored.headers["etag"]).status, 412)
        self.assertEqual(self.lab.admin("DELETE", path, If_Match=replaced.headers["etag"]).status, 204)
        self.assertEqual(self.lab.admin("DELETE", path, If_Match="*").status, 404)

    def test_evil_histories(self) -> None:
        how = {"certificate": {"kind": "ecP256"}, "years": (2018, 2020)}
        mine = {each.sha256 for each in self.lab.import_history(self.alice, **how)}
        bobs = {each.thumbprint for each in self.lab.import_history(self.bob, **how)}
        self.assertEqual(len(mine), 2)
        self.lab.deliver(self.alice, self.phone)
        lease = self.talker.leased()[0]["leaseId"]
        for name in evil.HISTORY:
            self.lab.good()
            etag = self.read(lease).headers["etag"]
            self.lab.evil(name)
            answer = self.read(lease)
            self.assertEqual(answer.status, 200, name)
            if name != "retag-purpose":
                self.assertNotEqual(answer.headers["etag"], etag, name)
            if name == "swap-user-records":
                self.assertEqual({each["thumbprint"] for each in answer.json["value"]}, bobs)
        self.lab.check_clean()


class Tls(unittest.TestCase):
    def refused(self, *options: str) -> None:
        with Lab(pki_directory=SHARED["pki"], service_options=options) as lab:
            with self.assertRaises(ssl.SSLError):
                lab.client().call("GET", "/imported-certificates")

    def test_bad_certificates_and_old_versions(self) -> None:
        self.refused("--tls-certificate", "wrong-name")
        self.refused("--tls-max", "1.1")
        with Lab(pki_directory=SHARED["pki"]) as lab:
            self.assertEqual(lab.client().call("GET", "/imported-certificates").status, 401)
            for flavour in ("expired", "foreign"):
                lab.settings(tls_certificate=flavour)
                with self.assertRaises(ssl.SSLError):
                    lab.client().call("GET", "/imported-certificates")

    def test_a_silent_client_keeps_nobody_waiting_and_sigterm_ends_it(self) -> None:
        with Lab(pki_directory=SHARED["pki"]) as lab:
            silent = [socket.create_connection(("127.0.0.1", int(lab.url.split(":")[2].split("/")[0]))) for _ in range(20)]
            self.assertEqual(lab.client().call("GET", "/imported-certificates").status, 401)
            talker = Talker(lab)
            threading.Thread(target=lambda: self.ignore(lambda: talker.lease(wait=30)), daemon=True).start()
            time.sleep(0.2)
            started = time.monotonic()
            lab.stop_service()
            self.assertLess(time.monotonic() - started, 2)
            lab.start_service()
            self.assertEqual(Talker(lab).lease().status, 200)
            for each in silent:
                each.close()

    @staticmethod
    def ignore(action: Any) -> None:
        try:
            action()
        except Exception:
            pass


class Packages(unittest.TestCase):
    """Packages made with the openssl program the way the contract says."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.pki = pki.Pki(SHARED["pki"])
        cls.alice = "alice@corp.example"
        cls.identities = pki.history(cls.pki, cls.alice, (2018, 2020), shared_keys=True, kind="ecP256")
        cls.files = {each.sha256: None for each in cls.identities}

    def device(self, key_kind: str = "rsa2048", **how: Any) -> Device:
        return Device.create(self.pki, Path(SHARED["directory"].name) / secrets.token_hex(4), "d-1", self.alice, key_kind=key_kind, **how)

    def package(self, device: Device, **other: Any) -> dict[str, Any]:
        entries = []
        for identity in self.identities:
            password = "".join(secrets.choice("ABCDEFGHabcdefgh0123456789") for _ in range(32))
            made = pfx.export(identity, password, other.get("form", "aes256"), with_root=other.get("with_root", False))
            entries.append({"thumbprint": identity.thumbprint, "sha256": identity.sha256, "pfx": base64.b64encode(made).decode(), "password": password})
        plain = {"v": 1, "requestId": "r-1", "userId": "u-1", "userPrincipalName": self.alice, "deviceId": device.id,
                 "recipientSha256": device.recipient_sha256, "purpose": "smimeEncryption", "createdAt": time_text(0), "notAfter": time_text(86400),
                 "sequence": 1, "identities": entries}
        return {**plain, **{name: value for name, value in other.items() if name not in ("form", "with_root")}}

    def sign(self, content: bytes, signer: pki.Identity) -> bytes:
        with openssl.secrets(content=content, key=pki.key_pem(signer.key), signer=pki.cert_pem(signer.certificate),
                             chain=b"".join(pki.cert_pem(each) for each in signer.chain)) as files:
            made, _ = openssl.run("cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-outform", "DER", "-in", files["content"], "-signer",
                                  files["signer"], "-inkey", files["key"], "-certfile", files["chain"])
        return made

    def seal(self, inner: bytes, certificate: x509.Certificate, *options: str) -> bytes:
        how = ["-keyopt", "rsa_padding_mode:oaep", "-keyopt", "rsa_oaep_md:sha256", "-keyopt", "rsa_mgf1_md:sha256"]
        if not isinstance(certificate.public_key(), pki.rsa.RSAPublicKey):
            how = ["-keyopt", "ecdh_kdf_md:sha256"]
        try:
            certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
            named = ["-keyid"]
        except x509.ExtensionNotFound:
            named = []
        with openssl.secrets(inner=inner, certificate=pki.cert_pem(certificate)) as files:
            made, _ = openssl.run("cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-in", files["inner"], *named,
                                  "-recip", files["certificate"], *how, *options)
        return made

    def result(self, envelope: bytes) -> dict[str, Any]:
        return delivered({"id": "r-1", "leaseId": "l-1"}, self.identities, envelope)

    def made(self, device: Device, package: dict[str, Any], signer: pki.Identity | None = None) -> dict[str, Any]:
        return self.result(self.seal(self.sign(json.dumps(package).encode(), signer or self.pki.delivery), device.certificate))

    def test_rsa_and_elliptic_curves(self) -> None:
        for kind, how in (("rsa2048", {}), ("ecP256", {}), ("ecP384", {}), ("rsa2048", {"ski": False})):
            with self.subTest(kind, **how):
                device = self.device(kind, **how)
                opened = device.open(self.made(device, self.package(device)))
                self.assertEqual([each.sha256 for each in opened.identities], [each.sha256 for each in self.identities])
                self.assertEqual(device.identities(), sorted(each.sha256 for each in self.identities))
                self.assertIn("AES-256-CBC", opened.identities[0].algorithms[-1])
                self.assertEqual(len(opened.identities[0].chain), 1)

    def test_the_command_line(self) -> None:
        place = Path(SHARED["directory"].name) / "command-line"
        def run(*arguments: Any) -> "subprocess.CompletedProcess[str]":
            return subprocess.run([sys.executable, str(HERE / "device.py"), *map(str, arguments)], capture_output=True, text=True, check=False)
        self.assertEqual(run("new", "--pki", SHARED["pki"], "--dir", place, "--id", "d-1", "--upn", self.alice, "--key", "ecP256").returncode, 0)
        device = Device(place)
        result = pki.write(place / "result.json", json.dumps(self.made(device, self.package(device))).encode())
        opened = run("open", "--dir", place, "--result", result)
        self.assertEqual(opened.returncode, 0, opened.stderr)
        self.assertEqual(json.loads(opened.stdout)["package"]["sequence"], 1)
        again = run("open", "--dir", place, "--result", result)
        self.assertEqual(again.returncode, 1)
        self.assertIn("refused", again.stderr)

    def test_what_a_device_refuses(self) -> None:
        device, other = self.device("ecP256"), self.device("ecP256")
        good = self.package(device)
        for name, value in (("recipientSha256", "00" * 32), ("deviceId", "d-2"), ("userPrincipalName", "bob@corp.example"), ("notAfter", time_text(-10)),
                            ("v", 2), ("requestId", "r-2"), ("sequence", 0), ("identities", [])):
            with self.subTest(name), self.assertRaises(Refused):
                device.open(self.made(device, {**good, name: value}))
        with self.assertRaisesRegex(Refused, "signature"):
            device.open(self.made(device, good, self.pki.foreign_delivery))
        with self.assertRaisesRegex(Refused, "root"):
            device.open(self.made(device, self.package(device, with_root=True)))
        with self.assertRaisesRegex(Refused, "MAC"):
            device.open(self.made(device, self.package(device, form="no-mac")))
        twice = json.dumps(good).replace('{"v": 1', '{"v": 1, "v": 1', 1).encode()
        with self.assertRaisesRegex(Refused, "duplicate"):
            device.open(self.result(self.seal(self.sign(twice, self.pki.delivery), device.certificate)))
        reused = {**good, "identities": [*good["identities"][:1], {**good["identities"][1], "sha256": "00" * 32}]}
        with self.assertRaisesRegex(Refused, "sha256 of another"):
            device.open(self.made(device, reused))
        self.assertEqual(device.identities(), [])
        result = self.made(device, good)
        with self.assertRaisesRegex(Refused, "another recipient"):
            other.open(result)
        device.open(result)
        with self.assertRaisesRegex(Refused, "sequence"):
            device.open(result)
        device.open(self.made(device, self.package(device, purpose="smimeSigning")))
        with self.assertRaisesRegex(Refused, "used before"):
            device.open(self.made(device, {**good, "sequence": 9}))
        device.open(self.made(device, self.package(device, sequence=2)))

    def test_the_look_before_decryption(self) -> None:
        device = self.device("rsa2048")
        envelope = self.seal(b"inner", device.certificate)
        precheck.authenticated_envelope(envelope, device.certificate)
        def refused(octets: bytes, text: str) -> None:
            with self.assertRaisesRegex(Refused, text):
                precheck.authenticated_envelope(octets, device.certificate)
        refused(envelope + b"\0", "trailing")
        refused(b"\x30\x80" + der.read(envelope).content + b"\0\0", "indefinite")
        tag = der.read(envelope).children()[1].children()[0].children()[-1].raw
        short = der.rewrite(envelope, lambda node: der.encode(4, node.content[:8]) if node.raw == tag else None)
        refused(short, "mac length")
        refused(der.rewrite(envelope, lambda node: der.encode_integer(12) if node.raw == b"\x02\x01\x10" else None), "ICVlen")
        refused(self.seal(b"inner", device.certificate, "-aes-128-gcm"), "AES-256-GCM")
        both = self.seal(b"inner", device.certificate, "-recip", str(self.pki.path("foreign-delivery.crt")))
        refused(both, "not one recipient")
        with openssl.secrets(inner=b"inner", certificate=pki.cert_pem(device.certificate)) as files:
            weak, _ = openssl.run("cms", "-encrypt", "-binary", "-aes-256-gcm", "-keyid", "-outform", "DER", "-in", files["inner"],
                                  "-recip", files["certificate"])
        refused(weak, "not RSA-OAEP")

    def test_windows_and_apple(self) -> None:
        import plistlib
        device = self.device("rsa2048", platform="windows")
        package = self.package(device)
        def wrapped(content: bytes) -> bytes:
            with openssl.secrets(content=content, certificate=pki.cert_pem(device.certificate)) as files:
                made, _ = openssl.run("cms", "-encrypt", "-binary", "-aes-256-cbc", "-outform", "DER", "-in", files["content"],
                                      "-recip", files["certificate"])
            return made
        windows = self.result(b"")
        windows["delivery"] = {"format": "windowsCsp", "identities": [
            {"thumbprint": each["thumbprint"], "sha256": each["sha256"], "pfxCertBlob": each["pfx"], "keyLocation": 3, "keyExportable": False,
             "pfxCertPassword": base64.b64encode(wrapped(each["password"].encode())).decode(), "pfxCertPasswordEncryptionType": 1}
            for each in package["identities"]]}
        self.assertEqual(len(device.open(windows).identities), 2)
        package = self.package(device)
        payloads = [{"PayloadType": "com.apple.security.pkcs12", "PayloadContent": base64.b64decode(each["pfx"]), "Password": each["password"]}
                    for each in package["identities"]]
        profile = {"PayloadType": "Configuration", "PayloadVersion": 1, "IsEncrypted": True, "EncryptedPayloadContent": wrapped(plistlib.dumps(payloads))}
        apple = self.result(b"")
        apple["delivery"] = {"format": "appleProfile", "profile": base64.b64encode(self.sign(plistlib.dumps(profile), self.pki.delivery)).decode()}
        opened = device.open(apple)
        self.assertEqual((len(opened.identities), opened.profile["IsEncrypted"]), (2, True))

    def test_the_importers_content_is_the_contracts(self) -> None:
        example = (HERE.parent / "contract" / "examples" / "importer-signature.content.txt").read_bytes()
        lines = example.decode().splitlines()
        made = imports.signed_content("Alice@corp.example", lines[2], lines[3], lines[4], ["alice@corp.example", "a.smith@corp.example"],
                                      [lines[6].split(",")[1], lines[6].split(",")[0]], 7, lines[8])
        self.assertEqual(made, example)

    def test_records_and_forms(self) -> None:
        identity = self.identities[0]
        for form in ("aes256", "3des", "rc2-40", "no-mac", "expensive"):
            record = imports.make_records(self.pki, "u-1", self.alice, [identity], form=form, password="pässwörd")[0]
            blob = base64.b64decode(record["encryptedPfxBlob"])
            self.assertEqual(form == "expensive", der.encode_integer(pfx.FIFTY_MILLION) in blob)
            signed = base64.b64decode(record["importerSignature"])
            content = der.read(signed).children()[1].children()[0].children()[2].children()[1].children()[0].content
            self.assertEqual(content.decode().splitlines()[4], hashlib.sha256(blob).hexdigest())
        two = pfx.export(identity, "secret", "two-identities", others=self.identities[1:])
        with openssl.secrets(pfx=two, password="secret") as files:
            text, _ = openssl.run("pkcs12", "-in", files["pfx"], "-passin", f"file:{files['password']}", "-noenc")
        self.assertEqual(text.count(b"BEGIN PRIVATE KEY"), 2)

    def test_every_flawed_device_certificate_can_be_made(self) -> None:
        for flaw in pki.BAD_DEVICES:
            with self.subTest(flaw):
                self.assertTrue(pki.bad_device(self.pki, flaw, "d-1", self.alice, "ecP256").certificate)


class Configuration(unittest.TestCase):
    """How the daemon is driven, as far as that can be seen without it."""

    def test_the_file_is_toml_and_can_be_overridden(self) -> None:
        lab_pki = pki.Pki(SHARED["pki"])
        made = Connector(Path(SHARED["directory"].name) / "connector", lab_pki, "https://127.0.0.1:1/api/v1", program="/bin/false", without=["importer"],
                         config={"recipients": {"binding": "register", "required_eku": None}, "limits": {"issue_per_hour": 3}})
        read = tomllib.loads(made.config_file.read_text())
        self.assertEqual((read["recipients"]["binding"], read["limits"]["issue_per_hour"]), ("register", 3))
        self.assertNotIn("required_eku", read["recipients"])
        self.assertNotIn("importer", read)
        self.assertEqual(len(Path(read["sealing"]["key"].removeprefix("file:")).read_bytes()), 32)
        self.assertEqual(read["authority"]["corp"]["template"]["smime-signing"]["validity_days"], 365)
        for path in (made.directory / "secrets").iterdir():
            self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        made.configure({"log": {"level": "trace"}})
        self.assertEqual(tomllib.loads(made.config_file.read_text())["log"]["level"], "trace")
        with self.assertRaisesRegex(ConnectorError, "ended with 1"):
            made.start(timeout=5)
        with self.assertRaisesRegex(ConnectorError, "not running"):
            made.kill()


if __name__ == "__main__":
    os.chdir(HERE)
    unittest.main()
