#!/usr/bin/python3
"""Ten thousand requests that wait for a dead authority: what they cost it, the others, and the daemon's memory.

    PFX_CONNECTOR=build/release/daemon/pfx-connector tests/scale/waiting.py [--requests 10000] [--seconds 30]

Exit 1 where the dead authority is asked more often than one probe for each time that its breaker is open, where a request for another authority is not
delivered meanwhile, or where memory is beyond --most-mib.
"""
from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from est_ca import EstCa  # noqa: E402
from lab import Lab  # noqa: E402

OPEN_SECONDS = 5
BATCH = 500


def resident(pid: int) -> float:
    return int(next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--most-mib", type=float, default=60)
    chosen = parser.parse_args()
    faults = []
    with Lab(lease_seconds=600) as lab, EstCa(lab.directory / "est") as est:
        connector = lab.connector({"authority": {"est": est.authority(breaker={"failures": 3, "open_seconds": OPEN_SECONDS})},
                                   "connector": {"max_pending": chosen.requests + BATCH}}, timeout=60)
        nora = lab.user("nora")
        phone = lab.device(nora, key_kind="ecP256")
        est.fault("status", count=-1, call="any", status=503)
        before = resident(connector.process.pid)
        for _ in range(chosen.requests // BATCH):
            lab.queue(*[lab.issue_request(nora, phone, key_type="ecP256", authority="est") for _ in range(BATCH)])
        connector.wait_until(lambda: sum(json.loads(connector.health()[1])["queue"].values()) >= chosen.requests // BATCH * BATCH, 300, "all to be leased")
        after = resident(connector.process.pid)
        asked = len(est.calls())
        began = time.monotonic()
        took = []
        while time.monotonic() - began < chosen.seconds:
            start = time.monotonic()
            lab.delivered(lab.issue(nora, phone, key_type="ecP256"), timeout=60)
            took.append(time.monotonic() - start)
        calls = len(est.calls()) - asked
        took.sort()
        print(f"{chosen.requests} requests wait for a dead authority: it was asked {calls} times in {chosen.seconds:.0f} s (breaker open for {OPEN_SECONDS} s); "
              f"{len(took)} requests for another were delivered beside, median {took[len(took) // 2]:.2f} s, longest {took[-1]:.2f} s; "
              f"memory {before:.0f} MiB before, {after:.0f} MiB with them")
        if calls > chosen.seconds / OPEN_SECONDS + 1:
            faults.append(f"it was asked {calls} times")
        if after > chosen.most_mib:
            faults.append(f"{after:.0f} MiB are more than {chosen.most_mib:.0f}")
    print(*faults, sep="\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
