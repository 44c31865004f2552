#!/usr/bin/python3
"""systemd's own judgement on the unit: nothing to complain of, an exposure of at most 1.2, and a reason above each directive."""
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

THRESHOLD = 12  # tenths
# A run of these may stand under one reason: they say the same of different things.
GROUPED = re.compile(r"^(Description|WantedBy|Protect|Restrict|Private|RemoveIPC|Lock|Documentation|Device|Ambient|System|No|Limit|Group|Tasks|RestartSec|LogsDirectory|StateDirectory|ExecReload|StartLimit)")


def without_reason(text: str) -> list[str]:
    """Directives that follow neither a comment nor a directive of their group."""
    found, explained = [], False
    for line in text.splitlines():
        if not line.strip() or line.startswith("["):
            explained = False
        elif line.startswith("#"):
            explained = True
        elif not explained and not GROUPED.match(line):
            found.append(line)
        else:
            explained = GROUPED.match(line) is not None or explained
    return found


def verify(unit: pathlib.Path) -> str:
    """The unit as it is, but for programs that this machine has not installed."""
    with tempfile.TemporaryDirectory() as place:
        copy = pathlib.Path(place) / unit.name
        copy.write_text(re.sub(r"^(Exec\w+=)/usr/sbin/pfx-connector", r"\g<1>/bin/true", unit.read_text(), flags=re.M))
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(copy)], capture_output=True, text=True, check=False)
        return done.stdout + done.stderr + ("" if done.returncode == 0 else f"exit {done.returncode}\n")


def self_test() -> None:
    assert without_reason("[Service]\n# why\nUser=a\n\nExecStart=b\n") == ["ExecStart=b"]


def main() -> int:
    self_test()
    unit = pathlib.Path(sys.argv[1]) / "systemd/pfx-connector.service"
    if shutil.which("systemd-analyze") is None:
        print("systemd-analyze is not here: install systemd")
        return 1
    faults = [f"no reason above {line}" for line in without_reason(unit.read_text())]
    faults += verify(unit).splitlines()
    judged = subprocess.run(["systemd-analyze", "security", "--offline=true", f"--threshold={THRESHOLD}", str(unit)], capture_output=True, text=True, check=False)
    if judged.returncode != 0:
        faults += [line for line in judged.stdout.splitlines() if line.startswith("✗") or "exposure" in line] + judged.stderr.splitlines()
    print("\n".join(faults) if faults else judged.stdout.splitlines()[-1])
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
