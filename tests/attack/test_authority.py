#!/usr/bin/python3
"""An authority that is bought, broken or misled: what it returns and how it behaves. AT-18 to 20, 47, 69."""
import unittest
from typing import Any

from harness import Attacked, at, made, matches
from est_ca import EstCa


class Authority(Attacked):
    """EST, where no certificate can be revoked over the protocol: what must not be delivered is named for a person (REV-3051)."""
    returned = {
        "18": {"client-auth": "client authentication beside mail", "smart-card": "smart card logon", "agent": "an enrolment agent", "pkinit": "Kerberos",
               "any-eku": "any purpose", "no-eku": "no purpose at all, which means any", "eku": "code signing", "ca": "a CA", "key": "another key",
               "issuer": "another issuer", "weeks": "forty years", "extension": "an extension that nobody asked for",
               "application-policies": "smart card logon as an application policy"},
        "19": {"usage": "a key usage for encryption"},
        "20": {"sid": "a security identifier of its own account", "subject-sid": "a security identifier as a URI", "name": "another subject",
               "san": "the chief's mailbox beside the victim's"},
    }

    @classmethod
    def prepare(cls) -> None:
        cls.ca = cls.enterClassContext(EstCa(cls.lab.directory / "est"))
        cls.connector.configure({"authority": {"est": cls.ca.authority(timeout_seconds=5, breaker={"failures": 100})}})

    def tearDown(self) -> None:
        self.ca.good()
        super().tearDown()

    def returns(self, number: str) -> None:
        for wrong, what in self.returned[number].items():
            with self.subTest(what):
                self.ca.settings(wrong=wrong)
                mark, before = self.mark(), len(self.ca.issued())
                order, beside = self.lab.queue(made(self.lab.issue_request(self.carla, self.carlas_phone, key_type="ecP256", authority="est")), self.honest())
                mark.beside.append(beside)
                self.check_refused(order, "certificateMismatch", "PKCS-1061")
                self.assertEqual(len(self.ca.issued()), before + 1, "the authority did issue")
                self.connector.wait_until(lambda: any("REV-3060" in line and order in line for line in self.connector.audit()), 60, "the orphan's audit line")
                self.connector.wait_until(lambda: any("REV-3051" in line and order in line for line in self.connector.audit()), 60, "a line for a person")
                self.check_neighbour(mark)
                self.check_left(mark, order)

    def check_left(self, mark: Any, order: str) -> None:
        """The register names what could not be revoked: it is live at the authority, and nobody has it."""
        for each in self.lab.state(order)["reports"]:
            self.assertEqual(each["result"]["status"], "failed")
        rows = [row for row in self.connector.command_json("issued", "list", "--limit", "1000")["issued"] if row["request"] == order]
        self.assertLessEqual(len(rows), 1)
        for device in self.attackers:
            self.assertEqual(device.identities(), mark.held[str(device.directory)])

    @at("18", "each purpose, key, issuer and lifetime that was not asked for")
    def test_at_18_what_was_not_asked_for(self) -> None:
        self.returns("18")

    @at("19", "a key usage that was not asked for")
    def test_at_19_a_key_usage_that_was_not_asked_for(self) -> None:
        self.returns("19")

    @at("20", "the connector's own account, or another person, in the certificate")
    def test_at_20_another_identity(self) -> None:
        self.returns("20")

    @at("47", "an extra root in the answer")
    def test_at_47_an_extra_root_is_not_passed_on(self) -> None:
        """Beside the leaf stands whatever the authority likes; what goes out is the verified path alone."""
        self.ca.settings(with_chain=True)
        order = self.lab.issue(self.carla, self.carlas_phone, key_type="ecP256", authority="est")
        result = self.lab.delivered(order, timeout=60)
        self.lab.open(self.carlas_phone, order)  # the device refuses a PFX that has a root in it
        self.assertEqual(len(result["chain"]), 2, "the issuing CA and its root, as configured")

    def trouble(self, what: str, fault: str, code: str, says: str = "…", count: int = -1, **options: Any) -> None:
        with self.subTest(what):
            self.ca.fault(fault, count=count, **options)
            mark = self.mark()
            order, beside = self.lab.queue(made(self.lab.issue_request(self.carla, self.carlas_phone, key_type="ecP256", authority="est")), self.honest())
            mark.beside.append(beside)
            self.check_neighbour(mark)
            if code:
                error = self.lab.error(order, timeout=60)
                self.assertEqual(error["code"], code, error)
                self.assertTrue(matches(says, error["message"]), error)
                self.assertTrue(error["message"].isprintable() and len(error["message"]) <= 512, error)
                self.assertTrue(error.get("authorityStatus", "").isprintable())
                self.check_nothing_left(mark, order)
            else:
                self.lab.control.post("cancel", {"ids": [order]})
                self.connector.command("requests", "abandon", order)
                self.assertFalse([each for each in self.lab.state(order)["reports"] if each["result"]["status"] != "failed"], "something was delivered")
            self.ca.good()

    @at("69", "control characters, markup and rubbish in its words")
    def test_at_69_its_words_are_words(self) -> None:
        self.trouble("ANSI and HTML in an error", "status", "authorityRejected", status=400, body="\x1b[31mno\x1b[0m <script>x</script>\r\nX: y\0" + "z" * 5000)

    @at("69", "answers without an end, or of megabytes")
    def test_at_69_too_much_of_everything(self) -> None:
        for fault in ("huge", "garbage", "hang"):
            self.trouble(fault, fault, "")

    @at("69", "a redirect elsewhere")
    def test_at_69_a_redirect_is_not_followed(self) -> None:
        from test_imports import Listener
        with Listener() as trap:
            self.ca.fault("redirect", count=-1, location=f"https://127.0.0.1:{trap.port}/.well-known/est/simpleenroll")
            mark = self.mark()
            order, beside = self.lab.queue(made(self.lab.issue_request(self.carla, self.carlas_phone, key_type="ecP256", authority="est")), self.honest())
            mark.beside.append(beside)
            self.check_neighbour(mark)
            self.connector.wait_until(lambda: any(each.get("fault") == "redirect" for each in self.ca.calls()), 60, "the redirect")
            self.assertEqual(trap.visitors, 0, "it was followed")
            self.lab.control.post("cancel", {"ids": [order]})
            self.connector.command("requests", "abandon", order)


if __name__ == "__main__":
    unittest.main()
