#!/usr/bin/python3
"""docs/monitoring as it is shipped: its rules judged by promtool, its scrape configuration used by a real Prometheus on a daemon that works."""
import json
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from connector import free_port  # noqa: E402
from lab import Lab  # noqa: E402

DOCS = Path(__file__).resolve().parents[2] / "docs"
SHIPPED = DOCS / "monitoring"
ALERTS = (SHIPPED / "alerts.yml").read_text()
NAMES = re.findall(r"- alert: (\w+)", ALERTS)
METRIC = re.compile(r"\b(?:pfx_connector|process)_[a-z_]+\b")
MODULES = {"pfx_connector_ready", "pfx_connector_healthy"}  # of the blackbox exporter
NO_DIRECTORY = "pfx_connector_directory_up"                # exposed where there is one


def run(*command: str | Path, cwd: Path = SHIPPED) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def dashboard_queries() -> dict[str, list[str]]:
    """By the panel's title; as Grafana asks them with everything chosen."""
    panels = json.loads((SHIPPED / "dashboard.json").read_text())["panels"]
    return {panel["title"]: [each["expr"].replace("$instance", ".*").replace("$__rate_interval", "1m") for each in panel["targets"]]
            for panel in panels if panel["type"] != "row"}


class Files(unittest.TestCase):
    """Without a daemon."""

    def judged(self, rules: str, expression: str) -> bool:
        """By those blocks of alerts_test.yml that have a series of this expression; the others take time and see nothing of it."""
        head, *blocks = (SHIPPED / "alerts_test.yml").read_text().replace("*firing", self.firing).replace("&firing ", "").split("  - name: ")
        for name, meaning in re.findall(r"- record: (\S+)\n +expr: (.*)", ALERTS):
            expression = expression.replace(name, meaning)
        series = [f"'{each}{{" for each in re.findall(r"\b(?:up|probe_success|pfx_connector_\w+|process_\w+)\b", expression)]
        blocks = [each for each in blocks if any(name in each for name in series)]
        self.assertNotEqual(blocks, [])
        (self.place / "alerts_test.yml").write_text(head + "".join("  - name: " + each for each in blocks))
        (self.place / "alerts.yml").write_text(rules)
        self.assertEqual(run("promtool", "check", "rules", self.place / "alerts.yml").returncode, 0)
        return run("promtool", "test", "rules", "alerts_test.yml", cwd=self.place).returncode == 0

    def test_promtool_finds_no_fault(self) -> None:
        for command in (("check", "rules", "alerts.yml"), ("check", "config", "scrape.yml"), ("test", "rules", "alerts_test.yml")):
            done = run("promtool", *command)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = run("prometheus-blackbox-exporter", "--config.check", "--config.file=blackbox.yml")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_an_alert_that_is_silent_too_sudden_or_too_sensitive_is_found(self) -> None:
        """The rules' own test is worth something: each rule spoiled in each of these ways fails it."""
        self.place = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="pfx-rules-")))
        self.firing = re.search(r"&firing (.*)", (SHIPPED / "alerts_test.yml").read_text())[1]
        head, *rules = re.split(r"(?=\n      - alert: )", ALERTS)
        for at, (name, rule) in enumerate(zip(NAMES, rules, strict=True)):
            expression = re.search(r"        expr: (?:>-\n(?: {10}.*\n)+|.*\n)", rule)
            changes = {"never": rule.replace(expression[0], "        expr: vector(0) > 1\n")}
            if "        for: " in rule:
                changes["at once"] = re.sub(r"        for: .*\n", "", rule)
            for found in re.finditer(r"(>=|>|<) ([0-9.]+)", expression[0]):
                number = float(found[2])
                looser = number - 1 if found[1] == ">=" else number * 1.01 if found[1] == "<" else number * 0.99 - 0.001
                begin = expression.start()
                changes[f"{found[0]} at {found.start()}"] = rule[:begin + found.start(2)] + str(looser) + rule[begin + found.end(2):]
            self.assertTrue(self.judged(ALERTS, expression[0]), name)
            for how, changed in changes.items():
                with self.subTest(name, how=how):
                    self.assertNotEqual(changed, rule)
                    self.assertFalse(self.judged(head + "".join(rules[:at]) + changed + "".join(rules[at + 1:]), expression[0]), "alerts_test.yml does not notice")
        blind = ALERTS.replace("(pfx_connector_requests_total unless pfx_connector_requests_total offset 1h) or ", "")
        self.assertNotEqual(blind, ALERTS)
        self.assertFalse(self.judged(blind, "pfx:requests_ended:1h"), "failures in a new series")

    def test_each_alert_says_what_it_is_and_what_to_look_with(self) -> None:
        """That there are such commands and events is held by functional/test_docs.py."""
        page = (DOCS / "monitor.md").read_text()
        self.assertEqual(sorted(re.findall(r"^\| `(PfxConnector\w+)`", page, re.M)), sorted(NAMES), "the table of alerts")
        for rule in ALERTS.split("- alert: ")[1:]:
            self.assertRegex(rule, r"severity: (critical|warning|info)\}")
            self.assertRegex(rule, r'summary: "\{\{ \$labels.instance \}\}')
            self.assertIn("`pfx-connector ", rule.split("description:")[1])

    def test_every_query_of_the_dashboard_goes_to_the_chosen_datasource(self) -> None:
        panels = [each for each in json.loads((SHIPPED / "dashboard.json").read_text())["panels"] if each["type"] != "row"]
        for panel in panels:
            for asked in (panel, *panel["targets"]):
                self.assertEqual(asked["datasource"], {"type": "prometheus", "uid": "${datasource}"}, panel["title"])
            for target in panel["targets"]:
                self.assertIn('=~"$instance"', target["expr"])


