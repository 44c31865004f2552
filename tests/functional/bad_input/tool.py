"""What an administrator hands to `import add`: lists with bad rows in them, lists and state files that are none, and bad command lines."""
from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any, Callable

import pfx

PASSWORD = "Tr0ub4dor & three"


@dataclass(frozen=True)
class ListRow:
    """One row of a list; what is not given is a good row's."""
    what: str
    says: str
    file: str = "good.pfx"
    word: str = "word.txt"
    user: str = "bob"                         # a person of the test; anything else is written as it is
    purpose: str = "smimeEncryption"
    outcome: str = "refused"
    make: "Callable[[Any], None] | None" = None   # what has to lie in the folder


@dataclass(frozen=True)
class Command:
    """A whole call. `list`: the list's text; `arguments`: after `import add`, with {list}, {good}, {word}, {user}."""
    what: str
    code: int
    says: str
    arguments: tuple[str, ...] = ("--csv", "{list}")
    list: "str | bytes | None" = None
    state: "bytes | None" = None              # an import-state file beside the list
    rest: tuple[str, ...] = field(default=("--key", "ImportKey1"))


def write(name: str, content: bytes) -> Callable[[Any], None]:
    return lambda room: (room.folder / name).write_bytes(content) and None


def spoilt(name: str, change: Callable[[bytes], bytes]) -> Callable[[Any], None]:
    return lambda room: (room.folder / name).write_bytes(change((room.folder / "good.pfx").read_bytes())) and None


def form(name: str, **how: Any) -> Callable[[Any], None]:
    return lambda room: room.file(name, room.bob, **how) and None


def two(room: Any) -> None:
    first, second = (room.identity(room.bob, year) for year in (2018, 2019))
    (room.folder / "two.pfx").write_bytes(pfx.export(first, PASSWORD, "two-identities", others=[second]))


def link(name: str, target: str) -> Callable[[Any], None]:
    return lambda room: (room.folder / name).symlink_to(target)


ROWS = [
    ListRow("the same file twice", "line …", outcome="duplicate"),
    ListRow("a wrong password", "…does not open…", word="wrong.txt", make=write("wrong.txt", b"hunter2 and more\n")),
    ListRow("another person's file", "…bob…", user="carla"),
    ListRow("a signing certificate for encryption", "…smimeEncryption needs…", "sign.pfx", make=form("sign.pfx", year=2024, purpose="smimeSigning")),
    ListRow("no PFX", "…does not open…", "no.pfx", make=write("no.pfx", b"this is no PFX")),
    ListRow("an empty file", "…does not open…", "empty.pfx", make=write("empty.pfx", b"")),
    ListRow("half a PFX", "…does not open…", "cut.pfx", make=spoilt("cut.pfx", lambda content: content[:-100])),
    ListRow("a nesting of 50,000", "…does not open…", "deep.pfx", make=write("deep.pfx", b"\x30\x80" * 50_000)),
    ListRow("a length of four gigabytes", "…does not open…", "long.pfx", make=spoilt("long.pfx", lambda content: b"\x30\x84\xff\xff\xff\xff" + content)),
    ListRow("over 256 KiB", "…256 KiB…", "big.pfx", make=write("big.pfx", bytes(257 * 1024))),
    ListRow("50,000,000 iterations", "…1,000,000 iterations…", "expensive.pfx", make=form("expensive.pfx", form="expensive")),
    ListRow("no MAC", "…no MAC…", "no-mac.pfx", make=form("no-mac.pfx", form="no-mac")),
    ListRow("two identities", "…two identities…", "two.pfx", make=two),
    ListRow("no such file", "…No such file…", "none.pfx"),
    ListRow("no such password file", "…No such file…", word="none.txt"),
    ListRow("a path that leaves the folder", "…leaves the folder…", "../people.csv"),
    ListRow("an absolute path", "…absolute…", "/etc/passwd"),
    ListRow("a link", "…link…", "link.pfx", make=link("link.pfx", "good.pfx")),
    ListRow("a path through a link", "…link…", "out/passwd", make=link("out", "/etc")),
    ListRow("a password file behind a link", "…link…", word="out/passwd"),
    ListRow("a password file outside the folder", "…leaves the folder…", word="../../secret"),
    ListRow("a pipe", "…no regular file…", "pipe.pfx", make=lambda room: os.mkfifo(room.folder / "pipe.pfx")),
    ListRow("a folder", "…no regular file…", "a", make=lambda room: (room.folder / "a").mkdir()),
    ListRow("a user that is no name", "…userPrincipalName…", user="nobody"),
    ListRow("no user", "…", user=""),
    ListRow("a purpose that does not exist", '…"smime"…', purpose="smime"),
    ListRow("formulae of a spreadsheet", "…userPrincipalName…", "=cmd|' /C calc'!A0", user="@SUM(1+1)", purpose="-2+3"),
    ListRow("control characters", "…", "tab\there\x1b[31m.pfx"),
]

