#!/usr/bin/python3
"""Tokens, certificates, sockets and files of the connector itself: AT-22, 49, 59, 61, 62, 64, 70."""
import os
import shutil
import socket
import subprocess
import sys
import unittest
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from harness import PKI, Attacked, Connector, Lab, at, openssl, pki


class Configuration(unittest.TestCase):
    """What check-config must not let pass."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI.name))

    def refused(self, config: dict[str, Any], *words: str) -> None:
        connector = self.lab.connector(config, enrol=False, start=False)
        done = connector.command("check-config")
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)
        ran = connector.command("run", timeout=60)
        self.assertEqual(ran.returncode, 2, "and run does not start with it")

    @at("22", "no domain is every domain")
    def test_at_22_no_allowed_mail_domains(self) -> None:
        self.refused({"policy": {"allowed_mail_domains": []}}, "policy.allowed_mail_domains")

    @at("64", "a sealing key that everybody may read, or that lies beside the database")
    def test_at_64_a_sealing_key_in_the_wrong_place(self) -> None:
        connector = self.lab.connector(enrol=False, start=False)
        key = Path(connector.directory / "secrets" / "sealing.key")
        key.chmod(0o644)
        done = connector.command("check-config")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("sealing.key", done.stderr)
        inside = connector.directory / "state" / "sealing.key"
        key.chmod(0o600)
        shutil.copy2(key, inside)
        connector.configure({"sealing": {"key": f"file:{inside}"}})
        done = connector.command("check-config")
        self.assertEqual(done.returncode, 2, done.stdout)

    @at("64", "an audit log that is a link to somewhere else")
    def test_at_64_a_linked_audit_log(self) -> None:
        connector = self.lab.connector(enrol=True, start=False)
        elsewhere = connector.directory / "elsewhere.txt"
        elsewhere.write_text("mine\n")
        connector.audit_file.unlink(missing_ok=True)
        connector.audit_file.symlink_to(elsewhere)
        connector.start(wait_ready=False)
        if connector.process is not None:
            try:
                connector.wait_until(lambda: "SVC-5031" in connector.log() + connector.output(), 30, "the event")
            except Exception:  # noqa: BLE001 - it may as well not start
                self.assertFalse(connector.running)
        self.assertEqual(elsewhere.read_text(), "mine\n")


class Stolen(unittest.TestCase):
    """A one-time token or the connector's own pair in somebody's hands. What the service owes here is shown by the lab."""

    def setUp(self) -> None:
        self.lab = self.enterContext(Lab(pki_directory=PKI.name))

    @at("59", "a second connector, enrolled by a stolen token")
    def test_at_59_a_stolen_token(self) -> None:
        honest = self.lab.connector()
        self.lab.settings(approve="manual")
        second = self.lab.connector(name="thief", wait_ready=False)
        second.wait_until(lambda: "notApproved" in second.health("/readyz")[1], 60, "the refusal")
        user = self.lab.user("waiting")
        order = self.lab.issue(user, phone := self.lab.device(user, key_kind="ecP256"), key_type="ecP256")
        self.assertEqual(len(self.lab.open(phone, order).identities), 1, "the honest one goes on")
        self.assertEqual({each["connector"] for each in self.lab.state(order)["reports"]}, {self.honest_id(honest)})
        printed = second.enrol(self.lab.token())
        self.assertRegex(printed, "[0-9a-fA-F:]{64,}", "what an administrator compares")

    @staticmethod
    def honest_id(connector: Connector) -> str:
        certificate = x509.load_pem_x509_certificate((connector.directory / "state" / "connector.crt").read_bytes())
        return str(certificate.subject.get_attributes_for_oid(x509.oid.NameOID.COMMON_NAME)[0].value)

    @at("61", "a thief renews with the stolen pair, and the real one notices")
    def test_at_61_a_thief_renews(self) -> None:
        connector = self.lab.connector()
        state, name = connector.directory / "state", self.honest_id(connector)
        key = pki.make_key()
        csr = x509.CertificateSigningRequestBuilder().subject_name(pki.common_name(name)).sign(key, hashes.SHA256())
        thief = self.lab.client(state / "connector.crt", state / "connector.key")
        renewed = thief.call("POST", f"/connectors/{name}/certificate", {"csr": csr.public_bytes(pki.serialization.Encoding.PEM).decode()})
        self.assertEqual(renewed.status, 200, renewed.body)
        stolen = pki.write(self.lab.directory / "thief.crt", renewed.json["certificate"].encode())
        pair = pki.write(self.lab.directory / "thief.key", pki.key_pem(key), private=True)
        used = self.lab.client(stolen, pair).call("POST", f"/connectors/{name}/lease", {"maxRequests": 1, "waitSeconds": 0, "kinds": ["pkcs.issue"]},
                                                  Idempotency_Key="thief")
        self.assertEqual(used.status, 200, used.body)
        connector.wait_until(lambda: connector.health("/readyz")[0] == 503, 60, "not-readiness")
        connector.wait_until(lambda: "MGT-6003" in connector.log(), 60, "the event")


class Socket(unittest.TestCase):
    @at("62", "the control socket, from another account")
    def test_at_62_the_socket_from_another_account(self) -> None:
        lab = self.enterContext(Lab(pki_directory=PKI.name))
        connector = lab.connector({"recipients": {"binding": "register"}})
        user = lab.user("held")
        phone = lab.device(user, key_kind="ecP256")
        order = lab.issue(user, phone, key_type="ecP256")
        connector.wait_until(lambda: connector.command_json("requests", "list", "--stage", "held")["requests"], 60, "the hold")
        path = Path(connector.settings["control"]["socket"])
        self.assertEqual(path.stat().st_mode & 0o007, 0, "nothing for others")
        if os.geteuid() != 0:
            self.skipTest("not root: there is no other account to be")
        asking = ("import os, socket, sys\nos.setgroups([])\nos.setgid(65534)\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
                  "try:\n    s.connect(sys.argv[1])\nexcept PermissionError:\n    sys.exit(13)\n")
        # The lab's directory is private by itself; only the socket's own rights are asked here.
        for place in (lab.directory, connector.directory):
            place.chmod(0o755)
        done = subprocess.run([sys.executable, "-c", asking, str(path)], check=False, timeout=30)
        self.assertEqual(done.returncode, 13, "another account was let in")
        self.assertEqual(lab.state(order)["reports"], [])

    @at("62", "a socket that somebody else has put there first")
    def test_at_62_a_squatted_socket(self) -> None:
        lab = self.enterContext(Lab(pki_directory=PKI.name))
        connector = lab.connector(start=False)
        path = Path(connector.settings["control"]["socket"])
        squatter = socket.socket(socket.AF_UNIX)
        self.addCleanup(squatter.close)
        squatter.bind(str(path))
        squatter.listen()
        connector.start(wait_ready=False)
        # Either it takes the place for itself, or it does not start; it never lets another answer for it.
        try:
            connector.wait_ready(30)
            self.assertEqual(connector.command("status").returncode, 0)
            squatter.settimeout(0)
            with self.assertRaises(BlockingIOError, msg="the command went to the squatter"):
                squatter.accept()
        except Exception:  # noqa: BLE001
            if connector.running:
                raise


class Bounds(Attacked):
    """What the service says about time."""

    @at("49", "a lease until the year 9999, and an order of the year 1970")
    def test_at_49_times_without_measure(self) -> None:
        for fault in ("far-leases", "expired-leases"):
            with self.subTest(fault):
                self.lab.fault(fault)
                mark = self.mark()
                mark.beside += self.lab.queue(self.honest())
                self.check_neighbour(mark)
                self.lab.good()
        mark = self.mark()
        request = self.honest()
        request["createdAt"] = "1970-01-01T00:00:00Z"
        mark.beside += self.lab.queue(request)
        self.check_neighbour(mark)


class LocalCa(Attacked):
    """The embedded authority, were its key or its front stolen: the chain itself refuses what is not a mailbox of the domain."""

    @at("70", "its root key lies in its own folder")
    def test_at_70_the_root_key_in_its_folder(self) -> None:
        place = Path(self.connector.settings["authority"]["corp"]["directory"])
        root = self.connector.directory / "root.key"
        self.assertTrue(root.exists())
        self.assertFalse([each for each in place.rglob("*") if each.is_file() and root.read_bytes()[:200] in each.read_bytes()], "the root's key was kept")
        self.connector.terminate()
        planted = place / "root.key"
        shutil.copy2(root, planted)
        try:
            done = self.connector.command("run", timeout=60)
            self.assertNotEqual(done.returncode, 0, "it starts with the root's key beside the issuing one")
            self.assertIn("root", (done.stdout + done.stderr).lower())
        finally:
            planted.unlink()
            self.connector.start()

    @at("70", "foreign names, signed with the stolen issuing key")
    def test_at_70_the_chain_refuses_foreign_names(self) -> None:
        place = Path(self.connector.settings["authority"]["corp"]["directory"])
        certificates = {each.stem: x509.load_pem_x509_certificate(each.read_bytes()) for each in place.glob("*.crt")}
        root = next(each for each in certificates.values() if each.subject == each.issuer)
        issuing = next(each for each in certificates.values() if each.subject != each.issuer)
        key_file = next(each for each in place.iterdir() if each.suffix == ".key")
        thief = pki.Authority(pki.serialization.load_pem_private_key(key_file.read_bytes(), None), issuing, [root])
        mail, dns, uri = x509.RFC822Name, x509.DNSName, x509.UniformResourceIdentifier
        cases = {"ours": ([mail("alice@corp.example")], pki.Eku.EMAIL_PROTECTION, True), "foreign mail": ([mail("x@evil.example")], pki.Eku.EMAIL_PROTECTION, False),
                 "a server": ([dns("dc1.corp.example")], pki.Eku.SERVER_AUTH, False), "a URI": ([uri("https://corp.example/")], pki.Eku.EMAIL_PROTECTION, False),
                 "a logon": ([mail("alice@corp.example")], pki.Eku.CLIENT_AUTH, False)}
        for what, (names, purpose, good) in cases.items():
            with self.subTest(what):
                leaf = thief.issue(pki.common_name("x"), pki.make_key().public_key(), days=30, extensions=[
                    (x509.SubjectAlternativeName(names), False), (pki.key_usage("digital_signature"), True), (x509.ExtendedKeyUsage([purpose]), False)])
                wanted = {pki.Eku.SERVER_AUTH: "sslserver", pki.Eku.CLIENT_AUTH: "sslclient"}.get(purpose, "smimesign")
                with openssl.secrets(root=pki.cert_pem(root), issuing=pki.cert_pem(issuing), leaf=pki.cert_pem(leaf)) as files:
                    done = subprocess.run(["openssl", "verify", "-x509_strict", "-purpose", wanted, "-CAfile", files["root"], "-untrusted", files["issuing"],
                                           files["leaf"]], capture_output=True, text=True, check=False)
                self.assertEqual(done.returncode == 0, good, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
