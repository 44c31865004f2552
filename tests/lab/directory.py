#!/usr/bin/python3
"""A throwaway directory: OpenLDAP's slapd on loopback, LDAPS with the lab's PKI, an account that may only read.

The schema has the attributes of Active Directory that matter here under their own names, so that the connector's defaults can be
used; `nsAccountLock` beside them as 389 Directory Server has it.

    with Slapd(place, lab.pki) as directory:
        directory.person(alice)
        directory.device(phone.id, alice)
        lab.connector(directory.config())

By hand: directory.py --pki P --state S [--port N] runs until it is ended, with Alice and her phone d-1.
"""
from __future__ import annotations

import argparse
import base64
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Mapping, Sequence

import pki
from client import LabError
from connector import free_port

Json = dict[str, Any]
Value = str | bytes
SUFFIX = "dc=corp,dc=example"
PEOPLE, DEVICES, ACCOUNTS = (f"ou={name},{SUFFIX}" for name in ("People", "Devices", "Accounts"))
READER = f"cn=pfx-connector,{ACCOUNTS}"
ADMINISTRATOR = f"cn=admin,{SUFFIX}"

SCHEMA = """
attributetype ( 1.3.6.1.4.1.99999.1.1 NAME 'userPrincipalName' EQUALITY caseIgnoreMatch SUBSTR caseIgnoreSubstringsMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.2 NAME 'sAMAccountName' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.3 NAME 'proxyAddresses' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.3.6.1.4.1.99999.1.4 NAME 'objectSid' EQUALITY octetStringMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.5 NAME 'userAccountControl' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.6 NAME 'accountExpires' EQUALITY integerMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.7 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.3.6.1.4.1.99999.1.8 NAME 'managedBy' EQUALITY distinguishedNameMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.12 )
objectclass ( 1.3.6.1.4.1.99999.2.1 NAME 'labAccount' AUXILIARY
  MAY ( userPrincipalName $ sAMAccountName $ proxyAddresses $ objectSid $ userAccountControl $ accountExpires $ nsAccountLock $ managedBy ) )
"""


