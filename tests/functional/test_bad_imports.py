#!/usr/bin/python3
"""Imported certificates as they should not be: what opens is delivered, the rest is named, and nothing of another's is ever opened."""
import base64
import unittest
from typing import Any, Sequence

from adversary import Json, User, imports, pki
from bad_input.records import ONE_TEXT, PASSWORD, RECORDS, Record
from bad_input.table import Orders, matches
from cryptography.hazmat.primitives import serialization


class Imports(Orders):
    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.users = 0

    def person(self) -> tuple[User, Any]:
        """Somebody new with a phone, so that no case sees another's records."""
        type(self).users += 1
        user = self.lab.user(f"user{self.users}")
        return user, self.lab.device(user, key_kind="ecP256")

    def identity(self, user: User, year: int = 2020, **how: Any) -> pki.Identity:
        slot = how.pop("slot", 0)
        return pki.corporate_certificate(self.lab.pki, user.upn, year, key=how.pop("key", self.lab.pki.shared_key("rsa2048", slot)), **how)

    def order(self, records: Sequence[Json], user: User, phone: Any, **how: Any) -> str:
        self.lab.store(records, raw=True)
        return self.lab.deliver(user, phone, **how)


class Records(Imports):
    def stored(self, row: Record, user: User) -> Json:
        """One record of the store, made as the row says."""
        identity = self.identity(user, **row.certificate)
        how = dict(row.how)
        if row.blob is not None:
            how["blobs"] = [row.blob(self, identity, user)]
        record = self.lab.records(user, [identity], **how)[0]
        if row.change is not None:
            row.change(self, record, user)
        return record

    def test_every_row_alone(self) -> None:
        """It is the whole of its user's history: the order fails with the record's fault. Beside it stands a neighbour with a good one."""
        good = self.lab.user("goodneighbour")
        tablet = self.lab.device(good, key_kind="ecP256")
        history = self.lab.import_history(good, (2018,))
        requests: list[Json] = []
        for row in RECORDS:
            user, phone = self.person()
            self.lab.store([self.stored(row, user)], raw=True)
            requests += [self.lab.deliver_request(user, phone, purpose=row.purpose), self.lab.deliver_request(good, tablet)]
        ids = self.lab.queue(*requests)
        states = self.lab.wait(*ids, timeout=180)
        audited = self.audited(ids[::2])
        for row, order, neighbour, request in zip(RECORDS, ids[::2], ids[1::2], requests[::2], strict=True):
            with self.subTest(row.what):
                self.check_row(states[order]["result"], row.code, row.says)
                self.check_line(audited[order], "IMP-2060", row.code, row.says, user=request["user"]["userPrincipalName"], device=request["device"]["id"])
                own = {"importUnsigned": "IMP-2063", "importUndecryptable": "IMP-2065" if "[import.NAME]" in row.says else "IMP-2064"}.get(row.code)
                log = self.connector.log() if own == "IMP-2065" else "\n".join(self.connector.audit())
                self.assertTrue(own is None or any(own in line and order in line for line in log.splitlines()), own)
            with self.subTest(f"{row.what}: the neighbour"):
                self.assertEqual([each["sha256"] for each in states[neighbour]["result"].get("certificates", [])], [each.sha256 for each in history])
        self.assertEqual({row.says for row in RECORDS if row.code == "importUndecryptable" and "[import.NAME]" not in row.says}, {ONE_TEXT},
                         "one text for all causes")
        self.check_audit_whole()

    def test_all_of_them_beside_five_good_ones(self) -> None:
        """What opens is delivered, each bad one stands in `omitted` with its own fault."""
        user, phone = self.person()
        good = [self.identity(user, year, slot=year % 3) for year in (2013, 2014, 2016, 2017, 2019)]
        records = self.lab.records(user, good)
        rows = [row for row in RECORDS if row.purpose == "smimeEncryption"]
        for index, row in enumerate(rows):
            record = self.stored(row, user)
            records.insert(index % (len(records) + 1), {**record, "id": f"bad-{index}"})
        order = self.order(records, user, phone)
        result = self.lab.delivered(order, timeout=60)
        self.assertEqual([each["sha256"] for each in result["certificates"]], [each.sha256 for each in good])
        omitted = [(each["code"], each["message"]) for each in result["omitted"]]
        for row in rows:
            if "(record …)" in row.says:  # has no name in a result: the audit log tells of it
                with self.subTest(row.what):
                    self.check_line(self.audited([order])[order], "IMP-2060", row.code, row.says, thumbprint="")
                continue
            with self.subTest(row.what):
                found = [each for each in omitted if each[0] == row.code and matches(row.says, each[1])]
                self.assertTrue(found, f"{row.code} {row.says!r} is not among {omitted}")
                omitted.remove(found[0])
        self.assertEqual(omitted, [])
        self.serve_neighbour()

    def test_one_bad_record_among_five_good_ones(self) -> None:
        user, phone = self.person()
        identities = [self.identity(user, year, slot=year % 3) for year in (2012, 2014, 2016, 2018, 2020, 2022)]
        records = self.lab.records(user, identities)
        records[2]["paddingScheme"] = "pkcs1"
        order = self.order(records, user, phone)
        bad = identities.pop(2)
        result = self.lab.delivered(order)
        self.assertEqual([(each["thumbprint"], each["code"]) for each in result["omitted"]], [(bad.thumbprint, "unsupported")])
        self.assertEqual([each.sha256 for each in self.lab.open(phone, order).identities], [each.sha256 for each in identities])
        self.check_audited("IMP-2060", bad.thumbprint, request=order)

    def test_a_thumbprint_that_is_not_the_users(self) -> None:
        user, phone = self.person()
        mine = self.lab.import_history(user, (2018,))
        result = self.lab.delivered(self.lab.deliver(user, phone, thumbprints=[mine[0].thumbprint, "ab" * 20]))
        self.assertEqual([(each["thumbprint"], each["code"]) for each in result["omitted"]], [("ab" * 20, "importNotFound")])
        error = self.lab.error(self.lab.deliver(user, phone, thumbprints=["ab" * 20]))
        self.assertEqual((error["code"], error["message"]),
                         ("importNotFound", "/thumbprints: the store has none of these as a smimeEncryption certificate for this user"))

    def test_an_order_by_name_says_of_each_what_there_is(self) -> None:
        """One that cannot be read is not one that is not there; and what was not ordered is nobody's fault."""
        user, phone = self.person()
        good, bad = self.identity(user, 2018), self.identity(user, 2022, slot=1)
        records = self.lab.records(user, [good, bad])
        records[1].pop("encryptedPfxPassword")
        self.lab.store(records, raw=True)
        error = self.lab.error(self.lab.deliver(user, phone, thumbprints=[bad.thumbprint]))
        self.assertEqual(error["code"], "importInvalid")
        self.assertIn("encryptedPfxPassword", error["message"])
        result = self.lab.delivered(self.lab.deliver(user, phone, thumbprints=[good.thumbprint, bad.thumbprint, "ab" * 20]))
        self.assertEqual([(each["thumbprint"].lower(), each["code"]) for each in result["omitted"]],
                         [("ab" * 20, "importNotFound"), (bad.thumbprint, "importInvalid")])
        result = self.lab.delivered(self.lab.deliver(user, phone, thumbprints=[good.thumbprint]))
        self.assertEqual(result.get("omitted", []), [])
        result = self.lab.delivered(self.lab.deliver(user, phone))
        self.assertEqual([(each["thumbprint"], each["code"]) for each in result["omitted"]], [(bad.thumbprint, "importInvalid")])


