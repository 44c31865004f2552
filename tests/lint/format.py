#!/usr/bin/python3
"""Every source of ours is as .clang-format has it: by clang-format 14, Debian 12's, since each version writes a little differently.

    format.py ROOT         names the files that are not, and how to mend them
    format.py ROOT --fix   mends them
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

FOLDERS = ("core", "storage", "config", "daemon", "tests")
PROGRAM = "clang-format-14"


def sources(root: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for folder in FOLDERS for pattern in ("*.cpp", "*.hpp") for path in (root / folder).rglob(pattern))


def is_formed(path: pathlib.Path) -> bool:
    formed = subprocess.run([PROGRAM, "--style=file", str(path)], capture_output=True, check=True).stdout
    return formed == path.read_bytes()


def main() -> int:
    root = pathlib.Path(sys.argv[1]).resolve()
    files = sources(root)
    if len(files) < 100:
        print(f"{len(files)} files below {root}: that is not the house")
        return 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        wrong = [path for path, formed in zip(files, pool.map(is_formed, files)) if not formed]
    if "--fix" in sys.argv[2:]:
        for path in wrong:
            subprocess.run([PROGRAM, "--style=file", "-i", str(path)], check=True)
        print(f"{len(wrong)} of {len(files)} files formatted")
        return 0
    for path in wrong:
        print(f"{path.relative_to(root)}: not as .clang-format has it")
    if wrong:
        print(f"{len(wrong)} files; tests/lint/format.py . --fix")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
