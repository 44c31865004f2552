#!/usr/bin/python3
"""Ten thousand PFX files through the real `import add --csv` into the lab's service: time and peak memory, a kill in the middle, a second run.

    PFX_CONNECTOR=build/release/daemon/pfx-connector tests/scale/imports.py [--files 10000] [--of-each 4] [--jobs N] [--keep DIR]

Not a functional test: it takes minutes. Few RSA keys are shared by all certificates, since a certificate is what tells them apart. Exit 1 if a row
is not where it should be, or memory is beyond --most-mib.
"""
from __future__ import annotations

import argparse
import collections
import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
import pki  # noqa: E402
from cryptography.hazmat.primitives import hashes  # noqa: E402
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12  # noqa: E402
from lab import Lab  # noqa: E402

PASSWORD = b"Tr0ub4dor & three"
DOMAIN = "corp.example"


def prepare(pki_directory: Path) -> None:
    """Once in each process: reading keys takes longer than using them."""
    global lab_pki, keys
    lab_pki = pki.Pki(pki_directory)
    keys = [lab_pki.shared_key("rsa2048", slot) for slot in range(3)]


def make_files(arguments: tuple[Path, int, int]) -> list[tuple[str, str]]:
    """The files of one user."""
    folder, user, of_each = arguments
    upn = f"user{user}@{DOMAIN}"
    place = folder / f"{user // 500:03}" / upn
    place.mkdir(parents=True, exist_ok=True)
    encryption = (PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048).key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
                  .hmac_hash(hashes.SHA256()).build(PASSWORD))
    rows = []
    for index in range(of_each):
        identity = pki.corporate_certificate(lab_pki, upn, 2006 + 2 * index, key=keys[index % 3])
        path = place / f"{2006 + 2 * index}.pfx"
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"imported", identity.key, identity.certificate, identity.chain, encryption))
        rows.append((str(path.relative_to(folder)), upn))
    return rows


def run(connector, path: Path, *more: str, kill_after: int | None = None, state: Path | None = None):
    """Its answer, the seconds, and its peak memory in MiB."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([str(connector.program), "--config", str(connector.config_file), "import", "add", "--csv", str(path), "--key",
                                    "ImportKey1", "--json", *more], stdin=subprocess.DEVNULL, stdout=output, env=connector.environment)
        if kill_after is not None:
            while not state.exists() or state.stat().st_size < kill_after * 130:
                if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None:
                    raise SystemExit("it ended before it could be killed")
                time.sleep(0.05)
            process.send_signal(signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    return process.returncode, json.loads(text) if text else None, time.monotonic() - began, usage.ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--of-each", type=int, default=4)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--most-mib", type=float, default=256)
    parser.add_argument("--keep", type=Path)
    chosen = parser.parse_args()
    users = chosen.files // chosen.of_each
    total = users * chosen.of_each
    jobs = ("--jobs", str(chosen.jobs)) if chosen.jobs else ()
    faults = []

    def check(what: str, true: bool) -> None:
        if not true:
            faults.append(what)

    with tempfile.TemporaryDirectory(prefix="pfx-scale-") as temporary:
        place = chosen.keep or Path(temporary)
        with Lab(place / "lab") as lab:
            folder = place / "files"
            for slot in range(3):
                lab.pki.shared_key("rsa2048", slot)
            began = time.monotonic()
            with multiprocessing.Pool(initializer=prepare, initargs=(lab.pki.directory,)) as pool:
                orders = [(folder, user, chosen.of_each) for user in range(users)]
                rows = [row for some in pool.imap(make_files, orders, 16) for row in some]
            print(f"{total} files of {users} users made in {time.monotonic() - began:.0f} s", flush=True)
            (folder / "word").write_bytes(PASSWORD + b"\n")
            with (folder / "people.csv").open("w", newline="") as out:
                csv.writer(out).writerows([("file", "password-file", "upn", "purpose"), *((file, "word", upn, "smimeEncryption") for file, upn in rows)])
            connector = lab.connector(enrol=False, start=False, local_ca=False)
            path, state = folder / "people.csv", folder / "people.import-state"

            def told(what: str, code: int, answer, seconds: float, mib: float) -> dict:
                counts = {name: count for name, count in (answer or {}).get("counts", {}).items() if count}
                print(f"{what}: exit {code}, {counts}, {seconds:.0f} s, {mib:.0f} MiB", flush=True)
                check(f"{what}: {mib:.0f} MiB", mib <= chosen.most_mib)
                return counts

            counts = told("dry run", *run(connector, path, "--dry-run", *jobs))
            check("dry run", counts == {"checked": total} and not lab.control.get("imports")["records"])
            told("killed", *run(connector, path, *jobs, kill_after=total // 2, state=state))
            counts = told("gone on with", *run(connector, path, *jobs))
            check("gone on with", counts.get("doneBefore", 0) >= total // 2 and sum(counts.values()) == total
                  and set(counts) <= {"doneBefore", "added", "unchanged"})
            counts = told("second run", *run(connector, path, *jobs))
            check("second run", counts == {"unchanged": total})
            owners = collections.Counter(record["userPrincipalName"] for record in lab.control.get("imports")["records"])
            check("the store", len(owners) == users and set(owners.values()) == {chosen.of_each})
            check("the document", not lab.violations())
    for fault in faults:
        print(f"WRONG: {fault}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
