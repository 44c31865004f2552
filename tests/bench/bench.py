#!/usr/bin/python3
"""Requests for each second of the daemon's processor time, beside a loop that does the same cryptography and nothing else; memory after start.

    PFX_CONNECTOR=build/release/daemon/pfx-connector tests/bench/bench.py LOOP [--rounds N] [--only KIND]… [--scale F]

LOOP is the program of loop.cpp. README.md says what is counted on either side. Exit 1 where an aim is missed.
"""
from __future__ import annotations

import argparse
import base64
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Iterator, Sequence

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
from lab import Connector, Device, Lab, User  # noqa: E402

Json = dict[str, Any]
TICKS = os.sysconf("SC_CLK_TCK")
MOST_MIB = 25.0
YEARS = (2018, 2020, 2022, 2024)


@dataclass
class Kind:
    name: str
    argument: str  # the loop's
    count: int  # requests of one round
    aim: float
    daemon: list[float] = field(default_factory=list)  # processor seconds of each round
    loop: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Of the sums: a key of RSA takes as long as it happens to, and more keys say more than the middle of a few."""
        return sum(self.loop) / sum(self.daemon)

    def row(self) -> tuple[str, ...]:
        each = sorted(loop / daemon for loop, daemon in zip(self.loop, self.daemon))
        per_second = [self.count / seconds for seconds in (statistics.median(self.daemon), statistics.median(self.loop))]
        return (self.name, str(self.count * len(self.daemon)), f"{sum(self.daemon):.2f}", f"{per_second[0]:.1f}", f"{per_second[1]:.1f}",
                f"{self.ratio:.2f}", f"{each[0]:.2f}–{each[-1]:.2f}", f"{self.aim:.2f}", "" if self.ratio >= self.aim else "MISSED")


HEAD = ("kind", "requests", "daemon CPU s", "per CPU s", "loop's", "ratio", "of rounds", "aim", "")


class People:
    """Users with a history each, and their devices."""

    def __init__(self, lab: Lab, users: int, devices: int) -> None:
        self.lab = lab
        self.all: list[tuple[User, list[Device]]] = []
        for number in range(users):
            user = lab.user(f"user{number}")
            lab.import_history(user, YEARS)
            self.all.append((user, [lab.device(user) for _ in range(devices)]))
        self._turn = self._in_turn()

    def _in_turn(self) -> Iterator[tuple[User, Device]]:
        while True:
            for place in range(len(self.all[0][1])):
                for user, devices in self.all:
                    yield user, devices[place]

    def requests(self, kind: Kind, count: int) -> list[Json]:
        made = []
        for _ in range(count):
            user, device = next(self._turn)
            made.append(self.lab.deliver_request(user, device) if kind.argument == "deliver" else self.lab.issue_request(user, device, key_type=kind.argument))
        return made


def processes(pid: int) -> list[int]:
    """It and what it started, theirs included."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += processes(int(child))
    return found


