#!/usr/bin/python3
"""An EST authority for the lab: /.well-known/est over TLS, and a plain loopback side to steer it.

    est_server.py --state DIR [--ports-file FILE]

The state (keys in `pki`, the log of what was issued in `est.db`) survives a restart; settings and faults do not. SIGTERM ends it.
"""
from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any, Sequence

import pki
from est.auth import Gate
from est.authority import Authority
from est.http import EstServer, Trouble
from est.settings import Settings
from management.control import ControlServer, Refused
from service import _address


class Control:
    """GET health, settings, issued, pending, calls; POST settings, fault, approve, renew; DELETE faults."""

    def __init__(self, server: EstServer) -> None:
        self._server = server

    def handle(self, method: str, path: list[str], query: dict[str, str], body: dict[str, Any]) -> Any:
        server = self._server
        match (method, path):
            case ("GET", ["health"]):
                return {"status": "up"}
            case ("GET", ["settings"]):
                return server.settings.all()
            case ("POST", ["settings"]):
                server.settings.change(body)
                return server.settings.all()
            case ("GET", ["issued"]):
                return {"issued": server.authority.issued()}
            case ("GET", ["pending"]):
                return {"pending": server.authority.pending()}
            case ("GET", ["calls"]):
                return {"calls": server.calls(int(query.get("since", 0)))}
            case ("POST", ["fault"]):
                server.trouble.arm(**body)
                return {}
            case ("DELETE", ["faults"]):
                server.trouble.clear()
                return {}
            case ("POST", ["approve"]):
                return {"approved": server.authority.approve(body.get("csr"))}
            case ("POST", ["renew"]):
                server.authority.renew()
                return {}
        raise Refused(f"no {method} /lab/{'/'.join(path)}")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--state", required=True, type=Path)
    parser.add_argument("--listen", default="127.0.0.1:0", type=_address)
    parser.add_argument("--control", default="127.0.0.1:0", type=_address)
    parser.add_argument("--ports-file", type=Path, help='gets {"est": port, "control": port} once both listen')
    parser.add_argument("--user", default="connector")
    parser.add_argument("--password-file", type=Path, help="of that user, for Basic and Digest")
    chosen = parser.parse_args(arguments)
    chosen.state.mkdir(parents=True, exist_ok=True)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings = Settings()
    authority = Authority(chosen.state, settings)
    password = chosen.password_file.read_text().strip() if chosen.password_file else "password"
    est = EstServer(chosen.listen, authority, Gate(settings, chosen.user, password), settings, Trouble())
    control = ControlServer(chosen.control, Control(est))  # type: ignore[arg-type]
    for server in (est, control):
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    ports = {"est": est.server_address[1], "control": control.server_address[1]}
    if chosen.ports_file is not None:
        pki.write(chosen.ports_file, json.dumps(ports).encode())
    print(f"est https://127.0.0.1:{ports['est']}/.well-known/est  control http://127.0.0.1:{ports['control']}/lab", flush=True)
    stop.wait()
    for server in (est, control):
        server.socket.close()
    authority.close()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
