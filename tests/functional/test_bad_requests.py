#!/usr/bin/python3
"""Requests as they should not be: each gets the contract's code, names its field, stands in the audit log, and harms no neighbour."""
import base64
import unittest
from pathlib import Path
from typing import Any

from adversary import GONE, BadInput, Case, Json, changed, made, pki
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from lab import Lab

ISSUING = "smime-signing"
CLIENT_AUTH, MAIL, ANY_EKU, SMART_CARD = "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.4", "2.5.29.37.0", "1.3.6.1.4.1.311.20.2.2"
DEVICE = "/device/recipientCertificate"
SID = "S-1-5-21-1004336348-1177238915-682003330-512"


def nested(depth: int) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value]
    return value


def subject_of(held: Any) -> list[list[tuple[str, str]]]:
    return [[(each.oid.dotted_string, str(each.value)) for each in rdn] for rdn in held.certificate.subject.rdns]


class Form(BadInput):
    """What a field must look like, before anybody asks what it means."""

    def asked(self, **changes: Any) -> Json:
        alice = self.lab.user("alice")
        if not hasattr(type(self), "phone"):
            type(self).phone = self.lab.device(alice, key_kind="ecP256")
        return changed(self.lab.issue_request(alice, self.phone, key_type="ecP256"), {key.replace("__", "/"): value for key, value in changes.items()})

    def table(self, code: str, *rows: tuple[str, Any]) -> list[Case]:
        return [(f"{pointer} = {str(value)[:40]}", self.asked(**{pointer.replace("/", "__"): value}), code, "/" + pointer) for pointer, value in rows]

    def test_fields_of_the_wrong_form(self) -> None:
        certificate = base64.b64encode(pki.cert_der(self.neighbours_phone.certificate)).decode()
        self.refuse_all([
            *self.table(
                "invalidRequest",
                ("kind", 7), ("kind", ["pkcs.issue"]), ("createdAt", None), ("createdAt", "yesterday"), ("createdAt", "2026-01-01T00:00:00"),
                ("createdAt", "2026-02-30T00:00:00Z"), ("user", GONE), ("user", None), ("user", "alice"), ("user", []), ("user/id", 7), ("user/id", ""),
                ("user/id", "a b"), ("user/id", "a/../b"), ("user/id", "x" * 129), ("user/userPrincipalName", GONE), ("user/userPrincipalName", 7),
                ("user/mail", {}), ("user/otherMails", "alice@corp.example"), ("user/displayName", "x" * 4097), ("user/displayName", "bell \x07"),
                ("user/displayName", "nul \x00 here"), ("user/givenName", "line\nline"), ("user/onPremisesSecurityIdentifier", "S-1-5-21-x"),
                ("device", GONE), ("device", 1), ("device/id", GONE), ("device/id", "d" * 129), ("device/id", "d\u00e9"), ("device/platform", GONE),
                ("device/recipientCertificate", GONE), ("device/recipientCertificate", "no base64!"),
                ("device/recipientCertificate", certificate[:64] + "\n" + certificate[64:]),
                ("device/recipientCertificate", base64.b64encode(bytes(6200)).decode()), ("device/binding", 1), ("device/keyChangeProof", "%%%%"),
                ("profile", GONE), ("profile", "smime"), ("profile/authority", GONE), ("profile/authority", 1), ("profile/template", {}),
                ("profile/subject", GONE), ("profile/subject", 7), ("profile/keyType", GONE), ("profile/keyType", 2048),
                ("profile/keyUsage", "digitalSignature"), ("profile/keyUsage", ["everything"]), ("profile/extendedKeyUsage", ["clientAuth"]),
                ("profile/extendedKeyUsage", MAIL), ("profile/validityDays", "365"), ("profile/validityDays", 0), ("profile/validityDays", -1),
                ("profile/validityDays", 1.5), ("profile/validityDays", 1e300), ("profile/renewalThresholdPercent", 101),
                ("profile/renewalThresholdPercent", -20), ("profile/includeSecurityIdentifier", "no"), ("profile/subjectAltNames", {}),
                ("profile/subjectAltNames", [{"type": "email", "value": "{{EmailAddress}}"}] * 21), ("delivery", "cms"), ("delivery/format", 1)),
            ("SAN type", self.asked(profile__subjectAltNames=[{"type": "ip", "value": "127.0.0.1"}]), "invalidRequest", "/profile/subjectAltNames/0/type"),
            ("SAN value", self.asked(profile__subjectAltNames=[{"type": "email"}]), "invalidRequest", "/profile/subjectAltNames/0/value"),
            ("SAN value empty", self.asked(profile__subjectAltNames=[{"type": "email", "value": ""}]), "invalidRequest",
             "/profile/subjectAltNames/0/value"),
            ("SAN no object", self.asked(profile__subjectAltNames=["alice"]), "invalidRequest", ("/profile/subjectAltNames", "/profile/subjectAltNames/0")),
            ("a mail that is none", self.asked(user__otherMails=[7]), "invalidRequest", ("/user/otherMails", "/user/otherMails/0")),
            ("nesting over 16", self.asked(extra=nested(20)), "invalidRequest", "/extra" + "/0" * 13),
            ("nesting far over 16", self.asked(extra=nested(900)), "invalidRequest", "/extra" + "/0" * 13),
        ])

    def test_what_is_not_known_here_is_unsupported_by_name(self) -> None:
        self.refuse_all(self.table(
            "unsupported", ("kind", "pkcs.mint"), ("kind", "PKCS.ISSUE"), ("device/platform", "toaster"), ("profile/keyType", "rsa1024"),
            ("profile/keyType", "ed25519"), ("delivery/format", "zip"), ("delivery/format", "windowsCsp")))

    def test_a_duplicate_key_in_one_request_is_its_own_fault_alone(self) -> None:
        self.lab.fault("duplicate-keys-in-request")
        first, second = self.lab.queue(made(self.asked()), self.honest())
        self.lab.wait(first, second)
        struck, other = (first, second) if self.lab.result(first)["status"] == "failed" else (second, first)
        self.check_refused(struck, "invalidRequest", "/kind")
        self.lab.delivered(other)

    def test_elements_without_a_usable_id_are_skipped_with_an_event(self) -> None:
        skipped = self.connector.log().count("MGT-6006")
        for identifier in ("a b", "x" * 129, "../../etc"):
            self.lab.queue(changed(self.asked(), {"id": identifier}), raw=True)
        self.serve_neighbour()
        self.connector.wait_until(lambda: self.connector.log().count("MGT-6006") > skipped, 10, "the event of a skipped element")
        self.lab.control.post("cancel", {"ids": ["a b", "x" * 129, "../../etc"]})

    def test_unknown_fields_are_ignored_and_null_means_absent(self) -> None:
        order = self.lab.queue(changed(self.asked(), {"profile/validityDays": None, "profile/keyUsage": None, "delivery/apple": None, "future": {"a": [1]},
                                                      "user/otherMails": None, "profile/also": True}), raw=True)[0]
        self.lab.delivered(order)

    def test_orders_for_imports_of_the_wrong_form(self) -> None:
        alice = self.lab.user("alice")
        self.asked()
        base = self.lab.deliver_request(alice, self.phone)
        self.refuse_all([
            ("purpose", changed(base, {"purpose": "everything"}), "invalidRequest", "/purpose"),
            ("no purpose", changed(base, {"purpose": GONE}), "invalidRequest", "/purpose"),
            ("thumbprints no list", changed(base, {"thumbprints": "all"}), "invalidRequest", "/thumbprints"),
            ("thumbprint no hex", changed(base, {"thumbprints": ["zz" * 20]}), "invalidRequest", ("/thumbprints", "/thumbprints/0")),
            ("thumbprint short", changed(base, {"thumbprints": ["ab"]}), "invalidRequest", ("/thumbprints", "/thumbprints/0")),
            ("format", changed(base, {"delivery": {"format": "raw"}}), "unsupported", "/delivery/format"),
            ("no imports", base, "importNotFound", ""),
            ("no such thumbprint", changed(base, {"thumbprints": ["ab" * 20]}), "importNotFound", ""),
        ])

    def test_unknown_authority_and_template_are_reported_at_once(self) -> None:
        self.refuse_all([
            ("authority", self.asked(profile__authority="elsewhere"), "authorityMisconfigured", "/profile/authority"),
            ("authority in capitals", self.asked(profile__authority="CORP"), "authorityMisconfigured", "/profile/authority"),
            ("template", self.asked(profile__template="domain-controller"), "authorityMisconfigured", "/profile/template"),
            ("template as path", self.asked(profile__template="../../" + ISSUING), "authorityMisconfigured", "/profile/template"),
        ])


