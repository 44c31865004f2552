#!/usr/bin/python3
"""Somebody's keys for somebody else's device: AT-01, 05 to 12, 40, 41, 68."""
import base64
import dataclasses
import datetime as dt
import sqlite3
import unittest
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from harness import Attack, Attacked, Json, at, changed, made, pki
import der

CERTIFICATE = "/device/recipientCertificate"
NOT_HERS = "/user/userPrincipalName: the device certificate names mallory@corp.example, not carla@corp.example"
ISSUER, ONE_NAME = f"{CERTIFICATE}: no certificate of [recipients] ca_file is its direct issuer", f"{CERTIFICATE}: it does not name its device by exactly one …"
MAIL = f"{CERTIFICATE}: it is a mail certificate (emailProtection)"


def mallorys(room: Any) -> Json:
    return {"device": room.mallorys_phone.json()}


def carla_claimed(room: Any) -> Json:
    return {"user": room.carla.json()}


def flaw(name: str) -> Any:
    """A certificate of the device CA's, or one like it, over a key that the attacker has."""
    return lambda room: {"device": room.attacker(room.carla, room.carlas_phone.id, flaw=name).json()}


def named(**how: Any) -> Any:
    def change(room: Any) -> Json:
        filled = {key: [each.replace("ID", room.carlas_phone.id) for each in value] for key, value in how.items()}
        return {"device": room.attacker(room.carla, room.carlas_phone.id, **filled).json()}
    return change


def over(make: Any) -> Any:
    return lambda room: {CERTIFICATE[1:]: room.certified(make())}


def spelled(spki: Any) -> Any:
    """Keys that no library makes any more: the certificate of a good one, with this key put in and signed anew by the device CA."""
    def change(room: Any) -> Json:
        good = pki.issue_device(room.lab.pki, room.carlas_phone.id, room.carla.upn, pki.make_key("rsa2048").public_key(), given_name="Carla", surname="Chief")
        return {CERTIFICATE[1:]: base64.b64encode(resigned(room.lab.pki.device_ca, pki.cert_der(good), spki())).decode()}
    return change


def resigned(authority: pki.Authority, certificate: bytes, spki: bytes) -> bytes:
    body, algorithm, _ = der.read(certificate).children()
    parts = [each.raw for each in body.children()]
    parts[6] = spki  # version, serial number, algorithm, issuer, validity, subject, the key
    whole = der.encode(der.SEQUENCE, b"".join(parts))
    signature = authority.key.sign(whole, ec.ECDSA(hashes.SHA256()))
    return der.encode(der.SEQUENCE, whole + algorithm.raw + der.encode(0x03, b"\0" + signature))


def rsa_spki(bits: int, exponent: int) -> bytes:
    modulus = (1 << (bits - 1)) + 0x10001 if bits != 2048 else pki.make_key("rsa2048").public_key().public_numbers().n
    key = der.encode(der.SEQUENCE, der.encode_integer(modulus) + der.encode_integer(exponent))
    algorithm = der.encode(der.SEQUENCE, bytes.fromhex("06092a864886f70d010101") + der.encode(der.NULL, b""))
    return der.encode(der.SEQUENCE, algorithm + der.encode(0x03, b"\0" + key))