class Scraped(unittest.TestCase):
    """The shipped files, but for ports, seconds instead of minutes, and no patience in the alerts."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        # One call that fails is enough for the breaker, and it asks again at once.
        cls.connector = cls.lab.connector({"authority": {"corp": {"breaker": {"failures": 1, "open_seconds": 1}, "timeout_seconds": 2}},
                                           "limits": {"issue_per_day": 50}, "policy": {"protected_users": ["vip@corp.example"]}})
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-prometheus-")))
        cls.port, probe = free_port(), free_port()
        scrape = (SHIPPED / "scrape.yml").read_text()
        for old, new in (("127.0.0.1:9464", f"127.0.0.1:{cls.connector.health_port}"), ("127.0.0.1:9115", f"127.0.0.1:{probe}"),
                         ("scrape_interval: 30s", "scrape_interval: 1s")):
            assert old in scrape, old
            scrape = scrape.replace(old, new)
        (cls.place / "prometheus.yml").write_text("global: {evaluation_interval: 1s}\n" + scrape)
        (cls.place / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 0s", ALERTS))
        cls.start("prometheus-blackbox-exporter", f"--config.file={SHIPPED / 'blackbox.yml'}", f"--web.listen-address=127.0.0.1:{probe}")
        cls.start("prometheus", f"--config.file={cls.place / 'prometheus.yml'}", f"--storage.tsdb.path={cls.place / 'data'}",
                  f"--web.listen-address=127.0.0.1:{cls.port}")
        cls.people = 0

    @classmethod
    def start(cls, *command: str) -> None:
        said = cls.enterClassContext((cls.place / f"{command[0]}.txt").open("wb"))
        process = subprocess.Popen(command, cwd=cls.place, stdin=subprocess.DEVNULL, stdout=said, stderr=said)

        def end() -> None:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        cls.addClassCleanup(end)

    # -- tools --------------------------------------------------------------------------------------------------------
    def api(self, path: str, **query: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(query)}", timeout=10) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:  # not ready yet
                return None
            raise AssertionError(f"{query}: {error.read().decode()}") from error
        except OSError:
            return None

    def samples(self, query: str) -> list[Any]:
        found = self.api("query", query=query)
        return found["result"] if found else []

    def value(self, query: str) -> float | None:
        found = self.samples(query)
        self.assertLessEqual(len(found), 1, query)
        return float(found[0]["value"][1]) if found else None

    def wait_value(self, query: str, wanted: float) -> None:
        self.wait(lambda: self.value(query) == wanted, f"{query} = {wanted}, and it is {self.value(query)}")

    def wait(self, true: Any, what: str) -> None:
        self.connector.wait_until(true, 60, what)

    def firing(self) -> dict[str, dict[str, str]]:
        """By name, with what it says."""
        found = self.api("alerts")
        return {each["labels"]["alertname"]: each["annotations"] for each in found["alerts"] if each["state"] == "firing"} if found else {}

    def person(self, name: str = ""):
        type(self).people += 1
        user = self.lab.user(name or f"user{self.people}")
        return user, self.lab.device(user, key_kind="ecP256")

    # -- tests --------------------------------------------------------------------------------------------------------
    def test_names_are_those_of_the_daemon(self) -> None:
        exposed = set(re.findall(r"^# HELP (\S+)", self.connector.health("/metrics")[1], re.M))
        page = (DOCS / "monitor.md").read_text()
        for where, text in (("alerts.yml", ALERTS), ("alerts_test.yml", (SHIPPED / "alerts_test.yml").read_text()),
                            ("dashboard.json", (SHIPPED / "dashboard.json").read_text()), ("monitor.md", page)):
            named = {re.sub(r"_(bucket|sum|count)$", "", each) for each in METRIC.findall(text)} - MODULES
            self.assertGreater(len(named), 10, where)
            self.assertEqual(named - exposed, set(), where)
        self.assertEqual({each for each in exposed if f"`{each}" not in page}, set(), "not in monitor.md")

    def test_what_prometheus_knows_is_what_was_done(self) -> None:
        counters = (("requests_total", {"kind": "pkcs.issue", "result": "delivered"}, 3), ("requests_total", {"kind": "pfx.deliver", "result": "delivered"}, 1),
                    ("requests_total", {"kind": "pkcs.issue", "result": "failed"}, 1), ("refused_total", {"code": "recipientUntrusted"}, 1),
                    ("authority_requests_total", {"authority": "corp", "result": "issued"}, 3), ("request_duration_seconds_count", {"kind": "pkcs.issue"}, 4))
        before = [self.connector.metric(name, **labels) for name, labels, _ in counters]
        people = [self.person() for _ in range(3)]
        for user, device in people:
            self.lab.delivered(self.lab.issue(user, device, key_type="ecP256"))
        user, device = people[0]
        self.lab.import_history(user, (2022,))
        self.lab.delivered(self.lab.deliver(user, device))
        self.lab.error(self.lab.issue(user, self.lab.device(user, flaw="foreign-ca"), key_type="ecP256"))
        held = self.lab.issue(*self.person("vip"), key_type="ecP256")
        for (name, labels, more), was in zip(counters, before, strict=True):
            self.wait_value(f"pfx_connector_{name}{{" + ", ".join(f'{key}="{text}"' for key, text in labels.items()) + "}", was + more)
        self.wait_value('sum(pfx_connector_requests_pending{stage!="held"})', 0)
        self.wait_value('pfx_connector_held{reason="approval"}', 1)
        self.wait_value('pfx_connector_authority_up{authority="corp"}', 1)
        self.wait_value('up{job="pfx-connector"}', 1)
        for probe in ("ready", "healthy"):
            self.wait_value(f'probe_success{{probe="{probe}"}}', 1)
        self.assertLess(self.value("time() - pfx_connector_last_lease_timestamp_seconds"), 60)
        self.assertGreater(self.value('pfx_connector_certificate_expiry_timestamp_seconds{which="connector"} - time()'), 30 * 86400)
        self.wait(lambda: set(self.firing()) == {"PfxConnectorHeld"}, "the alert, and no other")
        # Every panel has something to show of such a day.
        queries = [each for panel in dashboard_queries().values() for each in panel if NO_DIRECTORY not in each]
        self.assertGreater(len(queries), 25)
        empty: list[str] = []

        def shown() -> bool:
            empty[:] = [each for each in queries if not self.samples(each)]
            return not empty
        try:
            self.wait(shown, "samples")
        except Exception:
            self.fail(f"nothing to show: {empty}")
        self.assertEqual(self.samples(NO_DIRECTORY), [])
        self.connector.command("requests", "abandon", held, check=True)
        self.wait(lambda: self.firing() == {}, "the alert's end")

    def test_the_authority_fails(self) -> None:
        ca = sqlite3.connect(Path(self.connector.settings["authority"]["corp"]["directory"]) / "ca.db", timeout=30, isolation_level=None)
        self.addCleanup(ca.close)
        self.wait_value("pfx_connector_authority_up", 1)
        ca.execute("BEGIN EXCLUSIVE")
        waiting = self.lab.issue(*self.person(), key_type="ecP256")
        self.wait_value("pfx_connector_authority_up == 0", 0)
        self.wait_value('probe_success{probe="ready"} == 0', 0)
        wanted = {"PfxConnectorAuthorityDown", "PfxConnectorAllAuthoritiesDown", "PfxConnectorNotReady"}
        self.wait(lambda: wanted <= set(self.firing()), f"{wanted}, and there is {set(self.firing())}")
        told = self.firing()["PfxConnectorAuthorityDown"]
        self.assertEqual(told["summary"], "pfx1: authority corp does not work")
        self.assertIn("`pfx-connector authority test corp`", told["description"])
        ca.execute("ROLLBACK")
        self.lab.delivered(waiting, timeout=60)
        self.wait(lambda: not wanted & set(self.firing()), "the alerts' end")

    def test_the_button(self) -> None:
        self.addCleanup(self.connector.command, "thaw")
        self.connector.command("freeze", "pfx.deliver", check=True)
        self.wait(lambda: "PfxConnectorStopped" in self.firing(), "the alert")
        self.assertEqual(self.firing()["PfxConnectorStopped"]["summary"], "pfx1: pfx.deliver is stopped until `thaw`")
        self.wait(lambda: "PfxConnectorDegraded" in self.firing(), "the probe's word")
        self.assertNotIn("PfxConnectorNotReady", self.firing())
        self.connector.command("thaw", check=True)
        self.wait(lambda: self.firing() == {}, "the alerts' end")

    def test_the_service_is_away(self) -> None:
        self.lab.stop_service()
        try:
            self.wait(lambda: "PfxConnectorNotReady" in self.firing(), "the alert")
        finally:
            self.lab.start_service()
        self.wait(lambda: self.firing() == {}, "the alert's end")

    def test_the_process_is_gone(self) -> None:
        self.connector.terminate()
        self.addCleanup(lambda: None if self.connector.running else self.connector.start())
        self.connector.process = None  # its end is meant, and no reason to stop waiting
        self.wait(lambda: set(self.firing()) == {"PfxConnectorDown"}, "the alert, and no second one for the same")
        self.connector.start()
        self.wait(lambda: self.firing() == {}, "the alert's end")


if __name__ == "__main__":
    unittest.main()
