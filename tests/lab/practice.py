#!/usr/bin/python3
"""What an administrator of the service does by hand in docs/first-hour.md, on the lab's service.

practice.py token --service S                                   a one-time token for enrolling
practice.py order --service S --device D --upn U --out R        assigns an S/MIME profile to a device, waits for what is delivered
"""
from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Sequence

from client import ControlClient, LabError
from device import Device
from lab import Lab, User


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    token = commands.add_parser("token", help="a one-time token for enrolling")
    order = commands.add_parser("order", help="assign an S/MIME profile to a device, and wait for the delivery")
    for each in (token, order):
        each.add_argument("--service", required=True, type=Path, help="the folder that has the service's ports.json")
    order.add_argument("--device", required=True, type=Path, help="what `device.py new` made")
    order.add_argument("--upn", required=True)
    order.add_argument("--given-name", required=True)
    order.add_argument("--surname", required=True)
    order.add_argument("--authority", default="corp")
    order.add_argument("--template", default="smime-signing")
    order.add_argument("--out", required=True, type=Path)
    order.add_argument("--seconds", type=float, default=60, help="how long to wait")
    chosen = parser.parse_args(arguments)

    control = ControlClient(json.loads((chosen.service / "ports.json").read_text())["control"])
    if chosen.command == "token":
        print(control.post("tokens", {})["token"])
        return 0
    user = User(f"u-{chosen.upn}", chosen.upn, chosen.given_name, chosen.surname)
    request = Lab.issue_request(user, Device(chosen.device), authority=chosen.authority, template=chosen.template)
    identifier = control.post("requests", {"requests": [request], "raw": False})["ids"][0]
    answer = control.post("wait", {"timeoutSeconds": chosen.seconds, "ids": [identifier]}, chosen.seconds + 10)
    state = answer["requests"][identifier]
    result = state["result"]
    if result is None:
        print(f"{identifier}: {state['state']}, and nothing was reported within {chosen.seconds:g} s; see `pfx-connector requests show {identifier}`",
              file=sys.stderr)
        return 1
    chosen.out.write_text(json.dumps(result))
    if result["status"] != "delivered":
        print(f"{identifier}: {result['status']}: {result.get('error')}", file=sys.stderr)
        return 1
    certificate = result["certificates"][0]
    print(f"{identifier}: delivered {certificate['subject']}, serial number {certificate['serialNumber']}, issued by {certificate['issuer']}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LabError as error:
        sys.exit(f"practice.py: {error}")
