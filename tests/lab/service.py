#!/usr/bin/python3
"""A management service for the lab: the whole API of docs/openapi.json over TLS, and a plain loopback side to steer it.

    service.py --pki DIR --state DIR [--ports-file FILE]

`--pki` is a directory made by pki.py. The state (SQLite, the administrator's token in `admin.token`) survives a restart. SIGTERM ends it.
"""
from __future__ import annotations

import argparse
import ipaddress
import json
import os
import secrets
import signal
import sys
import threading
from pathlib import Path
from typing import Sequence

from management.api import Api
from management.control import Control, ControlServer
from management.enrolment import Enrolment
from management.evil import Evil
from management.faults import AFTER, BEFORE, Faults
from management.http import ApiServer, Journal, Tls
from management.imported import Imported
from management.queue import Queue
from management.schema import OPENAPI, Schemas
from management.settings import Settings
from management.store import Store


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not ipaddress.ip_address(host).is_loopback:
        raise argparse.ArgumentTypeError("loopback only")
    return host, int(port)


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pki", required=True, type=Path)
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--listen", default="127.0.0.1:0", type=_address)
    parser.add_argument("--control", default="127.0.0.1:0", type=_address)
    parser.add_argument("--ports-file", type=Path, help='gets {"api": port, "control": port} once both listen')
    parser.add_argument("--base-path", default="/api/v1")
    parser.add_argument("--openapi", default=OPENAPI, type=Path)
    parser.add_argument("--approve", choices=("auto", "manual"), default="auto")
    parser.add_argument("--validate", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--lease-seconds", type=float, default=120)
    parser.add_argument("--tls-certificate", choices=("good", "wrong-name", "expired", "foreign"), default="good")
    parser.add_argument("--tls-max", choices=("1.1", "1.2", "1.3"))
    parser.add_argument("--evil", action="append", default=[], metavar="NAME", help="an evil, or a fault that strikes every time")
    return parser.parse_args(arguments)


def _admin_token(state: Path) -> str:
    path = state / "admin.token"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32) + "\n")
    return path.read_text().strip()


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = _arguments(arguments)
    chosen.state.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    settings = Settings(approve=chosen.approve, validate=chosen.validate, lease_seconds=chosen.lease_seconds, tls_certificate=chosen.tls_certificate)
    schemas, journal, faults = Schemas(chosen.openapi), Journal(), Faults()
    store = Store(chosen.state / "service.db")
    enrolment = Enrolment(store, settings, chosen.pki / "enrolment-ca.crt", chosen.pki / "enrolment-ca.key")
    queue, imported = Queue(store, settings), Imported(store)
    evil = Evil(queue, imported)
    for name in chosen.evil:
        if name in BEFORE or name in AFTER:
            faults.arm(name, -1)
        else:
            evil.on(name)
    api = Api(store, settings, schemas, enrolment, queue, imported, evil, _admin_token(chosen.state))
    servers = [
        ApiServer(chosen.listen, chosen.base_path, Tls(chosen.pki, settings, chosen.tls_max), api, faults, schemas, settings, journal),
        ControlServer(chosen.control, Control(store, settings, schemas, enrolment, queue, imported, faults, evil, journal)),
    ]
    for server in servers:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    ports = {"api": servers[0].server_address[1], "control": servers[1].server_address[1]}
    if chosen.ports_file is not None:
        part = chosen.ports_file.with_name(chosen.ports_file.name + ".part")
        part.write_text(json.dumps(ports))
        os.replace(part, chosen.ports_file)
    print(f"api https://127.0.0.1:{ports['api']}{chosen.base_path}  control http://127.0.0.1:{ports['control']}/lab", flush=True)
    stop.wait()
    for server in servers:
        server.socket.close()
    store.close()
    # Long polls and hangs are still in their threads; nobody waits for them.
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
