#!/usr/bin/python3
"""[notify]: mail to administrators and persons over a real server with TLS; what cannot be sent delays nothing and says so."""
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import mail_server  # noqa: E402
from lab import Lab  # noqa: E402
from mail_server import MailServer  # noqa: E402


class Mail(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.server = cls.enterClassContext(MailServer(cls.lab.pki))
        cls.connector = cls.lab.connector({"policy": {"protected_users": ["carla@corp.example"]}}, start=False)
        cls.configure(cls.server.url)
        cls.connector.start()
        cls.people = 0

    @classmethod
    def configure(cls, url: str, **more) -> None:
        cls.connector.configure({"notify": {
            "smtp": url, "ca_file": cls.lab.pki.path("service-ca.crt"), "from": "connector@corp.example", "to": ["admin@corp.example"], "user": mail_server.USER,
            "password": cls.connector._secret("mail.password", mail_server.PASSWORD.encode()), "events": ["newRecipient", "held", "limit"], "tell_users": True,
            "interval_seconds": 1, **more}})

    def serve(self) -> str:
        """A new person's first order; how it is served does not hang on the mail."""
        type(self).people += 1
        user = self.lab.user(f"mail{self.people}")
        phone = self.lab.device(user, key_kind="ecP256")
        began = time.monotonic()
        self.assertEqual(len(self.lab.open(phone, self.lab.issue(user, phone, key_type="ecP256")).identities), 1)
        self.assertLess(time.monotonic() - began, 15)
        return phone.id

    def mails_to(self, address: str, word: str) -> list:
        return [mail for to, mail, _ in self.server.mails if address in to and word in mail.get_content()]

    def restart(self, url: str, **more) -> None:
        self.connector.terminate()
        self.configure(url, **more)
        self.connector.start()

    def test_a_new_device_is_told_to_the_administrator_and_to_the_person(self) -> None:
        device = self.serve()
        self.connector.wait_until(lambda: self.mails_to("admin@corp.example", device), 20, "the administrator's mail")
        person = f"mail{self.people}@corp.example"
        self.connector.wait_until(lambda: self.mails_to(person, device), 20, "the person's mail")
        self.assertTrue(self.server.mails, "they came over STARTTLS with a password: the server takes nothing else")
        mail = self.mails_to(person, device)[0]
        self.assertEqual(mail["To"], person)
        self.assertEqual(mail["From"], "connector@corp.example")
        self.assertEqual(mail["Auto-Submitted"], "auto-generated")
        self.assertIn("KEY-4006", mail.get_content())
        self.assertIn("What to do", self.mails_to("admin@corp.example", device)[0].get_content())
        for _, _, octets in self.server.mails:
            for secret in (b"PRIVATE", b"BEGIN", mail_server.PASSWORD.encode(), b"pkcs8"):
                self.assertNotIn(secret, octets)
        self.assertNotIn(mail_server.PASSWORD, self.connector.log())

    def test_a_hold_is_told(self) -> None:
        carla = self.lab.user("carla", "Chief")
        order = self.lab.issue(carla, self.lab.device(carla, key_kind="ecP256"), key_type="ecP256")
        self.connector.wait_until(lambda: self.mails_to("admin@corp.example", order), 20, "the mail")
        self.assertIn("protected", self.mails_to("admin@corp.example", order)[0].get_content())
        self.connector.command("requests", "abandon", order, check=True)

    def test_many_are_one_letter(self) -> None:
        self.restart(self.server.url, interval_seconds=3)
        self.serve()  # the first goes out at once
        before = len(self.server.mails)
        devices = [self.serve() for _ in range(4)]
        self.connector.wait_until(lambda: all(self.mails_to("admin@corp.example", each) for each in devices), 20, "the digest")
        letters = [mail for to, mail, _ in self.server.mails[before:] if to == ["admin@corp.example"]]
        self.assertLess(len(letters), 4)

    def test_a_server_that_is_away_or_hangs_delays_nobody(self) -> None:
        self.server.keeper.hang.clear()
        self.addCleanup(self.server.keeper.hang.set)
        first = self.serve()
        second = self.serve()
        self.server.keeper.hang.set()
        for device in (first, second):
            self.connector.wait_until(lambda each=device: self.mails_to("admin@corp.example", each), 20, "it comes afterwards")
        with MailServer(self.lab.pki) as gone:
            url = gone.url
        log = len(self.connector.log())
        self.restart(url)
        self.serve()
        self.connector.wait_until(lambda: "SVC-5026" in self.connector.log()[log:], 20, "the event")
        self.assertIn("mail server", self.connector.command("doctor").stdout)
        self.restart(self.server.url)

    def test_nothing_is_said_where_the_server_is_not_proved(self) -> None:
        for mode, certificate in (("starttls", "service-wrong-name"), ("tls", "service-foreign"), ("clear", "service")):
            with self.subTest(f"{mode} {certificate}"), MailServer(self.lab.pki, mode, certificate=certificate) as impostor:
                log = len(self.connector.log())
                self.restart(impostor.url)
                self.serve()
                self.connector.wait_until(lambda: "mailTlsFailed" in self.connector.log()[log:], 20, "the event")
                self.assertEqual(impostor.mails, [])
                said = self.connector.command("doctor")
                self.assertEqual(said.returncode, 3)
                self.assertIn("notify.ca_file", said.stdout)
        self.restart(self.server.url)

    def test_doctor_tries_it(self) -> None:
        self.assertRegex(self.connector.command("doctor").stdout, "mail server.*answers and takes the credential")


if __name__ == "__main__":
    unittest.main()