class Names(BadInput):
    """Subjects: a template is parsed first, values are data, and only what the device certificate proves may stand in a name."""
    NASTY = 'Al, O=Evil+C=XX; "q" #1 = <x> \\2C'

    def request(self, subject: str, **changes: Any) -> Json:
        alice = self.lab.user("alice")
        if not hasattr(type(self), "phone"):
            type(self).phone = self.lab.device(alice, key_kind="ecP256")
        return changed(self.lab.issue_request(alice, self.phone, subject=subject, key_type="ecP256"),
                       {key.replace("__", "/"): value for key, value in changes.items()})

    def test_templates_that_do_not_parse_or_name_nothing(self) -> None:
        long = "CN=" + "x" * 65
        errors = self.refuse_all([(subject, self.request(subject), "invalidRequest", "/profile/subject") for subject in (
            "CN=A;O=B", "CN=A+CN=B", "CN=#0c0141", 'CN="A', 'CN="A" B', "CN=A\\00B", "CN=A\\", "CN=", "=A", "CN", "Nope=A", "CN=A,", ",CN=A", "CN=A++O=B",
            "1.2.3.999999999999999999999999999x=A", "CN={{Nope}}", "CN={{GivenName}", "CN={{IMEI}}", "CN={{}}", "OU={{OnPrem_Distinguished_Name}}",
            "C=DEU", long, "E=no mailbox")])
        for name, variable in (("CN={{Nope}}", "{{Nope}}"), ("CN={{IMEI}}", "{{IMEI}}")):
            with self.subTest(f"{name} is named"):
                self.assertIn(variable, errors[name]["message"])

    def nasty(self, name: str, given: str) -> Any:
        user = self.lab.user(name)
        user.given_name = given
        device = self.lab.device(user, key_kind="ecP256")
        return user, device

    def test_a_value_is_data_and_never_an_attribute(self) -> None:
        values = {"all": self.NASTY, "hash": "#0c0141", "spaces": "  two  ", "variable": "{{DeviceName}}", "utf": "Zo\u00eb \U0001f600", "oid": "2.5.4.10=Evil"}
        orders = {}
        for name, value in values.items():
            user, device = self.nasty(f"nasty{name}", value)
            orders[name] = (value, device, self.lab.issue(user, device, subject="GN={{GivenName}},O=Corp", key_type="ecP256"))
        self.serve_neighbour()
        for name, (value, device, order) in orders.items():
            with self.subTest(name):
                subject = subject_of(self.lab.open(device, order).identities[0])
                self.assertEqual(subject, [[(NameOID.ORGANIZATION_NAME.dotted_string, "Corp")], [(NameOID.GIVEN_NAME.dotted_string, value)]])

    def test_a_display_name_that_nobody_proves_is_refused_whatever_it_holds(self) -> None:
        self.refuse_all([(value, self.request("CN={{DisplayName}}", user__displayName=value), "policyRefused", "/user/displayName") for value in (
            self.NASTY, "Carla Chief", "Alice Smith,O=Evil", "Alice Smith+UID=carla", "#0c0141")])

    def test_names_of_others_are_refused(self) -> None:
        carla = "carla@corp.example"
        self.refuse_all([
            ("CN = another's name", self.request("CN=Carla Chief"), "policyRefused", "/profile/subject"),
            ("CN = another's mailbox", self.request(f"CN={carla}"), "policyRefused", "/profile/subject"),
            ("CN = own name and another's", self.request("CN=Alice Smith (Carla Chief)"), "policyRefused", "/profile/subject"),
            ("two CNs, one another's", self.request("CN=Alice Smith,CN=Carla Chief"), "policyRefused", "/profile/subject"),
            ("UID", self.request("UID=carla"), "policyRefused", "/profile/subject"),
            ("GN", self.request("GN=Carla"), "policyRefused", "/profile/subject"),
            ("E", self.request(f"CN=Alice Smith,E={carla}"), "policyRefused", "/profile/subject"),
            ("E by OID", self.request(f"CN=Alice Smith,1.2.840.113549.1.9.1={carla}"), "policyRefused", "/profile/subject"),
            ("O as mailbox", self.request(f"CN=Alice Smith,O={carla}"), "policyRefused", "/profile/subject"),
            ("GivenName claimed", self.request("CN={{GivenName}} {{SurName}}", user__givenName="Carla"), "policyRefused", "/user/givenName"),
            ("mail claimed", self.request("CN={{GivenName}} {{SurName}}", user__mail=carla), "policyRefused", "/user/mail"),
            ("SAN mailbox", self.request("", profile__subjectAltNames=[{"type": "email", "value": carla}]), "policyRefused",
             "/profile/subjectAltNames/0/value"),
            ("SAN, the second", self.request("", profile__subjectAltNames=[{"type": "email", "value": "{{EmailAddress}}"}, {"type": "email", "value": carla}]),
             "policyRefused", "/profile/subjectAltNames/1/value"),
            ("SAN of a foreign domain", self.request("", profile__subjectAltNames=[{"type": "email", "value": "alice@evil.example"}]), "policyRefused",
             "/profile/subjectAltNames/0/value"),
            ("DeviceName in CN", self.request("CN={{DeviceName}}", device__name="Carla Chief"), "policyRefused", ("/profile/subject", "/device/name")),
            ("DeviceName beside the name", self.request("CN=Alice Smith {{DeviceName}}", device__name="x"), "policyRefused",
             ("/profile/subject", "/device/name")),
            ("SerialNumber in O", self.request("O={{SerialNumber}}", device__serialNumber="1"), "policyRefused", ("/profile/subject", "/device/serialNumber")),
            ("DN claimed", self.request("{{OnPrem_Distinguished_Name}}", user__onPremisesDistinguishedName="CN=Carla Chief,DC=corp"), "policyRefused",
             ("/profile/subject", "/user/onPremisesDistinguishedName")),
            ("no name at all", self.request("", profile__subjectAltNames=[]), "policyRefused", ("/profile/subject", "/profile/subjectAltNames")),
        ])
        self.check_audit_whole()


