#!/usr/bin/python3
"""Can the simulator find bugs? Each patch is a deliberate fault: applied to a copy of the sources, built, and searched for.

  find.py BUILD_DIR [--patches DIR] [--attacked] [--seeds N] [--start S] [--preset-type TYPE]

Prints in how many of N seeds each fault breaks an invariant, and which. What no seed shows is searched for by the sweep, where each single call fails
once; fails where neither finds a fault, or finds one where there is none.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

TOP = pathlib.Path(__file__).resolve().parents[3]
NEEDED = ("CMakeLists.txt", "CMakePresets.json", "core", "storage", "config", "daemon", "systemd", "tests")


def copy_sources(to: pathlib.Path) -> None:
    """Only what changed is written again, so that the next build is small."""
    wanted = set()
    for name in NEEDED:
        source = TOP / name
        files = [source] if source.is_file() else [path for path in source.rglob("*") if path.is_file()]
        for file in files:
            place = to / file.relative_to(TOP)
            wanted.add(place)
            text = file.read_bytes()
            if place.is_file() and place.read_bytes() == text:
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(text)
            shutil.copymode(file, place)
    for name in NEEDED:
        for place in (to / name).rglob("*"):
            if place.is_file() and place not in wanted:
                place.unlink()


def run(command: list, **more) -> subprocess.CompletedProcess:
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
        sys.exit(f"failed: {command}")
    return done


def sweep(output: pathlib.Path) -> int:
    """In how many of its runs the sweep breaks."""
    run(["cmake", "--build", output, "-j", str(os.cpu_count() or 1), "--target", "sweep"])
    done = subprocess.run([str(output / "tests/sweep/sweep")], capture_output=True, text=True, check=False)
    broken = re.findall(r"(\d+) broken", done.stdout)
    if not broken:
        sys.exit(f"the sweep ended with {done.returncode}: {done.stderr[-300:]}")
    print(f"    sweep: {broken[-1]} runs")
    return int(broken[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--patches", type=pathlib.Path, default=pathlib.Path(__file__).parent)
    parser.add_argument("--attacked", action="store_true", help="the service in an attacker's hand; the sweep finds nothing of that")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--start", type=int, default=1)
    parser.add_argument("--preset-type", default="RelWithDebInfo")
    options = parser.parse_args()
    patches = sorted(options.patches.resolve().glob("*.patch"))
    if not patches:
        sys.exit(f"no *.patch in {options.patches}")
    sources = options.build.resolve() / "sources"
    output = options.build.resolve() / "output"
    sources.mkdir(parents=True, exist_ok=True)
    missed = 0
    # First without a fault: what is found then is not the patches'.
    for patch in [None, *patches]:
        copy_sources(sources)
        if patch is not None:
            run(["patch", "-p1", "--no-backup-if-mismatch", "-i", patch], cwd=sources)
        generator = ["-G", "Ninja"] if shutil.which("ninja") and not (output / "CMakeCache.txt").exists() else []
        run(["cmake", "-S", sources, "-B", output, f"-DCMAKE_BUILD_TYPE={options.preset_type}", *generator])
        run(["cmake", "--build", output, "-j", str(os.cpu_count() or 1), "--target", "sim"])
        done = subprocess.run([str(output / "tests/sim/sim"), "--count", "--twice-each", "0", "--seeds", str(options.seeds), "--start",
                               str(options.start), "--jobs", str(os.cpu_count() or 1), *["--attacked"] * options.attacked], capture_output=True, text=True, check=False)
        found = re.match(r"(\d+) of (\d+)", done.stdout)
        name = "(no fault)" if patch is None else patch.stem
        if not found:
            # A crash of the program is found as well.
            print(f"{name:32} the simulator ended with {done.returncode}: {done.stderr[-300:]}")
            missed += patch is None
            continue
        print(f"{name:32} {found[1]:>6} of {found[2]} seeds")
        for line in done.stdout.splitlines()[1:]:
            print(f"    {line}")
        sys.stdout.flush()
        if patch is None:
            missed += int(found[1]) != 0
        elif int(found[1]) == 0:
            missed += options.attacked or sweep(output) == 0
    print("each was found" if missed == 0 else f"{missed} wrong")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
