#!/usr/bin/python3
"""A directory proves whose a device is and who a person is: OpenLDAP's slapd, over LDAPS, with an account that may only read."""
import json
import shutil
import struct
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from directory import DEVICES, PEOPLE, Slapd  # noqa: E402
from lab import Connector, Lab  # noqa: E402


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-directory-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


def binary_sid(*parts: int) -> bytes:
    return bytes([1, len(parts)]) + (5).to_bytes(6, "big") + b"".join(struct.pack("<I", part) for part in parts)


class WithDirectory(unittest.TestCase):
    binding = identity = "directory"
    section: dict = {"cache_seconds": 0}
    config: dict = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls is WithDirectory:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.directory = cls.enterClassContext(Slapd(cls.lab.directory / "slapd", cls.lab.pki))
        config = cls.directory.config(binding=cls.binding, identity=cls.identity, **cls.section)
        for table, values in cls.config.items():
            config[table] = {**config.get(table, {}), **values}
        cls.connector: Connector = cls.lab.connector(config)
        cls.people = 0
        cls.neighbour, cls.neighbours_phone = cls.person()

    @classmethod
    def person(cls, **attributes):
        """A user and a device, both in the directory; the device's certificate names no user."""
        cls.people += 1
        user = cls.lab.user(f"user{cls.people}", f"Smith{cls.people}")
        device = cls.lab.device(user, key_kind="ecP256", flaw="no-user")
        user.entry = cls.directory.person(user, **attributes)
        device.entry = cls.directory.device(device.id, user.entry)
        return user, device

    def issue(self, user, device, **how) -> str:
        return self.lab.issue(user, device, key_type="ecP256", **how)

    def check_refused(self, order: str, code: str, pointer: str, word: str = "") -> None:
        error = self.lab.error(order)
        self.assertEqual(error["code"], code, error)
        self.assertTrue(error["message"].startswith(pointer + ":"), error)
        self.assertIn(word, error["message"])
        self.assertFalse(error["retryable"], error)
        lines = [json.loads(line) for line in self.connector.audit()]
        mine = [line for line in lines if line.get("request") == order]
        self.assertTrue(any(line.get("code") == code for line in mine), mine)
        self.assertFalse(any(line["event"] in ("KEY-4030", "PKCS-1050") for line in mine), "something left")

    def check_neighbour(self) -> None:
        self.lab.open(self.neighbours_phone, self.issue(self.neighbour, self.neighbours_phone))

    def health_check(self) -> dict:
        checks = json.loads(self.connector.health("/healthz")[1])["checks"]
        return next(each for each in checks if each["name"] == "directory")


