#!/usr/bin/python3
"""Each event of core/event_ids.hpp has a raiser, or stands in core/event_planned.cpp with the feature that is not built; not both."""
import pathlib
import re
import sys

ID = re.compile(r'inline constexpr std::string_view (k_\w+) = "([A-Z]+-\d+)";')
USE = re.compile(r"\bevent::(k_\w+)")
ROOMS = ("core", "storage", "config", "daemon")
PLANNED = "core/event_planned.cpp"


def faults_of(ids: dict[str, str], sources: dict[str, str]) -> list[str]:
    """ids: constant -> event; sources: path -> text, the catalogue's own left out."""
    planned = set(USE.findall(sources.get(PLANNED, "")))
    raised = {name for path, text in sources.items() if path != PLANNED for name in USE.findall(text)}
    faults = [f"{ids[name]} ({name}) is raised nowhere; raise it, or list it in {PLANNED} with what is not built" for name in ids if name not in raised | planned]
    faults += [f"{ids[name]} ({name}) is raised, and {PLANNED} says that it is not" for name in ids if name in raised & planned]
    return faults


def self_test() -> None:
    ids = {"k_one": "SVC-1", "k_two": "SVC-2", "k_three": "SVC-3"}
    sources = {"daemon/a.cpp": "raise(Event(event::k_one)); raise(Event(event::k_two));", PLANNED: 'Planned{event::k_two, "x"}'}
    assert [fault[:5] for fault in faults_of(ids, sources)] == ["SVC-3", "SVC-2"]


def main() -> int:
    self_test()
    root = pathlib.Path(sys.argv[1])
    ids = dict(ID.findall((root / "core/event_ids.hpp").read_text()))
    sources = {}
    for room in ROOMS:
        for path in sorted((root / room).rglob("*.[ch]pp")):
            name = path.relative_to(root).as_posix()
            if not name.startswith("core/event_catalogue"):
                sources[name] = path.read_text()
    faults = faults_of(ids, sources)
    print("\n".join(faults) if faults else f"{len(ids)} events, each with a raiser or with what it waits for")
    return 1 if faults or not ids else 0


if __name__ == "__main__":
    sys.exit(main())
