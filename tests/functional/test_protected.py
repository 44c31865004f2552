#!/usr/bin/python3
"""Protected users: nothing without a person's word, two persons where so set; what an approval is bound to (attacks 39, 42, 43)."""
import os
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
import test_red_button as red  # noqa: E402
from test_red_button import Button  # noqa: E402

setUpModule = red.setUpModule


class Protected(Button):
    config = {"policy": {"protected_users": ["Carla@corp.example"]}}

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.carla = cls.lab.user("carla", "Chief")
        cls.phone = cls.lab.device(cls.carla, key_kind="ecP256")

    def show(self, identifier: str) -> dict:
        return self.connector.command_json("requests", "show", identifier)

    def approve(self, identifier: str, device, *more: str):
        return self.connector.command_json("requests", "approve", identifier, "--key", device.key_sha256[:8], *more)

    def approved(self, identifier: str, device) -> None:
        self.approve(identifier, device)

    def test_everything_waits_for_a_word(self) -> None:
        identifier = self.issue(self.carla, self.phone)
        self.wait_held(identifier)
        shown = self.show(identifier)
        self.assertEqual(shown["heldReason"], "approval")
        self.assertIn("protected", shown["heldDetail"])
        self.assertEqual([row["request"] for row in self.connector.command_json("issued", "list")["issued"]].count(identifier), 0)
        self.serve_neighbour()
        self.approved(identifier, self.phone)
        self.assertEqual(len(self.lab.open(self.phone, identifier).identities), 1)
        # The word was for that one: the same device's next order waits again.
        again = self.issue(self.carla, self.phone)
        self.wait_held(again)
        self.connector.command("requests", "abandon", again, check=True)

    def test_the_name_in_other_letters_is_the_same_person(self) -> None:
        user = self.lab.user("carla", "Chief", upn="CARLA@corp.example")
        phone = self.lab.device(user, key_kind="ecP256")
        identifier = self.issue(user, phone)
        self.wait_held(identifier)
        self.connector.command("requests", "abandon", identifier, check=True)

    def test_without_the_key_or_with_another_there_is_no_approval(self) -> None:
        """Attack 43."""
        identifier = self.issue(self.carla, self.phone)
        self.wait_held(identifier)
        wrong = "0000" if self.phone.key_sha256[:4] != "0000" else "1111"
        for arguments in ((), ("--key", ""), ("--key", "abc"), ("--key", wrong), ("--key", self.phone.key_sha256 + "00")):
            done = self.connector.command("requests", "approve", identifier, *arguments)
            self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
        self.assertTrue(self.audited("SVC-5023", request=identifier))
        self.wait_held(identifier)
        self.connector.command("requests", "abandon", identifier, check=True)

    def test_another_current_certificate_waits_once_more(self) -> None:
        """Attack 39: what correspondents will encrypt to from now on is not changed by the store alone."""
        user = self.lab.user("carla", "Chief")
        old = self.lab.import_history(user, (2018, 2020))
        first = self.lab.deliver(user, self.phone)
        self.wait_held(first)
        self.approved(first, self.phone)
        self.assertEqual([each.sha256 for each in self.lab.open(self.phone, first).identities], [each.sha256 for each in old])
        new = self.lab.import_history(user, (2023,))
        second = self.lab.deliver(user, self.phone)
        self.wait_held(second)
        self.approved(second, self.phone)
        self.connector.wait_until(lambda: self.show(second)["heldDetail"].startswith("the current encryption certificate changes"), 15, "the second hold")
        detail = self.show(second)["heldDetail"]
        self.assertIn(old[-1].sha256, detail)
        self.assertIn(new[-1].sha256, detail)
        self.wait_held(second)
        self.assertEqual(self.audited("IMP-2069"), [])
        self.approved(second, self.phone)
        self.assertEqual(self.lab.open(self.phone, second).identities[-1].sha256, new[-1].sha256)
        line = self.wait_audited("IMP-2069", request=second)
        self.assertIn(new[-1].sha256, line["reason"])

    def test_at_39_a_fresh_user_id_hides_no_change(self) -> None:
        user, device = self.with_history((2018,))
        self.lab.open(device, self.lab.deliver(user, device))
        new = self.lab.import_history(user, (2023,))
        request = self.lab.deliver_request(user, device)
        request["user"]["id"] = "never-seen-before"
        identifier = self.lab.queue(request)[0]
        self.assertEqual(self.lab.open(device, identifier).identities[-1].sha256, new[-1].sha256)
        self.assertIn(new[-1].sha256, self.wait_audited("IMP-2069", request=identifier)["reason"])

    def test_for_everybody_else_it_is_an_event(self) -> None:
        user, device = self.with_history((2018,))
        self.lab.open(device, self.lab.deliver(user, device))
        new = self.lab.import_history(user, (2023,))
        identifier = self.lab.deliver(user, device)
        self.assertEqual(self.lab.open(device, identifier).identities[-1].sha256, new[-1].sha256)
        self.wait_audited("IMP-2069", request=identifier)
        before = len(self.audited("IMP-2069"))
        self.lab.open(device, self.lab.deliver(user, device))
        self.assertEqual(len(self.audited("IMP-2069")), before, "it has changed only once")


