"""What a service does that wants keys, names or revocations it should not get.

Each transformation works on what honest requests are queued; it stays until it is cleared, and what it touches is not
validated.
"""
from __future__ import annotations

import base64
import copy
import threading
from typing import Any, Callable

from .imported import Imported
from .queue import Queue

Options = dict[str, Any]
Json = dict[str, Any]


class Evil:
    def __init__(self, queue: Queue, imported: Imported) -> None:
        self._queue = queue
        self._imported = imported
        self._lock = threading.Lock()
        self._active: dict[str, Options] = {}
        self._seen: dict[str, Json] = {}
        self._struck: dict[str, int] = {}

    def on(self, name: str, **options: Any) -> None:
        if name not in LEASE and name not in HISTORY and name not in OUTCOME:
            raise KeyError(f"no evil {name!r}; there is {', '.join(sorted({*LEASE, *HISTORY, *OUTCOME}))}")
        with self._lock:
            self._active[name] = options
            self._struck[name] = 0
            if name == "order-changed":
                self._seen.clear()

    def off(self, name: str | None = None) -> None:
        with self._lock:
            if name is None:
                self._active.clear()
            else:
                self._active.pop(name, None)

    def view(self) -> list[Json]:
        with self._lock:
            return [{"name": name, "struck": self._struck.get(name, 0), **options} for name, options in self._active.items()]

    def _each(self, table: dict[str, Any]) -> list[tuple[str, Any, Options]]:
        with self._lock:
            return [(name, table[name], options) for name, options in self._active.items() if name in table]

    def lease(self, requests: list[Json]) -> tuple[list[Json], bool]:
        changed = False
        for name, transform, options in self._each(LEASE):
            result = [transform(self, copy.deepcopy(request), options) if _fits(request, options) else request for request in requests]
            if result != requests:
                changed = True
                self._struck[name] = self._struck.get(name, 0) + 1
            requests = result
        return requests, changed

    def history(self, upn: str, purpose: str, records: list[Json]) -> tuple[list[Json], bool]:
        changed = False
        for name, transform, options in self._each(HISTORY):
            if upn not in options.get("of", [upn]):
                continue
            result = transform(self, upn, purpose, copy.deepcopy(records), options)
            if result != records:
                changed = True
                self._struck[name] = self._struck.get(name, 0) + 1
            records = result
        return records, changed

    def outcomes(self, outcomes: list[Json]) -> list[Json]:
        for name, transform, options in self._each(OUTCOME):
            outcomes = transform(outcomes, options)
            self._struck[name] = self._struck.get(name, 0) + 1
        return outcomes

    # -- what lies about ----------------------------------------------------------------------------------------------
    def other_device(self, request: Json, options: Options) -> Json | None:
        """Another user's device, or the attacker's own."""
        if isinstance(options.get("device"), dict):
            return dict(options["device"])
        user = _id(request.get("user"))
        for body in self._queue.bodies():
            device = body.get("device")
            if isinstance(device, dict) and device.get("recipientCertificate") and _id(body.get("user")) != user:
                return dict(device)
        return None

    def other_user(self, request: Json, options: Options) -> Json | None:
        if isinstance(options.get("user"), dict):
            return dict(options["user"])
        for body in self._queue.bodies():
            user = body.get("user")
            if isinstance(user, dict) and _id(user) != _id(request.get("user")):
                return dict(user)
        return None

    def issued_to(self, user: Any) -> str | None:
        """The newest certificate that the connector made for somebody else, in base64: every result carries them."""
        for each in reversed(self._queue.find()):
            result = each["result"] or {}
            if result.get("status") == "delivered" and each["kind"] == "pkcs.issue" and _id(each["request"].get("user")) != user:
                return str(result["certificates"][-1]["certificate"])
        return None

    def other_history(self, upn: str, purpose: str, options: Options) -> list[Json]:
        owner = options.get("from") or self._imported.other_owner(upn)
        return copy.deepcopy(self._imported.of_user(owner, purpose)[0]) if owner else []


def _id(value: Any) -> Any:
    return value.get("id") if isinstance(value, dict) else None


def _fits(request: Json, options: Options) -> bool:
    """`ids` and `kinds` keep honest neighbours honest; a history has `of`, a list of its owners."""
    return (("ids" not in options or request.get("id") in options["ids"])
            and ("kinds" not in options or request.get("kind") in options["kinds"]))


# -- on the way to a lease --------------------------------------------------------------------------------------------
def _wrong_recipient(evil: Evil, request: Json, options: Options) -> Json:
    """One user's order, another's phone."""
    device = evil.other_device(request, options)
    if device is not None and "device" in request:
        request["device"] = device
    return request


def _wrong_recipient_certificate(evil: Evil, request: Json, options: Options) -> Json:
    """The right device id over another device's certificate."""
    device = evil.other_device(request, options)
    if device is not None and isinstance(request.get("device"), dict):
        request["device"]["recipientCertificate"] = device["recipientCertificate"]
    return request


def _wrong_user(evil: Evil, request: Json, options: Options) -> Json:
    """A victim's name over the attacker's own, enrolled device."""
    user = evil.other_user(request, options)
    if user is not None and "user" in request:
        request["user"] = user
    return request


def _wrong_mail(evil: Evil, request: Json, options: Options) -> Json:
    user = evil.other_user(request, options)
    if user is not None and isinstance(request.get("user"), dict):
        for name in ("mail", "otherMails", "proxyAddresses"):
            if name in user:
                request["user"][name] = user[name]
    return request


def _own_certificate(evil: Evil, request: Json, options: Options) -> Json:
    """A certificate of the connector's own making, whose key the attacker has, passed off as the victim's device."""
    certificate = evil.issued_to(_id(request.get("user")))
    if certificate is not None and isinstance(request.get("device"), dict):
        request["device"]["recipientCertificate"] = certificate
    return request