class Histories(Imports):
    """Several records, and a store that is the attacker."""

    def test_the_newest_records_fault_is_the_requests(self) -> None:
        user, phone = self.person()
        identities = [self.identity(user, year, slot=year % 3) for year in (2016, 2018, 2020)]
        records = self.lab.records(user, identities)
        records[0].pop("importerSignature")
        records[1]["paddingScheme"] = "pkcs1"
        records[2]["encryptedPfxPassword"] = base64.b64encode(bytes(256)).decode()
        self.check_refused(self.order([records[2], records[0], records[1]], user, phone), "importUndecryptable", "")

    def test_rc2_40_opens_with_a_warning_and_leaves_under_a_current_cipher(self) -> None:
        user, phone = self.person()
        identity = self.identity(user)
        order = self.order(self.lab.records(user, [identity], form="rc2-40"), user, phone)
        opened = self.lab.open(phone, order)
        self.assertEqual([each.sha256 for each in opened.identities], [identity.sha256])
        self.assertFalse([each for each in opened.identities[0].algorithms if "RC2" in each], opened.identities[0].algorithms)
        self.assertTrue([line for line in self.connector.log().splitlines() if "IMP-2061" in line and order in line], "the warning")

    def test_records_of_another_or_spoiled_on_the_way(self) -> None:
        """The service's store is the attacker here; nothing of another person is delivered, whoever signed it for whom."""
        victim, _ = self.person()
        history = self.lab.import_history(victim, (2016, 2018))
        theirs = {each.sha256 for each in history}
        for evil, codes in (("swap-user-records", {"importInvalid", "importUnsigned"}), ("swap-user-records-renamed", {"importUnsigned"}),
                            ("flip-blob", {"importUnsigned"}), ("flip-password", {"importUndecryptable"}), ("strip-signatures", {"importUnsigned"})):
            with self.subTest(evil):
                user, phone = self.person()
                self.lab.import_history(user, (2019, 2021))
                self.lab.evil(evil, **({"from": victim.upn} if evil.startswith("swap-user") else {}))
                order = self.lab.deliver(user, phone)
                error = self.lab.error(order)
                self.lab.good()
                self.assertIn(error["code"], codes, error)
                self.check_audited(error["code"], request=order)
        with self.subTest("mix-user-records"):
            user, phone = self.person()
            own = self.lab.import_history(user, (2019, 2021))
            self.lab.evil("mix-user-records", **{"from": victim.upn})
            order = self.lab.deliver(user, phone)
            result = self.lab.delivered(order)
            self.lab.good()
            self.assertEqual([each["sha256"] for each in result["certificates"]], [each.sha256 for each in own])
            self.assertEqual({each["thumbprint"] for each in result["omitted"]}, {each.thumbprint for each in history})
            self.assertFalse(theirs & {each["sha256"] for each in result["certificates"]})
        with self.subTest("swap-blobs"):
            user, phone = self.person()
            own = self.lab.import_history(user, (2015, 2017, 2019))
            self.lab.evil("swap-blobs")
            result = self.lab.delivered(self.lab.deliver(user, phone))
            self.lab.good()
            self.assertEqual([each["sha256"] for each in result["certificates"]], [own[2].sha256])
            self.assertEqual({each["code"] for each in result["omitted"]}, {"importUnsigned"})
        with self.subTest("retag-purpose"):
            user, phone = self.person()
            self.lab.import_history(user, (2025,), certificate={"years": 5})
            self.lab.evil("retag-purpose")
            error = self.lab.error(self.lab.deliver(user, phone, purpose="smimeSigning"))
            self.lab.good()
            self.assertEqual(error["code"], "importUnsigned", error)
        self.serve_neighbour()

    def test_another_persons_blob_is_not_even_opened(self) -> None:
        """Signature, owner, purpose and blob hash come before the parsing: whether another's record opens is nobody's to learn."""
        victim, _ = self.person()
        records = self.lab.records(victim, [self.identity(victim)])
        records[0]["encryptedPfxPassword"] = base64.b64encode(imports.wrap_password(b"wrong", self.lab.pki.import_key.public_key())).decode()
        self.lab.store(records, raw=True)
        user, phone = self.person()
        self.lab.store(self.lab.records(user, [self.identity(user)]))
        self.lab.evil("swap-user-records", **{"from": victim.upn})
        order = self.lab.deliver(user, phone)
        error = self.lab.error(order)
        self.assertNotEqual(error["code"], "importUndecryptable", error)
        self.assertIn(error["code"], ("importInvalid", "importUnsigned"), error)

    def test_a_history_of_two_people_in_one_signature(self) -> None:
        """The importer's word holds for what it names: a good signature for the owner's record does not carry over to a second one."""
        user, phone = self.person()
        other, _ = self.person()
        mine, yours = self.identity(user, 2018), self.identity(other, 2020, slot=1)
        records = self.lab.records(user, [mine]) + self.lab.records(other, [yours])
        records[1]["userPrincipalName"] = user.upn
        result = self.lab.delivered(self.order(records, user, phone))
        self.assertEqual([each["sha256"] for each in result["certificates"]], [mine.sha256])
        self.assertEqual([each["code"] for each in result["omitted"]], ["importUnsigned"])

    def test_no_imported_key_stays_behind(self) -> None:
        """Also while the package waits in the ledger: the service does not take results here."""
        user, phone = self.person()
        key = pki.make_key("rsa2048")
        identity = self.identity(user, key=key)
        self.lab.fault("503", call="results", count=-1)
        since = self.lab.last_call()
        order = self.order(self.lab.records(user, [identity]), user, phone)
        self.lab.wait_for_calls("results", since=since)
        encoded = key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        numbers = key.private_numbers()
        canaries = {"PKCS#8": encoded, "p": numbers.p.to_bytes(128, "big"), "q": numbers.q.to_bytes(128, "big"), "d": numbers.d.to_bytes(256, "big"),
                    "base64": base64.b64encode(encoded)[:64], "password": PASSWORD.encode()}
        for moment in ("waiting", "delivered"):
            for name, canary in canaries.items():
                with self.subTest(f"{name}, {moment}"):
                    self.assertEqual(self.connector.holds_anywhere(canary), [])
            if moment == "waiting":
                self.lab.good()
                self.lab.delivered(order)
        self.assertNotEqual(self.connector.holds_anywhere(order.encode()), [], "the search itself finds what is there")


if __name__ == "__main__":
    unittest.main()
