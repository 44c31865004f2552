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


NOT_OPEN = "the password or the file is wrong: it does not open"
LINK = "… is a link, or lies behind one; put the file itself into the folder"
ROWS = [
    ListRow("the same file twice", "the same certificate as in line …", outcome="duplicate"),
    ListRow("a wrong password", NOT_OPEN, word="wrong.txt", make=write("wrong.txt", b"hunter2 and more\n")),
    ListRow("another person's file",
            "the certificate is for bob@corp.example, not for carla@corp.example; if one of these is his too, say so with --address", user="carla"),
    ListRow("a signing certificate for encryption", "smimeEncryption needs keyEncipherment or keyAgreement", "sign.pfx", make=form("sign.pfx", year=2024, purpose="smimeSigning")),
    ListRow("no PFX", NOT_OPEN, "no.pfx", make=write("no.pfx", b"this is no PFX")),
    ListRow("an empty file", "the file is empty", "empty.pfx", make=write("empty.pfx", b"")),
    ListRow("half a PFX", NOT_OPEN, "cut.pfx", make=spoilt("cut.pfx", lambda content: content[:-100])),
    ListRow("a nesting of 50,000", NOT_OPEN, "deep.pfx", make=write("deep.pfx", b"\x30\x80" * 50_000)),
    ListRow("a length of four gigabytes", NOT_OPEN, "long.pfx", make=spoilt("long.pfx", lambda content: b"\x30\x84\xff\xff\xff\xff" + content)),
    ListRow("over 256 KiB", '"big.pfx" is larger than 256 KiB', "big.pfx", make=write("big.pfx", bytes(257 * 1024))),
    ListRow("50,000,000 iterations", "PFX: more than 1,000,000 iterations; export it anew: …", "expensive.pfx", make=form("expensive.pfx", form="expensive")),
    ListRow("no MAC", "PFX: no MAC; export it anew with one, so that a changed file is noticed", "no-mac.pfx", make=form("no-mac.pfx", form="no-mac")),
    ListRow("a cipher that is not known", "PFX: unknown encryption: camellia-256-cbc; AES with PBKDF2, 3DES and RC2 are taken; export it anew: …", "camellia.pfx",
            make=form("camellia.pfx", form="camellia")),
    ListRow("a password file in UTF-16", '"utf16.txt" is UTF-16; save it as UTF-8', word="utf16.txt", make=write("utf16.txt", "hunter2\n".encode("utf-16"))),
    ListRow("two identities", "PFX: two identities; one file must hold one", "two.pfx", make=two),
    ListRow("no such file", '"none.pfx": No such file or directory', "none.pfx"),
    ListRow("no such password file", '"none.txt": No such file or directory', word="none.txt"),
    ListRow("a path that leaves the folder", 'file: "../people.csv" leaves the folder', "../people.csv"),
    ListRow("an absolute path", 'file: "/etc/passwd" is absolute; it has to be relative to the folder', "/etc/passwd"),
    ListRow("a link", LINK, "link.pfx", make=link("link.pfx", "good.pfx")),
    ListRow("a path through a link", LINK, "out/passwd", make=link("out", "/etc")),
    ListRow("a password file behind a link", LINK, word="out/passwd"),
    ListRow("a password file outside the folder", 'password-file: "../../secret" leaves the folder', word="../../secret"),
    ListRow("a pipe", '"pipe.pfx" is no regular file', "pipe.pfx", make=lambda room: os.mkfifo(room.folder / "pipe.pfx")),
    ListRow("a folder", '"a" is no regular file', "a", make=lambda room: (room.folder / "a").mkdir()),
    ListRow("a user that is no name", 'upn: "nobody" is no userPrincipalName, NAME@DOMAIN', user="nobody"),
    ListRow("no user", 'upn: "" is no userPrincipalName, NAME@DOMAIN', user=""),
    ListRow("a purpose that does not exist", 'purpose: "smime" is none; smimeEncryption, smimeSigning, unassigned or wifi', purpose="smime"),
    ListRow("formulae of a spreadsheet", 'upn: "@SUM(1+1)" is no userPrincipalName, NAME@DOMAIN', "=cmd|' /C calc'!A0", user="@SUM(1+1)", purpose="-2+3"),
]

