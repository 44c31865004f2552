#!/usr/bin/python3
"""The register by hand: one device shown, bound, forgotten; lists out and in, all of one or nothing; audited, also without a daemon."""
import csv
import io
import json
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_holds as holds  # noqa: E402
from test_holds import Holding  # noqa: E402

setUpModule = holds.setUpModule


class Registered(Holding):
    config = {"recipients": {"binding": "register"}}

    def pins(self) -> dict[str, dict]:
        return {row["device"]: row for row in self.connector.command_json("recipients", "list")["recipients"]}

    def said(self, event: str, device: str) -> list[dict]:
        lines = [json.loads(line) for line in self.connector.audit() if event in line]
        return [line for line in lines if line["event"] == event and line.get("device") == device]

    def run_ok(self, *arguments) -> dict:
        return self.connector.command_json("recipients", *arguments)

    def run_refused(self, *arguments) -> str:
        done = self.connector.command("recipients", *arguments)
        self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        return done.stderr


class Hand(Registered):
    def test_a_device_bound_by_hand_needs_nobody(self) -> None:
        user, device = self.person()
        self.assertEqual(self.run_ok("bind", device.id, "--user", user.upn), {"bound": 1, "unchanged": 0, "released": 0})
        row = self.pins()[device.id]
        self.assertEqual((row["userPrincipalName"], row["key"], row["source"]), (user.upn, None, "register:bind"))
        line = self.said("KEY-4015", device.id)[-1]
        self.assertEqual((line["by"], line["user"], line["key"]), ("root", user.upn, "the first that comes"))
        identifier = self.issue(user, device)
        self.lab.open(device, identifier)
        self.assertIn("first key of a device that was bound by hand: " + device.key_sha256, self.audited(identifier))
        shown = self.run_ok("show", device.id.upper())
        self.assertEqual((shown["key"], shown["user"]), (device.key_sha256, user.id))
        # From now on that is its key; another one waits for a person.
        device.change_key(self.lab.pki, "ecP256", given_name=user.given_name, surname=user.surname)
        changed = self.issue(user, device)
        self.wait_held(changed, "key_change")
        # Saying the same once more changes nothing, and the key is not forgotten over it.
        self.assertEqual(self.run_ok("bind", device.id, "--user", user.upn)["unchanged"], 1)
        self.assertEqual(self.pins()[device.id]["key"], shown["key"])
        self.assertIn("known as that of", self.run_refused("bind", device.id, "--user", user.upn, "--key", device.key_sha256))
        done = self.run_ok("bind", device.id, "--user", user.upn, "--key", device.key_sha256, "--replace")
        self.assertEqual((done["bound"], done["released"]), (1, 1))
        self.lab.open(device, changed)
        self.assertIn(shown["key"], self.said("KEY-4015", device.id)[-1]["before"])

    def test_bound_to_a_key_another_one_waits(self) -> None:
        user, device = self.person()
        self.run_ok("bind", device.id, "--user", user.upn.upper(), "--key", "ab" * 32)
        identifier = self.issue(user, device)
        self.wait_held(identifier, "key_change")
        self.connector.command("requests", "abandon", identifier, check=True)

    def test_bound_to_another_user_it_waits(self) -> None:
        user, device = self.person()
        other, _ = self.person()
        self.run_ok("bind", device.id, "--user", other.upn)
        identifier = self.issue(user, device)
        self.wait_held(identifier, "user_change")
        self.connector.command("requests", "abandon", identifier, check=True)

    def test_what_waited_for_it_goes_on(self) -> None:
        user, device = self.person()
        identifier = self.issue(user, device)
        self.wait_held(identifier, "new_recipient")
        self.assertEqual(self.run_ok("bind", device.id, "--user", user.upn)["released"], 1)
        self.lab.open(device, identifier)

    def test_forgotten_it_is_a_first_use_again(self) -> None:
        user, device = self.person()
        self.run_ok("bind", device.id, "--user", user.upn)
        self.lab.open(device, self.issue(user, device))
        self.connector.command("recipients", "forget", device.id, check=True)
        line = self.said("KEY-4009", device.id)[-1]
        self.assertEqual((line["by"], line["user"], line["key"]), ("root", user.upn, device.key_sha256))
        self.assertNotIn(device.id, self.pins())
        identifier = self.issue(user, device)
        self.wait_held(identifier, "new_recipient")
        self.connector.command("requests", "abandon", identifier, check=True)
        self.assertEqual(self.connector.command("recipients", "forget", device.id).returncode, 1)
        self.assertEqual(self.connector.command("recipients", "show", device.id).returncode, 1)

    def test_what_cannot_be_right_is_named(self) -> None:
        for arguments, says in ((("a b", "--user", "alice@corp.example"), "device"), (("d-1", "--user", "alice"), "userPrincipalName"),
                                (("d-1", "--user", "=cmd|' /C calc'!A0@x"), "userPrincipalName"), (("d-1", "--user", "a@b", "--key", "abcd"), "key"),
                                (("d-1", "--user", "a@b", "--key", "00" * 32), "key"), (("d-1", "--user", "a@b", "--user-id", "a b"), "user")):
            with self.subTest(arguments):
                self.assertIn(says + ": ", self.run_refused("bind", *arguments))
        self.assertNotIn("d-1", self.pins())

    def test_z_without_a_daemon(self) -> None:
        user, device = self.person()
        self.connector.terminate()
        try:
            self.assertEqual(self.run_ok("bind", device.id, "--user", user.upn)["bound"], 1)
            self.assertEqual(self.run_ok("show", device.id)["userPrincipalName"], user.upn)
            self.assertEqual(self.said("KEY-4015", device.id)[-1]["by"], "root")
        finally:
            self.connector.start()
        self.lab.open(device, self.issue(user, device))


