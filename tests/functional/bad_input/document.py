#!/usr/bin/python3
"""docs/bad-input.md, from the same rows that the tests run. `document.py --write` writes it; test_bad_document.py compares."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Iterable, Sequence

FUNCTIONAL = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(FUNCTIONAL), str(FUNCTIONAL.parent / "lab")]
from bad_input import answers, records, requests, tool  # noqa: E402
from bad_input.table import RETRYABLE, Table  # noqa: E402

PAGE = FUNCTIONAL.parents[1] / "docs" / "bad-input.md"

# Every code of the contract's table, and what its reader does.
DO = {
    "invalidRequest": "The message begins with a JSON pointer to the field. A fault of the service (or of a template typed into it): mend it there and order anew.",
    "unsupported": "Choose one of what the message names.",
    "policyRefused": "Right as it is, unless the policy is narrower than was meant: the message names the `[policy]` key or the name that nobody "
                     "proves. `doctor --trust` shows what a wider one would let through.",
    "recipientUntrusted": "The device needs another certificate from a CA of `[recipients] ca_file`. If it has the right one, the service sent a "
                          "wrong one: look who could.",
    "recipientUnbound": "Device certificate and user do not belong together. A mistake in the enrolment of the device, or somebody tries another's name.",
    "recipientChanged": "`requests list --stage held`, then `requests approve` in time; or order anew and approve.",
    "approvalNeeded": "As for recipientChanged.",
    "limitReached": "`limits show`; raise the limit in `[limits]` if the work is honest, then order anew.",
    "authorityMisconfigured": "Write the authority or the template into the configuration under exactly this name, or mend the credential; then order anew.",
    "authorityRejected": "The authority's own log says why; the message repeats its answer.",
    "authorityUnreachable": "`doctor` shows which step fails; order anew when it works.",
    "certificateMismatch": "The authority does not do what its template should. Its certificate was revoked where the authority allows that; mend the template.",
    "importNotFound": "`import list --user UPN`; add what is missing with `import add`.",
    "importUndecryptable": "With a key named in it: configure `[import.NAME]`. Else `import verify --user UPN`, and import the file again.",
    "importUnsigned": "`import verify`, then `import adopt` after a look, or import again with a signer of `[importer] signers`.",
    "importInvalid": "The message names what is wrong with the record or its file: export it anew, `import add --replace`.",
    "withdrawn": "Nothing: the service withdrew the order.",
    "abandoned": "Nothing: an operator ended it.",
    "notIssuedHere": "Only what this connector issued for this user and device can be revoked here; ask the authority.",
    "internal": "`requests show ID`, then the log around that time; a fault of the connector or of its storage.",
}
REPEAT = {**{code: "yes" for code in RETRYABLE}, "importUndecryptable": "where a key is missing here", "internal": "mostly"}


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def code_span(text: str) -> str:
    if not text.strip("…"):
        return ""
    return f"`` {cell(text)} ``" if "`" in text else f"`{cell(text)}`"


def lines_of(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head), *("| " + " | ".join(row) + " |" for row in rows), ""]


def orders(table: Table) -> list[str]:
    rows = []
    for row in table.rows:
        other = "" if table.code_of(row) == table.code else f" (`{row.code}`)"
        rows.append([cell(row.what), code_span(row.says) + other])
    return [f"### {table.title}", f"Code `{table.code}`, in the audit log as {table.event}.", *([table.note] if table.note else []), "",
            *lines_of(["input", "the message"], rows)]


def page() -> str:
    out = ["# Bad input: what is said, and what to do", "",
           "Whatever is wrong with an order, a record or a file costs that one alone. It gets a code of the management API, a message that names the",
           "field, and a line in the audit log; its neighbours are served. Each row below is a test (`tests/functional/bad_input`), and this page is",
           "written from it: `tests/functional/bad_input/document.py --write`. `…` stands for what differs from case to case.", "",
           "## What to do, by code", "",
           *lines_of(["code", "worth ordering again as it is", "what to do"], [[f"`{code}`", REPEAT.get(code, "no"), what] for code, what in DO.items()]),
           "## Orders", ""]
    for table in (*requests.TABLES, *requests.WIDE_TABLES):
        if table is requests.DEVICES_FOR_IMPORTS:
            continue  # the same rows again, for the other kind
        out += orders(table)
    out += ["### The same order under its id, but changed", "Code `invalidRequest` (`orderChanged`), in the audit log as MGT-6008; the open order stays as it was.", "",
            *lines_of(["what changed"], [[what] for what, _ in answers.CHANGES]),
            "## Imported certificates", "",
            "A bad record is left out and named in the result's `omitted`, the rest of the history is delivered; only where nothing opens does the",
            "order fail, with the fault of the newest record. In the audit log as IMP-2060, with the record's thumbprint; beside it stands IMP-2063 where the",
            "importer's signature is at fault, IMP-2064 where the password does not open, and IMP-2065 (in the log) where its key is not configured.", "",
            *lines_of(["the record", "code", "the message"], [[cell(row.what), f"`{row.code}`", code_span(row.says)] for row in records.RECORDS]),
            "## `import add`", "",
            "A bad row is refused and stands in the report with its reason; the other rows are imported, and the exit code is 1.", "",
            *lines_of(["the row", "its reason in the report"], [[cell(row.what), code_span(row.says)] for row in tool.ROWS]),
            "A call that makes no sense ends before anything is sent.", "",
            *lines_of(["the call", "exit", "said on standard error"], [[cell(row.what), str(row.code), code_span(row.says)] for row in tool.COMMANDS]),
            "## The management service", "",
            "The call is made again, later each time; nothing is lost and nothing is done twice. Redirects are never followed.", ""]
    for title, rows in (("its answer to a lease", answers.LEASE), ("its answer to a report", answers.RESULTS),
                        ("its answer where imported certificates are asked for", answers.IMPORTS)):
        out += lines_of([title, "event", "its reason"], [[cell(row.what), row.event or "none: asked again at once", code_span(row.says)] for row in rows])
    out += ["Where the service does not prove itself not one octet of a request is sent, and the connector is not ready until it does.", "",
            *lines_of(["the service has", "event", "its reason"], [[cell(row.what), row.event, code_span(row.says)] for row in answers.TLS]),
            "## Disk and database", "",
            *lines_of(["", "event", "what to do"], [
                ["the disk is full", "STO-8005", "Make room: work goes on by itself, nothing is lost."],
                ["a database of a newer version", "STO-8003",
                 "Install the newer program again, or restore the backup from before the update; `run` exits with 2 and writes nothing."],
                ["another sealing key than the database's", "STO-8009", "Put the right key back; `run` exits with 2 and touches nothing."],
                ["a row that was edited", "STO-8004", "It is quarantined and never delivered; find out who can write the state directory."],
                ["a file that is damaged", "STO-8010", "Restore the last backup."],
                ["an older copy put back", "STO-8008", "`run --accept-restore` once a person has looked."]])]
    return "\n".join(out).rstrip() + "\n"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        print(page(), end="")
