#!/usr/bin/python3
"""Who may include whom: main -> app -> { daemon/*, storage, config, core/crypto } -> core, and which libraries a room may see."""
import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)

# room -> rooms of ours it may include (prefixes); the longest room prefix that fits a file decides.
ALLOWED = {
    "core/crypto": ("core",),
    "core": ("core",),
    "storage": ("core", "storage"),
    "config": ("core", "config"),
    "daemon": ("core", "storage", "config", "daemon"),
}
# library prefix -> rooms that may include it
LIBRARIES = {
    "openssl/": ("core/crypto", "daemon/net", "tests"),
    "sqlite3": ("storage",),
    "spdlog/": ("daemon/log_sink",),
    "toml++/": ("config",),
    "CLI/": ("daemon/cli",),
    "csv.h": ("daemon/importer/csv",),
    "curl/": ("daemon/notify/smtp",),
    "boost/beast": ("daemon/net", "daemon/health"),
    "boost/asio/ssl": ("daemon/net",),
    "boost/json": ("daemon",),
    "boost/url": ("daemon/net", "daemon/management", "config"),
}


def room_of(path: str) -> str:
    return max((room for room in ALLOWED if path.startswith(room + "/")), key=len)


def faults_of(path: str, text: str) -> list[str]:
    room = room_of(path)
    faults = []
    for kind, name in INCLUDE.findall(text):
        if kind == '"':
            if not name.startswith(tuple(prefix + "/" for prefix in ALLOWED[room])):
                faults.append(f"{path}: {room} may not include {name}")
            if room == "core" and name.startswith("core/crypto/"):
                faults.append(f"{path}: core may not include core/crypto ({name})")
            continue
        for library, rooms in LIBRARIES.items():
            if name.startswith(library) and not path.startswith(rooms):
                faults.append(f"{path}: <{name}> belongs to {', '.join(rooms)}")
    return faults


def main() -> int:
    top = pathlib.Path(sys.argv[1])
    # The check itself must be able to fail.
    assert faults_of("core/request/x.cpp", '#include <openssl/evp.h>\n#include "storage/sqlite.hpp"\n')
    assert faults_of("storage/x.cpp", '#include "daemon/app.hpp"\n')
    faults = []
    files = 0
    for room in ("core", "storage", "config", "daemon"):
        for path in sorted((top / room).rglob("*.[ch]pp")):
            files += 1
            faults += faults_of(path.relative_to(top).as_posix(), path.read_text(encoding="utf-8"))
    print(*faults, sep="\n")
    print(f"{files} files, {len(faults)} faults")
    return 1 if faults or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
