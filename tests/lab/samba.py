"""A throwaway Active Directory: Samba as the only domain controller of corp.example, in a network namespace of its own.

It listens at the ports that clients of a domain look for (88, 389, 636), so nothing else of this machine may see it: `alone()` starts the calling program again in fresh
network and mount namespaces, where the controller's name stands in /etc/hosts. That takes root.
"""
from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID as Eku

import pki
from client import LabError
from directory import wait_for_port

Json = dict[str, Any]
REALM, HOST, BASE = "CORP.EXAMPLE", "dc1.corp.example", "DC=corp,DC=example"
PASSWORD = "Correct-horse-" + secrets.token_hex(8)
_INSIDE = "PFX_LAB_ALONE"


def missing() -> str | None:
    """Why it cannot run here, or None."""
    if os.geteuid() != 0:
        return "namespaces and the ports of a domain controller take root"
    absent = [name for name in ("samba", "samba-tool", "ldbmodify", "kinit", "unshare", "ip") if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None]
    if absent:
        return f"not installed: {', '.join(absent)} (tests/packages-samba.txt)"
    probe = subprocess.run(["unshare", "--net", "--mount", "ip", "link", "set", "lo", "up"], capture_output=True, text=True, check=False)
    return None if probe.returncode == 0 else f"no namespaces: {probe.stderr.strip()}"