HEADER = "file,password-file,upn,purpose\n"
ONE = ("--user", "{user}", "--purpose", "smimeEncryption", "--password-file", "{word}")
COLUMNS = "there are file, password-file, upn, purpose, address"
COMMANDS = [
    Command("an empty list", 2, "…people.csv: line 1: the file is empty; it begins with file,password-file,upn,purpose", list=""),
    Command("semicolons", 2, "…people.csv: line 1: cells are separated by semicolons; save it with commas", list="file;upn\n"),
    Command("tabs", 2, '…people.csv: line 1: cells are separated by tabs; save it as "CSV UTF-8", with commas', list="file\tupn\n"),
    Command("a spreadsheet's own line", 2, '…people.csv: line 1: "sep=" is a spreadsheet\'s own; take the line out, and save it with commas',
            list="sep=;\nfile;upn\n"),
    Command("an unknown column", 2, f'…people.csv: line 1: column "user" is not known; {COLUMNS}', list="file,user\n"),
    Command("a column missing", 2, f"…people.csv: line 1: columns file and upn are needed; {COLUMNS}", list="file,purpose\ngood.pfx,smimeEncryption\n"),
    Command("the same column twice", 2, '…people.csv: line 1: column "file" stands there twice', list="file,file,upn\n"),
    Command("a quote that is never closed", 2, "…people.csv: line 2: a quotation mark that is never closed", list='file,upn\n"x,y\n'),
    Command("no row", 2, "…people.csv: no row under the header", list="file,upn,purpose\n"),
    Command("a row with too few cells", 1, "…not in the store; the report says why", list=HEADER + "good.pfx\n"),
    Command("not UTF-8", 2, '…people.csv: line 2: not UTF-8; save it as "CSV UTF-8"',
            list=HEADER.encode() + b"good.pfx,word.txt,m\xfcller@corp.example,smimeEncryption\n"),
    Command("UTF-16", 2, '…people.csv: line 1: not UTF-8; save it as "CSV UTF-8"', list=("\ufeff" + HEADER).encode("utf-16-le")),
    Command("a NUL in it", 2, "…people.csv: line 2: a control character in a cell",
            list=HEADER.encode() + b"good.pfx\0,word.txt,a@corp.example,smimeEncryption\n"),
    Command("no list at all", 2, '…"none.csv": No such file or directory', arguments=("--csv", "{folder}/none.csv")),
    Command("a folder that is none", 2, "…/none: No such file or directory", arguments=("--folder", "{folder}/none", "--purpose", "smimeEncryption")),
    Command("a state file that is something else", 2, "…it is no state of an import; move it away, or name another one with --state",
            list=HEADER + "good.pfx,word.txt,{user},smimeEncryption\n", state=b"my shopping list\n"),
    Command("a report that cannot be written", 2, "…the report; name another place with --report: …", ("--csv", "{list}", "--report", "{folder}/none/report"),
            HEADER + "good.pfx,word.txt,{user},smimeEncryption\n"),
    Command("--csv and --folder", 2, "…[--csv,--folder]…", ("--csv", "x.csv", "--folder", "y")),
    Command("--csv and --user", 2, "…--csv and --folder name files, users and addresses themselves: no FILE, --user or --address beside them…",
            ("--csv", "x.csv", "--user", "a@b.example")),
    Command("a file and nobody's name", 2, "…--user is needed…", ("--jobs", "3", "x.pfx")),
    Command("nothing to import", 2, "…FILE, --csv or --folder is needed…", ()),
    Command("one file: a wrong password", 1, "…good.pfx: the password or the file is wrong: it does not open", ("{good}", *ONE[:-1], "{folder}/wrong.txt")),
    Command("one file: an empty one", 1, "…empty.pfx: the file is empty", ("{folder}/empty.pfx", *ONE)),
    Command("one file: a password file in UTF-16", 1, "…utf16.txt is UTF-16; save it as UTF-8", ("{good}", *ONE[:-1], "{folder}/utf16.txt")),
    Command("one file: another user", 1, "…good.pfx: the certificate is for clumsy@corp.example, not for other@corp.example; if one of these is his too, "
            "say so with --address", ("{good}", "--user", "other@corp.example", *ONE[2:])),
    Command("one file: a user that is no name", 2, "…--user: a userPrincipalName, NAME@DOMAIN", ("{good}", "--user", "nobody", *ONE[2:])),
    Command("one file: no such purpose", 2, "…--purpose: smimeEncryption, smimeSigning, unassigned or wifi…",
            ("{good}", "--user", "{user}", "--purpose", "smime", *ONE[4:])),
    Command("one file: no such import key", 2, "…no [import.Nope] is configured; on another machine give the public key's PEM with --key-file", ("{good}", *ONE),
            rest=("--key", "Nope")),
    Command("one file: no password", 2, "…--password-file or --password-stdin is needed…", ("{good}", *ONE[:4])),
    Command("one file: no such file", 2, "…/none.pfx: No such file or directory", ("{folder}/none.pfx", *ONE)),
    Command("one file: no such password file", 2, "…/none: No such file or directory", ("{good}", *ONE[:-1], "{folder}/none")),
    Command("one good file and one bad", 1, "…no.pfx: the password or the file is wrong: it does not open", ("{good}", "{folder}/no.pfx", *ONE)),
]