HEADER = "file,password-file,upn,purpose\n"
COMMANDS = [
    Command("an empty list", 1, "…empty…", list=""),
    Command("semicolons", 1, "…semicolons…", list="file;upn\n"),
    Command("an unknown column", 1, '…"user"…', list="file,user\n"),
    Command("a column missing", 1, "…upn…", list="file,purpose\ngood.pfx,smimeEncryption\n"),
    Command("the same column twice", 1, "…twice…", list="file,file,upn\n"),
    Command("a quote that is never closed", 1, "…never closed…", list='file,upn\n"x,y\n'),
    Command("no row", 1, "…no row…", list="file,upn,purpose\n"),
    Command("a row with too few cells", 1, "…", list=HEADER + "good.pfx\n"),
    Command("not UTF-8", 1, "…UTF-8…", list=HEADER.encode() + b"good.pfx,word.txt,m\xfcller@corp.example,smimeEncryption\n"),
    Command("UTF-16", 1, "…", list=("\ufeff" + HEADER).encode("utf-16-le")),
    Command("a NUL in it", 1, "…", list=HEADER.encode() + b"good.pfx\0,word.txt,a@corp.example,smimeEncryption\n"),
    Command("no list at all", 1, "…", arguments=("--csv", "{folder}/none.csv")),
    Command("a folder that is none", 1, "…", arguments=("--folder", "{folder}/none", "--purpose", "smimeEncryption")),
    Command("a state file that is something else", 1, "…--state…", list=HEADER + "good.pfx,word.txt,{user},smimeEncryption\n", state=b"my shopping list\n"),
    Command("a report that cannot be written", 2, "…--report…", ("--csv", "{list}", "--report", "{folder}/none/report"),
            HEADER + "good.pfx,word.txt,{user},smimeEncryption\n"),
    Command("--csv and --folder", 2, "…", ("--csv", "x.csv", "--folder", "y")),
    Command("--csv and --user", 2, "…", ("--csv", "x.csv", "--user", "a@b.example")),
    Command("--jobs for one file", 2, "…--jobs…", ("--jobs", "3", "x.pfx")),
    Command("nothing to import", 2, "…", ()),
    Command("one file: a wrong password", 1, "…does not open…", ("{good}", "--user", "{user}", "--purpose", "smimeEncryption", "--password-file", "{folder}/wrong.txt")),
    Command("one file: another user", 1, "…", ("{good}", "--user", "other@corp.example", "--purpose", "smimeEncryption", "--password-file", "{word}")),
    Command("one file: no user", 2, "…", ("{good}", "--user", "nobody", "--purpose", "smimeEncryption", "--password-file", "{word}")),
    Command("one file: no such purpose", 2, "…smime…", ("{good}", "--user", "{user}", "--purpose", "smime", "--password-file", "{word}")),
    Command("one file: no such import key", 2, "…Nope…", ("{good}", "--user", "{user}", "--purpose", "smimeEncryption", "--password-file", "{word}"),
            rest=("--key", "Nope")),
    Command("one file: no password", 2, "…", ("{good}", "--user", "{user}", "--purpose", "smimeEncryption")),
    Command("one file: no such file", 1, "…none.pfx…", ("{folder}/none.pfx", "--user", "{user}", "--purpose", "smimeEncryption", "--password-file", "{word}")),
    Command("one file: no such password file", 2, "…", ("{good}", "--user", "{user}", "--purpose", "smimeEncryption", "--password-file", "{folder}/none")),
    Command("one good file and one bad", 1, "…", ("{good}", "{folder}/no.pfx", "--user", "{user}", "--purpose", "smimeEncryption", "--password-file", "{word}")),
]
