"""Mail programs that are not ours: openssl, NSS, gpgsm and GnuTLS open, sign and read with what a device was given.

Passwords go through files and pipes, never through arguments, but for NSS and GnuTLS, which know no other way; they are those
of the lab's own throw-away deliveries.
"""
from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Sequence

from device import Held

DUMMY_INPUT = subprocess.DEVNULL


@dataclass
class Said:
    code: int
    text: str

    @property
    def good(self) -> bool:
        return self.code == 0


def run(command: Sequence[str | Path], *, stdin: bytes | None = None, cwd: Path | None = None) -> Said:
    done = subprocess.run([str(part) for part in command], input=stdin, stdin=None if stdin is not None else DUMMY_INPUT,
                          capture_output=True, check=False, timeout=60, cwd=cwd)
    return Said(done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace"))


def sign(identity: Held, body: bytes, message: Path) -> Said:
    """An S/MIME mail, clear-signed (multipart/signed), with the issuers in it."""
    place = Path(identity.directory)
    return run(["openssl", "cms", "-sign", "-signer", place / "certificate.pem", "-inkey", place / "key.pem", "-certfile", place / "chain.pem",
                "-md", "sha256", "-out", message], stdin=body)


def verify(message: Path, root: Path, address: str) -> Said:
    return run(["openssl", "cms", "-verify", "-in", message, "-CAfile", root, "-purpose", "smimesign", "-verify_email", address,
                "-out", "/dev/null"])


def encrypt(certificate: Path, body: bytes, message: Path) -> Said:
    return run(["openssl", "cms", "-encrypt", "-aes256", "-out", message, certificate], stdin=body)


def decrypt(identity: Held, message: Path) -> bytes | None:
    """The text, or nothing where this identity does not open it."""
    place = Path(identity.directory)
    done = subprocess.run(["openssl", "cms", "-decrypt", "-in", message, "-inkey", place / "key.pem", "-recip", place / "certificate.pem"],
                          stdin=DUMMY_INPUT, capture_output=True, check=False, timeout=60)
    return done.stdout.replace(b"\r\n", b"\n") if done.returncode == 0 else None


class Nss:
    """A certificate database as Thunderbird and Firefox have it."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self.database = f"sql:{directory}"
        run(["certutil", "-N", "-d", self.database, "--empty-password"])

    def trust(self, root: Path) -> Said:
        return run(["certutil", "-A", "-d", self.database, "-n", "root", "-t", "CT,C,C", "-a", "-i", root])

    def import_pfx(self, identity: Held) -> Said:
        place = Path(identity.directory)
        return run(["pk12util", "-i", place / "identity.pfx", "-d", self.database, "-w", place / "password", "-K", ""])

    def verify(self, message: Path) -> Said:
        """A signed message in DER, its content in it."""
        return run(["cmsutil", "-D", "-d", self.database, "-h", "1", "-i", message])

    def keys(self) -> int:
        # A line each, "< 0> rsa      4f…ec   alice": by its number, since an identifier may end like a kind of key.
        return len(re.findall(r"^< *\d+>", run(["certutil", "-K", "-d", self.database]).text, re.MULTILINE))


def gnutls_info(identity: Held) -> Said:
    place = Path(identity.directory)
    return run(["certtool", "--p12-info", "--inder", "--infile", place / "identity.pfx", "--password", (place / "password").read_text()])


class Gpgsm:
    """A home of gpgsm's with loopback pinentry and one trusted root."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        directory.chmod(0o700)
        self.home = directory
        (directory / "gpgsm.conf").write_text("disable-crl-checks\ndisable-dirmngr\n")
        (directory / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")

    def _run(self, *arguments: str | Path, stdin: bytes | None = None) -> Said:
        return run(["gpgsm", "--homedir", self.home, "--batch", *arguments], stdin=stdin)

    def trust(self, root: Path) -> None:
        said = run(["openssl", "x509", "-in", root, "-noout", "-fingerprint", "-sha1"]).text
        (self.home / "trustlist.txt").write_text(said.partition("=")[2].strip() + " S relax\n")
        self._run("--import", root)

    def import_pfx(self, identity: Held) -> Said:
        """gpgsm 2.2.40 takes passwords of at most 31 characters (minip12.c) and a delivered one has 32: the same identity in the
        same 3DES form is written under a shorter one first."""
        place, short, plain = Path(identity.directory), self.home / "short.pfx", self.home / "plain.pem"
        password = self.home / "short.password"
        password.write_text("sixteen-letters.")
        opened = run(["openssl", "pkcs12", "-in", place / "identity.pfx", "-passin", f"file:{place / 'password'}", "-nodes", "-out", plain])
        if not opened.good:
            return opened
        run(["openssl", "pkcs12", "-export", "-in", plain, "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1",
             "-passout", f"file:{password}", "-out", short])
        plain.unlink()
        return self._run("--pinentry-mode", "loopback", "--passphrase-fd", "0", "--import", short, stdin=password.read_bytes())

    def close(self) -> None:
        """The agent that gpgsm started in this home ends with it."""
        if shutil.which("gpgconf"):
            run(["gpgconf", "--homedir", self.home, "--kill", "gpg-agent"])
