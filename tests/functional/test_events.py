#!/usr/bin/python3
"""Events that no other test meets: each is raised where its thing happens, with what a person needs to know."""
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Lab  # noqa: E402


class Events(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.pki = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-events-"))
        cls.lab = cls.enterClassContext(Lab(pki_directory=cls.pki))
        cls.connector = cls.lab.connector()
        cls.lab.control.delete("violations")

    def wait_line(self, event: str, *words: str, audited: bool = False) -> str:
        def found() -> str:
            lines = self.connector.audit() if audited else self.connector.log().splitlines()
            return next((line for line in lines if event in line and all(word in line for word in words)), "")
        self.connector.wait_until(found, 20, f"{event} {words}")
        return found()

    def run_again(self) -> subprocess.CompletedProcess[str]:
        done = self.connector.command("run", timeout=30)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done

    def test_a_start(self) -> None:
        self.wait_line("STO-8000", "open=")
        self.wait_line("SVC-5018", "state=ready")

    def test_an_enrolment_is_audited_and_so_is_one_that_failed(self) -> None:
        self.wait_line("MGT-6020", '"connector":', '"key":', '"by":', audited=True)
        token = self.connector.directory / "secrets" / "used.token"
        token.write_text("NoSuchToken0123456789\n")
        token.chmod(0o600)
        self.assertNotEqual(self.connector.command("enroll", "--token-file", token, "--anew").returncode, 0)
        self.wait_line("MGT-6021", '"reason":', audited=True)

    def test_a_second_instance(self) -> None:
        self.assertIn("SVC-5014", self.run_again().stderr)

    def test_a_faulty_configuration(self) -> None:
        file = self.connector.directory / "faulty.toml"
        file.write_text("[management]\nurl = 7\n")
        done = subprocess.run([os.environ["PFX_CONNECTOR"], "--config", file, "run"], capture_output=True, text=True, check=False, timeout=30)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("SVC-5015", done.stderr)
        self.assertIn("faulty.toml:", done.stderr)

    def test_an_authority_that_is_not_configured(self) -> None:
        user = self.lab.user("nowhere")
        device = self.lab.device(user, key_kind="ecP256")
        order = self.lab.issue_request(user, device, key_type="ecP256")
        order["profile"]["authority"] = "elsewhere"
        identifier, = self.lab.queue(order)
        self.assertEqual(self.lab.error(identifier)["code"], "authorityMisconfigured")
        self.wait_line("AUTH-7007", identifier, "elsewhere")

    def test_a_user_that_the_device_certificate_does_not_name(self) -> None:
        user, other = self.lab.user("claimed"), self.lab.user("named")
        device = self.lab.device(other, key_kind="ecP256")
        order = self.lab.issue(user, device, key_type="ecP256")
        self.assertEqual(self.lab.error(order)["code"], "recipientUnbound")
        self.wait_line("KEY-4010", order, audited=True)

    def test_what_is_wrong_with_an_imported_record(self) -> None:
        user = self.lab.user("records")
        whole = self.lab.import_history(user, (2018, 2020, 2022, 2024))
        self.assertEqual(len(whole), 4)
        first = self.lab.device(user, key_kind="ecP256")
        self.lab.open(first, self.lab.deliver(user, first))
        # Removed at the service: devices that come later do not get it, and somebody hears of it.
        listed = self.connector.command_json("import", "list", "--user", user.upn)["certificates"]
        gone = listed[0]["thumbprint"]
        self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", gone, check=True)
        second = self.lab.device(user, platform="windows", key_kind="ecP256")
        order = self.lab.deliver(user, second)
        self.assertEqual(len(self.lab.open(second, order).identities), 3)
        self.wait_line("IMP-2062", order, gone.lower(), audited=True)

    def test_z_a_key_that_is_none(self) -> None:
        self.connector.terminate()
        key = Path(next(iter(self.connector.settings["import"].values()))["key"].removeprefix("file:"))
        right = key.read_bytes()
        key.write_bytes(b"no key at all\n")
        try:
            self.run_again()
            self.assertTrue(any("KEY-4041" in line and key.name in line for line in self.connector.audit()))
        finally:
            key.write_bytes(right)
            self.connector.start()


class Approval(unittest.TestCase):
    def test_a_connector_that_nobody_has_approved(self) -> None:
        lab = self.enterContext(Lab(approve="manual"))
        connector = lab.connector(wait_ready=False)
        connector.wait_until(lambda: "MGT-6025" in connector.log(), 20, "the event")


if __name__ == "__main__":
    unittest.main()