class Policy(BadInput):
    """The configuration as it comes: mail addresses, signing, mail protection and nothing else."""

    def request(self, **profile: Any) -> Json:
        alice = self.lab.user("alice")
        if not hasattr(type(self), "phone"):
            type(self).phone = self.lab.device(alice, key_kind="ecP256")
        return changed(self.lab.issue_request(alice, self.phone, key_type="ecP256"), {f"profile/{key}": value for key, value in profile.items()})

    def test_beyond_the_policy(self) -> None:
        def san(kind: str, value: str) -> Json:
            return self.request(subjectAltNames=[{"type": "email", "value": "{{EmailAddress}}"}, {"type": kind, "value": value}])
        self.refuse_all([
            ("dns", san("dns", "dc1.corp.example"), "policyRefused", "/profile/subjectAltNames/1/type"),
            ("uri", san("uri", "urn:device:d-1"), "policyRefused", "/profile/subjectAltNames/1/type"),
            ("upn", san("upn", "administrator@corp.example"), "policyRefused", "/profile/subjectAltNames/1/type"),
            ("own upn", san("upn", "{{UserPrincipalName}}"), "policyRefused", "/profile/subjectAltNames/1/type"),
            ("clientAuth", self.request(extendedKeyUsage=[MAIL, CLIENT_AUTH]), "policyRefused", "/profile/extendedKeyUsage"),
            ("smart card logon", self.request(extendedKeyUsage=[MAIL, SMART_CARD]), "policyRefused", "/profile/extendedKeyUsage"),
            ("any EKU", self.request(extendedKeyUsage=[ANY_EKU]), "policyRefused", "/profile/extendedKeyUsage"),
            ("no EKU, which is any", self.request(extendedKeyUsage=[]), "policyRefused", "/profile/extendedKeyUsage"),
            ("keyAgreement", self.request(keyUsage=["digitalSignature", "keyAgreement"]), "policyRefused", "/profile/keyUsage"),
            ("keyEncipherment", self.request(keyType="rsa2048", keyUsage=["keyEncipherment"]), "policyRefused", "/profile/keyUsage"),
            ("keyCertSign", self.request(keyUsage=["digitalSignature", "keyCertSign"]), "policyRefused", "/profile/keyUsage"),
            ("validity", self.request(validityDays=825), "policyRefused", "/profile/validityDays"),
            ("validity of a century", self.request(validityDays=36500), "policyRefused", "/profile/validityDays"),
            ("SID", changed(self.request(includeSecurityIdentifier=True), {"user/onPremisesSecurityIdentifier": SID}), "policyRefused",
             ("/profile/includeSecurityIdentifier", "/user/onPremisesSecurityIdentifier")),
        ])

    def test_a_lying_service_gets_no_name_that_is_not_the_recipients(self) -> None:
        alice, mallory = self.lab.user("alice"), self.lab.user("mallory", "Malone")
        self.request()
        phone = self.lab.device(mallory, key_kind="ecP256")
        for evil, code, pointer, options in (
                ("wrong-recipient", "recipientUnbound", "/user/userPrincipalName", {"device": phone.json()}),
                ("wrong-recipient-certificate", "recipientUntrusted", DEVICE, {"device": phone.json()}),
                ("wrong-user", "recipientUnbound", "/user/userPrincipalName", {"user": mallory.json()}),
                ("wrong-mail", "policyRefused", "/user/mail", {"user": mallory.json()}),
                ("foreign-name", "policyRefused", "/profile/subjectAltNames/0/value", {"mail": "chief@corp.example"}),
                ("logon-eku", "policyRefused", "/profile/extendedKeyUsage", {}),
                ("logon-names", "policyRefused", "/profile/subjectAltNames/0/type", {})):
            with self.subTest(evil):
                order = f"r-{evil}"
                self.lab.evil(evil, ids=[order], **options)
                self.lab.issue(alice, self.phone, id=order, key_type="ecP256")
                self.check_refused(order, code, pointer)
                self.lab.good()
        self.serve_neighbour()
        issued = self.connector.command_json("issued", "list")["issued"]
        self.assertEqual({row["device"] for row in issued}, {self.neighbours_phone.id}, "nothing was issued for a refused order")


