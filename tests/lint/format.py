#!/usr/bin/python3
"""Every source of ours is as .clang-format has it: by clang-format 14, Debian 12's, since each version writes a little differently.

    format.py ROOT         names the files that are not, and how to mend them
    format.py ROOT --fix   mends them
"""
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

FOLDERS = ("core", "storage", "config", "daemon", "tests")
PROGRAM = "clang-format-14"
BATCH = 40  # starting it takes longer than most files


def sources(root: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for folder in FOLDERS for pattern in ("*.cpp", "*.hpp") for path in (root / folder).rglob(pattern))


def unformed(batch: list[pathlib.Path]) -> set[str]:
    told = subprocess.run([PROGRAM, "--style=file", "--dry-run", *map(str, batch)], capture_output=True, text=True, check=True).stderr
    return set(re.findall(r"^(\S+?):\d+:\d+: warning: code should be clang-formatted", told, re.MULTILINE))


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    files = sources(root)
    if len(files) < 100:
        print(f"{len(files)} files below {root}: that is not the house")
        return 1
    batches = [files[first:first + BATCH] for first in range(0, len(files), BATCH)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = sorted(set().union(*pool.map(unformed, batches)))
    if "--fix" in sys.argv[2:]:
        if wrong:
            subprocess.run([PROGRAM, "--style=file", "-i", *wrong], check=True)
        print(f"{len(wrong)} of {len(files)} files formatted")
        return 0
    for path in wrong:
        print(f"{pathlib.Path(path).relative_to(root)}: not as .clang-format has it")
    if wrong:
        print(f"{len(wrong)} files; tests/lint/format.py . --fix")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
