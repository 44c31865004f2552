#!/usr/bin/python3
"""The red button: meters that hold, limits that trip, freeze and thaw; over crashes, under load, and by whom (attacks 25, 29 to 32, 51, 53)."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402

# What a process asks that has another account: the CLI itself cannot be used, its configuration is root's.
ASK = """
import json, socket, sys
try:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(20)
        line.connect(sys.argv[1])
        line.sendall((sys.argv[2] + "\\n").encode())
        print(line.makefile().readline())
except PermissionError:
    print(json.dumps({"exit": 13, "error": "the kernel refuses"}))
"""


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-button-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


class Button(unittest.TestCase):
    config: dict = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls is Button:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.place = Path(cls.enterClassContext(tempfile.TemporaryDirectory(prefix="pfx-sock-")))
        cls.place.chmod(0o755)
        control = {"socket": cls.place / "control.sock", "group": "mail", **cls.config.get("control", {})}
        cls.connector: Connector = cls.lab.connector({**cls.config, "control": control})
        cls.people = 0
        cls.neighbour = cls.person()

    @classmethod
    def person(cls):
        cls.people += 1
        user = cls.lab.user(f"button{cls.people}")
        return user, cls.lab.device(user, key_kind="ecP256")

    def with_history(self, years=(2020,)):
        user, device = self.person()
        self.lab.import_history(user, years)
        return user, device

    def issue(self, user, device) -> str:
        return self.lab.issue(user, device, key_type="ecP256")

    def serve_neighbour(self) -> None:
        self.assertEqual(len(self.lab.open(self.neighbour[1], self.issue(*self.neighbour)).identities), 1, "the honest neighbour")

    def held(self) -> dict[str, dict]:
        return {row["id"]: row for row in self.connector.command_json("requests", "list", "--stage", "held")["requests"]}

    def wait_held(self, *identifiers: str) -> None:
        self.connector.wait_until(lambda: set(identifiers) <= set(self.held()), 30, f"{identifiers} to be held")
        for each in identifiers:
            self.assertEqual(self.lab.state(each)["reports"], [], "something of it left the connector")

    def audited(self, event: str, **fields: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.connector.audit()]
        return [line for line in lines if line["event"] == event and all(str(line.get(name)) == text for name, text in fields.items())]

    def wait_audited(self, event: str, **fields: str) -> dict[str, Any]:
        self.connector.wait_until(lambda: self.audited(event, **fields), 15, f"{event} {fields} in the audit log")
        return self.audited(event, **fields)[-1]

    def meter(self, name: str) -> dict[str, Any]:
        return next(row for row in self.connector.command_json("limits", "show")["limits"] if row["limit"] == name)

    def frozen(self) -> set[str]:
        status, text = self.connector.health()
        return set(json.loads(text)["frozen"]) if status == 200 else set()

    def wait_stopped(self, *kinds: str) -> None:
        """Everything that shows it, shows it."""
        self.connector.wait_until(lambda: set(kinds) <= self.frozen(), 15, f"{kinds} to be stopped")
        for kind in kinds:
            self.connector.wait_until(lambda: self.connector.metric("frozen", kind=kind) == 1, 5, "the metric")
        self.connector.wait_until(lambda: set(kinds) <= set(self.lab.heartbeats()[-1]["frozen"]), 15, "the heartbeat")
        self.assertLessEqual(set(kinds), {row["kind"] for row in self.connector.command_json("status")["stops"]})
        self.assertIn("until <code>thaw</code>", self.connector.health("/")[1])

    def restart(self) -> None:
        self.connector.kill()
        before = len(self.lab.heartbeats())
        self.connector.start(wait_ready=False)
        # Until the new process has looked at everything once and told so.
        self.connector.wait_until(lambda: len(self.lab.heartbeats()) > before, 20, "a heartbeat of the new process")
        self.connector.wait_until(lambda: self.connector.health("/livez")[0] == 200, 20, "the health endpoint")

    def ask_as(self, account: str, command: str, **arguments: Any) -> dict[str, Any]:
        question = json.dumps({"command": command, "arguments": arguments})
        done = subprocess.run([sys.executable, "-c", ASK, str(self.place / "control.sock"), question], user=account, group=account_group(account), extra_groups=[],
                              capture_output=True, text=True, check=True, timeout=30, cwd="/")
        return json.loads(done.stdout)

    def check_audit_whole(self) -> None:
        said = self.connector.command("audit", "verify")
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)


def account_group(account: str) -> str:
    return "nogroup" if account == "nobody" else account


class Trip(Button):
    config = {"limits": {"unwrap_users_per_hour": 3}}

    def test_300_histories_in_an_hour(self) -> None:
        """Attacks 29 and 30: so many done, the next held, at twice the kind is stopped; and SIGKILL between gives nothing back."""
        for _ in range(3):
            user, device = self.with_history()
            self.assertEqual(len(self.lab.open(device, self.lab.deliver(user, device)).identities), 1)
        since = self.lab.last_call()
        over = [self.with_history() for _ in range(2)]
        held = [self.lab.deliver(*each) for each in over]
        self.wait_held(*held)
        self.restart()
        self.connector.wait_ready()
        self.wait_held(*held)
        row = self.meter("unwrap_users_per_hour")
        self.assertEqual((row["used"], row["max"], row["above"], row["tripped"]), (3, 3, 2, False))
        self.assertEqual(self.audited("KEY-4001"), [])
        self.serve_neighbour()

        last = self.with_history()
        sixth = self.lab.deliver(*last)
        line = self.wait_audited("KEY-4001")
        self.assertEqual((line["limit"], line["kinds"]), ("unwrap_users_per_hour", "pfx.deliver"))
        self.assertIn("6 asked for, the limit is 3", line["reason"])
        self.wait_stopped("pfx.deliver")
        status, text = self.connector.health("/readyz")
        self.assertEqual(status, 503)
        self.assertIn("unwrap_users_per_hour", text)
        self.assertEqual(self.lab.heartbeats()[-1]["state"], "notReady")

        self.restart()
        self.wait_stopped("pfx.deliver")
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        # What comes now is not even leased, while the neighbour's is, and is served.
        more = [self.lab.deliver(*each) for each in (over[0], last)]
        self.serve_neighbour()
        for each in more:
            self.assertEqual(self.lab.state(each)["state"], "queued")
        # The first three had theirs, and nobody else's key was opened.
        opened = {line["user"] for line in self.audited("IMP-2050")}
        self.assertEqual(len(opened), 3)
        self.assertFalse(opened & {user.upn for user, _ in (*over, last)})
        self.assertEqual([each for identifier in (*held, sixth) for each in self.lab.state(identifier)["reports"]], [])
        self.assertTrue(self.meter("unwrap_users_per_hour")["tripped"])
        self.assertIn("unwrap_users_per_hour", self.connector.command("limits", "show", check=True).stdout)
        self.assertGreater(self.lab.last_call(), since)

        # What the administrator does at night, when it was right: raise, then thaw.
        done = self.connector.command("limits", "raise", "unwrap_users_per_hour=20", "--for", "1h", "--reason", "the roll-out of building B", check=True)
        self.assertIn("still stopped", done.stdout)
        line = self.wait_audited("KEY-4012")
        self.assertEqual((line["limit"], line["from"], line["to"], line["by"], line["reason"]),
                         ("unwrap_users_per_hour", "3", "20", "root", "the roll-out of building B"))
        self.assertEqual(self.connector.health("/readyz")[0], 503, "a raise alone lets nothing go on")
        self.assertIn("nothing is stopped", self.connector.command("thaw", check=True).stdout)
        self.assertEqual(self.wait_audited("KEY-4014")["by"], "root")
        for identifier, (_, device) in zip((*held, sixth, *more), (*over, last, over[0], last)):
            self.assertEqual(len(self.lab.open(device, identifier).identities), 1)
        self.connector.wait_ready()
        self.assertEqual(self.meter("unwrap_users_per_hour")["max"], 20)
        self.restart()
        self.connector.wait_ready()
        self.assertEqual(self.meter("unwrap_users_per_hour")["max"], 20, "a raise survives a crash")
        self.check_audit_whole()

    def test_a_raise_that_is_none_is_refused(self) -> None:
        for arguments in (("unwrap_users_per_hour=3", "--for", "1h", "--reason", "x"), ("unwrap_users_per_hour=0", "--for", "1h", "--reason", "x"),
                          ("unwrap_users_per_hour=9000000", "--for", "1h", "--reason", "x"), ("unwrap_users=5", "--for", "1h", "--reason", "x"),
                          ("issue_per_hour=5", "--for", "1h", "--reason", "x"), ("unwrap_users_per_hour=5", "--for", "1y", "--reason", "x"),
                          ("unwrap_users_per_hour=5", "--for", "40d", "--reason", "x"), ("unwrap_users_per_hour=5", "--for", "0h", "--reason", "x"),
                          ("unwrap_users_per_hour=5", "--for", "1h", "--reason", ""), ("unwrap_users_per_hour=5", "--for", "1h"),
                          ("unwrap_users_per_hour=5", "--reason", "x"), ("unwrap_users_per_hour", "--for", "1h", "--reason", "x")):
            with self.subTest(arguments):
                done = self.connector.command("limits", "raise", *arguments)
                self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual(self.connector.command("freeze", "pkcs.isue").returncode, 2)


class OneHuman(Button):
    """The user id is the service's word, and so are the letters of the name: neither moves a meter."""
    config = {"limits": {"deliveries_per_user_per_day": 1, "issue_per_user_per_day": 1, "unwrap_users_per_hour": 3}}

    def ordered(self, request: dict, number: int) -> str:
        user = request["user"]
        user["id"] = f"somebody-else-{number}"
        user["userPrincipalName"] = user["userPrincipalName"].title() if number % 2 else user["userPrincipalName"].upper()
        return self.lab.queue(request)[0]

    def wait_over(self, limit: str, *identifiers: str) -> None:
        self.wait_held(*identifiers)
        for each in identifiers:
            self.assertIn(limit, self.connector.command_json("requests", "show", each)["heldDetail"])

    def test_at_29_a_fresh_user_id_for_each_delivery(self) -> None:
        user, device = self.with_history()
        self.lab.open(device, self.lab.deliver(user, device))
        self.wait_over("deliveries_per_user_per_day", *[self.ordered(self.lab.deliver_request(user, device), number) for number in range(2)])
        self.serve_neighbour_once()

    def test_at_29_a_fresh_user_id_for_each_certificate(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        held = [self.ordered(self.lab.issue_request(user, device, key_type="ecP256"), number) for number in range(2)]
        self.wait_over("issue_per_user_per_day", *held)
        # Whose the device is was never the question: binding it waives no limit.
        self.assertEqual(self.connector.command_json("recipients", "bind", device.id, "--user", user.upn)["released"], 0)
        self.wait_over("issue_per_user_per_day", *held)
        self.serve_neighbour_once()

    def test_at_29_z_one_user_id_for_many_humans(self) -> None:
        used = self.meter("unwrap_users_per_hour")["used"]
        for _ in range(3 - used):
            user, device = self.with_history()
            request = self.lab.deliver_request(user, device)
            self.lab.open(device, self.as_one(request))
        user, device = self.with_history()
        self.wait_over("unwrap_users_per_hour", self.as_one(self.lab.deliver_request(user, device)))

    def as_one(self, request: dict) -> str:
        request["user"]["id"] = "everybody"
        return self.lab.queue(request)[0]

    def serve_neighbour_once(self) -> None:
        user, device = self.person()
        self.assertEqual(len(self.lab.open(device, self.issue(user, device)).identities), 1, "an honest neighbour")


class Refusals(Button):
    config = {"limits": {"refusals_per_hour": 2}}

    def test_somebody_tries_things_out(self) -> None:
        bad = [self.person()[0] for _ in range(4)]
        phones = [self.lab.device(user, key_kind="ecP256", flaw="foreign-ca") for user in bad]
        for user, phone in list(zip(bad, phones))[:2]:
            self.assertEqual(self.lab.error(self.issue(user, phone))["code"], "recipientUntrusted")
        third = self.issue(bad[2], phones[2])
        self.wait_held(third)
        self.assertIn("refusals_per_hour", self.connector.command_json("requests", "show", third)["heldDetail"])
        self.serve_neighbour()
        fourth = self.issue(bad[3], phones[3])
        self.wait_audited("KEY-4001", limit="refusals_per_hour")
        self.wait_stopped("pkcs.issue", "pfx.deliver")
        self.assertEqual(self.lab.state(fourth)["reports"], [])
        self.connector.command("thaw", check=True)
        self.connector.wait_ready()
        self.serve_neighbour()


class Freeze(Button):
    config = {"connector": {"in_flight": 4, "crypto_threads": 1}}
    DONE = ("PKCS-1050", "IMP-2050", "KEY-4030", "REV-3050", "PKCS-1000", "IMP-2000")

    def test_a_freeze_under_load(self) -> None:
        """Attack 31: nothing is opened, ordered or sent after it, across a crash; then all of it is done, once."""
        people = [self.with_history((2018, 2020)) for _ in range(6)]
        ids = self.lab.queue(*[self.lab.deliver_request(*each) for each in people for _ in range(2)],
                             *[self.lab.issue_request(*each, key_type="ecP256") for each in people for _ in range(2)])
        self.connector.wait_until(lambda: sum(self.lab.state(each)["state"] == "done" for each in ids) >= 2, 60, "the work to be under way")
        frozen = self.connector.command_json("freeze", "--reason", "who ordered all this?")
        self.assertEqual(set(frozen["frozen"]), {"pkcs.issue", "pkcs.renew", "pfx.deliver", "pfx.withdraw", "certificate.revoke"})
        line = self.wait_audited("KEY-4013")
        self.assertEqual((line["by"], line["reason"]), ("root", "who ordered all this?"))
        self.wait_stopped("pkcs.issue", "pfx.deliver", "certificate.revoke")
        status, text = self.connector.health("/readyz")
        self.assertEqual((status, "frozen" in text), (503, True))
        # A report that was on its way is noted before the next life begins.
        self.restart()
        self.wait_stopped("pkcs.issue", "pfx.deliver")
        since = self.lab.last_call()
        done = {each for each in ids if self.lab.state(each)["state"] == "done"}
        lines = len(self.connector.audit())
        self.assertLess(len(done), len(ids), "nothing was left to freeze")
        late = self.issue(*self.neighbour)
        # Twice more through every room.
        self.restart()
        self.wait_stopped("pkcs.issue", "pfx.deliver")
        self.assertEqual({each for each in ids if self.lab.state(each)["state"] == "done"}, done)
        self.assertEqual(self.lab.state(late)["state"], "queued")
        for call in ("lease", "imports", "results"):
            self.assertEqual(self.lab.calls(call, since), [], f"{call} while frozen")
        self.assertEqual([json.loads(line)["event"] for line in self.connector.audit()[lines:] if json.loads(line)["event"] in self.DONE], [])
        self.connector.command("thaw", check=True)
        self.connector.wait_ready()
        self.lab.wait(*ids, late, timeout=120)
        for each in ids:
            self.assertGreaterEqual(len(self.lab.delivered(each)["certificates"]), 1)
            self.assertEqual([report["outcome"] for report in self.lab.state(each)["reports"] if report["outcome"] != "duplicate"], ["accepted"])
        self.lab.check_clean()
        self.check_audit_whole()

    def check_untouched(self, identifier: str) -> None:
        """A poll that was under way may have brought it here; then it lies here."""
        self.assertIn(self.lab.state(identifier)["state"], ("queued", "leased"))
        self.assertEqual(self.lab.state(identifier)["reports"], [])
        self.assertEqual(self.audited("KEY-4030", request=identifier), [])

    def test_one_kind_is_frozen_and_the_neighbour_is_served(self) -> None:
        user, device = self.with_history()
        self.connector.command("freeze", "pfx.deliver", check=True)
        self.wait_stopped("pfx.deliver")
        identifier = self.lab.deliver(user, device)
        self.serve_neighbour()
        self.check_untouched(identifier)
        self.assertEqual(self.connector.health("/readyz")[0], 200, "a person has frozen one kind and knows of it")
        self.assertEqual(json.loads(self.connector.health()[1])["status"], "degraded")
        self.connector.terminate()
        # Without a daemon the button works as well.
        self.connector.command("freeze", "pkcs.issue", check=True)
        self.connector.start(wait_ready=False)
        self.wait_stopped("pfx.deliver", "pkcs.issue")
        self.connector.command("thaw", "pkcs.issue", check=True)
        self.serve_neighbour()
        self.check_untouched(identifier)
        self.connector.command("thaw", check=True)
        self.assertEqual(len(self.lab.open(device, identifier).identities), 1)


class Orphans(Button):
    config = {"limits": {"revoke_per_hour": 2}}

    def revoked(self) -> set[str]:
        return {row["serialNumber"] for row in self.connector.command_json("issued", "list")["issued"] if row["revokedAt"]}

    def waiting(self) -> set[str]:
        return {row["id"] for row in self.connector.command_json("requests", "list", "--stage", "revoking")["requests"]}

    def test_every_result_is_answered_cancelled(self) -> None:
        """Attack 25: revocations stop at the meter, what is left is listed as living, and the kind is stopped at twice."""
        self.lab.evil("cancel-all")
        ids = [self.issue(*self.person()) for _ in range(3)]
        self.connector.wait_until(lambda: len(self.revoked()) == 2 and len(self.waiting()) == 1, 30, "two revocations and one that waits")
        self.assertEqual(self.audited("KEY-4001"), [])
        ids += [self.issue(*self.person()) for _ in range(3)]
        self.wait_audited("KEY-4001", limit="revoke_per_hour", kinds="certificate.revoke")
        self.wait_stopped("certificate.revoke")
        self.connector.wait_until(lambda: len(self.waiting()) == 4, 30, "four living orphans in the list")
        self.assertLessEqual(self.waiting(), set(ids))
        self.restart()
        self.wait_stopped("certificate.revoke")
        self.assertEqual((len(self.revoked()), len(self.waiting())), (2, 4))
        self.assertEqual(len(self.audited("REV-3050")), 2)
        self.assertEqual(len(self.connector.command_json("issued", "list")["issued"]), 6, "every certificate stands in the register")
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        self.lab.good()
        self.serve_neighbour()
        self.connector.command("limits", "raise", "revoke_per_hour=20", "--for", "2h", "--reason", "cleaning up", check=True)
        self.connector.command("thaw", check=True)
        self.connector.wait_until(lambda: not self.waiting(), 30, "the orphans to be revoked")
        self.assertEqual(len(self.revoked()), 6)
        self.connector.wait_ready()


class Failures(Button):
    config = {"limits": {"unwrap_failures_per_hour": 4}}

    def test_altered_passwords(self) -> None:
        """Attack 53: one code and one text for each; after so many nothing more is tried, and at twice nothing at all."""
        guessed = [self.with_history((2018, 2020)) for _ in range(7)]
        self.lab.evil("flip-password")
        errors = [self.lab.error(self.lab.deliver(*each)) for each in guessed[:2]]
        self.assertEqual({(each["code"], each["message"]) for each in errors}, {("importUndecryptable", errors[0]["message"])})
        self.assertEqual(self.meter("unwrap_failures_per_hour")["used"], 4)
        held = [self.lab.deliver(*each) for each in guessed[2:5]]
        self.wait_held(*held)
        self.assertEqual(self.meter("unwrap_failures_per_hour")["used"], 4, "something more was tried")
        self.serve_neighbour()
        self.lab.deliver(*guessed[5])
        self.wait_audited("KEY-4001", limit="unwrap_failures_per_hour", kinds="pfx.deliver")
        self.wait_stopped("pfx.deliver")
        self.assertEqual(self.audited("IMP-2050"), [], "something was opened")
        self.serve_neighbour()

    def test_z_a_thousand_in_one_history(self) -> None:
        self.lab.good()
        self.connector.command("thaw", check=True)
        self.connector.command("limits", "raise", "unwrap_failures_per_hour=1000", "--for", "1h", "--reason", "for the next step", check=True)
        for identifier in self.held():
            self.connector.command("requests", "abandon", identifier, check=True)
        user, device = self.with_history(tuple(range(2012, 2024)))
        self.lab.evil("flip-password")
        before = self.meter("unwrap_failures_per_hour")["used"]
        identifier = self.lab.deliver(user, device)
        self.wait_held(identifier)
        self.assertIn("the rest was not tried", self.connector.command_json("requests", "show", identifier)["heldDetail"])
        self.assertEqual(self.meter("unwrap_failures_per_hour")["used"] - before, 4)


class Withdraws(Button):
    def test_a_flood_of_withdraws_is_counted_and_not_told_one_by_one(self) -> None:
        """Attack 51. The audit log keeps some of them and their number."""
        user, device = self.person()
        flood = 120
        before = self.connector.audit_file.stat().st_size
        ids = self.lab.queue(*[self.lab.withdraw_request(user, device) for _ in range(flood)])
        self.lab.wait(*ids, timeout=120)
        self.serve_neighbour()
        self.connector.terminate()
        told = self.audited("IMP-2000", kind="pfx.withdraw")
        self.assertLess(self.connector.audit_file.stat().st_size - before, 32 * 1024)
        self.assertEqual(sum(int(line.get("repeated", 1)) for line in told), flood, "some are neither told nor counted")
        self.assertLess(len(told), 60)
        self.connector.start()
        self.check_audit_whole()


@unittest.skipUnless(os.geteuid() == 0, "other accounts are needed")
class Accounts(Button):
    config = {"limits": {"issue_per_hour": 100}}

    def test_who_may_and_who_may_not(self) -> None:
        """Attack 32: the account is the kernel's word, and stands in the audit log whatever was asked."""
        raised = {"limit": "issue_per_hour", "to": 500, "for": "1h", "reason": "mine"}
        self.assertEqual(self.ask_as("nobody", "limits.raise", **raised)["exit"], 13)
        # Past the socket's mode: somebody has opened it, or the session is older than the account's last day in the group.
        (self.place / "control.sock").chmod(0o666)
        for command, arguments in (("limits.raise", raised), ("freeze", {}), ("thaw", {}), ("requests.approve", {"id": "r-1", "key": "0000"}), ("status", {})):
            answer = self.ask_as("nobody", command, **arguments)
            self.assertEqual((answer["exit"], answer["result"]), (1, None))
            self.assertIn("mail", answer["error"])
            self.wait_audited("SVC-5023", by="nobody", command=command)
        self.assertEqual((self.meter("issue_per_hour")["max"], self.frozen()), (100, set()))
        self.assertEqual(self.ask_as("mail", "limits.raise", **raised)["exit"], 0)
        self.assertEqual(self.wait_audited("KEY-4012")["by"], "mail")
        self.assertEqual(self.ask_as("mail", "freeze", kinds=["pfx.deliver"])["exit"], 0)
        self.assertEqual(self.wait_audited("KEY-4013")["by"], "mail")
        self.serve_neighbour()
        self.assertEqual(self.ask_as("mail", "thaw")["exit"], 0)
        self.assertEqual(self.wait_audited("KEY-4014")["by"], "mail")

    def test_a_nasty_reason_is_harmless(self) -> None:
        self.ask_as("mail", "freeze", kinds=["pfx.deliver"], reason="\x1b[31m\r\nKEY-4014 <b>\u202e" + "x" * 4000)
        self.addCleanup(self.connector.command, "thaw")
        line = self.wait_audited("KEY-4013", kinds="pfx.deliver")
        self.assertTrue(line["reason"].isprintable())
        self.assertLess(len(line["reason"]), 512)
        shown = self.connector.command("limits", "show", check=True).stdout
        self.assertNotIn("\x1b", shown)
        self.assertNotIn("\u202e", shown)


if __name__ == "__main__":
    unittest.main()
