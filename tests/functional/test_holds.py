#!/usr/bin/python3
"""What waits for a person: first uses, changed keys and users, limits; what a person says, and what is blocked at once."""
import datetime as dt
import shutil
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from lab import Connector, Lab  # noqa: E402


def setUpModule() -> None:
    global PKI
    PKI = Path(tempfile.mkdtemp(prefix="pfx-holds-"))
    unittest.addModuleCleanup(shutil.rmtree, PKI, True)


def soon(minutes: float = 5) -> str:
    return (dt.datetime.now(dt.timezone.utc) + dt.timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Holding(unittest.TestCase):
    config: dict = {}

    @classmethod
    def setUpClass(cls) -> None:
        if cls is Holding:
            raise unittest.SkipTest("only what the others have in common")
        cls.lab = cls.enterClassContext(Lab(pki_directory=PKI))
        cls.connector: Connector = cls.lab.connector(cls.config)
        cls.lab.control.delete("violations")  # what `enroll` said is looked at by test_command_line
        cls.people = 0

    def person(self):
        type(self).people += 1
        user = self.lab.user(f"user{self.people}")
        return user, self.lab.device(user, key_kind="ecP256")

    def issue(self, user, device, **how) -> str:
        return self.lab.issue(user, device, key_type="ecP256", **how)

    def show(self, identifier: str) -> dict:
        return self.connector.command_json("requests", "show", identifier)

    def held(self) -> list[dict]:
        return self.connector.command_json("requests", "list", "--stage", "held")["requests"]

    def wait_held(self, identifier: str, reason: str | None = None) -> dict:
        self.connector.wait_until(lambda: any(row["id"] == identifier for row in self.held()), 15, f"{identifier} to be held")
        row = next(row for row in self.held() if row["id"] == identifier)
        if reason is not None:
            self.assertEqual(row["heldReason"], reason)
        # What is held waits here: the service has heard nothing.
        self.assertEqual(self.lab.state(identifier)["reports"], [])
        return row

    def approve(self, identifier: str, device) -> None:
        self.connector.command("requests", "approve", identifier, "--key", device.key_sha256[:8], check=True)

    def audited(self, identifier: str) -> str:
        return "\n".join(line for line in self.connector.audit() if identifier in line)

    def abandon_held(self) -> None:
        for row in self.held():
            self.connector.command("requests", "abandon", row["id"], check=True)


class Register(Holding):
    config = {"recipients": {"binding": "register"}}

    def known(self):
        """A user and a device that a person has let in."""
        user, device = self.person()
        first = self.issue(user, device)
        self.wait_held(first)
        self.approve(first, device)
        self.lab.open(device, first)
        return user, device

    def test_a_first_use_is_held_and_goes_on_with_the_right_key(self) -> None:
        user, device = self.person()
        held_before = sum(1 for _ in self.held())
        identifier = self.issue(user, device)
        row = self.wait_held(identifier)
        self.assertEqual((row["user"], row["device"]), (user.upn, device.id))
        shown = self.show(identifier)
        self.assertEqual(shown["key"], device.key_sha256)
        self.assertEqual(shown["person"]["userPrincipalName"], user.upn)
        self.connector.wait_until(lambda: self.connector.metric("held", reason=row["heldReason"]) == held_before + 1, 5, "the metric")
        self.connector.wait_until(lambda: f'"held":{held_before + 1}' in self.connector.health("/healthz")[1], 5, "healthz")
        self.assertEqual(self.connector.command_json("status")["held"], held_before + 1)
        wrong = ("0000" if device.key_sha256[:4] != "0000" else "1111", device.key_sha256[:3], "", device.key_sha256[:8] + "xy", device.key_sha256 + "00")
        for key in wrong:
            with self.subTest(key=key):
                refused = self.connector.command("requests", "approve", identifier, "--key", key)
                self.assertEqual(refused.returncode, 2, refused.stderr)
                self.assertNotIn(device.key_sha256[:8], refused.stderr + refused.stdout, "the answer gives the key away")
        self.wait_held(identifier)
        done = self.connector.command("requests", "approve", identifier, "--key", device.key_sha256[:6].upper())
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.lab.open(device, identifier).identities), 1)
        self.assertIn('"by":', self.audited(identifier), "who approved it")
        self.assertEqual(self.connector.command("requests", "approve", identifier, "--key", device.key_sha256[:8]).returncode, 1)
        # Once let in, the same pair needs nobody.
        self.lab.open(device, self.issue(user, device))
        self.lab.check_clean()

    def test_whoever_approves_sees_what_he_approves(self) -> None:
        user, device = self.known()
        old = device.key_sha256
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        identifier = self.issue(user, device)
        self.wait_held(identifier)
        done = self.connector.command("requests", "approve", identifier, "--key", device.key_sha256[:8], check=True)
        for what in (user.upn, device.id, old, device.key_sha256):
            self.assertIn(what, done.stdout)
        self.lab.open(device, identifier)

    def test_a_held_request_survives_a_crash_and_its_approval_too(self) -> None:
        user, device = self.person()
        identifier = self.issue(user, device)
        self.wait_held(identifier)
        self.connector.kill()
        self.connector.start()
        self.wait_held(identifier)
        self.approve(identifier, device)
        self.connector.kill()
        self.connector.start()
        self.lab.open(device, identifier)

    def test_a_held_request_keeps_its_lease(self) -> None:
        user, device = self.person()
        identifier = self.issue(user, device)
        self.wait_held(identifier)
        self.assertEqual(self.lab.expire_leases(identifier), 1)
        self.connector.wait_until(lambda: self.lab.state(identifier)["attempt"] == 2, 20, "the lease to be taken anew")
        self.wait_held(identifier)
        self.approve(identifier, device)
        result = self.lab.delivered(identifier)
        self.assertEqual(result["leaseId"], self.lab.state(identifier)["leases"][-1]["leaseId"])

    def test_a_window_lets_in_so_many_and_no_more(self) -> None:
        self.connector.command("recipients", "window", "--until", soon(), "--max", "1", check=True)
        window = self.connector.command_json("recipients", "list")["window"]
        self.assertEqual((window["max"], window["used"]), (1, 0))
        first, second = self.person(), self.person()
        self.lab.open(first[1], self.issue(*first))
        self.assertEqual(self.connector.command_json("recipients", "list")["window"]["used"], 1)
        identifier = self.issue(*second)
        self.wait_held(identifier)
        self.abandon_held()
        self.assertEqual(self.lab.error(identifier)["code"], "abandoned")
        pins = {row["device"]: row for row in self.connector.command_json("recipients", "list")["recipients"]}
        self.assertEqual(pins[first[1].id]["key"], first[1].key_sha256)
        self.assertNotIn(second[1].id, pins)

    def test_a_window_does_not_let_two_in_at_once(self) -> None:
        self.connector.command("recipients", "window", "--until", soon(), "--max", "1", check=True)
        pairs = [self.person() for _ in range(4)]
        ids = self.lab.queue(*[self.lab.issue_request(user, device, key_type="ecP256") for user, device in pairs])

        def decided() -> int:
            return sum(self.lab.state(each)["state"] == "done" for each in ids) + len({row["id"] for row in self.held()} & set(ids))
        self.connector.wait_until(lambda: decided() == 4, 15, "all four to be decided")
        self.assertEqual(sum(self.lab.state(each)["state"] == "done" for each in ids), 1)
        self.abandon_held()
        self.lab.wait(*ids)

    def test_one_device_takes_one_place_however_many_orders_it_has(self) -> None:
        self.connector.command("recipients", "window", "--until", soon(), "--max", "2", check=True)
        user, device = self.person()
        ids = self.lab.queue(*[self.lab.issue_request(user, device, key_type="ecP256") for _ in range(6)])
        for each in ids:
            self.lab.delivered(each)
        self.assertEqual(self.connector.command_json("recipients", "list")["window"]["used"], 1)
        audited = "\n".join(self.audited(each) for each in ids)
        self.assertEqual((audited.count("KEY-4021"), audited.count("KEY-4003")), (1, 0), audited)
        # The other place is another device's, and with it the window is closed.
        other = self.person()
        self.lab.open(other[1], self.issue(*other))
        self.connector.wait_until(lambda: any("KEY-4022" in line and '"used":"2"' in line for line in self.connector.audit()), 40, "the window's end")

    def test_a_bad_window_is_refused(self) -> None:
        for until, most in ((soon(-5), "1"), ("tomorrow", "1"), (soon(60 * 24 * 40), "1"), (soon(), "0"), (soon(), "-1")):
            with self.subTest(until=until, max=most):
                self.assertEqual(self.connector.command("recipients", "window", "--until", until, "--max", most).returncode, 2)

    def test_a_new_key_of_a_known_device_is_held(self) -> None:
        user, device = self.known()
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        identifier = self.issue(user, device)
        row = self.wait_held(identifier)
        self.assertIn("key", row["heldReason"].lower())
        self.assertIn(device.key_sha256, self.show(identifier)["heldDetail"] + self.show(identifier)["key"])
        self.approve(identifier, device)
        self.lab.open(device, identifier)

    def test_a_window_does_not_let_a_changed_key_pass(self) -> None:
        user, device = self.known()
        self.connector.command("recipients", "window", "--until", soon(), "--max", "5", check=True)
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        self.wait_held(self.issue(user, device))
        self.abandon_held()
        self.connector.command("recipients", "window", "--until", soon(), "--max", "1", check=True)
        someone = self.person()
        self.lab.open(someone[1], self.issue(*someone))

    def test_another_user_of_a_known_device_is_held(self) -> None:
        user, device = self.known()
        other = self.lab.user("thief" + device.id[-2:].strip("-"), "Smith")
        # The device certificate proves the person (identity), not whose device it is (register): a fresh one of the same key.
        taken = self.lab.device(other, device.id, key_kind="ecP256")
        identifier = self.issue(other, taken)
        row = self.wait_held(identifier)
        self.assertIn("user", row["heldReason"].lower())
        self.assertIn(user.upn, self.show(identifier)["heldDetail"])
        self.abandon_held()
        self.assertEqual(self.lab.error(identifier)["code"], "abandoned")
        self.lab.open(device, self.issue(user, device))

    def test_what_is_blocked_gets_nothing_from_then_on(self) -> None:
        for how in ("device", "user", "user id", "key"):
            with self.subTest(how):
                user, device = self.known()
                value = {"device": device.id, "user": user.upn.upper(), "user id": user.id, "key": device.key_sha256}[how]
                self.connector.command("recipients", "block", f"--{how.split()[0]}", value, check=True)
                error = self.lab.error(self.issue(user, device))
                self.assertEqual((error["code"], error["retryable"]), ("recipientUntrusted", False))
                self.assertIn("blocked", error["message"])
        self.assertGreaterEqual(len(self.connector.command_json("recipients", "list")["blocks"]), 4)
        self.assertEqual(self.connector.command("recipients", "block").returncode, 2)
        self.assertEqual(self.connector.command("recipients", "block", "--key", "abcd").returncode, 2)
        self.lab.check_clean()

    def test_who_is_blocked_by_id_is_blocked_whatever_the_service_calls_him(self) -> None:
        user, device = self.known()
        said = self.connector.command_json("recipients", "block", "--user", user.id)
        self.assertEqual(said["userPrincipalNames"], [user.upn])
        request = self.lab.issue_request(user, device, key_type="ecP256")
        request["user"]["id"] = "another-id"
        error = self.lab.error(self.lab.queue(request)[0])
        self.assertEqual((error["code"], error["retryable"]), ("recipientUntrusted", False))
        self.assertIn("blocked", error["message"])
        nobody = self.connector.command("recipients", "block", "--user", "an-id-that-nobody-has")
        self.assertEqual(nobody.returncode, 2)
        self.assertIn("userPrincipalName", nobody.stderr)

    def test_a_refusal_is_final_and_counted_whatever_time_the_service_says_it_is(self) -> None:
        user, _ = self.person()
        self.lab.settings(date_skew_seconds=-3600)
        self.addCleanup(self.lab.settings, date_skew_seconds=0)
        self.connector.wait_until(lambda: "MGT-6016" in self.connector.log(), 30, "the doubt to be told")
        foreign = self.lab.device(user, key_kind="ecP256", flaw="foreign-ca")
        identifier = self.issue(user, foreign)
        self.assertEqual((self.lab.error(identifier)["code"], self.lab.error(identifier)["retryable"]), ("recipientUntrusted", False))
        self.assertTrue(any("KEY-4002" in line and identifier in line for line in self.connector.audit()))

    def test_a_blocked_device_is_not_let_in_by_an_approval(self) -> None:
        user, device = self.person()
        identifier = self.issue(user, device)
        self.wait_held(identifier)
        self.connector.command("recipients", "block", "--device", device.id, check=True)
        self.approve(identifier, device)
        self.assertEqual(self.lab.error(identifier)["code"], "recipientUntrusted")

    def test_a_held_delivery_opens_no_key(self) -> None:
        user, device = self.person()
        self.lab.import_history(user, (2020,))
        since = self.lab.last_call()
        identifier = self.lab.deliver(user, device)
        self.wait_held(identifier)
        self.assertEqual(self.lab.calls("imports", since), [])
        self.approve(identifier, device)
        self.assertEqual(len(self.lab.open(device, identifier).identities), 1)

    def test_withdrawn_while_held(self) -> None:
        user, device = self.person()
        identifier = self.issue(user, device)
        self.wait_held(identifier)
        self.assertEqual(self.lab.result(self.lab.withdraw(user, device))["status"], "completed")
        self.connector.wait_until(lambda: not any(row["id"] == identifier for row in self.held()), 10, "the hold's end")
        self.assertEqual(self.connector.command("requests", "approve", identifier, "--key", device.key_sha256[:8]).returncode, 1)


