#!/usr/bin/python3
"""SIGHUP: certificates, credentials, policy, authorities and log level anew, whole or not at all, and nothing in work is lost."""
import contextlib
import http.client
import json
import shutil
import socket
import ssl
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402


class Reload(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.connector: Connector = cls.lab.connector()
        cls.people = 0

    def setUp(self) -> None:
        self.text = self.connector.config_file.read_text()
        self.settings = self.connector.settings
        self.addCleanup(self.back)

    def back(self) -> None:
        self.connector.settings = self.settings
        if self.connector.config_file.read_text() != self.text:
            self.connector.config_file.write_text(self.text)
            self.reloaded()

    # -- tools --------------------------------------------------------------------------------------------------------
    def events(self, number: str) -> list[str]:
        return [line for line in self.connector.log().splitlines() if number in line]

    def told(self, number: str) -> str:
        """Asks for a reload and answers the audit log's line on its end, which has to be this one; the log counts equal lines."""
        before = {each: self.audited(each) for each in ("SVC-5016", "SVC-5017")}
        self.connector.reload()
        self.connector.wait_until(lambda: any(self.audited(each) > count for each, count in before.items()), 20, "the end of the reload")
        self.assertEqual([each for each, count in before.items() if self.audited(each) > count], [number], self.connector.tail())
        return [line for line in self.connector.audit() if number in line][-1]

    def reloaded(self) -> str:
        return self.told("SVC-5016")

    def refused(self) -> str:
        return self.told("SVC-5017")

    def order(self, **how) -> str:
        type(self).people += 1
        user = self.lab.user(f"reload{self.people}", **{key: how.pop(key) for key in ("mail",) if key in how})
        return self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type=how.pop("key_type", "ecP256"), **how)

    def audited(self, number: str) -> int:
        return sum(number in line for line in self.connector.audit())

    def ask_health(self, path: str, token: str | None = None, tls: bool = True) -> tuple[int, str]:
        """Over TLS, by the lab's service authority."""
        anchors = ssl.create_default_context(cafile=str(self.lab.pki.path("service-ca.crt"))) if tls else None
        connection = http.client.HTTPSConnection("127.0.0.1", self.connector.health_port, timeout=10, context=anchors) if tls else \
            http.client.HTTPConnection("127.0.0.1", self.connector.health_port, timeout=10)
        try:
            connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    # -- what is new holds --------------------------------------------------------------------------------------------
    def test_the_health_endpoint_under_tls_and_its_token(self) -> None:
        secrets = self.connector.directory / "secrets"
        certificate, key, token = secrets / "health.crt", secrets / "health.key", secrets / "health.token"
        shutil.copy(self.lab.pki.path("service.crt"), certificate)
        shutil.copy(self.lab.pki.path("service.key"), key)
        key.chmod(0o600)
        token.write_text("0123456789abcdef0123456789abcdef\n")
        token.chmod(0o600)
        self.connector.configure({"health": {"tls_certificate": str(certificate), "tls_key": f"file:{key}", "token": f"file:{token}"}})
        self.reloaded()
        self.assertEqual(self.ask_health("/livez"), (200, "ok\n"))
        self.assertEqual(json.loads(self.ask_health("/readyz")[1])["ready"], True)
        with self.assertRaises((ConnectionError, http.client.HTTPException)):
            self.ask_health("/livez", tls=False)
        with self.assertRaises(ssl.SSLError):
            context = ssl.create_default_context(cafile=str(self.lab.pki.path("service-ca.crt")))
            context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
            with socket.create_connection(("127.0.0.1", self.connector.health_port), 10) as plain, context.wrap_socket(plain, server_hostname="127.0.0.1"):
                pass
        self.assertEqual(self.ask_health("/full", "0123456789abcdef0123456789abcdef")[0], 404, "page is read at the start alone")
        token.write_text("short\n")
        self.assertIn("fewer than 20 characters", self.refused())
        token.write_text("0123456789abcdef0123456789abcdef\n")
        shutil.copy(self.lab.pki.path("delivery.crt"), certificate)
        self.assertIn("does not carry the key", self.refused())
        self.assertEqual(self.ask_health("/livez"), (200, "ok\n"), "the old one stays")
        shutil.copy(self.lab.pki.path("service.crt"), certificate)
        self.connector.configure({"health": {"page": "full"}})
        self.connector.terminate()
        self.connector.start(wait_ready=False)

        def ready() -> bool:
            with contextlib.suppress(ConnectionError):
                return self.ask_health("/readyz")[0] == 200
            return False  # nobody listens yet
        self.connector.wait_until(ready, 20, "readiness")
        failed = self.order(subject="CN=somebody else")
        error = self.lab.error(failed)
        self.connector.wait_until(lambda: failed in self.ask_health("/full", "0123456789abcdef0123456789abcdef")[1], 10, "the failed order on the page")
        status, page = self.ask_health("/full", "0123456789abcdef0123456789abcdef")
        self.assertEqual(status, 200)
        self.assertIn(error["code"], page)
        self.assertIn(f"reload{self.people}@corp.example", page)
        for wrong in (None, "0123456789abcdef0123456789abcdeF"):
            status, answer = self.ask_health("/full", wrong)
            self.assertEqual(status, 401)
            self.assertNotIn("@corp.example", answer + self.ask_health("/")[1])
        self.assertNotIn("0123456789abcdef", self.connector.log() + "".join(self.connector.audit()))

    def test_policy(self) -> None:
        self.lab.delivered(self.order())
        self.connector.configure({"policy": {"key_types": ["rsa2048"]}})
        self.reloaded()
        error = self.lab.error(self.order())
        self.assertEqual(error["code"], "policyRefused")
        self.lab.delivered(self.order(key_type="rsa2048"))

    def test_limits(self) -> None:
        self.connector.configure({"limits": {"issue_per_hour": 4711}})
        self.reloaded()
        rows = json.dumps(self.connector.command_json("limits", "show"))
        self.assertIn("4711", rows)

    def test_an_authority_comes_and_goes(self) -> None:
        place = Path(self.connector.settings["storage"]["directory"]) / "second-ca"
        self.connector.command("local-ca", "create", "--directory", place, "--name", "Second", "--domain", "corp.example", "--root-out",
                               self.connector.directory / "second-root.key", check=True)
        second = {**self.connector.settings["authority"]["corp"], "directory": place}
        self.assertEqual(self.lab.error(self.order(authority="second"))["code"], "authorityMisconfigured")
        self.connector.configure({"authority": {"second": second}})
        self.reloaded()
        names = [each["name"] for each in self.connector.command_json("authority", "list")["authorities"]]
        self.assertEqual(names, ["corp", "second"])
        self.lab.delivered(self.order(authority="second"))
        self.lab.delivered(self.order(authority="corp"))
        self.connector.configure({"authority": {"second": None}})
        self.reloaded()
        self.assertEqual([each["name"] for each in self.connector.command_json("authority", "list")["authorities"]], ["corp"])
        self.assertEqual(self.lab.error(self.order(authority="second"))["code"], "authorityMisconfigured")
        self.assertEqual(self.connector.metric("authority_up", authority="corp"), 1)

    def test_log_level(self) -> None:
        self.connector.configure({"log": {"level": "error"}})
        audited = self.audited("SVC-5016")
        self.connector.reload()
        self.connector.wait_until(lambda: self.audited("SVC-5016") > audited, 20, "the reload")
        count = len(self.connector.log().splitlines())
        self.lab.delivered(self.order())
        self.assertEqual([line for line in self.connector.log().splitlines()[count:] if " info " in line], [])
        self.connector.configure({"log": {"level": "debug"}})
        self.reloaded()
        self.lab.delivered(self.order())
        self.assertGreater(len(self.events("PKCS-1050")), 0)

    def test_the_connectors_own_certificate(self) -> None:
        old = self.connector.command_json("status")["certificateExpiresAt"]
        before = self.audited("SVC-5016")
        renewed = json.loads(self.connector.command("enroll", "--renew", "--json", check=True).stdout)
        self.assertIs(renewed["restartNeeded"], False)
        self.connector.wait_until(lambda: self.audited("SVC-5016") == before + 1, 20, "the reload that the daemon was asked for")
        since = self.lab.last_call()
        self.lab.delivered(self.order())
        self.assertEqual([each for each in self.lab.calls(since=since) if each["call"] == "results" and each["status"] != 200], [])
        checks = json.loads(self.connector.command("doctor", "--json").stdout)["checks"]
        self.assertEqual([each for each in checks if each["name"] == "certificate in use"], [], old)

    def test_delivery_certificate(self) -> None:
        files = {name: self.connector.directory / f"delivery-{name}" for name in ("certificate", "key")}
        self.connector.command("delivery-key", "create", "--certificate", files["certificate"], "--key-file", files["key"], check=True)
        self.connector.configure({"delivery": {"certificate": files["certificate"], "key": f"file:{files['key']}", "chain_file": None}})
        self.reloaded()
        user = self.lab.user("signed")
        device = self.lab.device(user, key_kind="ecP256")
        identifier = self.lab.issue(user, device, key_type="ecP256")
        self.lab.delivered(identifier)
        with self.assertRaises(Exception):  # the device pins the one from before
            device.open(self.lab.result(identifier))

    # -- what is wrong is refused whole -------------------------------------------------------------------------------
    def test_a_broken_file_changes_nothing(self) -> None:
        for name, text in (("not TOML", "[policy\n"), ("a wrong value", self.text.replace('level = "debug"', 'level = "error"') + "\n[nonsense]\nx = 1\n"),
                           ("a key file that is not there", self.text.replace("import-key.pem", "elsewhere.pem"))):
            with self.subTest(name):
                self.connector.config_file.write_text(text)
                lines = len(self.connector.log().splitlines())
                self.assertIn("connector.toml:", self.refused())
                self.assertTrue([line for line in self.connector.log().splitlines()[lines:] if " error " in line and "connector.toml:" in line and "SVC" not in line])
                self.lab.delivered(self.order())
                self.assertEqual(self.connector.health("/readyz")[0], 200)

    def test_a_file_that_cannot_be_built_from_changes_nothing(self) -> None:
        """The configuration is well-formed; what it names is not."""
        broken = self.connector.directory / "broken.pem"
        broken.write_text("no certificate")
        self.connector.configure({"recipients": {"ca_file": broken}, "policy": {"key_types": ["rsa2048"]}})
        self.assertIn("[recipients] ca_file", self.refused())
        self.lab.delivered(self.order())

    def test_what_needs_a_restart(self) -> None:
        self.connector.configure({"connector": {"drain_seconds": 7}})
        self.assertIn("connector.drain_seconds", self.reloaded())
        elsewhere = self.lab.directory / "elsewhere"
        shutil.copytree(self.connector.settings["authority"]["corp"]["directory"], elsewhere)
        self.addCleanup(shutil.rmtree, elsewhere)
        self.connector.configure({"authority": {"outside": {**self.connector.settings["authority"]["corp"], "directory": elsewhere}}})
        if "writing confined" in self.events("SVC-5029")[-1]:
            self.assertIn("restart", self.refused())
            self.lab.delivered(self.order())

    def test_what_is_beyond_its_reach_is_refused_and_the_old_rules_stay(self) -> None:
        password = self.connector.directory / "reader.password"
        password.write_text("secret")
        password.chmod(0o600)
        base = "dc=corp,dc=example"
        self.connector.configure({"directory": {"url": "ldaps://127.0.0.1:9", "ca_file": self.lab.pki.path("service-ca.crt"), "bind": "simple", "bind_name": base,
                                                "credential": f"file:{password}", "user_base": base, "device_base": base},
                                  "recipients": {"binding": "directory"}, "policy": {"identity": "directory"}})
        said = self.refused()
        self.assertIn("[directory] was asked for nothing until now", said)
        self.assertIn("restart", said)
        self.lab.delivered(self.order())

    # -- work in progress ---------------------------------------------------------------------------------------------
    def test_nothing_in_work_is_lost(self) -> None:
        orders = [self.order(key_type="rsa2048") for _ in range(8)]
        for level in ("info", "debug", "info"):
            self.connector.configure({"log": {"level": level}})
            self.connector.reload()
        orders += [self.order() for _ in range(4)]
        self.connector.configure({"log": {"level": "debug"}})
        self.reloaded()
        for identifier in orders:
            self.lab.delivered(identifier, 60)
        for identifier in orders:
            self.assertEqual(len(self.lab.state(identifier)["reports"]), 1)
        self.lab.check_clean()


if __name__ == "__main__":
    unittest.main(verbosity=2)
