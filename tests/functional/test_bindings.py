#!/usr/bin/python3
"""What proves a device besides its certificate: the number of a user's devices, signed statements of binding, the previous key."""
import datetime as dt
import sqlite3
import sys
import unittest
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_holds as holds  # noqa: E402
from test_holds import Holding  # noqa: E402

import pki  # noqa: E402
import statements  # noqa: E402

setUpModule = holds.setUpModule


class MaxPerUser(Holding):
    config = {"recipients": {"max_per_user": 2}}

    def doctor(self) -> dict:
        checks = self.connector.command("doctor", "--json").stdout
        import json
        return next(row for row in json.loads(checks)["checks"] if row["name"] == "devices of a user")

    def test_the_third_device_waits_and_is_let_in_by_a_person(self) -> None:
        user, first = self.person()
        second, third = (self.lab.device(user, key_kind="ecP256") for _ in range(2))
        for device in (first, second):
            self.lab.open(device, self.issue(user, device))
        self.assertEqual(self.doctor()["verdict"], "ok")
        identifier = self.issue(user, third)
        self.wait_held(identifier, "too_many_devices")
        self.assertIn("has 2 devices, at most 2", self.show(identifier)["heldDetail"])
        self.assertEqual(self.connector.command_json("status")["heldBy"], {"too_many_devices": 1})
        said = self.doctor()
        self.assertEqual(said["verdict"], "warning")
        self.assertIn("1 request of a further device held", said["detail"])
        # The two that are known, and everybody else, are served meanwhile.
        self.lab.open(second, self.issue(user, second))
        other, phone = self.person()
        self.lab.open(phone, self.issue(other, phone))
        self.approve(identifier, third)
        self.assertEqual(len(self.lab.open(third, identifier).identities), 1)
        # Once let in, it is one of his.
        self.lab.open(third, self.issue(user, third))

    def test_a_fresh_user_id_for_each_device_does_not_hide_them(self) -> None:
        user, first = self.person()
        self.lab.open(first, self.issue(user, first))
        for number, held in ((2, False), (3, True)):
            device = self.lab.device(user, key_kind="ecP256")
            request = self.lab.issue_request(user, device, key_type="ecP256")
            request["user"]["id"] = f"another-id-{number}"
            identifier = self.lab.queue(request)[0]
            if held:
                self.wait_held(identifier, "too_many_devices")
                self.connector.command("requests", "abandon", identifier, check=True)
            else:
                self.lab.open(device, identifier)

    def test_side_by_side_no_more_are_let_in(self) -> None:
        user, _ = self.person()
        devices = [self.lab.device(user, key_kind="ecP256") for _ in range(4)]
        ids = self.lab.queue(*[self.lab.issue_request(user, device, key_type="ecP256") for device in devices])

        def decided() -> bool:
            return sum(self.lab.state(each)["state"] == "done" for each in ids) + len({row["id"] for row in self.held()} & set(ids)) == 4
        self.connector.wait_until(decided, 20, "all four to be decided")
        self.assertEqual(sum(self.lab.state(each)["state"] == "done" for each in ids), 2)
        self.abandon_held()