class WidePolicy(BadInput):
    """Even where the operator lets names of other kinds pass, a security identifier, a device's name or another person's stays out."""
    config = {"policy": {"allowed_san_types": ["email", "upn", "uri", "dns"]}}

    def test_what_no_type_list_lets_through(self) -> None:
        alice = self.lab.user("alice")
        phone = self.lab.device(alice, key_kind="ecP256")

        def san(kind: str, value: str, **user: Any) -> Json:
            names = (("email", "{{EmailAddress}}"), (kind, value))
            return changed(self.lab.issue_request(alice, phone, sans=names, key_type="ecP256"), {f"user/{key}": each for key, each in user.items()})
        at = "/profile/subjectAltNames/1/value"
        self.refuse_all([
            ("SID URI", san("uri", f"tag:microsoft.com,2022-09-14:sid:{SID}"), "policyRefused", at),
            ("SID URI in capitals", san("uri", f"TAG:Microsoft.COM,2022-09-14:SID:{SID}"), "policyRefused", at),
            ("SID URI percent-encoded", san("uri", f"tag:%6Dicrosoft.com,2022-09-14%3Asid:{SID}"), "policyRefused", at),
            ("SID variable", san("uri", "{{OnPremisesSecurityIdentifier}}", onPremisesSecurityIdentifier=SID), "policyRefused",
             (at, "/user/onPremisesSecurityIdentifier")),
            ("device URI", san("uri", f"urn:device:{phone.id}"), "policyRefused", at),
            ("device URI in capitals", san("uri", f"URN:Device:{phone.id}"), "policyRefused", at),
            ("mailto of another", san("uri", "mailto:carla@corp.example"), "policyRefused", at),
            ("mailto percent-encoded", san("uri", "mailto:carla%40corp.example"), "policyRefused", at),
            ("upn of another", san("upn", "administrator@corp.example"), "policyRefused", at),
            ("upn claimed", changed(san("upn", "{{UserPrincipalName}}"), {"user/userPrincipalName": "administrator@corp.example"}), "recipientUnbound",
             "/user/userPrincipalName"),
            ("dns with a blank", san("dns", "dc 1.corp.example"), "invalidRequest", at),
            ("uri that is none", san("uri", "no uri"), "invalidRequest", at),
        ])
        self.lab.delivered(self.lab.queue(san("upn", "{{UserPrincipalName}}"))[0])


