#!/usr/bin/python3
"""The directory as most have it: an Active Directory (Samba), asked with a Kerberos keytab and with a password, with the connector's defaults."""
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
import samba  # noqa: E402
from lab import Lab  # noqa: E402


class ActiveDirectory(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-ad-")))
        cls.ad = cls.enterClassContext(samba.SambaAd(place, cls.lab.pki))
        cls.ad.account("pfx-connector")
        cls.keytab = cls.ad.keytab("pfx-connector")
        cls.password = pki.write(place / "password", samba.PASSWORD.encode(), private=True)
        cls.people = 0
        cls.connector = cls.lab.connector({**cls.ad.config(credential=f"file:{cls.keytab}", cache_seconds=0),
                                           "policy": {"identity": "directory", "allowed_san_types": ["email", "upn", "uri"], "allow_security_identifier": True}},
                                          start=False)
        cls.connector.environment["KRB5_CONFIG"] = str(cls.ad.krb5)
        cls.connector.start()

    def person(self):
        type(self).people += 1
        user = self.lab.user(f"user{self.people}", f"Smith{self.people}")
        device = self.lab.device(user, f"phone{self.people}", key_kind="ecP256", flaw="no-user")
        user.entry = self.ad.person(user)
        device.entry = self.ad.device(device.id, user.entry)
        return user, device

    def issue(self, user, device, **how) -> str:
        return self.lab.issue(user, device, key_type="ecP256", **how)

    def test_by_keytab_a_person_is_served_with_names_upn_and_security_identifier(self) -> None:
        user, device = self.person()
        sid = self.ad.security_identifier(user.entry)
        tag = f"tag:microsoft.com,2022-09-14:sid:{sid}"
        opened = self.lab.open(device, self.issue(user, device, sans=[("email", "{{EmailAddress}}"), ("upn", "{{UserPrincipalName}}")]))
        self.assertEqual(len(opened.identities), 1)
        # The policy lets the directory's own identifier pass; it is the embedded authority whose constraints refuse any URI.
        self.assertEqual(self.lab.error(self.issue(user, device, sans=[("email", "{{EmailAddress}}"), ("uri", tag)]))["code"], "authorityRejected")
        wrong = tag.rpartition("-")[0] + "-500"
        self.assertEqual(self.lab.error(self.issue(user, device, sans=[("email", "{{EmailAddress}}"), ("uri", wrong)]))["code"], "policyRefused")
        checks = [each for each in json.loads(self.connector.command("doctor", "--json").stdout)["checks"] if each["area"] == "directory"]
        self.assertEqual({each["verdict"] for each in checks}, {"ok"}, checks)

    def test_proxy_addresses(self) -> None:
        user, device = self.person()
        self.ad.set(user.entry, "proxyAddresses", f"SMTP:{user.upn}", "smtp:alias@corp.example", "sip:x@corp.example")
        user.mail = "alias@corp.example"
        self.lab.open(device, self.issue(user, device))
        user.mail = "x@corp.example"
        self.assertEqual(self.lab.error(self.issue(user, device))["code"], "policyRefused")

    def test_another_owner_and_disabled_accounts(self) -> None:
        victim, phone = self.person()
        thief, stolen = self.person()
        for who, word in ((victim, "another owner"), (thief, "userAccountControl")):
            if who is thief:
                self.ad.tool("user", "disable", thief.upn.partition("@")[0])
            error = self.lab.error(self.issue(who, stolen))
            self.assertEqual(error["code"], "recipientUnbound")
            self.assertTrue(error["message"].startswith("/user/userPrincipalName:"), error)
            self.assertIn(word, error["message"])
        self.ad.set(phone.entry, "userAccountControl", "4098")
        error = self.lab.error(self.issue(victim, phone))
        self.assertEqual(error["code"], "recipientUnbound")
        self.assertTrue(error["message"].startswith("/device/id:"), error)

    def test_away_and_back(self) -> None:
        user, device = self.person()
        self.ad.stop()
        order = self.issue(user, device)
        self.connector.wait_until(lambda: "AUTH-7023" in self.connector.log(), 30, "the order to wait")
        self.assertEqual(self.lab.state(order)["reports"], [])
        self.ad.start()
        self.lab.open(device, order, timeout=90)

    def test_by_password(self) -> None:
        user, device = self.person()
        self.connector.terminate()
        keys = {"bind": "simple", "bind_name": f"pfx-connector@{samba.REALM.lower()}", "credential": f"file:{self.password}"}
        self.connector.configure({"directory": keys})
        try:
            self.connector.start()
            self.lab.open(device, self.issue(user, device))
        finally:
            self.connector.terminate()
            self.connector.configure({"directory": {"bind": "gssapi", "bind_name": None, "credential": f"file:{self.keytab}"}})
            self.connector.start()

    def test_a_void_keytab_is_refused_and_named(self) -> None:
        other = self.ad.account("other")
        self.assertTrue(other)
        void = self.ad.keytab("other")
        self.ad.tool("user", "setpassword", "other", "--newpassword", samba.PASSWORD + "2")
        self.connector.terminate()
        self.connector.configure({"directory": {"credential": f"file:{void}"}})
        try:
            self.connector.start()
            self.connector.wait_until(lambda: "AUTH-7022" in self.connector.log(), 30, "the event")
            doctor = self.connector.command("doctor")
            self.assertEqual(doctor.returncode, 3)
            self.assertIn("keytab", doctor.stdout)
        finally:
            self.connector.terminate()
            self.connector.configure({"directory": {"credential": f"file:{self.keytab}"}})
            self.connector.start()


if __name__ == "__main__":
    if reason := samba.missing():
        print(f"SKIPPED: Samba AD: {reason}")
        sys.exit(0)
    samba.alone()
    unittest.main()
