#!/usr/bin/python3
"""What the daemon remembers of imported certificates: `deliveries --user`, the metric and the event before one ends."""
import base64
import datetime as dt
import unittest
from typing import Any

from adversary import Json, pki
from test_bad_imports import Imports


class Deliveries(Imports):
    def deliveries(self, user: str) -> Json:
        answer: Json = self.connector.command_json("deliveries", "--user", user)
        return answer

    def test_what_each_device_has_had_and_what_is_missing_and_why(self) -> None:
        user, phone = self.person()
        laptop = self.lab.device(user, platform="windows", key_kind="ecP256")
        old, newer = self.identity(user, 2018), self.identity(user, 2020, slot=1)
        records = self.lab.records(user, [old, newer])
        records[0]["encryptedPfxPassword"] = base64.b64encode(bytes(256)).decode()
        first = self.order(records, user, phone)
        self.lab.delivered(first)
        newest = self.identity(user, 2025, slot=2, years=5)
        self.lab.store(self.lab.records(user, [old, newer, newest], sequence=2), raw=True)
        second = self.lab.deliver(user, laptop)
        self.lab.delivered(second)
        self.connector.wait_until(lambda: len(self.deliveries(user.upn)["deliveries"]) == 2, 20, "both deliveries")

        by_device = {each["device"]: each for each in self.deliveries(user.upn)["deliveries"]}
        mine = by_device[phone.id]
        self.assertEqual((mine["purpose"], mine["lastRequest"], mine["inLastDelivery"]), ("smimeEncryption", first, 1))
        self.assertEqual([each["thumbprint"] for each in mine["certificates"]], [newer.thumbprint])
        self.assertEqual(mine["certificates"][0]["sha256"], newer.sha256)
        missing = {each["thumbprint"]: each for each in mine["missing"]}
        self.assertEqual({name: each["code"] for name, each in missing.items()},
                         {old.thumbprint: "importUndecryptable", newest.thumbprint: "notDelivered"})
        self.assertIn(laptop.id, missing[newest.thumbprint]["reason"])
        other = by_device[laptop.id]
        self.assertEqual([each["thumbprint"] for each in other["certificates"]], [each.thumbprint for each in (old, newer, newest)])
        self.assertEqual(other["missing"], [])

        self.lab.delivered(self.lab.deliver(user, phone))
        self.connector.wait_until(lambda: all(not each["missing"] for each in self.deliveries(user.upn)["deliveries"]), 20, "nothing missing")
        shown = self.connector.command("deliveries", "--user", user.id)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        for word in (phone.id, laptop.id, newest.thumbprint, "smimeEncryption"):
            self.assertIn(word, shown.stdout)

    def test_an_order_that_failed_is_the_reason(self) -> None:
        user, phone = self.person()
        order = self.lab.deliver(user, phone)
        self.lab.error(order)

        def told() -> bool:
            return [(each["id"], each["code"]) for each in self.deliveries(user.upn)["failed"]] == [(order, "importNotFound")]
        self.connector.wait_until(told, 20, "the failed order")
        self.assertEqual(self.deliveries(user.upn)["deliveries"], [])

    def test_nobody_and_nothing(self) -> None:
        self.assertEqual(self.deliveries("nobody@corp.example")["deliveries"], [])
        self.assertEqual(self.connector.command("deliveries").returncode, 2)

    def test_it_is_remembered_by_a_stopped_daemon_and_after_a_restart(self) -> None:
        user, phone = self.person()
        identity = self.identity(user)
        self.lab.delivered(self.order(self.lab.records(user, [identity]), user, phone))
        self.connector.wait_until(lambda: bool(self.deliveries(user.upn)["deliveries"]), 20, "the delivery")
        self.connector.kill()
        self.assertEqual(len(self.deliveries(user.upn)["deliveries"]), 1)
        self.connector.start()
        self.assertEqual(self.deliveries(user.upn)["deliveries"][0]["certificates"][0]["thumbprint"], identity.thumbprint)

    def test_a_current_certificate_that_ends_soon_is_counted_and_told_once(self) -> None:
        before = self.connector.metric("imported_certificates_expiring")
        self.assertIn("# TYPE pfx_connector_imported_certificates_expiring gauge", self.connector.health("/metrics")[1])
        soon = pki.now() + dt.timedelta(days=20)
        user, phone = self.person()
        ending = self.identity(user, 2024, until=soon)
        self.lab.delivered(self.order(self.lab.records(user, [self.identity(user, 2016), ending]), user, phone))
        self.connector.wait_until(lambda: self.connector.metric("imported_certificates_expiring") == before + 1, 40, "the metric")
        self.assertEqual(len(self.told(ending)), 1)
        # Another device gets the same; it is still one certificate, and has been told.
        tablet = self.lab.device(user, key_kind="ecP256")
        self.lab.delivered(self.lab.deliver(user, tablet))
        renewed = self.identity(user, 2026, slot=1, years=4)
        self.lab.store(self.lab.records(user, [renewed], sequence=2), raw=True)
        self.lab.delivered(self.lab.deliver(user, tablet))
        self.connector.wait_until(lambda: self.connector.metric("imported_certificates_expiring") == before, 40, "the metric after the renewal")
        self.assertEqual(len(self.told(ending)), 1)
        self.assertEqual(self.told(renewed), [])

    def told(self, identity: Any) -> list[str]:
        return [line for line in self.connector.log().splitlines() if "IMP-2068" in line and identity.thumbprint in line]


if __name__ == "__main__":
    unittest.main()