class DeviceCertificates(BadInput):
    """Recipients. The operator's device CA file holds the issuing CA too, so that only the rules stand between its mail certificates and a key."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.connector = cls.lab.connector(start=False)
        place = cls.connector.directory / "local-ca"
        issuing = b"".join(each.read_bytes() for each in sorted(place.glob("*.crt")))
        both = pki.write(cls.connector.directory / "device-cas.pem", cls.lab.pki.path("device-ca.crt").read_bytes() + issuing)
        cls.connector.configure({"recipients": {"ca_file": both}})
        cls.connector.start()
        cls.neighbour = cls.lab.user("nora", "Neighbour")
        cls.neighbours_phone = cls.lab.device(cls.neighbour, key_kind="ecP256")

    def test_every_flaw(self) -> None:
        alice = self.lab.user("alice")
        cases: list[Case] = []
        for flaw in pki.BAD_DEVICES:
            if flaw == "no-ski":
                continue
            device = self.lab.device(alice, flaw=flaw, key_kind="ecP256")
            unbound = flaw in ("other-user", "no-user")
            code, pointer = ("recipientUnbound", "/user/userPrincipalName") if unbound else ("recipientUntrusted", DEVICE)
            cases.append((flaw, self.lab.issue_request(alice, device, key_type="ecP256"), code, pointer))
            if flaw in ("expired", "foreign-ca", "other-device", "two-uris", "other-user", "rsa1024"):
                cases.append((f"{flaw}, for imports", self.lab.deliver_request(alice, device), code, pointer))
        good = self.lab.device(alice, key_kind="ecP256")
        cases += [
            ("junk", changed(self.lab.issue_request(alice, good), {"device/recipientCertificate": base64.b64encode(b"junk").decode()}),
             "recipientUntrusted", DEVICE),
            ("octets after it", changed(self.lab.issue_request(alice, good), {
                "device/recipientCertificate": base64.b64encode(pki.cert_der(good.certificate) + b"\0").decode()}), "recipientUntrusted", DEVICE),
            ("device id of another", changed(self.lab.issue_request(alice, good), {"device/id": "d-other"}), "recipientUntrusted", DEVICE),
        ]
        self.refuse_all(cases)
        with self.subTest("no-ski is named by issuer and serial number instead"):
            plain = self.lab.device(alice, flaw="no-ski", key_kind="ecP256")
            self.assertEqual(len(self.lab.open(plain, self.lab.issue(alice, plain, key_type="ecP256")).identities), 1)

    def test_our_own_certificates_and_keys_are_no_recipients(self) -> None:
        alice = self.lab.user("alice")
        phone = self.lab.device(alice, key_kind="ecP256")
        held = self.lab.open(phone, self.lab.issue(alice, phone, key_type="ecP256")).identities[0]
        own = base64.b64encode(pki.cert_der(held.certificate)).decode()
        certified = pki.issue_device(self.lab.pki, phone.id, alice.upn, held.certificate.public_key(), given_name="Alice", surname="Smith")
        self.refuse_all([
            ("the very certificate", changed(self.lab.issue_request(alice, phone, key_type="ecP256"), {"device/recipientCertificate": own}),
             "recipientUntrusted", DEVICE),
            ("the very certificate, for imports", changed(self.lab.deliver_request(alice, phone), {"device/recipientCertificate": own}),
             "recipientUntrusted", DEVICE),
            ("our key under a good device certificate", changed(self.lab.issue_request(alice, phone, key_type="ecP256"), {
                "device/recipientCertificate": base64.b64encode(pki.cert_der(certified)).decode()}), "recipientUntrusted", DEVICE),
        ])

    def test_no_private_key_stays_behind(self) -> None:
        alice = self.lab.user("alice")
        phone = self.lab.device(alice, key_kind="ecP256")
        for kind in ("ecP256", "rsa2048"):
            with self.subTest(kind):
                held = self.lab.open(phone, self.lab.issue(alice, phone, key_type=kind)).identities[0]
                key = serialization.load_pem_private_key((Path(held.directory) / "key.pem").read_bytes(), None)
                numbers = key.private_numbers()
                secret = numbers.private_value.to_bytes(32, "big") if kind == "ecP256" else numbers.p.to_bytes(128, "big")
                encoded = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
                for canary in (secret, encoded, base64.b64encode(encoded)[:64]):
                    self.assertEqual(self.connector.holds_anywhere(canary), [])
                self.assertNotEqual(self.connector.holds_anywhere(held.sha256.encode()), [], "the search itself finds what is there")


if __name__ == "__main__":
    unittest.main()