def explicit_curve() -> bytes:
    """P-256 by its numbers instead of its name (RFC 3279 2.3.5), where the generator could be anybody's."""
    p, a = 2**256 - 2**224 + 2**192 + 2**96 - 1, 2**256 - 2**224 + 2**192 + 2**96 - 4
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    generator = bytes.fromhex("046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    field = der.encode(der.SEQUENCE, bytes.fromhex("06072a8648ce3d0101") + der.encode_integer(p))
    curve = der.encode(der.SEQUENCE, der.encode(der.OCTET_STRING, a.to_bytes(32, "big")) + der.encode(der.OCTET_STRING, b.to_bytes(32, "big")))
    parameters = der.encode(der.SEQUENCE, der.encode_integer(1) + field + curve + der.encode(der.OCTET_STRING, generator) + der.encode_integer(order))
    point = pki.make_key("ecP256").public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    return der.encode(der.SEQUENCE, der.encode(der.SEQUENCE, bytes.fromhex("06072a8648ce3d0201") + parameters) + der.encode(0x03, b"\0" + point))


def padded(room: Any) -> Json:
    return {CERTIFICATE[1:]: base64.b64encode(pki.cert_der(room.carlas_phone.certificate) + b"\0").decode()}


def long(room: Any) -> Json:
    return {CERTIFICATE[1:]: room.certified(pki.make_key("ecP256").public_key(), emails=[f"{number:040d}@corp.example" for number in range(150)])}


def one_of_ours(room: Any) -> None:
    """Mallory gets a certificate in his own right: whose key he has is no secret to him."""
    room.own = room.lab.open(room.mallorys_phone, room.lab.issue(room.mallory, room.mallorys_phone, key_type="ecP256")).identities[0]


def key_of_ours(room: Any) -> Json:
    return {CERTIFICATE[1:]: room.certified(room.own.certificate.public_key())}


class Certificates(Attacked):
    """binding = "certificate". The device CA file holds the issuing CA too, which a corporate root for everything amounts to: only the rules stand
    between a mail certificate and a key."""
    attacks = [
        Attack("01", "the victim's history to the attacker's own, honestly enrolled phone", "recipientUnbound", "KEY-4002", NOT_HERS,
               evil=("wrong-recipient", mallorys)),
        Attack("01", "a certificate in the victim's name to the attacker's phone", "recipientUnbound", "KEY-4002", NOT_HERS, order="issue",
               evil=("wrong-recipient", mallorys)),
        Attack("01", "the attacker's order with the victim's name over it", "recipientUnbound", "KEY-4002",
               "/user/userPrincipalName: the device certificate names mallory@corp.example, not carla@corp.example",
               change=lambda room: {"user": room.mallory.json(), "device": room.mallorys_phone.json()}, evil=("wrong-user", carla_claimed)),
        Attack("01", "the victim's device by name, the attacker's by key", "recipientUntrusted", "KEY-4002",
               f'{CERTIFICATE}: it names the device "d-mallory-…", not /device/id', evil=("wrong-recipient-certificate", mallorys)),
        Attack("07", "an S/MIME certificate of the connector's own making", "recipientUntrusted", "KEY-4002", MAIL, evil=("own-certificate", lambda room: {}),
               before=one_of_ours),
        Attack("07", "a good device certificate over a key of the connector's own making", "recipientUntrusted", "KEY-4002",
               f"{CERTIFICATE}: its key was made or certified by this connector", change=key_of_ours, before=one_of_ours),
        Attack("08", "two common names", "recipientUntrusted", "KEY-4002", ONE_NAME, change=flaw("two-cns")),
        Attack("08", "two device URIs", "recipientUntrusted", "KEY-4002", ONE_NAME, change=flaw("two-uris")),
        Attack("08", "a device id that only begins like it", "recipientUntrusted", "KEY-4002", f'{CERTIFICATE}: it names the device "…x", not /device/id',
               change=flaw("uri-prefix")),
        Attack("08", "a URI that only ends like it", "recipientUntrusted", "KEY-4002", ONE_NAME, change=flaw("uri-suffix")),
        Attack("08", "a NUL behind it", "recipientUntrusted", "KEY-4002", change=named(uris=["urn:device:ID\0.evil"])),
        Attack("08", "a trailing dot", "recipientUntrusted", "KEY-4002", f'{CERTIFICATE}: it names the device "….", not /device/id',
               change=named(uris=["urn:device:ID."])),
        Attack("08", "the id in the common name alone", "recipientUntrusted", "KEY-4002", change=named(uris=["urn:device:d-other"], cns=["ID"])),
        Attack("09", "a sub-CA of the device CA", "recipientUntrusted", "KEY-4002", ISSUER, change=flaw("sub-ca")),
        Attack("09", "a foreign device CA", "recipientUntrusted", "KEY-4002", ISSUER, change=flaw("foreign-ca")),
        Attack("10", "RSA-1024", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: RSA with 1024 bits; 2048 to 4096 are taken", change=flaw("rsa1024")),
        Attack("10", "signed with SHA-1", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: it is signed with …, which can be forged; …", change=flaw("sha1")),
        Attack("10", "RSA-16384", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: RSA with 16384 bits; …", change=spelled(lambda: rsa_spki(16384, 65537))),
        Attack("10", "e = 1", "recipientUntrusted", "KEY-4002", change=spelled(lambda: rsa_spki(2048, 1))),
        Attack("10", "e = 3", "recipientUntrusted", "KEY-4002", change=spelled(lambda: rsa_spki(2048, 3))),
        Attack("10", "an even e", "recipientUntrusted", "KEY-4002", change=spelled(lambda: rsa_spki(2048, 65538))),
        Attack("10", "a curve by its numbers", "recipientUntrusted", "KEY-4002", change=spelled(explicit_curve)),
        Attack("10", "secp256k1", "recipientUntrusted", "KEY-4002", change=over(lambda: ec.generate_private_key(ec.SECP256K1()).public_key())),
        Attack("10", "Ed25519", "unsupported", "IMP-2052", change=lambda room: {CERTIFICATE[1:]: room.certified(
            ed25519.Ed25519PrivateKey.generate().public_key(), usage=pki.key_usage("digital_signature"))}),
        Attack("10", "octets behind the certificate", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: certificate: not DER, or octets after it",
               change=padded),
        Attack("10", "a certificate of nine kilobytes", "invalidRequest", "MGT-6007", f"{CERTIFICATE}: longer than 8192 octets", change=long),
        Attack("11", "emailProtection", "recipientUntrusted", "KEY-4002", MAIL, change=flaw("smime")),
        Attack("11", "emailProtection beside clientAuth", "recipientUntrusted", "KEY-4002", MAIL, change=flaw("client-and-smime")),
        Attack("11", "any extended key usage", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: it is for any purpose (anyExtendedKeyUsage)",
               change=flaw("any-eku")),
        Attack("11", "a CA's certificate", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: it is a certification authority", change=flaw("is-ca")),
        Attack("11", "without the required extended key usage", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: it has none of [recipients] required_eku",
               change=flaw("no-eku")),
        Attack("12", "an expired device certificate", "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: it expired at …", change=flaw("expired")),
    ]

    @classmethod
    def prepare(cls) -> None:
        issuing = b"".join(each.read_bytes() for each in sorted((cls.connector.directory / "local-ca").glob("*.crt")))
        both = pki.write(cls.connector.directory / "device-cas.pem", cls.lab.pki.path("device-ca.crt").read_bytes() + issuing)
        cls.connector.configure({"recipients": {"ca_file": both}})

    @at("08", "another case of the device's name is the same device")
    def test_at_08_another_case_is_the_same_device(self) -> None:
        same = self.lab.device(self.carla, self.carlas_phone.id, key_kind="ecP256", uris=[f"URN:Device:{self.carlas_phone.id.upper()}"])
        mark = self.mark()
        orders = self.lab.queue(made(self.lab.issue_request(self.carla, same, key_type="ecP256")), self.honest())
        mark.beside.append(orders[1])
        self.assertEqual(len(self.lab.open(same, orders[0]).identities), 1)
        self.check_neighbour(mark)

    @at("12", "valid at intake, expired while the authority thought about it")
    def test_at_12_expired_while_the_authority_thought_about_it(self) -> None:
        """The CA's own book is locked meanwhile; what it has issued by then is an orphan and revoked."""
        end = pki.now() + dt.timedelta(seconds=8)
        phone = self.attacker(self.carla, not_after=end)
        mark = self.mark()
        place = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        lock = sqlite3.connect(place, timeout=30, isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
            order, beside = self.lab.queue(made(self.lab.issue_request(self.carla, phone, key_type="ecP256")), self.honest())
            self.connector.wait_until(lambda: self.stage(order) == "submitting", 60, "the submission")
            self.wait_past(end)
            lock.execute("ROLLBACK")
        finally:
            lock.close()
        error = self.check_refused(order, "recipientUntrusted", "KEY-4002", f"{CERTIFICATE}: it expired at …")
        self.assertFalse(error["retryable"])
        self.lab.delivered(beside)  # it waited for the same book, so its time is not asked
        new = self.certificates().keys() - mark.certificates.keys() - self._serials([beside])
        if new:
            self.connector.wait_until(lambda: all(self.certificates()[each] for each in new), 60, "the orphan's revocation")
            self.check_told(order, "REV-3060")
        mark.beside.append(beside)
        self.check_nothing_left(mark, order, issued=len(new), revoked=len(new))

    def stage(self, order: str) -> str:
        found = self.connector.command("requests", "show", order, "--json")
        return found.stdout.partition('"stage":"')[2].partition('"')[0] if found.returncode == 0 else ""


def second_user(room: Any) -> Json:
    """The device CA certifies the attacker for the victim's device: who believes CAs alone gives way here."""
    return {"user": room.mallory.json(), "device": room.attacker(room.mallory, room.carlas_phone.id).json()}


def other_key(room: Any) -> Json:
    return {"device": room.attacker(room.carla, room.carlas_phone.id).json()}


def withdrawn(room: Any) -> None:
    """The service makes the connector forget, as it hopes."""
    done = room.lab.result(room.lab.withdraw(room.carla, room.carlas_phone, reason="companyDataRemoved"))
    room.assertEqual(done["status"], "completed")


class Register(Attacked):
    """binding = "register": people have let in who is known; whoever is new waits for one."""
    config = {"recipients": {"binding": "register"}}
    attacks = [
        Attack("05", "a known device, a second user", "held user_change", "KEY-4003", "…carla@corp.example…", change=second_user),
        Attack("05", "a known device, a second user, for a certificate", "held user_change", "KEY-4003", order="issue", change=second_user),
        Attack("06", "a first use outside of any window", "held new_recipient", "KEY-4003", change=lambda room: {"device": room.attacker(room.carla).json()}),
        Attack("40", "withdrawn, then the same device with another key", "held key_change", "KEY-4003", change=other_key, before=withdrawn),
        Attack("40", "a new device id over the victim's name", "held new_recipient", "KEY-4003",
               change=lambda room: {"device": room.attacker(room.carla, "d-carla-new").json()}, before=withdrawn),
    ]

    @classmethod
    def arrange(cls) -> None:
        cls.window(3)
        for user, phone in ((cls.carla, cls.carlas_phone), (cls.mallory, cls.mallorys_phone), (cls.nora, cls.noras_phone)):
            cls.lab.open(phone, cls.lab.issue(user, phone, key_type="ecP256"))

    @at("06", "a window of one lets one in, and no more after its end")
    def test_at_06_a_window_lets_in_so_many(self) -> None:
        self.window(1)
        first = self.attacker()
        inside = self.lab.queue(made(self.lab.issue_request(self.mallory, first, key_type="ecP256")))[0]
        self.assertEqual(len(self.lab.open(first, inside).identities), 1)
        mark = self.mark()
        outside, beside = self.lab.queue(changed(self.order("deliver"), {"device": self.attacker(self.carla).json()}), self.honest())
        mark.beside.append(beside)
        self.check_held(outside, "new_recipient")
        self.check_neighbour(mark)
        self.check_nothing_left(mark, outside)
        self.give_up(outside)

    @at("68", "a blocked device, when a new import arrives")
    def test_at_68_a_blocked_device_gets_nothing_of_what_comes_later(self) -> None:
        lost = self.attacker(self.carla)
        self.window(1)
        self.lab.open(lost, self.lab.deliver(self.carla, lost))
        self.connector.command("recipients", "block", "--device", lost.id, check=True)
        self.lab.store(self.lab.records(self.carla, pki.history(self.lab.pki, self.carla.upn, (2024,), shared_keys=True), sequence=2))
        mark = self.mark()
        order, beside = self.lab.queue(made(self.lab.deliver_request(self.carla, lost)), self.honest())
        mark.beside.append(beside)
        self.check_refused(order, "recipientUntrusted", "KEY-4002", "…blocked…")
        self.check_neighbour(mark)
        self.check_nothing_left(mark, order)


class WindowOpen(Attacked):
    """A window is open: who is new is let in. Who is known is not new in other letters, nor by a second name for the same key."""
    config = {"recipients": {"binding": "register"}}
    attacks = [
        Attack("05", "the attacker's own known phone in other letters, for the victim", "held user_change", "KEY-4003", "…mallory@corp.example…",
               change=lambda room: {"device": {**room.mallorys_phone.json(), "id": room.mallorys_phone.id.upper()}}),
        Attack("40", "the victim's phone in other letters, with another key", "held key_change", "KEY-4003",
               change=lambda room: {"device": room.attacker(room.carla, room.carlas_phone.id.upper()).json()}),
        Attack("05", "a known key under another device's name", "held key_change", "KEY-4003", "…mallory@corp.example…",
               change=lambda room: room.renamed()),
    ]

    @classmethod
    def arrange(cls) -> None:
        cls.window(50)
        for user, phone in ((cls.carla, cls.carlas_phone), (cls.mallory, cls.mallorys_phone), (cls.nora, cls.noras_phone)):
            cls.lab.open(phone, cls.lab.issue(user, phone, key_type="ecP256"))

    def renamed(self) -> Json:
        """The device CA certifies the same key once more."""
        certificate = pki.issue_device(self.lab.pki, "d-nobody-knows", self.mallory.upn, self.mallorys_phone.key.public_key(), given_name="Mallory", surname="M")
        return {"device": {**self.mallorys_phone.json(), "id": "d-nobody-knows", "recipientCertificate": base64.b64encode(pki.cert_der(certificate)).decode()}}


class Approved(Attacked):
    """A phone that a person has approved once. Its certificate names nobody, and the service's word about people is taken."""
    config = {"recipients": {"binding": "register"}, "policy": {"identity": "service"}}
    attacks = [
        Attack("05", "the approved user's id beside the victim's name", "held user_change", "KEY-4003", "…carla@corp.example…",
               change=lambda room: room.borrowed_name()),
        Attack("13", "the approved user's id beside the victim's name, for a certificate", "held user_change", "KEY-4003", order="issue",
               change=lambda room: room.borrowed_name()),
    ]

    @classmethod
    def arrange(cls) -> None:
        cls.window(1)
        cls.lab.open(cls.noras_phone, cls.lab.issue(cls.nora, cls.noras_phone, key_type="ecP256"))
        cls.phone = cls.attacker(flaw="no-user")
        order = cls.lab.issue(cls.mallory, cls.phone, key_type="ecP256")
        cls.connector.wait_until(lambda: cls.connector.command_json("requests", "show", order)["stage"] == "held", 30, "the first use to be held")
        cls.connector.command("requests", "approve", order, "--key", cls.phone.key_sha256[:8], check=True)
        cls.lab.open(cls.phone, order)
        cls.both = dataclasses.replace(cls.carla, id=cls.mallory.id)
        cls.lab.import_history(cls.both, (2019, 2025))

    def borrowed_name(self) -> Json:
        return {"user": self.both.json(), "device": self.phone.json()}


class Changed(Attacked):
    """The same id with another recipient, at every stage at which an order can be met."""

    @at("41", "the same id, another recipient, while it waits for the authority")
    def test_at_41_changed_while_at_the_authority(self) -> None:
        place = Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db"
        lock = sqlite3.connect(place, timeout=30, isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
            order = self.lab.issue(self.carla, self.carlas_phone, key_type="ecP256")
            self.connector.wait_until(lambda: self.connector.command_json("requests", "list", "--stage", "submitting")["requests"], 60, "the submission")
            self.swap(order)
            lock.execute("ROLLBACK")
        finally:
            lock.close()
        self.ended(order)

    @at("41", "the same id, another recipient, when the package is made")
    def test_at_41_changed_when_packaged(self) -> None:
        for kind in ("issue", "deliver"):
            with self.subTest(kind):
                self.lab.fault("503", count=-1, call="results", retryAfter=1)
                order = self.lab.queue(self.order(kind))[0]
                self.connector.wait_until(lambda: self.connector.command_json("requests", "list", "--stage", "packaged")["requests"], 60, "the package")
                self.swap(order)
                self.lab.good()
                self.ended(order)

    def swap(self, order: str) -> None:
        """Leased again with the attacker's phone in it."""
        before = self.lab.state(order)["attempt"]
        self.lab.change(order, {"device": self.mallorys_phone.json(), "user": self.mallory.json()})
        self.assertEqual(self.lab.expire_leases(order), 1)
        self.connector.wait_until(lambda: self.lab.state(order)["attempt"] > before, 60, "the second lease")
        self.connector.wait_until(lambda: any("MGT-6008" in line and order in line for line in self.connector.audit()), 60, "the audit line")

    def ended(self, order: str) -> None:
        """What went out for the open order was for the victim, who is owed it; the other order's refusal is told at once or when it is leased anew."""
        mark = self.mark()
        mark.beside += self.lab.queue(self.honest())
        self.lab.wait(order)
        self.check_neighbour(mark)
        reports = [each["result"] for each in self.lab.state(order)["reports"]]
        for each in reports:
            if each["status"] == "failed":
                self.assertIn("orderChanged", each["error"]["message"])
            if each["status"] == "delivered":
                with self.assertRaises(Exception):
                    self.mallorys_phone.open(each)
        self.assertEqual(self.mallorys_phone.identities(), [])


if __name__ == "__main__":
    unittest.main()