class Slapd:
    """Use as a context manager: leaving it ends the process."""

    def __init__(self, directory: Path | str, lab_pki: pki.Pki, *, certificate: str = "service", port: int | None = None) -> None:
        """`certificate`: "service", or "service-foreign", "service-wrong-name", "service-expired"."""
        self.directory = Path(directory)
        self.pki = lab_pki
        self.port = port or free_port()
        self.certificate = certificate
        self.password = "a plain reader's password"
        (self.directory / "db").mkdir(parents=True, exist_ok=True)
        self._administrator = pki.write(self.directory / "administrator", b"administrator", private=True)
        self.password_file = pki.write(self.directory / "reader.password", self.password.encode() + b"\n", private=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._filled = False

    # -- the process --------------------------------------------------------------------------------------------------
    def _configuration(self) -> str:
        schema = pki.write(self.directory / "lab.schema", SCHEMA.encode())
        return "\n".join([
            *(f"include /etc/ldap/schema/{name}.schema" for name in ("core", "cosine", "inetorgperson", "nis")),
            f"include {schema}", "modulepath /usr/lib/ldap", "moduleload back_mdb",
            f"pidfile {self.directory}/slapd.pid", "loglevel stats",
            f"TLSCertificateFile {self.pki.path(self.certificate + '.crt')}", f"TLSCertificateKeyFile {self.pki.path(self.certificate + '.key')}",
            "TLSVerifyClient never", "disallow bind_anon", "sizelimit 500",
            "database mdb", "maxsize 67108864", f"suffix {SUFFIX}", f"rootdn {ADMINISTRATOR}", "rootpw administrator", f"directory {self.directory}/db",
            "index objectClass,cn,userPrincipalName eq",
            "access to attrs=userPassword by anonymous auth by * none",
            f"access to * by dn.exact={READER} read by * none", ""])

    def __enter__(self) -> "Slapd":
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    def start(self) -> None:
        """A second start finds what the first one was told, at the same port."""
        configuration = pki.write(self.directory / "slapd.conf", self._configuration().encode(), private=True)
        program = shutil.which("slapd", path="/usr/sbin:/usr/bin")
        if program is None:
            raise LabError("no slapd: install Debian's slapd and ldap-utils")
        with (self.directory / "output.txt").open("ab") as output:
            self._process = subprocess.Popen([program, "-h", f"ldaps://127.0.0.1:{self.port} {self._socket}", "-f", str(configuration), "-d", "256"],
                                             stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        wait_for_port(self.port, self._process, self.directory / "output.txt")
        if not self._filled:
            self._filled = True
            self.add(SUFFIX, {"objectClass": ["dcObject", "organization"], "o": "Lab", "dc": "corp"})
            for name in (PEOPLE, DEVICES, ACCOUNTS):
                self.add(name, {"objectClass": "organizationalUnit"})
            self.add(READER, {"objectClass": ["organizationalRole", "simpleSecurityObject"], "userPassword": self.password})

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def stop(self, kill: bool = False) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
            self._process.wait(20)
        self._process = None

    @property
    def _socket(self) -> str:
        return "ldapi://" + str(self.directory / "ldapi").replace("/", "%2F")

    @property
    def url(self) -> str:
        return f"ldaps://127.0.0.1:{self.port}"

    def config(self, *, binding: str = "directory", identity: str = "directory", **more: Any) -> Json:
        """For Lab.connector(); `more` goes into [directory]."""
        section = {"url": self.url, "ca_file": self.pki.path("service-ca.crt"), "bind": "simple", "bind_name": READER,
                   "credential": f"file:{self.password_file}", "user_base": PEOPLE, "device_base": DEVICES,
                   "device_filter": "(&(objectClass=device)(cn={device}))", "timeout_seconds": 10, **more}
        return {"recipients": {"binding": binding}, "policy": {"identity": identity}, "directory": section}

    # -- what stands in it --------------------------------------------------------------------------------------------
    def _change(self, text: str) -> None:
        done = subprocess.run(["ldapmodify", "-x", "-H", self._socket, "-D", ADMINISTRATOR, "-y", str(self._administrator)], input=text,
                              capture_output=True, text=True, check=False, timeout=30, env={"LDAPNOINIT": "1", "PATH": "/usr/bin:/bin"})
        if done.returncode != 0:
            raise LabError(f"ldapmodify: {done.stderr.strip()}\n{text}")

    def add(self, name: str, attributes: Mapping[str, Value | Sequence[Value]]) -> str:
        self._change("\n".join([_line("dn", name), "changetype: add", *_lines(attributes), ""]))
        return name

    def set(self, name: str, **attributes: Value | Sequence[Value] | None) -> None:
        """Replaces these attributes; None takes one away."""
        parts = []
        for key, value in attributes.items():
            parts += [f"replace: {key}", *([] if value is None else _lines({key: value})), "-"]
        self._change("\n".join([_line("dn", name), "changetype: modify", *parts, ""]))

    def remove(self, name: str) -> None:
        self._change("\n".join([_line("dn", name), "changetype: delete", ""]))

    def person(self, user: Any, name: str | None = None, **attributes: Value | Sequence[Value] | None) -> str:
        """The entry of a lab user as its owner would have it; None leaves an attribute out. Answers its distinguished name."""
        entry: dict[str, Any] = {
            "objectClass": ["inetOrgPerson", "labAccount"], "cn": f"{user.given_name} {user.surname}", "sn": user.surname, "givenName": user.given_name,
            "displayName": f"{user.given_name} {user.surname}", "mail": user.mail or user.upn, "userPrincipalName": user.upn,
            "sAMAccountName": user.upn.partition("@")[0], "userAccountControl": "512", **attributes}
        return self.add(name or f"uid={user.upn.partition('@')[0]},{PEOPLE}", {key: value for key, value in entry.items() if value is not None})

    def device(self, identifier: str, owner: Any = None, name: str | None = None, **attributes: Value | Sequence[Value]) -> str:
        """`owner`: a distinguished name, several, or a lab user."""
        if hasattr(owner, "upn"):
            owner = f"uid={owner.upn.partition('@')[0]},{PEOPLE}"
        entry: dict[str, Any] = {"objectClass": ["device", "labAccount"], "cn": identifier, **attributes}
        if owner:
            entry["managedBy"] = owner
        return self.add(name or f"cn={identifier},{DEVICES}", entry)

    def searches(self) -> list[str]:
        """The filters that were asked, as the server understood them."""
        text = (self.directory / "output.txt").read_text(errors="replace")
        return [line.partition('filter="')[2].rpartition('"')[0] for line in text.splitlines() if " SRCH base=" in line]


def _lines(attributes: Mapping[str, Value | Sequence[Value]]) -> list[str]:
    return [_line(key, each) for key, value in attributes.items() for each in ([value] if isinstance(value, (str, bytes)) else value)]


def _line(key: str, value: Value) -> str:
    """RFC 2849, in base64 whatever it is: no text can then be more than its value."""
    return f"{key}:: " + base64.b64encode(value.encode() if isinstance(value, str) else value).decode()


def wait_for_port(port: int, process: subprocess.Popen[bytes], output: Path, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while True:
        if process.poll() is not None:
            raise LabError(f"it ended with {process.returncode}\n{output.read_text(errors='replace')[-2000:]}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise LabError(f"nothing listens at {port} after {seconds} s\n{output.read_text(errors='replace')[-2000:]}") from None
            time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pki", required=True)
    parser.add_argument("--state", required=True)
    parser.add_argument("--port", type=int)
    options = parser.parse_args()
    from lab import User
    with Slapd(options.state, pki.Pki(options.pki), port=options.port) as directory:
        alice = User("u-alice", "alice@corp.example", "Alice", "Smith")
        directory.person(alice)
        directory.device("d-1", alice)
        print(f"{directory.url}, {READER}, password in {directory.password_file}")
        sys.stdout.flush()
        signal.sigwait({signal.SIGINT, signal.SIGTERM})


if __name__ == "__main__":
    main()