@unittest.skipUnless(os.geteuid() == 0, "other accounts are needed")
class TwoPersons(Protected):
    config = {"policy": {"protected_users": ["Carla@corp.example"]}, "control": {"approvers": 2}}

    def approve_as_mail(self, identifier: str, device) -> dict:
        answer = self.ask_as("mail", "requests.approve", id=identifier, key=device.key_sha256[:8])
        self.assertEqual(answer["exit"], 0, answer)
        return answer["result"]

    def approved(self, identifier: str, device) -> None:
        self.assertEqual(self.approve(identifier, device)["stage"], "held")
        self.approve_as_mail(identifier, device)

    def test_one_account_counts_once(self) -> None:
        identifier = self.issue(self.carla, self.phone)
        self.wait_held(identifier)
        for _ in range(3):
            said = self.approve(identifier, self.phone)
            self.assertEqual((said["stage"], said["approvals"], said["approvalsNeeded"]), ("held", 1, 2))
        self.assertIn("1 of 2", self.connector.command("requests", "approve", identifier, "--key", self.phone.key_sha256[:8], check=True).stdout)
        self.connector.kill()
        self.connector.start()
        self.wait_held(identifier)
        self.assertEqual(self.show(identifier)["approvedBy"], ["root"])
        self.assertEqual(self.approve_as_mail(identifier, self.phone)["approvals"], 2)
        self.assertEqual(len(self.lab.open(self.phone, identifier).identities), 1)
        self.assertTrue(self.audited("SVC-5022", request=identifier, by="root", approvals="1 of 2"))
        self.assertTrue(self.audited("KEY-4004", request=identifier, by="mail"))

    def test_a_binding_takes_two_as_well(self) -> None:
        """What waits for two is not let go by one who binds its device; nor is the next order of that device."""
        user, device = self.person()
        identifier = self.lab.queue(self.lab.issue_request(self.carla, self.lab.device(self.carla, key_kind="ecP256"), key_type="ecP256"))[0]
        self.wait_held(identifier)
        bind = ("recipients", "bind", device.id, "--user", user.upn, "--key", device.key_sha256)
        for _ in range(2):
            said = self.connector.command_json(*bind)
            self.assertEqual((said["bound"], said["approvals"], said["approvalsNeeded"]), (0, 1, 2))
        self.assertEqual(self.connector.command("recipients", "show", device.id).returncode, 1, "nobody knows it yet")
        self.assertTrue(self.audited("SVC-5022", device=device.id, approvals="1 of 2", by="root"))
        other = {"device": device.id, "userPrincipalName": "mallory@corp.example", "user": "", "key": device.key_sha256, "replace": False}
        self.assertEqual(self.ask_as("mail", "recipients.bind", **other)["result"]["approvals"], 1, "another binding has no word yet")
        answer = self.ask_as("mail", "recipients.bind", **{**other, "userPrincipalName": user.upn})
        self.assertEqual((answer["exit"], answer["result"]["bound"]), (0, 1), answer)
        self.assertEqual(self.connector.command_json("recipients", "show", device.id)["userPrincipalName"], user.upn)
        self.connector.command("requests", "abandon", identifier, check=True)

    def test_approve_then_swap_the_key(self) -> None:
        """Attack 42: what was said of one key says nothing of another under the same id."""
        identifier = self.issue(self.carla, self.phone)
        self.wait_held(identifier)
        self.assertEqual(self.approve(identifier, self.phone)["approvals"], 1)
        other = self.lab.device(self.carla, self.phone.id, key_kind="ecP256")
        swapped = {**self.lab.issue_request(self.carla, other, key_type="ecP256"), "id": identifier}
        # While it is open: refused, and what was held is held as it was.
        self.lab.queue(swapped)
        self.assertEqual(self.lab.error(identifier)["code"], "invalidRequest")
        self.wait_audited("MGT-6008", request=identifier)
        self.assertEqual(self.show(identifier)["key"], self.phone.key_sha256)
        # Ended and sent anew: held again, and the first person has to speak again.
        self.connector.command("requests", "abandon", identifier, check=True)
        self.connector.wait_until(lambda: self.show(identifier)["stage"] == "closed", 15, "the first order's end")
        self.lab.queue(swapped)

        def held_anew() -> bool:
            # A poll that was sent before the first order's end brings nothing new: it is leased once more.
            return self.show(identifier)["stage"] == "held" or (self.lab.expire_leases(identifier), False)[1]
        self.connector.wait_until(held_anew, 30, "the hold")
        self.assertEqual(self.show(identifier)["key"], other.key_sha256)
        self.assertEqual(self.ask_as("mail", "requests.approve", id=identifier, key=self.phone.key_sha256[:8])["exit"], 2)
        self.assertEqual(self.approve_as_mail(identifier, other)["approvals"], 1)
        self.serve_neighbour()
        self.assertEqual(self.show(identifier)["stage"], "held")
        self.assertNotIn("delivered", [report["result"]["status"] for report in self.lab.state(identifier)["reports"]])
        self.approve(identifier, other)
        self.assertEqual(len(self.lab.open(other, identifier).identities), 1)


if __name__ == "__main__":
    unittest.main()