class Lists(Registered):
    def write(self, text: str) -> Path:
        path = self.connector.directory / "devices.csv"
        path.write_text(text)
        return path

    def test_asset_data_is_taken_whole(self) -> None:
        people = [self.person() for _ in range(3)]
        rows = "".join(f"{device.id},Room {number},{user.upn}\r\n" for number, (user, device) in enumerate(people))
        path = self.write("\ufeffDevice,Where it lies,userprincipalname\r\n" + rows)
        waiting = self.issue(*people[0])
        self.wait_held(waiting)
        self.assertEqual(self.run_ok("import", path), {"bound": 3, "unchanged": 0, "released": 1})
        self.lab.open(people[0][1], waiting)
        for user, device in people[1:]:
            self.lab.open(device, self.issue(user, device))
            self.assertEqual(self.said("KEY-4015", device.id)[0]["source"], "register:import")
        self.assertEqual(self.run_ok("import", path), {"bound": 0, "unchanged": 3, "released": 0})

    def test_a_row_that_is_wrong_leaves_everything_as_it_was(self) -> None:
        before = self.pins()
        head = "device,userPrincipalName,key\n"
        for text, says in ((head + "d-new-1,alice@corp.example,\nd-new-2,nobody,\n", "line 3: userPrincipalName: "),
                           (head + "d-new-1,alice@corp.example,\n\nd new 2,bob@corp.example,\n", "line 4: device: "),
                           (head + "d-new-1,alice@corp.example,12\n", "line 2: key: "),
                           (head + "d-new-1,alice@corp.example,\nD-NEW-1,bob@corp.example,\n", "line 3: device: D-NEW-1 stands in line 2 already"),
                           (head + "d-new-1,alice@corp.example\n", "line 2: 2 cells, and the header has 3"),
                           (head, "no rows"), ("", "must name the columns"), ("device,owner\nd-new-1,alice@corp.example\n", "must name the columns"),
                           ("device,device,userPrincipalName\na,b,c@d\n", "two columns device"), (head + 'd-new-1,"alice,\n', "line 2"),
                           (head + "d-new-1,alice@corp.example\x1b[2J,\n", "line 2")):
            with self.subTest(text):
                self.assertIn(says, self.run_refused("import", self.write(text)))
                self.assertEqual(self.pins(), before)
        self.assertEqual(self.connector.command("recipients", "import", self.connector.directory / "none.csv").returncode, 2)

    def test_one_device_that_is_known_otherwise_leaves_everything_as_it_was(self) -> None:
        user, device = self.person()
        self.run_ok("bind", device.id, "--user", user.upn)
        path = self.write(f"device,userPrincipalName\nd-fresh,alice@corp.example\n{device.id},mallory@corp.example\n")
        self.assertIn(f"device {device.id} is known as that of {user.upn}", self.run_refused("import", path))
        self.assertNotIn("d-fresh", self.pins())
        self.assertEqual(self.run_ok("import", path, "--replace")["bound"], 2)
        self.assertEqual(self.pins()[device.id]["userPrincipalName"], "mallory@corp.example")
        self.assertIn(user.upn, self.said("KEY-4015", device.id)[-1]["before"])

    def test_a_formula_is_harmless(self) -> None:
        """Attack 72: a device may be called so that a spreadsheet would take it for a formula; the list goes out and comes in all the same."""
        user, device = self.person()
        self.run_ok("bind", "@SUM-1", "--user", "+1@corp.example")
        self.run_ok("bind", device.id, "--user", user.upn, "--key", device.key_sha256, "--user-id", user.id)
        out = self.connector.directory / f"out-{device.id}.csv"
        self.connector.command("recipients", "export", "--out", out, check=True)
        printed = self.connector.command("recipients", "export", check=True).stdout
        self.assertEqual(printed.replace("\r\n", "\n"), out.read_text().replace("\r\n", "\n"))
        rows = list(csv.DictReader(io.StringIO(out.read_text())))
        for row in rows:
            for cell in row.values():
                self.assertNotIn(cell[:1], tuple("=+-@\t\r"), cell)
        mine = next(row for row in rows if row["device"] == device.id)
        self.assertEqual((mine["userPrincipalName"], mine["user"], mine["key"]), (user.upn, user.id, device.key_sha256))
        before = self.pins()
        for name in ("@SUM-1", device.id):
            self.connector.command("recipients", "forget", name, check=True)
        self.run_ok("import", out)
        after = self.pins()
        self.assertEqual(after["@sum-1"]["userPrincipalName"], "+1@corp.example")
        self.assertEqual(after[device.id]["key"], before[device.id]["key"])
        self.assertEqual(self.connector.command("recipients", "export", "--out", out).returncode, 1, "nothing is written over")

    def test_five_thousand_devices(self) -> None:
        rows = "".join(f"d-fleet-{number},user{number}@corp.example\n" for number in range(5000))
        path = self.write("device,userPrincipalName\n" + rows)
        self.assertEqual(self.run_ok("import", path)["bound"], 5000)
        self.assertEqual(self.run_ok("import", path)["unchanged"], 5000)
        user, device = self.person()
        self.run_ok("bind", device.id, "--user", user.upn)
        self.lab.open(device, self.issue(user, device))


if __name__ == "__main__":
    unittest.main()
