#!/usr/bin/python3
"""docs/bad-input.md says what the tests show, and leaves no code of the contract out."""
import json
import unittest

from bad_input import document, records, requests, tool
from bad_input.table import matches


class Document(unittest.TestCase):
    def test_the_page_is_the_tables(self) -> None:
        self.assertEqual(document.PAGE.read_text(), document.page(), "write it anew: tests/functional/bad_input/document.py --write")

    def test_every_code_of_the_contract_has_its_line(self) -> None:
        text = (document.PAGE.parent / "openapi.json").read_text()
        found = [each for each in enums(json.loads(text)) if "recipientUnbound" in each]
        self.assertTrue(found, "the document has no list of codes")
        for codes in found:
            self.assertEqual(set(codes), set(document.DO))

    def test_every_row_has_a_name_of_its_own(self) -> None:
        for rows in (records.RECORDS, tool.ROWS, tool.COMMANDS, *(table.rows for table in (*requests.TABLES, *requests.WIDE_TABLES))):
            names = [row.what for row in rows]
            self.assertEqual(len(set(names)), len(names), [name for name in names if names.count(name) > 1])

    def test_the_message_of_a_request_names_its_field(self) -> None:
        for table in (*requests.TABLES, *requests.WIDE_TABLES):
            for row in table.rows:
                if table.code_of(row) != "importNotFound":
                    self.assertRegex(row.says, r"^(/[A-Za-z0-9/]+|…): ", f"{table.title}: {row.what}")

    def test_what_a_pattern_takes(self) -> None:
        self.assertTrue(matches("/a: …", "/a: b\nc"))
        self.assertTrue(matches("a.b", "a.b"))
        self.assertFalse(matches("a.b", "axb"))
        self.assertFalse(matches("/a: b", "/a: b and more"))


def enums(value: object) -> list[list[str]]:
    if isinstance(value, dict):
        own = [value["enum"]] if isinstance(value.get("enum"), list) else []
        return own + [each for member in value.values() for each in enums(member)]
    if isinstance(value, list):
        return [each for member in value for each in enums(member)]
    return []


if __name__ == "__main__":
    unittest.main()
