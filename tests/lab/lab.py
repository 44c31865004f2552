"""The lab as a library: a PKI, a running service, users and devices, requests, records, and the connector under test.

    with Lab() as lab, lab.connector() as connector:
        alice = lab.user("alice")
        phone = lab.device(alice)
        lab.import_history(alice)
        order = lab.deliver(alice, phone)
        opened = lab.open(phone, order)
"""
from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Iterable, Sequence

import imports
import pki
from client import Answer, ApiClient, ControlClient, LabError, wait_for_file
from connector import Connector, ConnectorError, find_program
from device import Device, Opened, Refused

__all__ = ["Answer", "ApiClient", "Connector", "ConnectorError", "Device", "Lab", "LabError", "Opened", "Refused", "User", "find_program"]
Json = dict[str, Any]
HERE = Path(__file__).resolve().parent
DOMAIN = "corp.example"


@dataclass
class User:
    id: str
    upn: str
    given_name: str
    surname: str
    mail: str | None = None
    other_mails: tuple[str, ...] = ()
    proxy_addresses: tuple[str, ...] = ()

    def json(self, **more: Any) -> Json:
        """The `user` of a request."""
        result: Json = {"id": self.id, "userPrincipalName": self.upn, "mail": self.mail or self.upn, "displayName": f"{self.given_name} {self.surname}",
                        "givenName": self.given_name, "surname": self.surname}
        if self.other_mails:
            result["otherMails"] = list(self.other_mails)
        if self.proxy_addresses:
            result["proxyAddresses"] = list(self.proxy_addresses)
        return {**result, **more}


