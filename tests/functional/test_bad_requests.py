#!/usr/bin/python3
"""Requests as they should not be: the tables of bad_input/requests.py, and what beside them a table cannot say."""
import base64
import unittest
from pathlib import Path
from typing import Any

from adversary import Json, changed, pki
from bad_input import requests
from bad_input.table import Orders
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID


class Requests(Orders):
    """The operator's device CA file holds the issuing CA too, so that only the rules stand between its mail certificates and a key."""

    @classmethod
    def prepare(cls) -> None:
        issuing = b"".join(each.read_bytes() for each in sorted((cls.connector.directory / "local-ca").glob("*.crt")))
        both = pki.write(cls.connector.directory / "device-cas.pem", cls.lab.pki.path("device-ca.crt").read_bytes() + issuing)
        cls.connector.configure({"recipients": {"ca_file": both}})

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.mallory = cls.lab.user("mallory", "Malone")
        cls.mallorys_phone = cls.lab.device(cls.mallory, key_kind="ecP256")
        cls.made: Any = None

    def held(self) -> Any:
        """An identity that the connector issued and this device holds."""
        if self.made is None:
            type(self).made = self.lab.open(self.phone, self.lab.issue(self.alice, self.phone, key_type="ecP256")).identities[0]
        return self.made

    def test_every_row(self) -> None:
        self.run_tables(*requests.TABLES)
        issued = {row["request"] for row in self.connector.command_json("issued", "list", "--limit", "1000")["issued"]}
        self.assertFalse(issued & self.refused, "something was issued for a refused order")
        self.check_audit_whole()
        self.check_nothing_broken()

    def test_every_row_where_all_san_types_are_allowed_and_one_kind_is_asked_for(self) -> None:
        """A security identifier, a device's name or another person's stays out even there."""
        self.reconfigure(requests.WIDE_CONFIG)
        self.run_tables(*requests.WIDE_TABLES)
        self.lab.delivered(self.lab.issue(self.alice, self.phone, sans=(("email", "{{EmailAddress}}"), ("upn", "{{UserPrincipalName}}")), key_type="ecP256"))
        self.reconfigure({"policy": {"allowed_san_types": ["email"]}, "connector": {"kinds": None}})

    def test_a_duplicate_key_in_one_request_is_its_own_fault_alone(self) -> None:
        self.lab.fault("duplicate-keys-in-request")
        first, second = self.lab.queue(self.honest(), self.honest())
        self.lab.wait(first, second)
        struck, other = (first, second) if self.lab.result(first)["status"] == "failed" else (second, first)
        self.check_row(self.lab.result(struck), "invalidRequest", "/kind: twice in one object")
        self.check_line(self.audited([struck])[struck], "MGT-6007", "invalidRequest", "/kind: twice in one object")
        self.lab.delivered(other)

    def test_elements_without_a_usable_id_are_skipped_with_an_event(self) -> None:
        skipped = self.connector.log().count("MGT-6006")
        for identifier in ("a b", "x" * 129, "../../etc"):
            self.lab.queue(changed(self.honest(), {"id": identifier}), raw=True)
        self.serve_neighbour()
        self.connector.wait_until(lambda: self.connector.log().count("MGT-6006") > skipped, 10, "the event of a skipped element")
        self.lab.control.post("cancel", {"ids": ["a b", "x" * 129, "../../etc"]})

    def test_unknown_fields_are_ignored_and_null_means_absent(self) -> None:
        order = self.lab.queue(changed(self.honest(), {"profile/validityDays": None, "profile/keyUsage": None, "delivery/apple": None, "future": {"a": [1]},
                                                       "user/otherMails": None, "profile/also": True}), raw=True)[0]
        self.lab.delivered(order)

    def test_a_value_is_data_and_never_an_attribute(self) -> None:
        values = {"all": requests.NASTY, "hash": "#0c0141", "spaces": "  two  ", "variable": "{{DeviceName}}", "utf": "Zo\u00eb \U0001f600",
                  "oid": "2.5.4.10=Evil"}
        orders = {}
        for name, value in values.items():
            user = self.lab.user(f"nasty{name}")
            user.given_name = value
            device = self.lab.device(user, key_kind="ecP256")
            orders[name] = (value, device, self.lab.issue(user, device, subject="GN={{GivenName}},O=Corp", key_type="ecP256"))
        for name, (value, device, order) in orders.items():
            with self.subTest(name):
                subject = subject_of(self.lab.open(device, order).identities[0])
                self.assertEqual(subject, [[(NameOID.ORGANIZATION_NAME.dotted_string, "Corp")], [(NameOID.GIVEN_NAME.dotted_string, value)]])

    def test_a_device_certificate_without_a_key_identifier_is_named_by_issuer_and_serial_number(self) -> None:
        plain = self.lab.device(self.alice, flaw="no-ski", key_kind="ecP256")
        self.assertEqual(len(self.lab.open(plain, self.lab.issue(self.alice, plain, key_type="ecP256")).identities), 1)

    def test_no_private_key_stays_behind(self) -> None:
        for kind in ("ecP256", "rsa2048"):
            with self.subTest(kind):
                held = self.lab.open(self.phone, self.lab.issue(self.alice, self.phone, key_type=kind)).identities[0]
                key = serialization.load_pem_private_key((Path(held.directory) / "key.pem").read_bytes(), None)
                numbers = key.private_numbers()
                secret = numbers.private_value.to_bytes(32, "big") if kind == "ecP256" else numbers.p.to_bytes(128, "big")
                encoded = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
                for canary in (secret, encoded, base64.b64encode(encoded)[:64]):
                    self.assertEqual(self.connector.holds_anywhere(canary), [])
                self.assertNotEqual(self.connector.holds_anywhere(held.sha256.encode()), [], "the search itself finds what is there")

    def reconfigure(self, config: Json) -> None:
        self.connector.terminate()
        self.connector.configure(config)
        self.connector.start()

    def check_nothing_broken(self) -> None:
        log = self.connector.log()
        for event in ("SVC-5040", "STO-8004"):
            self.assertNotIn(event, log)


def subject_of(held: Any) -> list[list[tuple[str, str]]]:
    return [[(each.oid.dotted_string, str(each.value)) for each in rdn] for rdn in held.certificate.subject.rdns]


if __name__ == "__main__":
    unittest.main()
