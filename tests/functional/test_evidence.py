#!/usr/bin/python3
"""What may not go back: the importers' signed lists (attack 38), and the clock (attack 54)."""
import datetime as dt
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
from lab import Lab  # noqa: E402

DAY = 86400


class Evidence(unittest.TestCase):
    config: dict = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls is Evidence:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab())
        cls.connector = cls.lab.connector(cls.config)
        cls.people = 0

    def tearDown(self) -> None:
        self.lab.good()

    def person(self):
        type(self).people += 1
        user = self.lab.user(f"listed{self.people}")
        return user, self.lab.device(user, key_kind="ecP256")

    def audited(self, event: str, order: str) -> list[dict]:
        return [line for line in map(json.loads, self.connector.audit()) if line["event"] == event and line.get("request") == order]

    def wait_audited(self, event: str, order: str) -> dict:
        self.connector.wait_until(lambda: self.audited(event, order), 15, f"{event} of {order}")
        return self.audited(event, order)[-1]

    def deliver(self, user, phone) -> tuple[str, list[str]]:
        order = self.lab.deliver(user, phone)
        return order, [each.sha256 for each in self.lab.open(phone, order, timeout=60).identities]


class Lists(Evidence):
    def test_a_record_left_out_is_told_although_no_device_ever_had_it(self) -> None:
        user, phone = self.person()
        history = self.lab.import_history(user, (2018, 2020, 2022))
        self.lab.evil("drop-record", of=[user.upn], index=1)
        order, got = self.deliver(user, phone)
        self.assertEqual(got, [history[0].sha256, history[2].sha256])
        line = self.wait_audited("IMP-2080", order)
        self.assertEqual((line["count"], line["certificates"], line["owner"]), ("1", history[1].sha256, user.upn))
        self.lab.good()
        order, got = self.deliver(user, phone)
        self.assertEqual(len(got), 3)
        self.assertEqual(self.audited("IMP-2080", order), [])

    def test_an_older_list_does_not_pass_for_the_newest_after_a_restart(self) -> None:
        user, phone = self.person()
        old = self.lab.import_history(user, (2018,))
        records = self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]
        new = pki.history(self.lab.pki, user.upn, (2022,), shared_keys=True)
        self.lab.control.delete(f"imports?userPrincipalName={user.upn}")
        self.lab.store(self.lab.records(user, [*old, *new], sequence=2))
        order, got = self.deliver(user, phone)
        self.assertEqual(got, [old[0].sha256, new[0].sha256])
        self.assertEqual(self.audited("IMP-2081", order), [])
        self.connector.kill()
        self.connector.start()
        self.lab.evil("replace-records", of=[user.upn], records=records)
        order, got = self.deliver(user, phone)
        self.assertEqual(got, [old[0].sha256], "what is signed is the owner's all the same")
        line = self.wait_audited("IMP-2081", order)
        self.assertEqual((line["shown"], line["newest"]), ("1", "2"))
        self.assertEqual(self.wait_audited("IMP-2080", order)["certificates"], new[0].sha256)

    def test_a_newer_list_of_another_purpose_hides_nothing(self) -> None:
        """A signing certificate's statement among the encryption certificates, so that its list passes for theirs."""
        user, phone = self.person()
        history = self.lab.import_history(user, (2018, 2020))
        self.lab.store(self.lab.records(user, pki.history(self.lab.pki, user.upn, (2021,), shared_keys=True), purpose="smimeSigning", sequence=9))
        stored = self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]
        shown = [{**each, "intendedPurpose": "smimeEncryption"} for each in stored if each["thumbprint"] != history[1].thumbprint]
        self.assertEqual(len(shown), 2)
        self.lab.evil("replace-records", of=[user.upn], records=shown)
        order, got = self.deliver(user, phone)
        self.assertEqual(got, [history[0].sha256])
        self.assertEqual(self.wait_audited("IMP-2080", order)["certificates"], history[1].sha256)

    def test_what_is_removed_on_purpose_is_not_missed(self) -> None:
        user, phone = self.person()
        history = self.lab.import_history(user, (2018, 2020, 2022))
        self.deliver(user, phone)
        done = self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", history[0].thumbprint)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        order, got = self.deliver(user, phone)
        self.assertEqual(len(got), 2)
        self.assertEqual(self.audited("IMP-2080", order) + self.audited("IMP-2081", order), [])
        self.assertEqual(self.wait_audited("IMP-2083", order)["certificates"], history[0].sha256, "a shorter list is told, once")
        # By other means: told, until a person publishes what is there.
        records = self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]
        gone = next(each for each in records if each["thumbprint"] == history[1].thumbprint)
        self.lab.control.delete(f"imports?id={gone['id']}")
        order, _ = self.deliver(user, phone)
        self.wait_audited("IMP-2080", order)
        said = self.connector.command_json("import", "inventory", "--publish", "--user", user.upn)
        self.assertEqual([each["dropped"] for each in said["published"]], [[history[1].sha256]])
        self.assertEqual(self.connector.command_json("import", "inventory", "--publish", "--user", user.upn)["published"], [])
        order, got = self.deliver(user, phone)
        self.assertEqual(got, [history[2].sha256])
        self.assertEqual(self.audited("IMP-2080", order), [])

    def test_who_removes_one_record_does_not_sign_another_ones_loss(self) -> None:
        user, phone = self.person()
        history = self.lab.import_history(user, (2018, 2020, 2022))
        self.deliver(user, phone)
        records = self.lab.control.get(f"imports?userPrincipalName={user.upn}")["records"]
        lost = next(each for each in records if each["thumbprint"] == history[1].thumbprint)
        self.lab.control.delete(f"imports?id={lost['id']}")
        done = self.connector.command("import", "remove", "--user", user.upn, "--thumbprint", history[0].thumbprint)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("does not show 1 of the", " ".join(done.stderr.split()))
        order, got = self.deliver(user, phone)
        self.assertEqual(got, [history[2].sha256])
        self.assertEqual(self.wait_audited("IMP-2080", order)["certificates"], history[1].sha256)
        self.assertEqual(self.wait_audited("IMP-2083", order)["certificates"], history[0].sha256)

    def test_a_named_certificate_newer_than_all_before_is_a_change(self) -> None:
        """Attack 39 by the back door: an order that names certificates."""
        user, phone = self.person()
        old = self.lab.import_history(user, (2018,))
        self.deliver(user, phone)
        new = self.lab.import_history(user, (2022,))
        order = self.lab.deliver(user, phone, thumbprints=[new[0].thumbprint])
        self.lab.open(phone, order)
        self.assertIn(new[0].sha256, self.wait_audited("IMP-2069", order)["reason"])
        order = self.lab.deliver(user, phone, thumbprints=[old[0].thumbprint])
        self.lab.open(phone, order)
        self.assertEqual(self.audited("IMP-2069", order), [], "an older one that is asked for changes nothing")