def alone() -> None:
    """Comes back in the namespaces; the program is started again for it."""
    if os.environ.get(_INSIDE) != "1":
        os.execvpe("unshare", ["unshare", "--net", "--mount", sys.executable, *sys.argv], {**os.environ, _INSIDE: "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


class SambaAd:
    """Use as a context manager, after alone()."""

    def __init__(self, directory: Path | str, lab_pki: pki.Pki) -> None:
        self.directory = Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pki = lab_pki
        self._process: subprocess.Popen[bytes] | None = None
        self.krb5 = pki.write(self.directory / "krb5.conf", f"""[libdefaults]
default_realm = {REALM}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
{REALM} = {{
  kdc = 127.0.0.1:88
}}
[domain_realm]
.corp.example = {REALM}
corp.example = {REALM}
""".encode())

    def __enter__(self) -> "SambaAd":
        hosts = pki.write(self.directory / "hosts", f"127.0.0.1 localhost {HOST} dc1\n".encode())
        subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
        self._provision()
        self.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.stop()

    # -- the process --------------------------------------------------------------------------------------------------
    def _provision(self) -> None:
        base = pki.write(self.directory / "base.conf", b"[global]\n")
        self._run("samba-tool", "domain", "provision", "-s", str(base), f"--targetdir={self.directory}/ad", f"--realm={REALM}", "--domain=CORP",
                  f"--adminpass={PASSWORD}", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL", "--host-name=dc1", "--host-ip=127.0.0.1",
                  "--option=interfaces=lo", "--option=bind interfaces only=yes")
        made = self.pki.service_ca.leaf(pki.common_name(HOST), pki.make_key("rsa2048"), extensions=[
            (x509.SubjectAlternativeName([x509.DNSName(HOST)]), False), (x509.BasicConstraints(False, None), True),
            (pki.key_usage("digital_signature", "key_encipherment"), True), (x509.ExtendedKeyUsage([Eku.SERVER_AUTH]), False)])
        pki.write(self.directory / "tls.key", pki.key_pem(made.key), private=True)
        pki.write(self.directory / "tls.crt", pki.cert_pem(made.certificate))
        run = self.directory / "run"
        run.mkdir()
        options = {"tls enabled": "yes", "tls certfile": self.directory / "tls.crt", "tls keyfile": self.directory / "tls.key",
                   "tls cafile": self.pki.path("service-ca.crt"), "pid directory": run, "ncalrpc dir": run / "ncalrpc",
                   "winbindd socket directory": run / "winbindd", "ntp signd socket directory": run / "ntp_signd", "lock directory": run,
                   "log file": self.directory / "log.%m", "server services": "ldap, kdc, cldap",
                   # Samba's default refuses Kerberos within TLS, where Active Directory takes it.
                   "ldap server require strong auth": "allow_sasl_over_tls"}
        # What the controller's own updater would enter, which is not among its services here.
        self._run("samba-tool", "spn", "add", f"ldap/{HOST}", "DC1$", "-H", self.sam, "-s", str(self.conf))
        text = self.conf.read_text()
        text = text.replace("[global]\n", "[global]\n" + "".join(f"\t{key} = {value}\n" for key, value in options.items()), 1)
        self.conf.write_text(text)

    @property
    def conf(self) -> Path:
        return self.directory / "ad" / "etc" / "smb.conf"

    @property
    def sam(self) -> str:
        return str(self.directory / "ad" / "private" / "sam.ldb")

    def start(self) -> None:
        with (self.directory / "output.txt").open("ab") as output:
            self._process = subprocess.Popen(["/usr/sbin/samba", "-F", "--no-process-group", "-s", str(self.conf), "--debug-stdout"],
                                             stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        for port in (88, 636):
            wait_for_port(port, self._process, self.directory / "output.txt", 60)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            # Its own session: the whole family goes.
            os.killpg(self._process.pid, signal.SIGTERM)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait(10)
        self._process = None

    def _run(self, *command: str, stdin: str | None = None) -> str:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=120, env={**os.environ, "KRB5_CONFIG": str(self.krb5)})
        if done.returncode != 0:
            raise LabError(f"{command[0]} {command[1]} {command[2]}: {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}")
        return done.stdout

    # -- what stands in it --------------------------------------------------------------------------------------------
    def tool(self, *arguments: str) -> str:
        return self._run("samba-tool", *arguments, "-H", self.sam, "-s", str(self.conf))

    def change(self, text: str) -> None:
        self._run("ldbmodify", "-H", self.sam, "--configfile=" + str(self.conf), stdin=text)

    def set(self, name: str, attribute: str, *values: str) -> None:
        self.change("\n".join([f"dn: {name}", "changetype: modify", f"replace: {attribute}", *(f"{attribute}: {value}" for value in values), ""]))

    def account(self, name: str, password: str = PASSWORD, *more: str) -> str:
        self.tool("user", "create", name, password, *more)
        return f"CN={name},CN=Users,{BASE}"

    def person(self, user: Any) -> str:
        name = user.upn.partition("@")[0]
        self.account(name, PASSWORD, "--given-name", user.given_name, "--surname", user.surname, "--mail-address", user.mail or user.upn)
        return f"CN={user.given_name} {user.surname},CN=Users,{BASE}"

    def device(self, identifier: str, owner: str | None = None) -> str:
        self.tool("computer", "create", identifier)
        name = f"CN={identifier},CN=Computers,{BASE}"
        self.set(name, "userAccountControl", "4096")  # it is made disabled
        if owner:
            self.set(name, "managedBy", owner)
        return name

    def security_identifier(self, name: str) -> str:
        text = self._run("ldbsearch", "-H", self.sam, "--configfile=" + str(self.conf), "-b", name, "-s", "base", "objectSid")
        return next(line.partition(": ")[2] for line in text.splitlines() if line.startswith("objectSid: "))

    def keytab(self, account: str) -> Path:
        """With AES keys: left alone Samba exports RC4, which today's Kerberos refuses."""
        self.set(f"CN={account},CN=Users,{BASE}", "msDS-SupportedEncryptionTypes", "24")
        path = self.directory / f"{account}.keytab"
        self._run("samba-tool", "domain", "exportkeytab", str(path), f"--principal={account}", "-s", str(self.conf))
        path.chmod(0o600)
        return path

    def config(self, **more: Any) -> Json:
        section = {"url": f"ldaps://{HOST}", "ca_file": self.pki.path("service-ca.crt"), "user_base": BASE, "device_base": f"CN=Computers,{BASE}", **more}
        return {"recipients": {"binding": "directory"}, "policy": {"identity": "directory"}, "directory": section}
