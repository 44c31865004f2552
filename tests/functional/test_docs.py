#!/usr/bin/python3
"""The documents name only what there is: commands and their options, events, links to pages and their headings."""
import functools
import re
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "lab"))
from connector import find_program  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
PAGES = {path.relative_to(TOP).as_posix(): path.read_text() for path in [TOP / "README.md", TOP / "docs/monitoring/alerts.yml", *sorted((TOP / "docs").glob("*.md"))]}
EVENT = re.compile(r"\b(?:PKCS|IMP|REV|KEY|SVC|MGT|AUTH|STO)-[0-9]{4}\b")


@functools.cache
def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([find_program(), *words], capture_output=True, text=True, check=False, timeout=60)


@functools.cache
def options_of(*words: str) -> frozenset[str]:
    """Of a command that there is."""
    done = ask(*words, "--help")
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(words)}: {done.stdout}{done.stderr}")
    return frozenset(re.findall(r"--[a-z][a-z-]*", done.stdout))


def subcommands(*words: str) -> frozenset[str]:
    listed = re.search(r"^Subcommands:\n((?:  .*\n)+)", ask(*words, "--help").stdout, re.M)
    return frozenset(re.findall(r"^  ([a-z][a-z-]*)", listed[1], re.M)) if listed else frozenset()


def commands_in(text: str) -> set[str]:
    """In code spans, with or without the program's name, and as lines of a console block."""
    spans = re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    named = [each.removeprefix("pfx-connector ") for each in spans if each.startswith("pfx-connector ") or each.split()[0] in subcommands() and " " in each]
    lines = re.findall(r"^ *pfx-connector ([a-z].*?)(?: *(?:#|>|&|\\$).*)?$", "\n".join(re.findall(r"^ *```(?:console|sh)\n(.*?)^ *```", text, re.M | re.S)), re.M)
    return {each.strip() for each in [*named, *lines]}


def heading_name(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


class Documents(unittest.TestCase):
    def test_commands_and_their_options(self) -> None:
        seen = 0
        for page, text in PAGES.items():
            for command in sorted(commands_in(text)):
                with self.subTest(page, command=command):
                    rest = command.split()
                    path: list[str] = []
                    while rest and (below := subcommands(*path)):
                        first = rest[0].partition("|")[0]
                        if not re.fullmatch(r"[a-z][a-z-]*", first):
                            break
                        self.assertIn(first, below)
                        path.append(first)
                        rest = rest[1:]
                    used = set(re.findall(r"(?<!\S)\[?(--[a-z][a-z-]*)", " ".join(rest)))
                    self.assertLessEqual(used, options_of(*path) | options_of())
                    seen += 1
        self.assertGreater(seen, 150)

    def test_events_and_codes(self) -> None:
        there = set(re.findall(r"^### (.*)", PAGES["docs/events.md"], re.M))  # printed from the catalogue, which another test holds it to
        for page, text in PAGES.items():
            with self.subTest(page):
                self.assertLessEqual(set(EVENT.findall(text)), there)
        codes = set(re.findall(r"^\| `([a-z]+[A-Z]\w+)` (?:\([A-Z0-9, -]+\) )?\|", PAGES["docs/troubleshoot.md"].split("## One person")[1], re.M))
        self.assertGreater(len(codes), 8)
        for code in sorted(codes):
            with self.subTest(code):
                self.assertEqual(ask("explain", code).returncode, 0)

    def test_links(self) -> None:
        seen = 0
        for page, text in PAGES.items():
            for target in re.findall(r"\]\(([^)\s]+)\)", text):
                if target.startswith("http"):
                    continue
                with self.subTest(page, target=target):
                    file, _, heading = target.partition("#")
                    path = (TOP / page).parent / file if file else TOP / page
                    self.assertTrue(path.exists())
                    if heading:
                        self.assertIn(heading, {heading_name(each) for each in re.findall(r"^#+ (.*)", path.read_text(), re.M)})
                    seen += 1
        self.assertGreater(seen, 50)


if __name__ == "__main__":
    unittest.main()
