#!/usr/bin/python3
"""Packages that the connector did not make, or made for somebody else, or made before: what an agent refuses (docs/agent.md). AT-27, 28."""
import base64
import copy
import datetime as dt
import json
import unittest
from typing import Any

from harness import Attacked, Device, Json, Refused, at, openssl, pki


def signed(content: bytes, signer: pki.Identity) -> bytes:
    with openssl.secrets(content=content, key=pki.key_pem(signer.key), signer=pki.cert_pem(signer.certificate),
                         chain=b"".join(pki.cert_pem(each) for each in signer.chain)) as files:
        made, _ = openssl.run("cms", "-sign", "-binary", "-nodetach", "-md", "sha256", "-outform", "DER", "-in", files["content"], "-signer",
                              files["signer"], "-inkey", files["key"], *(["-certfile", files["chain"]] if signer.chain else []))
    return made


def sealed(inner: bytes, device: Device) -> bytes:
    with openssl.secrets(inner=inner, certificate=pki.cert_pem(device.certificate)) as files:
        made, _ = openssl.run("cms", "-encrypt", "-binary", "-aes-256-gcm", "-outform", "DER", "-in", files["inner"], "-keyid",
                              "-recip", files["certificate"], "-keyopt", "ecdh_kdf_md:sha256")
    return made


