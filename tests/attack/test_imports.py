#!/usr/bin/python3
"""The service's store as the attacker: swapped, forged, left-out and poisoned records: AT-02, 33 to 38, 45, 48, 60."""
import base64
import datetime as dt
import socket
import threading
import unittest
from typing import Any

from harness import Attack, Attacked, Json, at, made, pki
import pfx

PASSWORD = "correct horse battery"
ONE_TEXT = "the record's password or PFX does not open"


def own_records(room: Any, **how: Any) -> list[Json]:
    """What the service makes itself: the key and the certificate are its own, the import key's public half is everybody's."""
    key = pki.make_key("rsa2048")
    start = pki.now() - dt.timedelta(days=1)
    from cryptography import x509
    certificate = pki._sign(pki.common_name("Carla Chief"), key.public_key(), pki.common_name("Carla Chief"), key, [
        (x509.SubjectAlternativeName([x509.RFC822Name(room.carla.upn)]), False), (pki.key_usage("key_encipherment"), True),
        (x509.ExtendedKeyUsage([pki.Eku.EMAIL_PROTECTION]), False)], start, start + dt.timedelta(days=900))
    return room.lab.records(room.carla, [pki.Identity(key, certificate)], **how)


def of_mallory(room: Any) -> list[Json]:
    return room.lab.records(room.mallory, [pki.corporate_certificate(room.lab.pki, room.mallory.upn, 2020, key=room.lab.pki.shared_key("rsa2048", 1))])


def exchanged(**members: Any) -> Any:
    """The victim's own signed record with something in it exchanged afterwards."""
    def options(room: Any) -> Json:
        return {"records": [{**record, **{name: value(room) if callable(value) else value for name, value in members.items()}}
                            for record in room.lab.records(room.carla, [room.history[0]])]}
    return options


def another_file(room: Any) -> str:
    other = pki.corporate_certificate(room.lab.pki, room.carla.upn, 2022, key=room.lab.pki.shared_key("rsa2048", 2))
    return base64.b64encode(pfx.export(other, PASSWORD)).decode()


def records(number: str, what: str, code: str, options: Any, says: str = "…", evil: str = "replace-records", **more: Any) -> Attack:
    return Attack(number, what, code, "IMP-2052", says, evil=(evil, options), **more)