class Binding(WithDirectory):
    def test_the_owners_device_is_served(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        history = self.lab.import_history(user, (2020, 2024))
        opened = self.lab.open(device, self.lab.deliver(user, device))
        self.assertEqual([each.sha256 for each in opened.identities], [each.sha256 for each in history])
        self.assertTrue(any('"proof":"directory"' in line for line in self.connector.audit()), "by what it was proved")
        self.assertEqual(self.health_check()["status"], "ok")
        self.assertEqual(self.connector.metric("directory_up"), 1)
        self.lab.check_clean()

    def test_an_owner_may_be_written_otherwise(self) -> None:
        user, device = self.person()
        self.directory.set(device.entry, managedBy=user.entry.upper().replace(",", " , "))
        self.lab.open(device, self.issue(user, device))

    def test_at04_another_owner(self) -> None:
        victim, _ = self.person()
        thief, phone = self.person()
        self.lab.import_history(victim, (2024,))
        # The thief's genuine phone, ordered for the victim.
        self.check_refused(self.lab.deliver(victim, phone), "recipientUnbound", "/user/userPrincipalName", "another owner")
        self.check_refused(self.issue(victim, phone), "recipientUnbound", "/user/userPrincipalName", "another owner")
        self.assertNotIn(thief.upn, json.dumps(self.lab.calls("results")), "the service learns whose it is")
        self.check_neighbour()

    def test_at04_a_disabled_account(self) -> None:
        for attributes, word in (({"userAccountControl": "514"}, "userAccountControl"), ({"userAccountControl": "66050"}, "userAccountControl"),
                                 ({"nsAccountLock": "TRUE"}, "nsAccountLock"), ({"accountExpires": "132223104000000000"}, "ended"),
                                 ({"objectClass": ["inetOrgPerson", "labAccount", "shadowAccount"], "shadowExpire": "1", "uid": "x"}, "ended")):
            with self.subTest(attributes):
                user, device = self.person(**attributes)
                self.check_refused(self.issue(user, device), "recipientUnbound", "/user/userPrincipalName", word)
        user, device = self.person(accountExpires="9223372036854775807")
        self.lab.open(device, self.issue(user, device))

    def test_at04_a_disabled_device(self) -> None:
        user, device = self.person()
        self.directory.set(device.entry, userAccountControl="4098")
        self.check_refused(self.issue(user, device), "recipientUnbound", "/device/id", "userAccountControl")

    def test_at04_two_entries(self) -> None:
        user, device = self.person()
        second = self.directory.person(user, f"uid=second{self.people},{PEOPLE}")
        self.check_refused(self.issue(user, device), "recipientUnbound", "/user/userPrincipalName", "several")
        self.directory.remove(second)
        third = self.directory.device(device.id, user.entry, f"cn={device.id}+serialNumber=2,{DEVICES}", serialNumber="2")
        self.check_refused(self.issue(user, device), "recipientUnbound", "/device/id", "several")
        self.directory.remove(third)
        self.lab.open(device, self.issue(user, device))

    def test_two_owners_none_and_nobody(self) -> None:
        user, device = self.person()
        self.directory.set(device.entry, managedBy=[user.entry, self.neighbour.entry])
        self.check_refused(self.issue(user, device), "recipientUnbound", "/device/id", "several owners")
        self.directory.set(device.entry, managedBy=None)
        self.check_refused(self.issue(user, device), "recipientUnbound", "/device/id", "no owner")
        self.directory.remove(device.entry)
        self.check_refused(self.issue(user, device), "recipientUnbound", "/device/id", "no such device")
        self.directory.remove(user.entry)
        self.check_refused(self.issue(user, device), "recipientUnbound", "/user/userPrincipalName", "no such person")

    def test_at04_the_directory_is_down(self) -> None:
        user, device = self.person()
        self.directory.stop()
        self.addCleanup(lambda: self.directory.running or self.directory.start())
        waiting = self.issue(user, device)
        self.connector.wait_until(lambda: "AUTH-7021" in self.connector.log(), 20, "the event that the directory is away")
        # An unfit device is refused all the same, and at once.
        self.assertEqual(self.lab.error(self.issue(user, self.lab.device(user, flaw="foreign-ca")))["code"], "recipientUntrusted")
        self.connector.wait_until(lambda: "AUTH-7023" in self.connector.log(), 20, "the request to wait")
        self.assertEqual(self.lab.state(waiting)["reports"], [])
        self.assertEqual(self.health_check()["status"], "degraded")
        self.assertEqual(self.health_check()["detail"], "directoryUnreachable")
        self.assertEqual(self.connector.health("/readyz")[0], 200)
        self.connector.wait_until(lambda: self.connector.metric("directory_up") == 0, 10, "the metric")
        doctor = self.connector.command("doctor")
        self.assertEqual(doctor.returncode, 3)
        self.assertIn(self.directory.url, doctor.stdout)
        self.directory.start()
        self.lab.open(device, waiting, timeout=60)
        self.connector.wait_until(lambda: "AUTH-7020" in self.connector.log(), 20, "the event that it is back")
        self.assertEqual(self.health_check()["status"], "ok")

    def test_disabled_between_intake_and_wrapping(self) -> None:
        user, device = self.person()
        self.lab.import_history(user, (2024,))
        # The store answers late: the account goes meanwhile.
        seen = self.lab.last_call()
        self.lab.fault("late", call="imports")
        order = self.lab.deliver(user, device)
        self.lab.wait_for_calls("imports", since=seen)
        self.directory.set(user.entry, userAccountControl="514")
        self.lab.good()
        self.check_refused(order, "recipientUnbound", "/user/userPrincipalName", "at wrapping")
        self.check_neighbour()

    def test_a_filter_cannot_be_written_by_the_service(self) -> None:
        user, device = self.person()
        for upn in ("*", "user*@corp.example", f"{user.upn})(objectClass=*", f"*)(uid={user.upn.partition('@')[0]}", "\\2a", f"{user.upn}\\00x",
                    "x)(|(objectClass=*", "ü*(){}\\@corp.example"):
            with self.subTest(upn=upn):
                request = self.lab.issue_request(user, device, key_type="ecP256")
                request["user"]["userPrincipalName"] = upn
                self.check_refused(self.lab.queue(request)[0], "recipientUnbound", "/user/userPrincipalName", "no such person")
        asked = self.directory.searches()
        self.assertFalse([one for one in asked if "(uid=" in one or "(objectClass=*" in one and "userPrincipalName" in one], asked)
        self.check_neighbour()


class Identity(WithDirectory):
    """The device certificate says whose it is; names and mailboxes are the directory's."""
    config = {"policy": {"allowed_san_types": ["email", "upn", "uri"], "allow_security_identifier": True}}
    section = {"cache_seconds": 0}

    def certificate(self, user, device, **how):
        return self.lab.open(device, self.issue(user, device, **how)).identities[0].certificate

    def test_names_and_mailboxes_are_the_directorys(self) -> None:
        user, device = self.person(objectSid=binary_sid(21, 1, 2, 3, 1104), proxyAddresses=["SMTP:first@corp.example", "smtp:alias@corp.example", "sip:a@b.example"])
        user.mail = "alias@corp.example"
        sid = "tag:microsoft.com,2022-09-14:sid:S-1-5-21-1-2-3-1104"
        self.certificate(user, device, sans=[("email", "{{EmailAddress}}"), ("email", "first@corp.example"), ("upn", "{{UserPrincipalName}}")])
        # The policy lets the directory's own identifier pass; it is the embedded authority whose constraints refuse any URI.
        self.assertEqual(self.lab.error(self.issue(user, device, sans=[("email", "{{EmailAddress}}"), ("uri", sid)]))["code"], "authorityRejected")
        self.check_refused(self.issue(user, device, sans=[("email", "{{EmailAddress}}"), ("uri", sid.replace("1104", "500"))]), "policyRefused",
                           "/profile/subjectAltNames/1/value")

    def test_at13_literal_names_of_another_person(self) -> None:
        user, device = self.person()
        chief = self.neighbour
        for what, pointer in ((dict(sans=[("email", chief.upn)]), "/profile/subjectAltNames/0/value"),
                              (dict(subject=f"CN={{{{GivenName}}}} {{{{SurName}}}},E={chief.upn}"), "/profile/subject"),
                              (dict(subject=f"CN={chief.given_name} {chief.surname}"), "/profile/subject"),
                              (dict(sans=[("email", "{{EmailAddress}}"), ("upn", chief.upn)]), "/profile/subjectAltNames/1/value")):
            with self.subTest(what):
                self.check_refused(self.issue(user, device, **what), "policyRefused", pointer)
        self.check_neighbour()

    def test_at14_claims_that_differ_from_the_directory(self) -> None:
        user, device = self.person()
        for field, value, subject in (("mail", self.neighbour.upn, None), ("mail", "ceo@corp.example", None), ("givenName", "Carla", None),
                                      ("surname", "Chief", None), ("displayName", "Carla Chief", "CN={{DisplayName}}")):
            with self.subTest(field=field, value=value):
                request = self.lab.issue_request(user, device, key_type="ecP256", **({"subject": subject} if subject else {}))
                request["user"][field] = value
                self.check_refused(self.lab.queue(request)[0], "policyRefused", f"/user/{field}")
        self.check_neighbour()

    def test_what_the_directory_no_longer_says_is_not_certified(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        self.directory.set(user.entry, mail="new@corp.example")
        self.check_refused(self.issue(user, device), "policyRefused", "/user/mail")

    def test_an_imported_record_needs_the_directorys_mailbox(self) -> None:
        user, device = self.person(mail="somebody.else@corp.example")
        self.lab.import_history(user, (2024,))
        self.assertEqual(self.lab.error(self.lab.deliver(user, device))["code"], "importInvalid")
        self.directory.set(user.entry, proxyAddresses=["smtp:" + user.upn.upper()])
        self.lab.open(device, self.lab.deliver(user, device))


class Kept(WithDirectory):
    """An answer holds for cache_seconds at intake, and never when keys are wrapped."""
    section = {"cache_seconds": 600}

    def test_wrapping_asks_anew(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        self.directory.set(user.entry, userAccountControl="514")
        order = self.issue(user, device)
        error = self.lab.error(order)
        self.assertEqual(error["code"], "recipientUnbound")
        self.assertIn("(at wrapping)", error["message"], "intake was asked anew: the cache is without effect")
        self.assertFalse(any("KEY-4030" in line and order in line for line in self.connector.audit()))

    def test_one_who_was_not_found_need_not_wait(self) -> None:
        user, device = self.person()
        self.directory.set(device.entry, managedBy=None)
        self.check_refused(self.issue(user, device), "recipientUnbound", "/device/id", "no owner")
        self.directory.set(device.entry, managedBy=user.entry)
        self.lab.open(device, self.issue(user, device))


if __name__ == "__main__":
    unittest.main()