class Adopted(Evidence):
    config = {"importer": {"signatures": "adopted"}}

    def test_who_had_a_signed_list_is_not_put_back_among_the_unsigned(self) -> None:
        waiting, their_phone = self.person()
        unsigned = self.lab.import_history(waiting, (2020,), signed=False)
        self.assertEqual(self.deliver(waiting, their_phone)[1], [unsigned[0].sha256], "not adopted yet: as before")
        user, phone = self.person()
        history = self.lab.import_history(user, (2018, 2020))
        self.assertEqual(len(self.deliver(user, phone)[1]), 2)
        self.connector.kill()
        self.connector.start()
        self.lab.evil("strip-signatures", of=[user.upn])
        order = self.lab.deliver(user, phone)
        self.assertEqual(self.lab.error(order)["code"], "importUnsigned")
        self.assertEqual(self.wait_audited("IMP-2082", order)["owner"], user.upn)
        self.assertEqual(self.wait_audited("IMP-2080", order)["count"], str(len(history)))
        self.lab.good()
        self.assertEqual(len(self.deliver(user, phone)[1]), 2)


def preloaded(program: Path) -> str:
    """libfaketime, behind the sanitizer's library where the program has one."""
    fake = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if fake is None:
        raise unittest.SkipTest("no libfaketime here")
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
    first = [line.split("=>")[1].split()[0] for line in linked.splitlines() if "libasan" in line and "=>" in line]
    return " ".join([*first, str(fake)])


def tomorrow() -> str:
    return (dt.datetime.now(dt.timezone.utc) + dt.timedelta(days=1)).strftime("%Y-%m-%d")


