#!/usr/bin/python3
"""Forged, borrowed and stale proofs of whose a device is: AT-03, 67, and the key of a known device (40)."""
import base64
import datetime as dt
import unittest
from typing import Any

from harness import PKI, Attack, Attacked, Json, at, made, pki
import revocation
import statements

BINDING = "/device/binding: "
UNSIGNED = f"{BINDING}signed statement: not signed by a trusted certificate"


def stated(**changes: Any) -> Any:
    """The attacker's key under the victim's device, certified as such; the statement beside it is what the attack is about."""
    def change(room: Any) -> Json:
        device = room.attacker(room.carla, room.carlas_phone.id)
        signer = changes.get("signer")
        said = {name: value(room) if callable(value) else value for name, value in changes.items() if name != "signer"}
        device.binding = statements.statement(room.lab.pki, device, signer(room) if signer else None, **said)
        return {"device": device.json()}
    return change


def borrowed(room: Any) -> Json:
    """What the desk once signed for the attacker's own phone, beside the victim's name."""
    return {"device": room.mallorys_phone.json()}


def replayed(room: Any) -> Json:
    """What the desk signed for the victim's phone, under a key of the attacker's."""
    device = room.attacker(room.carla, room.carlas_phone.id)
    return {"device": device.json(binding=room.carlas_phone.binding)}


def altered(room: Any) -> Json:
    """The attacker's own statement with the victim's name written over his, which is as long."""
    octets = base64.b64decode(room.mallorys_phone.binding)
    found = octets.replace(b"mallory@corp.example", b"carla@corp.example\"\"")
    assert found != octets
    return {"device": room.mallorys_phone.json(binding=base64.b64encode(found).decode())}


def own_signer(room: Any) -> pki.Identity:
    """A certificate of the attacker's making in the pinned signer's name."""
    return room.lab.pki._self_signed("Lab Device Management")


YESTERDAY = {"notBefore": "2026-01-01T00:00:00Z", "notAfter": "2026-01-02T00:00:00Z"}


class Statements(Attacked):
    """binding = "statement": the desk's word, and nobody else's."""

    @classmethod
    def setUpClass(cls) -> None:
        if cls is not Attacked:
            lab_pki = pki.Pki(PKI.name)
            signers = statements.write_signers(lab_pki.path("statement-signers.pem"), lab_pki.statement_signer)
            cls.config = {"recipients": {"binding": "statement", "statement_signers": signers}}
        super().setUpClass()

    @classmethod
    def arrange(cls) -> None:
        for phone in (cls.carlas_phone, cls.mallorys_phone, cls.noras_phone):
            phone.binding = statements.statement(cls.lab.pki, phone)

    attacks = [
        Attack("03", "no statement at all", "recipientUnbound", "KEY-4002", f"{BINDING}missing; …",
               change=lambda room: {"device": room.attacker(room.carla, room.carlas_phone.id).json()}),
        Attack("03", "a statement by a signer that nobody pinned", "recipientUnbound", "KEY-4002", UNSIGNED,
               change=stated(signer=lambda room: room.lab.pki.foreign_importer)),
        Attack("03", "the same for a certificate", "recipientUnbound", "KEY-4002", UNSIGNED, order="issue",
               change=stated(signer=lambda room: room.lab.pki.foreign_importer)),
        Attack("03", "a signer of the attacker's own under the pinned one's name", "recipientUnbound", "KEY-4002", UNSIGNED, change=stated(signer=own_signer)),
        Attack("03", "another user's statement", "recipientUnbound", "KEY-4002",
               f"{BINDING}the statement is of the user mallory@corp.example, not of carla@corp.example", change=borrowed),
        Attack("03", "the victim's statement over another key", "recipientUnbound", "KEY-4002", f"{BINDING}the statement is of another key …", change=replayed),
        Attack("03", "a statement of another device", "recipientUnbound", "KEY-4002", f'{BINDING}the statement is of the device "d-other", not of /device/id',
               change=stated(deviceId="d-other")),
        Attack("03", "an expired statement", "recipientUnbound", "KEY-4002", f"{BINDING}the statement held until 2026-01-02T00:00:00Z",
               change=stated(**YESTERDAY)),
        Attack("03", "a forged one: the name written over under the signature", "recipientUnbound", "KEY-4002", f"{BINDING}signed statement: …", change=altered),
    ]

    @at("03", "a good statement that is over when the keys are to be wrapped")
    def test_at_03_over_at_the_moment_of_wrapping(self) -> None:
        device = self.attacker(self.carla, self.carlas_phone.id)
        end = pki.now() + dt.timedelta(seconds=4)
        device.binding = statements.statement(self.lab.pki, device, **statements.times(pki.now() - dt.timedelta(hours=1), end))
        mark = self.mark()
        # The store is slow: the keys come when the statement is over.
        self.lab.fault("503", count=-1, call="imports", retryAfter=1)
        order = self.lab.queue(made(self.lab.deliver_request(self.carla, device)))[0]
        self.wait_past(end)
        self.lab.good()
        mark.beside += self.lab.queue(self.honest())
        self.check_refused(order, "recipientUnbound", "KEY-4002", f"{BINDING}the statement held until …")
        self.check_neighbour(mark)
        self.check_nothing_left(mark, order)