class Lab:
    def __init__(self, directory: Path | str | None = None, *, pki_directory: Path | str | None = None, approve: str = "auto", validate: bool = True,
                 lease_seconds: float = 120, service_options: Sequence[str] = (), keep: bool = False) -> None:
        """Without a directory: a temporary one, removed at the end unless `keep`. A `pki_directory` can serve many labs."""
        self._temporary = directory is None and not keep
        self.directory = Path(tempfile.mkdtemp(prefix="pfx-lab-")) if directory is None else Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.pki = pki.Pki(pki_directory or self.directory / "pki")
        self.service_state = self.directory / "service"
        self._options = ["--approve", approve, "--validate" if validate else "--no-validate", "--lease-seconds", str(lease_seconds), *service_options]
        self._service: subprocess.Popen[bytes] | None = None
        self._ports: dict[str, int] = {"api": 0, "control": 0}
        self._devices = 0
        self._connectors = 0
        self._open: list[Connector] = []
        self._clients: list[ApiClient] = []

    # -- the service --------------------------------------------------------------------------------------------------
    def __enter__(self) -> "Lab":
        try:
            self.start_service()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: Any) -> None:
        for each in self._open:
            each.__exit__()
        for client in self._clients:
            client.close()
        self.stop_service()
        if self._temporary:
            shutil.rmtree(self.directory, ignore_errors=True)

    def start_service(self, *more: str) -> None:
        """A second start takes the first one's ports, so that a connector finds it again."""
        ports_file = self.directory / "ports.json"
        ports_file.unlink(missing_ok=True)
        command = [sys.executable, str(HERE / "service.py"), "--pki", str(self.pki.directory), "--state", str(self.service_state),
                   "--ports-file", str(ports_file), "--listen", f"127.0.0.1:{self._ports['api']}",
                   "--control", f"127.0.0.1:{self._ports['control']}", *self._options, *more]
        with (self.directory / "service.txt").open("ab") as output:
            self._service = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        service = self._service
        try:
            self._ports = json.loads(wait_for_file(ports_file, 20, lambda: service.poll() is None))
        except LabError as error:
            raise LabError(f"the service did not start: {(self.directory / 'service.txt').read_text()}") from error
        self.control = ControlClient(self._ports["control"])

    def stop_service(self, kill: bool = False) -> None:
        if self._service is not None and self._service.poll() is None:
            self._service.kill() if kill else self._service.terminate()
            self._service.wait(10)
        self._service = None

    def restart_service(self, *more: str) -> None:
        self.stop_service()
        self.start_service(*more)

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._ports['api']}/api/v1"

    @property
    def admin_token_file(self) -> Path:
        return self.service_state / "admin.token"

    @property
    def admin_token(self) -> str:
        return self.admin_token_file.read_text().strip()

    def client(self, certificate: Path | None = None, key: Path | None = None) -> ApiClient:
        made = ApiClient(self.url, self.pki.path("service-ca.crt"), certificate, key)
        self._clients.append(made)
        return made

    def admin(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        client = self.client()
        try:
            return client.call(method, path, body, token=self.admin_token, **headers)
        finally:
            client.close()

    def token(self, seconds: float | None = None) -> str:
        return self.control.post("tokens", {} if seconds is None else {"ttlSeconds": seconds})["token"]

    # -- the connector ------------------------------------------------------------------------------------------------
    def connector(self, config: Json | None = None, *, name: str | None = None, enrol: bool = True, start: bool = True, local_ca: bool = True,
                  program: str | Path | None = None, without: Sequence[str] = (), wait_ready: bool = True,
                  timeout: float = 20) -> Connector:
        """Configured for this lab, enrolled, with a local CA, running and ready; each of it can be left out."""
        self._connectors += 1
        made = Connector(self.directory / (name or f"connector-{self._connectors}"), self.pki, self.url, program=program, config=config,
                         admin_token_file=self.admin_token_file, without=without)
        self._open.append(made)
        if local_ca and "authority" in made.settings:
            made.create_local_ca()
        if enrol:
            made.enrol(self.token())
        if start:
            made.start(wait_ready=wait_ready, timeout=timeout)
        return made

    # -- people and devices -------------------------------------------------------------------------------------------
    def user(self, name: str = "alice", surname: str = "Smith", **other: Any) -> User:
        upn = other.pop("upn", f"{name}@{DOMAIN}")
        return User(str(uuid.uuid5(uuid.NAMESPACE_URL, upn)), upn, name.capitalize(), surname, **other)

    def device(self, user: User, device_id: str | None = None, *, platform: str = "ios", key_kind: str = "rsa2048", flaw: str | None = None,
               **certificate: Any) -> Device:
        """`flaw` is one of pki.BAD_DEVICES; other arguments go to pki.issue_device."""
        self._devices += 1
        identifier = device_id or f"d-{user.upn.split('@')[0]}-{self._devices}"
        certificate.setdefault("given_name", user.given_name)
        certificate.setdefault("surname", user.surname)
        place = self.directory / "devices" / f"{self._devices}-{identifier}"
        return Device.create(self.pki, place, identifier, user.upn, platform=platform, key_kind=key_kind, flaw=flaw, **certificate)

    # -- requests as JSON, not yet queued -----------------------------------------------------------------------------
    @staticmethod
    def issue_request(user: User, device: Device, *, subject: str = "CN={{GivenName}} {{SurName}}",
                      sans: Sequence[tuple[str, str]] = (("email", "{{EmailAddress}}"),),
                      key_type: str = "rsa2048", authority: str = "corp", template: str | None = "smime-signing", delivery: Json | None = None,
                      profile: Json | None = None, **other: Any) -> Json:
        wanted: Json = {"authority": authority, "subject": subject, "keyType": key_type,
                        "subjectAltNames": [{"type": kind, "value": value} for kind, value in sans], **(profile or {})}
        if template is not None:
            wanted.setdefault("template", template)
        return {"kind": "pkcs.issue", "user": user.json(), "device": device.json(), "profile": wanted, "delivery": delivery or {"format": "cms"}, **other}

    @classmethod
    def renew_request(cls, user: User, device: Device, certificate: Json, **how: Any) -> Json:
        """`certificate`: an element of the earlier result's `certificates`."""
        previous = {"serialNumber": certificate["serialNumber"], "issuer": certificate["issuer"]}
        return {**cls.issue_request(user, device, **how), "kind": "pkcs.renew", "previous": previous}

    @staticmethod
    def deliver_request(user: User, device: Device, *, purpose: str = "smimeEncryption", thumbprints: Sequence[str] | None = None,
                        delivery: Json | None = None, **other: Any) -> Json:
        request: Json = {"kind": "pfx.deliver", "user": user.json(), "device": device.json(), "purpose": purpose,
                         "delivery": delivery or {"format": "cms"}, **other}
        if thumbprints is not None:
            request["thumbprints"] = list(thumbprints)
        return request

    @staticmethod
    def withdraw_request(user: User, device: Device, reason: str = "unenrolled", **other: Any) -> Json:
        return {"kind": "pfx.withdraw", "user": user.json(), "device": device.json(), "reason": reason, **other}

    @staticmethod
    def revoke_request(user: User, device: Device, certificate: Json, *, authority: str = "corp",
                       reason: str = "cessationOfOperation", **other: Any) -> Json:
        return {"kind": "certificate.revoke", "user": {"id": user.id}, "device": {"id": device.id}, "authority": authority,
                "issuer": certificate["issuer"], "serialNumber": certificate["serialNumber"], "reason": reason, **other}

    # -- the queue ----------------------------------------------------------------------------------------------------
    def queue(self, *requests: Json, raw: bool = False) -> list[str]:
        """`raw`: passed on as it is, however wrong; else the service checks it against the document first."""
        return self.control.post("requests", {"requests": list(requests), "raw": raw})["ids"]

    def issue(self, user: User, device: Device, **how: Any) -> str:
        return self.queue(self.issue_request(user, device, **how))[0]

    def deliver(self, user: User, device: Device, **how: Any) -> str:
        return self.queue(self.deliver_request(user, device, **how))[0]

    def withdraw(self, user: User, device: Device, **how: Any) -> str:
        return self.queue(self.withdraw_request(user, device, **how))[0]

    def wait(self, *identifiers: str, timeout: float = 30) -> dict[str, Json]:
        """Until each is done or cancelled. Without ids: until everything queued is, and nothing is answered."""
        answer = self.control.post("wait", {"timeoutSeconds": timeout, **({"ids": list(identifiers)} if identifiers else {})}, timeout + 10)
        if not answer["done"]:
            waiting = [f"{each['id']} {each['kind']} {each['state']} attempt {each['attempt']} {[r['detail'] for r in each['reports']]}"
                       for each in answer["requests"].values() if each["state"] not in ("done", "cancelled")]
            raise LabError(f"after {timeout} s not done: {waiting or answer['counts']}\n" + "\n".join(each.tail() for each in self._open))
        return answer["requests"]

    def state(self, identifier: str) -> Json:
        """Everything the service knows of a request: state, result, reports with outcomes, leases."""
        return self.control.get(f"requests/{identifier}")

    def result(self, identifier: str, timeout: float = 30) -> Json:
        """The accepted result."""
        found = self.wait(identifier, timeout=timeout)[identifier]
        if found["result"] is None:
            raise LabError(f"{identifier} is {found['state']}: no result was accepted; reports: {[r['outcome'] for r in found['reports']]}")
        return found["result"]

    def delivered(self, identifier: str, timeout: float = 30) -> Json:
        result = self.result(identifier, timeout)
        if result["status"] != "delivered":
            raise LabError(f"{identifier}: {result['status']} {result.get('error')}")
        return result

    def error(self, identifier: str, timeout: float = 30) -> Json:
        """The `error` of a request that was to fail."""
        result = self.result(identifier, timeout)
        if result["status"] != "failed":
            raise LabError(f"{identifier}: {result['status']} where it was to fail")
        return result["error"]

    def open(self, device: Device, identifier: str, timeout: float = 30) -> Opened:
        """Waits for the delivery and lets the device open it."""
        return device.open(self.delivered(identifier, timeout))

    def calls(self, name: str | None = None, since: int = 0) -> list[Json]:
        return self.control.get(f"calls?since={since}" + (f"&call={name}" if name else ""))["calls"]

    def wait_for_calls(self, name: str, count: int = 1, since: int = 0, timeout: float = 30) -> list[Json]:
        answer = self.control.post("wait-for", {"what": name, "count": count, "since": since, "timeoutSeconds": timeout}, timeout + 10)
        if not answer["done"]:
            raise LabError(f"{len(answer['calls'])} of {count} calls of {name} in {timeout} s")
        return answer["calls"]

    def last_call(self) -> int:
        """For `since`."""
        return max((each["n"] for each in self.calls()), default=0)

    def heartbeats(self) -> list[Json]:
        return self.control.get("heartbeats")["heartbeats"]

    # -- trouble ------------------------------------------------------------------------------------------------------
    def fault(self, name: str, count: int = 1, **options: Any) -> None:
        """See management/faults.py; `call=` says which call it strikes; a negative count stays."""
        self.control.post("fault", {"name": name, "count": count, **options})

    def evil(self, name: str, **options: Any) -> None:
        """See management/evil.py; `ids=` and `kinds=` leave the neighbours alone."""
        self.control.post("evil", {"name": name, **options})

    def good(self) -> None:
        """No more faults, no more evil."""
        self.control.delete("faults")
        self.control.delete("evil")

    def settings(self, **values: Any) -> Json:
        return self.control.post("settings", values)

    def expire_leases(self, *identifiers: str) -> int:
        return self.control.post("expire-leases", {"ids": list(identifiers)} if identifiers else {})["expired"]

    def change(self, identifier: str, patch: Json) -> None:
        self.control.post("change", {"id": identifier, "patch": patch})

    def violations(self) -> list[Json]:
        return self.control.get("violations")["violations"]

    def check_clean(self) -> None:
        """Nothing that either side said broke the document."""
        found = self.violations()
        if found:
            raise LabError("; ".join(f"{each['where']}: {each['complaint']}" for each in found[:5]))

    # -- imported certificates ----------------------------------------------------------------------------------------
    def records(self, user: User, identities: Sequence[pki.Identity], **how: Any) -> list[Json]:
        """See imports.make_records for what can be done to them."""
        return imports.make_records(self.pki, user.id, user.upn, identities, **how)

    def store(self, records: Iterable[Json], raw: bool = False) -> None:
        """By the administrator's API, as an importing tool does; `raw` puts them in past it."""
        if raw:
            self.control.post("imports", {"records": list(records)})
            return
        client = self.client()
        try:
            for record in records:
                answer = client.call("POST", "/imported-certificates", record, token=self.admin_token)
                if answer.status != 201:
                    raise LabError(f"import: {answer.status} {answer.json}")
        finally:
            client.close()

    def import_history(self, user: User, years: Sequence[int] = (2018, 2020, 2022, 2024), *, shared_keys: bool = True,
                       raw: bool = False, certificate: Json | None = None, **how: Any) -> list[pki.Identity]:
        """A user's encryption certificates made, exported, signed and stored; oldest first. `certificate` goes to pki.history."""
        identities = pki.history(self.pki, user.mail or user.upn, years, shared_keys=shared_keys, **(certificate or {}))
        self.store(self.records(user, identities, **how), raw)
        return identities

    def write_result(self, identifier: str, path: Path) -> Path:
        """For `device.py open --result`."""
        path.write_text(json.dumps(self.result(identifier)))
        return path
