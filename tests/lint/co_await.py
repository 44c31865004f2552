#!/usr/bin/python3
"""Name it, then await it: GCC 12 destroys some temporaries of a full expression with co_await twice.

Flags a statement that holds co_await together with a lambda that captures by value or a braced temporary.
"""
import pathlib
import re
import sys

COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
STRING = re.compile(r'"(?:\\.|[^"\\\n])*"')
AWAIT = re.compile(r"\bco_await\b")
LAMBDA = re.compile(r"\[(?![\]&]\])(?!\s*&\s*\])[^\[\]]*\](?=\s*(?:\(|\{|mutable))")
BRACED = re.compile(r"[\w>\(,]\s*\{[^{}]")


def statements(text: str):
    """Each co_await with its full expression: from the last ; { } before it to the ; that ends it at depth 0."""
    for match in AWAIT.finditer(text):
        start = max(text.rfind(mark, 0, match.start()) for mark in ";{}") + 1
        depth = 0
        end = match.end()
        while end < len(text):
            char = text[end]
            if char in "([{":
                depth += 1
            elif char in ")]}":
                depth -= 1
                if depth < 0:
                    break
            elif char == ";" and depth == 0:
                break
            end += 1
        yield start, text[start:end]


def faults_of(path: str, text: str) -> list[str]:
    plain = COMMENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    plain = STRING.sub('""', plain)
    faults = []
    for start, statement in statements(plain):
        line = plain.count("\n", 0, start + len(statement) - len(statement.lstrip())) + 1
        if LAMBDA.search(statement):
            faults.append(f"{path}:{line}: a capturing lambda in the same expression as co_await")
        elif BRACED.search(statement.split("co_await", 1)[1]):
            faults.append(f"{path}:{line}: a braced temporary in the same expression as co_await")
    return faults


def main() -> int:
    top = pathlib.Path(sys.argv[1])
    bad = ["void f() { auto x = co_await run([a]{ return a; }); }", "void f() { co_await send(Message{1, name}); }"]
    good = ["void f() { auto job = [a]{ return a; }; auto x = run(job); co_await std::move(x); }", "void f() { co_return Agg{1}; }"]
    assert all(faults_of("x", text) for text in bad) and not any(faults_of("x", text) for text in good)
    faults = []
    for room in ("core", "storage", "daemon", "tests"):
        for path in sorted((top / room).rglob("*.[ch]pp")):
            faults += faults_of(path.relative_to(top).as_posix(), path.read_text(encoding="utf-8"))
    print(*faults, sep="\n")
    print(f"{len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