class Agent(Attacked):
    """A real delivery of the connector's is what the service, and a device in its hands, have to work with."""

    @classmethod
    def arrange(cls) -> None:
        cls.first = cls.lab.delivered(cls.lab.deliver(cls.carla, cls.carlas_phone))
        cls.second = cls.lab.delivered(cls.lab.deliver(cls.carla, cls.carlas_phone))

    def fresh(self) -> Device:
        """The victim's phone on its first day: it has taken nothing yet."""
        state = self.carlas_phone.directory / "state.json"
        state.unlink(missing_ok=True)
        return self.carlas_phone

    def inner(self, result: Json) -> bytes:
        """What the device reads: the signed package. Whoever has the device has this, and may send it on."""
        return self.carlas_phone._decrypt(base64.b64decode(result["delivery"]["envelope"]))

    def package(self, result: Json) -> Json:
        """What was signed, in clear."""
        content, _ = openssl.run("cms", "-verify", "-noverify", "-binary", "-inform", "DER", stdin=self.inner(result))
        read: Json = json.loads(content)
        return read

    def with_envelope(self, result: Json, envelope: bytes) -> Json:
        changed = copy.deepcopy(result)
        changed["delivery"]["envelope"] = base64.b64encode(envelope).decode()
        return changed

    def refused(self, device: Device, result: Json, words: str) -> None:
        before = device.identities()
        with self.assertRaisesRegex(Refused, words):
            device.open(result)
        self.assertEqual(device.identities(), before, "nothing was kept")

    @at("27", "the same package, signed by others than the delivery certificate")
    def test_at_27_a_package_signed_by_somebody_else(self) -> None:
        content = json.dumps({**self.package(self.first), "sequence": 1 << 50}).encode()
        state = self.connector.directory / "state"
        connectors_own = pki.Identity(pki.serialization.load_pem_private_key((state / "connector.key").read_bytes(), None),
                                      pki.x509.load_pem_x509_certificate((state / "connector.crt").read_bytes()))
        # What the service can have: a certificate of the connectors' own CA, under any name.
        second = self.lab.pki.enrolment_ca.leaf(pki.common_name("connector"), pki.make_key(), extensions=[
            (pki.key_usage("digital_signature"), True), (pki.x509.ExtendedKeyUsage([pki.Eku.EMAIL_PROTECTION]), False)])
        for what, signer in (("the connector's TLS certificate", connectors_own), ("a second connector's", second),
                             ("a foreign delivery certificate", self.lab.pki.foreign_delivery), ("the importer", self.lab.pki.importer)):
            with self.subTest(what):
                self.refused(self.fresh(), self.with_envelope(self.first, sealed(signed(content, signer), self.carlas_phone)), "signature")

    @at("27", "a package without a signature")
    def test_at_27_a_package_without_a_signature(self) -> None:
        content = json.dumps(self.package(self.first)).encode()
        self.refused(self.fresh(), self.with_envelope(self.first, sealed(content, self.carlas_phone)), "")

    @at("27", "another chain's certificate of the right name")
    def test_at_27_a_chain_of_the_same_names(self) -> None:
        """The names are copied, the keys are not."""
        root = pki.Authority(key := pki.make_key(), pki._sign(self.lab.pki.delivery_ca.certificate.subject, key.public_key(),
                                                              self.lab.pki.delivery_ca.certificate.subject, key, pki._ca_extensions(),
                                                              pki.now() - dt.timedelta(days=1), pki.now() + dt.timedelta(days=900)))
        signer = root.leaf(self.lab.pki.delivery.certificate.subject, pki.make_key(), extensions=[
            (pki.key_usage("digital_signature"), True), (pki.x509.ExtendedKeyUsage([pki.Eku.EMAIL_PROTECTION]), False)])
        content = json.dumps(self.package(self.first)).encode()
        self.refused(self.fresh(), self.with_envelope(self.first, sealed(signed(content, signer), self.carlas_phone)), "signature")

    @at("28", "an older package once more")
    def test_at_28_an_older_package_once_more(self) -> None:
        phone = self.fresh()
        phone.open(self.second)
        self.refused(phone, self.first, "sequence")
        self.refused(phone, self.second, "sequence")

    @at("28", "the signed package re-encrypted to another device")
    def test_at_28_the_package_for_another_device(self) -> None:
        inner = self.inner(self.first)
        second = self.lab.device(self.carla, key_kind="ecP256")
        self.refused(second, self.with_envelope(self.first, sealed(inner, second)), "another recipient")
        self.refused(self.mallorys_phone, self.with_envelope(self.first, sealed(inner, self.mallorys_phone)), "another recipient")

    @at("28", "the signed package to the same device, its certificate renewed")
    def test_at_28_the_package_for_the_same_devices_new_certificate(self) -> None:
        inner = self.inner(self.first)
        renewed = self.lab.device(self.carla, self.carlas_phone.id, key_kind="ecP256")
        self.refused(renewed, self.with_envelope(self.first, sealed(inner, renewed)), "another recipient")

    @at("28", "under the result of another request")
    def test_at_28_under_another_request(self) -> None:
        other = {**copy.deepcopy(self.first), "requestId": self.second["requestId"]}
        self.refused(self.fresh(), other, "another request")

    @at("28", "after its time")
    def test_at_28_after_its_time(self) -> None:
        """Signed by the real delivery key, as the connector's own packages are: nothing but the time is wrong."""
        package = {**self.package(self.first), "notAfter": "2020-01-01T00:00:00Z"}
        inner = signed(json.dumps(package).encode(), self.lab.pki.delivery)
        self.refused(self.fresh(), self.with_envelope(self.first, sealed(inner, self.carlas_phone)), "notAfter")

    @at("28", "for another user of the same device")
    def test_at_28_for_another_user(self) -> None:
        package: dict[str, Any] = {**self.package(self.first), "userPrincipalName": self.mallory.upn}
        inner = signed(json.dumps(package).encode(), self.lab.pki.delivery)
        self.refused(self.fresh(), self.with_envelope(self.first, sealed(inner, self.carlas_phone)), "another user")

    @at("28", "one bit of the envelope turned")
    def test_at_28_one_bit_turned(self) -> None:
        envelope = bytearray(base64.b64decode(self.first["delivery"]["envelope"]))
        for place in (len(envelope) // 2, len(envelope) - 1):
            turned = bytearray(envelope)
            turned[place] ^= 1
            self.refused(self.fresh(), self.with_envelope(self.first, bytes(turned)), "")

    @at("28", "and the real one opens")
    def test_at_28_the_real_one_opens(self) -> None:
        self.assertEqual(len(self.fresh().open(self.first).identities), 2)


if __name__ == "__main__":
    unittest.main()