def _rewrite(evil: Evil, request: Json, options: Options) -> Json:
    """`set`: whatever the service likes to say, by the members' JSON pointers without the first /."""
    for pointer, value in options.get("set", {}).items():
        *path, last = pointer.split("/")
        at: Any = request
        for step in path:
            at = at.setdefault(step, {})
        at[last] = value
    return request


def _revoke(evil: Evil, request: Json, options: Options) -> Json:
    """Instead of the order: the revocation of what the connector, or its authority, has issued to somebody."""
    return {**{name: request[name] for name in ("id", "leaseId", "leaseExpiresAt", "createdAt", "attempt", "user", "device") if name in request},
            "kind": "certificate.revoke", "authority": "corp", "reason": "keyCompromise",
            "issuer": options.get("issuer", "CN=Lab Issuing CA"), "serialNumber": options.get("serialNumber", "01")}


def _order_changed(evil: Evil, request: Json, options: Options) -> Json:
    """Honest the first time; leased again, the same id has another recipient."""
    known = evil._seen.get(request["id"])
    if known is None:
        evil._seen[request["id"]] = request
        return request
    return _wrong_recipient(evil, request, options)


def _foreign_name(evil: Evil, request: Json, options: Options) -> Json:
    if isinstance(request.get("profile"), dict):
        request["profile"]["subjectAltNames"] = [{"type": "email", "value": options.get("mail", "chief@corp.example")}]
    return request


def _logon_eku(evil: Evil, request: Json, options: Options) -> Json:
    if isinstance(request.get("profile"), dict):
        request["profile"]["extendedKeyUsage"] = options.get("ekus", ["1.3.6.1.5.5.7.3.4", "1.3.6.1.4.1.311.20.2.2"])
    return request


def _logon_names(evil: Evil, request: Json, options: Options) -> Json:
    if isinstance(request.get("profile"), dict):
        request["profile"]["subjectAltNames"] = [{"type": "upn", "value": options.get("upn", "administrator@corp.example")}]
        request["profile"]["includeSecurityIdentifier"] = True
    return request


# -- on the way to a history ------------------------------------------------------------------------------------------
def _swap_user_records(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    return evil.other_history(upn, purpose, options) or records


def _swap_user_records_renamed(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    """The other's records, with the name of the one who asks written over."""
    return [{**record, "userPrincipalName": upn} for record in evil.other_history(upn, purpose, options)] or records


def _mix_user_records(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    return records + evil.other_history(upn, purpose, options)


def _drop_record(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    at = int(options.get("index", 0))
    return [record for index, record in enumerate(records) if index != at]


def _swap_blobs(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    if len(records) >= 2:
        for name in ("encryptedPfxBlob", "encryptedPfxPassword"):
            records[0][name], records[1][name] = records[1][name], records[0][name]
    return records


def _flip(name: str) -> Callable[..., list[Json]]:
    def transform(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
        for record in records:
            octets = bytearray(base64.b64decode(record[name]))
            octets[len(octets) // 2] ^= 1
            record[name] = base64.b64encode(octets).decode()
        return records
    return transform


def _strip_signatures(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    for record in records:
        record.pop("importerSignature", None)
    return records


def _retag(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    """The same records under the purpose that was asked for, whatever they were imported for."""
    found = evil._imported.all(upn)
    return [{**record, "intendedPurpose": purpose} for record in found] or records


def _inject_records(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    """`records`: made by the service itself, which has the public import key like everybody; without them, somebody else's."""
    return records + copy.deepcopy(options.get("records") or evil.other_history(upn, purpose, options))


def _replace_records(evil: Evil, upn: str, purpose: str, records: list[Json], options: Options) -> list[Json]:
    return copy.deepcopy(options.get("records") or evil.other_history(upn, purpose, options)) or records


LEASE: dict[str, Callable[..., Json]] = {
    "wrong-recipient": _wrong_recipient,
    "wrong-recipient-certificate": _wrong_recipient_certificate,
    "wrong-user": _wrong_user,
    "wrong-mail": _wrong_mail,
    "own-certificate": _own_certificate,
    "rewrite": _rewrite,
    "revoke": _revoke,
    "order-changed": _order_changed,
    "foreign-name": _foreign_name,
    "logon-eku": _logon_eku,
    "logon-names": _logon_names,
}
HISTORY: dict[str, Callable[..., list[Json]]] = {
    "swap-user-records": _swap_user_records,
    "swap-user-records-renamed": _swap_user_records_renamed,
    "mix-user-records": _mix_user_records,
    "drop-record": _drop_record,
    "swap-blobs": _swap_blobs,
    "flip-blob": _flip("encryptedPfxBlob"),
    "flip-password": _flip("encryptedPfxPassword"),
    "strip-signatures": _strip_signatures,
    "retag-purpose": _retag,
    "inject-records": _inject_records,
    "replace-records": _replace_records,
}
OUTCOME: dict[str, Callable[[list[Json], Options], list[Json]]] = {
    "cancel-all": lambda outcomes, options: [{"requestId": each["requestId"], "outcome": "cancelled"} for each in outcomes],
    "reject-all": lambda outcomes, options: [{"requestId": each["requestId"], "outcome": "rejected"} for each in outcomes],
    "accept-all": lambda outcomes, options: [{"requestId": each["requestId"], "outcome": "accepted"} for each in outcomes],
    "supersede-all": lambda outcomes, options: [
        {"requestId": each["requestId"], "outcome": "superseded", "accepted": options.get("accepted", [])} for each in outcomes],
}