class Clock(Evidence):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lab = cls.enterClassContext(Lab())
        cls.connector = cls.lab.connector(start=False)
        cls.people = 0
        cls.honest = dict(cls.connector.environment)

    def start(self, ahead: int, service_ahead: int | None = None) -> None:
        """The daemon alone lives in another time, and the service with it, unless it is said to live in its own."""
        self.lab.settings(date_skew_seconds=ahead if service_ahead is None else service_ahead)
        if ahead:
            self.connector.environment = {**self.honest, "LD_PRELOAD": preloaded(self.connector.program), "FAKETIME": f"+{ahead}s",
                                          "FAKETIME_DONT_FAKE_MONOTONIC": "1", "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}
        try:
            if self.connector.running:
                self.connector.terminate()
            self.connector.start(wait_ready=ahead != 0)
        finally:
            self.connector.environment = self.honest

    def lived_two_days_ahead(self) -> None:
        """Whatever another test had it note before."""
        self.start(2 * DAY)
        self.connector.wait_until(lambda: self.newest() > tomorrow(), 30, "the time to be noted")
        self.connector.terminate()

    def newest(self) -> str:
        return self.connector.command_json("clock", "show")["newest"] or ""

    def state(self) -> str:
        return self.connector.command_json("clock", "show")["state"]

    def test_a_clock_that_the_service_contradicts_is_not_noted(self) -> None:
        """Two days ahead for an hour, and then right again: the right clock would stop the work."""
        user, phone = self.person()
        self.start(2 * DAY, service_ahead=0)
        self.connector.wait_until(lambda: any("MGT-6016" in line for line in self.connector.log().splitlines()), 30, "it to be told")
        self.lab.wait(self.lab.issue(user, phone, key_type="ecP256"), timeout=60)
        self.assertLess(self.newest(), tomorrow())
        self.connector.terminate()

    def test_a_suspect_database_is_let_go_on_by_the_right_clock_alone(self) -> None:
        """A bar is lifted while the clock is two days behind: it is judged before anything is worked."""
        self.lived_two_days_ahead()
        mark = Path(self.connector.settings["storage"]["directory"]) / "connector.suspect"
        mark.touch(0o600)
        before = len(self.connector.audit())
        self.start(0)
        self.connector.wait_until(lambda: not mark.exists(), 30, "the check")
        self.connector.wait_until(lambda: any("STO-8001" in line for line in self.connector.audit()[before:]), 30, "the work to go on")
        told = [json.loads(line)["event"] for line in self.connector.audit()[before:]]
        self.assertIn("SVC-5035", told)
        self.assertLess(told.index("SVC-5035"), told.index("STO-8001"))
        self.connector.command("clock", "accept", "--reason", "it was two days ahead", check=True)
        self.connector.terminate()

    def test_a_clock_set_back_by_two_days_stops_what_hangs_on_time_until_a_person_says(self) -> None:
        user, phone = self.person()
        self.lived_two_days_ahead()
        self.start(0)
        self.connector.wait_until(lambda: any(json.loads(line)["event"] == "SVC-5035" for line in self.connector.audit()), 20, "the event")
        order = self.lab.issue(user, phone, key_type="ecP256")
        self.assertEqual(self.state(), "held")
        status = self.connector.command_json("status")
        self.assertEqual({stop["cause"] for stop in status["stops"]}, {"clock"})
        self.assertEqual(self.connector.health("/readyz")[0], 503)
        self.assertIn("clock accept", self.connector.health("/healthz")[1])
        self.assertIn("newest time", self.connector.command("doctor").stdout)
        self.connector.command("thaw", check=True)
        self.assertEqual(self.state(), "held", "thaw is for other stops")
        self.connector.kill()
        self.start(0)
        self.connector.wait_until(lambda: self.connector.health("/readyz")[0] == 503, 20, "it is still so")
        self.assertEqual(self.lab.state(order)["reports"], [])
        self.assertEqual(self.connector.command("clock", "accept").returncode, 2, "a reason is needed")
        said = self.connector.command_json("clock", "accept", "--reason", "the battery was empty")
        self.assertGreater(said["newest"], said["accepted"])
        self.assertEqual(len(self.lab.open(phone, order, timeout=60).identities), 1)
        line = next(line for line in map(json.loads, self.connector.audit()) if line["event"] == "SVC-5037")
        self.assertEqual((line["by"], line["reason"]), ("root" if os.geteuid() == 0 else line["by"], "the battery was empty"))
        self.assertEqual(self.state(), "good")


if __name__ == "__main__":
    unittest.main()