class Statement(Holding):
    """binding = "statement"."""

    @classmethod
    def setUpClass(cls) -> None:
        made = pki.Pki(holds.PKI)
        cls.signers = statements.write_signers(holds.PKI / "signers.pem", made.foreign_delivery, made.statement_signer)
        cls.config = {"recipients": {"binding": "statement", "statement_signers": cls.signers}}
        super().setUpClass()

    def stated(self, user, device, **changes):
        device.binding = statements.statement(self.lab.pki, device, **changes)
        return device

    def refused(self, user, device, says: str) -> None:
        identifier = self.issue(user, device)
        error = self.lab.error(identifier)
        self.assertEqual((error["code"], error["retryable"]), ("recipientUnbound", False))
        self.assertIn(says, error["message"])
        self.assertTrue(error["message"].startswith("/device/binding: "), error)

    @contextmanager
    def authority_waits(self):
        """Whoever orders meanwhile waits for the authority: its book is in another's hands."""
        place = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        lock = sqlite3.connect(place, timeout=30, isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
            yield
            lock.execute("ROLLBACK")
        finally:
            lock.close()

    def submitting(self, identifier: str) -> None:
        self.connector.wait_until(
            lambda: any(row["id"] == identifier for row in self.connector.command_json("requests", "list", "--stage", "submitting")["requests"]), 15,
            "the submission")

    def revoked(self, identifier: str) -> bool:
        row = next((row for row in self.connector.command_json("issued", "list")["issued"] if row["request"] == identifier), None)
        return row is not None and row["revokedAt"] is not None

    def test_what_a_pinned_signer_has_said_is_proof(self) -> None:
        user, device = self.person()
        self.stated(user, device)
        self.lab.open(device, self.issue(user, device))
        self.lab.import_history(user, (2020,))
        self.assertEqual(len(self.lab.open(device, self.lab.deliver(user, device)).identities), 1)
        self.assertEqual(self.connector.command_json("recipients", "list")["recipients"][-1]["source"], "statement")
        # A new key with a statement of its own passes, and is put down; the old statement says nothing of it.
        old = device.binding
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        device.binding = old
        self.refused(user, device, "another key")
        self.stated(user, device)
        identifier = self.issue(user, device)
        self.lab.open(device, identifier)
        self.assertIn("proved by a statement by CN=Lab Device Management", self.audited(identifier))
        self.lab.check_clean()

    def test_it_may_say_more_and_be_written_otherwise(self) -> None:
        user, device = self.person()
        self.stated(user, device, deviceId=device.id.upper(), userPrincipalName=user.upn.upper(), spkiSha256=device.key_sha256.upper(), ticket="INC-4711")
        self.lab.open(device, self.issue(user, device))

    def test_what_it_is_not(self) -> None:
        user, device = self.person()
        self.refused(user, device, "missing")
        good = statements.content(device)
        import json
        rows = [(statements.content(device, v=2), "/v"), (statements.content(device, v=None), "/v"), (statements.content(device, spkiSha256="00"), "/spkiSha256"),
                (statements.content(device, notAfter="soon"), "/notAfter"), (statements.content(device, deviceId=None), "/deviceId"),
                (statements.content(device, userPrincipalName=7), "/userPrincipalName")]
        texts = [(json.dumps(said).encode(), where) for said, where in rows]
        whole = json.dumps(good)
        texts += [((whole[:-1] + ',"deviceId":"d-other"}').encode(), ""), (b"[]", "not a JSON object"), (b"", ""), (b"\xff\xfe", "")]
        for octets, says in texts:
            with self.subTest(octets):
                device.binding = statements.signed(octets, self.lab.pki.statement_signer)
                self.refused(user, device, says)
        for options, says in ((("-nodetach", "-nocerts"), ""), (("-outform", "DER"), "no content")):
            with self.subTest(options):
                device.binding = statements.signed(whole.encode(), self.lab.pki.statement_signer, *options)
                if says:
                    self.refused(user, device, says)
                else:  # the signer's certificate is here already
                    self.lab.open(device, self.issue(user, device))

    def test_over_at_the_moment_of_wrapping(self) -> None:
        user, device = self.person()
        end = pki.now() + dt.timedelta(seconds=3)
        self.stated(user, device, **statements.times(pki.now() - dt.timedelta(hours=1), end))
        with self.authority_waits():
            identifier = self.issue(user, device)
            self.submitting(identifier)
            self.connector.wait_until(lambda: pki.now() > end, 10, "the statement's end")
        error = self.lab.error(identifier)
        self.assertEqual(error["code"], "recipientUnbound")
        self.assertIn("(at wrapping)", error["message"])
        self.connector.wait_until(lambda: self.revoked(identifier), 20, "the orphan's revocation")

    def test_z_a_signer_taken_out_meanwhile(self) -> None:
        user, device = self.person()
        self.stated(user, device)
        with self.authority_waits():
            identifier = self.issue(user, device)
            self.submitting(identifier)
            self.connector.kill()
            statements.write_signers(self.signers, self.lab.pki.foreign_importer)
        try:
            self.connector.start()
            error = self.lab.error(identifier)
            self.assertEqual(error["code"], "recipientUnbound")
            self.assertIn("not signed by a trusted certificate (at wrapping)", error["message"])
            self.connector.wait_until(lambda: self.revoked(identifier), 20, "the orphan's revocation")
        finally:
            self.connector.kill()
            statements.write_signers(self.signers, self.lab.pki.statement_signer)
            self.connector.start()


class KeyChange(Holding):
    """binding = "register": a known device changes its key by itself where its previous one says so."""
    config = {"recipients": {"binding": "register"}}

    def known(self):
        until = holds.soon()
        self.connector.command("recipients", "window", "--until", until, "--max", "1", check=True)
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        return user, device

    def changed(self, user, device) -> str:
        return device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)

    def order(self, user, device, proof: str) -> str:
        request = self.lab.issue_request(user, device, key_type="ecP256")
        request["device"]["keyChangeProof"] = proof
        return self.lab.queue(request)[0]

    def test_the_previous_key_lets_the_new_one_in(self) -> None:
        user, device = self.known()
        old = device.key_sha256
        identifier = self.order(user, device, self.changed(user, device))
        self.assertEqual(len(self.lab.open(device, identifier).identities), 1)
        said = self.audited(identifier)
        self.assertIn("proved by its previous key (keyChangeProof)", said)
        self.assertIn(old, said)
        pin = next(row for row in self.connector.command_json("recipients", "list")["recipients"] if row["device"] == device.id)
        self.assertEqual((pin["key"], pin["source"]), (device.key_sha256, "register:key-change-proof"))
        # From now on it is the device's key, which needs no proof; and the one before it proves nothing any more.
        self.lab.open(device, self.issue(user, device))
        stale = self.changed(user, device)
        self.lab.open(device, self.order(user, device, stale))
        self.lab.check_clean()

    def test_what_does_not_prove_it_is_said_to_whoever_decides(self) -> None:
        user, device = self.known()
        other_user, other = self.known()
        foreign = self.changed(other_user, other)                      # good, and of another device
        earlier = self.changed(user, device)                           # by the pinned key, over a certificate that is not sent
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        by_itself = statements.signed(pki.cert_der(device.certificate), pki.Identity(device.key, device.certificate), "-binary")
        for proof, says in ((foreign, "not signed by the expected key"), (earlier, "not signed by the expected key"),
                            (by_itself, "not signed by the expected key"), ("AAAA", "not DER")):
            with self.subTest(says):
                identifier = self.order(user, device, proof)
                self.wait_held(identifier, "key_change")
                self.assertIn("its keyChangeProof does not count: signed statement: " + says, self.show(identifier)["heldDetail"])
                self.connector.command("requests", "abandon", identifier, check=True)
        identifier = self.issue(user, device)
        self.wait_held(identifier, "key_change")
        self.assertNotIn("keyChangeProof", self.show(identifier)["heldDetail"])
        self.approve(identifier, device)
        self.lab.open(device, identifier)

    def test_a_blocked_key_vouches_for_nothing(self) -> None:
        user, device = self.known()
        self.connector.command("recipients", "block", "--key", device.key_sha256, check=True)
        identifier = self.order(user, device, self.changed(user, device))
        self.wait_held(identifier, "key_change")
        self.assertIn("the previous key is blocked here", self.show(identifier)["heldDetail"])
        self.connector.command("requests", "abandon", identifier, check=True)

    def test_it_says_nothing_of_another_user(self) -> None:
        user, device = self.known()
        other, _ = self.person()
        proof = self.changed(user, device)
        taken = self.lab.device(other, device.id, key_kind="ecP256")
        identifier = self.order(other, taken, proof)
        self.wait_held(identifier, "user_change")
        self.connector.command("requests", "abandon", identifier, check=True)


if __name__ == "__main__":
    unittest.main()