class Records(Attacked):
    attacks = [
        Attack("02", "the victim's records under the attacker's order", "importUnsigned", "IMP-2052", "the importer signed this for another user",
               change=lambda room: {"user": room.mallory.json(), "device": room.mallorys_phone.json()},
               evil=("swap-user-records-renamed", lambda room: {"from": room.carla.upn})),
        Attack("02", "the victim's records as they are", "importInvalid", "IMP-2052",
               change=lambda room: {"user": room.mallory.json(), "device": room.mallorys_phone.json()},
               evil=("swap-user-records", lambda room: {"from": room.carla.upn})),
        Attack("02", "and the victim's mail address in the request", "importUnsigned", "IMP-2052",
               change=lambda room: {"user": {**room.mallory.json(), "mail": room.carla.upn, "proxyAddresses": ["smtp:" + room.carla.upn]},
                                    "device": room.mallorys_phone.json()},
               evil=("swap-user-records-renamed", lambda room: {"from": room.carla.upn})),
        records("33", "an encryption certificate of the service's own, unsigned", "importUnsigned", lambda room: {"records": own_records(room, signed=False)},
                "the record has no importerSignature; …"),
        records("33", "the same, signed by an importer that nobody named", "importUnsigned",
                lambda room: {"records": own_records(room, importer=room.lab.pki.foreign_importer)}, "importerSignature: …not signed by a trusted certificate; …"),
        records("33", "and its password does not open, which nobody is to learn", "importUnsigned", lambda room: {
            "records": [{**record, "encryptedPfxPassword": base64.b64encode(bytes(256)).decode()} for record in own_records(room, signed=False)]},
                "the record has no importerSignature; …"),
        Attack("33", "the signatures taken off", "importUnsigned", "IMP-2052", "the record has no importerSignature; …", evil=("strip-signatures", lambda room: {})),
        records("36", "the file exchanged", "importUnsigned", exchanged(encryptedPfxBlob=another_file), "the importer signed another PFX"),
        records("36", "the owner exchanged", "importUnsigned", lambda room: {"records": [
            {**record, "userPrincipalName": room.carla.upn} for record in of_mallory(room)]}, "the importer signed this for another user"),
        records("36", "the purpose exchanged", "importUnsigned", lambda room: {"records": [
            {**record, "intendedPurpose": "smimeEncryption"} for record in room.lab.records(room.carla, [room.history[0]], purpose="smimeSigning")]},
                "the importer signed this as smimeSigning"),
        Attack("36", "a bit of each file turned", "importUnsigned", "IMP-2052", evil=("flip-blob", lambda room: {})),
        Attack("37", "the history as unassigned", "importUnsigned", "IMP-2052", change={"purpose": "unassigned"}, evil=("retag-purpose", lambda room: {})),
        Attack("37", "the history as wifi", "importUnsigned", "IMP-2052", change={"purpose": "wifi"}, evil=("retag-purpose", lambda room: {})),
        records("45", "a nesting of 50,000 under a good signature", "importUndecryptable", lambda room: {
            "records": room.lab.records(room.carla, [room.history[0]], blobs=[b"\x30\x80" * 50_000])}, ONE_TEXT),
        records("45", "a length of four gigabytes", "importUndecryptable", lambda room: {
            "records": room.lab.records(room.carla, [room.history[0]], blobs=[b"\x30\x84\xff\xff\xff\xff" + pfx.export(room.history[0], PASSWORD)])}, ONE_TEXT),
        records("45", "fifty million iterations", "importInvalid", lambda room: {
            "records": room.lab.records(room.carla, [room.history[0]], form="expensive")}, "PFX: more than 1,000,000 iterations"),
    ]

    def aim(self, name: str, identifier: str) -> Json:
        return {}

    @at("60", "records are asked for under the lease alone")
    def test_at_60_records_are_asked_for_under_the_lease(self) -> None:
        since = self.lab.last_call()
        order = self.lab.deliver(self.carla, self.carlas_phone)
        self.lab.open(self.carlas_phone, order)
        calls = self.lab.calls("imports", since)
        leases = {each["leaseId"] for each in self.lab.state(order)["leases"]}
        self.assertTrue(calls)
        for call in calls:
            self.assertTrue(any(f"leaseId={lease}" in call["path"] for lease in leases), call["path"])
        refused = self.connector_client().call("GET", f"/users/{self.carla.id}/imported-certificates?purpose=smimeEncryption&leaseId=l-0")
        self.assertEqual(refused.status, 403, "the lab shows what a service owes: a connector's certificate alone reads nothing")

    def connector_client(self) -> Any:
        state = self.connector.directory / "state"
        return self.lab.client(state / "connector.crt", state / "connector.key")

    @at("38", "one of seven records left out: the rest is delivered")
    def test_at_38_a_record_left_out_costs_the_others_nothing(self) -> None:
        user = self.lab.user("seven")
        phone = self.lab.device(user, key_kind="ecP256")
        history = self.lab.import_history(user, (2011, 2013, 2015, 2017, 2019, 2021, 2023))
        self.lab.evil("drop-record", of=[user.upn], index=3)
        mark = self.mark()
        order, beside = self.lab.queue(made(self.lab.deliver_request(user, phone)), self.honest())
        mark.beside.append(beside)
        opened = {each.sha256 for each in self.lab.open(phone, order, timeout=60).identities}
        self.assertEqual(opened, {each.sha256 for index, each in enumerate(history) if index != 3})
        self.check_told(order, "IMP-2080")
        self.assertIn(history[3].sha256, next(line for line in self.connector.audit() if order in line and "IMP-2080" in line))
        self.check_neighbour(mark)
        self.attackers_open_nothing(mark)

    @at("38", "the old history back in place of the newer one")
    def test_at_38_an_older_list_is_told_and_passes_for_nothing(self) -> None:
        user = self.lab.user("older")
        phone = self.lab.device(user, key_kind="ecP256")
        history = self.lab.import_history(user, (2015,), raw=True)
        old = self.lab.records(user, history)
        newer = pki.history(self.lab.pki, user.upn, (2021,), shared_keys=True)
        self.lab.store(self.lab.records(user, [*history, *newer], sequence=2), raw=True)
        self.lab.open(phone, self.lab.deliver(user, phone), timeout=60)
        self.lab.evil("replace-records", of=[user.upn], records=old)
        mark = self.mark()
        order, beside = self.lab.queue(made(self.lab.deliver_request(user, phone)), self.honest())
        mark.beside.append(beside)
        opened = self.lab.open(phone, order, timeout=60)
        self.assertEqual([each.sha256 for each in opened.identities], [history[0].sha256])
        for event in ("IMP-2081", "IMP-2080", "IMP-2069"):
            self.check_told(order, event)
        self.check_neighbour(mark)
        self.attackers_open_nothing(mark)

    def attackers_open_nothing(self, mark: Any) -> None:
        for device in self.attackers:
            self.assertEqual(device.identities(), mark.held.get(str(device.directory), []))

    @at("35", "history of an expired CA, signed with SHA-1, is the owner's all the same")
    def test_at_35_expired_history_is_delivered(self) -> None:
        user = self.lab.user("old")
        phone = self.lab.device(user, key_kind="ecP256")
        old = [pki.corporate_certificate(self.lab.pki, user.upn, 2014, key=self.lab.pki.shared_key("rsa2048", 0), expired_ca=True, sha1=True),
               pki.corporate_certificate(self.lab.pki, user.upn, 2016, key=self.lab.pki.shared_key("rsa2048", 1), expired_ca=True)]
        self.lab.store(self.lab.records(user, old))
        opened = self.lab.open(phone, self.lab.deliver(user, phone))
        self.assertEqual([each.sha256 for each in opened.identities], [each.sha256 for each in old])


