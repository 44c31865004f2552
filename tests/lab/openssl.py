"""The `openssl` program as a subprocess. Secrets reach it in files of mode 0600, never as arguments."""
from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


class OpensslError(RuntimeError):
    """The program said no; the text is its own."""


def run(*arguments: str | Path, stdin: bytes = b"") -> tuple[bytes, str]:
    """Standard output, and what was said on standard error."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True, check=False, timeout=120,
                          env={**os.environ, "OPENSSL_CONF": "/dev/null"})
    said = done.stderr.decode("utf-8", "replace")
    if done.returncode != 0:
        raise OpensslError(f"openssl {arguments[0]} {arguments[1] if len(arguments) > 1 else ''}: {said.strip()[:2000]}")
    return done.stdout, said


@contextmanager
def secrets(**files: bytes | str) -> Iterator[dict[str, Path]]:
    """The values in files of a private directory, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lab-") as directory:
        paths = {}
        for stem, value in files.items():
            path = Path(directory) / stem
            path.touch(mode=0o600)
            path.write_bytes(value.encode() if isinstance(value, str) else value)
            paths[stem] = path
        yield paths
