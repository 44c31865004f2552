#!/usr/bin/python3
"""Statements of binding: that a device, by its key, is a user's, signed as a desk at which devices are handed out would (CMS SignedData, attached).

    statements.py --pki DIR --device DIR [--upn alice@corp.example]     prints one in base64, for the request's device.binding
"""
from __future__ import annotations

import argparse
import base64
import datetime as dt
import json
import sys
from pathlib import Path
from typing import Any, Sequence

import openssl
import pki
from device import TIME_FORM, Device


def content(device: Device, **changes: Any) -> dict[str, Any]:
    """What it says; `changes` replace members, None takes one out."""
    said = {"v": 1, "deviceId": device.id, "userPrincipalName": device.upn, "spkiSha256": device.key_sha256,
            "notBefore": (pki.now() - dt.timedelta(hours=1)).strftime(TIME_FORM), "notAfter": (pki.now() + dt.timedelta(days=30)).strftime(TIME_FORM), **changes}
    return {name: value for name, value in said.items() if value is not None}


def signed(octets: bytes, signer: pki.Identity, *options: str) -> str:
    """In base64."""
    with openssl.secrets(key=pki.key_pem(signer.key), certificate=pki.cert_pem(signer.certificate)) as files:
        message, _ = openssl.run("cms", "-sign", "-binary", "-nosmimecap", "-md", "sha256", *(options or ("-nodetach",)), "-outform", "DER",
                                 "-signer", files["certificate"], "-inkey", files["key"], stdin=octets)
    return base64.b64encode(message).decode()


def statement(lab_pki: pki.Pki, device: Device, signer: pki.Identity | None = None, **changes: Any) -> str:
    """By the lab's pinned signer unless another is named."""
    return signed(json.dumps(content(device, **changes)).encode(), signer or lab_pki.statement_signer)


def times(start: dt.datetime, end: dt.datetime) -> dict[str, str]:
    return {"notBefore": start.strftime(TIME_FORM), "notAfter": end.strftime(TIME_FORM)}


def write_signers(path: Path, *signers: pki.Identity) -> Path:
    """For [recipients] statement_signers."""
    return pki.write(path, b"".join(pki.cert_pem(each.certificate) for each in signers))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pki", required=True, type=Path)
    parser.add_argument("--device", required=True, type=Path, help="the device's directory")
    parser.add_argument("--upn", help="another user than the device's")
    asked = parser.parse_args(arguments)
    device = Device(asked.device)
    print(statement(pki.Pki(asked.pki), device, **({"userPrincipalName": asked.upn} if asked.upn else {})))
    return 0


if __name__ == "__main__":
    sys.exit(main())
