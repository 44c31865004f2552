#!/usr/bin/python3
"""What people and machines look at: health, metrics, heartbeats, the log, the audit log; and what an attacker writes into them."""
import http.client
import json
import re
import shutil
import socket
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402

# The contract's page, word for word.
FAMILIES = ("requests_total", "requests_pending", "held", "frozen", "request_duration_seconds", "stage_duration_seconds", "refused_total", "limit_used_ratio",
            "recipients", "authority_requests_total", "authority_up", "management_requests_total", "last_lease_timestamp_seconds",
            "oldest_pending_seconds", "clock_skew_seconds", "certificate_expiry_timestamp_seconds", "imported_certificates_expiring", "crypto_queue_length",
            "key_pool_size", "build_info")
SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{([a-z_]+="([^"\\\n]|\\["\\n])*",?)*\})? [-+]?([0-9.]+(e[-+]?[0-9]+)?|Inf|NaN)')


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-operate-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)
    # A refused connector knocks once a minute: that minute passes while the other tests run.
    global REFUSED
    REFUSED = Refused(unittest.enterModuleContext(Lab(pki_directory=PKI)))


class Refused:
    """A connector that had worked, and whose lease and next heartbeat are answered 403."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.connector = lab.connector()
        # After it the next heartbeat is a minute away, or the one that tells of the refusal.
        self.connector.wait_until(lambda: lab.heartbeats()[-1]["state"] == "ready", 10, "a ready heartbeat")
        self.lab.fault("403", call="heartbeat", code="notApproved")
        self.lab.fault("403", call="lease", code="notApproved")
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503 and not any(
            each["count"] for each in self.lab.control.get("faults")["faults"]), 20, "the refusal")
        self.since = self.lab.last_call()
        user = self.lab.user("late")
        self.request = self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256")


def ask(connector: Connector, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", connector.health_port, timeout=10)
    try:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_host="Host" in sent)
        for name, value in sent.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


class Endpoints(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector = cls.lab.connector()
        cls.before_any_work = cls.connector.health("/metrics")[1]
        cls.connector.wait_until(lambda: cls.lab.heartbeats()[-1]["state"] == "ready", 10, "a ready heartbeat")
        cls.first_heartbeats = cls.lab.heartbeats()
        cls.first_calls = cls.lab.calls()
        cls.lab.control.delete("violations")  # what `enroll` said is looked at by test_command_line

    def issue(self, name: str) -> str:
        user = self.lab.user(name)
        return self.lab.issue(user, self.lab.device(user, key_kind="ecP256"), key_type="ecP256")

    def test_every_family_is_there_from_the_start(self) -> None:
        helped = set(re.findall(r"^# HELP (\S+) \S", self.before_any_work, re.M))
        typed = dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.before_any_work, re.M))
        for family in FAMILIES:
            with self.subTest(family):
                self.assertIn(f"pfx_connector_{family}", helped)
                kind = "counter" if family.endswith("_total") else "histogram" if family.endswith("duration_seconds") else "gauge"
                self.assertEqual(typed.get(f"pfx_connector_{family}"), kind)
        self.assertTrue(any(name.startswith("process_") for name in typed))

    def test_every_line_of_the_metrics_is_well_formed(self) -> None:
        self.lab.delivered(self.issue("metrics"))
        self.connector.wait_until(lambda: self.connector.metric("requests_total", kind="pkcs.issue", result="delivered") >= 1, 5, "the count")
        text = self.connector.health("/metrics")[1]
        self.assertTrue(text.endswith("\n"))
        for line in text.splitlines():
            if not line.startswith("#"):
                self.assertRegex(line, "^" + SAMPLE.pattern + "$")
        self.assertGreaterEqual(self.connector.metric("request_duration_seconds_count", kind="pkcs.issue"), 1)
        self.connector.wait_until(lambda: self.connector.metric("last_lease_timestamp_seconds") > 1.7e9, 5, "the last lease")
        self.connector.wait_until(lambda: self.connector.metric("recipients") >= 1, 5, "the recipients in the register")
        self.assertEqual(self.connector.metric("authority_up", authority="corp"), 1)
        self.assertEqual(self.connector.metric("build_info"), 1)
        self.assertGreater(self.connector.metric("certificate_expiry_timestamp_seconds", which="connector"), 1.7e9)
        self.assertNotIn("metrics@corp.example", text)

    def test_how_far_the_clocks_are_apart(self) -> None:
        self.lab.settings(date_skew_seconds=-40)
        self.addCleanup(self.lab.settings, date_skew_seconds=0)
        self.connector.wait_until(lambda: 38 <= self.connector.metric("clock_skew_seconds") <= 42, 20, "the metric")
        self.assertAlmostEqual(json.loads(self.connector.health()[1])["clockSkewSeconds"], 40, delta=2)
        self.assertAlmostEqual(self.connector.command_json("status")["clockSkewSeconds"], 40, delta=2)
        self.assertRegex(self.connector.command("status").stdout, r"clock skew seconds +(39|4[0-2])\b")

    def test_the_pages(self) -> None:
        self.assertEqual(ask(self.connector, "GET", "/livez")[0], 200)
        status, headers, body = ask(self.connector, "GET", "/healthz")
        self.assertEqual((status, headers["content-type"]), (200, "application/json"))
        health = json.loads(body)
        for name in ("status", "version", "startedAt", "checks", "queue", "held", "lastLeaseAt", "lastDeliveryAt", "oldestPendingSeconds",
                     "clockSkewSeconds", "authorities", "certificateExpiresAt"):
            self.assertIn(name, health)
        kate = self.lab.user("kate")
        self.lab.delivered(self.lab.issue(kate, self.lab.device(kate, key_kind="ecP256"), key_type="ecP256"))
        authority, = json.loads(ask(self.connector, "GET", "/healthz")[2])["authorities"]
        self.assertEqual((authority["name"], authority["state"]), ("corp", "up"))
        self.assertGreaterEqual(authority["lastSuccessAt"], health["startedAt"])
        for check in health["checks"]:
            self.assertEqual(set(check), {"name", "status", "since", "detail"})
            self.assertFalse(check["since"].startswith("1970"), check)
        self.assertEqual(ask(self.connector, "GET", "/readyz?verbose=1")[0], 200)
        self.assertTrue(json.loads(ask(self.connector, "GET", "/readyz")[2])["ready"])
        self.assertIn("text/plain", ask(self.connector, "GET", "/metrics")[1]["content-type"])
        status, headers, body = ask(self.connector, "GET", "/")
        self.assertEqual(status, 200)
        self.assertIn("text/html", headers["content-type"])
        self.assertIn("default-src 'none'", headers["content-security-policy"])
        for path in ("/nothing", "/livez/", "/../etc/passwd", "//livez", "/healthz%00"):
            self.assertEqual(ask(self.connector, "GET", path)[0], 404, path)

    def test_who_asks_and_how(self) -> None:
        port = self.connector.health_port
        cases = (("evil.example", 421), (f"evil.example:{port}", 421), ("127.0.0.1.evil.example", 421), ("localhost.evil.example", 421), ("", 421),
                 ("10.0.0.1", 421), ("localhost", 200), (f"localhost:{port}", 200), (f"127.0.0.1:{port}", 200), ("[::1]", 200), ("127.0.0.1:http", 421))
        for host, wanted in cases:
            with self.subTest(host=host):
                self.assertIn(ask(self.connector, "GET", "/livez", Host=host)[0], (wanted, 400) if wanted != 200 and not host else (wanted,))
        for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"},
                        {"Origin": f"http://localhost:{port}1"}):
            with self.subTest(**headers):
                self.assertEqual(ask(self.connector, "GET", "/metrics", **headers)[0], 403)
        self.assertEqual(ask(self.connector, "GET", "/metrics", Sec_Fetch_Site="none")[0], 200)
        for method in ("POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"):
            with self.subTest(method):
                status, headers, _ = ask(self.connector, method, "/livez")
                self.assertEqual(status, 405)
                self.assertEqual(headers.get("allow"), "GET, HEAD")
        for path in ("/livez", "/readyz", "/healthz", "/metrics", "/"):
            with self.subTest(head=path):
                status, headers, body = ask(self.connector, "HEAD", path)
                self.assertEqual((status, body), (200, b""))
                self.assertGreater(int(headers["content-length"]), 0)

    def test_whoever_names_no_host_is_not_answered(self) -> None:
        """Not even by HTTP/1.0, which need not name one: a name that is not ours and no name are one thing here."""
        for request, wanted in ((b"GET /healthz HTTP/1.0\r\n\r\n", b" 421 "), (b"GET /healthz HTTP/1.1\r\n\r\n", b" 400 "),
                                (b"GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n", b" 200 "),
                                (b"GET /healthz HTTP/1.0\r\nHost: evil.example\r\n\r\n", b" 421 ")):
            with self.subTest(request=request), socket.create_connection(("127.0.0.1", self.connector.health_port), 10) as connection:
                connection.sendall(request)
                self.assertIn(wanted, connection.makefile("rb").readline())

    def test_rubbish_does_not_hurt_it(self) -> None:
        for octets in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/1.1\r\n\r\n",
                       b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\n\r\n",
                       b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", self.connector.health_port), 10) as connection:
                try:
                    connection.sendall(octets)
                    connection.shutdown(socket.SHUT_WR)
                    said = connection.recv(4096)
                except ConnectionError:
                    said = b""
                self.assertFalse(said.startswith(b"HTTP/1.1 200"), octets[:40])
        self.assertEqual(self.connector.health("/livez")[0], 200)

    def test_idle_connections_do_not_lock_others_out_for_long(self) -> None:
        hogs = [socket.create_connection(("127.0.0.1", self.connector.health_port), 5) for _ in range(40)]
        try:
            self.connector.wait_until(lambda: self.connector.health("/livez")[0] == 200, 12, "the health endpoint")
        finally:
            for each in hogs:
                each.close()

    def test_nobody_is_named(self) -> None:
        user = self.lab.user("named")
        device = self.lab.device(user, key_kind="ecP256")
        identifier = self.lab.issue(user, device, key_type="ecP256")
        self.lab.delivered(identifier)
        for path in ("/healthz", "/readyz", "/metrics", "/"):
            body = self.connector.health(path)[1]
            for name in (user.upn, user.id, device.id, identifier):
                self.assertNotIn(name, body, path)

    def test_a_heartbeat_comes_before_the_first_lease_and_at_every_change(self) -> None:
        made = [each["call"] for each in self.first_calls if each["call"] in ("heartbeat", "lease")]
        # The first heartbeat of all may be that of `enroll`.
        self.assertEqual(made[0], "heartbeat")
        self.assertNotIn("lease", made[:made.index("heartbeat") + 1])
        for name in ("version", "startedAt", "state", "pending", "inFlight", "held", "delivered", "failed", "oldestPendingSeconds", "frozen",
                     "authorities", "certificateExpiresAt"):
            self.assertIn(name, self.first_heartbeats[-1])
        self.assertEqual(self.first_heartbeats[-1]["state"], "ready")
        count = len(self.lab.heartbeats())
        self.assertEqual(self.connector.terminate(), 0)
        self.assertEqual([each["state"] for each in self.lab.heartbeats()[count:]][:1], ["draining"])
        count, since = len(self.lab.heartbeats()), self.lab.last_call()
        self.connector.start()
        self.lab.wait_for_calls("lease", since=since)
        self.connector.wait_until(lambda: self.lab.heartbeats()[count:] and self.lab.heartbeats()[-1]["state"] == "ready", 10, "a ready heartbeat")
        again = [each["call"] for each in self.lab.calls(since=since) if each["call"] in ("heartbeat", "lease")]
        self.assertEqual(again[0], "heartbeat", "leased before it had said who it is")
        self.assertIn(self.lab.heartbeats()[count]["state"], ("ready", "notReady", "degraded"))
        self.lab.check_clean()

    def test_sighup_does_not_end_it(self) -> None:
        identifier = self.issue("hup")
        self.connector.reload()
        self.connector.wait_until(lambda: self.lab.state(identifier)["state"] == "done", 15, "the request")
        self.lab.delivered(identifier)

    def tearDown(self) -> None:
        self.lab.good()
        if not self.connector.running:
            self.connector.start()

    def test_zz_not_ready_while_the_service_cannot_be_reached(self) -> None:
        self.lab.stop_service()
        try:
            self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503, 20, "readiness to end")
            failing = json.loads(self.connector.health("/readyz")[1])
            self.assertEqual([each["name"] for each in failing["failing"]], ["service"])
            self.assertEqual(self.connector.health("/livez")[0], 200)
            status, body = self.connector.health("/healthz")
            self.assertEqual((status, json.loads(body)["status"]), (200, "notReady"))
            done = self.connector.command("status")
            self.assertEqual(done.returncode, 0)
            self.assertIn("notReady", done.stdout)
        finally:
            self.lab.start_service()
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 200, 40, "readiness")
        self.lab.delivered(self.issue("afterwards"))


NASTY = {
    "ansi": "\x1b[31mred\x1b]0;title\x07",
    "newline": "one\ntwo PKCS-1050 A certificate was issued.\r\nthree",
    "nul": "a\x00b",
    "bidi": "abc\u202etxt.exe\u2066\u200b",
    "html": "<script>alert(1)</script>\"'&",
    "csv": "=HYPERLINK(\"http://evil.example\",\"x\")",
    "quote": "\\\",\"event\":\"forged\",\"x\":\"",
}


class Texts(unittest.TestCase):
    """Log as JSON lines; the audit log and its chain; strings that want to be something else."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector = cls.lab.connector({"log": {"format": "json"}, "recipients": {"binding": "register"}, "policy": {"identity": "service"}})
        user = cls.lab.user("texts")
        device = cls.lab.device(user, key_kind="ecP256")
        identifier = cls.lab.issue(user, device, key_type="ecP256")
        cls.connector.wait_until(lambda: cls.connector.command_json("requests", "list", "--stage", "held")["requests"], 10, "a hold")
        cls.connector.command("requests", "approve", identifier, "--key", device.key_sha256[:8], check=True)
        cls.lab.delivered(identifier)
        cls.connector.wait_until(lambda: len(cls.connector.audit()) >= 6, 5, "audit lines")

    def setUp(self) -> None:
        if not self.connector.running:
            self.connector.start()

    def verify(self):
        return self.connector.command("audit", "verify", "--json")

    def spoiled(self, change):
        """Verifies a changed audit log, running and stopped, and puts the old one back."""
        whole = self.connector.audit_file.read_bytes()
        lines = whole.splitlines(keepends=True)
        self.connector.audit_file.write_bytes(b"".join(change(list(lines))))
        try:
            return self.verify()
        finally:
            self.connector.audit_file.write_bytes(whole)

    def stop(self) -> None:
        if self.connector.running:
            self.assertEqual(self.connector.terminate(), 0)

    def test_the_log_is_json_lines(self) -> None:
        lines = self.connector.log().splitlines()
        self.assertGreater(len(lines), 5)
        for line in lines:
            entry = json.loads(line)
            self.assertLessEqual({"time", "severity", "text", "fields"}, set(entry))
        for line in self.connector.audit():
            self.assertLessEqual({"seq", "time", "event", "prev", "link"}, set(json.loads(line)))

    def test_an_untouched_audit_log_is_whole(self) -> None:
        for running in (True, False):
            if not running:
                self.stop()
            done = self.verify()
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            report = json.loads(done.stdout)
            self.assertTrue(report["intact"])
            self.assertEqual(report["lines"], len(self.connector.audit()))

    def test_changes_are_found(self) -> None:
        def edited(lines):
            old, new = (b"texts@", b"other@") if b"texts@" in lines[2] else (b'"time":"2', b'"time":"3')
            lines[2] = lines[2].replace(old, new, 1)
            return lines

        changes = {
            "a changed line": edited,
            "a removed line": lambda lines: lines[:2] + lines[3:],
            "the first line removed": lambda lines: lines[1:],
            "two lines exchanged": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
            "a line twice": lambda lines: [*lines[:3], lines[2], *lines[3:]],
            "the tail cut off": lambda lines: lines[:-1],
            "half of it cut off": lambda lines: lines[:len(lines) // 2],
            "all of it gone": lambda lines: [],
            "the last line torn": lambda lines: [*lines[:-1], lines[-1][:-20]],
            "a line of another's making": lambda lines: [*lines, re.sub(rb'"link":"[0-9a-f]{4}', b'"link":"0000', lines[-1])],
        }
        for running in (True, False):
            if not running:
                self.stop()
            for name, change in changes.items():
                with self.subTest(name, running=running):
                    done = self.spoiled(change)
                    self.assertEqual(done.returncode, 3, done.stdout + done.stderr)
                    self.assertFalse(json.loads(done.stdout)["intact"])
                    self.assertNotEqual(json.loads(done.stdout)["findings"], [])
        self.assertEqual(self.verify().returncode, 0)

    def test_the_file_gone_altogether_is_found(self) -> None:
        self.stop()
        away = self.connector.audit_file.with_suffix(".away")
        self.connector.audit_file.rename(away)
        try:
            self.assertEqual(self.verify().returncode, 3)
        finally:
            away.rename(self.connector.audit_file)

    def test_a_start_on_a_cut_log_says_so_and_it_stays_visible(self) -> None:
        self.stop()
        whole = self.connector.audit_file.read_bytes()
        self.connector.audit_file.write_bytes(b"".join(whole.splitlines(keepends=True)[:-2]))
        self.connector.start()
        self.connector.wait_until(lambda: self.verify().returncode == 3, 5, "the gap to be found")
        said = [line for line in self.connector.log().splitlines() if json.loads(line)["severity"] == "error" and "audit" in line.lower()]
        self.assertNotEqual(said, [], "nothing in the log about the cut audit log")
        # A new beginning for the tests that follow.
        self.stop()
        mended = whole + self.connector.audit_file.read_bytes()[len(b"".join(whole.splitlines(keepends=True)[:-2])):]
        self.connector.audit_file.write_bytes(mended)
        self.assertEqual(self.verify().returncode, 0, "the lines put back, the chain is whole")

    def test_a_start_on_an_erased_log_does_not_hide_it(self) -> None:
        self.stop()
        whole = self.connector.audit_file.read_bytes()
        self.connector.audit_file.unlink()
        self.connector.start()
        try:
            self.assertEqual(self.verify().returncode, 3)
        finally:
            self.stop()
            self.connector.audit_file.write_bytes(whole + self.connector.audit_file.read_bytes())
        self.assertEqual(self.verify().returncode, 0, "the lines put back, the chain is whole")

    def assert_harmless(self, text: str, where: str) -> None:
        for bad in ("\x1b", "\x00", "\x07", "\r", "\u202e", "\u2066", "\u200b", "\x9b"):
            self.assertNotIn(bad, text, where)

    def test_nasty_strings_come_out_harmless_everywhere(self) -> None:
        lines_before = len(self.connector.log().splitlines())
        ids = []
        for name, nasty in NASTY.items():
            user = self.lab.user("nasty")
            device = self.lab.device(user, key_kind="ecP256")
            request = self.lab.issue_request(user, device, key_type="ecP256", subject="CN={{DisplayName}}")
            request["id"] = f"r-nasty-{name}"
            request["user"].update(displayName=nasty, surname=nasty)
            request["device"].update(name=nasty)
            request["createdAt"] = "2026-01-01T00:00:00Z"
            # Control characters are not even valid: the lab would not queue them by itself.
            ids += self.lab.queue(request, raw=name in ("ansi", "newline", "nul"))
            # And where an id is expected, and a name that the policy judges.
            other = json.loads(json.dumps(request))
            other["id"] = f"r-upn-{name}"
            other["user"]["userPrincipalName"] = nasty + "@corp.example"
            ids += self.lab.queue(other, raw=True)

        def decided() -> bool:
            held = {row["id"] for row in self.connector.command_json("requests", "list", "--stage", "held")["requests"]}
            return all(self.lab.state(each)["state"] == "done" or each in held for each in ids)
        self.connector.wait_until(decided, 20, "all of them to be decided")
        shown = [self.connector.command("requests", "list").stdout, self.connector.command("status").stdout,
                 self.connector.command("requests", "list", "--json").stdout, self.connector.command("recipients", "list").stdout]
        shown += [self.connector.command("requests", "show", each).stdout for each in ids]
        shown += [self.connector.health("/")[1], self.connector.health("/metrics")[1], self.connector.health("/healthz")[1]]
        for row in self.connector.command_json("requests", "list", "--stage", "held")["requests"]:
            done = self.connector.command("requests", "abandon", row["id"])
            shown.append(done.stdout + done.stderr)
        self.lab.wait(*ids)
        for text in shown:
            self.assert_harmless(text, "command")
        self.assertNotIn("<script>", self.connector.health("/")[1])
        log = self.connector.log()
        self.assert_harmless(log, "log")
        for line in log.splitlines()[lines_before:]:
            entry = json.loads(line)
            self.assertNotEqual(entry.get("event"), "forged")
        self.assert_harmless("\n".join(self.connector.audit()), "audit")
        for line in self.connector.audit():
            self.assertNotEqual(json.loads(line)["event"], "forged")
        self.assertEqual(self.verify().returncode, 0)
        self.assertEqual([each for each in shown[0].splitlines() if each.startswith(("=", "+", "@"))], [])
        # What is told to the service is printable too.
        for identifier in ids:
            for report in self.lab.state(identifier)["reports"]:
                message = (report["result"].get("error") or {}).get("message", "")
                self.assert_harmless(message, "result")
                self.assertLessEqual(len(message), 512)

    def test_users_may_be_hashed_in_the_log(self) -> None:
        self.stop()
        self.connector.configure({"log": {"users": "hashed"}, "recipients": {"binding": "certificate"}})
        self.addCleanup(self.connector.configure, {"log": {"users": "clear"}, "recipients": {"binding": "register"}})
        self.connector.start()
        begin = len(self.connector.log())
        user = self.lab.user("veiled")
        self.lab.delivered(self.lab.issue(user, self.lab.device(user, "d-hash-1", key_kind="ecP256"), key_type="ecP256"))
        self.connector.wait_until(lambda: "PKCS-1000" in self.connector.log()[begin:], 5, "the log")
        self.assertNotIn("veiled", self.connector.log()[begin:])
        self.stop()


class ZApproval(unittest.TestCase):
    """A service that waits for an administrator. Last, since it is knocked at once a minute only."""

    def test_not_leasing_and_not_ready_until_somebody_approves(self) -> None:
        lab = self.enterContext(Lab(approve="manual", pki_directory=PKI))
        connector = lab.connector(wait_ready=False)
        connector.wait_until(lambda: connector.health("/healthz")[0] == 200, 10, "health")
        connector.wait_until(lambda: "notApproved" in connector.health("/readyz")[1], 10, "the refusal")
        user = lab.user("early")
        identifier = lab.issue(user, lab.device(user, key_kind="ecP256"), key_type="ecP256")
        self.assertEqual(connector.health("/readyz")[0], 503)
        status = connector.command("status", "--json")
        self.assertEqual(status.returncode, 0)
        self.assertEqual(json.loads(status.stdout)["status"], "notReady")
        known = lab.control.get("connectors")["connectors"]
        lab.control.post("approve", {"connectorId": known[0].get("id") or known[0].get("connectorId") or known[0]["connector"]})
        self.assertEqual(lab.calls("lease"), [], "leased without leave")
        # One heartbeat a minute: a new start knocks at once.
        self.assertEqual(connector.terminate(), 0)
        self.assertEqual(lab.calls("lease"), [])
        connector.start()
        lab.delivered(identifier)

    def test_refused_later_and_taken_back_without_a_restart(self) -> None:
        lab, connector = REFUSED.lab, REFUSED.connector
        connector.wait_until(lambda: connector.health("/readyz")[0] == 200, 75, "readiness")
        lab.delivered(REFUSED.request)
        made = [each["call"] for each in lab.calls(since=REFUSED.since) if each["call"] in ("heartbeat", "lease")]
        self.assertEqual(made[0], "heartbeat", "leased although it was refused")
        at = {each["call"]: each for each in reversed(lab.calls(since=REFUSED.since))}
        self.assertLess(at["heartbeat"]["n"], at["lease"]["n"])


if __name__ == "__main__":
    unittest.main()