class Unsigned(Attacked):
    """signatures = "off", a shop with Microsoft's records: what the person's own proof and the certificate say has to hold alone."""
    config = {"importer": {"signatures": "off"}}
    attacks = [
        Attack("02", "the victim's records, renamed, under the attacker's order", "importInvalid", "IMP-2052",
               "the certificate's address is not one of the user's",
               change=lambda room: {"user": {**room.mallory.json(), "mail": room.carla.upn, "otherMails": [room.carla.upn]}, "device": room.mallorys_phone.json()},
               evil=("swap-user-records-renamed", lambda room: {"from": room.carla.upn})),
    ]

    def aim(self, name: str, identifier: str) -> Json:
        return {}


class Adopted(Attacked):
    """signatures = "adopted": a time of migration, and no way back from it for whoever had a signed list."""
    config = {"importer": {"signatures": "adopted"}}

    def seen(self) -> None:
        self.lab.open(self.carlas_phone, self.lab.deliver(self.carla, self.carlas_phone), timeout=60)

    def own_without_signature(self) -> Json:
        return {"records": own_records(self, signed=False)}

    attacks = [
        Attack("33", "every signature taken off after a signed list was seen", "importUnsigned", "IMP-2082", "the record has no importerSignature; …",
               before=seen, evil=("strip-signatures", lambda room: {}), beside="IMP-2080"),
        Attack("33", "the history exchanged for one unsigned record of the service's own", "importUnsigned", "IMP-2082",
               "the record has no importerSignature; …", before=seen, evil=("replace-records", own_without_signature)),
    ]


class Fetching(Attacked):
    """Links in answers and certificates: nobody but the service is asked."""

    @at("48", "the next page on another host")
    def test_at_48_a_next_page_elsewhere_is_not_fetched(self) -> None:
        for target in ("https://127.0.0.1:{port}/api/v1/users/x/imported-certificates", "https://localhost:{port}/x", "http://127.0.0.1:{port}/", "//127.0.0.1:{port}/"):
            with self.subTest(target), Listener() as trap:
                user = self.lab.user(f"paged{trap.port}")
                self.lab.import_history(user, (2019,))
                phone = self.lab.device(user, key_kind="ecP256")
                mark, log = self.mark(), len(self.connector.log())
                self.lab.fault("next-link", url=target.format(port=trap.port))
                order, beside = self.lab.queue(made(self.lab.deliver_request(user, phone)), self.honest())
                mark.beside.append(beside)
                self.connector.wait_until(lambda: "IMP-2051" in self.connector.log()[log:] and order in self.connector.log()[log:], 60, "the event")
                self.lab.good()
                self.lab.open(phone, order, timeout=90)  # it goes on once the service is honest
                self.check_neighbour(mark)
                self.assertEqual(trap.visitors, 0, "somebody called")

    @at("48", "a link in a certificate")
    def test_at_48_no_link_in_a_certificate_is_followed(self) -> None:
        from cryptography import x509
        from cryptography.x509.oid import AuthorityInformationAccessOID
        with Listener() as trap:
            where = x509.UniformResourceIdentifier(f"http://127.0.0.1:{trap.port}/ca.crt")
            key = pki.make_key("ecP256")
            device_id = "d-linked"
            issued = self.lab.pki.foreign_device_ca.issue(pki.name((x509.oid.NameOID.COMMON_NAME, device_id)), key.public_key(), extensions=[
                (pki.key_usage("digital_signature", "key_agreement"), True), (x509.ExtendedKeyUsage([pki.Eku.CLIENT_AUTH]), False),
                (x509.SubjectAlternativeName([x509.UniformResourceIdentifier(f"urn:device:{device_id}"), pki.upn_name(self.carla.upn)]), False),
                (x509.AuthorityInformationAccess([x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where),
                                                  x509.AccessDescription(AuthorityInformationAccessOID.OCSP, where)]), False),
                (x509.CRLDistributionPoints([x509.DistributionPoint([where], None, None, None)]), False)])
            request = self.order("deliver")
            request["device"].update(id=device_id, recipientCertificate=base64.b64encode(pki.cert_der(issued)).decode())
            mark = self.mark()
            order, beside = self.lab.queue(request, self.honest(), raw=True)
            mark.beside.append(beside)
            self.check_refused(order, "recipientUntrusted", "KEY-4002")
            self.check_neighbour(mark)
            self.check_nothing_left(mark, order)
            self.assertEqual(trap.visitors, 0, "somebody called")


class Listener:
    """Counts who connects."""

    def __init__(self) -> None:
        self.visitors = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> "Listener":
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._socket.close()

    def _listen(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visitors += 1
            visitor.close()


if __name__ == "__main__":
    unittest.main()