class KnownKeys(Attacked):
    """binding = "register": the service has a genuine certificate of the device CA for the victim's device over a key of its own."""
    config = {"recipients": {"binding": "register"}}

    @classmethod
    def arrange(cls) -> None:
        until = (dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
        cls.connector.command("recipients", "window", "--until", until, "--max", "3", check=True)
        for user, phone in ((cls.carla, cls.carlas_phone), (cls.mallory, cls.mallorys_phone), (cls.nora, cls.noras_phone)):
            cls.lab.open(phone, cls.lab.issue(user, phone, key_type="ecP256"))

    def proof(self, device: Any, by: Any) -> str:
        return statements.signed(pki.cert_der(device.certificate), pki.Identity(by.key, by.certificate), "-binary")

    def taken(self) -> Any:
        return self.attacker(self.carla, self.carlas_phone.id)

    attacks = [
        Attack("40", "another key for a known device, without a proof", "held key_change", "KEY-4003", "key of a known device changed from …",
               change=lambda room: {"device": room.taken().json()}),
        Attack("40", "with a proof by the new key itself", "held key_change", "KEY-4003", "…its keyChangeProof does not count: …",
               change=lambda room: (lambda device: {"device": device.json(keyChangeProof=room.proof(device, device))})(room.taken())),
        Attack("40", "with a proof by the attacker's own known phone", "held key_change", "KEY-4003", "…its keyChangeProof does not count: …",
               change=lambda room: (lambda device: {"device": device.json(keyChangeProof=room.proof(device, room.mallorys_phone))})(room.taken())),
        Attack("40", "with the victim's proof for another certificate", "held key_change", "KEY-4003", "…its keyChangeProof does not count: …",
               change=lambda room: {"device": room.taken().json(keyChangeProof=room.proof(room.carlas_phone, room.carlas_phone))}),
    ]


class RevokedKey(KnownKeys):
    """The device CA publishes a list as well: a key counts by its certificate."""
    attacks: list[Attack] = []

    @classmethod
    def setUpClass(cls) -> None:
        cls.list = pki.write(pki.Pki(PKI.name).path("known-device-ca.crl"), revocation.crl(pki.Pki(PKI.name).device_ca))
        cls.config = {"recipients": {"binding": "register", "crl_files": [cls.list]}}
        super().setUpClass()

    @at("40", "with a proof by the victim's stolen phone, whose certificate was revoked")
    def test_at_40_a_revoked_certificate_vouches_for_nothing(self) -> None:
        pki.write(self.list, revocation.crl(self.lab.pki.device_ca, [self.carlas_phone.certificate]))
        self.connector.wait_until(lambda: self.lab.result(self.lab.issue(self.carla, self.carlas_phone, key_type="ecP256"))["status"] == "failed", 30, "the new list")
        taken = self.taken()
        mark = self.mark()
        order, beside = self.lab.queue(made(self.lab.deliver_request(self.carla, taken)) | {"device": taken.json(keyChangeProof=self.proof(taken, self.carlas_phone))},
                                       self.honest())
        mark.beside.append(beside)
        self.check_held(order, "key_change", "KEY-4003", "…its keyChangeProof does not count: …revoked…")
        self.check_neighbour(mark)
        self.check_nothing_left(mark, order)
        self.give_up(order)


class Revoked(Attacked):
    """The device CA publishes a list."""

    @classmethod
    def setUpClass(cls) -> None:
        if cls is not Attacked:
            cls.list = pki.write(pki.Pki(PKI.name).path("attacked-device-ca.crl"), revocation.crl(pki.Pki(PKI.name).device_ca))
            cls.config = {"recipients": {"crl_files": [cls.list]}}
        super().setUpClass()

    def publish(self, *revoked: Any, **how: Any) -> None:
        pki.write(self.list, revocation.crl(self.lab.pki.device_ca, [each.certificate for each in revoked], **how))

    @at("67", "a stolen phone whose certificate was revoked after it had been served")
    def test_at_67_a_revoked_device(self) -> None:
        lost = self.attacker(self.carla)
        self.lab.open(lost, self.lab.deliver(self.carla, lost))
        self.publish(lost)
        self.lab.store(self.lab.records(self.carla, pki.history(self.lab.pki, self.carla.upn, (2024,), shared_keys=True), sequence=2))
        self.connector.wait_until(lambda: self.lab.result(self.lab.issue(self.carla, lost, key_type="ecP256"))["status"] == "failed", 20, "the new list")
        for kind in ("deliver", "issue"):
            with self.subTest(kind):
                mark = self.mark()
                ask = self.lab.deliver_request if kind == "deliver" else self.lab.issue_request
                order, beside = self.lab.queue(made(ask(self.carla, lost)), self.honest())
                mark.beside.append(beside)
                self.check_refused(order, "recipientUntrusted", "KEY-4002", "/device/recipientCertificate: its authority has revoked it")
                self.check_neighbour(mark)
                self.check_nothing_left(mark, order)

    @at("67", "a list that is kept from being renewed")
    def test_at_67_z_a_stale_list(self) -> None:
        lost = self.attacker(self.carla)
        self.publish(start=pki.now() - dt.timedelta(seconds=30), end=pki.now() + dt.timedelta(seconds=2))
        self.connector.wait_until(lambda: '"detail":"crlStale"' in self.connector.health()[1], 20, "the list's end")
        mark = self.mark()
        order = self.lab.queue(made(self.lab.deliver_request(self.carla, lost)))[0]
        self.connector.wait_until(lambda: any("AUTH-7033" in line and order in line for line in self.connector.log().splitlines()), 20, "the wait")
        self.assertEqual(self.lab.state(order)["reports"], [], "the service has heard nothing")
        self.assertTrue(any("AUTH-7031" in line for line in self.connector.log().splitlines()))
        self.check_nothing_left(mark, order)
        # With the next list, a newer one, it is judged: this one is revoked, the neighbour is served.
        self.publish(lost, start=pki.now())
        self.check_refused(order, "recipientUntrusted", "KEY-4002", "…its authority has revoked it")
        mark.beside += self.lab.queue(self.honest())
        self.check_neighbour(mark)
        self.check_nothing_left(mark, order)


if __name__ == "__main__":
    unittest.main()