class Certificate(Holding):
    """binding = "certificate": the device's authority says whose it is, so that a change passes, with a note."""

    def test_a_new_key_passes_and_is_audited(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        old = device.key_sha256
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        identifier = self.issue(user, device)
        self.lab.open(device, identifier)
        self.assertIn(old, self.audited(identifier))
        self.assertEqual(self.held(), [])

    def test_a_first_use_is_audited_once_and_its_lines_stand_in_their_order(self) -> None:
        user, device = self.person()
        ids = self.lab.queue(*[self.lab.issue_request(user, device, key_type="ecP256") for _ in range(6)])
        for each in ids:
            self.lab.delivered(each)
        self.assertEqual("\n".join(self.audited(each) for each in ids).count("KEY-4006"), 1)
        for each in ids:
            self.connector.wait_until(lambda: "PKCS-1000" in self.audited(each), 10, "the last line")
            lines = [line for line in self.connector.audit() if each in line]
            order = [next(i for i, line in enumerate(lines) if event in line) for event in ("PKCS-1040", "PKCS-1050", "KEY-4030", "PKCS-1000")]
            self.assertEqual(order, sorted(order), lines)

    def test_a_new_user_passes_and_is_audited(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        other, _ = self.person()
        again = self.lab.device(other, device.id, key_kind="ecP256")
        identifier = self.issue(other, again)
        self.lab.open(again, identifier)
        self.assertIn(user.upn, self.audited(identifier))

    def test_the_choices_are_shown_as_proved(self) -> None:
        self.assertEqual({(each["name"], each["ok"]) for each in self.connector.command_json("status")["choices"]},
                         {("recipients.binding", True), ("policy.identity", True)})


class Limits(Holding):
    # Nothing here comes to twice a limit: that is test_red_button's.
    config = {"limits": {"issue_per_hour": 3, "unwrap_users_per_hour": 2}}

    def test_a_above_the_limit_is_held_and_a_crash_gives_nothing_back(self) -> None:
        for _ in range(3):
            user, device = self.person()
            self.lab.open(device, self.issue(user, device))
        user, device = self.person()
        third = self.issue(user, device)
        self.wait_held(third, "limit")
        self.assertIn("issue_per_hour", self.show(third)["heldDetail"])
        self.connector.wait_until(lambda: self.connector.metric("limit_used_ratio", limit="issue_per_hour") >= 1, 5, "the ratio")
        self.connector.kill()
        self.connector.start()
        other, tablet = self.person()
        fourth = self.issue(other, tablet)
        self.wait_held(fourth, "limit")
        self.wait_held(third, "limit")
        used = {row["limit"]: (row["used"], row["max"]) for row in self.connector.command_json("limits", "show")["limits"]}
        self.assertEqual(used["issue_per_hour"], (3, 3))
        self.approve(third, device)
        self.lab.open(device, third)
        # One let go is one let go: the next still waits.
        self.wait_held(fourth, "limit")
        self.connector.command("requests", "abandon", fourth, check=True)
        self.assertEqual(self.lab.error(fourth)["code"], "abandoned")
        self.lab.check_clean()

    def test_b_people_whose_keys_are_opened_are_counted_not_their_devices(self) -> None:
        user, phone = self.person()
        self.lab.import_history(user, (2020,))
        self.lab.open(phone, self.lab.deliver(user, phone))
        laptop = self.lab.device(user, platform="windows", key_kind="ecP256")
        self.lab.open(laptop, self.lab.deliver(user, laptop))
        second, watch = self.person()
        self.lab.import_history(second, (2020,))
        self.lab.open(watch, self.lab.deliver(second, watch))
        other, tablet = self.person()
        self.lab.import_history(other, (2020,))
        identifier = self.lab.deliver(other, tablet)
        self.wait_held(identifier, "limit")
        self.approve(identifier, tablet)
        self.lab.open(tablet, identifier)

    def test_c_refusals_use_nothing(self) -> None:
        before = {row["limit"]: row["used"] for row in self.connector.command_json("limits", "show")["limits"]}.get("issue_per_hour", 0)
        user = self.lab.user("refused")
        bad = self.lab.device(user, key_kind="ecP256", flaw="foreign-ca")
        self.assertEqual(self.lab.error(self.issue(user, bad))["code"], "recipientUntrusted")
        after = {row["limit"]: row["used"] for row in self.connector.command_json("limits", "show")["limits"]}.get("issue_per_hour", 0)
        self.assertEqual(after, before)


class ServiceWord(Holding):
    """The service is believed: it works, and everybody who looks sees it."""
    config = {"recipients": {"binding": "service"}, "policy": {"identity": "service"}}

    def test_it_works_and_is_shown_as_a_cross(self) -> None:
        user = self.lab.user("anybody")
        device = self.lab.device(user, key_kind="ecP256", flaw="other-user")
        self.lab.open(device, self.issue(user, device))
        choices = {each["name"]: each for each in self.connector.command_json("status")["choices"]}
        for name in ("recipients.binding", "policy.identity"):
            self.assertIs(choices[name]["ok"], False)
            self.assertIn("service", choices[name]["note"])
        for where, text in (("status", self.connector.command("status", check=True).stdout), ("page", self.connector.health("/")[1])):
            with self.subTest(where):
                self.assertIn("✗", text)

    def test_a_changed_key_is_held_all_the_same(self) -> None:
        user, device = self.person()
        self.lab.open(device, self.issue(user, device))
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        identifier = self.issue(user, device)
        self.wait_held(identifier)
        self.approve(identifier, device)
        self.lab.open(device, identifier)

    def test_check_config_warns_of_it(self) -> None:
        done = self.connector.command("check-config")
        self.assertEqual(done.returncode, 0)
        for key in ("recipients.binding", "policy.identity"):
            self.assertIn(key, done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
