#!/usr/bin/python3
"""Runs the attacks and prints the table: number, attack, what came of it.

    attack.py [--quick] [--only NN[,NN…]] [--unit-tests PROGRAM]

PFX_CONNECTOR names the daemon. `--quick` runs what needs no waiting (QUICK); without it all of this folder runs, and what catalogue.py names
elsewhere with it. Nothing is left out in silence: what is not built stands in the table with its reason.
"""
from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import unittest
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterator, Sequence

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import catalogue  # noqa: E402
from harness import PKI, Attacked, Lab  # noqa: E402

MODULES = ("test_devices", "test_device_proofs", "test_names", "test_imports", "test_packages", "test_authority", "test_connector", "test_documents")
QUICK = ("test_devices.Certificates.test_at_01", "test_devices.Certificates.test_at_07", "test_devices.Certificates.test_at_09", "test_packages.Agent",
         "test_devices.Certificates.test_at_11", "test_documents")


@dataclass
class Row:
    number: str
    what: str
    result: str = "passed"
    bad: bool = False


class Ran(unittest.TextTestResult):
    """Keeps each test's own result."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.rows: list[Row] = []
        self._now: Row | None = None

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        method = getattr(test, test._testMethodName, None)
        self._now = Row(getattr(method, "at", ""), getattr(method, "what", test.id()))

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        if self._now is not None and self._now.number:
            self.rows.append(self._now)
        self._now = None

    def _bad(self, word: str) -> None:
        if self._now is not None:
            self._now.result, self._now.bad = word, True

    def addFailure(self, test: Any, err: Any) -> None:
        super().addFailure(test, err)
        self._bad("FAILED")

    def addError(self, test: Any, err: Any) -> None:
        super().addError(test, err)
        self._bad("ERROR")

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._bad("FAILED")

    def addSkip(self, test: Any, reason: str) -> None:
        super().addSkip(test, reason)
        if self._now is not None:
            self._now.result = f"skipped: {reason}"


def flat(suite: Any) -> Iterator[unittest.TestCase]:
    for each in suite:
        if isinstance(each, unittest.TestSuite):
            yield from flat(each)
        else:
            yield each


def chosen(quick: bool, only: Sequence[str]) -> unittest.TestSuite:
    picked = []
    for test in flat(unittest.defaultTestLoader.loadTestsFromNames(list(MODULES))):
        number = getattr(getattr(test, test._testMethodName, None), "at", "")
        if type(test) is Attacked or only and number not in only or quick and not test.id().startswith(QUICK):
            continue
        picked.append(test)
    return unittest.TestSuite(picked)


def elsewhere(unit_tests: Path, only: Sequence[str]) -> list[Row]:
    """The named tests of other suites, each by itself."""
    rows = []
    for number, names in sorted(catalogue.ELSEWHERE.items()):
        for name in names if not only or number in only else ():
            path, _, test = name.partition("::")
            if path.endswith(".cpp"):
                command: list[str | Path] = [unit_tests, f"--gtest_filter={test}", "--gtest_brief=1"]
                place = unit_tests.parent
            else:
                command, place = ["/usr/bin/python3", catalogue.ROOT / path, test], catalogue.ROOT
            done = subprocess.run(command, cwd=place, capture_output=True, text=True, check=False, timeout=900)
            ran = "1 test from 1 test suite ran" in done.stdout or "Ran 1 test" in done.stderr
            good = done.returncode == 0 and ran
            rows.append(Row(number, name, "passed" if good else "FAILED" if ran else "NOT RUN", not good))
            if not good:
                print(done.stdout[-3000:], done.stderr[-3000:], file=sys.stderr)
    return rows


def not_built(only: Sequence[str]) -> list[Row]:
    rows = []
    with Lab(pki_directory=PKI.name) as lab:
        connector = lab.connector(enrol=False, start=False, local_ca=True)
        honest = connector.settings
        for number, parts in sorted(catalogue.NOT_BUILT.items()):
            for part in parts if not only or number in only else ():
                row = Row(number, part.part, f"not built: {part.reason}")
                if part.probe is not None:
                    connector.settings = honest
                    connector.configure(part.probe)
                    said = connector.command("check-config")
                    if "not built" not in said.stdout + said.stderr:
                        row.result, row.bad = f"BUILT SINCE, and without its attack ({part.reason})", True
                if part.silent and catalogue.raised(part.silent):
                    row.result, row.bad = f"BUILT SINCE, and without its attack ({part.reason})", True
                rows.append(row)
    return rows


def table(rows: Sequence[Row]) -> str:
    lines = []
    for number, title in catalogue.ATTACKS.items():
        mine = [row for row in rows if row.number == number]
        if mine:
            lines.append(f"AT-{number}  {title}")
            lines += [f"       {row.what[:110]:110}  {row.result}" for row in mine]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="", help="numbers, with commas between")
    parser.add_argument("--unit-tests", type=Path, help="the C++ tests; else beside the daemon, as the build has them")
    asked = parser.parse_args(arguments)
    only = [each.zfill(2) for each in asked.only.split(",") if each]
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    began = time.monotonic()
    ran = unittest.TextTestRunner(resultclass=Ran, verbosity=1).run(chosen(asked.quick, only))
    rows: list[Row] = list(ran.rows)
    if not asked.quick:
        from connector import find_program
        rows += elsewhere((asked.unit_tests or find_program().parents[1] / "tests" / "unit_tests").resolve(), only)
        rows += not_built(only)
        silent = [number for number in catalogue.ATTACKS if not only and not any(row.number == number for row in rows)]
        rows += [Row(number, "", "NO TEST AND NO REASON", True) for number in silent]
    print(table(rows))
    bad = sum(row.bad for row in rows)
    waiting = sum(row.result.startswith("not built") for row in rows)
    print(f"\n{len(rows)} rows of {len({row.number for row in rows})} attacks: {len(rows) - bad - waiting} passed, {waiting} not built, {bad} bad; "
          f"{time.monotonic() - began:.0f} s")
    return 0 if ran.wasSuccessful() and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