def processor_seconds(pid: int) -> float:
    """Of the daemon, its keeper, and the parsers that have ended."""
    ticks = 0
    for one in processes(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
        if one != pid:
            ticks += int(fields[13]) + int(fields[14])
    return ticks / TICKS


def at_rest(connector: Connector) -> float:
    """Once nothing moves any more: the last commit comes after the service's answer."""
    assert connector.process is not None
    now, before = processor_seconds(connector.process.pid), -1.0
    while now != before:
        time.sleep(0.25)
        before, now = now, processor_seconds(connector.process.pid)
    return now


def memory(pid: int) -> tuple[float, float]:
    """Resident and proportional set in MiB."""
    sizes = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, value = line.split(":")
        sizes[name] = int(value.split()[0]) / 1024
    return sizes["Rss"], sizes["Pss"]


def write_material(lab: Lab, connector: Connector, people: People, place: Path) -> None:
    """What the loop works on is what the daemon has."""
    place.mkdir(mode=0o700)
    for file in ("device-ca.crt", "delivery.crt", "delivery.key", "delivery-chain.crt", "import-key.key", "importer.crt"):
        shutil.copy(lab.pki.path(file), place / file)
    for file in ("ca.crt", "ca.key", "root.crt"):
        shutil.copy(Path(connector.settings["authority"]["corp"]["directory"]) / file, place / file)
    (place / "sealing.key").write_bytes(os.urandom(32))
    user, devices = people.all[0]
    (place / "device.der").write_bytes(pki.cert_der(devices[0].certificate))
    records = [each for each in lab.control.get("imports")["records"] if each["userPrincipalName"] == user.upn]
    for number, record in enumerate(records):
        for name, ending in (("encryptedPfxBlob", "pfx"), ("encryptedPfxPassword", "wrapped"), ("importerSignature", "signature")):
            (place / f"{number}.{ending}").write_bytes(base64.b64decode(record[name]))
    if len(records) != len(YEARS):
        raise SystemExit(f"bench: {len(records)} records of {user.upn}")


def daemon_round(lab: Lab, connector: Connector, people: People, kind: Kind, count: int) -> float:
    requests = people.requests(kind, count)
    before = at_rest(connector)
    ids = lab.queue(*requests)
    answers = lab.wait(*ids, timeout=900)
    used = at_rest(connector) - before
    bad = [each["result"] for each in answers.values() if not each["result"] or each["result"]["status"] != "delivered"]
    if bad:
        raise SystemExit(f"bench: {len(bad)} of {count} were not delivered: {bad[0]}")
    return used


def loop_round(program: Path, material: Path, argument: str, count: int) -> float:
    done = subprocess.run([str(program), str(material), argument, str(count), str(os.cpu_count())], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {done.stderr}")
    return float(done.stdout)


def table(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(text.ljust(width) if not place else text.rjust(width) for place, (text, width) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("loop", type=Path)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--scale", type=float, default=1.0, help="of the requests in a round")
    parser.add_argument("--only", action="append", choices=("rsa2048", "ecP256", "deliver"))
    chosen = parser.parse_args()
    kinds = [Kind("issue RSA-2048", "rsa2048", 50, 0.8), Kind("issue P-256", "ecP256", 250, 0.6),
             Kind(f"deliver {len(YEARS)} imports", "deliver", 100, 0.6)]
    kinds = [each for each in kinds if not chosen.only or each.argument in chosen.only]
    with Lab(lease_seconds=900) as lab:
        people = People(lab, users=10, devices=4)
        connector = lab.connector({"log": {"level": None}}, timeout=60)
        assert connector.process is not None
        at_rest(connector)
        after_start = [(name, *memory(pid)) for name, pid in zip(("daemon", "parsers' keeper"), processes(connector.process.pid))]
        material = lab.directory / "loop"
        write_material(lab, connector, people, material)
        for kind in kinds:
            kind.count = max(1, round(kind.count * chosen.scale))
            daemon_round(lab, connector, people, kind, 2 * len(people.all))  # warm: histories fetched, algorithms looked up
        for _ in range(chosen.rounds):
            for kind in kinds:
                kind.daemon.append(daemon_round(lab, connector, people, kind, kind.count))
                kind.loop.append(loop_round(chosen.loop, material, kind.argument, kind.count))
        delivered = next((each for each in kinds if each.argument == "deliver"), None)
        if delivered:
            files = delivered.count * len(delivered.daemon) * len(YEARS)
            processes_alone = loop_round(chosen.loop, material, "processes", files)
        after_work = [memory(pid)[0] for pid in processes(connector.process.pid)]
        lab.check_clean()
    print(table([HEAD, *(each.row() for each in kinds)]))
    if delivered:
        print(f"\nof {delivered.name}: {files} processes that do nothing cost {processes_alone:.2f} s; with them the loop's ratio is "
              f"{(sum(delivered.loop) + processes_alone) / sum(delivered.daemon):.2f}")
    print()
    print(table([("memory, MiB", "resident", "proportional", "after the work", "aim", ""),
                 *((name, f"{rss:.1f}", f"{pss:.1f}", f"{later:.1f}", f"{MOST_MIB:.0f}", "" if rss <= MOST_MIB else "MISSED")
                   for (name, rss, pss), later in zip(after_start, after_work))]))
    missed = [each.name for each in kinds if each.ratio < each.aim] + [f"memory of {name}" for name, rss, _ in after_start if rss > MOST_MIB]
    if missed:
        print(f"\nmissed: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
