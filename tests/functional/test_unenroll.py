#!/usr/bin/python3
"""unenroll: what is at work is ended and reported, the connector's certificate goes, and what remains is said."""
import json
import sys
import unittest
from datetime import datetime, timedelta, timezone
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Lab  # noqa: E402


def in_an_hour() -> str:
    return (datetime.now(timezone.utc) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Unenroll(unittest.TestCase):
    def setUp(self) -> None:
        self.lab = self.enterContext(Lab())
        self.connector = self.lab.connector({"recipients": {"binding": "register"}}, start=False)

    def certificate_files(self) -> list[Path]:
        return [each for each in (self.connector.directory / "state").glob("connector.*") if each.name.startswith(("connector.key", "connector.crt"))]

    def audited(self) -> list[str]:
        return [line for line in self.connector.audit() if "MGT-6024" in line]

    def test_a_running_daemon_ends_first(self) -> None:
        connector = self.connector
        connector.command("enroll", "--renew", check=True)  # leaves the pair before beside it
        connector.start()
        ida = self.lab.user("ida")
        stranger = self.lab.issue(ida, self.lab.device(ida, key_kind="ecP256"), key_type="ecP256")
        connector.wait_until(lambda: connector.command_json("requests", "list", "--stage", "held")["requests"], 20, "the hold")
        known = self.lab.device(ida, key_kind="ecP256")
        connector.command("recipients", "window", "--until", in_an_hour(), "--max", "5", check=True)
        self.lab.delivered(self.lab.issue(ida, known, key_type="ecP256"))
        done = connector.command("unenroll", timeout=90)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(connector.wait(), 0)
        self.assertEqual(self.certificate_files(), [])
        for said in ("connector.key", "connector.crt", "1 are open", "remove the connector there"):
            self.assertIn(said, " ".join(done.stdout.split()))
        self.assertEqual(len(self.audited()), 1)
        self.assertIn("by", self.audited()[0])
        self.assertEqual(connector.command("audit", "verify").returncode, 0)
        self.assertIn("enroll", connector.command("run").stderr, "the next start says what is missing")

        # Enrolled once more it goes on with what it has.
        connector.enrol(self.lab.token())
        connector.start()
        self.assertEqual([each["id"] for each in connector.command_json("requests", "list", "--stage", "held")["requests"]], [stranger])
        self.lab.delivered(self.lab.issue(ida, known, key_type="ecP256"))

    def test_without_a_daemon_and_once_more(self) -> None:
        first = self.connector.command("unenroll", "--json")
        self.assertEqual(first.returncode, 0, first.stderr)
        said = json.loads(first.stdout)
        self.assertEqual({Path(each).name for each in said["removed"]}, {"connector.key", "connector.crt"})
        self.assertEqual((said["openRequests"], said["undeliveredKeys"]), (0, 0))
        self.assertTrue(said["connectorId"])
        self.assertEqual(self.certificate_files(), [])
        self.assertEqual(len(self.audited()), 1)
        again = self.connector.command("unenroll")
        self.assertEqual(again.returncode, 0, again.stderr)
        self.assertIn("there was no certificate to give up", again.stderr)

    def test_nothing_is_removed_from_a_state_that_somebody_works_on(self) -> None:
        connector = self.connector
        connector.start()
        before = self.certificate_files()
        connector.settings["control"]["socket"] = str(connector.directory / "nobody.sock")
        connector.configure(connector.settings)
        done = connector.command("unenroll", timeout=90)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(self.certificate_files(), before)
        self.assertTrue(connector.running)


if __name__ == "__main__":
    unittest.main()
