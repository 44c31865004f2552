#!/usr/bin/python3
"""An authority with a network in between: by every authentication, with approval, with lost replies, with wrong certificates, dead."""
import os
import subprocess
import sys
import time
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Connector, Lab  # noqa: E402

SLOW = 4 if os.environ.get("ASAN_OPTIONS") else 1


class Est(unittest.TestCase):
    """One EST server, one connector; several [authority.NAME] are the same server with other credentials."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.ca = cls.enterClassContext(EstCa(cls.lab.directory / "est"))
        one = cls.ca.authority
        cls.connector: Connector = cls.lab.connector({"authority": {
            "open": one(), "basic": one(password=True, auth=["basic"]), "digest": one(password=True), "tls": one(certificate="client"),
            "wrong-password": one(password=False), "wrong-certificate": one(certificate="foreign-client"), "md5": one(password=True, auth=["digest"]),
            "wrong-label": one(label="elsewhere", template={"smime-signing": {}}), "impatient": one(timeout_seconds=2, breaker={"failures": 100})}})
        cls.lab.control.delete("violations")
        cls.people = 0

    def setUp(self) -> None:
        self.addCleanup(self.ca.good)
        self.since, self.began = len(self.ca.calls()), time.time()
        self.before = {each["sha256"] for each in self.ca.issued()}

    # -- tools --------------------------------------------------------------------------------------------------------
    def order(self, authority: str, **how) -> str:
        """Queued; its device is kept for opened()."""
        type(self).people += 1
        user = self.lab.user(f"user{self.people}")
        self.device = self.lab.device(user, key_kind="ecP256")
        return self.lab.issue(user, self.device, key_type="ecP256", authority=authority, **how)

    def new(self) -> list[dict]:
        return [each for each in self.ca.issued() if each["sha256"] not in self.before]

    def enrolments(self) -> list[dict]:
        """Of this test: one that an earlier test made hang is told of when it lets go."""
        return [each for each in self.ca.calls(self.since) if each["call"] == "simpleenroll" and each["began"] >= self.began]

    def opened(self, identifier: str) -> str:
        """The certificate that the device found in its package."""
        identities = self.lab.open(self.device, identifier, timeout=30 * SLOW).identities
        self.assertEqual(len(identities), 1)
        return identities[0].sha256

    def error(self, identifier: str) -> dict:
        return self.lab.error(identifier, timeout=30 * SLOW)

    def row(self, authority: str) -> dict:
        return next(each for each in self.connector.command_json("authority", "list")["authorities"] if each["name"] == authority)

    def audited(self, event: str, identifier: str) -> int:
        return sum(1 for line in self.connector.audit() if event in line and identifier in line)

    def asked(self, call: str) -> int:
        return sum(each["call"] == call for each in self.ca.calls(self.since))

    def logged(self, *words: str) -> None:
        self.connector.wait_until(lambda: any(all(word in line for word in words) for line in self.connector.log().splitlines()),
                                  20 * SLOW, " ".join(words))

    def assert_issued_once(self, identifier: str) -> None:
        self.assertEqual([self.opened(identifier)], [each["sha256"] for each in self.new()])

    # -- who we are ---------------------------------------------------------------------------------------------------
    def test_each_authentication(self) -> None:
        for authority, wanted, how in (("open", [], "nobody"), ("basic", ["basic", "digest"], "basic"), ("digest", ["basic", "digest"], "digest SHA-256"),
                                       ("tls", ["tls"], "tls")):
            with self.subTest(authority):
                self.setUp()
                self.ca.settings(auth=wanted)
                self.assert_issued_once(self.order(authority))
                self.assertEqual(self.enrolments()[-1]["auth"], how)
                self.assertEqual(self.enrolments()[-1]["label"], "smime", "the template's name is the label")

    def test_md5_only_where_there_is_nothing_else_and_the_challenge_is_kept(self) -> None:
        self.ca.settings(auth=["digest"], digest_algorithms=["MD5"], nonce_uses=2, realm='an "EST" server')
        for asked in (1, 0, 1):  # the third use of a nonce is stale, and a new one is taken
            self.setUp()
            self.assert_issued_once(self.order("md5"))
            self.assertEqual([each["auth"] for each in self.enrolments()], [None] * asked + ["digest MD5"])

    def test_cacerts_may_ask_as_well(self) -> None:
        self.ca.settings(auth=["digest"], auth_for_cacerts=True)
        self.assert_issued_once(self.order("digest"))

    def test_a_refused_credential_parks_its_authority_alone(self) -> None:
        for authority, words in (("wrong-password", "refuses the user or the password"), ("wrong-certificate", "refuses our certificate")):
            with self.subTest(authority):
                self.setUp()
                self.ca.settings(auth=["basic", "digest", "tls"])
                parked = self.order(authority)
                self.logged("PKCS-1051", parked, words)
                self.lab.delivered(self.order("corp"), timeout=30 * SLOW)
                self.assert_issued_once(self.order("digest"))
                self.assertEqual(self.lab.state(parked)["reports"], [], "the service has heard nothing")
                refused = [each for each in self.ca.calls(self.since) if each["call"] == "simpleenroll" and each["status"] == 401]
                self.assertLessEqual(len(refused), 4, "a password that is refused again and again locks an account")
                row = self.row(authority)
                self.assertEqual((row["type"], row["state"], row["lastSuccessAt"]), ("est", "parked", None))
                self.assertIsNotNone(row["parkedUntil"])
                test = self.connector.command("authority", "test", authority)
                # It answers whoever asks; a password is tried with an order alone, a certificate with the connection.
                self.assertEqual(test.returncode, 0 if authority == "wrong-password" else 3, test.stdout + test.stderr)
                self.assertRegex(test.stdout, f"! authority {authority} in the daemon: parked .*authority resume {authority}")
                if authority == "wrong-certificate":
                    continue  # the server does not know its issuer, whatever is set
                self.ca.settings(auth=[])  # as if the password had been put right over there
                resumed = self.connector.command_json("authority", "resume", authority)
                self.assertEqual((resumed["was"], resumed["dueNow"]), ("parked", 1))
                line = next(each for each in self.connector.audit() if "AUTH-7006" in each)
                self.assertIn(authority, line)
                self.assertIn(subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip(), line)
                self.lab.delivered(parked, timeout=30 * SLOW)
                self.assertEqual((self.row(authority)["state"], self.row(authority)["parkedUntil"]), ("up", None))
        self.assertEqual(self.connector.holds_anywhere(b"not the password"), [])

    # -- approval -----------------------------------------------------------------------------------------------------
    def test_pending_is_continued_with_the_same_request(self) -> None:
        for wait in ("1", "date+2"):
            with self.subTest(wait):
                self.setUp()
                self.ca.settings(pending_answers=2, retry_after=wait)
                identifier = self.order("open")
                self.assert_issued_once(identifier)
                self.assertEqual([each["status"] for each in self.enrolments()], [202, 202, 200])
                self.assertEqual(self.audited("PKCS-1056", identifier), 0)

    def test_an_approval_outlives_a_restart(self) -> None:
        self.ca.settings(approval="manual", retry_after="3")  # killed in the middle of a poll it could not say
        identifier = self.order("open")
        self.connector.wait_until(lambda: self.ca.pending() and self.ca.pending()[0]["answers"] >= 1, 20 * SLOW, "the first 202")
        self.logged("PKCS-1053", identifier)
        self.connector.kill()
        self.connector.start(timeout=20 * SLOW)
        self.ca.approve()
        self.assert_issued_once(identifier)
        self.assertEqual(self.audited("PKCS-1056", identifier), 0)

    def test_a_server_that_is_moved_while_an_order_is_pending_does_not_end_it(self) -> None:
        self.ca.settings(approval="manual", retry_after="2")
        identifier = self.order("open")
        self.connector.wait_until(lambda: self.ca.pending() and self.ca.pending()[0]["answers"] >= 1, 20 * SLOW, "the first 202")
        self.ca.fault("status", status=404, body="no such service", count=2)
        self.connector.wait_until(lambda: [each["status"] for each in self.enrolments()].count(404) == 2, 40 * SLOW, "two polls that found nobody")
        self.logged("PKCS-1051", identifier, "no such service")
        self.ca.approve()
        self.assert_issued_once(identifier)

    # -- lost replies -------------------------------------------------------------------------------------------------
    def test_a_lost_reply_of_an_idempotent_server_is_one_certificate(self) -> None:
        self.ca.fault("drop-after", count=2)
        identifier = self.order("open")
        self.assert_issued_once(identifier)
        self.assertEqual(len({each["csr"] for each in self.new()}), 1)
        self.assertGreaterEqual(self.audited("PKCS-1056", identifier), 1)
        self.assertEqual(self.audited("PKCS-1054", identifier), 2, "once for each order whose answer was lost")

    def test_a_lost_reply_of_another_server_is_told(self) -> None:
        self.ca.settings(idempotent=False)
        self.ca.fault("drop-after")
        identifier = self.order("open")
        sha256 = self.opened(identifier)
        new = self.new()
        self.assertEqual(len(new), 2)
        self.assertEqual(len({each["csr"] for each in new}), 1, "another request than before would be another key")
        self.assertEqual(sha256, new[-1]["sha256"])
        self.assertEqual(self.audited("PKCS-1056", identifier), 1)

    def test_a_poll_that_lost_its_answer_was_the_order_once_more(self) -> None:
        """RFC 7030 4.2.3: it is continued by the same request, which a server that has answered may take for a new one."""
        self.ca.settings(idempotent=False, pending_answers=1, retry_after="2")
        identifier = self.order("open")
        self.connector.wait_until(lambda: self.ca.pending(), 20 * SLOW, "the first 202")
        self.assertEqual(self.audited("PKCS-1056", identifier), 0)
        self.ca.fault("drop-after")
        sha256 = self.opened(identifier)
        new = self.new()
        self.assertEqual([each["status"] for each in self.enrolments()][:2], [202, 200], "the poll was answered, and the answer lost")
        self.assertEqual(len(new), 2)
        self.assertEqual(sha256, new[-1]["sha256"])
        self.assertEqual(self.audited("PKCS-1056", identifier), 1, "told once: the poll after it continues an order that was just taken")

    def test_a_repeated_order_that_is_refused_says_nothing_of_the_first(self) -> None:
        self.ca.settings(idempotent=False)
        self.ca.fault("drop-after")
        self.ca.fault("status", status=400, body="one for each key")
        identifier = self.order("open")
        self.assertEqual(self.error(identifier)["code"], "authorityRejected")
        self.assertEqual(len(self.new()), 1)
        self.connector.wait_until(lambda: self.audited("REV-3051", identifier), 20 * SLOW, "somebody to be told of the certificate")

    def test_what_never_arrived_is_no_duplicate(self) -> None:
        """Refused and throttled orders are sent again quietly, as long as nothing can have been issued."""
        for status in (503, 429):
            with self.subTest(status):
                self.setUp()
                self.ca.fault("status", status=status, retryAfter=2)
                identifier = self.order("open")
                self.assert_issued_once(identifier)
                first, second = self.enrolments()
                self.assertGreaterEqual(second["began"] - first["began"], 1.9, "Retry-After")
                self.assertEqual(self.audited("PKCS-1056", identifier), 0)

    def test_a_server_that_asks_for_quiet_is_left_alone_by_all_orders(self) -> None:
        """Not by each for itself: twenty would make twenty calls."""
        self.ca.fault("status", status=503, retryAfter=10, count=-1)
        orders = [self.order("open") for _ in range(20)]
        self.connector.wait_until(lambda: self.enrolments(), 20 * SLOW, "the first call")
        first = self.enrolments()[0]["began"]
        self.connector.wait_until(lambda: self.enrolments()[-1]["began"] - first > 9, 40 * SLOW, "the call after the quiet")
        early = [each for each in self.enrolments() if each["began"] - first < 9]
        self.assertLessEqual(len(early), 6, "three until the breaker opens, and those on their way")
        self.ca.good()
        for each in orders:
            self.lab.delivered(each, timeout=60 * SLOW)

    def test_answers_that_are_none(self) -> None:
        """The order may have been carried out: it is sent again, and said so."""
        for fault, more in (("huge", {}), ("truncated", {}), ("status", {"status": 500}), ("status", {"status": 204})):
            with self.subTest(fault, **more):
                self.setUp()
                self.ca.fault(fault, **more)
                identifier = self.order("impatient")
                self.assert_issued_once(identifier)
                self.assertEqual(self.audited("PKCS-1056", identifier), 1)

    def test_a_whole_answer_without_a_certificate_is_final(self) -> None:
        """Asking again would only have one more certificate issued."""
        for fault in ("garbage", "html", "empty"):
            with self.subTest(fault):
                self.setUp()
                self.ca.fault(fault)
                identifier = self.order("impatient")
                error = self.error(identifier)
                self.assertEqual((error["code"], error["retryable"]), ("certificateMismatch", False), error)
                self.assertIn("holds no certificates", error["message"])
                self.assertEqual(len(self.enrolments()), 1)
                self.assertEqual(self.audited("PKCS-1056", identifier), 0)
                # It had carried out the order; somebody has to hear of what is left over there.
                self.assertEqual(len(self.new()), 1)
                self.connector.wait_until(lambda: self.audited("REV-3051", identifier), 20 * SLOW, "somebody to be told of the certificate")
                self.assertEqual((self.audited("PKCS-1061", identifier), self.audited("AUTH-7003", identifier)), (1, 0), "it has refused nothing")

    def test_a_server_that_hangs_has_one_deadline(self) -> None:
        self.ca.fault("hang", seconds=30)
        identifier = self.order("impatient")
        self.assert_issued_once(identifier)
        self.assertEqual(self.audited("PKCS-1056", identifier), 1)

    # -- a considered no ----------------------------------------------------------------------------------------------
    def test_the_servers_words_come_to_the_service(self) -> None:
        self.ca.fault("status", status=400, body="no seat left for \x1b[31malice", contentType="text/plain")
        error = self.error(self.order("open"))
        self.assertEqual((error["code"], error["retryable"]), ("authorityRejected", False))
        self.assertIn("no seat left for", error["message"])
        self.assertNotIn("\x1b", error["message"])
        self.ca.fault("status", status=422, body="<html><title>Sorry</title><p>quota  is\nused up</p></html>", contentType="text/html")
        self.assertIn("Sorry quota is used up", self.error(self.order("open"))["message"])
        self.assertEqual(self.new(), [])

    def test_misconfiguration_is_told_as_such(self) -> None:
        error = self.error(self.order("wrong-label"))
        self.assertEqual((error["code"], error["retryable"]), ("authorityMisconfigured", True))
        self.assertIn("label", error["message"])
        self.ca.fault("redirect")
        error = self.error(self.order("open"))
        self.assertEqual(error["code"], "authorityMisconfigured")
        self.assertIn("redirects are refused", error["message"])
        error = self.error(self.order("open", template="unknown"))
        self.assertEqual(error["code"], "authorityMisconfigured")
        self.assertEqual(self.new(), [])

    # -- what comes back ----------------------------------------------------------------------------------------------
    def test_every_way_to_write_it(self) -> None:
        for encoding, transfer, chain in (("lf", "base64", False), ("one-line", "", True), ("pem", "", False), ("der", "binary", True)):
            with self.subTest(encoding):
                self.setUp()
                self.ca.settings(encoding=encoding, transfer_encoding=transfer, with_chain=chain)
                self.assert_issued_once(self.order("open"))

    def test_wrong_certificates_are_never_delivered(self) -> None:
        for wrong, words in (("key", "publicKey"), ("name", "subject"), ("issuer", ""), ("ca", ""), ("eku", "extKeyUsage"),
                             ("san", "subjectAltName"), ("weeks", "validity")):
            with self.subTest(wrong):
                self.ca.settings(wrong=wrong)
                error = self.error(self.order("open"))
                self.assertEqual(error["code"], "certificateMismatch", error)
                self.assertIn(words, error["message"])
        self.assertEqual(len(self.new()), 7)
        delivered = {each["sha256"] for one in self.lab.control.get("requests")["requests"] if one["state"] == "done"
                     for each in one["result"].get("certificates", [])}
        self.assertFalse(delivered & {each["sha256"] for each in self.new()})

    def test_a_serial_number_that_another_certificate_has_is_not_delivered(self) -> None:
        self.assert_issued_once(self.order("open"))
        self.ca.settings(wrong="serial")
        error = self.error(self.order("open"))
        self.assertEqual(error["code"], "certificateMismatch", error)
        self.assertIn("serialNumber", error["message"])

    def test_another_ca_below_the_same_root_is_not_the_one_that_was_named(self) -> None:
        with Lab(pki_directory=self.lab.pki.directory) as lab, EstCa(self.lab.directory / "est-renewed") as ca:
            issuers = ca.directory / "named.pem"
            issuers.write_bytes(Path(ca.path("root.crt")).read_bytes() + Path(ca.path("issuing.crt")).read_bytes())
            lab.connector({"authority": {"named": ca.authority(issuer_file=str(issuers)), "any": ca.authority()}})
            user = lab.user("nora")
            phone = lab.device(user, key_kind="ecP256")
            lab.delivered(lab.issue(user, phone, key_type="ecP256", authority="named"), timeout=30 * SLOW)
            ca.renew()
            error = lab.error(lab.issue(user, phone, key_type="ecP256", authority="named"), timeout=30 * SLOW)
            self.assertEqual(error["code"], "certificateMismatch", error)
            self.assertIn("another CA", error["message"])
            lab.delivered(lab.issue(user, phone, key_type="ecP256", authority="any"), timeout=30 * SLOW)

    def test_an_authority_whose_issuing_ca_was_renewed(self) -> None:
        self.assert_issued_once(self.order("open"))
        self.ca.renew()
        self.setUp()
        # And what it calls itself now cannot be had just then: the certificate is kept, over the end of the process too.
        self.ca.settings(idempotent=False)
        self.ca.fault("status", count=-1, call="cacerts", status=503)
        identifier = self.order("open")
        self.logged("PKCS-1051", identifier, "its issuer is not")
        self.connector.wait_until(lambda: self.asked("cacerts") >= 2, 40 * SLOW, "its issuer to be asked for again")
        self.connector.kill()
        self.ca.good()
        self.connector.start(timeout=20 * SLOW)
        self.assert_issued_once(identifier)
        calls = [each["call"] for each in self.ca.calls(self.since)]
        self.assertEqual((calls[0], set(calls[1:])), ("simpleenroll", {"cacerts"}))

    def test_a_foreign_certificate_is_kept_until_that_is_known(self) -> None:
        self.assert_issued_once(self.order("open"))
        self.setUp()
        self.ca.settings(wrong="issuer", idempotent=False)
        self.ca.fault("status", count=-1, call="cacerts", status=503)
        identifier = self.order("open")
        self.logged("PKCS-1051", identifier, "its issuer is not")
        self.connector.wait_until(lambda: self.asked("cacerts") >= 2, 40 * SLOW, "its issuer to be asked for again")
        self.assertEqual(self.lab.state(identifier)["reports"], [])
        self.ca.good()
        error = self.error(identifier)
        self.assertEqual((error["code"], len(self.enrolments())), ("certificateMismatch", 1), error)
        self.connector.wait_until(lambda: self.audited("REV-3051", identifier), 20 * SLOW, "somebody to be told of the certificate")
        rows = [row for row in self.connector.command_json("issued", "list")["issued"] if row["request"] == identifier]
        self.assertEqual([row["sha256"] for row in rows], [each["sha256"] for each in self.new()])

    def test_the_lab_is_content(self) -> None:
        self.lab.check_clean()


class Away(unittest.TestCase):
    """The server is not there, or not itself: the others go on, and it comes back."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.ca = EstCa(cls.lab.directory / "est")
        cls.ca.start()
        cls.addClassCleanup(cls.ca.stop)
        cls.ca.stop()
        # Down while the daemon starts, which must not mind.
        cls.connector: Connector = cls.lab.connector({"authority": {"est": cls.ca.authority(password=True, breaker={"failures": 2, "open_seconds": 1})}})
        cls.lab.control.delete("violations")

    def order(self, authority: str) -> str:
        user = self.lab.user(f"user{len(self.lab.control.get('requests')['requests'])}")
        return self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256", authority=authority)

    def up(self, authority: str) -> float:
        return self.connector.metric("authority_up", authority=authority)

    def test_dead_then_back(self) -> None:
        waiting = [self.order("est") for _ in range(4)]
        self.connector.wait_until(lambda: "AUTH-7001" in self.connector.log(), 30 * SLOW, "the breaker to open")
        self.assertIn("down", [each["state"] for each in self.connector.command_json("authority", "list")["authorities"] if each["name"] == "est"])
        test = self.connector.command("authority", "test", "est")
        self.assertEqual(test.returncode, 3, test.stdout + test.stderr)
        self.assertRegex(test.stdout, "✗ authority est: .* → ")
        for _ in range(3):
            self.lab.delivered(self.order("corp"), timeout=30 * SLOW)
        self.assertEqual([self.lab.state(each)["reports"] for each in waiting], [[]] * 4)
        self.assertEqual(self.connector.health("/readyz")[0], 200, "one authority that is down is no reason to send work elsewhere")
        self.ca.start()
        self.ca.settings(auth=["digest"])
        for each in waiting:
            self.lab.delivered(each, timeout=60 * SLOW)
        self.assertEqual(len(self.ca.issued()), 4)
        self.assertIn("AUTH-7000", self.connector.log())
        self.assertNotIn("PKCS-1056", self.connector.log(), "what was never sent cannot be there twice")
        # Not itself: nothing is sent to somebody else, the password least of all.
        for flavour in ("wrong-name", "expired", "foreign"):
            with self.subTest(flavour):
                self.ca.stop()
                self.ca.start()
                self.ca.settings(tls_certificate=flavour, auth=["basic"])
                error = self.lab.error(self.order("est"), timeout=60 * SLOW)
                self.assertEqual((error["code"], error["retryable"]), ("authorityMisconfigured", True))
                self.assertIn("certificate is not accepted", error["message"])
                self.assertEqual({each["call"] for each in self.ca.calls()}, {"handshake"})
        self.assertEqual(len(self.ca.issued()), 4)
        self.assertEqual(self.connector.holds_anywhere(self.ca.password.encode()), [])
        self.lab.check_clean()


if __name__ == "__main__":
    unittest.main()
