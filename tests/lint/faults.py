#!/usr/bin/python3
"""Each deliberate fault of the simulator can still be put into the sources: a patch that does not apply searches for nothing.

    faults.py ROOT
"""
import pathlib
import subprocess
import sys


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    patches = sorted((root / "tests/sim/faults").rglob("*.patch"))
    if not patches:
        print("tests/sim/faults: no patches")
        return 1
    rotten = 0
    for patch in patches:
        done = subprocess.run(["patch", "-p1", "--dry-run", "--fuzz=0", "-i", str(patch)], cwd=root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            print(f"{patch.relative_to(root)} does not apply:\n{done.stdout}{done.stderr}")
            rotten += 1
    return 1 if rotten else 0


if __name__ == "__main__":
    sys.exit(main())
